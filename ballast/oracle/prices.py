"""Prices from a CSV file, as publishers replay them: a column `time` and one for each underlying.

time,BTC,ETH
2024-01-01T00:00:00Z,42280.1,2281.9
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ballast.oracle.reports import Report
from ballast.units import BPS, UnitsError, to_wad

_UNIX = re.compile(r"[0-9]{1,10}")


class PricesError(ValueError):
    """A price file that cannot be published."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """Prices at one moment, WAD dollars by the name of the underlying."""

    time: int
    prices: dict[str, int]


@dataclass(frozen=True, slots=True)
class Quoting:
    """How a publisher quotes around a price, all in 1e-4 of it.

    `spread` is the half-width; `impact_premium` is how far the perpetual trades over the index,
    None where the publisher does not say.
    """

    spread: int = 5
    impact_premium: int | None = None


def read_prices(path: Path, known: Iterable[str]) -> list[PriceRow]:
    """Read a file; `known` are the underlyings that may be columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return parse_prices(file, known, str(path))
    except OSError as error:
        raise PricesError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PricesError(f"{path} is not a text file") from None


def parse_prices(lines: Iterable[str], known: Iterable[str], name: str) -> list[PriceRow]:
    """Parse the lines of a file. Errors name line and column."""
    reader = csv.reader(lines)
    names = _header(next(reader, []), list(known), name)
    rows: list[PriceRow] = []
    for values in reader:
        at = f"{name}, line {reader.line_num}"
        if not values:
            continue
        if len(values) != len(names) + 1:
            raise PricesError(f"{at}: {len(values)} columns instead of {len(names) + 1}")
        row = PriceRow(
            time=_time(values[0], at),
            prices={n: _price(v, n, at) for n, v in zip(names, values[1:], strict=True)},
        )
        if rows and row.time <= rows[-1].time:
            raise PricesError(f"{at}, column time: {values[0]!r} is not after the line before")
        rows.append(row)
    if not rows:
        raise PricesError(f"{name} has no prices")
    return rows


def _header(header: Sequence[str], known: Sequence[str], name: str) -> list[str]:
    columns = [column.strip() for column in header]
    if not columns or columns[0] != "time":
        raise PricesError(f"{name}, line 1: the first column must be time, not {header[:1]}")
    names = columns[1:]
    if not names:
        raise PricesError(f"{name}, line 1: there is no column with prices")
    for column in names:
        if column not in known:
            listed = ", ".join(known)
            raise PricesError(f"{name}, line 1, column {column!r}: no underlying of {listed}")
        if names.count(column) > 1:
            raise PricesError(f"{name}, line 1, column {column!r}: is there twice")
    return names


def _time(text: str, at: str) -> int:
    """Unix seconds or ISO 8601; without a zone it is UTC."""
    text = text.strip()
    if _UNIX.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PricesError(f"{at}, column time: {text!r} is no time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _price(text: str, column: str, at: str) -> int:
    try:
        price = to_wad(text.strip(), "floor")
    except UnitsError as error:
        raise PricesError(f"{at}, column {column}: {error}") from None
    if price <= 0:
        raise PricesError(f"{at}, column {column}: {text!r} is no price")
    return price


def schedule(
    rows: list[PriceRow], interval: float | None, speed: float
) -> Iterator[tuple[PriceRow, float]]:
    """Each row and how many seconds to wait before it."""
    before = rows[0].time
    for number, row in enumerate(rows):
        own = (row.time - before) / speed
        yield row, own if interval is None else (interval if number else 0)
        before = row.time


def make_report(underlying: int, price: int, time: int, quoting: Quoting) -> Report:
    """What a publisher says of one underlying at one moment."""
    confidence = price * quoting.spread // BPS
    if quoting.impact_premium is None:
        return Report(underlying, price, confidence, time)
    middle = price + price * quoting.impact_premium // BPS
    return Report(underlying, price, confidence, time, middle - confidence, middle + confidence)
