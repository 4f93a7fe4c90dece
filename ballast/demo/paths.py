"""Price paths of BTC and ETH: read from a file, or made from a seed.

The path that ships is `make(SEED)`; `python -m ballast.demo.paths` writes it anew.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ballast.oracle.prices import PriceRow, PricesError, read_prices
from ballast.units import from_wad, to_wad

SYMBOLS = ("BTC", "ETH")
SEED = 7
SHIPPED = Path(__file__).with_name("path.csv")
WINDOW = 30 * 60
OBSERVED_EVERY = 180
LEAST_APART = 60  # seconds: the keeper's transactions of a tick take some blocks

_START = datetime(2026, 3, 9, tzinfo=UTC)
_HOUR = 3600
_FIRST = {"BTC": 64_000.0, "ETH": 3_100.0}

# Hours of each act, the move of BTC that it comes to, the beta of ETH, the noise of an hour.
_ACTS = (
    (14, +0.03, 1.2, 0.004),
    (10, -0.07, 1.2, 0.006),
    (9, -0.31, 1.15, 0.010),
    (7, +0.09, 1.3, 0.009),
    (8, -0.02, 1.1, 0.006),
)


# ---- Reading ----------------------------------------------------------------------------------


def read(file: Path, since: int | None = None, until: int | None = None) -> list[PriceRow]:
    """The rows of a file within [since, until]; at least two must be left, of BTC and ETH."""
    rows = read_prices(file, SYMBOLS)
    missing = [name for name in SYMBOLS if name not in rows[0].prices]
    if missing:
        raise PricesError(f"{file}, line 1: there is no column {missing[0]}")
    first, last = since or 0, math.inf if until is None else until
    chosen = [row for row in rows if first <= row.time <= last]
    if len(chosen) < 2:
        raise PricesError(f"{file}: {len(chosen)} of {len(rows)} rows lie in the window; need two")
    return chosen


# ---- Settlement windows -----------------------------------------------------------------------


def with_window(rows: Sequence[PriceRow], expiry: int) -> list[PriceRow]:
    """The rows, and more of them on the lines between, so that an expiry settles at the mean of its
    last half hour: from before the window to its end, none more than three minutes apart."""
    times = {row.time for row in rows}
    wanted = range(expiry - WINDOW - 2 * OBSERVED_EVERY // 3, expiry, OBSERVED_EVERY)
    added = [
        _between(before, after, moment)
        for before, after in pairwise(rows)
        for moment in wanted
        if before.time < moment < after.time
        and all(abs(moment - time) >= LEAST_APART for time in times)
    ]
    return sorted([*rows, *added], key=lambda row: row.time)


def _between(before: PriceRow, after: PriceRow, moment: int) -> PriceRow:
    """The prices of a moment on the line between two rows."""
    part, whole = moment - before.time, after.time - before.time
    moved = {name: (after.prices[name] - price) * part for name, price in before.prices.items()}
    return PriceRow(moment, {n: p + moved[n] // whole for n, p in before.prices.items()})


# ---- Making -----------------------------------------------------------------------------------


def _moves(rng: random.Random, hours: int, total: float, noise: float) -> list[float]:
    """Hourly log moves that come to `total`: uneven shares of it, and noise that cancels."""
    shares = [rng.uniform(0.5, 1.5) for _ in range(hours)]
    shocks = [rng.gauss(0.0, noise) for _ in range(hours)]
    mean = sum(shocks) / hours
    scale = math.log1p(total) / sum(shares)
    return [scale * share + shock - mean for share, shock in zip(shares, shocks, strict=True)]


def make(seed: int = SEED) -> list[PriceRow]:
    """Two days in hourly steps with a crash of about a third, the same for the same seed."""
    rng = random.Random(seed)
    btc, eth = _FIRST["BTC"], _FIRST["ETH"]
    time = int(_START.timestamp())
    rows = [_rounded(time, btc, eth)]
    for hours, total, beta, noise in _ACTS:
        for move in _moves(rng, hours, total, noise):
            btc *= math.exp(move)
            eth *= math.exp(beta * move + rng.gauss(0.0, noise / 4))
            time += _HOUR
            rows.append(_rounded(time, btc, eth))
    return rows


def _rounded(time: int, btc: float, eth: float) -> PriceRow:
    return PriceRow(time, {"BTC": to_wad(f"{btc:.2f}"), "ETH": to_wad(f"{eth:.2f}")})


def render(rows: Iterable[PriceRow]) -> str:
    """The rows as a CSV."""
    lines = [",".join(("time", *SYMBOLS))]
    for row in rows:
        moment = datetime.fromtimestamp(row.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        prices = (f"{from_wad(row.prices[name]):.2f}" for name in SYMBOLS)
        lines.append(",".join([moment, *prices]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    SHIPPED.write_text(render(make()), encoding="utf-8")
