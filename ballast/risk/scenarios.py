"""The joint scenarios and their names, as `contracts/risk/Scenarios.sol` has them.

23 columns. 0 … 17: core node i of 9, moving every underlying by (i − 4)/4 of its scan range, with
implied volatility up (column 2·i) or down (2·i + 1). 18 … 22: the tails, weighted by
min(1, θ·R/|move|). Ratios count 1e-8.
"""

from __future__ import annotations

from ballast.units import div_ceil

RATIO = 10**8
CORE_COLUMNS = 18
COLUMNS = 23

TERM_RATE = 4000  # κ_v, 1e-4

TAILS = (-66_000_000, -33_000_000, 50_000_000, 100_000_000, 300_000_000)


def quarters(column: int) -> int:
    """Quarters of the scan range by which a core column moves prices, −4 … 4."""
    return column // 2 - 4


def weighted_move(tail: int, scan_range: int) -> int:
    """Weight × move of a tail at a scan range: the move, cut to θ·R in size, θ = 0.9."""
    size = min(abs(TAILS[tail]), div_ceil(scan_range * 9, 10))
    return size if TAILS[tail] > 0 else -size


def name(column: int) -> str:
    """What a column is, for people."""
    if column >= CORE_COLUMNS:
        return f"tail {TAILS[column - CORE_COLUMNS] // 10**6:+d} %"
    volatility = "down" if column % 2 else "up"
    return f"{quarters(column):+d}/4 of the range, volatility {volatility}"
