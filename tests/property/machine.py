"""The campaign as a hypothesis state machine: seven kinds of steps, each decided by some bytes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.property.campaign import Campaign
from tests.property.dice import STEP_BYTES, Dice
from tests.property.stage import RevmStage
from tests.property.tally import Tally

PLAYS = 40  # on one chain: its journal grows with every call
DATA = st.binary(min_size=STEP_BYTES, max_size=STEP_BYTES)


class ClearingMachine(RuleBasedStateMachine):
    """Plays on chains that many plays share, each from the state that the chain was made in.

    A subclass has a tally of its own, so that what it counts is what one test made.
    """

    tally = Tally()
    _campaign: Campaign | None = None
    _plays = 0

    @initialize()
    def begin(self) -> None:
        """Go back to the beginning, now and then on a new chain."""
        kind = type(self)
        if kind._campaign is None or kind._plays >= PLAYS:
            kind._campaign = Campaign(RevmStage(), kind.tally)
            kind._campaign.mark()
            kind._plays = 0
        kind._plays += 1
        self.campaign = kind._campaign
        self.campaign.rewind()

    @rule(data=DATA)
    def money(self, data: bytes) -> None:
        self.campaign.play("money", Dice(data))

    @rule(data=DATA)
    def trades(self, data: bytes) -> None:
        self.campaign.play("trades", Dice(data))

    @rule(data=DATA)
    def market(self, data: bytes) -> None:
        self.campaign.play("market", Dice(data))

    @rule(data=DATA)
    def others(self, data: bytes) -> None:
        self.campaign.play("others", Dice(data))

    @rule(data=DATA)
    def roads(self, data: bytes) -> None:
        self.campaign.play("roads", Dice(data))

    @rule(data=DATA)
    def options(self, data: bytes) -> None:
        self.campaign.play("options", Dice(data))

    @precondition(lambda self: self.campaign.enabled("liquidate"))
    @rule(data=DATA)
    def keepers(self, data: bytes) -> None:
        self.campaign.play("keepers", Dice(data))


def make_machine(tally: Tally) -> type[ClearingMachine]:
    """A machine that counts into `tally`."""
    return type("ClearingMachine", (ClearingMachine,), {"tally": tally})
