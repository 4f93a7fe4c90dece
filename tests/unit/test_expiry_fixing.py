"""Settlement of expiries: which prices count, when it waits, and that it is final."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.codec import Settlement
from ballast.oracle.fixing import Fixing, observed_expiries
from ballast.units import WAD
from tests.support.oracle import ETH
from tests.support.revm import reverts
from tests.support.volatility import DAY, TICK, VolatilityWorld, dollars

HALF_HOUR = 1800


@pytest.fixture
def world() -> VolatilityWorld:
    return VolatilityWorld()


@pytest.fixture
def expiry(world: VolatilityWorld) -> int:
    """The next 08:00 but one, the clock a minute before its window opens."""
    expiry = world.expiry(0)
    world.allow(expiry)
    world.at(expiry - HALF_HOUR - 60)
    return expiry


def fix(world: VolatilityWorld, expiry: int) -> int:
    return world.adapter.fixExpiry(ETH, expiry, sender=world.stranger)


def feed(world: VolatilityWorld, start: int, end: int, step: int, first: float = 2000) -> None:
    """One price every `step` seconds, each a dollar over the last."""
    for index, time in enumerate(range(start, end, step)):
        world.at(time)
        world.price(dollars(first + index))


def test_the_settlement_is_the_time_weighted_mean(world, expiry):
    feed(world, expiry - HALF_HOUR - 60, expiry + 1, 60)
    world.at(expiry)
    expected = sum(2001 + minute for minute in range(30)) * WAD // 30
    assert fix(world, expiry) == expected
    assert world.adapter.slice(ETH, expiry) == Settlement(expected, world.now).encode()
    assert world.adapter.liveExpiries(ETH) == []


def test_every_observation_is_an_event(world, expiry):
    world.price(2000 * WAD)
    (log,) = [one for one in world.evm.logs if one.name == "SettlementObserved"]
    assert log.args["window"] == world.adapter.settlementWindow(ETH, expiry)
    feed(world, expiry - HALF_HOUR, expiry + 1, 60)
    price = fix(world, expiry)
    (log,) = world.evm.logs
    assert (log.name, log.args) == (
        "ExpiryFixed",
        {"underlying": ETH, "expiry": expiry, "price": price},
    )


def test_a_price_that_holds_longer_weighs_more(world, expiry):
    for offset in [-1860, *range(-1800, -300, 150), -300]:
        world.at(expiry + offset)
        world.price(dollars(2000 if offset < -300 else 2120))
    world.at(expiry)
    world.price(2150 * WAD)
    assert fix(world, expiry) == (2000 * 1500 + 2120 * 300) * WAD // 1800


def test_late_is_as_good_as_early(world, expiry):
    feed(world, expiry - HALF_HOUR - 60, expiry + 1, 60)
    mark = world.evm.snapshot()
    early = fix(world, expiry)
    world.evm.revert(mark)
    feed(world, expiry + 30, expiry + 3 * DAY, 20_000, 2100)
    assert fix(world, expiry) == early


def test_settlement_waits_for_a_price_after_expiry(world, expiry):
    feed(world, expiry - HALF_HOUR - 60, expiry, 60)
    world.at(expiry)
    with reverts("ExpiryFixing_Waiting", ETH, expiry):
        fix(world, expiry)
    world.at(expiry + 1)
    world.price(2050 * WAD)
    assert fix(world, expiry) != 0


def test_with_too_few_prices_the_first_minute_after_counts(world, expiry):
    world.price(2000 * WAD)
    world.at(expiry + 10)
    world.price(2100 * WAD)
    with reverts("ExpiryFixing_Waiting", ETH, expiry):
        fix(world, expiry)
    world.at(expiry + 40)
    world.price(2130 * WAD)
    world.at(expiry + 90)
    world.price(2200 * WAD)
    assert fix(world, expiry) == (2100 * 40 + 2130 * 20) * WAD // 60


@pytest.mark.parametrize("silence", [301, 900])
def test_a_gap_rules_the_window_out(world, expiry, silence):
    feed(world, expiry - HALF_HOUR - 60, expiry - silence, 30)
    world.at(expiry + 60)
    world.price(2055 * WAD)
    assert fix(world, expiry) == 2055 * WAD


def test_nine_observations_are_too_few(world, expiry):
    feed(world, expiry - HALF_HOUR, expiry, 200)
    world.at(expiry + 70)
    world.price(2055 * WAD)
    assert fix(world, expiry) == 2055 * WAD


def test_a_price_long_after_expiry_still_counts_whoever_calls_when(world, expiry):
    world.at(expiry + 5 * 3600)
    world.price(2055 * WAD)
    world.at(expiry + 6 * 3600)
    world.price(2090 * WAD)
    assert fix(world, expiry) == 2055 * WAD


def test_a_feed_that_died_settles_after_a_day_at_what_it_said(world, expiry):
    feed(world, expiry - HALF_HOUR - 60, expiry - 1200, 60)
    world.at(expiry + DAY - 1)
    with reverts("ExpiryFixing_Waiting", ETH, expiry):
        fix(world, expiry)
    world.at(expiry + DAY)
    held = 2010 * 1260
    assert fix(world, expiry) == (sum(2001 + i for i in range(9)) * 60 + held) * WAD // 1800


def test_a_feed_that_died_before_the_window_settles_at_its_last_price(world):
    expiry = world.expiry(1)
    world.allow(expiry)
    world.price(2000 * WAD)
    world.at(expiry + DAY)
    assert fix(world, expiry) == 2000 * WAD


def test_a_feed_that_died_within_the_minute_after_settles_at_what_it_said(world, expiry):
    world.at(expiry + 10)
    world.price(2100 * WAD)
    world.at(expiry + DAY)
    assert fix(world, expiry) == 2100 * WAD


def test_without_any_price_nothing_settles(world, expiry):
    world.at(expiry + DAY)
    with reverts("ExpiryFixing_NoPrice", ETH):
        fix(world, expiry)


def test_settlement_is_once_after_expiry_and_of_allowed_expiries(world, expiry):
    with reverts("ExpiryFixing_NotExpired", expiry, world.now):
        fix(world, expiry)
    with reverts("ExpiryRegistry_UnknownExpiry", ETH, expiry + DAY):
        fix(world, expiry + DAY)
    world.at(expiry + 60)
    world.price(2000 * WAD)
    fix(world, expiry)
    with reverts("ExpiryFixing_AlreadyFixed", ETH, expiry):
        fix(world, expiry)


def test_nothing_settles_while_the_clearinghouse_is_locked(world, expiry):
    world.at(expiry + 60)
    world.price(2000 * WAD)
    world.sink.setLocked(True)
    with reverts("OracleAdapter_Locked"):
        fix(world, expiry)


# ---- The mean so far --------------------------------------------------------------------------


def test_the_known_part_grows_through_the_window(world, expiry):
    mean = world.adapter.settlementMean
    assert mean(ETH, expiry) == (0, 0)
    feed(world, expiry - HALF_HOUR - 60, expiry - 899, 60)
    assert world.now == expiry - 900
    world.at(expiry - 870)
    expected = (sum(2001 + i for i in range(15)) * 60 + 2016 * 30) * WAD // 930
    assert mean(ETH, expiry) == (930, expected)
    world.at(expiry - 599)
    assert mean(ETH, expiry) == (0, 0)


def test_the_whole_mean_is_known_after_expiry(world, expiry):
    feed(world, expiry - HALF_HOUR - 60, expiry + 61, 60)
    elapsed, mean = world.adapter.settlementMean(ETH, expiry)
    assert elapsed == HALF_HOUR
    assert mean == fix(world, expiry)


# ---- Mirror -----------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from((-2101, -2000, -1800, -1500, -400)),
    st.lists(
        st.tuples(st.sampled_from((1, 14, 15, 60, 120, 299, 301, 2000, DAY)), st.integers(0, 999)),
        max_size=40,
    ),
)
def test_every_word_is_that_of_the_mirror(start, steps):
    world = VolatilityWorld()
    expiry = world.expiry(0)
    world.allow(expiry)
    fixing, before = Fixing(TICK), 0
    world.at(expiry + start)
    for seconds, cents in steps:
        world.at(world.now + seconds)
        price = dollars(2000 + cents / 10)
        world.price(price)
        if world.evm.logs:
            if expiry in observed_expiries(before, world.now):
                fixing = fixing.observe(expiry, price // 10**6, world.now)
            before = world.now
        assert world.adapter.settlementWindow(ETH, expiry) == fixing.encode()
        assert Fixing.decode(fixing.encode()) == fixing
        known = world.adapter.settlementMean(ETH, expiry)
        assert known == fixing.mean_so_far(expiry, world.now)
    world.at(max(world.now, expiry + DAY))
    expected = fixing.settlement() or fixing.settlement_as_is(expiry)
    if expected:
        assert fix(world, expiry) == expected
