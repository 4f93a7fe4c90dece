"""Perpetual markets, the mirror of `MarketState.sol`, and what is open of options."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ballast.model.refusal import require
from ballast.model.words import trunc_div

RATE_LIFE = 3600
RATE_UNIT = 10**5
MAX_RATE = 2**43 - 1
MAX_FUNDING = (2**73 - 1) * RATE_UNIT
CAP_UNIT = 10**9  # 1e-9 of a unit
CAP_DIGITS = 2**12
CAP_EXPONENTS = 2**4


def _clamp(value: int, bound: int) -> int:
    return max(-bound, min(bound, value))


def is_cap(cap: int) -> bool:
    """Whether a market's word can hold a cap: up to 4095 times a power of ten from 1e-9 to 1e6."""
    digits, exponent = cap // CAP_UNIT, 0
    while digits >= CAP_DIGITS and exponent < CAP_EXPONENTS - 1:
        digits, exponent = digits // 10, exponent + 1
    return digits < CAP_DIGITS and digits * 10**exponent * CAP_UNIT == cap


@dataclass(frozen=True, slots=True)
class MarketState:
    """Open interest and cumulative funding, WAD; the rate counts 1e-13 of cash a second."""

    open_interest: int
    funding: int
    scaled_rate: int
    time: int

    @property
    def rate(self) -> int:
        """Cash that one long unit pays a second, WAD."""
        return self.scaled_rate * RATE_UNIT

    def funding_at(self, now: int) -> int:
        """Cumulative funding for one unit, WAD. A rate speaks for an hour; the sum saturates."""
        return _clamp(self.funding + self.rate * min(now - self.time, RATE_LIFE), MAX_FUNDING)

    def with_rate(self, rate_per_second: int, now: int) -> MarketState:
        """The state at `now` with a new rate from then on, rounded towards zero."""
        scaled = _clamp(trunc_div(rate_per_second, RATE_UNIT), MAX_RATE)
        return MarketState(self.open_interest, self.funding_at(now), scaled, now)

    def with_open_interest(self, open_interest: int) -> MarketState:
        """The state with another open interest, WAD."""
        require(open_interest < 1 << 90, "MarketState_OpenInterestOverflow", open_interest)
        return replace(self, open_interest=open_interest)


@dataclass(frozen=True, slots=True)
class Market:
    """A market and the greatest open interest that a trade may reach, WAD."""

    state: MarketState
    cap: int = 0


@dataclass(frozen=True, slots=True)
class OptionMarket:
    """Option units open in all series of an underlying, Σ of long sizes, and their cap. WAD."""

    open_interest: int = 0
    cap: int = 0


@dataclass(frozen=True, slots=True)
class SeriesInterest:
    """Σ of long and Σ of short sizes of an option series, WAD."""

    long: int = 0
    short: int = 0

    def moved(self, long_delta: int, short_delta: int) -> SeriesInterest:
        """Both sides after a change."""
        return SeriesInterest(self.long + long_delta, self.short + short_delta)
