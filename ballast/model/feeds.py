"""The OracleAdapter: prices, the sequencer, volatility and settlements, at an explicit time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ballast.codec import STRIKE_UNIT, Settlement, Snapshot, VolatilitySlice
from ballast.model.refusal import Refused, require
from ballast.oracle.fixing import DAY, PATIENCE, PRICE_UNIT, TIME_OF_DAY, Fixing, observed_expiries
from ballast.oracle.mirror import FeedConfig, FeedState
from ballast.oracle.sequencer import Sequencer
from ballast.oracle.volatility import Board, Refusal, VolatilityConfig, accept
from ballast.units import WAD

CASH_FEED = 0
LEAST_LEAD = 3600
GREATEST_LEAD = 400 * DAY
MAX_TICK = 10**14

Series = tuple[int, int]
"""An underlying and an expiry."""


@dataclass(slots=True)
class Feeds:
    """Every value is immutable, so a copy of the containers is a copy of the state."""

    now: int = 0
    states: dict[int, FeedState] = field(default_factory=dict)
    boards: dict[int, Board] = field(default_factory=dict)
    windows: dict[Series, Fixing] = field(default_factory=dict)
    settlements: dict[Series, Settlement] = field(default_factory=dict)
    sequencer: Sequencer | None = None

    def saved(self) -> dict[str, Any]:
        """What `restore` needs to come back here; time is not part of it."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "now"}
        return {k: v.copy() if isinstance(v, dict) else v for k, v in values.items()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Come back to a saved state, which may be restored again."""
        for name, value in saved.items():
            setattr(self, name, value.copy() if isinstance(value, dict) else value)

    # ---- Prices -------------------------------------------------------------------------------

    def configure(self, underlying: int, config: FeedConfig) -> None:
        """Create a feed or replace its configuration."""
        old = self.states.get(underlying)
        kept = (old.snapshot, old.scan, old.suspicion) if old else ()
        self.states[underlying] = FeedState(config, *kept)

    def snapshot(self, underlying: int) -> Snapshot:
        """The snapshot of a feed as everybody sees it; without a price if none was accepted."""
        state = self.states.get(underlying)
        found = state.snapshot if state else Snapshot()
        return replace(found, halted=True) if self._is_halted() else found

    def _is_halted(self) -> bool:
        return self.sequencer is not None and self.sequencer.is_halted(self.now)

    def outage_until(self) -> int:
        """Time until which an outage of the sequencer keeps everybody from being liquidated."""
        return self.sequencer.outage_until(self.now) if self.sequencer else 0

    def cash_price(self, underlying: int) -> int | None:
        """Accepted dollar price of cash (WAD), None while it is not fresh."""
        if underlying == CASH_FEED or CASH_FEED not in self.states:
            return WAD
        cash = self.states[CASH_FEED].snapshot
        return cash.price if cash.price and cash.is_fresh(self.now) else None

    def set_state(self, underlying: int, state: FeedState) -> None:
        """Take in a price that was accepted."""
        before = self.states[underlying].snapshot.time
        self.states[underlying] = state
        time, price = state.snapshot.time, state.snapshot.price // PRICE_UNIT
        for expiry in observed_expiries(before, time):
            window = self.windows.get((underlying, expiry))
            if window is not None:
                self.windows[underlying, expiry] = window.observe(expiry, price, time)

    # ---- Expiries -----------------------------------------------------------------------------

    def configure_volatility(self, underlying: int, config: VolatilityConfig) -> None:
        """Say how the volatility of an underlying is published; bounds are not modelled."""
        old = self.boards.get(underlying)
        self.boards[underlying] = replace(old, config=config) if old else Board(config)

    def allow_expiry(self, underlying: int, expiry: int, tick: int) -> None:
        """Allow an expiry whose strikes are multiples of a tick (1e-8)."""
        board = self._board(underlying)
        allowed = (underlying, expiry) in self.windows
        require(not allowed, "ExpiryRegistry_AlreadyAllowed", underlying, expiry)
        _check_range("expiry", expiry, self.now + LEAST_LEAD, self.now + GREATEST_LEAD)
        require(expiry % DAY == TIME_OF_DAY, "ExpiryRegistry_TimeOfDay", expiry)
        _check_range("strikeTick", tick, 1, MAX_TICK)
        most = board.config.max_live
        require(len(board.live) < most, "ExpiryRegistry_TooMany", most)
        self.boards[underlying] = replace(board, live=tuple(sorted((*board.live, expiry))))
        self.windows[underlying, expiry] = Fixing(tick)

    def is_listed(self, underlying: int, expiry: int, strike: int) -> bool:
        """Whether options of the strike (WAD) may be opened now."""
        window = self.windows.get((underlying, expiry))
        on_grid = window is not None and strike and strike // STRIKE_UNIT % window.strike_tick == 0
        return bool(on_grid) and self.now < expiry

    def _board(self, underlying: int) -> Board:
        board = self.boards.get(underlying)
        if board is None:
            raise Refused("ExpiryRegistry_UnknownVolatility", underlying)
        return board

    def _window(self, underlying: int, expiry: int) -> Fixing:
        window = self.windows.get((underlying, expiry))
        if window is None:
            raise Refused("ExpiryRegistry_UnknownExpiry", underlying, expiry)
        return window

    # ---- Volatility ---------------------------------------------------------------------------

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry: its volatility, or its settlement; zero if none ever was."""
        settled = self.settlements.get((underlying, expiry))
        if settled is not None:
            return settled.encode()
        board = self.boards.get(underlying)
        found = board.slices.get(expiry) if board else None
        return found.encode() if found else 0

    def refresh_slice(
        self, underlying: int, expiry: int, reports: Sequence[VolatilitySlice]
    ) -> Refusal | None:
        """Take in reports that are signed as they must be; None if there was nothing new."""
        self._window(underlying, expiry)
        board, reason = accept(self._board(underlying), expiry, reports, self.now)
        self.boards[underlying] = board
        return reason

    # ---- Settlement ---------------------------------------------------------------------------

    def fix_expiry(self, underlying: int, expiry: int) -> int:
        """Settle an expiry once and for good; the price, WAD of cash."""
        window = self._window(underlying, expiry)
        fixed = (underlying, expiry) in self.settlements
        require(not fixed, "ExpiryFixing_AlreadyFixed", underlying, expiry)
        require(self.now >= expiry, "ExpiryFixing_NotExpired", expiry, self.now)
        price = window.settlement()
        if price == 0:
            waiting = self.now < expiry + PATIENCE
            require(not waiting, "ExpiryFixing_Waiting", underlying, expiry)
            price = window.settlement_as_is(expiry) or self.snapshot(underlying).price
            require(price != 0, "ExpiryFixing_NoPrice", underlying)
        self.settlements[underlying, expiry] = Settlement(price, self.now)
        board = self._board(underlying)
        live = tuple(one for one in board.live if one != expiry)
        slices = {one: word for one, word in board.slices.items() if one != expiry}
        self.boards[underlying] = replace(board, live=live, slices=slices)
        return price

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        """Elapsed seconds of the last 30 minutes, and the mean over them in WAD."""
        return self._window(underlying, expiry).mean_so_far(expiry, self.now)


def _check_range(parameter: str, value: int, least: int, greatest: int) -> None:
    name = parameter.encode().ljust(32, b"\0")
    within = least <= value <= greatest
    require(within, "ExpiryRegistry_OutOfBounds", name, value, least, greatest)
