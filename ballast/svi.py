"""Raw SVI slices in integers, as the contracts compute them: VolatilitySliceLib and SviLib.

A slice is a + b·(ρ·(k − μ) + √((k − μ)² + s²)), the variance a year at k = ln(K/F); WAD all.
"""

from __future__ import annotations

from ballast.codec import VolatilitySlice
from ballast.fixed_point import div_towards_zero, sqrt
from ballast.units import WAD

LEAST_VARIANCE = 10**12  # at which anything is valued


def annual_variance(one: VolatilitySlice, k: int) -> int:
    """Variance at which the engines value a strike: rounded down, never below their floor."""
    z = k - one.mu * 10**12
    root = sqrt(z**2 + (one.s * 10**12) ** 2)
    wing = one.rho * z + root * 10**6
    return max(one.a * 10**10 + div_towards_zero(one.b * wing, 10**13), LEAST_VARIANCE)


def variance(one: VolatilitySlice, k: int) -> int:
    """Variance as the checks of reports compute it; a bad slice has negative ones."""
    return derivatives(one, k)[0]


def derivatives(one: VolatilitySlice, k: int) -> tuple[int, int, int]:
    """The same, and its first two derivatives by k."""
    b, s = one.b * 10**11, one.s * 10**12
    rho, y = one.rho * 10**12, k - one.mu * 10**12
    root = sqrt(y * y + s * s)
    q = s * WAD // root
    value = one.a * 10**10 + div_towards_zero(b * (div_towards_zero(rho * y, WAD) + root), WAD)
    slope = div_towards_zero(b * (rho + div_towards_zero(y * WAD, root)), WAD)
    return value, slope, b * q // WAD * q // root


def least(one: VolatilitySlice) -> int:
    """Least variance of the slice."""
    rho = one.rho * 10**12
    width = sqrt(WAD * WAD - rho * rho)
    return one.a * 10**10 + one.b * 10**11 * one.s * 10**12 // WAD * width // WAD
