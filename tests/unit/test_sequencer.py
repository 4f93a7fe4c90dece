"""What the OracleAdapter makes of the feed of a sequencer's uptime."""

from __future__ import annotations

import pytest

from ballast.codec import Snapshot
from ballast.oracle.mirror import FeedConfig, Observation
from ballast.oracle.sequencer import Sequencer
from ballast.units import WAD
from tests.support.oracle import ETH, ZERO_ADDRESS, OracleWorld
from tests.support.revm import Reverted, reverts

GRACE = 1800
DAY = 24 * 3600
UP, DOWN = 0, 1


@pytest.fixture
def world() -> OracleWorld:
    """A sequencer that has been up for long, and a price."""
    world = OracleWorld(1, grace=GRACE)
    world.advance(DAY)
    world.configure(ETH, FeedConfig(sources=world.source_addresses, max_age=3600))
    report(world)
    return world


def report(world: OracleWorld, price: int = 2000) -> None:
    world.refresh(ETH, Observation(price * WAD, 0, world.now))


def says(world: OracleWorld, answer: int, since: int | None = None) -> None:
    assert world.sequencer is not None
    world.sequencer.setRound(answer, world.now if since is None else since, world.now)


def status(world: OracleWorld) -> tuple[bool, int]:
    """Whether prices are halted, by both views, and until when nobody is liquidated.

    The mirror says the same.
    """
    alone = world.snapshot(ETH)
    (listed,) = map(Snapshot.decode, world.adapter.snapshots([ETH]))
    assert alone == listed
    assert alone.is_fresh(world.now) != alone.halted
    found = alone.halted, world.adapter.outageUntil()
    if world.sequencer is not None:
        _, answer, since, _, _ = world.sequencer.latestRoundData()
        mirror = Sequencer(GRACE, answer, since)
        assert found == (mirror.is_halted(world.now), mirror.outage_until(world.now))
    return found


def test_up_for_long(world: OracleWorld) -> None:
    halted, until = status(world)
    assert not halted
    assert until < world.now


def test_down_stops_new_risk_and_shields_for_a_day(world: OracleWorld) -> None:
    says(world, DOWN)
    began = world.now
    assert status(world) == (True, began + DAY)
    world.advance(DAY - 1)
    report(world)
    assert status(world) == (True, began + DAY)
    world.advance(DAY)
    report(world)
    assert status(world) == (True, began + DAY), "the outage is over its bound: no new risk still"
    assert world.now > began + DAY


def test_the_grace_begins_when_it_comes_up(world: OracleWorld) -> None:
    says(world, DOWN)
    world.advance(7200)
    says(world, UP)
    report(world)
    came_up = world.now
    assert status(world) == (True, came_up + GRACE)
    world.advance(GRACE - 1)
    assert status(world) == (True, came_up + GRACE)
    world.advance(1)
    assert status(world) == (False, came_up + GRACE)


def test_prices_are_accepted_meanwhile_and_no_word_keeps_the_mark(world: OracleWorld) -> None:
    says(world, DOWN)
    world.advance(60)
    report(world, 2001)
    assert world.snapshot(ETH).price == 2001 * WAD
    world.advance(60)
    says(world, UP, since=world.now - GRACE)
    assert status(world)[0] is False


@pytest.mark.parametrize(
    ("answer", "since"), [(2, 1), (-1, 1), (2**200, 1), (UP, 2**40), (DOWN, 2**40)]
)
def test_nonsense_opens_nothing_and_shields_nobody(
    world: OracleWorld, answer: int, since: int
) -> None:
    says(world, answer, since)
    assert status(world) == (True, 0)


@pytest.mark.parametrize("mode", range(1, 6))
def test_a_broken_feed_opens_nothing_and_shields_nobody(world: OracleWorld, mode: int) -> None:
    """Reverting, silent, short, garbage, endless."""
    broken = world.deploy("BrokenAggregator")
    broken.setAnswer(UP)
    adapter = world.deploy("OracleAdapter", world.manager, world.sink, broken, 0)
    assert not Snapshot.decode(adapter.snapshot(ETH)).halted
    broken.setMode(mode)
    assert Snapshot.decode(adapter.snapshot(ETH)).halted
    assert adapter.outageUntil() == 0


def test_a_call_that_starves_the_feed_fails(world: OracleWorld) -> None:
    """Or a liquidator could make the feed look broken, and ignore the outage."""
    says(world, DOWN)
    ask = world.adapter.outageUntil.encode()
    heard = {outcome(world, world.adapter.address, ask, gas) for gas in range(22_000, 60_000, 500)}
    assert heard <= {"Sequencer_OutOfGas", "Halt", world.now + DAY}
    assert world.now + DAY in heard


def test_a_feed_without_end_is_broken_only_if_it_had_all_of_the_gas(world: OracleWorld) -> None:
    endless = world.deploy("BrokenAggregator")
    endless.setAnswer(UP)
    adapter = world.deploy("OracleAdapter", world.manager, world.sink, endless, GRACE)
    endless.setMode(5)
    ask = adapter.outageUntil.encode()
    for gas in range(60_000, 120_000, 5_000):
        assert outcome(world, adapter.address, ask, gas) == "Sequencer_OutOfGas"
    assert outcome(world, adapter.address, ask, 200_000) == 0


def outcome(world: OracleWorld, to: str, data: bytes, gas: int) -> int | str:
    """The answer to a call with so much gas, or the name of its error."""
    try:
        return int.from_bytes(world.evm.call(to, data, gas=gas), "big")
    except Reverted as error:
        return error.name


# ---- Setting it up ------------------------------------------------------------------------------


def test_without_a_feed_nothing_waits() -> None:
    world = OracleWorld(1)
    world.configure(ETH, FeedConfig(sources=world.source_addresses))
    report(world)
    assert status(world) == (False, 0)
    assert world.adapter.SEQUENCER_FEED() == ZERO_ADDRESS


def test_the_grace_has_a_bound(world: OracleWorld) -> None:
    given = world.manager, world.sink, world.sequencer
    assert world.deploy("OracleAdapter", *given, 3600).SEQUENCER_GRACE() == 3600
    with reverts("Sequencer_GraceOutOfBounds", 3601, 3600):
        world.deploy("OracleAdapter", *given, 3601)


def test_a_feed_must_answer_when_it_is_set(world: OracleWorld) -> None:
    prices = world.deploy("BrokenAggregator")
    for feed in (prices.address, world.stranger):
        with reverts("Sequencer_NoAnswer", feed):
            world.deploy("OracleAdapter", world.manager, world.sink, feed, GRACE)
