"""Rules: prices that break an account of options, and keepers who wait until it is cheap."""

from __future__ import annotations

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.risk.joint_scenario import JointScenarioEngine
from tests.property.dice import Dice
from tests.property.keepers import Keepers
from tests.property.market import Market
from tests.property.options import Options

MOVES = (-16, -12, -8, -5, 5, 8, 12, 16)  # percent


class OptionKeepers(Options, Keepers, Market):
    """Liquidations of options."""

    def _holders(self) -> list[AccountId]:
        """Accounts with options."""
        return [*dict.fromkeys(account for account, _, _ in self._holdings())]

    def can_squeeze(self) -> bool:
        return bool(self._open_series())

    def squeeze(self, dice: Dice) -> None:
        """The price goes to where an account of options can be liquidated, if that is near."""
        holders = self._holders()
        account = dice.pick(holders or self.world.accounts)
        found = self._breaking(account)
        if found:
            self._report(self._home(dict([dice.pick(found)])), premium=0)

    def _breaking(self, account: AccountId) -> list[tuple[int, int]]:
        """Moves (1e-4) of one underlying each that leave an account unhealthy, but solvent."""
        house, feeds = self.world.model.house, self.world.model.feeds
        engine = house.engine(0)
        assert isinstance(engine, JointScenarioEngine)
        cash, words = house.portfolio(account)
        held = {word_of.ident(w) for w in words if word_of.kind(w) == word_of.KIND_OPTION}
        found = []
        for u in sorted(held):
            for move in MOVES:
                spot = feeds.snapshot(u).price * (100 + move) // 100
                margin = engine.assess_at(cash, words, u, spot, house.now)
                if 0 <= margin.equity < margin.maintenance:
                    found.append((u, 100 * move))
        return found

    def _weak_holders(self) -> list[AccountId]:
        weak = self._unhealthy()
        return [account for account in self._holders() if account in weak]

    def can_wear_down(self) -> bool:
        return bool(self._open_series()) and bool(self._weak_holders())

    def wear_down(self, dice: Dice) -> None:
        """An account of options is proven unhealthy for a while, and sold at what time made of
        the discount."""
        account = dice.pick(self._weak_holders())
        for _ in range(dice.integer(1, 5)):
            if account in self._unhealthy():
                self._flag(account, dice)
            self.world.advance(dice.integer(60, 400))
        if account in self._unhealthy():
            self._liquidate(account, dice, updated=False)
