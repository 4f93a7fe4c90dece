"""The OracleAdapter in integers: what it makes of observations, to the bit.

Pure functions over `FeedState`. `accept` is `_refresh` of the contract after the sources were read;
a feed has three parts, each of which encodes to the word that the contract stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from ballast.codec import PRICE_UNIT, Snapshot
from ballast.fixed_point import clamp, div_towards_zero, half_life, sqrt
from ballast.units import BPS, WAD, div_ceil

BUCKET = 15 * 60
MASK_68 = (1 << 68) - 1
MAX_CONFIDENCE = 4095
MAX_VARIANCE = (1 << 60) - 1
MAX_RANGE_BPS = 6000
MAX_REPORTS = (1 << 16) - 1

FAST_HALF_LIFE = 11 * 3600
SLOW_HALF_LIFE = 10 * 86400
DECAY_HALF_LIFE = 3 * 86400
PREMIUM_HALF_LIFE = 30 * 60
SAMPLE_SECONDS = 60
SAME_BLOCK_AGE = 15
STABLE_SPEED = 60_000
SUSPECT_REPORTS = 3
SUSPECT_SECONDS = 180

INTEREST = 10**4  # 0.01 % for eight hours, in 1e-8
INTEREST_BAND = 5 * 10**4
FUNDING_PERIOD = 8 * 3600
RATE_BPS = 10**4  # 1e-4 in 1e-8


@dataclass(frozen=True, slots=True)
class Observation:
    """One report of a source, WAD dollars; `price` zero if it has nothing to say."""

    price: int = 0
    confidence: int = 0
    time: int = 0
    impact_bid: int = 0
    impact_ask: int = 0


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """How a feed is made; the fields of the contract's `FeedConfig`, `sources` being addresses."""

    sources: tuple[str, ...] = ()
    min_sources: int = 1
    has_market: bool = False
    max_age: int = 120
    source_max_age: int = 120
    jump_limit_bps: int = 1000
    max_source_confidence_bps: int = 100
    wide_limit: int = 500
    base_range_bps: int = 2200
    min_range_bps: int = 800
    max_range_bps: int = 3000
    premium_clamp_bps: int = 100
    funding_cap_bps: int = 50
    min_price: int = 10**16
    max_price: int = 10**26
    depth: int = 0

    def as_tuple(self) -> tuple[object, ...]:
        """The fields in the order of the contract's struct."""
        values = (getattr(self, name) for name in self.__slots__)
        return tuple(list(v) if isinstance(v, tuple) else v for v in values)


