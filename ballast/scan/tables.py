"""What one unit of every instrument counts at a moment: exact integers, rounded to float64 once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ballast.model.refusal import Refused
from ballast.model.words import KIND_PERP
from ballast.risk import joint_scenario as mirror
from ballast.risk.scenarios import RATIO, TAILS, weighted_move
from ballast.scan.book import NOTHING, Book, Floats
from ballast.scan.moment import Moment
from ballast.units import BPS, WAD


@dataclass(frozen=True, slots=True)
class _Unit:
    """One instrument; `exposure` is what the mirror reads of a position of no size."""

    exposure: mirror.Exposure
    price: float
    basis: float
    rate: float

    @property
    def weight(self) -> float:
        """At least what one WAD of exposure can add to MM: κ or 1, times R, and the rate."""
        kappa = max(1.0, self.exposure.risk.kappa_quarters / 4)
        return kappa * self.exposure.range_maintenance / RATIO + self.rate


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """By column of the book, then by axis.

    `price` is WAD of exposure for one of size, `basis` the same of equity (less funding), `rate`
    the add-on rate, `weight` the most that one WAD of exposure can add to MM and `wei` what the
    mirror's rounding of a position can come to.
    """

    price: Floats
    basis: Floats
    rate: Floats
    weight: Floats
    wei: Floats
    refused: frozenset[int]
    """Columns that the engine refuses at this moment."""
    moves: Floats
    """The distinct joint moves of L_same and L_tail, each a row."""
    broken: Floats
    """κ·R."""


def tables_at(book: Book, moment: Moment) -> Tables:
    """The tables of a book's instruments at a moment."""
    units = _units(book, moment)
    by_axis = {book.instruments[column][1]: unit.exposure for column, unit in units.items()}
    moves, broken = _axis_tables(by_axis, len(book.underlyings))

    def by_column(value: Callable[[_Unit], float]) -> Floats:
        table = np.zeros(len(book.instruments))
        for column, unit in units.items():
            table[column] = value(unit)
        return table

    return Tables(
        price=by_column(lambda unit: unit.price),
        basis=by_column(lambda unit: unit.basis),
        rate=by_column(lambda unit: unit.rate),
        weight=by_column(lambda unit: unit.weight),
        wei=by_column(lambda unit: 2 + unit.weight),
        refused=frozenset(range(len(book.instruments))) - units.keys() - {NOTHING},
        moves=moves,
        broken=broken,
    )


def _units(book: Book, moment: Moment) -> dict[int, _Unit]:
    """By column; without those that the engine refuses."""
    underlyings = book.underlyings
    found: dict[int, _Unit] = {}
    for column, (key, axis) in enumerate(book.instruments):
        if column == NOTHING:
            continue
        try:
            unit = _perp(key, moment) if key >> 16 == KIND_PERP else _collateral(key, moment)
        except Refused:
            continue
        if unit.exposure.underlying == underlyings[axis]:
            found[column] = unit
    return found


def _exposure(key: int, moment: Moment) -> mirror.Exposure:
    given = (moment.snapshots, moment.parameters, moment.now)
    return mirror.read([key << 232], *given).exposures[0]


def _perp(key: int, moment: Moment) -> _Unit:
    exposure = _exposure(key, moment)
    if exposure.underlying not in moment.funding:
        raise Refused("Clearinghouse_UnknownMarket", exposure.underlying)
    mark = exposure.snapshot.mark
    basis = mark - moment.funding[exposure.underlying]
    return _Unit(exposure, mark / WAD, basis / WAD, exposure.risk.perp_maintenance / BPS)


def _collateral(key: int, moment: Moment) -> _Unit:
    exposure, asset = _exposure(key, moment), moment.parameters.asset(key & 0xFFFF)
    price = exposure.snapshot.price / 10**asset.decimals
    return _Unit(exposure, price, price, asset.haircut / BPS)


def _axis_tables(exposures: Mapping[int, mirror.Exposure], axes: int) -> tuple[Floats, Floats]:
    """Joint moves and κ·R of each axis."""
    moves = np.zeros((2 + len(TAILS), axes))
    broken = np.zeros(axes)
    for axis, exposure in exposures.items():
        scan_range = exposure.range_maintenance
        tails = [weighted_move(tail, scan_range) for tail in range(len(TAILS))]
        moves[:, axis] = [move / RATIO for move in (scan_range, -scan_range, *tails)]
        broken[axis] = exposure.risk.kappa_quarters * scan_range / (4 * RATIO)
    return np.unique(moves, axis=0) if axes else moves, broken
