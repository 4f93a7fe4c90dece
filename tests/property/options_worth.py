"""What options are worth, by specification §13 and §14, and what may not move them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ballast.codec import AccountId, Settlement, VolatilitySlice
from ballast.model import words as word_of
from ballast.model.feeds import Feeds
from ballast.model.margin import ASSESS_ALL, Margin
from ballast.risk.joint_scenario import JointScenarioEngine, read
from ballast.units import WAD
from tests.property.world import World, require

NEAR = 10**8  # of such parts of the spot, equity is one off the precise price at most
WIDEST = 8  # times the spot: a forward of twice the spot, moved by the widest scenario


class AsFresh:
    """The slices of some feeds as if every one of them had been reported now."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds

    def slice(self, underlying: int, expiry: int) -> int:
        word = self._feeds.slice(underlying, expiry)
        if word == 0 or Settlement.decode(word):
            return word
        return replace(VolatilitySlice.decode(word), time=self._feeds.now).encode()

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self._feeds.settlement_mean(underlying, expiry)


class OptionWorth:
    """Values series of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[tuple[object, ...], int] = {}

    def payoff(self, series: int) -> int | None:
        """What a unit pays, WAD; None while its expiry is not fixed."""
        expiry = word_of.ident(series), word_of.expiry_of(series)
        settled = self.world.model.feeds.settlements.get(expiry)
        if settled is None:
            return None
        gain = settled.price - word_of.strike_of(series)
        return max(-gain if word_of.is_put(series) else gain, 0)

    def unit_value(self, series: int) -> int:
        """What a unit is worth, WAD; the value of a position is linear in it."""
        payoff = self.payoff(series)
        return self._price(series) if payoff is None else payoff

    def _price(self, series: int) -> int:
        world, feeds = self.world, self.world.model.feeds
        u, expiry = word_of.ident(series), word_of.expiry_of(series)
        mean = feeds.settlement_mean(u, expiry)
        key = (series, feeds.now, feeds.snapshot(u), feeds.slice(u, expiry), mean)
        if key not in self._known:
            if len(self._known) > 4000:
                self._known.clear()
            parameters = world.governed.parameters
            unit = [word_of.option_word(series, WAD)]
            book = read(unit, feeds.snapshot, parameters, feeds.now, options=feeds)
            self._known[key] = book.value
        return self._known[key]

    def grain(self, word: int) -> int:
        """What one indivisible unit of an option may be worth in the widest scenario, WAD."""
        spot = self.world.model.feeds.snapshot(word_of.ident(word)).price
        return -(-(WIDEST * spot + word_of.strike_of(word)) // WAD)

    def held(self, account: AccountId) -> Iterator[tuple[int, int]]:
        """Series and size of each option of an account."""
        for word in self.world.model.house.state.account(account).words:
            if word_of.kind(word) == word_of.KIND_OPTION:
                yield word_of.instrument_of(word), word_of.option_size(word)

    def are_held(self, account: AccountId) -> bool:
        """Whether an account has any."""
        return any(True for _ in self.held(account))

    def check(self, account: AccountId, margin: Margin) -> None:
        """[I13] Values are near the precise prices, and overdue slices move nobody."""
        open_ = [series for series, _ in self.held(account) if self.payoff(series) is None]
        house, feeds = self.world.model.house, self.world.model.feeds
        for series in open_:
            price, _ = house.engine(0).fair_price(series, house.now)
            value, spot = self.unit_value(series), feeds.snapshot(word_of.ident(series)).price
            near = abs(price - value) <= spot // NEAR + 2
            require(near, "I13: far from the precise price", f"{series:x}", price, value)
        if any(self._is_overdue(series) for series in open_):
            self._check_overdue(account, margin)

    def _is_overdue(self, series: int) -> bool:
        feeds = self.world.model.feeds
        board = feeds.boards[word_of.ident(series)]
        return not board.slices[word_of.expiry_of(series)].is_fresh(feeds.now)

    def _check_overdue(self, account: AccountId, margin: Margin) -> None:
        """[I13] A slice that nobody renews asks for more IM, and changes nothing else."""
        house, feeds = self.world.model.house, self.world.model.feeds
        parameters = self.world.governed.parameters
        engine = JointScenarioEngine(feeds, parameters, AsFresh(feeds))
        fresh = engine.assess(*self._portfolio(account), house.now)
        same = (margin.equity, margin.maintenance, margin.credit)
        moved = same != (fresh.equity, fresh.maintenance, fresh.credit)
        require(not moved, "I13: an overdue slice moves an account", margin, fresh)
        require(margin.initial >= fresh.initial, "I13: an overdue slice asks less", margin, fresh)

    def _portfolio(self, account: AccountId) -> tuple[int, int, list[int]]:
        cash, words = self.world.model.house.portfolio(account)
        return cash, ASSESS_ALL, words
