"""Rule: batches with trades in options among their calls."""

from __future__ import annotations

from collections.abc import Sequence

from ballast.codec import AccountId
from tests.property.batches import Action, Batches
from tests.property.dice import Dice
from tests.property.options import Options


class OptionBatches(Batches, Options):
    """Options in batches."""

    def can_batch_options(self) -> bool:
        return self.can_open_option()

    def batch_options(self, dice: Dice) -> None:
        """The calls of a batch, and as many trades in options."""
        self._freshen(dice)
        self._batch([self._an_option_trade] * 5, dice)

    def _an_option_trade(
        self, number: int, _caller: str, mine: Sequence[AccountId], dice: Dice
    ) -> Action | None:
        return self._trade_of(number, dice.pick(mine), mine, self._some_series(dice), dice)
