"""What a stale price costs a position, and what it may be worth to it: `Staleness.sol`."""

from __future__ import annotations

from math import isqrt

from ballast.risk.scenarios import RATIO
from ballast.units import div_ceil

STALE_STEP = 4 * 60 * 60
MAX_CREDITED_AGE = 60 * 60
MOST_SURCHARGE = 2 * RATIO


def widening_at(age: int) -> int:
    """√(1 + age/4 h) in 1e-8, rounded up."""
    square = div_ceil(RATIO**2 * (STALE_STEP + age), STALE_STEP)
    root = isqrt(square)
    return root if root**2 == square else root + 1


def surcharge_at(overdue: int) -> int:
    """What a slice that is overdue adds to the vol risk of its expiry in IM, 1e-8."""
    return min(widening_at(overdue) - RATIO, MOST_SURCHARGE)


def shift_at(scan_range: int, age: int) -> int:
    """The part of a price by which it may have moved unseen, rounded down; none after an hour."""
    return scan_range * age // STALE_STEP if age <= MAX_CREDITED_AGE else 0
