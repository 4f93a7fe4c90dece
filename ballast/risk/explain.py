"""Why an account's margin is what it is: scenarios, what binds, and what every position adds.

Pure functions of an account and of an engine's exact mirror. WAD of cash; profits round down,
requirements up, as the engines do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from ballast.codec import Collateral, Instrument, Kind, Option, Perp, Position, decode_position
from ballast.model import words as word_of
from ballast.model.clearinghouse import MIN_EQUITY
from ballast.model.margin import ASSESS_ALL, Margin
from ballast.model.refusal import require
from ballast.risk import joint_scenario as joint
from ballast.risk import scenarios
from ballast.risk.options import LOSS_COUNTS
from ballast.units import BPS, WAD, div_ceil, mul_ceil, mul_floor

CORRELATION_BREAKS = "correlation breaks: each underlying at its own worst"
EXPIRIES_APART = "volatility of every expiry turns against it"
PROFIT_UNIT = LOSS_COUNTS * joint.LOSS_UNIT


class Mirror(Protocol):
    """The mirror of an engine over the prices of one moment."""

    def assess(self, cash: int, mode: int, words: Sequence[int], now: int) -> Margin:
        """Assess an account."""
        ...

    def assess_at(
        self, cash: int, words: Sequence[int], underlying: int, spot: int, now: int
    ) -> Margin:
        """Assess an account as if the price of `underlying` were `spot`."""
        ...


class State(IntEnum):
    """How an account stands, as the Lens counts it."""

    OPEN = 0
    REDUCE_ONLY = 1
    MARGIN_CALL = 2
    LIQUIDATION = 3
    BANKRUPT = 4

    @classmethod
    def of(cls, margin: Margin) -> State:
        """The state that a margin means."""
        if margin.equity < 0:
            return cls.BANKRUPT
        if margin.equity < margin.maintenance:
            return cls.LIQUIDATION
        if margin.equity < margin.margin_call:
            return cls.MARGIN_CALL
        return cls.REDUCE_ONLY if margin.equity < margin.initial else cls.OPEN


class Verdict(IntEnum):
    """Whether a trade leaves an account with margin enough."""

    PASSES = 0
    REDUCES = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class Account:
    """Cash in WAD, debt negative, and words with funding folded in."""

    cash: int
    words: tuple[int, ...]

    @property
    def owes_nothing(self) -> bool:
        """Whether it can owe nothing whatever the prices do."""
        kinds = {word_of.kind(word) for word in self.words}
        return self.cash >= 0 and kinds <= {word_of.KIND_COLLATERAL}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Profit in a scenario at the ranges of MM and of IM, and whether it is what binds there."""

    name: str
    maintenance: int
    initial: int
    binds_maintenance: bool
    binds_initial: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the requirements."""

    name: str
    maintenance: int
    initial: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a position is worth, and what it does to the margin of the account."""

    position: Position
    value: int
    alone: int
    """IM that it would need by itself."""
    in_worst: int | None
    """Its own profit in the worst joint move of IM; None without scenarios."""
    frees_initial: int
    """IM that closing it at its value frees; negative if it hedges the rest."""
    frees_maintenance: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A margin and what it is made of; without scenarios where the engine has none."""

    margin: Margin
    scenarios: tuple[Scenario, ...]
    parts: tuple[Part, ...]
    contributions: tuple[Contribution, ...]

    @property
    def state(self) -> State:
        """How the account stands."""
        return State.of(self.margin)


@dataclass(frozen=True, slots=True)
class Point:
    """An account at another spot: profit against now, and its margin there."""

    spot: int
    profit: int
    margin: Margin


def explain(mirror: Mirror, account: Account, now: int) -> Explanation:
    """Explain an account under its engine."""
    margin = mirror.assess(account.cash, ASSESS_ALL, account.words, now)
    if not isinstance(mirror, joint.JointScenarioEngine):
        contributions = _contributions(mirror, account, margin, now)
        return Explanation(margin, (), _parts_by_kind(mirror, account, now), contributions)
    found = _assess_jointly(mirror, account, now)
    worst = _worst_column(found.book)
    own = [_profit(_read(mirror, (word,), now), worst) for word in account.words]
    return Explanation(
        margin,
        _scenarios(found),
        _joint_parts(mirror, account, found, now),
        _contributions(mirror, account, margin, now, own),
    )


def profile(
    mirror: Mirror, account: Account, underlying: int, spots: Sequence[int], now: int
) -> list[Point]:
    """Profit of an account over the spot of one underlying, all else as it is."""
    equity = mirror.assess(account.cash, ASSESS_ALL, account.words, now).equity
    margins = [mirror.assess_at(account.cash, account.words, underlying, s, now) for s in spots]
    return [
        Point(spot, margin.equity - equity, margin)
        for spot, margin in zip(spots, margins, strict=True)
    ]


# ---- Trades -----------------------------------------------------------------------------------


def after_trade(
    account: Account,
    instrument: Instrument,
    size: int,
    price: int,
    fee: int,
    *,
    fair: int,
    unit: int,
) -> Account:
    """The account after it bought `size` (WAD, negative if sold) at a price, within 2 wei.

    A perpetual is settled to `fair`, its mark; `unit` is one whole collateral token.
    """
    words = dict(zip(map(word_of.instrument_of, account.words), account.words, strict=True))
    held = words.pop(instrument.key, instrument.key)
    cash = account.cash - fee
    if instrument.kind == Kind.PERP:
        before, quote = word_of.perp_size(held), word_of.perp_quote(held)
        total = before + size
        cash += quote + mul_floor(before, fair) - mul_ceil(size, price - fair)
        word = word_of.perp_word(instrument.id, total, -mul_ceil(total, fair))
    elif instrument.kind == Kind.OPTION:
        total = word_of.option_size(held) + size
        cash -= mul_ceil(size, price)
        word = word_of.option_word(instrument.key, total)
    else:
        amount, rest = divmod(abs(size) * unit, WAD)
        require(rest == 0, "Clearinghouse_InexactSize", size, unit)
        total = word_of.amount_of(held) + (amount if size > 0 else -amount)
        require(total >= 0, "Clearinghouse_InsufficientBalance", total)
        cash -= mul_ceil(size, price)
        word = word_of.collateral_word(instrument.id, total)
    if total:
        words[instrument.key] = word
    return Account(cash, tuple(words[key] for key in sorted(words)))


def judge(account: Account, before: Margin, after: Margin) -> Verdict:
    """Whether a trade that left `account` passes: margin enough, or less risk than before."""
    if account.owes_nothing:
        return Verdict.PASSES
    if after.fresh and after.equity >= max(after.initial, MIN_EQUITY):
        return Verdict.PASSES
    reduces = (
        before.maintenance > 0
        and min(before.equity, after.equity) >= 0
        and after.equity - after.initial >= before.equity - before.initial
        and after.equity * before.maintenance >= before.equity * after.maintenance
    )
    return Verdict.REDUCES if reduces else Verdict.REFUSED


# ---- The joint-scenario engine ----------------------------------------------------------------


def _assess_jointly(
    mirror: joint.JointScenarioEngine, account: Account, now: int
) -> joint.Assessment:
    given = account.cash, account.words, mirror.prices.snapshot, mirror.parameters, now
    return joint.assess(*given, options=mirror.options)


def _read(mirror: joint.JointScenarioEngine, words: Sequence[int], now: int) -> joint.Book:
    given = words, mirror.prices.snapshot, mirror.parameters, now
    return joint.read(*given, options=mirror.options)


def _profit(book: joint.Book, column: int, *, initial: bool = True) -> int:
    """Profit in a column."""
    loss = sum(
        exposure.column_loss(
            column, exposure.range_initial if initial else exposure.range_maintenance
        )
        for exposure in book.exposures
    )
    return -div_ceil(loss, PROFIT_UNIT)


def _worst_column(book: joint.Book) -> int:
    return min(range(scenarios.COLUMNS), key=lambda column: _profit(book, column))


def _scenarios(found: joint.Assessment) -> tuple[Scenario, ...]:
    """Every column, and the two losses that no column shows."""
    maintenance = _losses(found.book, found.losses_maintenance, initial=False)
    initial = _losses(found.book, found.losses_initial, initial=True)
    names = [*map(scenarios.name, range(scenarios.COLUMNS)), CORRELATION_BREAKS, EXPIRIES_APART]
    binds = _binding(maintenance), _binding(initial)
    return tuple(
        Scenario(name, maintenance[row], initial[row], *(row == one for one in binds))
        for row, name in enumerate(names)
    )


def _losses(book: joint.Book, losses: joint.Losses, *, initial: bool) -> list[int]:
    columns = [_profit(book, column, initial=initial) for column in range(scenarios.COLUMNS)]
    return [*columns, *(-div_ceil(loss, joint.LOSS_UNIT) for loss in (losses.broken, losses.term))]


def _binding(profits: Sequence[int]) -> int | None:
    """The row that sets the worst loss, the first of equals; None if nothing loses."""
    worst = min(profits)
    return profits.index(worst) if worst < 0 else None


def _joint_parts(
    mirror: joint.JointScenarioEngine, account: Account, found: joint.Assessment, now: int
) -> tuple[Part, ...]:
    """The worst loss, the add-ons by kind, and what only IM asks for."""
    losses = found.losses_maintenance.worst, found.losses_initial.worst
    width = sum(joint.initial_only_of(exposure) for exposure in found.book.exposures)
    perps, collateral, options = (
        _read(mirror, _of_kind(account, kind), now)
        for kind in (word_of.KIND_PERP, word_of.KIND_COLLATERAL, word_of.KIND_OPTION)
    )
    parts = (
        Part(
            "worst scenario",
            div_ceil(losses[0], joint.LOSS_UNIT * 5 // 4),
            div_ceil(losses[1], joint.LOSS_UNIT),
        ),
        _add_ons("perpetuals", perps),
        _add_ons("haircuts of collateral", collateral),
        _add_ons("roll of options, and short ones", options),
        Part("width of prices, departure from stable ones", 0, width),
        Part("volatility that is overdue", 0, found.initial_only - width),
    )
    return tuple(part for part in parts if part.maintenance or part.initial)


def _add_ons(name: str, book: joint.Book) -> Part:
    rates = book.add_on_maintenance, book.add_on_initial
    return Part(name, *(div_ceil(sum_, BPS) for sum_ in rates))


# ---- Every engine -----------------------------------------------------------------------------


def _of_kind(account: Account, kind: int) -> list[int]:
    return [word for word in account.words if word_of.kind(word) == kind]


def _parts_by_kind(mirror: Mirror, account: Account, now: int) -> tuple[Part, ...]:
    """Requirements of an engine without offsets, which are sums over the positions."""
    kinds = {
        "perpetuals": word_of.KIND_PERP,
        "collateral": word_of.KIND_COLLATERAL,
        "options": word_of.KIND_OPTION,
    }
    margins = {
        name: mirror.assess(0, ASSESS_ALL, _of_kind(account, kind), now)
        for name, kind in kinds.items()
    }
    parts = (Part(name, one.maintenance, one.initial) for name, one in margins.items())
    return tuple(part for part in parts if part.maintenance or part.initial)


def _contributions(
    mirror: Mirror,
    account: Account,
    whole: Margin,
    now: int,
    in_worst: Sequence[int] | None = None,
) -> tuple[Contribution, ...]:
    """What every position adds. Closing turns it into cash at its value, before fees."""
    found = []
    for index, word in enumerate(account.words):
        rest = account.words[:index] + account.words[index + 1 :]
        without = mirror.assess(account.cash, ASSESS_ALL, rest, now)
        found.append(
            Contribution(
                position=decode_position(word),
                value=whole.equity - without.equity,
                alone=mirror.assess(0, ASSESS_ALL, (word,), now).initial,
                in_worst=None if in_worst is None else in_worst[index],
                frees_initial=whole.initial - without.initial,
                frees_maintenance=whole.maintenance - without.maintenance,
            )
        )
    return tuple(found)


def size_of(position: Position, unit: int) -> int:
    """Size of a position, WAD; `unit` is one whole collateral token."""
    match position:
        case Perp() | Option():
            return position.size
        case Collateral():
            return position.amount * WAD // unit
