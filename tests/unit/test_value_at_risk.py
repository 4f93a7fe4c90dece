"""Value at risk: the contract against its mirror, matrices of numpy, and simulation."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.risk import value_at_risk as risk
from ballast.risk.value_at_risk import ONE, Sensitivities
from ballast.units import WAD
from tests.support.artefacts import compile_standard_json
from tests.support.revm import Evm, RevmContract

MANY = settings(max_examples=300, deadline=None)
MONEY = st.one_of(
    st.integers(-10, 10), st.integers(-(10**6), 10**6).map(lambda n: n * WAD), st.just(2**160)
)
FACTORS = st.lists(st.tuples(MONEY, MONEY), max_size=6)
RHO = st.one_of(st.sampled_from([0, ONE]), st.integers(0, ONE))
Z = NormalDist().inv_cdf(0.01)


@cache
def probe() -> RevmContract:
    targets = ("contracts/mocks/DeltaGammaProbe.sol",)
    return Evm(compile_standard_json(targets=targets)).deploy("DeltaGammaProbe")


def exact(a: list[float], g: list[float], rho: float) -> tuple[float, float, float, float]:
    """The cumulants by matrices."""
    c = np.full((len(a), len(a)), rho) + (1 - rho) * np.eye(len(a))
    curve, linear = np.diag(g) @ c, np.array(a)
    ca = c @ linear
    powers = [np.trace(np.linalg.matrix_power(curve, n)) for n in range(1, 5)]
    y = np.array(g) * ca
    return (
        powers[0] / 2,
        linear @ ca + powers[1] / 2,
        3 * ca @ np.diag(g) @ ca + powers[2],
        12 * y @ c @ y + 3 * powers[3],
    )


def expanded(a: list[float], g: list[float], rho: float) -> tuple[float, float]:
    """Quantile and tail mean of Cornish and Fisher's expansion, the latter by integration."""
    first, second, third, fourth = exact(a, g, rho)
    skew, excess = third / second**1.5, fourth / second**2

    def quantile(z: float | np.ndarray) -> float | np.ndarray:
        he2, he3 = z**2 - 1, z**3 - 3 * z
        return z + he2 * skew / 6 + he3 * excess / 24 - (2 * he3 + z) * skew**2 / 36

    grid = np.linspace(-12, Z, 200_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    mean = np.trapz(quantile(grid) * density, grid) / 0.01
    deviation = second**0.5
    return -(first + deviation * float(quantile(Z))), -(first + deviation * float(mean))


@MANY
@given(factors=FACTORS, rho=RHO)
def test_contract_and_mirror_agree(factors: list[tuple[int, int]], rho: int) -> None:
    a, g = [one for one, _ in factors], [one for _, one in factors]
    found = tuple(probe().lossesAt99(a, g, rho))
    assert found == risk.losses_at_99(a, g, rho)
    assert 0 <= found[0] <= found[1]


@MANY
@given(
    factors=st.lists(
        st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=1, max_size=6
    ),
    rho=st.integers(0, 100),
)
def test_sums_of_powers_are_the_matrices(factors: list[tuple[int, int]], rho: int) -> None:
    scale = sum(abs(one) + abs(other) for one, other in factors) or 1
    a, g = [one / scale for one, _ in factors], [one / scale for _, one in factors]
    whole = [[int(one * 10**9) * 10**18 for one in many] for many in (a, g)]
    found = risk.cumulants(*whole, rho * ONE // 100)
    for one, other in zip(found, exact(a, g, rho / 100), strict=True):
        assert one / ONE == pytest.approx(other, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    factors=st.lists(
        st.tuples(st.integers(-1000, 1000), st.integers(-300, 300)), min_size=1, max_size=5
    ),
    rho=st.integers(0, 95),
)
def test_the_expansion_and_the_mean_of_its_tail(factors: list[tuple[int, int]], rho: int) -> None:
    a, g = [float(one) for one, _ in factors], [float(one) for _, one in factors]
    if exact(a, g, rho / 100)[1] < 1:
        return
    whole = [[int(one) * WAD for one in many] for many in (a, g)]
    found = risk.losses_at_99(*whole, rho * ONE // 100)
    value, shortfall = expanded(a, g, rho / 100)
    assert found[0] / WAD == pytest.approx(max(0, value), abs=1e-3)
    assert found[1] / WAD == pytest.approx(max(0, value, shortfall), abs=1e-2)


@pytest.mark.parametrize(
    ("a", "g", "tolerance"),
    [
        ([100.0], [0.0], 0.02),
        ([100.0, -80.0, 50.0], [0.0, 0.0, 0.0], 0.02),
        ([100.0, 60.0], [-20.0, -10.0], 0.03),
        ([30.0, 20.0, 10.0], [-30.0, -10.0, 5.0], 0.06),
        ([0.0, 0.0], [-50.0, -50.0], 0.10),
    ],
)
def test_simulation(a: list[float], g: list[float], tolerance: float) -> None:
    """Two million draws: the expansion is close while the profit is not far from normal."""
    rho, count = 0.6, len(a)
    c = np.full((count, count), rho) + (1 - rho) * np.eye(count)
    draws = np.random.default_rng(7).standard_normal((2_000_000, count)) @ np.linalg.cholesky(c).T
    profit = np.sort(draws @ np.array(a) + draws**2 @ np.array(g) / 2)
    worst = profit[: len(profit) // 100]
    whole = [[int(one * 10**6) * 10**12 for one in many] for many in (a, g)]
    value, shortfall = risk.losses_at_99(*whole, 6 * ONE // 10)
    assert value / WAD == pytest.approx(-worst[-1], rel=tolerance)
    assert shortfall / WAD == pytest.approx(-worst.mean(), rel=tolerance)


def test_constants() -> None:
    assert pytest.approx(Z, abs=1e-12) == risk.QUANTILE / ONE
    assert pytest.approx(-NormalDist().pdf(Z) / 0.01, abs=1e-12) == risk.TAIL_MEAN / ONE


def test_one_underlying_without_options_is_worth_a_multiple_of_its_deviation() -> None:
    hourly = 10**14  # 1 % an hour
    ether = Sensitivities(1, 2000 * WAD, delta=-3 * WAD, variance=hourly)
    value, shortfall = risk.value_at_risk([ether], 4 * 3600, WAD)
    assert value / WAD == pytest.approx(-Z * 6000 * 0.02)
    assert shortfall / WAD == pytest.approx(NormalDist().pdf(Z) / 0.01 * 6000 * 0.02)


def test_a_hedge_counts_by_its_correlation() -> None:
    pair = [
        Sensitivities(1, 2000 * WAD, delta=10 * WAD, variance=10**14),
        Sensitivities(2, 50_000 * WAD, delta=-4 * WAD // 10, variance=10**14),
    ]
    alone = risk.value_at_risk(pair[:1], 3600, 0)[0]
    assert risk.value_at_risk(pair, 3600, WAD) == (0, 0)
    assert risk.value_at_risk(pair, 3600, WAD // 2)[0] == pytest.approx(alone, rel=1e-9)
    assert risk.value_at_risk(pair, 3600, 0)[0] == pytest.approx(alone * 2**0.5, rel=1e-9)


def test_nothing_held_loses_nothing() -> None:
    assert risk.value_at_risk([], 3600, 0) == (0, 0)
    assert tuple(probe().lossesAt99([], [], 0)) == (0, 0)
