"""Many prices of one option, in exact integers: the mirror of `contracts/math/OptionKernel.sol`.

A price counts 2^-40 of the forward F. Ratios to F count 2^-64, a deviation s = σ·√τ is WAD, and a
logarithm is given in WAD.
"""

from __future__ import annotations

from ballast.fixed_point import div_towards_zero
from ballast.risk.normal_table import CELLS, cdf
from ballast.units import WAD

LOG_SHIFT = 69
RATIO_SHIFT = 64
PRICE_SHIFT = 40
GREATEST_RATIO = 2**96
LEAST_DEVIATION = 10**12  # least s that is told from none

_LIMIT = CELLS << 64
_MIDDLE = _LIMIT // 2
_CDF_SHIFT = 191  # from counts of 2^-255 to counts of 2^-64
_ROUND_UP = 2**88 - 1


def value_at(log_f: int, f: int, deviation: int, log_kappa: int, kappa: int) -> int:
    """The call f·Φ(d1) − κ·Φ(d2) at a node that moves the forward to f·F."""
    low, high = _places(log_f, log_kappa, deviation)
    return (f * _cdf(high) - kappa * _cdf(low) + _ROUND_UP) >> 88


def price(
    deviation: int,
    log_kappa: int,
    kappa: int,
    log_factor: int = 0,
    factor: int = 1 << RATIO_SHIFT,
) -> tuple[int, int]:
    """One price, not under what exercising is worth, and Φ(d1) in counts of 2^-40."""
    _, high = _places(log_factor, log_kappa, deviation)
    value = value_at(log_factor, factor, deviation, log_kappa, kappa)
    exercised = -((kappa - factor) >> 24)
    return max(value, exercised, 0), _cdf(high) >> 24


def _places(log_f: int, log_kappa: int, deviation: int) -> tuple[int, int]:
    """Places of d2 and d1 in the table."""
    width = (deviation << LOG_SHIFT) // WAD
    quotient = div_towards_zero(log_f << LOG_SHIFT, deviation)
    quotient -= div_towards_zero(log_kappa << LOG_SHIFT, deviation)
    low = quotient + _MIDDLE - width // 2
    return low, low + width


def _cdf(t: int) -> int:
    """Φ in counts of 2^-64, zero and one outside of the table."""
    if t >= _LIMIT:
        return 1 << RATIO_SHIFT
    return cdf(t) >> _CDF_SHIFT if t > 0 else 0
