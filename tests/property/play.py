"""What all rules share: calls on both sides, measured and counted, and who is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.exchange import Order
from ballast.model.margin import Margin
from ballast.model.refusal import Refused
from ballast.model.system import Updates
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.invariants import DUST, Invariants
from tests.property.prices import SILENT, Reported
from tests.property.proofs import Proofs
from tests.property.stage import Stage
from tests.property.tally import Tally
from tests.property.world import (
    BTC,
    CASH,
    ETH,
    FEEDS,
    MARKETS,
    USD,
    WBTC,
    WETH,
    World,
    owner_of,
    require,
)

ACCOUNTS = (
    ("maker", 0),
    ("maker", 1),
    ("trader 0", 0),
    ("trader 0", 1),
    ("trader 1", 0),
    ("trader 2", 0),
    ("trader 2", 7),
    ("keeper 0", 0),
    ("keeper 0", 1),
    ("keeper 1", 0),
    ("stranger", 0),
)
FUNDED = (2_000_000, 500_000, 20_000, 8000, 15_000, 10_000, 400, 300_000, 50_000, 100_000, 0)
PERPS = {u: word_of.perp_word(u, 0, 0) for u in MARKETS}
SPOTS = {asset: word_of.collateral_word(asset, 0) for asset in (WETH, WBTC)}
FEED_OF = {WETH: ETH, WBTC: BTC}
DECIMALS = {CASH: 6, WETH: 18, WBTC: 8}
START = {USD: WAD, ETH: 2500 * WAD, BTC: 100_000 * WAD}
LANES = 6
FOREVER = 2**40


@dataclass
class Resting:
    """A maker's order that is still open, as far as its owner knows."""

    order: Order
    left: int


class Play:
    """A world in the middle of a play."""

    def __init__(self, stage: Stage, tally: Tally | None = None) -> None:
        self.world = World(stage, ACCOUNTS)
        self.invariants = Invariants(self.world)
        self.tally = tally if tally is not None else Tally()
        self.resting: list[Resting] = []
        self.proofs = Proofs()
        self._rule = ""

    # ---- Calls ----

    def _both(self, real: Callable[[], Any], model: Callable[[], Any]) -> bool:
        """Make a call on both and count it."""
        refusal = self.world.both(real, model)
        return self._count(refusal)

    def _count(self, refusal: Refused | None) -> bool:
        if not self._rule:
            return refusal is None
        self.tally.tried[self._rule] += 1
        if refusal is None:
            self.tally.accepted[self._rule] += 1
            return True
        self.tally.refusals[refusal.name] += 1
        return False

    @contextmanager
    def _measured(
        self, touched: Iterable[AccountId], updates: Updates = (), sole: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Measures before a call, at the prices that its updates bring, and compares after it."""
        with self._as_updated(updates):
            before = self.invariants.worth()
            margins = {account: self._margin(account) for account in touched}
        found: dict[str, Any] = {"margins": margins, "before": before, "ok": False}
        yield found
        if found["ok"]:
            after = self.invariants.check_moved(before, touched)
            found["after"] = after
            if sole:
                gain = after.of(sole) - before.of(sole)
                require(gain <= DUST, "I9: money for nothing", sole, gain)

    def _margin(self, account: AccountId) -> Margin:
        return self.invariants.margin(account)

    @contextmanager
    def _as_updated(self, updates: Updates) -> Iterator[None]:
        """The model as it will be once the updates are in, and back."""
        if not updates:
            yield
            return
        mark = self.world.checkpoint()
        self.world.model.refresh(updates)
        try:
            yield
        finally:
            self.world.restore(mark)

    # ---- Who is there ----

    def _gates(self, found: dict[str, Any]) -> None:
        if found["ok"]:
            for account, before in found["margins"].items():
                self.invariants.check_gate(account, before)

    def _held(self, account: AccountId) -> list[int]:
        words = self.world.model.house.state.account(account).words
        return [word_of.ident(w) for w in words if word_of.kind(w) == word_of.KIND_COLLATERAL]

    def _amount_held(self, account: AccountId, asset: int) -> int:
        words = [*self.world.model.house.state.account(account).words]
        index = word_of.find(words, SPOTS[asset])
        return word_of.amount_of(words[index]) if index < len(words) else 0

    def _rich(self) -> Sequence[AccountId]:
        """Accounts that have more than they must."""
        margins = {account: self._margin(account) for account in self.world.accounts}
        found = [account for account, m in margins.items() if m.equity > m.initial + WAD]
        return found or self.world.accounts

    def _needy(self) -> Sequence[AccountId]:
        margins = {account: self._margin(account) for account in self.world.accounts}
        found = [account for account, m in margins.items() if m.equity < m.initial]
        return found or self.world.accounts

    def _unhealthy(self) -> list[AccountId]:
        """Accounts under their maintenance margin that are not bankrupt."""
        found = []
        for account in self.world.accounts:
            if self.world.model.house.state.account(account).words:
                margin = self._margin(account)
                if 0 <= margin.equity < margin.maintenance:
                    found.append(account)
        return found

    # ---- Prices ----

    def _stale(self) -> bool:
        now, feeds = self.world.now, self.world.model.feeds
        return any(not feeds.snapshot(u).is_fresh(now) for u in FEEDS)

    def _current(self, premium: int = 0) -> dict[int, Reported]:
        """The prices that stand, reported anew."""
        prices = self.world.prices
        return {u: prices.report(u, prices.price(u), 1, premium) if u else SILENT for u in FEEDS}

    def _freshen(self, dice: Dice) -> None:
        """Mostly see to it that prices are fresh."""
        if self._stale() and dice.chance(85):
            for u in FEEDS:
                self.world.answer(u, self.world.prices.price(u))
            self.world.begin_call()
            self._refresh(self._current())

    def _needed_updates(self, dice: Dice) -> tuple[list[Any], Updates]:
        """Updates that a submitter sends along: mostly where prices are stale."""
        if not (self._stale() and dice.chance(85)) and not dice.chance(5):
            return [], []
        for u in FEEDS:
            self.world.answer(u, self.world.prices.price(u))
        self.world.begin_call()
        return self.world.updates(self._current(dice.integer(-500, 500)))

    def _refresh(self, reported: dict[int, Reported]) -> None:
        """A refresh that must succeed; books and equities of others than perpetuals stand still."""
        world = self.world
        world.begin_call()
        real, seen = world.updates(reported)
        refusal = world.both(lambda: world.oracle.refresh(real), lambda: world.model.refresh(seen))
        require(refusal is None, "I10: a refresh is refused", refusal)


def sole_owner(accounts: Iterable[AccountId]) -> str | None:
    """The owner of all of the accounts, if they have one."""
    owners = {owner_of(account) for account in accounts}
    return owners.pop() if len(owners) == 1 else None
