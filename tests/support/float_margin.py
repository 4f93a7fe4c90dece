"""The margin of a book in floating point, from the formulas alone: what the integers approximate.

Prices are fresh and no expiry is within its last half hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, log, sqrt

import numpy as np
from numpy.typing import NDArray

from ballast.codec import Collateral, Option, Perp, Snapshot, VolatilitySlice, decode_positions
from ballast.risk.parameters import Parameters, UnderlyingRisk
from ballast.units import BPS, WAD, YEAR

TAILS = np.array([-0.66, -0.33, 0.5, 1.0, 3.0])
CORE = np.arange(-4, 5) / 4
TERM_RATE = 0.4
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FloatMargin:
    """WAD of cash, and the money that errors are measured by."""

    equity: float
    maintenance: float
    initial: float
    gross: float


def _cdf(x: Floats) -> Floats:
    return np.vectorize(lambda one: erfc(-one / sqrt(2)) / 2)(x)


def call(forward: Floats, strike: float, deviation: float) -> Floats:
    """Undiscounted Black-76."""
    if deviation < 1e-9:
        return np.maximum(forward - strike, 0)
    d1 = np.log(forward / strike) / deviation + deviation / 2
    return forward * _cdf(d1) - strike * _cdf(d1 - deviation)


def variance(slice_: VolatilitySlice, k: float) -> float:
    """Of a year."""
    a, b = slice_.a / 1e8, slice_.b / 1e7
    rho, mu, s = slice_.rho / 1e6, slice_.mu / 1e6, slice_.s / 1e6
    return max(a + b * (rho * (k - mu) + sqrt((k - mu) ** 2 + s**2)), 1e-6)


@dataclass(slots=True)
class Quoted:
    """One option: its value, delta to the forward, and values at moves with volatility shocked."""

    option: Option
    slice: VolatilitySlice
    spot: float
    time: float

    def value(self, moves: Floats, shock: str = "") -> Floats:
        """Of one unit."""
        forward = self.spot * self.slice.forward / 1e8
        strike = self.option.strike / WAD
        s = sqrt(variance(self.slice, log(strike / forward)) * self.span)
        days = max(self.time * 365, 1)
        growth = (30 / days) ** (0.3 if days < 30 else 0.13)
        if shock == "up":
            s = max(s * (1 + 0.5 * growth), 0.4 * sqrt(self.span))
        elif shock == "down":
            s *= max(0.0, 1 - 0.3 * growth)
        moved = forward * (1 + moves)
        return call(moved, strike, s) + (strike - moved if self.option.is_put else 0)

    @property
    def span(self) -> float:
        """Years of variance: the mean of the last half hour varies as a third of it."""
        return self.time - 20 * 60 / YEAR

    @property
    def dollar_delta(self) -> float:
        """Size × dV/dF × F."""
        step = 1e-6
        low, high = self.value(np.array([-step, step]))
        return self.option.size / WAD * float(high - low) / 2 / step


class Book:
    """One underlying of an account."""

    def __init__(self, snapshot: Snapshot, risk: UnderlyingRisk) -> None:
        self.snapshot, self.risk = snapshot, risk
        self.spot = snapshot.price / WAD
        self.linear = self.units = self.add_on = self.add_on_initial = self.gross = 0.0
        self.options: list[Quoted] = []

    def losses(self, scan_range: float) -> tuple[Floats, Floats, float, float]:
        """Core losses (node, volatility), weighted tail losses, L_dec and L_term of it."""
        scan_range = min(scan_range, self.risk.range_cap / BPS)
        moves = CORE * scan_range
        core = np.stack([-self.linear * moves] * 2, axis=1)
        tails = -self.linear * TAILS
        terms: dict[int, Floats] = defaultdict(lambda: np.zeros(2))
        for one in self.options:
            size, now = one.option.size / WAD, one.value(np.zeros(1))[0]
            for column, shock in enumerate(("up", "down")):
                lost = -size * (one.value(moves, shock) - now)
                core[:, column] += lost
                terms[one.option.expiry][column] += lost[4]
            tails = tails - size * (one.value(TAILS, "up") - now)
        tails = tails * np.minimum(1, 0.9 * scan_range / np.abs(TAILS))
        kappa = self.risk.kappa_quarters
        near = core[4 - kappa : 5 + kappa].max()
        broken = max(0.0, near, kappa / 4 * max(core.max(), tails.max()))
        return core, tails, broken, TERM_RATE * sum(max(0, one.max()) for one in terms.values())

    def finish(self) -> None:
        """Add-ons of options."""
        deltas: dict[int, float] = defaultdict(float)
        nets: dict[tuple[int, int], float] = defaultdict(float)
        times: dict[int, float] = {}
        for one in self.options:
            option = one.option
            deltas[option.expiry] += one.dollar_delta
            nets[option.expiry, option.strike] += option.size / WAD
            times[option.expiry] = one.time
            self.gross += abs(option.size) / WAD * (self.spot * 2 + option.strike / WAD)
        for expiry, delta in deltas.items():
            rate = max(self.risk.roll_rate * times[expiry], self.risk.roll_floor) / BPS
            self.add_on += abs(delta) * rate
            self.add_on_initial += abs(delta) * rate
            self.units += delta / self.spot
        short = sum(max(0.0, -net) for net in nets.values()) * self.spot
        self.add_on += short * self.risk.short_option_maintenance / BPS
        self.add_on_initial += short * self.risk.short_option_initial / BPS
        self.add_on_initial += abs(self.units) * self.spot * self.snapshot.confidence / WAD
        pump = self.units * (self.snapshot.price - self.snapshot.stable) / WAD
        self.add_on_initial += max(0, pump)


def margin(
    cash: int,
    words: Sequence[int],
    prices: Mapping[int, Snapshot],
    slices: Mapping[tuple[int, int], VolatilitySlice],
    parameters: Parameters,
    *,
    now: int,
) -> FloatMargin:
    """Equity, MM and IM of the scenario engine."""
    equity = cash / WAD
    books: dict[int, Book] = {}
    for position in decode_positions(list(words)):
        asset = parameters.asset(position.asset) if isinstance(position, Collateral) else None
        name = asset.underlying if asset else position.underlying  # type: ignore[union-attr]
        if name not in books:
            books[name] = Book(prices[name], parameters.underlying(name))
        book = books[name]
        if isinstance(position, Perp):
            mark = prices[name].price / WAD * (1 + prices[name].premium / 1e8)
            money = position.size / WAD * mark
            equity += money + position.quote / WAD
            book.linear += money
            book.units += position.size / WAD
            book.gross += abs(money)
            book.add_on += abs(money) * book.risk.perp_maintenance / BPS
            book.add_on_initial += abs(money) * book.risk.perp_initial / BPS
        elif isinstance(position, Option):
            slice_ = slices[name, position.expiry]
            quoted = Quoted(position, slice_, book.spot, (position.expiry - now) / YEAR)
            equity += position.size / WAD * float(quoted.value(np.zeros(1))[0])
            book.options.append(quoted)
        elif asset:
            units = position.amount / 10**asset.decimals
            equity += units * book.spot
            book.linear += units * book.spot
            book.units += units
            book.gross += units * book.spot
            book.add_on += units * book.spot * asset.haircut / BPS
            book.add_on_initial += units * book.spot * asset.total / BPS
    for book in books.values():
        book.finish()
    return _total(equity, list(books.values()))


def _total(equity: float, books: list[Book]) -> FloatMargin:
    def worst(ranges: list[float]) -> float:
        found = [book.losses(one) for book, one in zip(books, ranges, strict=True)]
        same = sum((one[0] for one in found), np.zeros((9, 2))).max()
        tail = sum((one[1] for one in found), np.zeros(5)).max()
        broken, terms = sum(one[2] for one in found), sum(one[3] for one in found)
        return max(0.0, float(same), float(tail), broken, terms)

    ranges = [book.snapshot.range_maintenance / WAD for book in books]
    maintenance = 0.8 * worst(ranges) + sum(book.add_on for book in books)
    ranges = [book.snapshot.range_initial / WAD for book in books]
    initial = worst(ranges) + sum(book.add_on_initial for book in books)
    gross = sum(book.gross for book in books)
    return FloatMargin(equity, maintenance, max(initial, maintenance), gross)