@dataclass(frozen=True, slots=True)
class ScanRange:
    """Variances (WAD an hour), last sample (1e-12 of cash; 900 s), ranges (1e-6)."""

    variance_fast: int = 0
    variance_slow: int = 0
    price: int = 0
    bucket: int = 0
    initial: int = 0
    maintenance: int = 0

    def encode(self) -> int:
        return (
            self.variance_fast << 196
            | self.variance_slow << 136
            | self.price << 68
            | self.bucket << 44
            | self.initial << 22
            | self.maintenance
        )

    @classmethod
    def decode(cls, word: int) -> ScanRange:
        """Read the word of the contract."""
        return cls(
            variance_fast=word >> 196,
            variance_slow=(word >> 136) & MAX_VARIANCE,
            price=(word >> 68) & MASK_68,
            bucket=(word >> 44) & 0xFFFFFF,
            initial=(word >> 22) & 0x3FFFFF,
            maintenance=word & 0x3FFFFF,
        )


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A jump that waits; the price counts 1e-12 of cash."""

    price: int = 0
    first_time: int = 0
    seen_at: int = 0
    last_time: int = 0
    count: int = 0

    def encode(self) -> int:
        return (
            self.price << 112
            | self.first_time << 80
            | self.seen_at << 48
            | self.last_time << 16
            | self.count
        )

    @classmethod
    def decode(cls, word: int) -> Suspicion:
        """Read the word of the contract."""
        return cls(
            price=(word >> 112) & MASK_68,
            first_time=(word >> 80) & 0xFFFFFFFF,
            seen_at=(word >> 48) & 0xFFFFFFFF,
            last_time=(word >> 16) & 0xFFFFFFFF,
            count=word & 0xFFFF,
        )

    def is_confirmed(self, now: int) -> bool:
        return (
            self.count >= SUSPECT_REPORTS
            and self.last_time >= self.first_time + SUSPECT_SECONDS
            and now >= self.seen_at + SUSPECT_SECONDS
        )


@dataclass(frozen=True, slots=True)
class FeedState:
    """All that the adapter knows of a feed."""

    config: FeedConfig
    snapshot: Snapshot = field(default_factory=Snapshot)
    scan: ScanRange = field(default_factory=ScanRange)
    suspicion: Suspicion = field(default_factory=Suspicion)


class Result(Enum):
    """What a refresh came to."""

    NOTHING = "nothing"
    ACCEPTED = "accepted"
    SUSPECTED = "suspected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result, and the funding rate that a market was given (WAD of cash a unit and second)."""

    result: Result
    rate_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What the usable observations say together: WAD dollars, seconds, 1e-5."""

    price: int
    time: int
    confidence: int
    agreed: bool
    count: int


NOTHING = Outcome(Result.NOTHING)


# ---- Observations -----------------------------------------------------------------------------


def is_usable(seen: Observation, config: FeedConfig, now: int) -> bool:
    """Whether an observation may take part in a price."""
    return (
        config.min_price <= seen.price <= config.max_price
        and 0 <= now - seen.time <= config.source_max_age
        and seen.confidence <= seen.price * config.max_source_confidence_bps // BPS
    )


def is_within(base: int, price: int, limit_bps: int) -> bool:
    """Whether two prices differ by at most `limit_bps` of `base`."""
    return abs(base - price) * BPS <= base * limit_bps


def _agree(prices: Sequence[int], limit_bps: int) -> bool:
    """Whether two prices with the median between them lie within the limit of each other."""
    count = len(prices)
    middle = count // 2
    if count < 2:
        return False
    if is_within(prices[middle - 1], prices[middle], limit_bps):
        return True
    return count % 2 == 1 and is_within(prices[middle], prices[middle + 1], limit_bps)


def join(seen: Sequence[Observation], limit_bps: int) -> Quote:
    """One quote of one usable observation or more."""
    prices = sorted(one.price for one in seen)
    count = len(prices)
    median = (prices[(count - 1) // 2] + prices[count // 2]) // 2
    widths = [div_ceil(one.confidence * 10**5, one.price) for one in seen]
    widths.append(div_ceil((prices[-1] - prices[0]) * 10**5, 2 * median))
    return Quote(
        price=median,
        time=max(one.time for one in seen),
        confidence=min(max(widths), MAX_CONFIDENCE),
        agreed=_agree(prices, limit_bps),
        count=count,
    )


# ---- Premium and funding ----------------------------------------------------------------------


def sample_premium(
    seen: Sequence[Observation], index: int, after: int, clamp_bps: int
) -> int | None:
    """Premium (1e-8) of the freshest observation with impact prices that is newer than `after`."""
    known = [
        one
        for one in seen
        if one.time > after and 0 < one.impact_bid <= one.impact_ask and one.impact_ask < 2**128
    ]
    if not known:
        return None
    one = max(known, key=lambda it: it.time)
    edge = max(0, one.impact_bid - index) - max(0, index - one.impact_ask)
    bound = clamp_bps * RATE_BPS
    return clamp(div_towards_zero(edge * 10**8, index), -bound, bound)


def next_premium(premium: int, elapsed: int, sample: int | None, clamp_bps: int) -> int:
    """Premium (1e-8) after `elapsed` seconds with a new sample, or without one."""
    total = premium * half_life(elapsed, PREMIUM_HALF_LIFE)
    if sample is not None:
        total += sample * (WAD - half_life(min(elapsed, SAMPLE_SECONDS), PREMIUM_HALF_LIFE))
    bound = clamp_bps * RATE_BPS
    return clamp(div_towards_zero(total, WAD), -bound, bound)


def rate_per_second(premium: int, cap_bps: int, price: int) -> int:
    """Cash (WAD) that one long unit pays a second; `price` counts 1e-12 of cash."""
    rate = premium + clamp(INTEREST - premium, -INTEREST_BAND, INTEREST_BAND)
    rate = clamp(rate, -cap_bps * RATE_BPS, cap_bps * RATE_BPS)
    return div_towards_zero(rate * price, FUNDING_PERIOD * 100)


# ---- Scan range -------------------------------------------------------------------------------


def _blend(old: int, sample: int, elapsed: int, seconds: int) -> int:
    keep = half_life(elapsed * BUCKET, seconds)
    return div_ceil(old * keep + min(sample, MAX_VARIANCE) * (WAD - keep), WAD)


def _target(config: FeedConfig, variance: int) -> int:
    width = config.base_range_bps * 100 // 4 + div_ceil(9 * sqrt(variance * WAD), 10**12)
    return clamp(width, config.min_range_bps * 100, config.max_range_bps * 100)


def first_range(config: FeedConfig, price: int, time: int) -> ScanRange:
    """The state of a feed at its first accepted price (1e-12 of cash)."""
    width = config.base_range_bps * 100
    return ScanRange(price=price, bucket=time // BUCKET, initial=width, maintenance=width)


def next_range(scan: ScanRange, config: FeedConfig, price: int, time: int) -> ScanRange:
    """Takes in the first accepted price of a later bucket."""
    elapsed = time // BUCKET - scan.bucket
    change = abs(price - scan.price) * WAD // scan.price
    sample = div_ceil(change * change * 4, elapsed * WAD)
    fast = _blend(scan.variance_fast, sample, elapsed, FAST_HALF_LIFE)
    slow = _blend(scan.variance_slow, sample, elapsed, SLOW_HALF_LIFE)
    target = _target(config, max(fast, slow))
    initial = target
    if target < scan.initial:
        keep = half_life(elapsed * BUCKET, DECAY_HALF_LIFE)
        initial += div_ceil((scan.initial - target) * keep, WAD)
    return ScanRange(
        variance_fast=fast,
        variance_slow=slow,
        price=price,
        bucket=time // BUCKET,
        initial=initial,
        maintenance=min(initial, scan.maintenance + elapsed * 2500),
    )


def initial_bps(scan: ScanRange, open_interest: int, depth: int) -> int:
    """Range for the initial margin in 1e-4, concentration included."""
    factor = WAD
    if depth and open_interest > depth * WAD:
        factor += min((open_interest - depth * WAD) // depth, WAD)
    return min(div_ceil(scan.initial * factor, 100 * WAD), MAX_RANGE_BPS)


# ---- Acceptance -------------------------------------------------------------------------------


def stable_at(snapshot: Snapshot, time: int) -> int:
    """The stable price (1e-12 of cash) at `time`: it followed the price that held until then."""
    stable = snapshot.stable // PRICE_UNIT
    price = snapshot.price // PRICE_UNIT
    reach = stable * (time - snapshot.time) // STABLE_SPEED
    step = min(abs(price - stable), reach)
    return stable + step if price > stable else stable - step


def _is_due(state: FeedState, time: int, now: int, block: int) -> bool:
    last = state.snapshot
    if time <= (state.suspicion.last_time if last.suspect else last.time):
        return False
    same_block = last.price != 0 and last.block_tag == block & 0xFF
    return not same_block or now - time < SAME_BLOCK_AGE


def _is_trusted(state: FeedState, quote: Quote, price: int) -> bool:
    last = state.snapshot.price // PRICE_UNIT
    if quote.count > 1:
        return quote.agreed
    return last == 0 or is_within(last, price, state.config.jump_limit_bps)


def _suspect(state: FeedState, quote: Quote, price: int, now: int) -> Suspicion:
    """The suspicion after a report that is not trusted."""
    old = state.suspicion
    if state.snapshot.suspect and is_within(old.price, price, state.config.jump_limit_bps):
        return replace(old, last_time=quote.time, count=min(old.count + 1, MAX_REPORTS))
    return Suspicion(price, quote.time, now, quote.time, 1)


def _accepted(
    state: FeedState,
    seen: Sequence[Observation],
    quote: Quote,
    price: int,
    *,
    block: int,
    open_interest: int,
) -> tuple[FeedState, Outcome]:
    config, last = state.config, state.snapshot
    first = last.price == 0
    premium, rate = 0, None
    if config.has_market:
        clamp_bps = config.premium_clamp_bps
        sample = sample_premium(seen, quote.price, last.time, clamp_bps)
        elapsed = 0 if first else quote.time - last.time
        premium = next_premium(last.premium, elapsed, sample, clamp_bps)
        rate = rate_per_second(premium, config.funding_cap_bps, price)
    scan = state.scan
    if first:
        scan = first_range(config, price, quote.time)
    elif scan.bucket != quote.time // BUCKET:
        scan = next_range(scan, config, price, quote.time)
    snapshot = Snapshot(
        price=price * PRICE_UNIT,
        stable=(price if first else stable_at(last, quote.time)) * PRICE_UNIT,
        time=quote.time,
        max_age=config.max_age // 2 * 2,
        confidence=quote.confidence * 10**13,
        range_maintenance=div_ceil(scan.maintenance, 100) * 10**14,
        range_initial=initial_bps(scan, open_interest if config.has_market else 0, config.depth)
        * 10**14,
        premium=premium,
        block_tag=block & 0xFF,
        wide=quote.confidence > config.wide_limit,
    )
    new = replace(state, snapshot=snapshot, scan=scan)
    return new, Outcome(Result.ACCEPTED, rate)


def accept(
    state: FeedState,
    observations: Sequence[Observation],
    now: int,
    block: int,
    *,
    cash_price: int | None = WAD,
    open_interest: int = 0,
) -> tuple[FeedState, Outcome]:
    """The feed after a refresh that read `observations`, one of each source in their order.

    `cash_price` is the accepted dollar price of cash (WAD), one where there is no such feed and for
    that feed itself, None while it is not fresh. `open_interest` is what the market answers, WAD.
    """
    config = state.config
    seen = [one for one in observations if is_usable(one, config, now)]
    if len(seen) < config.min_sources:
        return state, NOTHING
    quote = join(seen, config.jump_limit_bps)
    price = quote.price * 10**12 // cash_price if cash_price else 0
    if not _is_due(state, quote.time, now, block) or not 0 < price <= MASK_68:
        return state, NOTHING
    if not _is_trusted(state, quote, price):
        if state.snapshot.price == 0:
            return state, NOTHING
        suspicion = _suspect(state, quote, price, now)
        if not suspicion.is_confirmed(now):
            snapshot = replace(state.snapshot, suspect=True)
            new = replace(state, snapshot=snapshot, suspicion=suspicion)
            return new, Outcome(Result.SUSPECTED)
    return _accepted(state, seen, quote, price, block=block, open_interest=open_interest)
