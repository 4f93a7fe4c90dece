"""The same machine on anvil, through Ape: few steps, on a real node."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.anvil_stage import AnvilStage
from tests.property.campaign import Campaign
from tests.property.machine import ClearingMachine
from tests.property.tally import Tally

PLAYS = 6
STEPS = 40
LEAST_STEPS = 200


class AnvilMachine(ClearingMachine):
    """Every play starts from the snapshot of one deployment, and puts it back when it ends."""

    tally = Tally()
    made: Campaign

    def __init__(self) -> None:
        super().__init__()
        self.campaign = self.made
        self.campaign.mark()

    def begin(self) -> None:
        """The snapshot was taken when the machine was made."""

    def teardown(self) -> None:
        self.campaign.rewind()


@pytest.fixture
def campaign() -> Campaign:
    return Campaign(AnvilStage(), AnvilMachine.tally)


def test_a_node_equals_the_model(campaign: Campaign) -> None:
    AnvilMachine.made = campaign
    chosen = settings(
        max_examples=PLAYS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=(Phase.generate,),  # a shrunk failure would be tried hundreds of times
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(20_260_100)(AnvilMachine), settings=chosen)
    tally = AnvilMachine.tally
    print(f"\n{tally}")
    assert tally.steps >= LEAST_STEPS, tally
    assert tally.liquidations > 0, tally
    assert tally.seen["option traded"] > 0, tally
    assert tally.seen["fixed by the window"] > 0, tally
    assert tally.seen["options became cash"] > 0, tally
