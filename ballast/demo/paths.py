"""Price paths of BTC and ETH: read from a file, or made from a seed.

The path that ships is `make(SEED)`; `python -m ballast.demo.paths` writes it anew.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

COLUMNS = ("time", "BTC", "ETH")
SEED = 7
SHIPPED = Path(__file__).with_name("path.csv")

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


class PathError(ValueError):
    """A price file that cannot be replayed; the message names the line."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Prices at one moment: unix seconds, and dollars by symbol."""

    time: int
    prices: dict[str, Decimal]


# ---- Reading ----------------------------------------------------------------------------------


def parse_time(text: str) -> int:
    """Unix seconds, from a number or an ISO date (UTC if it names no zone)."""
    text = text.strip()
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PathError(f"{text!r} is neither unix seconds nor an ISO date") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _price(symbol: str, text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise PathError(f"{symbol} {text!r} is not a number") from None
    if not price.is_finite() or price <= 0:
        raise PathError(f"{symbol} {text!r} is not a positive price")
    return price


def _tick(row: Sequence[str]) -> Tick:
    if len(row) != len(COLUMNS):
        raise PathError(f"expected the columns {','.join(COLUMNS)}, found {len(row)} values")
    prices = {name: _price(name, text) for name, text in zip(COLUMNS[1:], row[1:], strict=True)}
    return Tick(parse_time(row[0]), prices)


def parse(lines: Iterable[str], source: str = "path") -> list[Tick]:
    """The ticks of a CSV with the columns time,BTC,ETH; times must ascend."""
    rows = csv.reader(lines)
    header = next(rows, [])
    if tuple(name.strip() for name in header) != COLUMNS:
        raise PathError(f"{source}: the first line must be {','.join(COLUMNS)}, not {header}")
    ticks: list[Tick] = []
    for row in rows:
        if not row:
            continue
        try:
            tick = _tick(row)
            if ticks and tick.time <= ticks[-1].time:
                raise PathError(f"time {row[0]} is not after the line before")
        except PathError as error:
            raise PathError(f"{source}, line {rows.line_num}: {error}") from None
        ticks.append(tick)
    return ticks


def read(file: Path, since: int | None = None, until: int | None = None) -> list[Tick]:
    """The ticks of a file within [since, until]; at least two must be left."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            ticks = parse(lines, str(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PathError(f"{file}: {error}") from None
    first, last = since or 0, until if until is not None else math.inf
    chosen = [tick for tick in ticks if first <= tick.time <= last]
    if len(chosen) < 2:
        raise PathError(f"{file}: {len(chosen)} of {len(ticks)} ticks lie in the window; need two")
    return chosen


# ---- Making -----------------------------------------------------------------------------------


def _moves(rng: random.Random, hours: int, total: float, noise: float) -> list[float]:
    """Hourly log moves that come to `total`: uneven shares of it, and noise that cancels."""
    shares = [rng.uniform(0.5, 1.5) for _ in range(hours)]
    shocks = [rng.gauss(0.0, noise) for _ in range(hours)]
    mean = sum(shocks) / hours
    scale = math.log1p(total) / sum(shares)
    return [scale * share + shock - mean for share, shock in zip(shares, shocks, strict=True)]


def make(seed: int = SEED) -> list[Tick]:
    """Two days in hourly steps with a crash of about a third, the same for the same seed."""
    rng = random.Random(seed)
    btc, eth = _FIRST["BTC"], _FIRST["ETH"]
    time = int(_START.timestamp())
    ticks = [_rounded(time, btc, eth)]
    for hours, total, beta, noise in _ACTS:
        for move in _moves(rng, hours, total, noise):
            btc *= math.exp(move)
            eth *= math.exp(beta * move + rng.gauss(0.0, noise / 4))
            time += _HOUR
            ticks.append(_rounded(time, btc, eth))
    return ticks


def _rounded(time: int, btc: float, eth: float) -> Tick:
    return Tick(time, {"BTC": Decimal(f"{btc:.2f}"), "ETH": Decimal(f"{eth:.2f}")})


def render(ticks: Iterable[Tick]) -> str:
    """The ticks as a CSV."""
    lines = [",".join(COLUMNS)]
    for tick in ticks:
        moment = datetime.fromtimestamp(tick.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(",".join([moment, *(str(tick.prices[name]) for name in COLUMNS[1:])]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    SHIPPED.write_text(render(make()), encoding="utf-8")
