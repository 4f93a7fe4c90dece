"""[I9] One owner on both sides: no road ends with more than was put in."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from ballast.codec import AccountId
from ballast.model.exchange import Order
from ballast.units import WAD
from tests.support.clearing import (
    BTC,
    CASH,
    ETH,
    ETH_PERP,
    WETH_SPOT,
    ClearingWorld,
    refused,
)
from tests.support.revm import Reverted, reverts


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 1_000_000)
    world.fund(world.account("lender"), 1_000_000)
    return world


def own(world: ClearingWorld, count: int = 2) -> list[AccountId]:
    return [world.account("attacker", index) for index in range(count)]


def worth(world: ClearingWorld, accounts: list[AccountId]) -> int:
    return sum(world.margin(account).equity for account in accounts)


@pytest.mark.parametrize("price", [2000, 1900, 1700, 1600])
def test_walking_a_loss_into_a_hole(world: ClearingWorld, price: float) -> None:
    """Both sides are the attacker's: it sells low to itself, to leave the loss behind."""
    poor, rich = own(world)
    world.fund(poor, 5_000)
    world.fund(rich, 50_000)
    world.trade(poor, world.account("maker"), 10)
    world.set_price(ETH, price)
    before = worth(world, [poor, rich])
    random = Random(price)
    for _ in range(150):
        size = round(random.uniform(-5, 5), 3)
        limit = round(price * random.uniform(0.89, 1.11), 2)
        try:
            world.trade(poor, rich, size, limit)
        except Reverted:
            continue
        assert world.margin(poor).equity >= 0, "I9 a hole was dug"
        assert worth(world, [poor, rich]) <= before + 1000
    world.advance(1)


def test_a_loss_is_not_handed_over_when_bankrupt(world: ClearingWorld) -> None:
    poor, rich = own(world)
    world.fund(poor, 5_000)
    world.fund(rich, 50_000)
    world.trade(poor, world.account("maker"), 10)
    world.set_price(ETH, 1450)
    for price in (1400, 1450, 1499):
        with refused("Clearinghouse_InsufficientMargin", poor.value):
            world.trade(poor, rich, -10, price)


def test_opening_and_liquidating_oneself_in_a_block(world: ClearingWorld) -> None:
    """Two prices in a block, and the discount as the prize."""
    victim, keeper = own(world)
    world.fund(victim, 5_000)
    world.fund(keeper, 100_000)
    world.advance(60)
    world.trade(victim, world.account("maker"), 10)
    world.refresh(ETH, 1750)
    assert world.margin(victim).equity < world.margin(victim).maintenance
    with reverts("Clearinghouse_CheckedInThisBlock", victim.value):
        world.liquidate(victim, keeper)


def test_liquidating_oneself_later_costs_the_insurance_share(world: ClearingWorld) -> None:
    victim, keeper = own(world)
    world.fund(victim, 5_000)
    world.fund(keeper, 100_000)
    world.trade(victim, world.account("maker"), 10)
    world.set_price(ETH, 1650)
    before = worth(world, [victim, keeper])
    deal = world.liquidate(victim, keeper)
    assert worth(world, [victim, keeper]) <= before - deal.insurance


def test_borrowing_on_a_bought_profit(world: ClearingWorld) -> None:
    """One account lets the other win and withdraws what it won, then defaults."""
    loser, winner = own(world)
    world.fund(loser, 10_000)
    world.fund(winner, 10_000)
    spent = 20_000 * WAD
    for _ in range(20):
        for price in (2219, 1781):
            try:
                world.trade(winner, loser, 3 if price == 1781 else -3, price)
            except Reverted:
                continue
    withdrawn = 0
    for account in (winner, loser):
        for amount in (10_000, 3_000, 1_000, 300, 100):
            for _ in range(4):
                try:
                    world.withdraw(account, CASH, amount * 10**6)
                    withdrawn += amount * WAD
                except Reverted:
                    break
    assert withdrawn <= spent
    assert world.margin(loser).equity >= 0
    assert world.margin(winner).equity >= 0


def test_the_quote_of_a_position_too_small_to_split(world: ClearingWorld) -> None:
    """A slice once left the quote of one wei of size behind, and its cash went: bad debt.

    The attacker nets a liquidated short against a long opened at another price, which leaves one
    wei of size with a large negative quote and the cash behind it.
    """
    short, holder, keeper = own(world, 3)
    maker = world.account("maker")
    world.fund(short, 30_000)
    world.fund(holder, 100_000)
    world.fund(keeper, 200_000)
    world.trade(short, maker, -20)
    world.set_price(ETH, 3000)
    world.trade(holder, maker, 4, 3000)
    world.settle_exact(world.order(holder, 1, 3000), [world.order(maker, -1, 3000)], [1])
    world.liquidate(short, holder, WAD // 5)
    assert world.words_of(holder)[0] >> 128 & (2**104 - 1) == 1
    assert world.house.accountWords(holder)[1][0] & (1 << 127), "a negative quote"
    spare = world.margin(holder).equity - 20_000 * WAD
    world.withdraw(holder, CASH, spare // 10**12)
    world.trade(holder, maker, 1.6, 50_000, instrument=1 << 248 | BTC << 232)
    world.set_price(BTC, 42_000)
    world.set_price(ETH, 3000)
    before = world.margin(holder)
    own_worth = worth(world, [holder, keeper])
    deal = world.liquidate(holder, keeper)
    after = world.margin(holder)
    assert after.equity * before.maintenance >= before.equity * after.maintenance, "I4"
    assert worth(world, [holder, keeper]) <= own_worth - deal.insurance + 10**6


def test_a_thousand_trades_leak_no_dust() -> None:
    """[I8] Value never leaves the protocol by rounding, whatever sizes and prices."""
    world = ClearingWorld()
    accounts = own(world, 3)
    for account in accounts:
        world.fund(account, 1_000, weth=1)
    random = Random(7)
    before = worth(world, accounts)
    check, world.check = world.check, lambda: None  # type: ignore[method-assign]
    for step in range(1000):
        taker, maker = random.sample(accounts, 2)
        size = random.choice([1, 2, 3, 7, 10**9 + 1, 10**15 + 3])
        price = 2000 * WAD + random.randrange(-(10**18), 10**18)
        instrument = random.choice([ETH_PERP, WETH_SPOT])
        sign = random.choice([1, -1])
        orders = [world.order(taker, sign), world.order(maker, -sign)]
        exact = [_exact(order, price, instrument) for order in orders]
        world.settle_exact(exact[0], [exact[1]], [size])
        if step % 100 == 0:
            check()
    check()
    gained = worth(world, accounts) - before
    assert gained <= 0
    assert world.cash_of(world.fee_account) > 0, "dust went to the fee account"
    assert 0 <= world.surplus() < 10**6


def _exact(order: Order, price: int, instrument: int) -> Order:
    return replace(order, limit_price=price, instrument=instrument)
