"""Options of an account, in exact integers: the mirror of `OptionPricing.sol` and its neighbours.

A value in "counts" counts 2^-40 · 1e-30 of cash, the unit in which prices of the kernel are summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ballast.codec import PRICE_UNIT, Snapshot, VolatilitySlice
from ballast.fixed_point import div_towards_zero, exp_wad, sqrt
from ballast.risk import option_kernel as kernel
from ballast.risk.logarithm import ln
from ballast.risk.scenarios import CORE_COLUMNS, RATIO, TAILS, quarters
from ballast.svi import annual_variance
from ballast.units import WAD, YEAR

WINDOW = 30 * 60
ONE = 1 << kernel.RATIO_SHIFT
LOSS_COUNTS = 2500 << kernel.PRICE_SHIFT  # counts in 1e-8 quarters of WAD

SLOPE = 2749  # a quarter of 1e-8 in counts of 2^-40, rounded up
LEAST_SLACK = 1024
FAR_SLACK = 1 << 42
FAR_KAPPA = 64 * ONE
FAR_DEVIATION = 5 * WAD // 2

SHOCK_UP = WAD // 2
SHOCK_DOWN = 3 * WAD // 10
LEAST_UP_SQUARED = 16 * WAD // 100
POWER_SHORT = 3 * WAD // 10
POWER_LONG = 13 * WAD // 100
SHOCK_TERM = 30 * 86_400
SHOCK_LEAST_TERM = 86_400


class OptionPrices(Protocol):
    """What pricing options needs of the oracle."""

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry; zero if nothing was ever published."""
        ...

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        """Elapsed seconds of the last 30 minutes, and the mean over them in WAD."""
        ...


class NoOptions:
    """A world in which no volatility was ever published."""

    def slice(self, underlying: int, expiry: int) -> int:
        return 0

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return 0, 0


