"""The ChainlinkSource before good, late, odd and hostile aggregators."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ballast.units import WAD
from tests.support.oracle import ETH, OracleWorld
from tests.support.revm import reverts

EMPTY = (0, 0, 0, 0, 0)
INT256_MAX = 2**255 - 1
REVERTING, SILENT, SHORT, GARBAGE, ENDLESS, FLOODING = range(1, 7)


@pytest.fixture
def desk() -> SimpleNamespace:
    """A source that reads ETH from an aggregator of 8 decimals with a heartbeat of an hour."""
    world = OracleWorld(sources=0)
    source = world.deploy("ChainlinkSource", world.manager.address)
    aggregator = world.deploy("MockAggregator", 8, "ETH / USD", 2000 * 10**8)
    source.setAggregator(ETH, aggregator.address, 3600, 50)
    return SimpleNamespace(world=world, source=source, aggregator=aggregator)


@pytest.fixture
def broken(desk: SimpleNamespace) -> SimpleNamespace:
    desk.aggregator = desk.world.deploy("BrokenAggregator")
    desk.source.setAggregator(ETH, desk.aggregator.address, 3600, 50)
    return desk


def observe(desk: SimpleNamespace) -> tuple:
    return tuple(desk.source.observe(ETH, b""))


def test_an_answer_is_scaled_and_as_wide_as_its_deviation(desk: SimpleNamespace) -> None:
    assert observe(desk) == (2000 * WAD, 10 * WAD, desk.world.now, 0, 0)


@pytest.mark.parametrize("decimals", [0, 6, 18])
def test_decimals(desk: SimpleNamespace, decimals: int) -> None:
    aggregator = desk.world.deploy("MockAggregator", decimals, "ETH / USD", 2000 * 10**decimals)
    desk.source.setAggregator(ETH, aggregator.address, 3600, 0)
    assert observe(desk)[0] == 2000 * WAD


@pytest.mark.parametrize("answer", [0, -1, -(2**255), INT256_MAX, 2**128])
def test_an_answer_that_is_no_price_is_empty(desk: SimpleNamespace, answer: int) -> None:
    desk.aggregator.setAnswer(answer)
    assert observe(desk) == EMPTY


def test_the_greatest_answer_of_the_fewest_decimals_does_not_overflow(
    desk: SimpleNamespace,
) -> None:
    aggregator = desk.world.deploy("MockAggregator", 0, "HUGE / USD", 2**128 - 1)
    desk.source.setAggregator(ETH, aggregator.address, 3600, 500)
    assert observe(desk)[0] == (2**128 - 1) * WAD


def test_an_unfinished_round_is_empty(desk: SimpleNamespace) -> None:
    desk.aggregator.setRound(2000 * 10**8, desk.world.now, 0)
    assert observe(desk) == EMPTY


def test_an_answer_lives_for_its_heartbeat(desk: SimpleNamespace) -> None:
    desk.world.advance(3600)
    assert observe(desk)[0] == 2000 * WAD
    desk.world.advance(1)
    assert observe(desk) == EMPTY


def test_an_answer_of_the_future_is_left_to_the_adapter(desk: SimpleNamespace) -> None:
    desk.aggregator.setRound(2000 * 10**8, desk.world.now, 2**255)
    assert observe(desk)[2] == 2**255


@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, GARBAGE, ENDLESS])
def test_a_dead_or_hostile_aggregator_is_empty(broken: SimpleNamespace, mode: int) -> None:
    assert observe(broken)[0] == 2000 * WAD
    broken.aggregator.setMode(mode)
    assert observe(broken) == EMPTY


def test_a_flood_of_data_is_not_copied(broken: SimpleNamespace) -> None:
    broken.aggregator.setMode(FLOODING)
    assert observe(broken) == EMPTY


def test_an_aggregator_that_lost_its_code_is_empty(desk: SimpleNamespace) -> None:
    desk.world.remove_code(desk.aggregator)
    assert observe(desk) == EMPTY


def test_a_feed_without_an_aggregator_is_empty(desk: SimpleNamespace) -> None:
    assert tuple(desk.source.observe(ETH + 1, b"")) == EMPTY
    desk.source.setAggregator(ETH, "0x" + "00" * 20, 0, 0)
    assert observe(desk) == EMPTY


def test_an_aggregator_needs_code(desk: SimpleNamespace) -> None:
    nobody = "0x" + "99" * 20
    with reverts("ChainlinkSource_NoCode", nobody):
        desk.source.setAggregator(ETH, nobody, 3600, 0)


@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, GARBAGE])
def test_an_aggregator_must_answer_when_it_is_set(desk: SimpleNamespace, mode: int) -> None:
    aggregator = desk.world.deploy("BrokenAggregator")
    aggregator.setMode(mode)
    with reverts("ChainlinkSource_NoAnswer", aggregator.address):
        desk.source.setAggregator(ETH, aggregator.address, 3600, 0)


@pytest.mark.parametrize("decimals", [19, 255, 256, 2**256 - 1])
def test_an_aggregator_of_too_many_decimals_is_refused(
    desk: SimpleNamespace, decimals: int
) -> None:
    aggregator = desk.world.deploy("BrokenAggregator")
    aggregator.setDecimals(decimals)
    with reverts("ChainlinkSource_Decimals", aggregator.address, decimals):
        desk.source.setAggregator(ETH, aggregator.address, 3600, 0)


@pytest.mark.parametrize("heartbeat", [0, 9, 129_601])
def test_bounds_of_the_heartbeat(desk: SimpleNamespace, heartbeat: int) -> None:
    with reverts("ChainlinkSource_Heartbeat", heartbeat, 10, 129_600):
        desk.source.setAggregator(ETH, desk.aggregator.address, heartbeat, 0)


def test_bound_of_the_deviation(desk: SimpleNamespace) -> None:
    with reverts("ChainlinkSource_Deviation", 501, 500):
        desk.source.setAggregator(ETH, desk.aggregator.address, 3600, 501)


def test_a_stranger_sets_nothing(desk: SimpleNamespace) -> None:
    with reverts("AccessManagedUnauthorized", desk.world.stranger):
        desk.source.setAggregator(ETH, desk.aggregator.address, 3600, 0, sender=desk.world.stranger)


def test_what_was_set_is_told(desk: SimpleNamespace) -> None:
    aggregator, *rest = desk.source.feed(ETH)
    assert aggregator.lower() == desk.aggregator.address.lower()
    assert rest == [3600, 50, 8]


def test_the_mock_has_the_shape_of_a_real_aggregator(desk: SimpleNamespace) -> None:
    desk.aggregator.setAnswer(2100 * 10**8)
    assert desk.aggregator.description() == "ETH / USD"
    assert desk.aggregator.version() == 4
    assert desk.aggregator.getRoundData(1)[1] == 2000 * 10**8
    assert desk.aggregator.latestRoundData()[0] == 2
    with reverts("MockAggregator_NoData", 3):
        desk.aggregator.getRoundData(3)
