"""The RiskLens: Greeks, worst scenario, value at risk; equity under both engines."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import Collateral, Option, Perp, Settlement, Snapshot
from ballast.risk import value_at_risk as risk
from ballast.risk.greeks import greeks_of
from ballast.risk.value_at_risk import Sensitivities
from ballast.units import WAD
from tests.support.option_books import DAY, Surface, calm, options, surfaces
from tests.support.revm import GENESIS, reverts
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    DOLLAR,
    ETH,
    STABLE,
    WBTC,
    WETH,
    books,
    fresh,
    markets,
)
from tests.support.rule import ASSETS, LensWorld

SHARED = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MONTH = GENESIS + 30 * DAY
NONE, SAME, TAIL, APART = range(4)


@pytest.fixture(scope="module")
def shared() -> LensWorld:
    return LensWorld()


@pytest.fixture
def world() -> LensWorld:
    world = LensWorld()
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        world.price(underlying, fresh(world.now, price))
        world.set_variance(underlying, 10**14, 4 * 10**13)
        world.set_slice(underlying, MONTH, calm(world.now).encode())
    return world


def arrange(world: LensWorld, prices: dict[int, Snapshot], surface: Surface) -> None:
    for underlying, snapshot in prices.items():
        world.price(underlying, snapshot)
    for (underlying, expiry), word in surface.words.items():
        world.set_slice(underlying, expiry, word)
        world.set_mean(underlying, expiry, *surface.means[underlying, expiry])


def mirrored(world: LensWorld, words: list[int]) -> list[Sensitivities]:
    return greeks_of(words, world.snapshot, world, ASSETS, world.variances, now=world.now)


def greeks(world: LensWorld, *words: int) -> Any:
    (one,) = world.lens.greeksOf(list(words))
    return Sensitivities(*one)


def option(size: int, strike: int = 2000, put: bool = False, expiry: int = MONTH) -> int:
    return Option(ETH, expiry, strike * WAD, put, size).encode()


# ---- Equity does not depend on the engine -----------------------------------------------------


@SHARED
@given(
    data=st.data(),
    cash=CASH,
    prices=markets(GENESIS),
    surface=surfaces(GENESIS, known=True),
    linear=books(5),
)
def test_both_engines_say_the_same_equity(
    shared: LensWorld,
    *,
    data: st.DataObject,
    cash: int,
    prices: dict[int, Snapshot],
    surface: Surface,
    linear: list[int],
) -> None:
    arrange(shared, prices, surface)
    words = [*data.draw(st.lists(options(GENESIS, prices), max_size=7)), *linear]
    for mode in (0, 5):
        joint, rule = (engine.assess(cash, mode, words) for engine in (shared.joint, shared.engine))
        assert joint[0] == rule[0], "equity does not depend on the engine"
        assert joint[3] == rule[3], "nor does the gross notional"


# ---- Greeks -----------------------------------------------------------------------------------


@SHARED
@given(data=st.data(), prices=markets(GENESIS), surface=surfaces(GENESIS), linear=books(4))
def test_greeks_and_mirror_agree(
    shared: LensWorld,
    *,
    data: st.DataObject,
    prices: dict[int, Snapshot],
    surface: Surface,
    linear: list[int],
) -> None:
    arrange(shared, prices, surface)
    words = [*data.draw(st.lists(options(GENESIS, prices), max_size=5)), *linear]
    found = [tuple(one) for one in shared.lens.greeksOf(words)]
    assert found == [astuple(one) for one in mirrored(shared, words)]


@pytest.mark.parametrize("put", [False, True])
def test_greeks_are_slopes_of_the_equity(world: LensWorld, put: bool) -> None:
    word = option(WAD, 2100, put)
    here, step = greeks(world, word), WAD
    values = [
        world.engine.assessAt(0, [word], ETH, 2000 * WAD + move)[0] for move in (-step, 0, step)
    ]
    # The surface moves with the spot, so slopes along the skew are added to delta.
    skew = (values[2] - values[0]) / 2 / step - here.delta / WAD
    assert abs(skew) < 0.05
    curve = (values[2] - 2 * values[1] + values[0]) / step
    assert curve == pytest.approx(here.gamma / WAD, rel=0.1)
    world.evm.time += 3600
    later = world.engine.assess(0, 0, [word])[0]
    assert (later - values[1]) / WAD == pytest.approx(here.theta / WAD / 24, rel=0.01)
    flat = calm(GENESIS, b=0, a=30_000_000)
    found = []
    for volatility in (flat, replace(flat, a=30_001_000)):
        world.set_slice(ETH, MONTH, volatility.encode())
        found.append(world.engine.assess(0, 0, [word])[0])
    change = 0.30001**0.5 - 0.3**0.5
    assert (found[1] - found[0]) / WAD == pytest.approx(
        greeks(world, word).vega / WAD * change, rel=1e-3
    )


def test_perpetuals_and_collateral_are_delta(world: LensWorld) -> None:
    words = [Perp(BTC, -2 * WAD, 7).encode(), Collateral(WBTC, 3 * 10**7).encode()]
    found = greeks(world, *words)
    assert found == Sensitivities(BTC, 50_000 * WAD, delta=-17 * WAD // 10, variance=10**14)


def test_a_conversion_has_no_greeks(world: LensWorld) -> None:
    found = greeks(world, option(WAD), option(-WAD, put=True), Perp(ETH, -WAD, 0).encode())
    assert abs(found.delta) < 10 and found.gamma == found.vega == found.theta == 0


def test_a_settled_option_has_no_greeks(world: LensWorld) -> None:
    world.set_slice(ETH, MONTH, Settlement(2500 * WAD).encode())
    assert greeks(world, option(WAD)).delta == 0


def test_without_volatility_an_option_counts_as_exercised(world: LensWorld) -> None:
    unknown = MONTH + 1
    for strike, put, delta in (
        (1900, False, 3),
        (2100, False, 0),
        (2100, True, -3),
        (1900, True, 0),
    ):
        found = greeks(world, option(3 * WAD, strike, put, unknown))
        assert (found.delta, found.gamma) == (delta * WAD, 0)


# ---- Value at risk ----------------------------------------------------------------------------


@settings(SHARED, max_examples=50)
@given(
    data=st.data(),
    prices=markets(GENESIS),
    surface=surfaces(GENESIS),
    linear=books(4),
    variance=st.integers(0, 10**16),
    horizon=st.integers(0, 30 * DAY),
    correlation=st.integers(0, WAD),
)
def test_value_at_risk_and_mirror_agree(
    shared: LensWorld,
    *,
    data: st.DataObject,
    prices: dict[int, Snapshot],
    surface: Surface,
    linear: list[int],
    variance: int,
    horizon: int,
    correlation: int,
) -> None:
    arrange(shared, prices, surface)
    for underlying in prices:
        shared.set_variance(underlying, variance // underlying, variance // 7)
    words = [*data.draw(st.lists(options(GENESIS, prices), max_size=4)), *linear]
    found = tuple(shared.lens.valueAtRiskOf(words, horizon, correlation))
    assert found == risk.value_at_risk(mirrored(shared, words), horizon, correlation)


def test_value_at_risk_of_a_perpetual(world: LensWorld) -> None:
    word = Perp(ETH, 5 * WAD, 0).encode()
    value, shortfall = world.lens.valueAtRiskOf([word], 24 * 3600, WAD)
    deviation = 10_000 * (24 * 1e-4) ** 0.5
    assert value / WAD == pytest.approx(2.3263478740 * deviation)
    assert shortfall / WAD == pytest.approx(2.6652142203 * deviation)


def test_a_correlation_over_one(world: LensWorld) -> None:
    with reverts("RiskLens_CorrelationOutOfRange", WAD + 1, WAD):
        world.lens.valueAtRiskOf([], 1, WAD + 1)


# ---- The worst scenario -----------------------------------------------------------------------


def worst(world: LensWorld, *words: int) -> tuple[int, int]:
    part, column, margin = world.lens.worstScenarioOf(world.joint.address, 0, list(words))
    assert margin == world.joint.assess(0, 1 + column, list(words))[2]
    return part, column


def test_a_long_perpetual_fears_the_greatest_fall(world: LensWorld) -> None:
    assert worst(world, Perp(ETH, WAD, 0).encode()) == (SAME, 0)
    assert worst(world, Perp(ETH, -WAD, 0).encode()) == (SAME, 16)


def test_a_long_straddle_fears_that_nothing_happens(world: LensWorld) -> None:
    part, column = worst(world, option(WAD), option(WAD, put=True))
    assert (part, column) == (SAME, 9), "price stays, volatility falls"


def test_a_pair_fears_that_correlation_breaks(world: LensWorld) -> None:
    pair = Perp(ETH, 25 * WAD, 0).encode(), Perp(BTC, -WAD, 0).encode()
    assert worst(world, *pair)[0] == APART


def test_a_naked_wing_fears_the_tail(world: LensWorld) -> None:
    assert worst(world, option(-WAD, 6000)) == (TAIL, 22)


def test_no_scenario_binds_without_positions_or_scenarios(world: LensWorld) -> None:
    assert worst(world, Collateral(STABLE, 0).encode())[0] == NONE
    found = world.lens.worstScenarioOf(world.engine.address, 0, [Perp(ETH, WAD, 0).encode()])
    assert found[0] == NONE


def test_an_asset_counts_under_its_underlying(world: LensWorld) -> None:
    found = greeks(world, Perp(ETH, -WAD, 0).encode(), Collateral(WETH, WAD).encode())
    assert (found.underlying, found.delta) == (ETH, 0)
    assert COIN not in {one[0] for one in world.lens.greeksOf([])}
