"""What a keeper does for options: pure functions of what it sees of the volatility boards.

Slices are predicted with the mirror of the contract, so nothing is sent that would be refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ballast.codec import AccountId, Option, Settlement, decode_position
from ballast.oracle.volatility import Board, Refusal, accept
from ballast.svi import variance
from ballast.units import BPS
from ballast.volatility.reports import SignedVolatility, build_updates

SETTLEMENT_DELAY = 3600  # seconds for which options outlive the fixing of their expiry

Expiry = tuple[int, int]  # underlying and expiry
Update = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class BoardView:
    """The slices of one underlying, and the reports on each expiry ahead that make an update."""

    underlying: int
    board: Board
    reports: Mapping[int, Sequence[SignedVolatility]] = field(default_factory=dict)

    def over(self, now: int) -> list[int]:
        """The expiries that wait to be fixed."""
        return [expiry for expiry in self.board.live if expiry <= now]

    def ages(self, now: int) -> dict[int, int]:
        """Seconds since the report of each accepted slice, by expiry."""
        return {expiry: now - one.time for expiry, one in self.board.slices.items()}


@dataclass(frozen=True, slots=True)
class Boards:
    """All of them at one moment, unix seconds."""

    now: int = 0
    views: tuple[BoardView, ...] = ()


# ---- Slices -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SliceRefresh:
    """Slices of one underlying to refresh, with the reports, and why."""

    underlying: int
    reports: tuple[SignedVolatility, ...]
    reason: str

    @property
    def updates(self) -> list[Update]:
        return build_updates(self.reports)

    @property
    def expiries(self) -> list[int]:
        return sorted({signed.report.expiry for signed in self.reports})

    def apart(self) -> list[SliceRefresh]:
        """A refresh for each expiry alone."""
        return [
            SliceRefresh(self.underlying, self._of(expiry), self.reason) for expiry in self.expiries
        ]

    def _of(self, expiry: int) -> tuple[SignedVolatility, ...]:
        return tuple(signed for signed in self.reports if signed.report.expiry == expiry)


def due_slices(boards: Boards, variance_bps: int) -> Iterator[SliceRefresh]:
    """Boards of which a variance at the money would move by `variance_bps`, or a slice is half of
    its greatest fresh age old.

    Whole surfaces: all slices that would be accepted go together, since one that moves alone
    crosses its neighbours.
    """
    for view in boards.views:
        after = predict(view, boards.now)
        accepted = [e for e in view.board.live if after.slices.get(e) != view.board.slices.get(e)]
        reasons = [
            reason
            for expiry in accepted
            if (reason := _reason(view.board, after, expiry, boards.now, variance_bps))
        ]
        if reasons:
            reports = tuple(signed for expiry in accepted for signed in view.reports[expiry])
            yield SliceRefresh(view.underlying, reports, reasons[0])


def predict(view: BoardView, now: int) -> Board:
    """The board as the contract would leave it: expiries upwards, and back again."""
    upwards = sorted(view.reports)
    board = view.board
    for expiry in upwards + upwards[-2::-1]:
        ordered = sorted(view.reports[expiry], key=lambda signed: int(signed.signer, 16))
        found, refusal = accept(board, expiry, [one.report.slice for one in ordered], now)
        board = found if refusal is Refusal.NONE else board
    return board


def _reason(before: Board, after: Board, expiry: int, now: int, variance_bps: int) -> str | None:
    """Why a slice that would be accepted is worth it; None if it is not."""
    last, new = before.slices.get(expiry), after.slices[expiry]
    if last is None:
        return "first slice"
    old = variance(last, 0)
    moved = abs(variance(new, 0) - old) * BPS
    if moved >= old * variance_bps:
        return f"variance moved {moved // old} bps"
    age = now - last.time
    return f"{age} s old" if age >= before.config.max_age // 2 else None


# ---- Settlement -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fix:
    """An expiry to settle for good."""

    underlying: int
    expiry: int


@dataclass(frozen=True, slots=True)
class Settle:
    """An account whose options of fixed expiries are to become cash."""

    account: AccountId


Action = SliceRefresh | Fix | Settle


def unfixed(boards: Boards) -> list[Fix]:
    """The expiries that are over and not settled."""
    return [Fix(view.underlying, one) for view in boards.views for one in view.over(boards.now)]


def expired(words: Iterable[int], now: int) -> set[Expiry]:
    """The expiries among the positions of an account that are over."""
    positions = (decode_position(word) for word in words)
    return {
        (one.underlying, one.expiry)
        for one in positions
        if isinstance(one, Option) and one.expiry <= now
    }


def due_settlements(
    held: Mapping[AccountId, set[Expiry]], fixed: Mapping[Expiry, Settlement], now: int
) -> list[AccountId]:
    """The accounts that hold something which `settle` turns into cash now."""
    ripe = {expiry for expiry, one in fixed.items() if now >= one.time + SETTLEMENT_DELAY}
    return [account for account, expiries in held.items() if expiries & ripe]
