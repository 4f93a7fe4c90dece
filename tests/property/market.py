"""Rules: prices that move, that nobody trusts, that grow old."""

from __future__ import annotations

from tests.property.dice import Dice
from tests.property.play import START, Play
from tests.property.prices import SILENT
from tests.property.world import BTC, ETH, FEEDS, MARKETS, USD


class Market(Play):
    """Prices and time."""

    def drift(self, dice: Dice) -> None:
        """Prices move a little, with or without the aggregators, and markets have premiums."""
        moves = {u: dice.integer(-150, 150) for u in MARKETS}
        moves[USD] = dice.integer(-30, 30) if dice.chance(20) else 0
        self._report(moves, premium=dice.integer(-1500, 1500), spread=dice.integer(0, 30))

    def crash(self, dice: Dice) -> None:
        """Prices move by much, both sources see it, and keepers may come at once."""
        move = dice.integer(400, 1300) * (1 if dice.chance(50) else -1)
        beta = dice.integer(-20, 120)
        moves = {USD: 0, ETH: move, BTC: move * beta // 100}
        self._report(self._home(moves), premium=dice.integer(-1500, 1500))
        for _ in range(dice.integer(0, 3)):
            if self.can_liquidate():
                self._rule = "liquidate"
                self.world.check()
                self.liquidate(dice)

    def _home(self, moves: dict[int, int]) -> dict[int, int]:
        """Turns moves round that would carry a price too far from where it began."""
        for u, move in moves.items():
            ratio = self.world.prices.price(u) * 100 // START[u]
            if (ratio > 250 and move > 0) or (ratio < 40 and move < 0):
                moves[u] = -move
        return moves

    def suspect(self, dice: Dice) -> None:
        """Only an aggregator, or only the publishers, see a price: a jump is suspect at first, and
        confirmed if it is seen again for long enough."""
        u = dice.pick(MARKETS)
        move = dice.integer(800, 2500) * (1 if dice.chance(50) else -1)
        price = self.world.prices.price(u)
        moved = price + price * self._home({u: move})[u] // 10_000
        if dice.chance(60):
            for again in range(dice.integer(1, 5)):
                self.world.advance(dice.integer(1, 100) if again else 12)
                self.world.answer(u, moved + moved * dice.integer(-100, 100) // 10_000)
                self._refresh({u: SILENT})
                self.world.check()
        else:
            self.world.advance(3600 * 25)  # the aggregators have fallen silent
            self._refresh({USD: SILENT, u: self.world.prices.report(u, moved, 0, 0)})
        self._count(None)

    def _report(self, moves: dict[int, int], *, premium: int, spread: int = 2) -> None:
        """Both sources of every feed report, after moves in 1e-4."""
        prices = self.world.prices
        for u, move in moves.items():
            price = prices.price(u)
            self.world.answer(u, price + price * move // 10_000)
        self.world.begin_call()
        reported = {
            u: prices.report(u, prices.price(u), spread, premium) if u else SILENT for u in FEEDS
        }
        self._refresh(reported)
        self._count(None)

    def wait(self, dice: Dice) -> None:
        """Time passes: a block, an hour, days."""
        longest = dice.pick((60, 600, 1800, 7200, 86_400, 864_000))
        self.world.advance(dice.integer(1, longest))
        self._count(None)
