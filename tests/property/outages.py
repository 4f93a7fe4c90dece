"""Rules: the sequencer stops, comes back, and leaves a while to everybody."""

from __future__ import annotations

from ballast.oracle.sequencer import DOWN, UP
from tests.property.dice import Dice
from tests.property.play import Play
from tests.property.stage import GRACE


class Outages(Play):
    """What the feed of the uptime says."""

    def can_halt(self) -> bool:
        return not self.can_restart()

    def halt(self, _dice: Dice) -> None:
        """The sequencer is down: no new risk, no liquidations for a day."""
        self.world.say_uptime(DOWN)
        self._count(None)

    def can_restart(self) -> bool:
        sequencer = self.world.model.feeds.sequencer
        return sequencer is not None and sequencer.answer == DOWN

    def restart(self, dice: Dice) -> None:
        """It comes back, seldom after more than a day; mostly the grace passes."""
        if dice.chance(50):
            self.world.advance(dice.integer(1, dice.pick((600, 10_000, 100_000))))
        self.world.say_uptime(UP)
        if dice.chance(70):
            self.world.advance(GRACE - dice.chance(15))
        self._count(None)
