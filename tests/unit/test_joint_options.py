"""Options in the joint-scenario engine: against its mirror, the properties, and named books."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import Option, Snapshot, VolatilitySlice, settled
from ballast.risk import joint_scenario as mirror
from ballast.risk.scenarios import COLUMNS
from ballast.units import WAD
from tests.support.revm import GENESIS
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    COLLATERAL,
    ETH,
    PARAMETERS,
    PERPS,
    RiskWorld,
    markets,
)

SHARED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PURE = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DAY = 86_400
DATES = [GENESIS + days * DAY for days in (1, 7, 30, 90)]
SOON, PAST, FIXED = GENESIS + 600, GENESIS - 60, GENESIS - 7200
ALL_DATES = [*DATES, SOON, PAST, FIXED]


# ---- Random markets and books -----------------------------------------------------------------


@dataclass(frozen=True)
class Volatilities:
    """Slices and settlement means of every expiry."""

    slices: dict[tuple[int, int], int]
    means: dict[tuple[int, int], tuple[int, int]]

    def slice(self, underlying: int, expiry: int) -> int:
        return self.slices.get((underlying, expiry), 0)

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self.means.get((underlying, expiry), (0, 0))


SLICES = st.builds(
    VolatilitySlice,
    a=st.integers(-(10**7), 10**8),
    b=st.integers(0, 5 * 10**6),
    rho=st.integers(-999_999, 999_999),
    mu=st.integers(-500_000, 500_000),
    s=st.integers(0, 1_000_000),
    forward=st.integers(9 * 10**7, 12 * 10**7),
    time=st.sampled_from([GENESIS, GENESIS - 3600, GENESIS - 10**5]),
    max_age=st.just(7200),
)


@st.composite
def volatilities(draw: st.DrawFn, prices: dict[int, Snapshot]) -> Volatilities:
    slices, means = {}, {}
    for underlying in (ETH, BTC, COIN):
        for date in (*DATES, SOON, PAST):
            slices[underlying, date] = draw(SLICES).encode()
        price = prices[underlying].price
        near = st.integers(price * 9 // 10, price * 11 // 10)
        slices[underlying, FIXED] = settled(draw(near))
        means[underlying, SOON] = (draw(st.integers(0, 1200)), draw(near))
        means[underlying, PAST] = (draw(st.integers(0, 1800)), draw(near))
    return Volatilities(slices, means)


@st.composite
def options(draw: st.DrawFn, prices: dict[int, Snapshot]) -> Option:
    underlying = draw(st.sampled_from([ETH, BTC, COIN]))
    ratio = draw(st.one_of(st.sampled_from([90, 100, 110]), st.integers(1, 6400)))
    strike = prices[underlying].price * ratio // 100 // 10**10 * 10**10
    size = draw(
        st.one_of(st.integers(-3, 3).map(lambda n: n * WAD), st.integers(-(10**20), 10**20))
    )
    date = draw(st.sampled_from(ALL_DATES))
    return Option(underlying, date, max(strike, 10**10), draw(st.booleans()), size)


@st.composite
def situations(
    draw: st.DrawFn, most: int = 6
) -> tuple[dict[int, Snapshot], Volatilities, list[int]]:
    prices = draw(markets(GENESIS))
    held = draw(
        st.lists(st.one_of(options(prices), options(prices), PERPS, COLLATERAL), max_size=most)
    )
    return prices, draw(volatilities(prices)), [position.encode() for position in held]


Situation = tuple[dict[int, Snapshot], Volatilities, list[int]]


@pytest.fixture(scope="module")
def shared() -> RiskWorld:
    """A world whose prices each example sets anew."""
    return RiskWorld()


def arrange(world: RiskWorld, prices: dict[int, Snapshot], vols: Volatilities) -> None:
    for underlying, snapshot in prices.items():
        world.price(underlying, snapshot)
    for (underlying, date), word in vols.slices.items():
        world.publish(underlying, date, word)
    for (underlying, date), mean in vols.means.items():
        world.settling(underlying, date, *mean)


def assess(words: list[int], prices: dict[int, Snapshot], vols: Volatilities) -> mirror.Assessment:
    return mirror.assess(0, words, prices.__getitem__, PARAMETERS, GENESIS, options=vols)


# ---- Contract and mirror ----------------------------------------------------------------------


@SHARED
@given(cash=CASH, situation=situations(10))
def test_mirror_to_the_wei(shared: RiskWorld, cash: int, situation: Situation) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    expected = mirror.assess(*shared.given(cash, words), options=shared)
    assert shared.assess(cash, words) == expected.margin


@settings(SHARED, max_examples=15)
@given(situation=situations())
def test_mirror_of_every_witness(shared: RiskWorld, situation: Situation) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    for column in range(COLUMNS):
        expected = mirror.witness(*shared.given(0, words), options=shared, column=column)
        assert shared.assess(0, words, 1 + column) == expected


@settings(SHARED, max_examples=30)
@given(
    situation=situations(), percent=st.integers(0, 1600), underlying=st.sampled_from([ETH, COIN])
)
def test_mirror_at_another_price(
    shared: RiskWorld, situation: Situation, percent: int, underlying: int
) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    spot = prices[underlying].price * percent // 100
    expected = mirror.assess_at(
        *shared.given(0, words), options=shared, underlying=underlying, spot=spot
    )
    assert shared.assess_at(0, words, underlying, spot) == expected.margin
