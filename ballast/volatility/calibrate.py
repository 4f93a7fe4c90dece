"""From option quotes to a slice: raw SVI by the quasi-explicit method, without arbitrage.

For fixed μ and s the slice is linear in a, b and b·ρ, so these come from bounded least squares and
only two numbers are searched; the result is raised over the expiry before where it crosses it. Of
several starts the best that passes the contract's own checks after rounding wins; if none does, the
search is repeated with a penalty on butterflies and on crossing the expiry after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, log, sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, lsq_linear, minimize
from scipy.special import ndtr

from ballast.codec import VolatilitySlice
from ballast.oracle.volatility import (
    MIN_VARIANCE,
    Neighbour,
    Refusal,
    VolatilityConfig,
    density,
    strikes,
    verdict,
)
from ballast.svi import variance
from ballast.units import WAD, YEAR

Floats = NDArray[np.float64]

STARTS = ((0.0, 0.1), (0.0, 0.5), (-0.2, 0.2), (0.2, 0.2), (0.3, 0.6), (-0.4, 0.6))
PENALTIES = (0.0, 10.0, 1_000.0, 100_000.0)
MAX_RHO = 0.999
MIN_WIDTH = 0.002
MAX_WIDTH = 5.0
LEAST_QUOTES = 5
GOOD_ERROR = 0.01  # in volatility: the search ends
MAX_ERROR = 0.1  # above it, a slice says nothing of its quotes


class CalibrationError(ValueError):
    """Quotes that no slice without arbitrage was found for."""


@dataclass(frozen=True, slots=True)
class VolatilityQuote:
    """A strike with its implied volatility, both plain numbers; `weight` is 1 over its width."""

    strike: float
    volatility: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """The slice, and the root of the mean squared error in volatility."""

    slice: VolatilitySlice
    error: float


def implied_volatility(
    price: float, forward: float, strike: float, tau: float, call: bool
) -> float:
    """The Black-76 volatility of an undiscounted price."""
    intrinsic = max(0.0, forward - strike if call else strike - forward)
    if not intrinsic < price < (forward if call else strike):
        raise CalibrationError(f"{price} is no price of an option at {strike} on {forward}")
    return float(brentq(lambda v: black(forward, strike, tau, v, call) - price, 1e-4, 20.0))


def black(forward: float, strike: float, tau: float, volatility: float, call: bool) -> float:
    """Undiscounted Black-76 price."""
    deviation = volatility * sqrt(tau)
    d1 = log(forward / strike) / deviation + deviation / 2
    value = forward * ndtr(d1) - strike * ndtr(d1 - deviation)
    return float(value if call else value - forward + strike)


def middle(
    bid: float, ask: float, *, forward: float, strike: float, tau: float, call: bool
) -> VolatilityQuote:
    """A quote of a bid and an ask price, weighted by one over the width of their volatilities."""
    low, high = (implied_volatility(one, forward, strike, tau, call) for one in (bid, ask))
    if low > high:
        raise CalibrationError(f"the bid {bid} at {strike} is over the ask {ask}")
    return VolatilityQuote(strike, (low + high) / 2, 1 / max(high - low, 1e-3))


def calibrate(
    quotes: Sequence[VolatilityQuote],
    *,
    spot: float,
    forward: float,
    expiry: int,
    time: int,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
) -> Calibration:
    """The slice of one expiry that fits best and that the contract would accept as a first one."""
    if len(quotes) < LEAST_QUOTES:
        raise CalibrationError(f"{len(quotes)} quotes are too few: it takes {LEAST_QUOTES}")
    problem = _Problem(
        k=np.array([log(one.strike / forward) for one in quotes]),
        variance=np.array([one.volatility**2 for one in quotes]),
        weight=np.array([one.weight / (2 * one.volatility) for one in quotes]),
        template=VolatilitySlice(forward=round(forward / spot * 1e8), time=time),
        expiry=expiry,
        before=before,
        after=after,
    )
    found: list[Calibration] = []
    for penalty in PENALTIES:
        for start in STARTS:
            candidate = problem.search(start, penalty)
            if candidate is not None:
                error = problem.error(candidate, [one.volatility for one in quotes])
                found.append(Calibration(candidate, error))
        best = min(found, key=lambda one: one.error, default=None)
        if best and best.error <= GOOD_ERROR:
            return best
    if best is None:
        raise CalibrationError("no slice without arbitrage was found")
    if best.error > MAX_ERROR:
        raise CalibrationError(f"the best slice without arbitrage is off by {best.error:.1%}")
    return best


@dataclass(frozen=True)
class _Problem:
    """Quotes of one expiry as variances a year, and what its slice must respect."""

    k: Floats
    variance: Floats
    weight: Floats
    template: VolatilitySlice
    expiry: int
    before: Neighbour | None
    after: Neighbour | None

    @property
    def tau(self) -> float:
        return (self.expiry - self.template.time) / YEAR

    def search(self, start: tuple[float, float], penalty: float) -> VolatilitySlice | None:
        """The best slice near a start, if it passes the checks."""
        origin = np.array([start[0], log(start[1])])
        result = minimize(
            lambda x: self._loss(x, penalty),
            origin,
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-14, "maxiter": 400},
        )
        candidate = self._slice(cast(Floats, result.x))
        if not candidate.fits:
            return None
        reason = verdict(
            candidate, self.expiry, VolatilityConfig(), before=self.before, after=self.after
        )
        return candidate if reason is Refusal.NONE else None

    def error(self, candidate: VolatilitySlice, volatilities: Sequence[float]) -> float:
        """Root of the mean squared error in volatility."""
        fitted = [sqrt(variance(candidate, round(k * WAD)) / WAD) for k in self.k]
        return float(np.sqrt(np.mean((np.array(fitted) - np.array(volatilities)) ** 2)))

    def _inner(self, mu: float, s: float) -> tuple[float, float, float, float]:
        """a, b, ρ and the weighted squared error for fixed μ and s.

        With the slopes of the two wings as unknowns, every bound but a ≥ 0 at the minimum is one of
        a box: a + left·(root − z)/2 + right·(root + z)/2.
        """
        z = self.k - mu
        root = np.hypot(z, s)
        design = np.column_stack([np.ones_like(z), (root - z) / 2, (root + z) / 2])
        steepest = 2 / self.tau * 0.999
        least = [min(slope, steepest / 2) for slope in self._slopes_before()]
        bounds = ([-np.inf, *least], [np.inf, steepest, steepest])
        solved = lsq_linear(
            design * self.weight[:, None], self.variance * self.weight, bounds=bounds
        )
        a, left, right = (float(one) for one in solved.x)
        b = (left + right) / 2
        rho = (right - left) / (left + right) if b > 0 else 0.0
        return a, b, min(max(rho, -MAX_RHO), MAX_RHO), 2 * float(solved.cost)

    def _slopes_before(self) -> tuple[float, float]:
        """The least slopes of the two wings: flatter ones cross the expiry before far away, where
        only a far higher level would help."""
        if self.before is None:
            return 0.0, 0.0
        one = self.before.slice
        part = (self.before.expiry - self.template.time) / YEAR / self.tau * 1.0001
        b, rho = one.b / 1e7 * part, one.rho / 1e6
        return b * (1 - rho), b * (1 + rho)

    def _slice(self, x: Floats) -> VolatilitySlice:
        mu, s = float(x[0]), min(max(exp(min(x[1], 3.0)), MIN_WIDTH), MAX_WIDTH)
        a, b, rho, _ = self._inner(mu, s)
        least = a + b * s * sqrt(1 - rho**2)
        a += max(0.0, 2 * MIN_VARIANCE / WAD - least)
        found = replace(
            self.template,
            a=round(a * 1e8),
            b=round(b * 1e7),
            rho=round(rho * 1e6),
            mu=round(mu * 1e6),
            s=round(s * 1e6),
        )
        return self._lifted(found) if found.fits else found

    def _lifted(self, candidate: VolatilitySlice) -> VolatilitySlice:
        """The slice raised over the expiry before, where it is under it.

        Twice, since the strikes that are sampled follow the level.
        """
        for _ in range(2 if self.before and variance(candidate, 0) >= MIN_VARIANCE else 0):
            under = max(self._under(candidate, k) for k in strikes(candidate, self.expiry))
            candidate = replace(candidate, a=candidate.a + ceil(max(0.0, under) * 1e8))
        return candidate

    def _under(self, candidate: VolatilitySlice, k: int) -> float:
        """How far the variance a year is under what the expiry before asks for, with some room."""
        assert self.before is not None
        return self._total(self.before, k) * 1.0001 / self.tau - variance(candidate, k) / WAD

    def _loss(self, x: Floats, penalty: float) -> float:
        mu, s = float(x[0]), min(max(exp(min(x[1], 3.0)), MIN_WIDTH), MAX_WIDTH)
        if abs(mu) > MAX_WIDTH:
            return 1e9 * abs(mu)
        if not penalty:
            return self._inner(mu, s)[3]
        candidate = self._slice(x)
        return self._misfit(candidate) + penalty * self._violation(candidate)

    def _misfit(self, candidate: VolatilitySlice) -> float:
        """Weighted squared error of the slice as it is."""
        z = self.k - candidate.mu / 1e6
        wing = candidate.rho / 1e6 * z + np.hypot(z, candidate.s / 1e6)
        off = candidate.a / 1e8 + candidate.b / 1e7 * wing - self.variance
        return float(np.sum((off * self.weight) ** 2))

    def _violation(self, candidate: VolatilitySlice) -> float:
        """How far the slice is from the rules at the contract's own strikes, with a little room."""
        if not candidate.fits or variance(candidate, 0) < MIN_VARIANCE:
            return 1e3
        tau = (self.expiry - candidate.time) * WAD // YEAR
        total = 0.0
        for k in strikes(candidate, self.expiry):
            value = variance(candidate, k)
            if value < MIN_VARIANCE:
                total += 1.0
                continue
            total += max(0.0, 0.001 - density(candidate, k, tau) / WAD) ** 2
            here = value / WAD * self.tau
            if self.after:
                total += max(0.0, here * 1.0001 - self._total(self.after, k)) ** 2
        return total

    def _total(self, other: Neighbour, k: int) -> float:
        years = (other.expiry - self.template.time) / YEAR
        return variance(other.slice, k) / WAD * years
