"""The joint-scenario engine, in exact integers.

The mirror of `contracts/risk/JointScenarioEngine.sol`: same values, same rounding, same refusals.
Everything is a pure function of (cash, words, snapshots, parameters, now).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ballast.codec import (
    MAX_PRICE,
    PRICE_UNIT,
    STRIKE_UNIT,
    Option,
    Settlement,
    Snapshot,
    VolatilitySlice,
    decode_position,
)
from ballast.fixed_point import div_towards_zero
from ballast.model import words as word_of
from ballast.model.margin import ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin, Prices
from ballast.model.refusal import Refused
from ballast.risk import black76
from ballast.risk.options import (
    LOSS_COUNTS,
    WINDOW,
    Expiry,
    NoOptions,
    OptionPrices,
    Term,
    damped,
    find_or_add,
    value_of,
)
from ballast.risk.parameters import Parameters, UnderlyingRisk
from ballast.risk.scenarios import (
    COLUMNS,
    CORE_COLUMNS,
    RATIO,
    TAILS,
    TERM_RATE,
    quarters,
    weighted_move,
)
from ballast.risk.staleness import shift_at, surcharge_at, widening_at
from ballast.units import BPS, WAD, YEAR, div_ceil

MAX_WORDS = 64
STILL = (8, 9)  # the columns in which prices stay
LOSS_UNIT = 4 * RATIO  # losses are summed in 1e-8 quarters of WAD

TERMS = LiquidationTerms(
    target_health=115 * WAD // 100,
    discount_min=5 * WAD // 1000,
    discount_max=WAD // 10,
    discount_max_health=WAD // 2,
)

Snapshots = Callable[[int], Snapshot]
NO_OPTIONS = NoOptions()


@dataclass(slots=True)
class Exposure:
    """What an account holds of one underlying. Money in WAD of cash, ranges in 1e-8."""

    underlying: int
    snapshot: Snapshot
    risk: UnderlyingRisk
    range_maintenance: int
    range_initial: int
    shift: int = 0
    money_floor: int = 0
    money_ceil: int = 0
    units: int = 0
    expiries: list[Expiry] = field(default_factory=list)

    def loss(self, ratio: int) -> int:
        """Loss if the underlying moves by a ratio of 1e-8, in 1e-8 of WAD; a gain is negative."""
        return -ratio * (self.money_ceil if ratio < 0 else self.money_floor)

    @property
    def credit(self) -> int:
        """What it would have gained if its price had moved its way unseen, in 1e-8 of WAD."""
        if not self.expiries:
            return max(self.money_floor * self.shift, -self.money_ceil * self.shift, 0)
        money = abs(self.units) * (self.snapshot.price // PRICE_UNIT) // 10**12
        own = self.column_losses(self.range_maintenance) if self.shift else [0] * COLUMNS
        return min(money * self.shift, self.own_worst(own) // LOSS_COUNTS // 5)

    def column_losses(self, scan_range: int) -> list[int]:
        """Loss in every column, in counts."""
        return [self.column_loss(column, scan_range) for column in range(COLUMNS)]

    def own_worst(self, own: Sequence[int]) -> int:
        """The worst of its losses with correlation broken, in counts: its part of L_dec."""
        kappa = self.risk.kappa_quarters
        near = [own[column] for column in range(CORE_COLUMNS) if abs(quarters(column)) <= kappa]
        return max(*near, div_ceil(kappa * max(*own, 0), 4), 0)

    @property
    def bounded_losses(self) -> list[int]:
        """At the range of IM, at least the loss in every column; options valued at that of MM."""
        slack = self.slack_for(abs(self.range_initial - self.range_maintenance))
        valued_at = self.range_maintenance
        return [
            self.column_loss(column, self.range_initial, valued_at=valued_at)
            + (abs(quarters(column)) * slack if column < CORE_COLUMNS else 0)
            for column in range(COLUMNS)
        ]

    def slack_for(self, change: int) -> int:
        """What options may lose besides for a quarter of a range that differs, in counts."""
        return sum(expiry.slack_for(change) for expiry in self.expiries)

    def column_loss(self, column: int, scan_range: int, *, valued_at: int | None = None) -> int:
        """Loss in a column, weighted if it is a tail, in counts."""
        at = scan_range if valued_at is None else valued_at
        after = sum(expiry.value_in(column, at) for expiry in self.expiries)
        options = value_of(self.expiries) - after
        if column < CORE_COLUMNS:
            move = quarters(column)
            linear = abs(move) * self.loss(scan_range if move > 0 else -scan_range)
            return options + linear * LOSS_COUNTS
        move = weighted_move(column - CORE_COLUMNS, scan_range)
        size = abs(TAILS[column - CORE_COLUMNS])
        return div_ceil(options, size) * abs(move) + 4 * self.loss(move) * LOSS_COUNTS

    def term_loss(self, scan_range: int) -> int:
        """L_term of the underlying, in counts: vol shocks of expiries that do not offset."""
        total = 0
        for expiry in self.expiries:
            after = min(expiry.value_in(column, scan_range) for column in STILL)
            total += div_ceil(max(0, expiry.value - after), BPS) * TERM_RATE
        return total

    @property
    def overdue(self) -> int:
        """What IM asks besides for vol risk on slices that are overdue, in counts."""
        total = 0
        for expiry in self.expiries:
            if expiry.surcharge:
                values = (expiry.value_in(column, self.range_initial) for column in STILL)
                loss = max(0, expiry.value - min(values))
                total += div_ceil(loss, RATIO) * expiry.surcharge
        return total


@dataclass(frozen=True, slots=True)
class Losses:
    """The worst joint losses under one set of ranges, in 1e-8 quarters of WAD."""

    same: int
    broken: int
    tail: int
    term: int = 0
    columns: tuple[int, ...] = ()
    """Every column's loss, of a book with options."""

    @property
    def worst(self) -> int:
        """W."""
        return max(self.same, self.broken, self.tail, self.term)


