"""Calibration: known slices come back, and what comes back is free of arbitrage."""

from __future__ import annotations

from dataclasses import replace
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ballast.codec import VolatilitySlice
from ballast.oracle.volatility import Neighbour, Refusal, VolatilityConfig, verdict
from ballast.svi import variance
from ballast.units import WAD, YEAR
from ballast.volatility.calibrate import (
    CalibrationError,
    VolatilityQuote,
    black,
    calibrate,
    implied_volatility,
    middle,
)

NOW = 1_750_000_000
FORWARD, SPOT = 2010.0, 2000.0
OPTION = {"forward": FORWARD, "strike": 2000, "call": True}


def quotes(known: VolatilitySlice, days: int, count: int = 15) -> list[VolatilityQuote]:
    """Exact quotes of a slice from −2½ to 2½ deviations."""
    deviation = sqrt(variance(known, 0) / WAD * days / 365)
    rows = []
    for x in np.linspace(-2.5, 2.5, count):
        k = float(x) * deviation
        volatility = sqrt(variance(known, round(k * WAD)) / WAD)
        rows.append(VolatilityQuote(FORWARD * exp(k), volatility))
    return rows


def fit(rows: list[VolatilityQuote], days: int, **neighbours: Neighbour | None):
    expiry = NOW + days * 86400
    return calibrate(rows, spot=SPOT, forward=FORWARD, expiry=expiry, time=NOW, **neighbours)


SLICES = st.builds(
    VolatilitySlice,
    a=st.integers(5_000_000, 80_000_000),
    b=st.integers(500_000, 4_000_000),
    rho=st.integers(-700_000, 500_000),
    mu=st.integers(-100_000, 100_000),
    s=st.integers(100_000, 500_000),
    time=st.just(NOW),
)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from((7, 30, 180)), SLICES)
def test_known_slices_come_back(days, known):
    assume(verdict(known, NOW + days * 86400, VolatilityConfig()) is Refusal.NONE)
    found = fit(quotes(known, days), days)
    assert found.error < 2e-4
    assert found.slice.forward == round(FORWARD / SPOT * 1e8)


def test_a_market_like_vogts_is_fitted_without_its_butterfly():
    days = 365
    vogt = VolatilitySlice(-4_100_000, 1_331_000, 306_000, 358_600, 415_300, time=NOW)
    assert verdict(vogt, NOW + days * 86400, VolatilityConfig()) is Refusal.BUTTERFLY
    rows = [
        VolatilityQuote(FORWARD * exp(k), sqrt(variance(vogt, round(k * WAD)) / WAD))
        for k in np.linspace(-1.5, 1.5, 25)
    ]
    found = fit(rows, days)
    assert verdict(found.slice, NOW + days * 86400, VolatilityConfig()) is Refusal.NONE
    assert found.error < 0.02


def test_a_crossing_market_is_fitted_over_the_expiry_before():
    near = VolatilitySlice(5_000_000, 6_000_000, -200_000, 0, 400_000, time=NOW)
    before = Neighbour(near, NOW + 29 * 86400)
    cheap = replace(near, a=near.a - 1_500_000)
    found = fit(quotes(cheap, 30), 30, before=before)
    expiry = NOW + 30 * 86400
    assert verdict(found.slice, expiry, VolatilityConfig(), before=before) is Refusal.NONE
    assert verdict(replace(cheap, time=NOW), expiry, VolatilityConfig(), before=before) is (
        Refusal.CALENDAR
    )
    assert found.error < 0.03


def test_a_flat_market_behind_a_steep_smile_keeps_its_level():
    """Raised by its level alone, the far slice would have to clear the steep wings far outside of
    all quotes: fifty points of volatility."""
    near = VolatilitySlice(20_000_000, 60_000_000, 0, 0, 60_000, time=NOW)
    before = Neighbour(near, NOW + 2 * 86400)
    flat = VolatilitySlice(45_000_000, 50_000, 0, 0, 300_000, time=NOW)
    assert fit(quotes(flat, 30), 30, before=before).error < 0.05


def test_a_fit_that_says_nothing_of_its_quotes_is_refused():
    zigzag = [
        VolatilityQuote(FORWARD * exp(k), 0.3 + 0.6 * (index % 2))
        for index, k in enumerate(np.linspace(-0.3, 0.3, 9))
    ]
    with pytest.raises(CalibrationError, match=r"off by [23]\d\.\d%"):
        fit(zigzag, 30)


def test_noise_is_averaged():
    known = VolatilitySlice(10_000_000, 2_000_000, -300_000, 20_000, 200_000, time=NOW)
    dice = np.random.default_rng(7)
    rows = [
        replace(one, volatility=one.volatility + float(dice.normal(0, 0.004)))
        for one in quotes(known, 30, 25)
    ]
    assert fit(rows, 30).error < 0.008


def test_too_few_quotes_are_refused():
    known = VolatilitySlice(10_000_000, 2_000_000, -300_000, 20_000, 200_000, time=NOW)
    with pytest.raises(CalibrationError, match="too few"):
        fit(quotes(known, 30, 4), 30)


def test_prices_and_volatilities():
    tau = 30 * 86400 / YEAR
    for call in (True, False):
        price = black(FORWARD, 1900, tau, 0.6, call)
        assert abs(implied_volatility(price, FORWARD, 1900, tau, call) - 0.6) < 1e-9
    assert abs(black(19, 19, 0.75, 0.28, True) - 1.7010507252363 * exp(0.075)) < 1e-9
    with pytest.raises(CalibrationError, match="no price"):
        implied_volatility(50, FORWARD, 1900, tau, True)


def test_a_narrow_quote_weighs_more():
    tau = 30 * 86400 / YEAR
    price = black(FORWARD, 2000, tau, 0.6, True)
    narrow = middle(price - 0.5, price + 0.5, **OPTION, tau=tau)
    wide = middle(price - 5, price + 5, **OPTION, tau=tau)
    assert narrow.weight > wide.weight
    assert abs(narrow.volatility - 0.6) < 1e-4
    with pytest.raises(CalibrationError, match="over the ask"):
        middle(price + 1, price, **OPTION, tau=tau)
