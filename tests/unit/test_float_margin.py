"""How far the integer margin is from the formulas in floating point, on random books."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import Collateral, Option, Perp, Snapshot, VolatilitySlice
from ballast.risk.joint_scenario import JointScenarioEngine
from ballast.units import WAD
from tests.support.float_margin import margin
from tests.support.option_books import DAY
from tests.support.revm import GENESIS
from tests.support.risk import BTC, ETH, PARAMETERS, STABLE, STAKED_ETH, WBTC, fresh

DAYS = (1, 7, 45, 300)
PRICES = {ETH: 2000, BTC: 50_000, 4: 1}
BOUND = 3e-8  # of the money that the positions are about

SIZES = st.integers(-1000, 1000).map(lambda n: n * WAD // 7)
UNDERLYINGS = st.sampled_from([ETH, BTC])
SLICES = st.builds(
    VolatilitySlice,
    a=st.integers(10**6, 4 * 10**7),
    b=st.integers(0, 3 * 10**6),
    rho=st.integers(-700_000, 700_000),
    mu=st.integers(-100_000, 100_000),
    s=st.integers(10_000, 10**6),
    forward=st.integers(95 * 10**6, 105 * 10**6),
    time=st.just(GENESIS),
    max_age=st.just(3600),
)
COLLATERAL = st.one_of(
    st.builds(Collateral, st.just(STAKED_ETH), st.integers(0, 10**21)),
    st.builds(Collateral, st.just(WBTC), st.integers(0, 10**10)),
    st.builds(Collateral, st.just(STABLE), st.integers(0, 10**12)),
)


@st.composite
def snapshots(draw: st.DrawFn, underlying: int) -> Snapshot:
    price = PRICES[underlying]
    return fresh(
        GENESIS,
        price,
        stable=price * WAD * draw(st.integers(95, 105)) // 100,
        confidence=draw(st.integers(0, 200)) * 10**13,
        premium=draw(st.integers(-(10**6), 10**6)),
        range_maintenance=draw(st.integers(800, 3000)) * 10**14,
        range_initial=draw(st.integers(800, 6000)) * 10**14,
    )


@st.composite
def held(draw: st.DrawFn) -> int:
    underlying = draw(UNDERLYINGS)
    if draw(st.integers(0, 3)) == 0:
        return Perp(underlying, draw(SIZES), draw(st.integers(-(10**23), 10**23))).encode()
    strike = PRICES[underlying] * WAD * draw(st.integers(50, 180)) // 100
    expiry = GENESIS + draw(st.sampled_from(DAYS)) * DAY
    return Option(underlying, expiry, strike, draw(st.booleans()), draw(SIZES)).encode()


class Market:
    """Prices and slices as the engine asks for them."""

    def __init__(
        self, prices: dict[int, Snapshot], slices: dict[tuple[int, int], VolatilitySlice]
    ) -> None:
        self.prices, self.slices = prices, slices

    def snapshot(self, underlying: int) -> Snapshot:
        return self.prices[underlying]

    def slice(self, underlying: int, expiry: int) -> int:
        return self.slices[underlying, expiry].encode()

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        raise AssertionError(f"no mean is due of {underlying}, {expiry}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cash=st.integers(-(10**24), 10**24),
    positions=st.lists(held(), max_size=6),
    collateral=st.lists(COLLATERAL.map(Collateral.encode), max_size=2),
    prices=st.fixed_dictionaries({name: snapshots(name) for name in PRICES}),
    slices=st.fixed_dictionaries(
        {(name, GENESIS + days * DAY): SLICES for name in (ETH, BTC) for days in DAYS}
    ),
)
def test_integers_are_near_the_formulas(
    *,
    cash: int,
    positions: list[int],
    collateral: list[int],
    prices: dict[int, Snapshot],
    slices: dict[tuple[int, int], VolatilitySlice],
) -> None:
    market, words = Market(prices, slices), positions + collateral
    found = JointScenarioEngine(market, PARAMETERS, market).assess(cash, 0, words, GENESIS)
    exact = margin(cash, words, prices, slices, PARAMETERS, now=GENESIS)
    slack = BOUND * exact.gross + 1e-8 * (1 + abs(exact.equity))
    assert abs(found.equity / WAD - exact.equity) <= slack
    assert abs(found.maintenance / WAD - exact.maintenance) <= slack
    assert abs(found.initial / WAD - exact.initial) <= slack
