"""Slices to publish: a stated synthetic surface for devnets, or fits of a file of quotes.

expiry,strike,volatility,forward,spot
2026-01-30T08:00:00Z,2000,0.62,2010,2000
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from math import inf
from pathlib import Path

from ballast.codec import VolatilitySlice
from ballast.oracle.volatility import Neighbour
from ballast.units import YEAR
from ballast.volatility.calibrate import CalibrationError, VolatilityQuote, calibrate

COLUMNS = ("expiry", "strike", "volatility", "forward", "spot")


class QuotesError(ValueError):
    """A file of quotes that cannot be published."""


def model_slice(
    expiry: int, now: int, volatility: float = 0.6, carry: float = 0.05
) -> VolatilitySlice:
    """One expiry of the devnet's surface: a mild skew around `volatility`, a forward with `carry`.

    In units of a standard deviation its shape is the same for every expiry, so slices do not cross.
    """
    tau = max(expiry - now, 3600) / YEAR
    deviation = volatility * tau**0.5
    least, s, rho = 0.92, 0.6, -0.25
    slope = (1 - least) / (s * (1 - (1 - rho**2) ** 0.5) + s * 0.25)
    return VolatilitySlice(
        a=round(volatility**2 * (least - slope * s * (1 - rho**2) ** 0.5 / 4) * 1e8),
        b=round(volatility**2 * slope / deviation / 4 * 1e7),
        rho=round(rho * 1e6),
        mu=0,
        s=round(s * deviation * 1e6),
        forward=round((1 + carry * tau) * 1e8),
        time=now,
    )


def read_quotes(path: Path, now: int) -> dict[int, VolatilitySlice]:
    """Slices by expiry, each fitted over the one before it. Errors name file, line and column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return fit_quotes(file, now, str(path))
    except OSError as error:
        raise QuotesError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise QuotesError(f"{path} is not a text file") from None


def fit_quotes(lines: Iterable[str], now: int, name: str) -> dict[int, VolatilitySlice]:
    """The same of the lines of a file; expiries that have passed are left out."""
    rows = sorted(row for row in _rows(lines, name) if row[0] > now)
    found: dict[int, VolatilitySlice] = {}
    before: Neighbour | None = None
    for expiry, group in groupby(rows, key=lambda row: row[0]):
        items = list(group)
        forward, spot = items[0][3:]
        quotes = [VolatilityQuote(strike, volatility) for _, strike, volatility, *_ in items]
        try:
            fit = calibrate(
                quotes, spot=spot, forward=forward, expiry=expiry, time=now, before=before
            )
        except CalibrationError as error:
            moment = datetime.fromtimestamp(expiry, UTC).isoformat()
            raise QuotesError(f"{name}, expiry {moment}: {error}") from None
        found[expiry] = fit.slice
        before = Neighbour(fit.slice, expiry)
    if not found:
        raise QuotesError(f"{name} has no quotes of an expiry that lies ahead")
    return found


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, float, float, float, float]]:
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise QuotesError(f"{name}, line 1: the columns must be {','.join(COLUMNS)}")
    for row in reader:
        at = f"{name}, line {reader.line_num}"
        strike, volatility, forward, spot = (_number(row, column, at) for column in COLUMNS[1:])
        yield _moment(row["expiry"], at), strike, volatility, forward, spot


def _moment(text: str | None, at: str) -> int:
    try:
        when = datetime.fromisoformat(text or "")
    except ValueError:
        raise QuotesError(f"{at}, column expiry: {text!r} is no time") from None
    if when.tzinfo is None:
        raise QuotesError(f"{at}, column expiry: {text!r} names no time zone (Z is UTC)")
    return int(when.timestamp())


def _number(row: Mapping[str, str | None], column: str, at: str) -> float:
    try:
        value = float(row[column] or "")
    except ValueError:
        raise QuotesError(f"{at}, column {column}: {row[column]!r} is not a number") from None
    if not 0 < value < inf:
        raise QuotesError(f"{at}, column {column}: {row[column]!r} is not over zero")
    return value
