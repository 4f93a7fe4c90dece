"""The prices of options: the normal table, the kernel of the scenarios, and precise Black-76."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from math import erfc, exp, log, sqrt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import VolatilitySlice
from ballast.risk import black76, logarithm, normal_table
from ballast.risk import option_kernel as kernel
from ballast.svi import annual_variance
from ballast.units import WAD
from tests.support.artefacts import ROOT, compile_standard_json
from tests.support.black import call
from tests.support.revm import Evm, RevmContract
from tools import logarithm as log_generator
from tools import normal_table as generator

TARGETS = ("contracts/mocks/PricingProbe.sol",)
MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
FORWARD = 1 << kernel.RATIO_SHIFT
KERNEL_ERROR = 5e-9
PRECISE_ERROR = Decimal("1e-12")


@cache
def probe() -> RevmContract:
    evm = Evm(compile_standard_json(targets=TARGETS))
    return evm.deploy("PricingProbe")


# ---- The table --------------------------------------------------------------------------------


def test_the_contract_holds_what_the_generator_writes() -> None:
    text = (ROOT / "contracts" / "math" / "NormalTable.sol").read_text()
    assert text == generator.source()
    code = probe().evm.code(probe().TABLE())
    assert code.rstrip(b"\0") == normal_table.table_bytes(), "this EVM pads code with zeros"


def test_the_table_is_within_its_error_and_within_zero_and_one() -> None:
    worst = 0.0
    for cell in range(normal_table.CELLS):
        for part in range(32):
            value = normal_table.cdf((cell << 64) + (part << 59))
            assert 0 <= value <= 2**255
            x = (cell + part / 32) / normal_table.CELLS_PER_UNIT - 6.5
            worst = max(worst, abs(value / 2**255 - erfc(-x / sqrt(2)) / 2))
        assert 0 <= normal_table.cdf(((cell + 1) << 64) - 1) <= 2**255
    print(f"worst error of the table: {worst:.2e}")
    assert worst <= 2e-10


@pytest.mark.parametrize(("x", "value"), [("0", "0.5"), ("1.959963984540054", "0.975")])
def test_the_reference_distribution(x: str, value: str) -> None:
    assert abs(normal_table.normal_cdf(Decimal(x)) - Decimal(value)) < Decimal("1e-15")


# ---- The kernel -------------------------------------------------------------------------------

FACTORS = st.floats(0.3, 4.5)
DEVIATIONS = st.floats(log(1e-6), log(30)).map(exp)


def node(factor: float) -> tuple[int, int]:
    """ln f in WAD and f."""
    wad = int(factor * WAD)
    ratio = (wad << kernel.RATIO_SHIFT) // WAD
    return logarithm.ln(ratio), ratio


def strike(ratio: float) -> tuple[int, int]:
    """ln κ in WAD and κ."""
    return node(ratio)


@MANY
@given(
    factors=st.lists(FACTORS, min_size=1, max_size=14),
    ratio=st.floats(log(1e-9), log(1e9)).map(exp),
    deviation=DEVIATIONS,
    amount=st.integers(-(2**201), 2**201),
)
def test_kernel_and_mirror_agree(
    factors: list[float], ratio: float, deviation: float, amount: int
) -> None:
    nodes = [node(factor) for factor in factors]
    log_kappa, kappa = strike(ratio)
    given_nodes = [(x << kernel.LOG_SHIFT, f) for x, f in nodes]
    s = max(int(deviation * WAD), kernel.LEAST_DEVIATION)
    values, _ = probe().scan(given_nodes, s, log_kappa << kernel.LOG_SHIFT, kappa, amount)
    expected = [amount * kernel.value_at(x, f, s, log_kappa, kappa) for x, f in nodes]
    assert list(values) == expected
    for x, f in nodes:
        found = probe().price(x << kernel.LOG_SHIFT, f, s, log_kappa << kernel.LOG_SHIFT, kappa)
        assert tuple(found)[:2] == kernel.price(s, log_kappa, kappa, x, f)


def test_the_error_of_the_kernel() -> None:
    """Over the strikes that may be opened, at every node that a scenario can have."""
    worst, where = 0.0, ()
    for ratio in [2 ** (step / 4) for step in range(-24, 25)]:
        for deviation in (1e-5, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 2.5, 3, 4, 6):
            for factor in (0.34, 0.4, 0.67, 0.78, 0.945, 1, 1.11, 1.22, 1.6, 2, 4):
                log_f, f = node(factor)
                log_kappa, kappa = strike(ratio)
                got = kernel.value_at(log_f, f, int(deviation * WAD), log_kappa, kappa) / 2**40
                error = abs(got - _call(factor, kappa / 2**64, deviation))
                if error > worst:
                    worst, where = error, (ratio, deviation, factor)
    print(f"worst error of the kernel: {worst:.2e} of the forward at (κ, s, f) = {where}")
    assert worst <= KERNEL_ERROR


def _call(factor: float, ratio: float, deviation: float) -> float:
    """To 1e-14 of κ: enough to measure 5e-9."""
    d1 = log(factor / ratio) / deviation + deviation / 2
    d2 = d1 - deviation
    return (factor * erfc(-d1 / sqrt(2)) - ratio * erfc(-d2 / sqrt(2))) / 2


@MANY
@given(
    factor=FACTORS,
    d=st.floats(-7, 7),
    deviation=st.floats(log(1e-6), log(3)).map(exp),
)
def test_no_clamp_is_needed_below(factor: float, d: float, deviation: float) -> None:
    """Within the table the price is at least what exercising is worth."""
    log_kappa, kappa = strike(factor * exp(-d * deviation))
    log_f, f = node(factor)
    s = max(int(deviation * WAD), kernel.LEAST_DEVIATION)
    value = kernel.value_at(log_f, f, s, log_kappa, kappa)
    assert value >= 0
    assert value << 24 >= f - kappa
    assert value <= (f >> 24) + 1


def test_the_gas_of_a_revaluation() -> None:
    factors = [1 + move * 0.055 for move in range(-4, 5)] + [0.34, 0.67, 1.5, 2, 4]
    nodes = [(x << kernel.LOG_SHIFT, f) for x, f in map(node, factors)]
    log_kappa, kappa = strike(1.1)
    _, gas = probe().scan(nodes, 3 * WAD // 10, log_kappa << kernel.LOG_SHIFT, kappa, WAD)
    print(f"{gas / len(nodes):.0f} gas a revaluation")
    assert gas / len(nodes) <= 400


# ---- Precise Black-76 -------------------------------------------------------------------------


@MANY
@given(
    forward=st.integers(0, 2**90),
    moneyness=st.floats(log(1e-6), log(1e6)).map(exp),
    deviation=st.one_of(st.just(0), DEVIATIONS.map(lambda s: int(s * WAD))),
    is_put=st.booleans(),
)
def test_precise_contract_and_mirror_agree(
    forward: int, moneyness: float, deviation: int, is_put: bool
) -> None:
    question = (forward, int(forward * moneyness), deviation, is_put)
    value, delta, gas = probe().precise(*question)
    assert (value, delta) == black76.price(*question)
    assert gas < 2_500


@MANY
@given(
    forward=st.integers(WAD // 100, 10**6 * WAD),
    moneyness=st.floats(1 / 64, 64),
    volatility=st.floats(0.01, 5).map(lambda v: int(v * WAD)),
    time=st.floats(0, 3).map(lambda t: int(t * WAD)),
    is_put=st.booleans(),
)
def test_greeks_of_contract_and_mirror_agree(
    forward: int, moneyness: float, volatility: int, time: int, is_put: bool
) -> None:
    question = (forward, int(forward * moneyness), volatility, time, is_put)
    found, _ = probe().greeks(*question)
    assert tuple(found) == _astuple(black76.greeks(*question))


def _astuple(greeks: black76.Greeks) -> tuple[int, ...]:
    return tuple(getattr(greeks, name) for name in greeks.__slots__)


def test_the_error_of_precise_prices() -> None:
    worst, where = Decimal(0), ()
    for ratio in [Decimal(2) ** step for step in range(-6, 7)] + [Decimal("1.01")]:
        for deviation in map(Decimal, ("1e-4", "0.01", "0.1", "0.5", "1", "2", "3.3", "6")):
            got, _ = black76.price(
                10**6 * WAD, int(ratio * 10**6 * WAD), int(deviation * WAD), False
            )
            error = abs(Decimal(got) / WAD / 10**6 - call(ratio, deviation))
            if error > worst:
                worst, where = error, (ratio, deviation)
    print(f"worst error of precise prices: {worst:.2e} of the forward at (κ, s) = {where}")
    assert worst < PRECISE_ERROR


SCHOLES = [
    # spot, strike, time, rate, carry, volatility, put, value
    ("42", "40", "0.5", "0.1", "0.1", "0.2", False, "4.7594223928715"),
    ("42", "40", "0.5", "0.1", "0.1", "0.2", True, "0.80859937290009"),
    ("60", "65", "0.25", "0.08", "0.08", "0.3", False, "2.1333684449162"),
    ("19", "19", "0.75", "0.1", "0", "0.28", False, "1.7010507252363"),
    ("19", "19", "0.75", "0.1", "0", "0.28", True, "1.7010507252363"),
    ("100", "95", "0.5", "0.1", "0.05", "0.2", True, "2.4647876467558"),
]


@pytest.mark.parametrize("example", SCHOLES)
def test_published_prices(example: tuple[Any, ...]) -> None:
    spot, strike_, years, rate, carry, vol = map(Decimal, example[:6])
    put, value = example[6], Decimal(example[7])
    forward = int(spot * (carry * years).exp() * WAD)
    strike_wad, vol_wad = int(strike_ * WAD), int(vol * WAD)
    discount = (-rate * years).exp()
    found, _ = probe().greeks(forward, strike_wad, vol_wad, int(years * WAD), put)
    assert abs(Decimal(found[0]) / WAD * discount - value) < Decimal("1e-9")
    deviation = black76.sqrt(int(years * WAD) * WAD) * vol_wad // WAD
    log_kappa, kappa = strike(strike_wad / forward)
    table = Decimal(kernel.price(deviation, log_kappa, kappa)[0]) / 2**40 * forward / WAD
    table -= (forward - strike_wad) / Decimal(WAD) if put else 0
    assert abs(table * discount - value) < Decimal("5e-9") * spot


@pytest.mark.parametrize(("put", "value"), [(False, "0.59462865973"), (True, "-0.35660076477")])
def test_published_deltas_of_futures(put: bool, value: str) -> None:
    """F105 K100 T.5 r.1 σ.36, discounted."""
    found, _ = probe().greeks(105 * WAD, 100 * WAD, 36 * WAD // 100, WAD // 2, put)
    discount = (-Decimal("0.05")).exp()
    assert abs(Decimal(found[1]) / WAD * discount - Decimal(value)) < Decimal("1e-9")


def test_a_published_gamma() -> None:
    """S55 K60 T.75 r.1 b.1 σ.3: gamma by the spot is e^(2bT)·gamma by the forward, discounted."""
    growth = (Decimal("0.1") * Decimal("0.75")).exp()
    found, _ = probe().greeks(
        int(55 * growth * WAD), 60 * WAD, 3 * WAD // 10, 75 * WAD // 100, False
    )
    gamma = Decimal(found[2]) / WAD * growth * growth / growth
    assert abs(gamma - Decimal("0.027821160476941")) < Decimal("1e-9")


@pytest.mark.parametrize("put", [False, True])
def test_vega_and_theta_are_slopes(put: bool) -> None:
    here = black76.greeks(100 * WAD, 110 * WAD, WAD // 2, WAD // 4, put)
    step = WAD // 10**5
    up = black76.greeks(100 * WAD, 110 * WAD, WAD // 2 + step, WAD // 4, put)
    later = black76.greeks(100 * WAD, 110 * WAD, WAD // 2, WAD // 4 - step, put)
    assert (up.price - here.price) / step == pytest.approx(here.vega / WAD, rel=1e-3)
    assert (later.price - here.price) / step == pytest.approx(here.theta / WAD, rel=1e-3)


@pytest.mark.parametrize(
    ("forward", "strike_", "put", "value", "delta"),
    [
        (110, 100, False, 10, WAD),
        (90, 100, False, 0, 0),
        (90, 100, True, 10, -WAD),
        (110, 100, True, 0, 0),
    ],
)
def test_without_time_an_option_is_worth_its_exercise(
    forward: int, strike_: int, put: bool, value: int, delta: int
) -> None:
    assert black76.price(forward * WAD, strike_ * WAD, 0, put) == (value * WAD, delta)
    found, _ = probe().greeks(forward * WAD, strike_ * WAD, WAD, 0, put)
    assert tuple(found) == (
        value * WAD,
        delta,
        0,
        0,
        0,
    )


RATIOS = st.floats(-64, 63.9).map(lambda exponent: int(2 ** (64 + exponent)))


@MANY
@given(st.one_of(st.integers(0, 2**128 - 1), RATIOS, st.integers(2**63, 2**65)))
def test_logarithms_of_contract_and_mirror_agree(x: int) -> None:
    got = probe().ln(x)
    assert got == logarithm.ln(x)
    exact = (Decimal(x or 1) / 2**64).ln()
    assert abs(Decimal(got) / WAD - exact) < Decimal("1e-14")


def test_the_constants_of_the_logarithm_are_the_tool_s() -> None:
    source = (ROOT / "contracts" / "math" / "Logarithm.sol").read_text()
    for name, value in log_generator.constants().items():
        assert re.search(rf"constant {name} = {value};", source), name


# A slice whose variance tells one wei of the root.
WINGS = st.builds(
    VolatilitySlice,
    a=st.integers(0, 2**31 - 1),
    b=st.integers(10**8, 2**32 - 1),
    rho=st.integers(-(10**6), 10**6),
    mu=st.integers(-(2**23), 2**23 - 1),
    s=st.integers(0, 2**24 - 1),
)
LOGARITHMS = st.one_of(st.integers(-(2**67) + 1, 2**67 - 1), st.integers(-(10**19), 10**19))


@MANY
@given(WINGS, LOGARITHMS)
def test_variances_of_contract_and_mirror_agree(one: VolatilitySlice, k: int) -> None:
    assert probe().variance(one.encode(), k) == annual_variance(one, k)


@pytest.mark.parametrize("k", [0, 1, -1, 2, -3, 1000])
@pytest.mark.parametrize("s", [0, 1])
def test_variances_near_the_vertex(k: int, s: int) -> None:
    one = VolatilitySlice(a=10**4, b=2**32 - 1, s=s)
    assert probe().variance(one.encode(), k) == annual_variance(one, k)
