"""Value at risk and expected shortfall in exact integers: the mirror of `DeltaGamma.sol`.

The profit is Σ a·x + ½·Σ g·x² of standard normal factors x, any two of which have correlation ρ.
Its cumulants are exact; the 1 % quantile and the mean below it are those of Cornish and Fisher's
expansion. Inside, everything is divided by the sum of all |a| and |g| and counts 1e-27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ballast.fixed_point import div_towards_zero, sqrt
from ballast.units import WAD

ONE = 10**27
QUANTILE = -2326347874040841100885606163
TAIL_MEAN = -2665214220345804813216300809
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """What an account gains as one underlying changes; WAD, units as in `RiskLens.sol`."""

    underlying: int
    spot: int
    delta: int = 0
    gamma: int = 0
    vega: int = 0
    theta: int = 0
    variance: int = 0

    def factors(self, horizon: int) -> tuple[int, int]:
        """a and g: what one standard deviation over `horizon` seconds brings, WAD of cash."""
        variance = self.variance * horizon // HOUR
        money = _wad(self.delta, self.spot)
        curve = _wad(_wad(self.gamma, self.spot), self.spot)
        return _wad(money, sqrt(variance * WAD)), _wad(curve, variance)


def value_at_risk(
    exposures: Sequence[Sensitivities], horizon: int, correlation: int
) -> tuple[int, int]:
    """Loss exceeded with a probability of 1 %, and the mean of those losses, WAD of cash."""
    factors = [one.factors(horizon) for one in exposures]
    linear, curve = [a for a, _ in factors], [g for _, g in factors]
    return losses_at_99(linear, curve, correlation * 10**9)


def losses_at_99(a: Sequence[int], g: Sequence[int], rho: int) -> tuple[int, int]:
    """The same from the factors, for a correlation of 1e-27."""
    scale = sum(abs(one) for one in (*a, *g))
    if scale == 0:
        return 0, 0
    first, second, third, fourth = cumulants(
        [div_towards_zero(one * ONE, scale) for one in a],
        [div_towards_zero(one * ONE, scale) for one in g],
        rho,
    )
    deviation = sqrt(second * ONE)
    quantile, tail = _expand(second, third, fourth, deviation)
    quantile = first + _mul(deviation, quantile)
    tail = min(first + _mul(deviation, tail), quantile)
    return max(0, -quantile) * scale // ONE, max(0, -tail) * scale // ONE


def cumulants(a: Sequence[int], g: Sequence[int], rho: int) -> tuple[int, int, int, int]:
    """The first four of the profit, 1e-27 of powers of the scale."""
    own, total = ONE - rho, sum(a)
    squares = [_mul(one, one) for one in g]
    p = (
        sum(g),
        sum(squares),
        sum(_mul(square, one) for square, one in zip(squares, g, strict=True)),
        sum(_mul(square, square) for square in squares),
    )
    mixed = [_mul(own, one) + _mul(rho, total) for one in a]
    y = [_mul(curve, one) for curve, one in zip(g, mixed, strict=True)]
    return (
        div_towards_zero(p[0], 2),
        _form(own, sum(_mul(one, one) for one in a), rho, total)
        + div_towards_zero(_trace2(own, rho, p), 2),
        3 * sum(_mul(one, other) for one, other in zip(y, mixed, strict=True))
        + _trace3(own, rho, p),
        12 * _form(own, sum(_mul(one, one) for one in y), rho, sum(y)) + 3 * _trace4(own, rho, p),
    )


Powers = tuple[int, int, int, int]


def _form(own: int, squares: int, rho: int, total: int) -> int:
    return _mul(own, squares) + _mul(rho, _mul(total, total))


def _trace2(own: int, rho: int, p: Powers) -> int:
    return _mul(_mul(own, own) + 2 * _mul(own, rho), p[1]) + _mul(_mul(rho, rho), _mul(p[0], p[0]))


def _trace3(own: int, rho: int, p: Powers) -> int:
    own2, rho2 = _mul(own, own), _mul(rho, rho)
    return (
        _mul(_mul(own2, own) + 3 * _mul(own2, rho), p[2])
        + 3 * _mul(_mul(own, rho2), _mul(p[0], p[1]))
        + _mul(_mul(rho2, rho), _mul(p[0], _mul(p[0], p[0])))
    )


def _trace4(own: int, rho: int, p: Powers) -> int:
    own2, rho2, first2 = _mul(own, own), _mul(rho, rho), _mul(p[0], p[0])
    return (
        _mul(_mul(own2, own2) + 4 * _mul(_mul(own2, own), rho), p[3])
        + _mul(_mul(own2, rho2), 4 * _mul(p[0], p[2]) + 2 * _mul(p[1], p[1]))
        + 4 * _mul(_mul(own, _mul(rho2, rho)), _mul(p[1], first2))
        + _mul(_mul(rho2, rho2), _mul(first2, first2))
    )


def _expand(second: int, third: int, fourth: int, deviation: int) -> tuple[int, int]:
    """Quantile and mean of the tail in standard deviations."""
    if deviation == 0:
        return 0, 0
    cube, square = _mul(second, deviation), _mul(second, second)
    skew = div_towards_zero(third * ONE, cube) if cube else 0
    excess = div_towards_zero(fourth * ONE, square) if square else 0
    skew2, z2 = _mul(skew, skew), _mul(QUANTILE, QUANTILE)
    he3 = _mul(QUANTILE, z2) - 3 * QUANTILE
    quantile = (
        QUANTILE
        + div_towards_zero(_mul(z2 - ONE, skew), 6)
        + div_towards_zero(_mul(he3, excess), 24)
        - div_towards_zero(_mul(2 * he3 + QUANTILE, skew2), 36)
    )
    tail = (
        ONE
        + div_towards_zero(_mul(QUANTILE, skew), 6)
        + div_towards_zero(_mul(z2 - ONE, excess), 24)
        - div_towards_zero(_mul(2 * z2 - ONE, skew2), 36)
    )
    return quantile, _mul(TAIL_MEAN, tail)


def _mul(x: int, y: int) -> int:
    return div_towards_zero(x * y, ONE)


def _wad(x: int, y: int) -> int:
    return div_towards_zero(x * y, WAD)