@dataclass(frozen=True, slots=True)
class Term:
    """What the options of one expiry are priced with; the fields are those of the contract."""

    slice: VolatilitySlice
    forward: int
    open: int
    known: int
    time: int
    span: int
    divisor: int
    up: int
    down: int
    least_up: int

    @classmethod
    def make(
        cls, snapshot: Snapshot, word: VolatilitySlice, date: int, now: int, mean: tuple[int, int]
    ) -> Term:
        """The term of an expiry that is not settled; `mean` is the part that is known."""
        forward = max(snapshot.price // PRICE_UNIT * word.forward // RATIO, 1)
        time = max(0, date - now)
        elapsed = min(mean[0], WINDOW)
        span = time if time < WINDOW else time - WINDOW * 2 // 3
        divisor = 3 * YEAR if time < WINDOW else YEAR
        g = shock_growth(time)
        return cls(
            slice=word,
            forward=forward,
            open=(WINDOW - elapsed) * ONE // WINDOW,
            known=mean[1] // PRICE_UNIT * elapsed * ONE // (WINDOW * forward),
            time=time,
            span=span,
            divisor=divisor,
            up=WAD + SHOCK_UP * g // WAD,
            down=max(0, WAD - SHOCK_DOWN * g // WAD),
            least_up=sqrt(LEAST_UP_SQUARED * span * WAD // divisor),
        )

    @property
    def factor(self) -> int:
        """The settlement price if nothing moves, over the forward, 2^-64."""
        return self.known + self.open

    def moneyness(self, strike: int) -> tuple[int, int]:
        """A strike (1e-8) over the forward, 2^-64, and its logarithm, WAD."""
        kappa = min(strike * 10**4 * ONE // self.forward, kernel.GREATEST_RATIO)
        return kappa, ln(kappa)

    def deviation(self, log_kappa: int) -> int:
        """σ·√τ, WAD, before the known part of the settlement price damps it."""
        return sqrt(annual_variance(self.slice, log_kappa) * self.span * WAD // self.divisor)


def shock_growth(time: int) -> int:
    """(30 d / max(DTE, 1 d))^p, WAD."""
    term = max(time, SHOCK_LEAST_TERM)
    power = POWER_SHORT if term < SHOCK_TERM else POWER_LONG
    return exp_wad(div_towards_zero(ln(SHOCK_TERM * ONE // term) * power, WAD))


def damped(deviation: int, opened: int, f: int, factor: int) -> int:
    """A deviation after the forward moved to f of itself, when only a part of the mean is open."""
    return 0 if factor == 0 else deviation * (opened * f >> 64) // factor


def usable(deviation: int) -> int:
    """A deviation that the kernel takes."""
    return max(deviation, kernel.LEAST_DEVIATION) if deviation else 1


@dataclass(slots=True)
class Strike:
    """What an account holds at one strike, puts turned into calls."""

    price: int
    net: int = 0
    puts: int = 0
    log_kappa: int = 0
    kappa: int = 0
    deviation_up: int = 0
    deviation_down: int = 0
    amount: int = 0

    @property
    def is_far(self) -> bool:
        """Whether nothing bounds how its price changes with the forward."""
        return self.kappa >= FAR_KAPPA or self.deviation_up >= FAR_DEVIATION

    def quote(self, term: Term) -> tuple[int, int]:
        """Prepare the record for scenarios; its price in counts of 2^-40 of the forward, Φ(d1)."""
        self.kappa, self.log_kappa = term.moneyness(self.price)
        s = term.deviation(self.log_kappa)
        self.deviation_up = usable(max(s * term.up // WAD, term.least_up))
        self.deviation_down = usable(s * term.down // WAD)
        self.amount = self.net * term.forward
        factor = term.factor
        if factor == term.open == ONE:
            return kernel.price(usable(s), self.log_kappa, self.kappa)
        s = usable(damped(s, term.open, ONE, factor))
        log_factor = ln(factor)
        return kernel.price(s, self.log_kappa, self.kappa, log_factor, factor)


@dataclass(slots=True)
class Totals:
    """What the options of one expiry come to; the units are those of the contract."""

    worth: int = 0
    parity: int = 0
    delta: int = 0
    short: int = 0


@dataclass(slots=True)
class Expiry:
    """The options of one expiry in an account."""

    date: int
    strikes: dict[int, Strike] = field(default_factory=dict)
    value: int = 0
    open: int = 0
    known: int = 0
    surcharge: int = 0

    def add(self, price: int, size: int, is_put: bool) -> None:
        strike = self.strikes.setdefault(price, Strike(price))
        strike.net += size
        strike.puts += size if is_put else 0

    def quote(self, term: Term) -> Totals:
        """Value the options and prepare their records for scenarios."""
        totals = Totals()
        settlement = term.forward * PRICE_UNIT * term.factor >> 64
        for strike in self.strikes.values():
            totals.worth -= strike.puts * (settlement - strike.price * 10**10)
            totals.parity -= strike.puts
            totals.delta -= strike.puts << 40
            if strike.net == 0:
                continue
            totals.short += max(0, -strike.net)
            v, delta = strike.quote(term)
            self.value += v * strike.amount
            totals.worth += strike.net * -(-v * term.forward * PRICE_UNIT >> 40)
            totals.delta += strike.net * delta
        totals.parity *= term.forward * term.open >> 64
        self.open, self.known = term.open, term.known
        return totals

    def slack_for(self, change: int) -> int:
        """What it may lose besides for a quarter of a range that differs by `change`, in counts."""
        near = (2 * change + LEAST_SLACK) * SLOPE
        return sum(
            abs(one.amount) * (FAR_SLACK if one.is_far else near) for one in self.strikes.values()
        )

    def payoffs(self, settlement_price: int) -> int:
        """Value of the options once the expiry is settled, 1e-36 of cash."""
        worth = 0
        for strike in self.strikes.values():
            exercised = settlement_price - strike.price * 10**10
            worth += strike.net * max(exercised, 0) - strike.puts * exercised
        return worth

    def value_in(self, column: int, scan_range: int) -> int:
        """Value in a scenario before its weight, in counts."""
        prices = self.prices_in(column, scan_range)
        return sum(strike.amount * price for strike, price in prices)

    def prices_in(self, column: int, scan_range: int) -> Iterator[tuple[Strike, int]]:
        """What a call of each strike is worth in a scenario, in counts of 2^-40 of the forward."""
        f = (node_factor(column, scan_range) << 64) // WAD
        is_down = column < CORE_COLUMNS and column % 2 == 1
        whole = self.open == ONE
        factor = f if whole else self.known + (self.open * f >> 64)
        log_factor = ln(factor)
        for strike in self.strikes.values():
            if strike.amount == 0:
                continue
            s = strike.deviation_down if is_down else strike.deviation_up
            s = s if whole else usable(damped(s, self.open, f, factor))
            price = kernel.value_at(log_factor, factor, s, strike.log_kappa, strike.kappa)
            yield strike, price


def node_factor(column: int, scan_range: int) -> int:
    """1 + move of a column before its weight, WAD."""
    if column >= CORE_COLUMNS:
        return WAD + TAILS[column - CORE_COLUMNS] * 10**10
    return WAD + quarters(column) * scan_range * 25 * 10**8


def find_or_add(expiries: list[Expiry], date: int) -> Expiry:
    """The record of a date."""
    for expiry in expiries:
        if expiry.date == date:
            return expiry
    expiries.append(Expiry(date))
    return expiries[-1]


def value_of(expiries: Iterable[Expiry]) -> int:
    """Value of all, in counts."""
    return sum(expiry.value for expiry in expiries)
