"""Volatility slices in integers: what the contracts make of reports, to the bit.

`join` is the VolatilityQuorum after signatures were checked, `verdict` is VolatilityChecks, and
`accept` the adapter's part that ties them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from ballast.codec import VolatilitySlice
from ballast.fixed_point import div_towards_zero, sqrt
from ballast.svi import annual_variance, derivatives, least, variance
from ballast.units import BPS, WAD, YEAR, div_ceil

HOUR = 3600
SPACING = 15

MIN_WIDTH = 10**15
MIN_VARIANCE = 10**14
MAX_VARIANCE = 25 * WAD
MAX_WING = 2 * WAD
MIN_FORWARD = 5 * 10**7
MAX_FORWARD = 2 * 10**8
WIDTHS = (0, 2, 4, 6, 8, 16, 32, 48)  # quarters of s, around μ
DEVIATIONS = (1, 4, 8, 16)  # quarters of the standard deviation, around the forward

MAX_DISTANCE_BPS = 2000
STEPS = (0, -1, 1, -2, 2)


class Refusal(IntEnum):
    """Why a slice was not accepted, in the order of the contract's enumeration."""

    NONE = 0
    DISAGREEMENT = 1
    PARAMETERS = 2
    FORWARD = 3
    VOLATILITY = 4
    WINGS = 5
    NEGATIVE_VARIANCE = 6
    BUTTERFLY = 7
    CALENDAR = 8
    VOLATILITY_JUMP = 9
    FORWARD_JUMP = 10


@dataclass(frozen=True, slots=True)
class VolatilityConfig:
    """How the volatility of an underlying is published; the fields of the contract's struct."""

    source: str = ""
    max_age: int = 1800
    jump_limit_bps: int = 2500
    forward_jump_bps: int = 200
    max_live: int = 8

    def as_tuple(self) -> tuple[object, ...]:
        """The fields in the order of the contract's struct."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Board:
    """The slices of one underlying by expiry; those that are settled are not in it."""

    config: VolatilityConfig
    live: tuple[int, ...] = ()
    slices: Mapping[int, VolatilitySlice] = field(default_factory=dict)


# ---- Joining reports --------------------------------------------------------------------------


def median(values: Iterable[int]) -> int:
    """The middle one, or the mean of the middle two rounded down."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def join(reports: Sequence[VolatilitySlice], expiry: int) -> tuple[VolatilitySlice, bool]:
    """One slice of the reports of publishers in the order of their addresses, and whether they
    agree."""
    time = min(one.time for one in reports)
    tau = max(0, expiry - time) * WAD // YEAR
    distances = [0] * len(reports)
    deviation = 0
    for index, step in enumerate(STEPS):
        values = [annual_variance(one, deviation * step) for one in reports]
        middle = median(values)
        if index == 0:
            deviation = sqrt(middle * tau)
        for i, value in enumerate(values):
            distances[i] = max(distances[i], div_ceil(abs(value - middle) * BPS, middle))
    nearest = min(range(len(reports)), key=lambda i: distances[i])
    forward = median(one.forward for one in reports)
    joined = replace(reports[nearest], forward=forward, time=time, max_age=0)
    return joined, distances[nearest] <= MAX_DISTANCE_BPS


# ---- Checks -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A slice beside the new one, and its expiry."""

    slice: VolatilitySlice
    expiry: int


