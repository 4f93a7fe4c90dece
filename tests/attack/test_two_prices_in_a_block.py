"""Whoever refreshes chooses among valid reports: what two of them in one block are worth.

The attacker holds two reports, both young and both newer than the accepted one, and acts before,
between and after them as it likes, all in one block, with accounts on both sides of a trade.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from tests.support.clearing import BTC, CASH, ETH, ClearingWorld
from tests.support.revm import Reverted

LOW, HIGH = 1700.0, 1800.0
DUST = 10**6


class Attack:
    """An attacker with a long that hangs by a thread, a short, and a rich account."""

    def __init__(self, first: float = LOW, second: float = HIGH) -> None:
        world = self.world = ClearingWorld()
        self.maker = world.account("maker")
        world.fund(self.maker, 10_000_000)
        self.thin, self.short, self.rich = (world.account("attacker", i) for i in range(3))
        world.fund(self.thin, 5_000)
        world.fund(self.short, 5_000)
        world.fund(self.rich, 100_000)
        world.trade(self.thin, self.maker, 10)
        world.trade(self.short, self.maker, -10)
        world.set_price(ETH, 1810)
        world.set_price(BTC, 50_000)
        world.advance(30)
        self._first = world.update(ETH, first)
        world.advance(5)
        self._second = world.update(ETH, second)

    def report(self, later: bool) -> None:
        """Refresh with one of the two reports, made five seconds apart."""
        _, data = self._second if later else self._first
        self.world.refresh_with(ETH, data)

    @property
    def worth(self) -> int:
        """What the attacker has in its accounts and its wallet, at the present price."""
        world = self.world
        accounts = sum(world.margin(one).equity for one in (self.thin, self.short, self.rich))
        token = world.tokens[CASH]
        return accounts + token.balanceOf(world.owner("attacker")) * 10**12


Act = Callable[[Attack], None]


def withdraw(attack: Attack) -> None:
    for account in (attack.rich, attack.short, attack.thin):
        attempt(lambda account=account: attack.world.withdraw(account, CASH, 10**9))


def liquidate(attack: Attack) -> None:
    attempt(lambda: attack.world.liquidate(attack.thin, attack.rich))


def flag(attack: Attack) -> None:
    attempt(lambda: attack.world.flag(attack.thin))
    attempt(lambda: attack.world.clear_flag(attack.thin))


def trade_with_itself(attack: Attack) -> None:
    for price in (LOW, HIGH, 1750):
        attempt(lambda price=price: attack.world.trade(attack.thin, attack.short, 1, price))
        attempt(lambda price=price: attack.world.trade(attack.thin, attack.rich, -1, price))


def attempt(call: Callable[[], object]) -> None:
    """What is refused is no attack."""
    try:
        call()
    except Reverted:
        return


@pytest.mark.parametrize("acts", permutations((withdraw, liquidate, flag, trade_with_itself), 3))
@pytest.mark.parametrize("prices", [(LOW, HIGH), (HIGH, LOW)])
def test_acting_around_two_reports_gains_nothing(
    acts: tuple[Act, Act, Act], prices: tuple[float, float]
) -> None:
    """[I9] Its two sides cancel, so prices alone give it nothing: what it gains, somebody lost."""
    attack = Attack(*prices)
    before = attack.worth
    acts[0](attack)
    attack.report(later=False)
    acts[1](attack)
    attack.report(later=True)
    assert attack.world.oracle.snapshot(ETH) >> 188 == int(prices[1]) * 10**12
    acts[2](attack)
    attack.world.advance()
    assert attack.worth <= before + DUST
    assert attack.world.margin(attack.thin).equity >= 0, "no debt is left behind"


def test_there_is_no_way_back_to_the_earlier_report() -> None:
    """Reports move strictly forward: refresh, act, refresh back is not to be had."""
    attack = Attack()
    attack.report(later=True)
    word = attack.world.oracle.snapshot(ETH)
    attack.report(later=False)
    attack.world.refresh(ETH, LOW)
    assert attack.world.oracle.snapshot(ETH) == word, "nor to another report of the same second"


def test_a_second_report_in_a_block_must_be_young() -> None:
    attack = Attack()
    world = attack.world
    old = world.update(ETH, LOW)
    world.advance(16)
    middle = world.update(ETH, HIGH)
    world.advance(20)
    world.refresh_with(ETH, old[1])
    word = world.oracle.snapshot(ETH)
    world.refresh_with(ETH, middle[1])
    assert world.oracle.snapshot(ETH) == word, "20 s old: not in the block of another"
    world.advance()
    world.refresh_with(ETH, middle[1])
    assert world.oracle.snapshot(ETH) != word, "in a later block it is news"


def test_checked_at_one_price_it_is_not_liquidated_at_the_other() -> None:
    """Nobody is filled at one report and sold at the next of the same block."""
    attack = Attack()
    world = attack.world
    victim = world.account("trader", 5)
    world.fund(victim, 5_000)
    world.set_price(ETH, 2000)
    world.trade(victim, attack.maker, 10)
    old = world.update(ETH, 1999)
    world.advance(5)
    world.refresh_with(ETH, old[1])
    world.trade(victim, attack.maker, 0.01, 1999)
    world.refresh(ETH, 1790)
    margin = world.margin(victim)
    assert margin.equity < margin.maintenance
    with pytest.raises(Reverted, match="CheckedInThisBlock"):
        world.liquidate(victim, attack.rich)
