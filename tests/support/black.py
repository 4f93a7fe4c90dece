"""Undiscounted Black-76 to forty digits, against which the kernels are measured."""

from __future__ import annotations

from decimal import Decimal, localcontext

from ballast.risk.normal_table import normal_cdf, normal_density

_FAR = Decimal(12)  # beyond, Φ is 0 or 1 to 32 digits


def cdf(x: Decimal) -> Decimal:
    """Φ(x)."""
    if abs(x) > _FAR:
        return Decimal(int(x > 0))
    return normal_cdf(x)


def call(ratio: Decimal, deviation: Decimal, factor: Decimal = Decimal(1)) -> Decimal:
    """f·Φ(d1) − κ·Φ(d2)."""
    with localcontext() as context:
        context.prec = 60
        d1 = (factor / ratio).ln() / deviation + deviation / 2
        return factor * cdf(d1) - ratio * cdf(d1 - deviation)


def density_at(ratio: Decimal, deviation: Decimal) -> Decimal:
    """φ(d1)."""
    with localcontext() as context:
        context.prec = 60
        return normal_density((1 / ratio).ln() / deviation + deviation / 2)
