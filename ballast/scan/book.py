"""Every account in columns of float64, kept up to date account by account.

A *row* is an account, a *position* one of its words, a *pair* an account and an underlying that it
has an exposure to. Positions and pairs live in arrays in no particular order and point to their
row; what an account no longer holds has the size zero until its place is used again. Of one
account they stand in the order of its words, whatever the places, so that sums over them come out
the same to the last bit however the book came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ballast.codec import AccountId
from ballast.model.accounts import Stored
from ballast.model.words import KIND_COLLATERAL, KIND_PERP, amount_of, perp_quote, perp_size
from ballast.risk.joint_scenario import MAX_WORDS
from ballast.risk.parameters import AssetRisk

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

NOTHING = 0  # the column of places that hold nothing
LEAST_CAPACITY = 64


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
        self.instruments: list[tuple[int, int]] = [(0, 0)]
        self.rows = Columns(scaled=float, quote=float, empty=bool, opaque=bool)
        self.positions = Pool(row=np.intp, pair=np.intp, column=np.intp, size=float)
        self.pairs = Pool(row=np.intp, axis=np.intp)

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
        self.positions.release(rows)
        self.pairs.release(rows)
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
        key = word >> 232
        column = self._columns.get(key)
        return self._new_column(key) if column is None else column

    def _new_column(self, key: int) -> int | None:
        kind, name = key >> 16, key & 0xFFFF
        if kind == KIND_PERP:
            underlying = name
        elif kind == KIND_COLLATERAL and name in self.assets:
            underlying = self.assets[name].underlying
        else:
            return None
        axis = self._axes.setdefault(underlying, len(self._axes))
        self.instruments.append((key, axis))
        return self._columns.setdefault(key, len(self.instruments) - 1)

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
        self._position: list[tuple[int, int, int]] = []
        self._size: list[float] = []
        self._pair_place: list[int] = []
        self._pair: list[tuple[int, int]] = []

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
        instruments = self._book.instruments
        axes = [instruments[column][1] for column in columns]
        axes_held = list(dict.fromkeys(axes))
        pair_places = self._book.pairs.take(row, len(axes_held))
        pair_of = dict(zip(axes_held, pair_places, strict=True))
        self._pair_place.extend(pair_places)
        self._pair.extend((row, axis) for axis in axes_held)
        self._place.extend(self._book.positions.take(row, len(words)))
        quote = 0
        for word, column, axis in zip(words, columns, axes, strict=True):
            self._position.append((row, pair_of[axis], column))
            if word >> 248 == KIND_PERP:
                self._size.append(float(perp_size(word)))
                quote += perp_quote(word)
            else:
                self._size.append(float(amount_of(word)))
        return quote

    def flush(self) -> None:
        """Write."""
        if self._row:
            scaled, quote, empty, opaque = zip(*self._row_values, strict=True)
            self._book.rows.write(self._row, scaled=scaled, quote=quote, empty=empty, opaque=opaque)
        if self._place:
            row, pair, column = np.array(self._position, np.intp).T
            self._book.positions.write(
                self._place, row=row, pair=pair, column=column, size=self._size
            )
            pair_row, axis = np.array(self._pair, np.intp).T
            self._book.pairs.write(self._pair_place, row=pair_row, axis=axis)
