"""What one unit of every instrument counts at a moment: exact integers, rounded to float64 once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ballast.model.refusal import Refused
from ballast.model.words import KIND_OPTION, KIND_PERP, ident, kind
from ballast.risk import joint_scenario as mirror
from ballast.risk.scenarios import COLUMNS, CORE_COLUMNS, RATIO, TAILS, quarters, weighted_move
from ballast.scan.book import Book, Floats
from ballast.scan.moment import Moment
from ballast.scan.series import SeriesUnit, series_units
from ballast.units import BPS, WAD


@dataclass(frozen=True, slots=True)
class _Unit:
    """One perpetual or collateral asset; `exposure` is what the mirror reads of no size of it."""

    exposure: mirror.Exposure
    price: float
    basis: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """By column of the book.

    `price` is WAD of exposure for one of size, `basis` the same of equity (less funding), `rate`
    the add-on rate of exposure, `charge` the most that one of size can add to MM and `wei` what the
    mirror's rounding of a position can come to. Of options only, for one of size: `losses` are in
    the 23 columns, `roll` and `short` the add-ons of delta and of what is sold.
    """

    price: Floats
    basis: Floats
    rate: Floats
    charge: Floats
    wei: Floats
    losses: Floats
    roll: Floats
    short: Floats
    is_option: NDArray[np.bool_]
    axes: AxisTables
    refused: frozenset[int]
    """Columns that somebody holds and the engine refuses at this moment."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisTables:
    """By axis of the book."""

    joint_moves: Floats
    """The distinct joint moves that can be the worst of linear positions, each a row."""
    moves: Floats
    """Weighted moves in the 23 columns, a row for each axis."""
    near: NDArray[np.bool_]
    """Columns within κ quarters of the range, a row for each axis."""
    kappa: Floats
    broken: Floats
    """κ·R."""


def tables_at(book: Book, moment: Moment) -> Tables:
    """The tables of the instruments that somebody holds, at a moment."""
    held = [(column, book.instruments[column]) for column in book.held]
    linear = {
        column: unit
        for column, instrument in held
        if instrument.expiry is None
        and (unit := _linear(instrument.key, moment)) is not None
        and unit.exposure.underlying == book.underlyings[instrument.axis]
    }
    options = dict(series_units(held, moment))
    exposures = {book.instruments[column].axis: unit.exposure for column, unit in linear.items()}
    exposures.update((book.instruments[c].axis, unit.exposure) for c, unit in options.items())
    count = len(book.instruments)
    made = Tables(
        price=np.zeros(count),
        basis=np.zeros(count),
        rate=np.zeros(count),
        charge=np.zeros(count),
        wei=np.zeros(count),
        losses=np.zeros((count, COLUMNS)),
        roll=np.zeros(count),
        short=np.zeros(count),
        is_option=np.array([kind(one.key) == KIND_OPTION for one in book.instruments]),
        axes=_axis_tables(exposures, len(book.underlyings)),
        refused=frozenset(book.held) - linear.keys() - options.keys(),
    )
    for column, unit in linear.items():
        _write_linear(made, column, unit)
    for column, series in options.items():
        _write_series(made, column, series)
    return made


def _write_linear(tables: Tables, column: int, unit: _Unit) -> None:
    tables.price[column], tables.basis[column] = unit.price, unit.basis
    tables.rate[column] = unit.rate
    weight = _loss_weight(unit.exposure) * _range(unit.exposure) + unit.rate
    tables.charge[column] = abs(unit.price) * weight
    tables.wei[column] = 2 + weight


def _write_series(tables: Tables, column: int, unit: SeriesUnit) -> None:
    tables.price[column], tables.basis[column] = unit.parity, unit.worth
    tables.losses[column] = unit.losses
    tables.roll[column], tables.short[column] = unit.roll, unit.short
    weight, scan_range = _loss_weight(unit.exposure), _range(unit.exposure)
    loss = max(map(abs, unit.losses)) + abs(unit.parity) * scan_range
    tables.charge[column] = weight * loss + abs(unit.roll) + unit.short
    tables.wei[column] = 2 + weight * scan_range + unit.rates


def _loss_weight(exposure: mirror.Exposure) -> float:
    """At least what one WAD of loss of an underlying can add to W: κ or 1."""
    return max(1.0, exposure.risk.kappa_quarters / 4)


def _range(exposure: mirror.Exposure) -> float:
    return exposure.range_maintenance / RATIO


def _linear(key: int, moment: Moment) -> _Unit | None:
    """None if the engine refuses it."""
    try:
        return _perp(key, moment) if kind(key) == KIND_PERP else _collateral(key, moment)
    except Refused:
        return None


def _exposure(key: int, moment: Moment) -> mirror.Exposure:
    return mirror.read([key], moment.snapshots, moment.parameters, moment.now).exposures[0]


def _perp(key: int, moment: Moment) -> _Unit:
    exposure = _exposure(key, moment)
    if exposure.underlying not in moment.funding:
        raise Refused("Clearinghouse_UnknownMarket", exposure.underlying)
    mark = exposure.snapshot.mark
    basis = mark - moment.funding[exposure.underlying]
    return _Unit(exposure, mark / WAD, basis / WAD, exposure.risk.perp_maintenance / BPS)


def _collateral(key: int, moment: Moment) -> _Unit:
    exposure, asset = _exposure(key, moment), moment.parameters.asset(ident(key))
    price = exposure.snapshot.price / 10**asset.decimals
    return _Unit(exposure, price, price, asset.haircut / BPS)


def _axis_tables(exposures: Mapping[int, mirror.Exposure], axes: int) -> AxisTables:
    moves, near = np.zeros((axes, COLUMNS)), np.zeros((axes, COLUMNS), np.bool_)
    kappa, broken = np.zeros(axes), np.zeros(axes)
    for axis, exposure in exposures.items():
        scan_range, kappa_quarters = exposure.range_maintenance, exposure.risk.kappa_quarters
        core = [quarters(column) for column in range(CORE_COLUMNS)]
        tails = [weighted_move(tail, scan_range) for tail in range(len(TAILS))]
        moves[axis] = [
            *(quarter * scan_range / (4 * RATIO) for quarter in core),
            *(move / RATIO for move in tails),
        ]
        near[axis, :CORE_COLUMNS] = [abs(quarter) <= kappa_quarters for quarter in core]
        kappa[axis] = kappa_quarters / 4
        broken[axis] = kappa_quarters * scan_range / (4 * RATIO)
    extremes = moves[:, [0, CORE_COLUMNS - 1, *range(CORE_COLUMNS, COLUMNS)]]
    joint_moves = np.unique(extremes.T, axis=0) if axes else extremes.T
    return AxisTables(joint_moves, moves, near, kappa, broken)
