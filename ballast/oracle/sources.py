"""The arithmetic of the price sources in integers, to the bit."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.oracle.mirror import Observation
from ballast.units import BPS, WAD, div_ceil

EMPTY = Observation()
YEAR = 365 * 86400

MAX_PYTH_PRICE = 2**63 - 1
MAX_PYTH_CONFIDENCE = 2**64 - 1
MIN_EXPONENT = -18
MAX_EXPONENT = 12

DESCENT = 10 * 86400
MIN_RATE = 10**12
MAX_RATE = 10**27
MAX_BASE = 2**128 - 1


# ---- Pyth -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PythPrice:
    """A price as Pyth keeps it, in units of 10^exponent dollars; all zero if it has none."""

    price: int = 0
    confidence: int = 0
    exponent: int = 0
    publish_time: int = 0


@dataclass(frozen=True, slots=True)
class PythFeed:
    """When a price counts, and when an update is worth its fee: seconds and wei."""

    max_age: int
    min_advance: int
    max_fee: int


def observe_pyth(seen: PythPrice, max_age: int, now: int) -> Observation:
    """What the source makes of a price."""
    is_price = 0 < seen.price <= MAX_PYTH_PRICE and 0 <= seen.confidence <= MAX_PYTH_CONFIDENCE
    if not is_price or not MIN_EXPONENT <= seen.exponent <= MAX_EXPONENT:
        return EMPTY
    if now - seen.publish_time > max_age:
        return EMPTY
    scale = 10 ** (seen.exponent - MIN_EXPONENT)
    return Observation(seen.price * scale, seen.confidence * scale, seen.publish_time)


def is_worth_its_fee(
    last: int, publish_time: int, now: int, *, fee: int, balance: int, feed: PythFeed
) -> bool:
    """Whether the source pushes an update, Pyth having a price of time `last` (zero for none)."""
    earliest = max(last + feed.min_advance, now - feed.max_age)
    return earliest <= publish_time <= now and fee <= min(feed.max_fee, balance)


# ---- Shares -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShareRate:
    """What bounds the rate of a share: WAD assets a share, unix seconds."""

    ceiling: int
    seen: int
    time: int


def vault_rate(assets: int, asset_decimals: int) -> int:
    """The rate (WAD) of a vault that gives `assets` for one whole share; zero if it is none."""
    rate = assets * 10 ** (18 - asset_decimals)
    return rate if assets < 2**128 and MIN_RATE <= rate <= MAX_RATE else 0


def advance(
    last: ShareRate, rate: int, now: int, *, growth_bps: int, tolerance_bps: int
) -> tuple[ShareRate, int]:
    """The state after an observation of the vault's rate, and the rate to use."""
    elapsed = now - last.time
    grown = last.ceiling + last.ceiling * growth_bps * elapsed // (BPS * YEAR)
    grown = min(grown, MAX_RATE)
    lowest = max(0, grown - grown * elapsed // DESCENT)
    ceiling = min(grown, max(last.seen, rate, lowest))
    used = min(rate, ceiling + ceiling * tolerance_bps // BPS)
    return ShareRate(ceiling, rate, now), used


def price_share(asset: Observation, used: int) -> Observation:
    """What the source makes of its base's observation and the rate to use."""
    if asset.price == 0 or max(asset.price, asset.confidence) > MAX_BASE:
        return EMPTY
    width = div_ceil(asset.confidence * used, WAD)
    return Observation(asset.price * used // WAD, width, asset.time)
