"""How much more is asked of positions on a stale price: the mirror of `Staleness.sol`."""

from __future__ import annotations

from math import isqrt

from ballast.risk.scenarios import RATIO
from ballast.units import div_ceil

STALE_STEP = 4 * 60 * 60


def widening_at(age: int) -> int:
    """√(1 + age/4 h) in 1e-8, rounded up."""
    square = div_ceil(RATIO**2 * (STALE_STEP + age), STALE_STEP)
    root = isqrt(square)
    return root if root**2 == square else root + 1