@dataclass(slots=True)
class Book:
    """An account that was read: values in WAD, add-ons in 1e-4 of WAD."""

    exposures: list[Exposure] = field(default_factory=list)
    stale: bool = False
    value: int = 0
    perp_notional: int = 0
    add_on_maintenance: int = 0
    add_on_initial: int = 0


@dataclass(frozen=True, slots=True)
class Assessment:
    """A margin and the numbers that it was made of."""

    margin: Margin
    book: Book
    losses_maintenance: Losses
    losses_initial: Losses
    initial_only: int
    """What only IM charges, WAD: the width of prices, and the departure from stable ones."""


def assess(
    cash: int,
    words: Sequence[int],
    snapshots: Snapshots,
    parameters: Parameters,
    now: int,
    *,
    options: OptionPrices = NO_OPTIONS,
) -> Assessment:
    """Assess an account at the accepted prices; funding is folded into the words."""
    return _assess(cash, read(words, snapshots, parameters, now, options=options))


def assess_maintenance(
    cash: int,
    words: Sequence[int],
    snapshots: Snapshots,
    parameters: Parameters,
    now: int,
    *,
    options: OptionPrices = NO_OPTIONS,
) -> Margin:
    """MM of an account, and an upper bound of its IM."""
    book = read(words, snapshots, parameters, now, options=options)
    return _assess(cash, book, bounded=True).margin


def assess_at(
    cash: int,
    words: Sequence[int],
    snapshots: Snapshots,
    parameters: Parameters,
    now: int,
    *,
    options: OptionPrices = NO_OPTIONS,
    underlying: int,
    spot: int,
) -> Assessment:
    """Assess an account as if the price of `underlying` were `spot` (WAD), all else as it is."""
    if spot > MAX_PRICE:
        raise Refused("JointScenarioEngine_SpotOutOfRange", spot, MAX_PRICE)
    book = read(words, snapshots, parameters, now, options=options, moved=(underlying, spot))
    return _assess(cash, book)


def witness(
    cash: int,
    words: Sequence[int],
    snapshots: Snapshots,
    parameters: Parameters,
    now: int,
    *,
    options: OptionPrices = NO_OPTIONS,
    column: int,
) -> Margin:
    """A lower bound of MM from one named scenario."""
    book = read(words, snapshots, parameters, now, options=options)
    if column >= COLUMNS:
        raise Refused("JointScenarioEngine_UnknownScenario", column)
    return _margin(cash, book, maintenance_of(book, loss_in(book, column)), 0)


def liquidation_terms() -> LiquidationTerms:
    """Terms on which accounts of this engine are liquidated."""
    return TERMS


# ---- Reading the account ----------------------------------------------------------------------


