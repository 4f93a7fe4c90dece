"""Losses and add-ons of the accounts that hold options, in all 23 columns (§6.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ballast.risk.joint_scenario import STILL
from ballast.risk.scenarios import TERM_RATE
from ballast.scan.book import Book, Floats, Places, sum_by
from ballast.scan.tables import Tables
from ballast.units import BPS


@dataclass(frozen=True, slots=True, eq=False)
class OptionMargin:
    """W of the accounts in `rows`, of all that they hold; the options' add-ons of every account."""

    rows: Places
    worst: Floats
    add_on: Floats


def option_margin(book: Book, tables: Tables, exposure: Floats) -> OptionMargin:
    """`exposure` is money by pair, with the parity of puts."""
    held = np.flatnonzero(tables.is_option[book.positions["column"]])
    row, pair, term, strike, column, size = (
        book.positions[name][held] for name in ("row", "pair", "term", "strike", "column", "size")
    )
    width = len(book.instruments)
    mixed = np.zeros(len(book), np.bool_)
    mixed[row] = True
    rows, row_of = _selected(mixed)
    pairs, pair_of = _selected(mixed[book.pairs["row"]])
    own = _product(pair_of[pair], column, size, (len(pairs), width)) @ tables.losses
    axis, owner = book.pairs["axis"][pairs], row_of[book.pairs["row"][pairs]]
    own -= exposure[pairs, np.newaxis] * tables.axes.moves[axis]
    worst = sum_by(owner, _broken(own, axis, tables), len(rows))
    for losses in own.T:
        np.maximum(worst, sum_by(owner, losses, len(rows)), out=worst)
    terms = book.terms.used
    still = _product(term, column, size, (terms, width)) @ tables.losses[:, STILL]
    term_loss = np.maximum(still.max(axis=1, initial=0.0), 0.0) * (TERM_RATE / BPS)
    np.maximum(worst, sum_by(book.terms["row"], term_loss, len(book))[rows], out=worst)
    roll = np.abs(sum_by(term, size * tables.roll[column], terms))
    short = np.maximum(-sum_by(strike, size * tables.short[column], book.strikes.used), 0.0)
    add_on = sum_by(book.terms["row"], roll, len(book))
    add_on += sum_by(book.strikes["row"], short, len(book))
    return OptionMargin(rows, worst, add_on)


def _broken(own: Floats, axis: Places, tables: Tables) -> Floats:
    """A pair's part of L_dec."""
    near = np.where(tables.axes.near[axis], own, 0.0).max(axis=1, initial=0.0)
    far: Floats = tables.axes.kappa[axis] * own.max(axis=1, initial=0.0)
    return np.maximum(near, far)


def _selected(chosen: NDArray[np.bool_]) -> tuple[Places, Places]:
    """The places that are chosen, and where each of them is among these."""
    places = np.flatnonzero(chosen)
    place_of = np.zeros(len(chosen), np.intp)
    place_of[places] = np.arange(len(places))
    return places, place_of


def _product(group: Places, column: Places, size: Floats, shape: tuple[int, int]) -> csr_matrix:
    """Sizes by group and column; within a group they stay in the order of the words."""
    order = np.argsort(group, kind="stable")
    ends = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=shape[0]))))
    return csr_matrix((size[order], column[order], ends), shape=shape)
