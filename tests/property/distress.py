"""Rule: somebody on the edge of bankruptcy sells at prices that good friends pay."""

from __future__ import annotations

from dataclasses import replace

from ballast.codec import AccountId
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.market import Market
from tests.property.play import PERPS
from tests.property.trades import Trades

MOST = 2500  # of a move in 1e-4


class Distress(Trades, Market):
    """Where the reduce-only test matters: a loss that lowers IM, and health with it."""

    def can_sell_off(self) -> bool:
        return self.can_reduce()

    def sell_off(self, dice: Dice) -> None:
        """The price goes against a position until its account has a part of MM left, and the
        account reduces below the mark, by up to a third of the range."""
        self._freshen(dice)
        positions = self._positions()
        weak = self._unhealthy()
        account, u, size = dice.pick([one for one in positions if one[0] in weak] or positions)
        self._press(account, u, size, dice.integer(20, 60))
        margin = self._margin(account)
        others = [one for one in self._rich() if one != account]
        if not others or not 0 <= margin.equity < margin.initial:
            return
        wanted = -dice.part(size, 10, 100)
        mark = self.world.model.feeds.snapshot(u).mark
        away = mark * dice.integer(0, 700) // 10_000 * (1 if wanted > 0 else -1)
        maker, plain = dice.pick(others), Dice(b"")
        mine = replace(self._order(account, PERPS[u], wanted, mark + away, plain), reduce_only=True)
        theirs = self._order(maker, PERPS[u], -wanted, mark + away, plain)
        self._settle(mine, [theirs], [abs(wanted)], plain)

    def _press(self, account: AccountId, u: int, size: int, percent: int) -> None:
        """Both sources of a feed report the price at which the account has so much of its MM."""
        margin, price = self._margin(account), self.world.model.feeds.snapshot(u).price
        excess = margin.equity - margin.maintenance * percent // 100
        move = excess * WAD // abs(size) * 10_000 // price
        if not 0 < move <= MOST:
            return
        rule, self._rule = self._rule, ""
        self.world.advance(12)
        self._report(self._home({u: -move if size > 0 else move}), premium=0)
        self._rule = rule
