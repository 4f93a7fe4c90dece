"""Rules: signed orders, settled, filled in part, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.orders import Orders
from tests.property.play import FEED_OF, LANES, PERPS, SPOTS, Resting
from tests.property.world import MARKETS, WBTC, WETH, owner_of


class Trades(Orders):
    """Trades between accounts."""

    def open_perp(self, dice: Dice) -> None:
        """A taker against one to three makers in a perpetual, around what their margins allow."""
        u = dice.pick(MARKETS)
        self._trade(PERPS[u], u, dice)

    def trade_spot(self, dice: Dice) -> None:
        """Collateral against cash; mostly somebody who has it sells it."""
        asset = dice.pick((WETH, WBTC))
        self._trade(SPOTS[asset], FEED_OF[asset], dice)

    def _trade(self, instrument: int, u: int, dice: Dice) -> None:
        buys = dice.chance(50)
        accounts = self._rich() if dice.chance(85) else self.world.accounts
        spot = word_of.kind(instrument) == word_of.KIND_COLLATERAL
        taker = self._party(accounts, instrument, dice, sells=spot and not buys)
        makers = []
        for _ in range(1 + dice.integer(0, 5) // 3 + dice.integer(0, 6) // 6):
            maker = self._party(accounts, instrument, dice, sells=spot and buys)
            if maker != taker or dice.chance(3):
                makers.append(maker)
        room = [self._room(maker, instrument, u, not buys) for maker in makers]
        wanted = dice.part(self._room(taker, instrument, u, buys), 20, 105)
        sizes, orders = [], []
        for maker, most in zip(makers, room, strict=True):
            size = self._exact(min(dice.part(wanted // len(makers), 50, 100), most), instrument)
            if size:
                price = self._price(instrument, u, dice)
                total = size * dice.pick((1, 1, 2, 3))
                orders.append(
                    self._order(maker, instrument, -total if buys else total, price, dice)
                )
                sizes.append(size)
        if not orders:
            return
        limit = (max if buys else min)(order.limit_price for order in orders)
        total = sum(sizes)
        order = self._order(taker, instrument, total if buys else -total, limit, dice)
        self._settle(order, orders, sizes, dice)
        for maker_order, size in zip(orders, sizes, strict=True):
            if abs(maker_order.size) > size:
                self.resting.append(Resting(maker_order, abs(maker_order.size) - size))

    def _party(
        self, accounts: Sequence[AccountId], instrument: int, dice: Dice, *, sells: bool
    ) -> AccountId:
        """Somebody; where collateral is sold, mostly somebody who has it."""
        asset = word_of.ident(instrument)
        able = [one for one in accounts if self._amount_held(one, asset)] if sells else []
        return dice.pick(able or accounts)

    def can_reduce(self) -> bool:
        return bool(self._positions())

    def reduce(self, dice: Dice) -> None:
        """A reduce-only taker, some of them in need and giving much away; now and then for more
        than there is, or to the wrong side."""
        positions = self._positions()
        weak = self._unhealthy() if dice.chance(40) else []
        account, u, size = dice.pick([one for one in positions if one[0] in weak] or positions)
        wanted = -dice.part(size, 5, 100) if dice.chance(50) else -size
        if dice.chance(8):
            wanted = dice.part(size, -130, 20)
        others = [one for one in self._rich() if one != account] or [self.world.accounts[0]]
        maker = dice.pick(others)
        if not wanted or maker == account:
            return
        price = self._price(PERPS[u], u, dice)
        if dice.chance(25):
            price += price * dice.integer(500, 1100) // 10_000 * (1 if wanted > 0 else -1)
        mine = replace(self._order(account, PERPS[u], wanted, price, dice), reduce_only=True)
        theirs = self._order(maker, PERPS[u], -wanted, price, dice)
        theirs = replace(theirs, reduce_only=dice.chance(15))
        self._settle(mine, [theirs], [abs(wanted)], dice)

    def _positions(self) -> list[tuple[AccountId, int, int]]:
        state = self.world.model.house.state
        return [
            (account, word_of.ident(word), word_of.perp_size(word))
            for account in self.world.accounts
            for word in state.account(account).words
            if word_of.kind(word) == word_of.KIND_PERP
        ]

    def can_fill_resting(self) -> bool:
        return bool(self.resting)

    def fill_resting(self, dice: Dice) -> None:
        """Some more of an order that was filled in part; now and then too much of it."""
        alive = [one for one in self.resting if self._is_alive(one.order)]
        resting = dice.pick(self.resting if dice.chance(15) else alive or self.resting)
        self.resting.remove(resting)
        maker = resting.order
        instrument = maker.instrument
        spot = word_of.kind(instrument) == word_of.KIND_COLLATERAL
        u = FEED_OF[word_of.ident(instrument)] if spot else word_of.ident(instrument)
        sells = maker.size > 0
        others = [one for one in self._rich() if one != maker.account]
        taker = self._party(others or self.world.accounts, instrument, dice, sells=spot and sells)
        most = min(resting.left, self._room(taker, instrument, u, not sells))
        size = dice.part(most, 30, 100) if dice.chance(90) else resting.left + WAD // 10
        size = self._exact(size, instrument)
        if not size or taker == maker.account:
            return
        order = self._order(taker, instrument, -size if sells else size, maker.limit_price, dice)
        if self._settle(order, [maker], [size], dice) and resting.left > size:
            self.resting.append(Resting(maker, resting.left - size))

    def cancel(self, dice: Dice) -> None:
        """A lane of an account; now and then one that is past the sequence."""
        account, lane = dice.pick(self.world.accounts), dice.integer(0, LANES - 1)
        held = self.world.model.exchange.lane(account, lane).sequence
        nonce = lane << 64 | max(held + dice.integer(-1, 1), 0)
        self._cancel(owner_of(account), account, nonce)
