"""Every account in columns of float64, kept up to date account by account.

A *row* is an account, a *position* one of its words, a *pair* an account and an underlying that it
has an exposure to, a *term* an account and an expiry of its options, a *strike* a term and a strike
of it. Positions and the others live in arrays in no particular order and point to their
row; what an account no longer holds has the size zero until its place is used again. Of one
account they stand in the order of its words, whatever the places, so that sums over them come out
the same to the last bit however the book came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ballast.codec import AccountId
from ballast.model.accounts import Stored
from ballast.model.words import (
    KIND_COLLATERAL,
    KIND_OPTION,
    KIND_PERP,
    amount_of,
    expiry_of,
    ident,
    instrument_of,
    kind,
    option_size,
    perp_quote,
    perp_size,
    strike_of,
)
from ballast.risk.joint_scenario import MAX_WORDS
from ballast.risk.parameters import AssetRisk

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

NOTHING = 0  # the column of places that hold nothing
NOWHERE = 0  # the term and the strike of what is no option, never read
LEAST_CAPACITY = 64


def sum_by(index: Places, values: Floats, count: int) -> Floats:
    """Σ of the values of each index."""
    return np.asarray(np.bincount(index, values, count), np.float64)


class Columns:
    """Parallel arrays that grow by doubling."""

    def __init__(self, **kinds: type) -> None:
        self.used = 0
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.zeros(LEAST_CAPACITY, kind) for name, kind in kinds.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The part of an array that is in use."""
        return self._arrays[name][: self.used]

    def reserve(self, count: int) -> range:
        """New places at the end, all zero."""
        first, self.used = self.used, self.used + count
        for name, array in self._arrays.items():
            if self.used > len(array):
                grown = np.zeros(max(self.used, 2 * len(array)), array.dtype)
                grown[:first] = array[:first]
                self._arrays[name] = grown
        return range(first, self.used)

    def write(self, places: Sequence[int], **values: ArrayLike) -> None:
        """Set the same places in the named arrays."""
        at = np.array(places, np.intp)
        for name, given in values.items():
            self._arrays[name][at] = given

    def clear(self, places: Sequence[int]) -> None:
        """Set the same places in all arrays to zero."""
        at = np.array(places, np.intp)
        for array in self._arrays.values():
            array[at] = 0


class Pool(Columns):
    """Columns whose places rows take and give back."""

    def __init__(self, **kinds: type) -> None:
        super().__init__(**kinds)
        self._free: list[int] = []
        self._held: dict[int, Sequence[int]] = {}

    def release(self, rows: Iterable[int]) -> None:
        """Take everything back from some rows."""
        back = [place for row in rows for place in self._held.pop(row, ())]
        self.clear(back)
        self._free.extend(back)

    def take(self, row: int, count: int) -> Sequence[int]:
        """Places for a row, in ascending order."""
        reused = min(count, len(self._free))
        old = sorted(self._free.pop() for _ in range(reused))
        places = [*old, *self.reserve(count - reused)]
        if places:
            self._held[row] = places
        return places


class Instrument(NamedTuple):
    """What a column is about: a word without quantities, and the axis of its underlying.

    `expiry` and `strike` tell an account's options apart, the underlying included; None but for
    options.
    """

    key: int
    axis: int
    expiry: tuple[int, ...] | None = None
    strike: tuple[int, ...] | None = None


class Book:
    """Accounts of the joint-scenario engine. Quantities are converted once, when they are put."""

    def __init__(self, assets: Mapping[int, AssetRisk]) -> None:
        """`assets` says the underlying of each collateral asset, which never changes."""
        self.assets = assets
        self._row_of: dict[AccountId, int] = {}
        self._stored: list[Stored] = []
        self._columns: dict[int, int] = {}
        self._axes: dict[int, int] = {}
        self.accounts: list[AccountId] = []
        self.instruments = [Instrument(0, 0)]
        self.rows = Columns(scaled=float, quote=float, empty=bool, opaque=bool)
        self.positions = Pool(
            row=np.intp, pair=np.intp, term=np.intp, strike=np.intp, column=np.intp, size=float
        )
        self.pairs = Pool(row=np.intp, axis=np.intp)
        self.terms = Pool(row=np.intp)
        self.strikes = Pool(row=np.intp)

    def __len__(self) -> int:
        return len(self.accounts)

    def stored(self, account: AccountId) -> Stored:
        """An account as it was put last; empty if it never was."""
        row = self._row_of.get(account)
        return Stored() if row is None else self._stored[row]

    def put(self, accounts: Mapping[AccountId, Stored]) -> None:
        """Take accounts as they are now, new or changed, at a cost of the words they have and had.

        The account is *empty* if it cannot lack margin for want of anything to lose, *opaque* if it
        holds what columns cannot say.
        """
        rows = [self._row(account) for account in accounts]
        for pool in (self.positions, self.pairs, self.terms, self.strikes):
            pool.release(rows)
        writer = _Writer(self)
        for row, stored in zip(rows, accounts.values(), strict=True):
            self._stored[row] = stored
            writer.add(row, stored)
        writer.flush()

    def _row(self, account: AccountId) -> int:
        row = self._row_of.get(account)
        if row is None:
            row = self._row_of[account] = self.rows.reserve(1)[0]
            self.accounts.append(account)
            self._stored.append(Stored())
        return row

    # ---- Columns and axes ---------------------------------------------------------------------

    def column_of(self, word: int) -> int | None:
        """The column of a word's instrument; None if the book cannot say what it is."""
        key = instrument_of(word)
        column = self._columns.get(key)
        return self._new_column(key) if column is None else column

    def _new_column(self, key: int) -> int | None:
        name = ident(key)
        if kind(key) in (KIND_PERP, KIND_OPTION):
            underlying = name
        elif kind(key) == KIND_COLLATERAL and name in self.assets:
            underlying = self.assets[name].underlying
        else:
            return None
        axis = self._axes.setdefault(underlying, len(self._axes))
        expiry = (axis, expiry_of(key))
        is_option = kind(key) == KIND_OPTION
        made = Instrument(key, axis, expiry, (*expiry, strike_of(key)))
        self.instruments.append(made if is_option else Instrument(key, axis))
        return self._columns.setdefault(key, len(self.instruments) - 1)

    @property
    def held(self) -> list[int]:
        """The columns that somebody has a position in, in ascending order."""
        marks = np.zeros(len(self.instruments), np.bool_)
        marks[self.positions["column"]] = True
        marks[NOTHING] = False
        found: list[int] = np.flatnonzero(marks).tolist()
        return found

    @property
    def underlyings(self) -> list[int]:
        """The underlying of each axis."""
        return list(self._axes)


