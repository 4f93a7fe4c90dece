"""What one unit of an option series counts: the exact mirror's integers, rounded to float64 once.

Values of options are linear in their sizes, to the last integer, until the mirror sums them up. So
the mirror prices one unit of each distinct series, however many accounts share it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ballast.codec import PRICE_UNIT, STRIKE_UNIT, Settlement
from ballast.model.refusal import Refused
from ballast.model.words import expiry_of, ident, is_put, strike_of
from ballast.risk import joint_scenario as mirror
from ballast.risk.options import Expiry
from ballast.risk.scenarios import COLUMNS, CORE_COLUMNS, TAILS, weighted_move
from ballast.scan.book import Instrument
from ballast.scan.moment import Moment
from ballast.units import BPS, WAD, YEAR, div_ceil

MONEY = 10**12  # counts of 1e-30 in a wei
DELTA = MONEY << 40


@dataclass(frozen=True, slots=True)
class SeriesUnit:
    """A WAD of size: WAD of cash each, so wei for one of size.

    `parity` is exposure to the underlying; `losses` are those besides by column, weighted; `roll`
    is the delta times the add-on's rate and `short` the add-on if it is sold. `rates` is what a wei
    of delta and a wei of a short's notional add to MM.
    """

    exposure: mirror.Exposure
    worth: float
    parity: float = 0.0
    roll: float = 0.0
    short: float = 0.0
    rates: float = 0.0
    losses: tuple[float, ...] = (0.0,) * COLUMNS


def series_units(
    instruments: Iterable[tuple[int, Instrument]], moment: Moment
) -> Iterator[tuple[int, SeriesUnit]]:
    """By column; without those that the engine refuses."""
    by_expiry: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for column, instrument in instruments:
        if instrument.expiry is not None:
            by_expiry[instrument.expiry].append((column, instrument.key))
    for listed in by_expiry.values():
        try:
            units = _expiry_units([key for _, key in listed], moment)
        except Refused:
            continue
        yield from zip((column for column, _ in listed), units, strict=True)


def _expiry_units(keys: Sequence[int], moment: Moment) -> list[SeriesUnit]:
    """Units of series of one expiry."""
    underlying, date = ident(keys[0]), expiry_of(keys[0])
    given = (moment.snapshots, moment.parameters, moment.now)
    exposure = mirror.read([keys[0]], *given, options=moment.options).exposures[0]
    units = [_unit_of(key) for key in keys]
    fixed = Settlement.decode(moment.options.slice(underlying, date))
    if fixed:
        return [SeriesUnit(exposure, unit.payoffs(fixed.price) / WAD) for unit in units]
    term = mirror.term_of(exposure.snapshot, underlying, date, moment.options, moment.now)
    totals = [unit.quote(term) for unit in units]
    strikes = {price: strike for unit in units for price, strike in unit.strikes.items()}
    whole = Expiry(date, strikes, open=term.open, known=term.known)
    after = _values_after(whole, exposure.range_maintenance)
    risk = exposure.risk
    roll_rate = max(div_ceil(risk.roll_rate * BPS * term.time, YEAR), risk.roll_floor * BPS)
    spot = max(exposure.snapshot.price // PRICE_UNIT, 1)
    forward = term.forward * term.open >> 64
    return [
        SeriesUnit(
            exposure,
            worth=total.worth / WAD,
            parity=total.parity / MONEY,
            roll=total.delta * forward * roll_rate / (DELTA * BPS * BPS),
            short=spot * risk.short_option_maintenance / (MONEY * BPS),
            rates=(roll_rate / BPS + risk.short_option_maintenance) / BPS,
            losses=_losses(unit.value, after[price], exposure.range_maintenance),
        )
        for unit, total, price in zip(units, totals, map(_price_of, keys), strict=True)
    ]


def _unit_of(key: int) -> Expiry:
    unit = Expiry(expiry_of(key))
    unit.add(_price_of(key), 1, is_put(key))
    return unit


def _price_of(key: int) -> int:
    """The strike, 1e-8 of cash."""
    return strike_of(key) // STRIKE_UNIT


def _values_after(whole: Expiry, scan_range: int) -> dict[int, list[int]]:
    """Value of one call of each strike, in every column before its weight, in counts."""
    after: dict[int, list[int]] = {price: [] for price in whole.strikes}
    for column in range(COLUMNS):
        for strike, price in whole.prices_in(column, scan_range):
            after[strike.price].append(strike.amount * price)
    return after


def _losses(value: int, after: Sequence[int], scan_range: int) -> tuple[float, ...]:
    core = [(value - one) / DELTA for one in after[:CORE_COLUMNS]]
    tails = [
        (value - one) * abs(weighted_move(tail, scan_range)) / (abs(TAILS[tail]) * DELTA)
        for tail, one in enumerate(after[CORE_COLUMNS:])
    ]
    return (*core, *tails)