def strikes(new: VolatilitySlice, expiry: int) -> list[int]:
    """Log-moneynesses (WAD) at which a slice is sampled, in the order of the contract."""
    tau = (expiry - new.time) * WAD // YEAR
    width, centre = new.s * 10**12, new.mu * 10**12
    deviation = sqrt(variance(new, 0) * tau)
    around = [(centre, width * step // 4) for step in WIDTHS]
    around += [(0, deviation * step // 4) for step in DEVIATIONS]
    return [k for middle, away in around for k in (middle - away, middle + away)]


def density(new: VolatilitySlice, k: int, tau: int) -> int:
    """Durrleman's g at k (WAD): negative where the slice has a butterfly below zero."""
    value, slope, curvature = derivatives(new, k)
    base = WAD - div_towards_zero(k * slope, 2 * value)
    total = div_towards_zero(tau * slope, WAD)
    return (
        base * base // WAD
        - tau * (slope * slope // value) // (4 * WAD)
        - total * total // (16 * WAD)
        + tau * curvature // (2 * WAD)
    )


def verdict(
    new: VolatilitySlice,
    expiry: int,
    config: VolatilityConfig,
    *,
    last: VolatilitySlice | None = None,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
) -> Refusal:
    """The first rule that a slice breaks."""
    if abs(new.rho) >= 10**6 or new.s * 10**12 < MIN_WIDTH:
        return Refusal.PARAMETERS
    if not MIN_FORWARD <= new.forward <= MAX_FORWARD:
        return Refusal.FORWARD
    if not MIN_VARIANCE <= variance(new, 0) <= MAX_VARIANCE:
        return Refusal.VOLATILITY
    tau = (expiry - new.time) * WAD // YEAR
    wing = new.b * 10**11 * (WAD + abs(new.rho) * 10**12) // WAD * tau // WAD
    if wing > MAX_WING:
        return Refusal.WINGS
    if least(new) < 0:
        return Refusal.NEGATIVE_VARIANCE
    found = _sample(new, expiry, tau, before, after)
    return found if found or last is None else _jump(new, last, config)


def _sample(
    new: VolatilitySlice, expiry: int, tau: int, before: Neighbour | None, after: Neighbour | None
) -> Refusal:
    for k in strikes(new, expiry):
        value = variance(new, k)
        if value < MIN_VARIANCE:
            return Refusal.NEGATIVE_VARIANCE
        if density(new, k, tau) < 0:
            return Refusal.BUTTERFLY
        total = value * (expiry - new.time)
        if before and variance(before.slice, k) * (before.expiry - new.time) > total:
            return Refusal.CALENDAR
        if after and variance(after.slice, k) * (after.expiry - new.time) < total:
            return Refusal.CALENDAR
    return Refusal.NONE


def _jump(new: VolatilitySlice, last: VolatilitySlice, config: VolatilityConfig) -> Refusal:
    elapsed = new.time - last.time
    old, volatility = (sqrt(variance(one, 0) * WAD) for one in (last, new))
    if not _is_near(old, volatility, config.jump_limit_bps, elapsed):
        return Refusal.VOLATILITY_JUMP
    if not _is_near(last.forward, new.forward, config.forward_jump_bps, elapsed):
        return Refusal.FORWARD_JUMP
    return Refusal.NONE


def _is_near(base: int, value: int, limit_bps: int, elapsed: int) -> bool:
    return abs(base - value) * BPS * HOUR <= base * limit_bps * (HOUR + elapsed)


# ---- Acceptance -------------------------------------------------------------------------------


def accept(
    board: Board, expiry: int, reports: Sequence[VolatilitySlice], now: int
) -> tuple[Board, Refusal | None]:
    """The board after a refresh with reports that are signed as they must be; the refusal is None
    if there was nothing new."""
    last = board.slices.get(expiry)
    if not reports or expiry not in board.live:
        return board, None
    new, agreed = join(reports, expiry)
    is_new = new.time >= (last.time if last else 0) + SPACING
    if new.time >= expiry or now - new.time > board.config.max_age or not is_new:
        return board, None
    if not agreed:
        return board, Refusal.DISAGREEMENT
    new = replace(new, max_age=board.config.max_age // 2 * 2)
    before, after = neighbours(board, expiry, new.time, now)
    reason = verdict(new, expiry, board.config, last=last, before=before, after=after)
    if reason:
        return board, reason
    return replace(board, slices={**board.slices, expiry: new}), Refusal.NONE


def neighbours(
    board: Board, expiry: int, time: int, now: int
) -> tuple[Neighbour | None, Neighbour | None]:
    """The slices next to an expiry that count: fresh, and not expired by `time`."""

    def counted(other: int | None) -> Neighbour | None:
        found = board.slices.get(other) if other else None
        usable = other and other > time and found and found.is_fresh(now)
        return Neighbour(found, other) if usable and found and other else None

    earlier = [one for one in board.live if one < expiry]
    later = [one for one in board.live if one > expiry]
    return counted(max(earlier, default=None)), counted(min(later, default=None))
