"""The rule-based engine, in exact integers.

The mirror of `contracts/risk/RuleEngine.sol`: same values, same rounding, same refusals. Margin is
a sum over the positions, each a rate of its own value: no position offsets another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
from ballast.model import words as word_of
from ballast.model.margin import ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin, Prices
from ballast.model.refusal import Refused
from ballast.risk.options import WINDOW, Expiry, NoOptions, OptionPrices, Term
from ballast.risk.rules import Rules
from ballast.risk.scenarios import RATIO
from ballast.risk.staleness import shift_at, widening_at
from ballast.units import WAD, div_ceil

MAX_WORDS = 64

TERMS = LiquidationTerms(
    target_health=12 * WAD // 10,
    discount_min=WAD // 100,
    discount_max=WAD // 4,
    discount_max_health=WAD // 2,
)

OpenInterest = Callable[[int], int]
"""Open interest of a market, WAD; refused if it is not listed."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a position rests on: a price, how far IM on it widens, how far it may have moved unseen.

    Ratios count 1e-8.
    """

    snapshot: Snapshot
    widening: int
    shift: int
    fresh: bool

    def widened(self, rate: int) -> int:
        """A rate of 1e-8 on this price: at most one."""
        return min(div_ceil(rate * self.widening, RATIO), RATIO)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one word is worth and asks for: money in WAD; requirements and credit in 1e-8 of it.

    `worth` is the value of an option in 1e-36 of cash, which is rounded once for all of them.
    """

    maintenance: int
    initial: int
    credit: int
    fresh: bool
    value: int = 0
    worth: int = 0
    notional: int = 0


@dataclass(frozen=True, slots=True)
class ShortOption:
    """A short option in money, WAD of cash, each rounded against the account."""

    is_put: bool
    notional: int
    distance: int
    mark: int
    bound: int

    @classmethod
    def make(cls, option: Option, spot: int, mark: int) -> ShortOption:
        """What an option of this size comes to at a spot."""
        amount = -option.size
        distance = spot - option.strike if option.is_put else option.strike - spot
        notional = div_ceil(amount * spot, WAD)
        return cls(
            is_put=option.is_put,
            notional=notional,
            distance=amount * max(0, distance) // WAD,
            mark=mark,
            bound=div_ceil(amount * option.strike, WAD) if option.is_put else notional,
        )

    def maintenance(self, rate: int) -> int:
        """Part of MM, 1e-8 of WAD: the rate on notional, of a put on its mark if that is more."""
        base = max(self.notional, self.mark) if self.is_put else self.notional
        return min(base * rate, self.bound * RATIO)

    def initial(self, rate: int, floor: int, widening: int) -> int:
        """Part of IM, 1e-8 of WAD."""
        base = max(self.notional * rate - self.distance * RATIO, self.notional * floor)
        return min(div_ceil(base * widening, RATIO), self.bound * RATIO)


def concentrated(rate: int, open_interest: int, depth: int) -> int:
    """A rate of 1e-8, grown by up to twice with the open interest (WAD) over the depth (units)."""
    excess = div_ceil(max(0, open_interest - depth * WAD) * RATIO, depth * WAD)
    return rate + div_ceil(rate * min(excess, RATIO), RATIO)


