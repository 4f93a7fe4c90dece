"""How the scenario engine's parameters are set and move, beside their mirror."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import Collateral, Perp
from ballast.model.refusal import Refused
from ballast.risk import joint_scenario as mirror
from ballast.risk.governed import GovernedParameters, RiskRamp
from ballast.risk.parameters import AssetRisk, UnderlyingRisk
from ballast.risk.rules import MAX_RAMP_TIME, MIN_RAMP_TIME
from ballast.units import WAD
from tests.support.revm import Reverted, reverts
from tests.support.risk import (
    BTC,
    ETH,
    PARAMETERS,
    STABLE,
    STAKED_ETH,
    WBTC,
    WETH,
    RiskWorld,
    fresh,
)

DAY = 24 * 60 * 60
GOOD = PARAMETERS.underlyings[ETH]
NEW_ASSET = 5
TOKENS = {asset: (risk.underlying, risk.decimals) for asset, risk in PARAMETERS.assets.items()}


class GovernedWorld(RiskWorld):
    """The engine and the mirror of its parameters: every change is made on both."""

    def __init__(self) -> None:
        super().__init__()
        self.governed = GovernedParameters()
        for underlying, risk in PARAMETERS.underlyings.items():
            self.governed.set_underlying(underlying, risk, now=self.now)
        for asset, held in PARAMETERS.assets.items():
            self.governed.set_asset(asset, held, now=self.now)
        self.compare()

    def set_underlying(self, underlying: int, **changes: int) -> None:
        target = replace(self.governed.underlying_ramps[underlying].target, **changes)
        clamp = self.board.premiumClampBps(underlying)
        self._both(
            lambda: self.engine.setUnderlying(underlying, target.as_tuple()),
            lambda: self.governed.set_underlying(
                underlying, target, now=self.now, premium_clamp=clamp
            ),
        )

    def set_asset(self, asset: int, haircut: int, extra_haircut: int) -> None:
        target = AssetRisk(*TOKENS.get(asset, (ETH, 18)), haircut, extra_haircut)
        self._both(
            lambda: self.engine.setAsset(asset, haircut, extra_haircut),
            lambda: self.governed.set_asset(asset, target, now=self.now),
        )

    def set_ramp_time(self, seconds: int) -> None:
        self.engine.setRampTime(seconds)
        self.governed.ramp_time = seconds

    def advance(self) -> None:
        for underlying in self.governed.underlying_ramps:
            self.engine.advanceUnderlying(underlying)
        for asset in self.governed.asset_ramps:
            self.engine.advanceAsset(asset)
        self.governed.advance(self.now)
        self.compare()

    def compare(self) -> None:
        """[I10] What the engine keeps is what the mirror keeps."""
        for underlying, risk in self.governed.underlyings.items():
            ramp = self.governed.underlying_ramps[underlying]
            assert self.engine.underlyingRisk(underlying) == risk.as_tuple(), "I10 parameters"
            assert self.engine.underlyingRamp(underlying) == ramp_tuple(ramp), "I10 ramp"
        for asset, held in self.governed.assets.items():
            one = self.governed.asset_ramps[asset]
            assert self.engine.assetRisk(asset) == held.as_tuple(), "I10 haircuts"
            ends = *one.origin.as_tuple()[2:], *one.target.as_tuple()[2:], one.start, one.end
            assert self.engine.assetRamp(asset) == ends, "I10 ramp of haircuts"

    def _both(self, real: Callable[[], Any], model: Callable[[], Any]) -> None:
        try:
            model()
        except Refused as refusal:
            with reverts(refusal.name, *refusal.values):
                real()
            raise
        real()
        self.compare()


def ramp_tuple(ramp: RiskRamp[UnderlyingRisk]) -> tuple[Any, ...]:
    return ramp.origin.as_tuple(), ramp.target.as_tuple(), ramp.start, ramp.end


@pytest.fixture
def world() -> GovernedWorld:
    return GovernedWorld()


# ---- Bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "least", "greatest"),
    [
        ("kappa_quarters", 1, 4),
        ("perp_maintenance", 80, 200),
        ("perp_initial", 160, 5000),
        ("short_option_maintenance", 0, 50),
        ("short_option_initial", 30, 2000),
        ("roll_rate", 30, 10_000),
        ("roll_floor", 0, 500),
        ("range_cap", 500, 6000),
    ],
)
def test_bounds_of_an_underlying(
    world: GovernedWorld, field: str, least: int, greatest: int
) -> None:
    world.board.setPremiumClamp(ETH, 80)
    if field == "perp_initial":
        world.set_underlying(ETH, perp_maintenance=80)
    for value in (least, greatest):
        world.set_underlying(ETH, **{field: value})
    world.set_underlying(ETH, **{field: getattr(GOOD, field)})
    for value in (least - 1, greatest + 1):
        if value >= 0:
            with pytest.raises(Refused, match="RiskParameters_OutOfBounds"):
                world.set_underlying(ETH, **{field: value})


def test_a_floor_of_the_roll_charge_is_under_its_rate(world: GovernedWorld) -> None:
    with pytest.raises(Refused, match="rollFloor"):
        world.set_underlying(ETH, roll_rate=29)


def test_add_ons_cover_the_premium_of_the_mark(world: GovernedWorld) -> None:
    world.board.setPremiumClamp(ETH, 101)
    with pytest.raises(Refused, match="perpInitial"):
        world.set_underlying(ETH)
    with pytest.raises(Refused, match="perpMaintenance"):
        world.set_underlying(ETH, perp_initial=202)
    world.set_underlying(ETH, perp_maintenance=101, perp_initial=202)


def test_the_range_leaves_room_for_the_haircuts(world: GovernedWorld) -> None:
    with pytest.raises(Refused, match="haircut"):
        world.set_asset(WETH, 1, 4000)
    world.set_asset(WETH, 0, 4000)
    with pytest.raises(Refused, match="haircut"):
        world.set_asset(WETH, 65_535, 65_535)
    with pytest.raises(Refused, match="rangeCap"):
        world.set_underlying(ETH, range_cap=6001)


def test_room_counts_where_ramps_are_and_where_they_go(world: GovernedWorld) -> None:
    """Neither end of a ramp may collide with either end of the other."""
    world.set_underlying(ETH, range_cap=5000)
    with pytest.raises(Refused, match="haircut"):
        world.set_asset(WETH, 0, 4001)
    world.evm.time += 3 * DAY
    with pytest.raises(Refused, match="haircut"):
        world.set_asset(WETH, 0, 4001)  # what assessments read has not followed yet
    world.advance()
    world.set_asset(WETH, 0, 5000)
    with pytest.raises(Refused, match="rangeCap"):
        world.set_underlying(ETH, range_cap=5001)


def test_room_comes_back_when_haircuts_fall(world: GovernedWorld) -> None:
    world.set_underlying(ETH, range_cap=4000)
    world.evm.time += 3 * DAY
    world.advance()
    world.set_asset(WETH, 0, 6000)
    world.evm.time += 3 * DAY
    world.advance()
    world.set_asset(WETH, 0, 100)
    with pytest.raises(Refused, match="rangeCap"):
        world.set_underlying(ETH, range_cap=4001)
    world.evm.time += 3 * DAY
    world.advance()
    world.set_underlying(ETH, range_cap=6000)


def test_an_asset_needs_its_underlying_first(world: GovernedWorld) -> None:
    world.board.setAsset(9, 18, 9)
    with reverts("RiskParameters_UnknownUnderlying", 9):
        world.engine.setAsset(9, 0, 0)


@pytest.mark.parametrize("seconds", [MIN_RAMP_TIME - 1, MAX_RAMP_TIME + 1])
def test_bounds_of_the_ramp_time(world: GovernedWorld, seconds: int) -> None:
    with reverts("RampTime_OutOfBounds", seconds, MIN_RAMP_TIME, MAX_RAMP_TIME):
        world.engine.setRampTime(seconds)
    for allowed in (MIN_RAMP_TIME, MAX_RAMP_TIME):
        world.engine.setRampTime(allowed)
        assert world.engine.rampTime() == allowed


def test_what_was_never_set_is_unknown(world: GovernedWorld) -> None:
    for call in (world.engine.underlyingRisk, world.engine.advanceUnderlying):
        with reverts("RiskParameters_UnknownUnderlying", 9):
            call(9)
    for call in (world.engine.assetRisk, world.engine.advanceAsset):
        with reverts("RiskParameters_UnknownAsset", 9):
            call(9)


def test_a_stranger_sets_nothing_and_advances_everything(world: GovernedWorld) -> None:
    stranger = world.evm.actor("stranger")
    for call in (
        lambda: world.engine.setUnderlying(ETH, GOOD.as_tuple(), sender=stranger),
        lambda: world.engine.setAsset(WETH, 0, 0, sender=stranger),
        lambda: world.engine.setRampTime(DAY, sender=stranger),
    ):
        with pytest.raises(Reverted, match="AccessManagedUnauthorized"):
            call()
    world.set_underlying(ETH, perp_initial=500)
    world.evm.time += 3 * DAY
    world.engine.advanceUnderlying(ETH, sender=stranger)
    assert world.engine.underlyingRisk(ETH)[2] == 500


# ---- Words ------------------------------------------------------------------------------------


def test_four_assets_share_a_word_and_do_not_disturb_each_other(world: GovernedWorld) -> None:
    for asset in (NEW_ASSET, 6, 7, 8, 65_535):
        world.board.setAsset(asset, asset % 19, ETH)
        target = AssetRisk(ETH, asset % 19, asset % 100, 7)
        world.engine.setAsset(asset, target.haircut, target.extra_haircut)
        world.governed.set_asset(asset, target, now=world.now)
        world.compare()
        assert world.engine.supportsAsset(asset)
    assert not world.engine.supportsAsset(0)
    assert not world.engine.supportsAsset(9)


def test_an_asset_without_a_haircut_is_known(world: GovernedWorld) -> None:
    world.board.setAsset(NEW_ASSET, 0, 1)
    world.engine.setAsset(NEW_ASSET, 0, 0)
    assert world.engine.supportsAsset(NEW_ASSET)
    assert world.engine.assetRisk(NEW_ASSET) == (1, 0, 0, 0)


def test_changes_are_told(world: GovernedWorld) -> None:
    world.engine.setUnderlying(ETH, replace(GOOD, perp_initial=500).as_tuple())
    (log,) = world.evm.logs
    assert log.name == "UnderlyingRiskSet"
    assert log.args["risk"] == GOOD.as_tuple(), "nothing jumps"
    assert (log.args["target"][2], log.args["end"]) == (500, world.now + 3 * DAY)
    world.engine.setAsset(WETH, 30, 40)
    (log,) = world.evm.logs
    assert log.name == "AssetRiskSet"
    assert log.args["risk"] == (ETH, 18, 0, 0)
    assert log.args["ramp"] == (0, 0, 30, 40, world.now, world.now + 3 * DAY)
    world.evm.time += 3 * DAY
    world.engine.advanceUnderlying(ETH)
    (log,) = world.evm.logs
    assert log.name == "UnderlyingRiskAdvanced" and log.args["risk"][2] == 500
    world.engine.advanceAsset(WETH)
    (log,) = world.evm.logs
    assert log.name == "AssetRiskAdvanced" and log.args["risk"] == (ETH, 18, 30, 40)
    world.engine.advanceUnderlying(ETH)
    world.engine.advanceAsset(WETH)
    assert world.evm.logs == [], "nothing moved"


# ---- Ramps ------------------------------------------------------------------------------------


def test_parameters_move_linearly_and_only_when_advanced(world: GovernedWorld) -> None:
    world.set_underlying(ETH, perp_maintenance=400, perp_initial=800, range_cap=3000)
    world.evm.time += DAY
    world.compare()
    world.advance()
    assert world.engine.underlyingRisk(ETH) == (2, 200, 400, 30, 50, 1000, 30, 5000)
    world.evm.time += DAY
    world.advance()
    assert world.engine.underlyingRisk(ETH) == (2, 300, 600, 30, 50, 1000, 30, 4000)
    world.evm.time += 100 * DAY
    world.advance()
    assert world.engine.underlyingRisk(ETH) == (2, 400, 800, 30, 50, 1000, 30, 3000)


def test_a_step_of_kappa_comes_at_the_end_up_and_at_once_down(world: GovernedWorld) -> None:
    world.set_underlying(ETH, kappa_quarters=3)
    world.evm.time += 3 * DAY - 1
    world.advance()
    assert world.engine.underlyingRisk(ETH)[0] == 2
    world.evm.time += 1
    world.advance()
    assert world.engine.underlyingRisk(ETH)[0] == 3
    world.set_underlying(ETH, kappa_quarters=2)
    world.evm.time += 1
    world.advance()
    assert world.engine.underlyingRisk(ETH)[0] == 2


def test_who_advances_often_does_not_hold_the_ramp_back(world: GovernedWorld) -> None:
    world.set_asset(WETH, 10, 10)
    for _ in range(1000):
        world.evm.time += 3 * DAY // 1000
        world.engine.advanceAsset(WETH)
    world.evm.time += 3 * DAY % 1000 + 1000
    world.engine.advanceAsset(WETH)
    assert world.engine.assetRisk(WETH)[2:] == (10, 10)


def test_an_assessment_follows_the_advance(world: GovernedWorld) -> None:
    world.price(ETH, fresh(world.now, 2000))
    words = [Perp(ETH, WAD, 0).encode(), Collateral(WETH, WAD).encode()]
    before = world.assess(0, words)
    world.set_underlying(ETH, perp_maintenance=400, perp_initial=800)
    world.set_asset(WETH, 300, 600)
    assert world.assess(0, words) == before
    for _ in range(4):
        world.evm.time += DAY
        world.advance()
        world.price(ETH, fresh(world.now, 2000))
        now = world.assess(0, words)
        assert (
            now
            == mirror.assess(0, words, world.snapshot, world.governed.parameters, world.now).margin
        )
    assert now.maintenance - before.maintenance == 2000 * WAD * (300 + 300) // 10_000
    assert now.initial - before.initial == 2000 * WAD * (600 + 900) // 10_000


def test_a_new_ramp_time_leaves_ramps_under_way_alone(world: GovernedWorld) -> None:
    world.set_asset(WETH, 300, 0)
    world.set_ramp_time(DAY)
    world.evm.time += DAY
    world.advance()
    assert world.engine.assetRisk(WETH)[2] == 100


def test_new_collateral_of_an_engine_in_use_begins_with_the_greatest_haircut(
    world: GovernedWorld,
) -> None:
    world.board.setEngine(world.engine)
    world.governed.selectable = True
    world.board.setAsset(NEW_ASSET, 18, ETH)
    world.set_asset(NEW_ASSET, 100, 200)
    assert world.engine.assetRisk(NEW_ASSET) == (ETH, 18, 100, 3900)
    assert world.engine.assetRisk(STAKED_ETH)[2:] == (250, 500)
    world.evm.time += DAY
    world.advance()
    assert world.engine.assetRisk(NEW_ASSET) == (ETH, 18, 100, 200 + 3700 * 2 // 3)
    world.evm.time += 2 * DAY
    world.advance()
    assert world.engine.assetRisk(NEW_ASSET) == (ETH, 18, 100, 200)


def test_another_engine_in_use_does_not_matter(world: GovernedWorld) -> None:
    world.board.setEngine(world.board)
    world.board.setAsset(NEW_ASSET, 18, ETH)
    world.set_asset(NEW_ASSET, 100, 200)
    assert world.engine.assetRisk(NEW_ASSET) == (ETH, 18, 100, 200)


RISKS = st.builds(
    lambda kappa, perp, more, short, extra, rate, floor, cap: UnderlyingRisk(
        kappa, perp, perp + more, short, short + extra, rate, min(rate, floor), cap
    ),
    st.integers(1, 4),
    st.integers(0, 2500),
    st.integers(0, 2500),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 10_000),
    st.integers(0, 500),
    st.integers(500, 6000),
)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 5 * DAY),
        st.sampled_from([DAY, 3 * DAY, 30 * DAY]),
        st.booleans(),
        RISKS,
        st.integers(0, 3000),
        st.integers(0, 3000),
    ),
    max_size=6,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=CHANGES)
def test_no_sequence_of_changes_makes_a_jump_or_breaks_a_bound(
    changes: list[tuple[int, int, bool, UnderlyingRisk, int, int]],
) -> None:
    world = GovernedWorld()
    for wait, time, advances, risk, haircut, extra in changes:
        world.evm.time += wait
        world.set_ramp_time(time)
        reached = world.governed.underlying_ramps[BTC].at(world.now)
        with suppress(Refused):
            world.set_underlying(BTC, **{name: getattr(risk, name) for name in risk.__slots__})
            assert world.governed.underlyings[BTC] == reached, "nothing jumps"
        with suppress(Refused):
            world.set_asset(WBTC, haircut, extra)
        if advances:
            world.advance()
        now, held = world.governed.underlyings[BTC], world.governed.assets[WBTC]
        assert now.perp_maintenance <= now.perp_initial
        assert now.short_option_maintenance <= now.short_option_initial
        assert now.roll_floor <= now.roll_rate
        assert now.range_cap + held.total <= 10_000, "collateral never requires more than it is"
    assert world.governed.assets[STABLE] == PARAMETERS.assets[STABLE]
