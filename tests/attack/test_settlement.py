"""Attacks on settlement: choosing samples, choosing the moment, and crowding a window."""

from __future__ import annotations

import pytest

from ballast.units import WAD
from tests.support.oracle import ETH
from tests.support.revm import reverts
from tests.support.volatility import DAY, TICK, VolatilityWorld, dollars


@pytest.fixture
def world() -> VolatilityWorld:
    return VolatilityWorld()


def test_a_late_refresh_does_not_bring_an_old_price_in(world):
    """Once a price after expiry was accepted, no report of the window can be added."""
    expiry = world.expiry(0)
    world.allow(expiry)
    for offset in range(-1860, 1, 60):
        world.at(expiry + offset)
        world.price(2000 * WAD)
    word = world.adapter.settlementWindow(ETH, expiry)
    world.at(expiry + 20)
    world.price(2180 * WAD, time=expiry - 1)
    world.price(2180 * WAD)
    assert world.adapter.settlementWindow(ETH, expiry) == word
    assert world.adapter.fixExpiry(ETH, expiry, sender=world.stranger) == 2000 * WAD


def test_crowding_the_last_minute_moves_the_mean_by_its_time_only(world):
    expiry = world.expiry(0)
    world.allow(expiry)
    for offset in range(-1860, -60, 60):
        world.at(expiry + offset)
        world.price(2000 * WAD)
    for offset in range(-60, 0):
        world.at(expiry + offset)
        world.price(2100 * WAD)
    world.at(expiry)
    world.price(2100 * WAD)
    assert world.adapter.fixExpiry(ETH, expiry) == (2000 * 1740 + 2100 * 60) * WAD // 1800


def test_many_prices_within_seconds_are_not_many_observations(world):
    """Ten reports in ten seconds do not make a window of ten observations."""
    expiry = world.expiry(0)
    world.allow(expiry)
    for offset in range(-1800, 0, 290):
        for second in range(10):
            world.at(expiry + offset + second)
            world.price(dollars(2000 + second))
    world.at(expiry + 60)
    world.price(2050 * WAD)
    assert world.adapter.fixExpiry(ETH, expiry) == 2050 * WAD


def test_the_caller_of_the_settlement_chooses_nothing(world):
    """The first price after an outage settles, however much later and by whomever it is asked."""
    expiry = world.expiry(0)
    world.allow(expiry)
    world.at(expiry + 7200)
    world.price(2000 * WAD)
    for hours in range(3, 23):
        world.at(expiry + hours * 3600)
        world.price(dollars(2000 + 5 * hours))
    assert world.adapter.fixExpiry(ETH, expiry, sender=world.stranger) == 2000 * WAD


def test_nobody_fills_the_list_of_expiries(world):
    with reverts("AccessManagedUnauthorized", world.stranger):
        world.adapter.allowExpiry(ETH, world.expiry(2), TICK, sender=world.stranger)


def test_an_unsettled_expiry_does_not_hold_its_place_for_ever(world):
    """A feed that died frees the place of its expiry after a day."""
    expiry = world.expiry(0)
    world.allow(expiry)
    world.price(2000 * WAD)
    world.at(expiry + DAY)
    world.adapter.fixExpiry(ETH, expiry, sender=world.stranger)
    assert world.adapter.liveExpiries(ETH) == []
