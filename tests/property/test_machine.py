"""The whole system against the whole model, over long random plays.

Each test plays its part of the campaign: together more than 20,000 steps and 500 liquidations, and
of every rule at least 30 % of the calls are accepted, and everything in SEEN happens.
"""

from __future__ import annotations

import os
from random import SystemRandom

import pytest
from eth_account import Account as Keys
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from ballast.model.exchange import Order
from tests.property.campaign import Campaign
from tests.property.machine import make_machine
from tests.property.play import PERPS
from tests.property.signing import sign
from tests.property.stage import RevmStage
from tests.property.tally import RULES, SEEN, Tally
from tests.property.world import ETH

PARTS = 2
STEPS = 80
PLAYS = 180
LEAST_STEPS = 20_000 // PARTS
LEAST_LIQUIDATIONS = 500 // PARTS
LEAST_ACCEPTED = 0.3
ALWAYS_REFUSED = "intrude"


def play(number: int, plays: int) -> Tally:
    """Run the machine from a seed; a failure shrinks to the fewest and plainest steps."""
    tally = Tally()
    machine = seed(number)(make_machine(tally))
    chosen = settings(
        max_examples=plays,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    print(f"\nseed {number}: {tally}")
    return tally


def assert_accepted(tally: Tally) -> None:
    """Most of what a rule tries must happen, or the campaign explores refusals."""
    for rule in RULES:
        assert tally.tried[rule] > 0, f"{rule} was never tried\n{tally}"
        if rule != ALWAYS_REFUSED:
            assert tally.share(rule) >= LEAST_ACCEPTED, f"{rule} is refused too often\n{tally}"
    assert tally.accepted[ALWAYS_REFUSED] == 0
    for event in SEEN:
        assert tally.seen[event] > 0, f"{event}: never\n{tally}"


@pytest.mark.parametrize("part", range(PARTS))
def test_contracts_equal_the_model_and_keep_the_invariants(part: int) -> None:
    tally = play(20_260_000 + part, PLAYS)
    assert tally.steps >= LEAST_STEPS, tally
    assert tally.liquidations >= LEAST_LIQUIDATIONS, tally
    assert_accepted(tally)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(2))
def test_at_random(part: int) -> None:
    """Another seed every time, printed if it fails; BALLAST_FUZZ_PLAYS says how long."""
    number = SystemRandom().getrandbits(32)
    print(f"seed {number}")
    assert_accepted(play(number, int(os.environ.get("BALLAST_FUZZ_PLAYS", "2000"))))


def test_the_quick_signatures_are_those_of_a_wallet() -> None:
    campaign = Campaign(RevmStage())
    world = campaign.world
    order = Order(world.accounts[0], PERPS[ETH], -(10**18), 2500 * 10**18, 1 << 64, 2**40)
    digest = world.order_digest(order)
    real, _ = world.signed(order)
    assert digest == world.exchange.digest(real[0])
    key = world.stage.actor("maker")
    r, s, v = sign(digest, bytes(key.key))
    assert Keys._recover_hash(digest, vrs=(v, r, s)) == key.address
