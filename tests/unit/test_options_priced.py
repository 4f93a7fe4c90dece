"""Options in the Clearinghouse under the engine that prices them."""

from __future__ import annotations

import pytest

from ballast.codec import AccountId, Instrument
from ballast.model.margin import ASSESS_MAINTENANCE
from ballast.units import WAD, mul_floor
from tests.support.clearing import ETH, ETH_PERP, refused, units
from tests.support.options import DELAY, OptionWorld, PricedWorld
from tests.support.revm import reverts


@pytest.fixture
def world() -> PricedWorld:
    world = PricedWorld()
    for role in ("writer", "keeper", "buyer"):
        world.fund(world.account(role), 1_000_000)
    return world


@pytest.fixture
def buyer(world: PricedWorld) -> AccountId:
    return world.account("buyer")


@pytest.fixture
def writer(world: PricedWorld) -> AccountId:
    return world.account("writer")


def fair(world: OptionWorld, series: int) -> tuple[int, int]:
    price, delta = world.engine.fairPrice(series)
    return price, delta


def test_fills_around_the_fair_price(
    world: PricedWorld, buyer: AccountId, writer: AccountId
) -> None:
    """One unit at the fair price changes no equity, at the edge of the band the band."""
    call = world.series(2000)
    price, delta = fair(world, call)
    assert units(60) < price < units(120)
    before = world.margin(buyer).equity
    world.fill(buyer, writer, call, WAD, price)
    assert abs(world.margin(buyer).equity - before) < units(0.00001)
    snapshot = world.model.prices.snapshot(ETH)
    band = mul_floor(snapshot.price * snapshot.range_maintenance // (2 * WAD), delta)
    assert band > snapshot.price // 50
    with reverts("Clearinghouse_PriceOutsideBand", price + band + 1, price, band):
        world.fill(buyer, writer, call, WAD, price + band + 1)
    world.fill(buyer, writer, call, WAD, price + band)


def test_an_expiry_that_was_never_published(
    world: PricedWorld, buyer: AccountId, writer: AccountId
) -> None:
    later = world.expiry + 86_400
    world.list_expiry(later, ratio=None)
    with reverts("JointScenarioEngine_SliceNeverPublished", ETH, later):
        world.trade(buyer, writer, 1, 100, instrument=world.series(expiry=later))


def test_a_stale_slice_lets_nobody_in(
    world: PricedWorld, buyer: AccountId, writer: AccountId
) -> None:
    call = world.series(2000)
    world.fill(buyer, writer, call, 2 * WAD, fair(world, call)[0])
    world.advance(2 * 86_400)
    world.refresh(ETH, 2000)
    with reverts("Clearinghouse_PriceNotFresh", buyer.value):
        world.fill(writer, buyer, call, -WAD, fair(world, call)[0])
    world.fill(buyer, writer, call, -WAD, fair(world, call)[0])


def sunk(world: PricedWorld, writer: AccountId) -> tuple[AccountId, list[int]]:
    """An account of ten series and a perpetual under its maintenance margin, and the series."""
    account = world.account("trader")
    world.fund(account, 5_000)
    series = [world.series(1800 + 50 * i, put=i % 2 == 1) for i in range(10)]
    world.trade(account, writer, 5, 2000, instrument=ETH_PERP)
    for index, one in enumerate(series):
        world.fill(account, writer, one, (-1) ** index * WAD, fair(world, one)[0])
    for price in range(1990, 900, -30):
        world.set_price(ETH, price)
        margin = world.margin(account)
        if margin.equity < margin.maintenance:
            break
    assert margin.equity > 0
    return account, series


def test_a_hedged_book_is_liquidated_whole(world: PricedWorld, writer: AccountId) -> None:
    """Ten series and a perpetual: a clean taker's margin is the fraction of the book's."""
    account, series = sunk(world, writer)
    keeper, margin = world.account("keeper"), world.margin(account)
    interests = [tuple(world.house.seriesInterest(one)) for one in series]
    deal = world.liquidate(account, keeper)
    assert len(world.words_of(keeper)) == 11
    after = world.margin(keeper)
    required = margin.initial * deal.fraction // WAD
    assert abs(after.initial - required) < 11 * 10**11
    assert [tuple(world.house.seriesInterest(one)) for one in series] == interests


def test_a_taker_under_the_bound_is_judged_by_its_initial_margin() -> None:
    """The bound that comes with MM only saves gas: whoever meets IM takes over."""

    def take(funds: float) -> tuple[int, int, int]:
        """Liquidates into an account with these funds: its gain, its IM, and the bound of it."""
        world = PricedWorld(depth=4)
        world.fund(world.account("writer"), 1_000_000)
        account, _ = sunk(world, world.account("writer"))
        bound, keeper = world.margin(account, ASSESS_MAINTENANCE), world.account("keeper")
        assert bound.maintenance == world.margin(account).maintenance
        world.fund(keeper, funds)
        deal = world.liquidate(account, keeper)
        after = world.margin(keeper)
        gain = after.equity - units(funds)
        return gain, after.initial, bound.initial * deal.fraction // WAD

    gain, initial, bound = take(1_000_000)
    need = (initial - gain) / WAD
    assert need + 0.01 + gain / WAD < bound / WAD
    take(need + 0.01)
    with refused("Clearinghouse_InsufficientMargin"):
        take(need - 0.01)


def test_settling_changes_equity_by_rounding_alone(
    world: PricedWorld, buyer: AccountId, writer: AccountId
) -> None:
    series = [world.series(1850 + 50 * i, put=i % 2 == 1) for i in range(6)]
    for index, one in enumerate(series):
        size = (-1) ** index * (WAD + 10**9 * index + 7)
        world.fill(buyer, writer, one, size, fair(world, one)[0])
    world.expire(1987.654321)
    world.advance(DELAY)
    for account in (buyer, writer):
        equity = world.margin(account).equity
        world.settle_account(account)
        assert 0 <= equity - world.cash_of(account) <= len(series)
    assert 0 <= world.surplus() <= 4 * len(series)


def test_the_mean_of_the_last_half_hour_is_priced_in(
    world: PricedWorld, buyer: AccountId, writer: AccountId
) -> None:
    call = world.series(2000)
    world.go(world.expiry - 1801)
    for _ in range(14):
        world.refresh(ETH, 2100)
        world.advance(120)
    world.refresh(ETH, 2000)
    price, _ = fair(world, call)
    assert price > units(80), "most of the mean is known, at 2,100"
    world.go(world.expiry)
    world.refresh(ETH, 2000)
    world.fix()
    settled = world.settlement_of(Instrument(call))
    assert settled is not None and settled.price > units(2080)
