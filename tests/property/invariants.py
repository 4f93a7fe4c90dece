"""The invariants of tests/INVARIANTS.md over a world whose model is equal to its contracts.

What a position is worth is written out again here, from specification §2.3, so that the gates and
the accounting do not rest on the code that they test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.clearinghouse import is_reduction
from ballast.model.interest import kept_back
from ballast.model.liquidator import discount_of, fraction_to_target
from ballast.model.margin import ASSESS_ALL, Margin
from ballast.model.market import SeriesInterest
from ballast.units import WAD, div_ceil, mul_ceil, mul_floor
from tests.property.margins import Margins
from tests.property.options_worth import OptionWorth
from tests.property.world import World, owner_of, require

HOUR = 3600
DUST = 64  # wei that the roundings of one call may move
MIN_EQUITY = 50 * WAD


@dataclass(frozen=True)
class Worth:
    """What everybody has at one moment, at the prices of that moment. WAD."""

    equities: dict[AccountId, int]
    wallets: dict[str, int]
    protocol: int
    """The reserve, with the interest that it has coming."""

    def of(self, owner: str) -> int:
        """What an owner has, in its accounts and in its wallet."""
        held = sum(e for account, e in self.equities.items() if owner_of(account) == owner)
        return held + self.wallets.get(owner, 0)

    @property
    def total(self) -> int:
        return sum(self.equities.values()) + sum(self.wallets.values()) + self.protocol


class Invariants:
    """Measures a world before and after every call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.options = OptionWorth(world)
        self._margins = Margins(world)

    # ---- Measures -----------------------------------------------------------------------------

    def equity(self, account: AccountId) -> int:
        """Specification §2.3."""
        house, feeds = self.world.model.house, self.world.model.feeds
        stored = house.state.account(account)
        value = house.open_cash().to_cash(stored.scaled)
        options = 0
        for word in stored.words:
            what = word_of.ident(word)
            if word_of.kind(word) == word_of.KIND_PERP:
                size = word_of.perp_size(word)
                funding = house.state.markets[what].state.funding_at(house.now)
                value += mul_floor(size, feeds.snapshot(what).mark) + word_of.perp_quote(word)
                value -= mul_ceil(size, funding)
            elif word_of.kind(word) == word_of.KIND_OPTION:
                series = word_of.instrument_of(word)
                options += word_of.option_size(word) * self.options.unit_value(series)
            else:
                asset = house.state.assets[what]
                spot = feeds.snapshot(asset.underlying).price
                value += word_of.amount_of(word) * spot // 10**asset.decimals
        return value + options // WAD

    def worth(self) -> Worth:
        world, state = self.world, self.world.model.house.state
        equities = {account: self.equity(account) for account in world.known_accounts}
        wallets = {owner: self._wallet(owner) for owner in world.owners.values()}
        return Worth(equities, wallets, state.reserve + self._uncollected())

    def _wallet(self, owner: str) -> int:
        state, feeds = self.world.model.house.state, self.world.model.feeds
        value = 0
        for asset in state.assets:
            spot = feeds.snapshot(asset.underlying).price if asset.underlying else WAD
            value += state.balance(asset.token, owner) * spot // 10**asset.decimals
        return value

    def _uncollected(self) -> int:
        house = self.world.model.house
        return kept_back(house.state.interest, house.state.totals, house.open_cash())

    def grain(self, account: AccountId) -> int:
        """What a fraction of an account may be off: one indivisible unit of each position."""
        house, feeds = self.world.model.house, self.world.model.feeds
        sum_ = DUST
        for word in house.state.account(account).words:
            what = word_of.ident(word)
            if word_of.kind(word) == word_of.KIND_PERP:
                sum_ += div_ceil(feeds.snapshot(what).mark, WAD)
            elif word_of.kind(word) == word_of.KIND_OPTION:
                sum_ += self.options.grain(word)
            else:
                asset = house.state.assets[what]
                price = feeds.snapshot(asset.underlying).price
                sum_ += div_ceil(price, 10**asset.decimals)
        return sum_

    def margin(self, account: AccountId, mode: int = ASSESS_ALL) -> Margin:
        return self._margins.of(account, mode)

    def credit(self, account: AccountId) -> int:
        """At most what prices that are not fresh are worth in a liquidation."""
        house, feeds = self.world.model.house, self.world.model.feeds
        money: dict[int, int] = {}
        options: Counter[int] = Counter()
        for word in house.state.account(account).words:
            what = word_of.ident(word)
            if word_of.kind(word) == word_of.KIND_PERP:
                value = word_of.perp_size(word) * feeds.snapshot(what).mark // WAD
            elif word_of.kind(word) == word_of.KIND_OPTION:
                value = 0
                gross = abs(word_of.option_size(word)) * feeds.snapshot(what).price // WAD
                options[what] += 2 * gross
            else:
                asset = house.state.assets[what]
                what = asset.underlying
                value = word_of.amount_of(word) * feeds.snapshot(what).price // 10**asset.decimals
            money[what] = money.get(what, 0) + value
        total = 0
        for underlying, exposure in money.items():
            snapshot = feeds.snapshot(underlying)
            age = snapshot.age(house.now)
            if not snapshot.is_fresh(house.now) and age <= HOUR:
                most = abs(exposure) + options[underlying]
                total += most * snapshot.range_maintenance * age // (4 * HOUR * WAD)
        return total + DUST

    # ---- What always holds --------------------------------------------------------------------

    def check_books(self) -> None:
        """[I1, I2, I8] Sums over all accounts."""
        house = self.world.model.house
        state, flow = house.state, house.open_cash()
        sizes: dict[int, int] = dict.fromkeys(state.markets, 0)
        longs: dict[int, int] = dict.fromkeys(state.markets, 0)
        amounts = [0] * len(state.assets)
        claims = state.reserve + self._uncollected()
        series: dict[int, SeriesInterest] = {}
        for stored in state.accounts.values():
            claims += flow.to_cash(stored.scaled)
            for word in stored.words:
                what = word_of.ident(word)
                if word_of.kind(word) == word_of.KIND_PERP:
                    size = word_of.perp_size(word)
                    require(size != 0, "I1: an empty position is kept", what)
                    sizes[what] += size
                    longs[what] += max(size, 0)
                    claims += word_of.perp_quote(word)
                elif word_of.kind(word) == word_of.KIND_OPTION:
                    claims += self._count_option(word, series)
                else:
                    amounts[what] += word_of.amount_of(word)
        for underlying, market in state.markets.items():
            require(sizes[underlying] == 0, "I1: sizes do not sum to zero", underlying, sizes)
            held = market.state.open_interest
            require(longs[underlying] == held, "I1: open interest", underlying, longs, held)
        self._check_open_interest(series)
        for index, asset in enumerate(state.assets[1:], start=1):
            require(amounts[index] == asset.total, "I2: recorded total", index, amounts[index])
            tokens = house.tokens_held(index)
            require(tokens >= asset.total, "I2: custody of collateral", index, tokens)
        surplus = house.tokens_held() * house.cash_unit - claims
        require(surplus >= 0, "I2: custody of cash", surplus)
        require(surplus < 10**9, "I8: cash falls out of the books", surplus)
        scaled = [stored.scaled for stored in state.accounts.values()]
        totals = sum(max(s, 0) for s in scaled), sum(max(-s, 0) for s in scaled)
        require(totals == (state.totals.supply, state.totals.debt), "I2: scaled totals", totals)

    def _count_option(self, word: int, series: dict[int, SeriesInterest]) -> int:
        """Take a position into the sums of its series; what it has coming if that is fixed."""
        key, size = word_of.instrument_of(word), word_of.option_size(word)
        require(size != 0, "I1: an empty option is kept", key)
        series[key] = series.get(key, SeriesInterest()).moved(max(size, 0), max(-size, 0))
        return mul_floor(size, self.options.payoff(key) or 0)

    def _check_open_interest(self, found: dict[int, SeriesInterest]) -> None:
        """[I1] What is open of options, by series and by underlying."""
        house = self.world.model.house
        totals: Counter[int] = Counter()
        for key in house.state.series.keys() | found.keys():
            one = found.get(key, SeriesInterest())
            held = house.state.series.get(key, SeriesInterest())
            require(one == held, "I1: open interest of a series", f"{key:x}", one, held)
            level = one.long == one.short or self.options.payoff(key) is not None
            require(level, "I1: a series does not sum to zero", f"{key:x}", one)
            totals[word_of.ident(key)] += one.long
        for underlying, market in house.state.option_markets.items():
            total = totals[underlying]
            require(total == market.open_interest, "I1: options open", underlying, total, market)

    def check_margins(self, account: AccountId, other: AccountId, column: int) -> None:
        """[I5, I6] One account alone, twice, together with another, and in one scenario."""
        one = self.margin(account)
        require(one.initial >= one.maintenance >= 0, "I5: IM ≥ MM ≥ 0", one)
        named = self.margin(account, 1 + column)
        require(named.maintenance <= one.maintenance, "I6: witness", named, one)
        require(named.equity == one.equity == self.equity(account), "I10: equity", named, one)
        self.options.check(account, one)
        house = self.world.model.house
        engine, now = house.engine(0), house.now
        (cash, words), (more, others) = house.portfolio(account), house.portfolio(other)
        twice = engine.assess(2 * cash, ASSESS_ALL, [*words, *words], now)
        dust = self._dust(words)
        require(abs(twice.maintenance - 2 * one.maintenance) <= dust, "I5: homogeneous MM", one)
        require(abs(twice.initial - 2 * one.initial) <= dust, "I5: homogeneous IM", one, twice)
        two = self.margin(other)
        if len(words) + len(others) <= 64:
            joint = engine.assess(cash + more, ASSESS_ALL, [*words, *others], now)
            dust += self._dust(others)
            limits = one.maintenance + two.maintenance, one.initial + two.initial
            require(joint.maintenance <= limits[0] + dust, "I5: subadditive MM", joint, limits)
            require(joint.initial <= limits[1] + dust, "I5: subadditive IM", joint, limits)

    def _dust(self, words: Sequence[int]) -> int:
        """What an assessment may be off by rounding: of options, a unit of each."""
        options = [word for word in words if word_of.kind(word) == word_of.KIND_OPTION]
        return 4 + 4 * len(words) + sum(self.options.grain(word) for word in options)

    # ---- What a call may do -------------------------------------------------------------------

    def check_gate(self, account: AccountId, before: Margin) -> None:
        """[I3] After a trade or a withdrawal."""
        stored = self.world.model.house.state.account(account)
        if stored.scaled >= 0 and all(
            word_of.kind(word) == word_of.KIND_COLLATERAL for word in stored.words
        ):
            return
        after = self.margin(account)
        held = after.equity >= after.initial or is_reduction(before, after)
        require(held, "I3: the gate", account, before, after)
        require(after.equity >= 0, "I9: a call leaves a debt behind", account, before, after)

    def check_moved(self, before: Worth, touched: Iterable[AccountId]) -> Worth:
        """[I8, I9] After a call at unchanged time and prices."""
        after = self.worth()
        house = self.world.model.house
        allowed = {*touched, house.fee_account, house.insurance_account}
        for account, value in after.equities.items():
            if account not in allowed:
                require(value == before.equities[account], "I9: a bystander's equity", account)
        change = after.total - before.total
        require(-DUST <= change <= DUST, "I8: value appears or is lost", change)
        for protocol in (house.fee_account, house.insurance_account):
            fell = before.equities[protocol] - after.equities[protocol]
            require(fell <= 0, "I8: the protocol pays", protocol, fell)
        return after

    def check_fixed(self, underlying: int, expiry: int, before: Worth) -> None:
        """[I12] After the fixing of an expiry: payoffs count at once, and add up to zero."""
        after = self.worth()
        change = after.total - before.total
        require(-DUST <= change <= DUST, "I12: fixing creates or destroys value", change)
        for account in self.world.accounts:
            held = [series for series, _ in self.options.held(account)]
            mine = [(word_of.ident(one), word_of.expiry_of(one)) for one in held]
            same = after.equities[account] == before.equities[account]
            require(same or (underlying, expiry) in mine, "I12: a bystander is moved", account)
            real = self.margin(account).equity
            require(real == after.equities[account], "I12: the payoff counts at once", account)

    def check_liquidated(
        self,
        account: AccountId,
        before: Margin,
        fraction: int,
        worth: tuple[Worth, Worth],
        proven: int,
    ) -> None:
        """[I4] Only at E < MM; at most x*; health does not fall; the account loses no more than
        the discount that its health and its proven time give."""
        require(0 <= before.equity < before.maintenance, "I4: only at E < MM", before)
        terms = self.world.model.house.liquidation_terms(account)
        discount = discount_of(terms, before.equity, before.maintenance, proven)
        best = fraction_to_target(terms, before.equity, before.maintenance, discount)
        require(fraction <= best, "I4: more than x*", fraction, best, before)
        after = self.margin(account)
        grain = self.grain(account)
        better = (after.equity + grain) * before.maintenance
        worse = before.equity * max(after.maintenance - grain, 0)
        require(better >= worse, "I4: health falls", before, after)
        lost = worth[0].equities[account] - worth[1].equities[account]
        most = div_ceil(fraction * discount, WAD) + self.grain(account)
        require(lost <= most, "I4: the account loses more than the discount", lost, most, before)
        require(after.equity >= 0, "I9: a liquidation leaves a debt behind", after)
