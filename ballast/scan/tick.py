"""The scan of a whole book at one moment, and why it misses nobody.

An account is a candidate if Ê < M̂M + B, all in float64, and it is liquidatable only if E < MM in
the exact mirror: the credit for prices that are not fresh (§6.10) is never negative, so the scan
leaves it out, and `confirm` takes it in. Between them stand E* and MM*, the formulas of the
specification (§2.3, §6.3) in real numbers, but with what one unit of an option series is worth, now
and in every column, as the mirror's integers have it: in these its margin is linear until it sums
them up, so the error of the pricing kernel is in both and no part of the bound. Let n ≤ 64 be the
words of the account, u = 2^-53, and of a word m its gross part in MM, w what its roundings count.
For a perpetual or collateral w is κ or 1, times R, plus the add-on rate, and m = w · |quantity ×
price|. For an option w is κ or 1, times R, plus the rates of its add-ons, and m = |size| × (κ or 1,
times (its greatest |loss| in a column + R × |parity|), plus |delta| × rate, plus the add-on of a
short one).

1.  **Wei.** The mirror rounds a perpetual twice and collateral and cash once down in E, by less
    than 1 wei each, and the worth of all options once: E* ≤ E + 2n + 2. In MM it rounds every term
    of an exposure and of an add-on by less than 1 wei, and these count w at most; the sums of
    losses and of add-ons are rounded up once each, and roundings in counts (2^-40 · 1e-30 of cash)
    are no 1e-6 wei together: MM < MM* + Σ w + 2.01. Never the other way round: E ≤ E*, MM ≥ MM*.
2.  **Floats.** Quantities, quotes (summed exactly), prices less funding, ranges, rates and all of a
    unit of a series are integers, or quotients of integers, rounded to float64 once, by 1 + δ with
    |δ| ≤ u. From there on every number is a sum of products of them; a path from an input to
    Ê − M̂M leads through at most 10 products and n + 6 sums other than with zero, in any order: over
    the words of an underlying, an expiry or a strike, then over these, n − 1 in all at most. Maxima
    and absolute values add no error and do not enlarge one. So with T = |cash| + |Σ quotes| +
    Σ (|quantity × (price − funding)| or |size × worth|, + m)

        |(Ê − M̂M) − (E* − MM*)| ≤ 90·u / (1 − 90·u) · T

    as each of the losses of which W is the greatest changes by Σ (relative error)·m at most.
    Nothing overflows (§6.7) nor falls under 2^-1022.
3.  B = 256·u·T + Σ (2 + w) + 5, as floats have it: a sum of positive terms, right to 90·u of
    itself. The factor 256 instead of 91, and 5 instead of 4.01, pay for this many times.

Hence E < MM implies Ê − M̂M < B: no false negative. The other way round, a candidate that is not
liquidatable has E − MM < 2·B: an account of a million in gross value is in doubt for 6e-8 of cash.

What columns cannot say (words beyond the greatest count, assets without parameters) and what the
engine refuses at the moment (a price or a slice that never was) makes a candidate of the
account: the mirror judges it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ballast.codec import AccountId
from ballast.model.interest import INDEX_ONE
from ballast.model.margin import Margin
from ballast.model.refusal import Refused
from ballast.scan.book import Book, Floats, sum_by
from ballast.scan.moment import Moment
from ballast.scan.options import option_margin
from ballast.scan.tables import Tables, tables_at

RELATIVE_ERROR = 256 * 2.0**-53
ACCOUNT_WEI = 5
MAINTENANCE_SHARE = 0.8  # of W


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What float64 says of every account, WAD; `bound` is how far it may be wrong of E − MM.

    Figures of accounts that are `unread` mean nothing.
    """

    accounts: list[AccountId]
    equity: Floats
    maintenance: Floats
    bound: Floats
    empty: NDArray[np.bool_]
    unread: NDArray[np.bool_]

    @property
    def candidates(self) -> list[AccountId]:
        """The accounts that may be liquidatable, in the order in which they were first put."""
        doubtful = self.equity - self.maintenance < self.bound
        rows = np.flatnonzero((doubtful & ~self.empty) | self.unread)
        return [self.accounts[row] for row in rows]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An account with E + credit < MM by the exact mirror. It may be bankrupt."""

    account: AccountId
    margin: Margin


def confirm(book: Book, moment: Moment, candidates: Iterable[AccountId]) -> list[Confirmed]:
    """Those of the candidates that are liquidatable; one that the engine refuses is not."""
    found = []
    for account in candidates:
        try:
            margin = moment.margin(book.stored(account))
        except Refused:
            continue
        if margin.unhealthy:
            found.append(Confirmed(account, margin))
    return found


def scan(book: Book, moment: Moment) -> Scan:
    """Equity and maintenance margin of every account, and who may be liquidatable."""
    tables, count = tables_at(book, moment), len(book)
    row, column, size = (book.positions[name] for name in ("row", "column", "size"))
    cash, quote = _cash(book, moment), book.rows["quote"]
    money, value = size * tables.price[column], size * tables.basis[column]
    gross = np.abs(money)
    charge = np.abs(size) * tables.charge[column]
    doubt = RELATIVE_ERROR * (np.abs(value) + charge) + tables.wei[column]
    exposure = sum_by(book.positions["pair"], money, book.pairs.used)
    add_on = sum_by(row, gross * tables.rate[column], count)
    worst = _worst_loss(book, tables, exposure)
    if tables.is_option.any():
        options = option_margin(book, tables, exposure)
        worst[options.rows] = options.worst
        add_on += options.add_on
    return Scan(
        accounts=book.accounts,
        equity=cash + quote + sum_by(row, value, count),
        maintenance=MAINTENANCE_SHARE * worst + add_on,
        bound=RELATIVE_ERROR * (np.abs(cash) + np.abs(quote))
        + (sum_by(row, doubt, count) + ACCOUNT_WEI),
        empty=book.rows["empty"].copy(),
        unread=book.rows["opaque"] | _holds(book, tables.refused),
    )


def _cash(book: Book, moment: Moment) -> Floats:
    indices = np.array([moment.debt_index / INDEX_ONE, moment.supply_index / INDEX_ONE])
    scaled: Floats = book.rows["scaled"]
    return scaled * indices[(scaled >= 0).astype(np.intp)]


def _worst_loss(book: Book, tables: Tables, exposure: Floats) -> Floats:
    """W of every account."""
    row, axis, count = book.pairs["row"], book.pairs["axis"], len(book)
    worst = sum_by(row, np.abs(exposure) * tables.axes.broken[axis], count)
    for move in tables.axes.joint_moves:
        np.maximum(worst, sum_by(row, exposure * -move[axis], count), out=worst)
    return worst


def _holds(book: Book, columns: frozenset[int]) -> NDArray[np.bool_]:
    """Which accounts hold something of the columns."""
    holds = np.zeros(len(book), np.bool_)
    if columns:
        listed = np.isin(book.positions["column"], list(columns))
        holds[book.positions["row"][listed]] = True
    return holds
