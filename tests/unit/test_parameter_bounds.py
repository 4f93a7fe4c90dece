"""Every parameter that somebody may set, at its bounds and just outside of them, on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pytest

from ballast.deploy.config import NetworkConfig
from ballast.deploy.roles import FUNCTIONS
from ballast.oracle.volatility import VolatilityConfig
from ballast.units import WAD
from tests.support.oracle import OracleWorld
from tests.support.pyth import FEED as PYTH_FEED
from tests.support.pyth import PythDesk
from tests.support.revm import Evm, Reverted
from tests.support.shares import ShareDesk
from tests.support.system import System, deploy_system, devnet_config

ETH = 1
WETH, WBTC = 1, 2
DAY = 24 * 60 * 60
PERCENT = 100  # 1e-4


@dataclass(frozen=True)
class Stage:
    """A deployed system, and sources that it has none of."""

    system: System
    pyth: PythDesk
    shares: ShareDesk

    @property
    def config(self) -> NetworkConfig:
        return self.system.config

    @property
    def evms(self) -> tuple[Evm, ...]:
        return self.system.evm, self.pyth.world.evm, self.shares.world.evm


@lru_cache(maxsize=1)
def stage() -> Stage:
    evm = Evm()
    return Stage(
        deploy_system(evm, devnet_config(evm)),
        PythDesk.open(OracleWorld(sources=0)),
        ShareDesk.open(OracleWorld(sources=0)),
    )


def feed(field: str) -> Callable[[Stage, int], Any]:
    def call(stage: Stage, value: int) -> None:
        known = stage.config.underlying("ETH").feed
        sources = stage.system.oracle.feed(ETH)[0]
        changed = replace(known, sources=tuple(sources), **{field: value})
        stage.system.oracle.configureFeed(ETH, changed.as_tuple())

    return call


def underlying(field: str) -> Callable[[Stage, int], Any]:
    def call(stage: Stage, value: int) -> None:
        risk = replace(stage.config.underlying("ETH").risk, **{field: value})
        values = tuple(getattr(risk, name) for name in risk.__slots__)
        stage.system.engine.setUnderlying(ETH, values)

    return call


def rule(function: str, *args: Any) -> Callable[[Stage, int], Any]:
    """Calls the rule engine; None stands for the value."""

    def call(stage: Stage, value: int) -> None:
        engine = stage.system.contract("RuleEngine")
        getattr(engine, function)(*(value if one is None else one for one in args))

    return call


def fees(maker: bool) -> Callable[[Stage, int], Any]:
    instrument = 1 << 248 | ETH << 232
    return lambda stage, value: stage.system.exchange.setFees(
        instrument, *((value, 0) if maker else (0, value))
    )


def volatility(field: str) -> Callable[[Stage, int], Any]:
    def call(stage: Stage, value: int) -> None:
        known = VolatilityConfig(stage.system.contract("VolatilityQuorum").address)
        values = replace(known, **{field: value}).as_tuple()
        stage.system.oracle.configureVolatility(ETH, values)

    return call


def allow_expiry(stage: Stage, value: int) -> None:
    """Another expiry every time: it is allowed once."""
    day = stage.system.evm.time // DAY + 2 + len(stage.system.oracle.liveExpiries(ETH))
    stage.system.oracle.allowExpiry(ETH, day * DAY + 8 * 3600, value)


def aggregator(stage: Stage, heartbeat: int, deviation: int) -> None:
    address = stage.system.aggregator("ETH")
    stage.system.contract("ChainlinkSource").setAggregator(ETH, address, heartbeat, deviation)


@dataclass(frozen=True)
class Parameter:
    """A parameter and its bounds; a bound that is that of its type is None."""

    contract: str
    function: str
    name: str
    least: int | None
    greatest: int | None
    call: Callable[[Stage, int], Any]
    error: str

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}.{self.name}"


def rows(
    contract: str,
    function: str,
    error: str,
    fields: Mapping[str, tuple[int | None, int | None, Callable[[Stage, int], Any]]],
) -> list[Parameter]:
    return [
        Parameter(contract, function, name, *bounds, call, error)
        for name, (*bounds, call) in fields.items()
    ]


# The bounds that rest on other parameters are those beside the devnet's values.
TABLE = [
    *rows(
        "OracleAdapter",
        "configureFeed",
        "FeedRegistry_OutOfBounds",
        {
            "min_sources": (1, 2, feed("min_sources")),
            "max_age": (10, 36 * 3600, feed("max_age")),
            "source_max_age": (1, 36 * 3600, feed("source_max_age")),
            "jump_limit_bps": (10, 50 * PERCENT, feed("jump_limit_bps")),
            "max_source_confidence_bps": (1, 10 * PERCENT, feed("max_source_confidence_bps")),
            "wide_limit": (1, 4094, feed("wide_limit")),
            "min_range_bps": (100, 2200, feed("min_range_bps")),
            "base_range_bps": (800, 3000, feed("base_range_bps")),
            "max_range_bps": (2200, 6000, feed("max_range_bps")),
            "funding_cap_bps": (None, 200, feed("funding_cap_bps")),
            "min_price": (10**16, 10**6 * WAD, feed("min_price")),
            "max_price": (10 * WAD, 10**26, feed("max_price")),
        },
    ),
    *rows(
        "OracleAdapter",
        "configureFeed",
        "FeedRegistry_PremiumClampRaised",
        {"premium_clamp_bps": (None, 100, feed("premium_clamp_bps"))},
    ),
    *rows(
        "JointScenarioEngine",
        "setUnderlying",
        "RiskParameters_OutOfBounds",
        {
            "kappa_quarters": (1, 4, underlying("kappa_quarters")),
            "perp_maintenance": (100, 200, underlying("perp_maintenance")),
            "perp_initial": (200, 50 * PERCENT, underlying("perp_initial")),
            "short_option_maintenance": (None, 50, underlying("short_option_maintenance")),
            "short_option_initial": (30, 20 * PERCENT, underlying("short_option_initial")),
            "roll_rate": (30, 100 * PERCENT, underlying("roll_rate")),
            "roll_floor": (None, 5 * PERCENT, underlying("roll_floor")),
            "range_cap": (5 * PERCENT, 60 * PERCENT, underlying("range_cap")),
        },
    ),
    *rows(
        "JointScenarioEngine",
        "setAsset",
        "RiskParameters_OutOfBounds",
        {
            "haircut": (None, 4000, lambda stage, v: stage.system.engine.setAsset(WETH, v, 0)),
            "extra": (None, 4000, lambda stage, v: stage.system.engine.setAsset(WETH, 0, v)),
        },
    ),
    *rows(
        "JointScenarioEngine",
        "setRampTime",
        "RampTime_OutOfBounds",
        {"time": (DAY, 30 * DAY, lambda stage, v: stage.system.engine.setRampTime(v))},
    ),
    *rows(
        "RuleEngine",
        "setRampTime",
        "RampTime_OutOfBounds",
        {"time": (DAY, 30 * DAY, rule("setRampTime", None))},
    ),
    *rows(
        "RuleEngine",
        "setPerp",
        "RuleParameters_RatesOutOfBounds",
        {
            "mm": (None, 1000, rule("setPerp", ETH, None, 1000, 0)),
            "im": (500, 100 * PERCENT, rule("setPerp", ETH, 500, None, 0)),
        },
    ),
    *rows(
        "RuleEngine",
        "setPerp",
        "RuleParameters_PremiumNotCovered",
        {
            "mm beside the clamp": (100, None, rule("setPerp", ETH, None, 1000, 0)),
            "im beside the clamp": (200, None, rule("setPerp", ETH, 100, None, 0)),
        },
    ),
    *rows(
        "RuleEngine",
        "setAsset",
        "RuleParameters_WeightsOutOfBounds",
        {
            "w_mm": (7500, 95 * PERCENT, rule("setAsset", WETH, None, 7500)),
            "w_im": (None, 90 * PERCENT, rule("setAsset", WETH, 9500, None)),
        },
    ),
    *rows(
        "RuleEngine",
        "setOption",
        "RuleParameters_OptionRatesOutOfBounds",
        {
            "mm_o": (1, 1000, rule("setOption", ETH, None, 1500, 1000)),
            "im_o": (1000, 100 * PERCENT, rule("setOption", ETH, 750, None, 1000)),
            "floor_o": (750, 1500, rule("setOption", ETH, 750, 1500, None)),
        },
    ),
    *rows(
        "Exchange",
        "setFees",
        "Exchange_FeeOutOfBounds",
        {"maker": (None, WAD // 1000, fees(True)), "taker": (None, WAD // 1000, fees(False))},
    ),
    *rows(
        "Clearinghouse",
        "setAssetCap",
        "Clearinghouse_AssetCapOutOfBounds",
        {
            "cap": (
                None,
                10**8 << 72,
                lambda stage, v: stage.system.clearinghouse.setAssetCap(WBTC, v),
            )
        },
    ),
    *rows(
        "Clearinghouse",
        "setOptionCap",
        "Clearinghouse_OptionCapOutOfBounds",
        {
            "cap": (
                None,
                1 << 90,
                lambda stage, v: stage.system.clearinghouse.setOptionCap(ETH, v),
            )
        },
    ),
    *rows(
        "ChainlinkSource",
        "setAggregator",
        "ChainlinkSource_Heartbeat",
        {"heartbeat": (10, 36 * 3600, lambda stage, v: aggregator(stage, v, 10))},
    ),
    *rows(
        "ChainlinkSource",
        "setAggregator",
        "ChainlinkSource_Deviation",
        {"deviation": (None, 5 * PERCENT, lambda stage, v: aggregator(stage, 3600, v))},
    ),
    *rows(
        "QuorumSource",
        "setPublishers",
        "Publishers_Threshold",
        {
            "threshold": (
                2,
                3,
                lambda stage, v: stage.system.quorum.setPublishers(
                    stage.system.quorum.publishers(), v
                ),
            )
        },
    ),
    *rows(
        "VolatilityQuorum",
        "setPublishers",
        "Publishers_Threshold",
        {
            "threshold": (
                2,
                3,
                lambda stage, v: stage.system.contract("VolatilityQuorum").setPublishers(
                    stage.system.quorum.publishers(), v
                ),
            )
        },
    ),
    *rows(
        "OracleAdapter",
        "configureVolatility",
        "ExpiryRegistry_OutOfBounds",
        {
            "max_age": (10, 36 * 3600, volatility("max_age")),
            "jump_limit_bps": (10, 50 * PERCENT, volatility("jump_limit_bps")),
            "forward_jump_bps": (1, 10 * PERCENT, volatility("forward_jump_bps")),
            "max_live": (1, 8, volatility("max_live")),
        },
    ),
    *rows(
        "OracleAdapter",
        "allowExpiry",
        "ExpiryRegistry_OutOfBounds",
        {"strike_tick": (1, 10**14, allow_expiry)},
    ),
    *rows(
        "PythSource",
        "setFeed",
        "PythSource_OutOfBounds",
        {
            name: (*bounds, lambda stage, v, name=name: stage.pyth.set_feed(_pyth(name, v)))
            for name, bounds in {
                "max_age": (10, 36 * 3600),
                "min_advance": (1, 60),
                "max_fee": (None, 10**16),
            }.items()
        },
    ),
    *rows(
        "ShareRateSource",
        "setShare",
        "ShareRateSource_OutOfBounds",
        {
            "growth": (None, 50 * PERCENT, lambda stage, v: stage.shares.set_share(growth=v)),
            "tolerance": (None, 1 * PERCENT, lambda stage, v: stage.shares.set_share(tolerance=v)),
        },
    ),
]

# What has no number to bound: registrations, a market's cap, a transfer to a fixed address.
WITHOUT_BOUNDS = {"registerAsset", "registerEngine", "listMarket", "setMarketCap", "withdraw"} | {
    "stopNewRisk",
    "resumeNewRisk",
}


def _pyth(name: str, value: int) -> Any:
    known = replace(PYTH_FEED, min_advance=1) if name == "max_age" else PYTH_FEED
    return replace(known, **{name: value})


@pytest.fixture
def world() -> Any:
    """The stage as it was; whatever a test sets is undone."""
    found = stage()
    marks = [evm.snapshot() for evm in found.evms]
    yield found
    for evm, mark in zip(found.evms, marks, strict=True):
        evm.revert(mark)


def test_the_table_has_every_parameter() -> None:
    governed = {
        (contract, function)
        for contracts in FUNCTIONS.values()
        for contract, functions in contracts.items()
        for function in functions
        if function not in WITHOUT_BOUNDS
    }
    assert {(one.contract, one.function) for one in TABLE} == governed


@pytest.mark.parametrize("parameter", TABLE, ids=str)
def test_bounds_are_inclusive(world: Stage, parameter: Parameter) -> None:
    for bound in (parameter.least, parameter.greatest):
        if bound is not None:
            parameter.call(world, bound)


@pytest.mark.parametrize("parameter", TABLE, ids=str)
def test_just_outside_of_a_bound_is_refused(world: Stage, parameter: Parameter) -> None:
    outside = []
    if parameter.least is not None:
        outside.append(parameter.least - 1)
    if parameter.greatest is not None:
        outside.append(parameter.greatest + 1)
    for value in outside:
        with pytest.raises(Reverted) as caught:
            parameter.call(world, value)
        assert caught.value.name == parameter.error
