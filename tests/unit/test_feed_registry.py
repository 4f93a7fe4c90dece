"""Hard bounds of the feeds' configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ballast.oracle.mirror import FeedConfig
from ballast.units import WAD
from tests.support.oracle import CASH, ETH, OracleWorld
from tests.support.revm import Reverted, reverts

BOUNDS = {
    "min_sources": (1, 2),
    "max_age": (10, 129_600),
    "source_max_age": (1, 129_600),
    "jump_limit_bps": (10, 5000),
    "max_source_confidence_bps": (1, 1000),
    "wide_limit": (1, 4094),
    "max_range_bps": (2200, 6000),
    "min_range_bps": (100, 2200),
    "base_range_bps": (800, 3000),
    "premium_clamp_bps": (0, 200),
    "funding_cap_bps": (0, 200),
    "max_price": (10**16, 10**26),
    "min_price": (10**16, 10**26),
}


@pytest.fixture
def world() -> OracleWorld:
    return OracleWorld(sources=4)


@pytest.fixture
def config(world: OracleWorld) -> FeedConfig:
    return FeedConfig(sources=world.source_addresses[:2], has_market=True)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_inclusive(world: OracleWorld, config: FeedConfig, name: str) -> None:
    for value in BOUNDS[name]:
        world.configure(ETH + value % 7, replace(config, **{name: value}))


@pytest.mark.parametrize(
    ("name", "side"), [(n, s) for n in BOUNDS for s in (0, 1) if BOUNDS[n][s] or s]
)
def test_outside_of_the_bounds_is_refused(
    world: OracleWorld, config: FeedConfig, name: str, side: int
) -> None:
    value = BOUNDS[name][side] + (1 if side else -1)
    with pytest.raises(Reverted) as failure:
        world.configure(ETH, replace(config, **{name: value}))
    assert failure.value.name == "FeedRegistry_OutOfBounds"
    if (name, side) not in {("max_range_bps", 0), ("min_range_bps", 1)}:  # there the base is out
        assert failure.value.values[0].rstrip(b"\0").decode() == camel(name)
        assert failure.value.values[1] == value


@pytest.mark.parametrize(
    ("name", "value"), [("min_price", WAD // 2 - 1), ("max_price", 2 * WAD + 1)]
)
def test_the_price_of_cash_has_narrow_bounds(
    world: OracleWorld, config: FeedConfig, name: str, value: int
) -> None:
    cash = replace(config, has_market=False, min_price=WAD // 2, max_price=2 * WAD)
    with pytest.raises(Reverted) as failure:
        world.configure(CASH, replace(cash, **{name: value}))
    assert failure.value.name == "FeedRegistry_OutOfBounds"
    world.configure(CASH, cash)


@pytest.mark.parametrize("count", [0, 5])
def test_count_of_sources(world: OracleWorld, config: FeedConfig, count: int) -> None:
    sources = (world.source_addresses * 2)[:count]
    with reverts("FeedRegistry_SourceCount", count, 4):
        world.configure(ETH, replace(config, sources=sources))


def test_a_source_needs_code(world: OracleWorld, config: FeedConfig) -> None:
    nobody = "0x" + "99" * 20
    with reverts("FeedRegistry_SourceWithoutCode", nobody):
        world.configure(ETH, replace(config, sources=(nobody,)))


def test_a_source_counts_once(world: OracleWorld, config: FeedConfig) -> None:
    first, second = world.source_addresses[:2]
    with reverts("FeedRegistry_DuplicateSource", first):
        world.configure(ETH, replace(config, sources=(first, second, first)))


def test_the_premium_clamp_only_falls(world: OracleWorld, config: FeedConfig) -> None:
    world.configure(ETH, config)
    assert world.adapter.premiumClampBps(ETH) == 100
    with reverts("FeedRegistry_PremiumClampRaised", 100, 101):
        world.configure(ETH, replace(config, premium_clamp_bps=101))
    world.configure(ETH, replace(config, premium_clamp_bps=50))
    with pytest.raises(Reverted):
        world.configure(ETH, config)


def test_a_clamp_of_a_feed_to_come_is_not_told(world: OracleWorld) -> None:
    with reverts("FeedRegistry_UnknownFeed", ETH):
        world.adapter.premiumClampBps(ETH)


def test_a_market_comes_and_stays(world: OracleWorld, config: FeedConfig) -> None:
    world.configure(ETH, replace(config, has_market=False))
    world.configure(ETH, config)
    with reverts("FeedRegistry_MarketRemoved", ETH):
        world.configure(ETH, replace(config, has_market=False))


def test_cash_has_no_market(world: OracleWorld, config: FeedConfig) -> None:
    with reverts("FeedRegistry_MarketOfCash"):
        world.configure(CASH, replace(config, min_price=WAD // 2, max_price=2 * WAD))


def test_a_stranger_configures_nothing(world: OracleWorld, config: FeedConfig) -> None:
    with reverts("AccessManagedUnauthorized", world.stranger):
        world.configure(ETH, config, sender=world.stranger)


def test_what_was_configured_is_told(world: OracleWorld, config: FeedConfig) -> None:
    world.configure(ETH, replace(config, sources=world.source_addresses))
    world.configure(ETH, config)
    told = world.adapter.feed(ETH)
    assert [source.lower() for source in told[0]] == [s.lower() for s in config.sources]
    assert tuple(told[1:]) == config.as_tuple()[1:]
