"""What options are worth, in exact integers: the mirror of `contracts/risk/OptionPricing.sol`.

Strikes count 1e-8 of cash, a forward 1e-12, parts of a settlement price 2^-64, worth 1e-36 of cash
and a delta WAD × 2^40 on the open part of the settlement price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ballast.codec import PRICE_UNIT, Snapshot
from ballast.fixed_point import ln_wad, sqrt
from ballast.oracle.volatility import FIXED, Slice
from ballast.risk import option_kernel as kernel
from ballast.units import WAD, YEAR

WINDOW = 30 * 60
ONE = 1 << 64
STRIKE_UNIT = 10**10  # 1e-8 of cash in WAD
RATIO = 10**8


class Volatilities(Protocol):
    """Words of the slices, and what is known of settlement means."""

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry; zero if it has none."""

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        """Elapsed seconds of the last half hour, and the mean over them, WAD of cash."""


class NoVolatility:
    """A market in which no slice was ever published."""

    def slice(self, underlying: int, expiry: int) -> int:
        """None."""
        return 0

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        """Nothing is known."""
        return 0, 0


@dataclass(frozen=True, slots=True)
class Term:
    """What the options of one expiry that is not settled are priced with."""

    slice: Slice
    forward: int
    open: int
    known: int
    time: int
    divisor: int

    @property
    def factor(self) -> int:
        """The settlement price if nothing moves, over the forward."""
        return self.known + self.open

    @property
    def settlement(self) -> int:
        """The settlement price if nothing moves, WAD of cash."""
        return self.forward * PRICE_UNIT * self.factor >> 64

    def moneyness(self, strike: int) -> tuple[int, int]:
        """Strike over forward, 2^-64, and its logarithm, WAD."""
        price = strike * (STRIKE_UNIT // PRICE_UNIT)
        kappa = min(price * ONE // self.forward, kernel.GREATEST_RATIO)
        return kappa, ln_wad(max(price * WAD // self.forward, 1))

    def deviation(self, log_kappa: int) -> int:
        """σ·√τ, WAD, before the known part of the settlement price damps it."""
        return sqrt(self.slice.valuation(log_kappa) * self.time * WAD // self.divisor)

    def damped(self, deviation: int) -> int:
        """A deviation of the settlement price, of which only the open part still moves."""
        return deviation * self.open // self.factor if self.factor else 0


def is_fixed(word: int) -> bool:
    """Whether the word of an expiry is a settlement price."""
    return bool(word & FIXED)


def settlement_price(word: int) -> int:
    """Settlement price of a settled expiry, WAD of cash."""
    return word % 2**128


def term(snapshot: Snapshot, word: int, date: int, now: int, elapsed: int, mean: int) -> Term:
    """The term of an expiry that is not settled."""
    found = Slice.decode(word)
    forward = max(snapshot.price // PRICE_UNIT * found.forward // RATIO, 1)
    elapsed, time = min(elapsed, WINDOW), max(date - now, 0)
    return Term(
        slice=found,
        forward=forward,
        open=(WINDOW - elapsed) * ONE // WINDOW,
        known=mean // PRICE_UNIT * elapsed * ONE // (WINDOW * forward),
        time=time,
        divisor=3 * YEAR if time < WINDOW else YEAR,
    )


def call_of(given: Term, strike: int) -> tuple[int, int]:
    """Price of one call, WAD of cash, rounded up, and its Φ(d1), counts of 2^-40."""
    kappa, log_kappa = given.moneyness(strike)
    deviation = given.deviation(log_kappa)
    if given.factor == ONE and given.open == ONE:
        v, delta = kernel.price(_usable(deviation), log_kappa, kappa)
    else:
        log_factor = ln_wad(max(given.factor * WAD >> 64, 1))
        s = _usable(given.damped(deviation))
        v, delta = kernel.price(s, log_kappa, kappa, log_factor, given.factor)
    return (v * given.forward * PRICE_UNIT + 2**40 - 1) >> 40, delta


def worth_of(given: Term, size: int, strike: int, is_put: bool) -> tuple[int, int]:
    """Worth of a position, and its delta. A put is a call less the forward, by parity."""
    price, delta = call_of(given, strike)
    if is_put:
        price -= given.settlement - strike * STRIKE_UNIT
        delta -= 1 << 40
    return size * price, size * delta


def payoff_of(size: int, strike: int, is_put: bool, settlement: int) -> int:
    """Worth of a position in a settled series."""
    exercised = settlement - strike * STRIKE_UNIT
    return size * max(-exercised if is_put else exercised, 0)


def _usable(deviation: int) -> int:
    """A deviation that the kernel takes: a count of 1e-18 prices at the intrinsic value."""
    return max(deviation, kernel.LEAST_DEVIATION) if deviation else 1