def read(
    words: Sequence[int],
    snapshots: Snapshots,
    parameters: Parameters,
    now: int,
    *,
    options: OptionPrices = NO_OPTIONS,
    moved: tuple[int, int] | None = None,
) -> Book:
    """Value every word and sum exposures by underlying."""
    if len(words) > MAX_WORDS:
        raise Refused("JointScenarioEngine_TooManyWords", len(words), MAX_WORDS)
    book = Book()

    def exposure_to(underlying: int) -> Exposure:
        for known in book.exposures:
            if known.underlying == underlying:
                return known
        made = _exposure(underlying, snapshots(underlying), parameters, now)
        book.stale |= not made.snapshot.is_fresh(now)
        if moved is not None and moved[0] == underlying:
            price = moved[1] // PRICE_UNIT * PRICE_UNIT
            made.snapshot = replace(made.snapshot, price=price)
        book.exposures.append(made)
        return made

    for word in words:
        kind = word_of.kind(word)
        if kind == word_of.KIND_PERP:
            _add_perp(book, exposure_to(word_of.ident(word)), word)
        elif kind == word_of.KIND_COLLATERAL:
            asset = parameters.asset(word_of.ident(word))
            rates = (asset.haircut, asset.haircut + asset.extra_haircut)
            exposure = exposure_to(asset.underlying)
            _add_collateral(book, exposure, word_of.amount_of(word), asset.decimals, rates)
        elif kind == word_of.KIND_OPTION:
            option = decode_position(word)
            assert isinstance(option, Option)
            expiry = find_or_add(exposure_to(option.underlying).expiries, option.expiry)
            expiry.add(option.strike // STRIKE_UNIT, option.size, option.is_put)
        else:
            raise Refused("JointScenarioEngine_UnknownKind", word)
    worth = sum(
        _quote(book, exposure, expiry, options, now)
        for exposure in book.exposures
        for expiry in exposure.expiries
    )
    book.value += worth // WAD
    return book


def _quote(book: Book, exposure: Exposure, expiry: Expiry, options: OptionPrices, now: int) -> int:
    """Worth of an expiry's options, 1e-36 of cash; exposure, deltas and add-ons are added."""
    word = options.slice(exposure.underlying, expiry.date)
    fixed = Settlement.decode(word)
    if fixed:
        return expiry.payoffs(fixed.price)
    term = term_of(exposure.snapshot, exposure.underlying, expiry.date, options, now)
    overdue = term.slice.overdue(now)
    if term.time > 0 and overdue > 0:
        book.stale = True
        expiry.surcharge = surcharge_at(overdue)
    totals = expiry.quote(term)
    spot = max(exposure.snapshot.price // PRICE_UNIT, 1)
    price_count = WAD // PRICE_UNIT
    delta = totals.delta * (term.forward * term.open >> 64)
    exposure.money_floor += totals.parity // price_count
    exposure.money_ceil += div_ceil(totals.parity, price_count)
    exposure.units += div_towards_zero(delta, spot << 40)
    risk = exposure.risk
    rate = max(div_ceil(risk.roll_rate * BPS * term.time, YEAR), risk.roll_floor * BPS)
    roll = div_ceil(div_ceil(abs(delta), price_count << 40) * rate, BPS)
    short = div_ceil(totals.short * spot, price_count)
    book.add_on_maintenance += roll + short * risk.short_option_maintenance
    book.add_on_initial += roll + short * risk.short_option_initial
    return totals.worth


def term_of(
    snapshot: Snapshot, underlying: int, date: int, options: OptionPrices, now: int
) -> Term:
    """What the options of an expiry are priced with; refused if it has no slice."""
    word = options.slice(underlying, date)
    if word == 0:
        raise Refused("JointScenarioEngine_SliceNeverPublished", underlying, date)
    mean = options.settlement_mean(underlying, date) if now + WINDOW > date else (0, 0)
    return Term.make(snapshot, VolatilitySlice.decode(word), date, now, mean)


def fair_price(
    instrument: int, snapshots: Snapshots, options: OptionPrices, now: int
) -> tuple[int, int]:
    """Precise price of one unit of an option, WAD of cash, and its change with the spot, WAD."""
    if word_of.kind(instrument) != word_of.KIND_OPTION:
        raise Refused("JointScenarioEngine_UnknownKind", instrument)
    option = decode_position(instrument)
    assert isinstance(option, Option)
    snapshot = snapshots(option.underlying)
    if snapshot.price == 0:
        raise Refused("JointScenarioEngine_PriceNeverAccepted", option.underlying)
    fixed = Settlement.decode(options.slice(option.underlying, option.expiry))
    if fixed:
        return black76.price(fixed.price, option.strike, 0, option.is_put)[0], 0
    term = term_of(snapshot, option.underlying, option.expiry, options, now)
    _, log_kappa = term.moneyness(option.strike // STRIKE_UNIT)
    deviation = damped(term.deviation(log_kappa), term.open, 1 << 64, term.factor)
    forward = term.forward * PRICE_UNIT * term.factor >> 64
    price, delta = black76.price(forward, option.strike, deviation, option.is_put)
    return price, delta * (term.open * term.slice.forward // RATIO) >> 64


def _exposure(underlying: int, snapshot: Snapshot, parameters: Parameters, now: int) -> Exposure:
    if snapshot.price == 0:
        raise Refused("JointScenarioEngine_PriceNeverAccepted", underlying)
    risk = parameters.underlying(underlying)
    age, is_fresh = snapshot.age(now), snapshot.is_fresh(now)
    widening = RATIO if is_fresh else widening_at(age)
    cap = risk.range_cap * RATIO // BPS
    range_maintenance = min(snapshot.range_maintenance * RATIO // WAD, cap)
    range_initial = div_ceil(snapshot.range_initial * RATIO // WAD * widening, RATIO)
    return Exposure(
        underlying,
        snapshot,
        risk,
        range_maintenance=range_maintenance,
        range_initial=min(range_initial, cap),
        shift=0 if is_fresh else shift_at(range_maintenance, age),
    )


def _add_perp(book: Book, exposure: Exposure, word: int) -> None:
    size = word_of.perp_size(word)
    product = size * exposure.snapshot.mark
    gross = div_ceil(abs(product), WAD)
    exposure.money_floor += product // WAD
    exposure.money_ceil += div_ceil(product, WAD)
    exposure.units += size
    book.value += product // WAD + word_of.perp_quote(word)
    book.perp_notional += gross
    book.add_on_maintenance += gross * exposure.risk.perp_maintenance
    book.add_on_initial += gross * exposure.risk.perp_initial


def _add_collateral(
    book: Book, exposure: Exposure, amount: int, decimals: int, rates: tuple[int, int]
) -> None:
    unit = 10**decimals
    product = amount * exposure.snapshot.price
    gross = div_ceil(product, unit)
    exposure.money_floor += product // unit
    exposure.money_ceil += gross
    exposure.units += amount * (WAD // unit)
    book.value += product // unit
    book.add_on_maintenance += gross * rates[0]
    book.add_on_initial += gross * rates[1]


# ---- Requirements -----------------------------------------------------------------------------


def _assess(cash: int, book: Book, *, bounded: bool = False) -> Assessment:
    ranges = [e.range_maintenance for e in book.exposures]
    wider = [e.range_initial for e in book.exposures]
    losses_maintenance = losses(book.exposures, ranges)
    if bounded:
        losses_initial = bounded_losses(book.exposures)
    else:
        same = wider == ranges
        losses_initial = losses_maintenance if same else losses(book.exposures, wider)
    initial_only = sum(initial_only_of(exposure) for exposure in book.exposures)
    overdue = sum(exposure.overdue for exposure in book.exposures)
    initial_only += div_ceil(overdue, LOSS_COUNTS * LOSS_UNIT)
    maintenance = maintenance_of(book, losses_maintenance.worst)
    initial = (
        div_ceil(losses_initial.worst, LOSS_UNIT)
        + div_ceil(book.add_on_initial, BPS)
        + initial_only
    )
    margin = _margin(cash, book, maintenance, max(initial, maintenance))
    return Assessment(margin, book, losses_maintenance, losses_initial, initial_only)


def losses(exposures: Sequence[Exposure], ranges: Sequence[int]) -> Losses:
    """L_same, L_dec, L_tail and L_term under the given ranges, one for each exposure."""
    pairs = list(zip(exposures, ranges, strict=True))
    if any(exposure.expiries for exposure in exposures):
        return _losses_with_options(pairs)
    down = sum(e.loss(-scan_range) for e, scan_range in pairs)
    up = sum(e.loss(scan_range) for e, scan_range in pairs)
    broken = sum(
        e.risk.kappa_quarters * max(e.loss(-scan_range), e.loss(scan_range), 0)
        for e, scan_range in pairs
    )
    tails = (_tail_loss(pairs, tail) for tail in range(len(TAILS)))
    return Losses(same=4 * max(down, up, 0), broken=broken, tail=max(tails))


def bounded_losses(exposures: Sequence[Exposure]) -> Losses:
    """At least the losses under the ranges for IM, without valuing options at them."""
    given = [e.range_initial for e in exposures]
    if given == [e.range_maintenance for e in exposures] or not any(e.expiries for e in exposures):
        return losses(exposures, given)
    return _joined([e.bounded_losses for e in exposures], list(zip(exposures, given, strict=True)))


def _losses_with_options(pairs: Sequence[tuple[Exposure, int]]) -> Losses:
    return _joined([e.column_losses(scan_range) for e, scan_range in pairs], pairs)


def _joined(owns: Sequence[Sequence[int]], pairs: Sequence[tuple[Exposure, int]]) -> Losses:
    """Losses of all from those of each, in every column."""
    total = [0] * COLUMNS
    broken = 0
    for own, (exposure, _) in zip(owns, pairs, strict=True):
        total = [a + b for a, b in zip(total, own, strict=True)]
        broken += exposure.own_worst(own)
    columns = tuple(_from_counts(loss) for loss in total)
    return Losses(
        same=max(columns[:CORE_COLUMNS]),
        broken=_from_counts(broken),
        tail=max(columns[CORE_COLUMNS:]),
        term=_from_counts(sum(e.term_loss(scan_range) for e, scan_range in pairs)),
        columns=columns,
    )


def _from_counts(loss: int) -> int:
    """A loss, zero for a gain, in 1e-8 quarters of WAD, rounded up."""
    return div_ceil(max(loss, 0), LOSS_COUNTS)


def _tail_loss(pairs: Iterable[tuple[Exposure, int]], tail: int) -> int:
    return 4 * max(0, sum(e.loss(weighted_move(tail, scan_range)) for e, scan_range in pairs))


def loss_in(book: Book, column: int) -> int:
    """Loss in one named scenario at the ranges of MM, zero for a gain, in 1e-8 quarters of WAD."""
    return _from_counts(sum(e.column_loss(column, e.range_maintenance) for e in book.exposures))


def initial_only_of(exposure: Exposure) -> int:
    """What only IM charges on an exposure: the width of the price, and a pumped price's part."""
    snapshot = exposure.snapshot
    scale = WAD // PRICE_UNIT
    money = div_ceil(abs(exposure.units) * (snapshot.price // PRICE_UNIT), scale)
    width = div_ceil(money * (snapshot.confidence * RATIO // WAD), RATIO)
    departure = (snapshot.price - snapshot.stable) // PRICE_UNIT
    return width + max(0, div_ceil(exposure.units * departure, scale))


def maintenance_of(book: Book, loss: int) -> int:
    """MM for a loss in 1e-8 quarters of WAD: 0.80 of it, and the add-ons."""
    return div_ceil(loss, LOSS_UNIT * 5 // 4) + div_ceil(book.add_on_maintenance, BPS)


def _margin(cash: int, book: Book, maintenance: int, initial: int) -> Margin:
    return Margin(
        equity=cash + book.value,
        initial=initial,
        maintenance=maintenance,
        perp_notional=book.perp_notional,
        fresh=not book.stale,
        credit=sum(exposure.credit for exposure in book.exposures) // RATIO,
    )


class JointScenarioEngine:
    """The engine over a source of prices, as the model of the Clearinghouse wants it."""

    def __init__(
        self, prices: Prices, parameters: Parameters, options: OptionPrices = NO_OPTIONS
    ) -> None:
        self.prices = prices
        self.parameters = parameters
        self.options = options

    @property
    def terms(self) -> LiquidationTerms:
        """Terms of liquidation."""
        return TERMS

    def supports_asset(self, asset: int) -> bool:
        """Whether it has parameters for a collateral asset."""
        return asset in self.parameters.assets

    def assess(self, cash: int, mode: int, words: Sequence[int], now: int) -> Margin:
        """Assess an account, or find one scenario's lower bound of its MM."""
        given = (cash, words, self.prices.snapshot, self.parameters, now)
        if mode == ASSESS_ALL:
            return assess(*given, options=self.options).margin
        if mode == ASSESS_MAINTENANCE:
            return assess_maintenance(*given, options=self.options)
        return witness(*given, options=self.options, column=mode - 1)

    def fair_price(self, series: int, now: int) -> tuple[int, int]:
        """Precise price of one unit of an option and its delta, WAD."""
        return fair_price(series, self.prices.snapshot, self.options, now)

    def assess_at(
        self, cash: int, words: Sequence[int], underlying: int, spot: int, now: int
    ) -> Margin:
        """Assess an account as if the price of `underlying` were `spot`."""
        given = (cash, words, self.prices.snapshot, self.parameters, now)
        return assess_at(*given, options=self.options, underlying=underlying, spot=spot).margin
