"""The same machine on anvil, through Ape: few steps, on a real node."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.anvil_stage import AnvilStage
from tests.property.campaign import Campaign
from tests.property.dice import STEP_BYTES, Dice
from tests.property.machine import ClearingMachine
from tests.property.tally import Tally

PLAYS = 5
STEPS = 44
MOST = 30
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
    live_and_end(campaign)


def live_and_end(campaign: Campaign) -> None:
    """Options are opened, pass their expiry and become cash, whatever the time of day is."""
    random, tally = Random(7), campaign.tally

    def play(rule: str, until: Callable[[], bool]) -> None:
        for _ in range(MOST):
            if until():
                return
            campaign.step(rule, Dice(random.randbytes(STEP_BYTES)))
        raise AssertionError(f"{rule}: {MOST} times in vain\n{tally}")

    traded, became = tally.seen["option traded"], tally.seen["options became cash"]
    play("open_option", lambda: tally.seen["option traded"] >= traded + 3)
    play("pass_expiry", campaign.can_fix_expiry)
    play("fix_expiry", lambda: not campaign.can_fix_expiry())
    while not campaign.can_settle_options():
        play("pass_expiry", campaign.can_fix_expiry)
        play("fix_expiry", lambda: not campaign.can_fix_expiry())
    play("settle_options", lambda: tally.seen["options became cash"] > became)