def initial_only(units: int, snapshot: Snapshot) -> int:
    """What only IM charges: the width of the price, and a pumped price's part. 1e-8 of WAD."""
    money = div_ceil(abs(units) * snapshot.price, WAD)
    width = money * (snapshot.confidence * RATIO // WAD)
    return width + max(0, div_ceil(units * (snapshot.price - snapshot.stable), WAD)) * RATIO


def _held(option: Option) -> Expiry:
    """An expiry with one option in it."""
    expiry = Expiry(option.expiry)
    expiry.add(option.strike // STRIKE_UNIT, option.size, option.is_put)
    return expiry


class RuleEngine:
    """The engine over prices and open interest, as the model of the Clearinghouse wants it."""

    def __init__(
        self,
        prices: Prices,
        open_interest: OpenInterest,
        rules: Rules,
        options: OptionPrices | None = None,
    ) -> None:
        self.prices = prices
        self.open_interest = open_interest
        self.rules = rules
        self.options: OptionPrices = options or NoOptions()

    @property
    def terms(self) -> LiquidationTerms:
        """Terms of liquidation."""
        return TERMS

    def supports_asset(self, asset: int) -> bool:
        """Whether it has weights for a collateral asset."""
        return asset in self.rules.assets

    def assess(self, cash: int, mode: int, words: Sequence[int], now: int) -> Margin:
        """Assess an account; for a witness, the whole MM and no IM."""
        return self._assess(cash, words, now, full=mode in (ASSESS_ALL, ASSESS_MAINTENANCE))

    def assess_at(
        self, cash: int, words: Sequence[int], underlying: int, spot: int, now: int
    ) -> Margin:
        """Assess an account as if the price of `underlying` were `spot`, all else as it is."""
        if spot > MAX_PRICE:
            raise Refused("RuleEngine_SpotOutOfRange", spot, MAX_PRICE)
        return self._assess(cash, words, now, moved=(underlying, spot))

    def fair_price(self, series: int, now: int) -> tuple[int, int]:
        """The price at which accounts are valued, WAD, and a delta away from zero."""
        if word_of.kind(series) != word_of.KIND_OPTION:
            raise Refused("RuleEngine_UnknownKind", series | WAD)
        option = decode_position(series | WAD)
        assert isinstance(option, Option)
        slice_word = self.options.slice(option.underlying, option.expiry)
        held = _held(option)
        settled = Settlement.decode(slice_word)
        if settled:
            return held.payoffs(settled.price) // WAD, 0
        snapshot = self._market(option.underlying, now, None).snapshot
        worth, units = self._quote(option, held, slice_word, snapshot, now)
        return worth // WAD, units

    def _assess(
        self,
        cash: int,
        words: Sequence[int],
        now: int,
        *,
        full: bool = True,
        moved: tuple[int, int] | None = None,
    ) -> Margin:
        if len(words) > MAX_WORDS:
            raise Refused("RuleEngine_TooManyWords", len(words), MAX_WORDS)
        charges = [self._charge(word, now, full, moved) for word in words]
        return Margin(
            equity=cash
            + sum(one.value for one in charges)
            + sum(one.worth for one in charges) // WAD,
            initial=div_ceil(sum(one.initial for one in charges), RATIO),
            maintenance=div_ceil(sum(one.maintenance for one in charges), RATIO),
            perp_notional=sum(one.notional for one in charges),
            fresh=all(one.fresh for one in charges),
            credit=sum(one.credit for one in charges) // RATIO,
        )

    def _charge(self, word: int, now: int, full: bool, moved: tuple[int, int] | None) -> Charge:
        kind = word_of.kind(word)
        if kind == word_of.KIND_PERP:
            return self._perp(word, now, full, moved)
        if kind == word_of.KIND_COLLATERAL:
            return self._collateral(word, now, full, moved)
        if kind == word_of.KIND_OPTION:
            return self._option(word, now, full, moved)
        raise Refused("RuleEngine_UnknownKind", word)

    def _perp(self, word: int, now: int, full: bool, moved: tuple[int, int] | None) -> Charge:
        underlying, size = word_of.ident(word), word_of.perp_size(word)
        rule = self.rules.perp(underlying)
        market = self._market(underlying, now, moved)
        product = size * market.snapshot.mark
        gross = div_ceil(abs(product), WAD)
        initial, maintenance = 0, rule.maintenance.at_up(now)
        if full:
            rate = rule.initial.at_up(now)
            if rule.depth:
                rate = concentrated(rate, self.open_interest(underlying), rule.depth)
            initial = gross * market.widened(rate) + initial_only(size, market.snapshot)
        return Charge(
            value=product // WAD + word_of.perp_quote(word),
            maintenance=gross * maintenance,
            initial=initial,
            notional=gross,
            fresh=market.fresh,
            credit=abs(product) // WAD * min(market.shift, maintenance),
        )

    def _collateral(self, word: int, now: int, full: bool, moved: tuple[int, int] | None) -> Charge:
        rule = self.rules.asset(word_of.ident(word))
        market = self._market(rule.underlying, now, moved)
        unit, amount = 10**rule.decimals, word_of.amount_of(word)
        product = amount * market.snapshot.price
        gross = div_ceil(product, unit)
        initial, maintenance = 0, RATIO - rule.maintenance.at_down(now)
        if full:
            initial = gross * market.widened(RATIO - rule.initial.at_down(now))
            initial += initial_only(amount * (WAD // unit), market.snapshot)
        return Charge(
            value=product // unit,
            maintenance=gross * maintenance,
            initial=min(initial, gross * RATIO),
            notional=0,
            fresh=market.fresh,
            credit=product // unit * min(market.shift, maintenance),
        )

    def _option(self, word: int, now: int, full: bool, moved: tuple[int, int] | None) -> Charge:
        option = decode_position(word)
        assert isinstance(option, Option)
        slice_word = self.options.slice(option.underlying, option.expiry)
        held = _held(option)
        settled = Settlement.decode(slice_word)
        if settled:
            worth = held.payoffs(settled.price)
            whole = max(0, div_ceil(worth, WAD)) * RATIO
            return Charge(whole, whole if full else 0, 0, fresh=True, worth=worth)
        market = self._market(option.underlying, now, moved)
        worth, units = self._quote(option, held, slice_word, market.snapshot, now)
        unseen = abs(units) * market.snapshot.price // WAD * market.shift
        market = self._overdue(market, slice_word, option.expiry, now)
        if option.size > 0:
            whole = div_ceil(worth, WAD) * RATIO
            initial = whole if full else 0
            return Charge(whole, initial, min(unseen, whole), market.fresh, worth=worth)
        rule = self.rules.option(option.underlying)
        short = ShortOption.make(option, market.snapshot.price, div_ceil(-worth, WAD))
        initial, maintenance = 0, short.bound * RATIO
        if slice_word:
            maintenance = short.maintenance(rule.maintenance.at_up(now))
        if full:
            rates = rule.initial.at_up(now), rule.initial_floor.at_up(now)
            initial = max(short.initial(*rates, market.widening), maintenance)
            initial += initial_only(units, market.snapshot)
        credit = min(unseen, maintenance)
        return Charge(maintenance, initial, credit, market.fresh, worth=worth)

    def _quote(
        self, option: Option, held: Expiry, slice_word: int, snapshot: Snapshot, now: int
    ) -> tuple[int, int]:
        """Worth, and delta in units of the underlying; without a slice, those of exercising."""
        mean = 0, 0
        if now + WINDOW > option.expiry:
            mean = self.options.settlement_mean(option.underlying, option.expiry)
        if not slice_word:
            worth = held.payoffs(
                (mean[1] * mean[0] + snapshot.price * (WINDOW - mean[0])) // WINDOW
            )
            side = -option.size if option.is_put else option.size
            return worth, side if worth else 0
        slice_ = VolatilitySlice.decode(slice_word)
        term = Term.make(snapshot, slice_, option.expiry, now, mean)
        totals = held.quote(term)
        units = div_ceil(abs(totals.delta) * slice_.forward // RATIO * term.open, 1 << 104)
        return totals.worth, -units if totals.delta < 0 else units

    @staticmethod
    def _overdue(market: Market, slice_word: int, expiry: int, now: int) -> Market:
        """A slice that is overdue widens IM as a stale price does."""
        overdue = VolatilitySlice.decode(slice_word).overdue(now)
        if not slice_word or overdue == 0 or now >= expiry:
            return market
        widening = div_ceil(market.widening * widening_at(overdue), RATIO)
        return replace(market, widening=widening, fresh=False)

    def _market(self, underlying: int, now: int, moved: tuple[int, int] | None) -> Market:
        snapshot = self.prices.snapshot(underlying)
        if snapshot.price == 0:
            raise Refused("RuleEngine_PriceNeverAccepted", underlying)
        fresh, age = snapshot.is_fresh(now), snapshot.age(now)
        widening = RATIO if fresh else widening_at(age)
        shift = 0 if fresh else shift_at(snapshot.range_maintenance * RATIO // WAD, age)
        if moved is not None and moved[0] == underlying:
            snapshot = replace(snapshot, price=moved[1] // PRICE_UNIT * PRICE_UNIT)
        return Market(snapshot, widening, shift, fresh)