class _Writer:
    """Collects what some accounts hold, and writes it into the arrays of a book at once."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._row: list[int] = []
        self._row_values: list[tuple[float, float, bool, bool]] = []
        self._place: list[int] = []
        self._position: list[tuple[int, ...]] = []
        self._size: list[float] = []
        self._pair_place: list[int] = []
        self._pair: list[tuple[int, int]] = []
        self._groups: list[tuple[Pool, list[int], list[int]]] = [
            (pool, [], []) for pool in (book.terms, book.strikes)
        ]

    def add(self, row: int, stored: Stored) -> None:
        """Take one account."""
        columns = [self._book.column_of(word) for word in stored.words]
        known = [column for column in columns if column is not None]
        opaque = len(known) < len(columns) or len(columns) > MAX_WORDS
        quote = 0 if opaque else self._add_words(row, stored.words, known)
        empty = not stored.words and stored.scaled >= 0
        self._row.append(row)
        self._row_values.append((float(stored.scaled), float(quote), empty, opaque))

    def _add_words(self, row: int, words: Sequence[int], columns: Sequence[int]) -> int:
        """Returns Σ of the quotes."""
        held = [self._book.instruments[column] for column in columns]
        axes_held = list(dict.fromkeys(one.axis for one in held))
        pair_places = self._book.pairs.take(row, len(axes_held))
        pair_of = dict(zip(axes_held, pair_places, strict=True))
        self._pair_place.extend(pair_places)
        self._pair.extend((row, axis) for axis in axes_held)
        self._place.extend(self._book.positions.take(row, len(words)))
        terms = self._group(0, row, [one.expiry for one in held])
        strikes = self._group(1, row, [one.strike for one in held])
        places = zip(terms, strikes, columns, strict=True)
        for one, (term, strike, column) in zip(held, places, strict=True):
            self._position.append((row, pair_of[one.axis], term, strike, column))
        self._size.extend(float(_quantity(word)) for word in words)
        return sum(perp_quote(word) for word in words if kind(word) == KIND_PERP)

    def _group(self, which: int, row: int, names: Sequence[tuple[int, ...] | None]) -> list[int]:
        """A place for every distinct name; those of the names, NOWHERE for None."""
        pool, places, rows = self._groups[which]
        distinct = [name for name in dict.fromkeys(names) if name is not None]
        if not distinct:
            return [NOWHERE] * len(names)
        taken = pool.take(row, len(distinct))
        places.extend(taken)
        rows.extend([row] * len(taken))
        place_of = dict(zip(distinct, taken, strict=True))
        return [NOWHERE if name is None else place_of[name] for name in names]

    def flush(self) -> None:
        """Write."""
        if self._row:
            scaled, quote, empty, opaque = zip(*self._row_values, strict=True)
            self._book.rows.write(self._row, scaled=scaled, quote=quote, empty=empty, opaque=opaque)
        if self._place:
            row, pair, term, strike, column = np.array(self._position, np.intp).T
            places = {"pair": pair, "term": term, "strike": strike}
            self._book.positions.write(
                self._place, row=row, **places, column=column, size=self._size
            )
            pair_row, axis = np.array(self._pair, np.intp).T
            self._book.pairs.write(self._pair_place, row=pair_row, axis=axis)
        for pool, group_places, rows in self._groups:
            pool.write(group_places, row=rows)


def _quantity(word: int) -> int:
    """Size, or amount of collateral."""
    if kind(word) == KIND_PERP:
        return perp_size(word)
    return option_size(word) if kind(word) == KIND_OPTION else amount_of(word)
