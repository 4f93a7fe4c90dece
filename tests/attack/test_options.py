"""[I8, I9] Options as a weapon: own counterparties, dust, invented series, early settlement."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from ballast.codec import AccountId, Instrument
from ballast.units import WAD
from tests.support.clearing import ETH, refused, units
from tests.support.options import DAY, DELAY, OptionWorld
from tests.support.revm import Reverted, reverts


@pytest.fixture
def world() -> OptionWorld:
    world = OptionWorld()
    world.fund(world.account("maker"), 1_000_000)
    world.fund(world.account("lender"), 1_000_000)
    return world


def own(world: OptionWorld, *cash: float) -> list[AccountId]:
    accounts = [world.account("attacker", index) for index in range(len(cash))]
    for account, amount in zip(accounts, cash, strict=True):
        world.fund(account, amount)
    return accounts


def worth(world: OptionWorld, accounts: list[AccountId]) -> int:
    return sum(world.margin(account).equity for account in accounts)


@pytest.mark.parametrize("value", [1, 100, 400])
def test_walking_a_loss_around_the_band(world: OptionWorld, value: float) -> None:
    """Both sides are the attacker's: it trades at the edges of the band to empty one of them."""
    poor, rich = own(world, 3_000, 50_000)
    series = world.series(2000, value, 0.5)
    world.trade(poor, world.account("maker"), -5, value, instrument=series)
    before = worth(world, [poor, rich])
    random = Random(value)
    done = 0
    for _ in range(80):
        size = round(random.uniform(-4, 4), 3)
        price = round(max(0, value + random.choice((-1, 1)) * 110 * random.random()), 2)
        try:
            world.trade(poor, rich, size, price, instrument=series)
        except Reverted:
            continue
        done += 1
        assert world.margin(poor).equity >= 0, "I9 a hole was dug"
        assert worth(world, [poor, rich]) <= before
    assert done > 5


def test_a_bankrupt_writer_hands_nothing_over(world: OptionWorld) -> None:
    poor, rich = own(world, 2_000, 50_000)
    series = world.series(2000, 100)
    world.trade(poor, world.account("maker"), -5, 100, instrument=series)
    world.value(series, 520)
    for price in (501, 520, 630):
        with refused("Clearinghouse_InsufficientMargin", poor.value):
            world.trade(poor, rich, 5, price, instrument=series)


def test_dust_earns_nothing(world: OptionWorld) -> None:
    """A wei of an option costs its buyer a wei and pays its seller nothing."""
    one, two = own(world, 1_000, 1_000)
    series = world.series(2000, 0.5, 0.1)
    fees = world.cash_of(world.fee_account)
    for size in (1, 1, -3, 2, -1, 1, -1):
        world.fill(one, two, series, size, units(0.5))
    assert world.words_of(one) == world.words_of(two) == []
    lost = 2 * units(1_000) - worth(world, [one, two])
    assert 0 < lost == world.cash_of(world.fee_account) - fees


def test_strangers_fill_nobodys_words(world: OptionWorld) -> None:
    """An option arrives only by an order that the account signed."""
    (attacker,) = own(world, 1_000)
    victim, series = world.account("maker"), world.series()
    forged = world.order(victim, -1, 100, instrument=series)
    bid = world.order(attacker, 1, 100, instrument=series)
    with reverts("Exchange_InvalidSignature"):
        world.exchange.settle(
            (tuple(getattr(bid, n) for n in bid.__slots__), world.sign(bid)),
            [(tuple(getattr(forged, n) for n in forged.__slots__), world.sign(forged, "attacker"))],
            [WAD],
            [],
        )


@pytest.mark.parametrize("days", [1, 365, 20_000])
def test_an_expiry_of_ones_own(world: OptionWorld, days: int) -> None:
    one, two = own(world, 1_000, 1_000)
    series = world.series(expiry=world.expiry + days * DAY)
    with reverts("MockOptionEngine_NoVolatility", series):
        world.trade(one, two, 1, 100, instrument=series)


def test_a_strike_of_ones_own(world: OptionWorld) -> None:
    """Off the grid a series has a value, and yet cannot be opened."""
    one, two = own(world, 1_000, 1_000)
    for strike in (0, 10**10, units(2000) + 10**10, (2**71 - 1) * 10**10):
        series = Instrument.option(ETH, world.expiry, strike, False).key
        world.value(series, 100)
        with reverts("Clearinghouse_SeriesNotListed", series):
            world.trade(one, two, 1, 100, instrument=series)


def test_fixing_late_brings_no_cash_early(world: OptionWorld) -> None:
    """The hour after the fixing passes in full, however long ago the expiry was."""
    one, two = own(world, 10_000, 10_000)
    series = world.series()
    world.trade(one, two, 1, 100, instrument=series)
    world.go(world.expiry + 3 * DAY)
    world.set_price(ETH, 2500)
    world.fix()
    for _ in range(4):
        world.advance(DELAY // 4 - 1)
        world.settle_account(one)
        assert len(world.words_of(one)) == 1


def test_settling_others_first_gains_nothing(world: OptionWorld) -> None:
    """Whose options turn into cash first, and how often it is asked for, changes no equity."""
    accounts = own(world, 20_000, 20_000, 20_000)
    call, put = world.series(1900), world.series(2100, put=True)
    world.trade(accounts[0], accounts[1], 3, 100, instrument=call)
    world.trade(accounts[1], accounts[2], 2, 100, instrument=put)
    world.trade(accounts[2], accounts[0], 1, 100, instrument=call)
    world.expire(2033.33)
    world.advance(DELAY)
    before = [world.margin(account).equity for account in accounts]
    for index in (1, 1, 0, 2, 1, 0):
        world.settle_account(accounts[index])
        assert [world.margin(account).equity for account in accounts] == before
    assert sum(world.cash_of(account) for account in accounts) == units(60_000)


def test_an_order_of_another_series_is_not_filled(world: OptionWorld) -> None:
    one, two = own(world, 1_000, 1_000)
    call, put = world.series(2000), world.series(2000, put=True)
    bid = world.order(one, 1, 100, instrument=call)
    ask = replace(world.order(two, -1, 100, instrument=put))
    with reverts("Exchange_InstrumentMismatch", call, put):
        world.settle(bid, [ask], [1])
