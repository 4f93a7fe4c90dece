"""Which expiries an underlying should have: 08:00 UTC daily, on Fridays, at the ends of months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice

from ballast.oracle.fixing import DAY, TIME_OF_DAY

MIN_LEAD = 3600
MAX_LIVE = 8
FRIDAY = 1  # of the days since 1970-01-01, a Thursday, modulo 7


@dataclass(frozen=True, slots=True)
class ExpiryRule:
    """How many expiries of each kind; one that is of two kinds counts for both."""

    daily: int = 2
    weekly: int = 2
    monthly: int = 3


def wanted(rule: ExpiryRule, now: int) -> list[int]:
    """The expiries that the rule asks for now, ascending, at most as many as may live."""
    first = (now + MIN_LEAD - TIME_OF_DAY + DAY - 1) // DAY
    fridays = (day for day in count(first) if day % 7 == FRIDAY)
    last_fridays = (day for day in count(first) if _is_last_friday(day))
    days = {
        *islice(count(first), rule.daily),
        *islice(fridays, rule.weekly),
        *islice(last_fridays, rule.monthly),
    }
    return [day * DAY + TIME_OF_DAY for day in sorted(days)][:MAX_LIVE]


def missing(rule: ExpiryRule, live: Sequence[int], now: int, max_live: int) -> list[int]:
    """Those that are not allowed yet, as many as there is room for."""
    absent = [expiry for expiry in wanted(rule, now) if expiry not in live]
    return absent[: max(0, max_live - len(live))]


def _is_last_friday(day: int) -> bool:
    return day % 7 == FRIDAY and _month(day) != _month(day + 7)


def _month(day: int) -> int:
    """The month of a day since 1970-01-01."""
    return datetime.fromtimestamp(day * DAY, UTC).month
