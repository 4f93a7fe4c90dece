"""The rule engine against its integer mirror, against the formulas, and in the whole system."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import MAX_PRICE, AccountId, Collateral, Perp, Snapshot, decode_positions
from ballast.model.refusal import Refused
from ballast.risk import rules as bounds
from ballast.risk.ramp import Ramp
from ballast.risk.rule_based import TERMS
from ballast.risk.rules import AssetRule, PerpRule, Rules
from ballast.units import WAD
from tests.support import clearing
from tests.support.clearing import refused, units
from tests.support.revm import GENESIS, Reverted, reverts
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    DOLLAR,
    ETH,
    STABLE,
    STAKED_ETH,
    WBTC,
    WETH,
    books,
    fresh,
    markets,
)
from tests.support.rule import ASSETS, PERPS, WEIGHTS, RuleWorld, TwoEngineWorld

DAY = 24 * 3600
RATIO = 10**8
SHARED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
INTEREST = st.fixed_dictionaries(
    {name: st.one_of(st.integers(0, 3000 * WAD), st.just(2**90 - 1)) for name in (ETH, BTC, COIN)}
)
MOMENTS = st.one_of(st.sampled_from([0, 1, 2 * DAY, 3 * DAY]), st.integers(0, 4 * DAY))


def perp(underlying: int, size: int, quote: int = 0) -> int:
    return Perp(underlying, size, quote).encode()


@pytest.fixture(scope="module")
def shared() -> RuleWorld:
    """A world in whose third day from GENESIS every ramp ends; each example sets its prices."""
    world = RuleWorld(GENESIS - 5 * DAY)
    world.evm.time = GENESIS
    world.set_perp(ETH, 700, 1700, 1000)
    world.set_perp(COIN, 333, 1001, 10)
    world.set_asset(WETH, 9100, 9000)
    world.set_asset(STAKED_ETH, 7001, 1)
    return world


@pytest.fixture
def world() -> RuleWorld:
    world = RuleWorld()
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        world.price(underlying, fresh(world.now, price))
    return world


def arrange(
    world: RuleWorld, prices: dict[int, Snapshot], interest: dict[int, int], later: int
) -> None:
    world.evm.time = GENESIS + later
    for underlying, snapshot in prices.items():
        world.price(underlying, snapshot)
    for underlying, amount in interest.items():
        world.set_open_interest(underlying, amount)


# ---- Contract and mirror ----------------------------------------------------------------------


@SHARED
@given(cash=CASH, words=books(), prices=markets(GENESIS), interest=INTEREST, later=MOMENTS)
def test_mirror_to_the_wei(
    shared: RuleWorld,
    *,
    cash: int,
    words: list[int],
    prices: dict[int, Snapshot],
    interest: dict[int, int],
    later: int,
) -> None:
    arrange(shared, prices, interest, later)
    margin = shared.assess(cash, words)
    assert margin == shared.mirrored(cash, words)
    assert margin.initial >= margin.maintenance >= 0, "5: IM ≥ MM ≥ 0"


@settings(SHARED, max_examples=60)
@given(
    words=books(),
    prices=markets(GENESIS),
    interest=INTEREST,
    later=MOMENTS,
    mode=st.one_of(st.integers(1, 30), st.just(2**256 - 2)),
)
def test_every_witness_is_the_whole_maintenance_margin(
    shared: RuleWorld,
    *,
    words: list[int],
    prices: dict[int, Snapshot],
    interest: dict[int, int],
    later: int,
    mode: int,
) -> None:
    arrange(shared, prices, interest, later)
    full, witness = shared.assess(7, words), shared.assess(7, words, mode)
    assert witness == shared.mirrored(7, words, mode)
    assert witness.initial == 0
    assert witness.maintenance == full.maintenance, "6: witness ≤ MM"
    assert (witness.equity, witness.fresh) == (full.equity, full.fresh)
    assert witness.perp_notional == full.perp_notional


@settings(SHARED, max_examples=60)
@given(
    words=books(),
    prices=markets(GENESIS),
    interest=INTEREST,
    underlying=st.sampled_from([ETH, BTC, COIN, DOLLAR]),
    spot=st.one_of(st.integers(0, 10**24), st.sampled_from([MAX_PRICE, 10**6 - 1])),
)
def test_mirror_at_another_price(
    shared: RuleWorld,
    *,
    words: list[int],
    prices: dict[int, Snapshot],
    interest: dict[int, int],
    underlying: int,
    spot: int,
) -> None:
    arrange(shared, prices, interest, DAY)
    expected = shared.mirror.assess_at(5, words, underlying, spot, shared.now)
    assert shared.assess_at(5, words, underlying, spot) == expected


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("late", [0, 2**31])
def test_the_greatest_account_does_not_overflow(sign: int, late: int) -> None:
    world = RuleWorld()
    for underlying in (ETH, BTC, COIN):
        world.set_perp(underlying, 10_000, 10_000, 2**64 - 1 if sign > 0 else 1)
        world.set_open_interest(underlying, 2**90 - 1)
    huge = {
        "price": MAX_PRICE,
        "stable": 0 if sign > 0 else MAX_PRICE,
        "confidence": 4095 * 10**13,
        "premium": 2**21 - 1,
        "time": world.now,
    }
    world.evm.time += late
    for underlying in (ETH, BTC, COIN, DOLLAR):
        world.price(underlying, Snapshot(**huge))
    size = 2**103 - 1 if sign > 0 else -(2**103)
    perps = [perp(name, size, sign * 2**126) for name in (ETH, BTC, COIN)] * 11
    collateral = [
        Collateral(asset, min(2**128 - 1, 2**72 * 10**decimals)).encode()
        for asset, (_, decimals) in ASSETS.items()
    ]
    words = (perps + collateral * 8)[:64]
    assert world.assess(0, words) == world.mirrored(0, words)


# ---- The formulas, in exact fractions ---------------------------------------------------------


def ramped(ramp: Ramp, now: int) -> Fraction:
    """The value of a ramp, exactly."""
    if now >= ramp.end:
        return Fraction(ramp.target, 10_000)
    done = Fraction(now - ramp.start, ramp.end - ramp.start)
    return (ramp.origin + (ramp.target - ramp.origin) * done) / 10_000


def by_the_formulas(world: RuleWorld, word: int) -> tuple[Fraction, Fraction]:
    """MM and IM of a fresh position as the specification writes them."""
    (position,) = decode_positions([word])
    if isinstance(position, Perp):
        rule = world.rules.perp(position.underlying)
        snapshot = world.snapshot(position.underlying)
        units_, price = Fraction(position.size, WAD), snapshot.mark
        rates = ramped(rule.maintenance, world.now), ramped(rule.initial, world.now)
        growth = Fraction(1)
        if rule.depth:
            excess = Fraction(world.interest[position.underlying], rule.depth * WAD) - 1
            growth += max(Fraction(0), min(Fraction(1), excess))
    else:
        assert isinstance(position, Collateral)
        asset = world.rules.asset(position.asset)
        snapshot = world.snapshot(asset.underlying)
        units_, price = Fraction(position.amount, 10**asset.decimals), snapshot.price
        rates = 1 - ramped(asset.maintenance, world.now), 1 - ramped(asset.initial, world.now)
        growth = Fraction(1)
    value = abs(units_) * price
    initial = value * min(Fraction(1), rates[1] * growth)
    initial += abs(units_) * snapshot.price * Fraction(snapshot.confidence, WAD)
    initial += max(Fraction(0), units_ * (snapshot.price - snapshot.stable))
    return value * rates[0], initial if isinstance(position, Perp) else min(initial, value)


@SHARED
@given(words=books(), prices=markets(GENESIS), interest=INTEREST, later=MOMENTS)
def test_the_formulas(
    shared: RuleWorld,
    words: list[int],
    prices: dict[int, Snapshot],
    interest: dict[int, int],
    later: int,
) -> None:
    now = GENESIS + later
    young = {"time": now, "max_age": 3600, "wide": False, "suspect": False}
    calm = {
        u: Snapshot(**{name: getattr(s, name) for name in s.__slots__} | young)
        for u, s in prices.items()
    }
    arrange(shared, calm, interest, later)
    margin = shared.assess(0, words)
    maintenance, initial = (
        (sum(parts) for parts in zip(*(by_the_formulas(shared, w) for w in words), strict=True))
        if words
        else (0, 0)
    )
    notional = Fraction(sum(shared.assess(0, [w], 1).equity for w in words))
    slack = 8 * len(words) + 1 + abs(notional) * Fraction(3, RATIO)
    slack += sum(shared.assess(0, [w]).perp_notional for w in words) * Fraction(3, RATIO)
    assert -1 <= margin.maintenance - maintenance <= slack
    assert -1 <= margin.initial - initial <= slack
    assert margin.fresh


# ---- Homogeneity and sums ---------------------------------------------------------------------


@settings(SHARED, max_examples=100)
@given(
    held=st.lists(st.tuples(st.sampled_from([ETH, BTC, COIN]), st.integers(-(10**22), 10**22))),
    stock=st.integers(0, 10**22),
    factor=st.integers(2, 1000),
    prices=markets(GENESIS),
    interest=INTEREST,
)
def test_invariant_5_homogeneous(
    shared: RuleWorld,
    *,
    held: list[tuple[int, int]],
    stock: int,
    factor: int,
    prices: dict[int, Snapshot],
    interest: dict[int, int],
) -> None:
    def scaled(k: int) -> list[int]:
        words = [perp(underlying, k * size) for underlying, size in held[:60]]
        return [*words, Collateral(STAKED_ETH, k * stock).encode()]

    arrange(shared, prices, interest, DAY)
    once, often = shared.mirrored(0, scaled(1)), shared.mirrored(0, scaled(factor))
    slack = factor * (4 * len(held) + 8)
    message = "5: margin(k·p) = k·margin(p)"
    assert abs(often.maintenance - factor * once.maintenance) <= slack, message
    assert abs(often.initial - factor * once.initial) <= slack, message


@settings(SHARED, max_examples=100)
@given(first=books(6), second=books(6), prices=markets(GENESIS), interest=INTEREST)
def test_invariant_5_margin_is_a_sum(
    shared: RuleWorld,
    first: list[int],
    second: list[int],
    prices: dict[int, Snapshot],
    interest: dict[int, int],
) -> None:
    """No offsets at all: two books together require what they require apart."""
    arrange(shared, prices, interest, DAY)
    a, b, both = (shared.mirrored(0, words) for words in (first, second, first + second))
    assert 0 <= a.maintenance + b.maintenance - both.maintenance <= 1
    assert 0 <= a.initial + b.initial - both.initial <= 1


@settings(SHARED, max_examples=100)
@given(
    words=books(),
    prices=markets(GENESIS),
    asset=st.sampled_from(sorted(ASSETS)),
    amount=st.integers(0, 10**24),
)
def test_invariant_5_collateral_given_for_nothing_never_hurts(
    shared: RuleWorld, words: list[int], prices: dict[int, Snapshot], asset: int, amount: int
) -> None:
    arrange(shared, prices, {}, DAY)
    before = shared.mirrored(0, words)
    after = shared.mirrored(0, [*words, Collateral(asset, amount).encode()])
    assert after.equity - after.initial >= before.equity - before.initial - 2
    assert after.equity - after.maintenance >= before.equity - before.maintenance - 2


# ---- Worked examples --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WAD, -WAD])
def test_a_perpetual_requires_its_rates(world: RuleWorld, size: int) -> None:
    margin = world.assess(0, [perp(ETH, size)])
    assert (margin.maintenance, margin.initial) == (100 * WAD, 200 * WAD)
    assert margin.perp_notional == 2000 * WAD
    assert margin.fresh


def test_nothing_offsets_anything(world: RuleWorld) -> None:
    words = [Collateral(WETH, WAD).encode(), perp(ETH, -WAD, 2000 * WAD), perp(BTC, WAD // 25)]
    margin = world.assess(0, words)
    assert margin.maintenance == (300 + 100 + 100) * WAD
    assert margin.initial == (500 + 200 + 200) * WAD


def test_collateral_that_lends_nothing(world: RuleWorld) -> None:
    margin = world.assess(0, [Collateral(STABLE, 10**6).encode()])
    assert margin.equity == margin.maintenance == margin.initial == WAD


@pytest.mark.parametrize(
    ("interest", "initial"), [(0, 200), (1000, 200), (1500, 300), (2000, 400), (10**6, 400)]
)
def test_initial_margin_grows_with_open_interest(
    world: RuleWorld, interest: int, initial: int
) -> None:
    world.set_open_interest(ETH, interest * WAD)
    margin = world.assess(0, [perp(ETH, WAD)])
    assert (margin.maintenance, margin.initial) == (100 * WAD, initial * WAD)


def test_a_market_without_a_depth_is_not_asked_for_its_open_interest(world: RuleWorld) -> None:
    world.set_perp(5, 500, 1000, 0)
    world.price(5, fresh(world.now, 2000))
    assert world.assess(0, [perp(5, WAD)]).initial == 200 * WAD
    world.set_perp(5, 500, 1000, 1)
    with reverts("Clearinghouse_UnknownMarket", 5):
        world.assess(0, [perp(5, WAD)])
    world.assess(0, [perp(5, WAD)], 1)


def test_a_stale_price_widens_the_initial_margin_up_to_the_whole(world: RuleWorld) -> None:
    words = [perp(ETH, WAD), Collateral(WETH, WAD).encode()]
    world.evm.time += 3 * 4 * 3600
    margin = world.assess(0, words)
    assert not margin.fresh
    assert margin.maintenance == (100 + 300) * WAD, "age alone liquidates nobody"
    assert margin.initial == 2 * (200 + 500) * WAD, "√(1 + 12/4) = 2"
    world.evm.time += 10**8
    margin = world.assess(0, words)
    assert (margin.initial, margin.maintenance) == (2 * 2000 * WAD, (100 + 300) * WAD)


@pytest.mark.parametrize(
    ("minutes", "credit"), [(0, 0), (12, 22 + 22), (60, 100 + 110), (61, 0), (10**6, 0)]
)
def test_what_a_stale_price_is_worth_in_a_liquidation(
    world: RuleWorld, minutes: int, credit: int
) -> None:
    """R·age/4 h of each position, at most what it requires; nothing after an hour."""
    words = [perp(ETH, WAD), Collateral(WETH, WAD).encode()]
    world.price(ETH, fresh(world.now, 2000, max_age=0, wide=True))
    world.evm.time += 60 * minutes
    assert world.assess(0, words).credit == credit * WAD
    assert world.assess(0, words, 1).credit == credit * WAD


def test_opposite_positions_are_each_credited_no_more_than_they_require(world: RuleWorld) -> None:
    words = [perp(ETH, -3 * WAD), Collateral(WETH, WAD).encode()]
    world.price(ETH, fresh(world.now - 3600, 2000, suspect=True))
    margin = world.assess(0, words)
    assert 0 < margin.credit <= margin.maintenance


@pytest.mark.parametrize("flag", ["suspect", "wide"])
def test_a_doubtful_price_is_not_fresh_and_not_widened_at_age_zero(
    world: RuleWorld, flag: str
) -> None:
    world.price(ETH, fresh(world.now, 2000, **{flag: True}))
    margin = world.assess(0, [perp(ETH, WAD)])
    assert (margin.maintenance, margin.initial) == (100 * WAD, 200 * WAD)
    assert not margin.fresh
    assert world.assess(0, [perp(BTC, WAD)]).fresh


def test_a_pumped_price_lends_nothing_at_once(world: RuleWorld) -> None:
    world.price(ETH, fresh(world.now, 2200, stable=2000 * WAD))
    margin = world.assess(0, [Collateral(WETH, WAD).encode()])
    assert margin.initial == 550 * WAD + 200 * WAD
    assert margin.maintenance == 330 * WAD, "MM does not know stable prices"
    short = world.assess(0, [perp(ETH, -WAD)])
    assert short.initial == 220 * WAD, "a short loses by the pump: nothing rests on it"
    world.price(ETH, fresh(world.now, 1800, stable=2000 * WAD))
    assert world.assess(0, [perp(ETH, -WAD)]).initial == 180 * WAD + 200 * WAD


def test_a_pump_is_charged_on_each_position(world: RuleWorld) -> None:
    world.price(ETH, fresh(world.now, 2200, stable=2000 * WAD))
    hedged = [Collateral(WETH, WAD).encode(), perp(ETH, -WAD)]
    assert world.assess(0, hedged).initial == (550 + 200 + 220) * WAD


def test_collateral_requires_no_more_than_it_is_worth(world: RuleWorld) -> None:
    world.price(ETH, fresh(world.now, 2000, stable=100 * WAD))
    margin = world.assess(0, [Collateral(WETH, WAD).encode()])
    assert margin.initial == margin.equity == 2000 * WAD


def test_the_width_of_a_price_counts_in_the_initial_margin(world: RuleWorld) -> None:
    world.price(ETH, fresh(world.now, 2000, confidence=WAD // 100))
    margin = world.assess(0, [perp(ETH, -WAD)])
    assert (margin.maintenance, margin.initial) == (100 * WAD, 220 * WAD)


def test_requirements_round_up_once(world: RuleWorld) -> None:
    margin = world.assess(0, [perp(COIN, 1)])
    assert (margin.perp_notional, margin.maintenance, margin.initial) == (3, 1, 1)
    assert world.assess(0, [perp(COIN, 1)] * 3).maintenance == 1


def test_an_empty_account_needs_nothing(world: RuleWorld) -> None:
    margin = world.assess(-5, [])
    assert margin == world.mirrored(-5, [])
    assert (margin.equity, margin.initial, margin.maintenance, margin.fresh) == (-5, 0, 0, True)


def test_terms_of_liquidation(world: RuleWorld) -> None:
    terms = TERMS.target_health, TERMS.discount_min, TERMS.discount_max, TERMS.discount_max_health
    assert tuple(world.engine.liquidationTerms()) == terms
    assert world.mirror.terms == TERMS


def test_it_supports_what_it_has_weights_for(world: RuleWorld) -> None:
    for asset in (*ASSETS, 9):
        assert world.engine.supportsAsset(asset) == world.mirror.supports_asset(asset)
        assert world.engine.supportsAsset(asset) == (asset in ASSETS)


# ---- Refusals ---------------------------------------------------------------------------------


def refused_alike(world: RuleWorld, words: list[int], name: str, *values: int) -> None:
    for mode in (0, 1):
        with reverts(name, *values):
            world.assess(0, words, mode)
        with pytest.raises(Refused) as refusal:
            world.mirrored(0, words, mode)
        assert (refusal.value.name, refusal.value.values) == (name, values)


@pytest.mark.parametrize("word", [0, 4 << 248, 255 << 248])
def test_a_word_that_is_no_position(world: RuleWorld, word: int) -> None:
    refused_alike(world, [word], "RuleEngine_UnknownKind", word)


def test_more_words_than_an_account_holds(world: RuleWorld) -> None:
    words = [perp(ETH, WAD)] * 65
    refused_alike(world, words, "RuleEngine_TooManyWords", 65, 64)
    world.assess(0, words[:64])


def test_a_price_that_was_never_accepted(world: RuleWorld) -> None:
    world.price(ETH, Snapshot())
    refused_alike(world, [perp(ETH, WAD)], "RuleEngine_PriceNeverAccepted", ETH)
    refused_alike(world, [Collateral(WETH, 0).encode()], "RuleEngine_PriceNeverAccepted", ETH)


def test_a_perpetual_without_rates(world: RuleWorld) -> None:
    world.price(DOLLAR, fresh(world.now, 1))
    refused_alike(world, [perp(DOLLAR, WAD)], "RuleParameters_UnknownPerp", DOLLAR)
    for view in (world.engine.perpRule, world.engine.perpTargets):
        with reverts("RuleParameters_UnknownPerp", DOLLAR):
            view(DOLLAR)


def test_an_asset_without_weights(world: RuleWorld) -> None:
    word = Collateral(9, 1).encode()
    refused_alike(world, [word], "RuleParameters_UnknownAsset", 9)
    for view in (world.engine.assetRule, world.engine.assetTargets):
        with reverts("RuleParameters_UnknownAsset", 9):
            view(9)


def test_a_spot_that_no_snapshot_holds(world: RuleWorld) -> None:
    with reverts("RuleEngine_SpotOutOfRange", MAX_PRICE + 1, MAX_PRICE):
        world.assess_at(0, [perp(ETH, WAD)], ETH, MAX_PRICE + 1)
    with pytest.raises(Refused, match="RuleEngine_SpotOutOfRange"):
        world.mirror.assess_at(0, [], ETH, MAX_PRICE + 1, world.now)


def test_the_price_zero_is_a_price_to_assess_at(world: RuleWorld) -> None:
    margin = world.assess_at(0, [perp(ETH, WAD, -5)], ETH, 0)
    assert (margin.equity, margin.perp_notional) == (-5, 0)


# ---- Governed parameters ----------------------------------------------------------------------


def both_refuse(name: str, values: tuple[int, ...], *calls: Callable[[], object]) -> None:
    real, model = calls
    with reverts(name, *values):
        real()
    with pytest.raises(Refused) as refusal:
        model()
    assert (refusal.value.name, refusal.value.values) == (name, values)


@pytest.mark.parametrize("rates", [(0, 0), (0, 100), (500, 499), (500, 10_001), (10_001, 10_001)])
def test_bounds_of_rates(world: RuleWorld, rates: tuple[int, int]) -> None:
    both_refuse(
        "RuleParameters_RatesOutOfBounds",
        rates,
        lambda: world.engine.setPerp(ETH, *rates, 0),
        lambda: world.rules.set_perp(ETH, *rates, 0, now=world.now),
    )


@pytest.mark.parametrize(("clamp", "rates"), [(101, (100, 1000)), (100, (100, 199))])
def test_rates_cover_the_premium_of_the_mark(
    world: RuleWorld, clamp: int, rates: tuple[int, int]
) -> None:
    world.board.setPremiumClamp(ETH, clamp)
    both_refuse(
        "RuleParameters_PremiumNotCovered",
        (clamp, *rates),
        lambda: world.engine.setPerp(ETH, *rates, 0),
        lambda: world.rules.set_perp(ETH, *rates, 0, now=world.now, premium_clamp=clamp),
    )
    world.engine.setPerp(ETH, clamp, 2 * clamp, 0)


@pytest.mark.parametrize("weights", [(9501, 9000), (9500, 9001), (8000, 8001), (65_535, 65_535)])
def test_bounds_of_weights(world: RuleWorld, weights: tuple[int, int]) -> None:
    feed = {"underlying": ETH, "decimals": 18, "now": world.now}
    both_refuse(
        "RuleParameters_WeightsOutOfBounds",
        weights,
        lambda: world.engine.setAsset(WETH, *weights),
        lambda: world.rules.set_asset(WETH, *weights, **feed),
    )


@pytest.mark.parametrize("seconds", [0, DAY - 1, 30 * DAY + 1])
def test_bounds_of_the_ramp_time(world: RuleWorld, seconds: int) -> None:
    both_refuse(
        "RampTime_OutOfBounds",
        (seconds, DAY, 30 * DAY),
        lambda: world.engine.setRampTime(seconds),
        lambda: world.rules.set_ramp_time(seconds),
    )
    for allowed in (DAY, 30 * DAY):
        world.engine.setRampTime(allowed)
        assert world.engine.rampTime() == allowed


def test_a_stranger_sets_nothing(world: RuleWorld) -> None:
    stranger = world.evm.actor("stranger")
    for call in (
        lambda: world.engine.setPerp(ETH, 500, 1000, 0, sender=stranger),
        lambda: world.engine.setAsset(WETH, 0, 0, sender=stranger),
        lambda: world.engine.setRampTime(DAY, sender=stranger),
    ):
        with pytest.raises(Reverted, match="AccessManagedUnauthorized"):
            call()


def test_parameters_are_told_as_they_were_set(world: RuleWorld) -> None:
    assert world.engine.rampTime() == bounds.RAMP_TIME
    world.set_perp(ETH, 600, 1100, 7)
    (log,) = world.evm.logs
    assert log.name == "PerpRuleSet"
    assert PerpRule.decode(log.args["rule"]) == world.rules.perp(ETH)
    assert world.engine.perpTargets(ETH) == (600, 1100, 7)
    world.set_asset(WBTC, 10, 5)
    (log,) = world.evm.logs
    assert log.name == "AssetRuleSet"
    assert AssetRule.decode(log.args["rule"]) == world.rules.asset(WBTC)
    assert world.engine.assetRule(WBTC)[2:] == (BTC, 8, True)
    assert world.engine.assetTargets(WBTC) == (10, 5)
    world.set_ramp_time(2 * DAY)
    assert [(one.name, one.args) for one in world.evm.logs] == [
        ("RampTimeSet", {"rampTime": 2 * DAY})
    ]


# ---- Ramps ------------------------------------------------------------------------------------


def maintenance(world: RuleWorld) -> int:
    """MM of one ether perpetual in 1e-4 of its value, and of one ether of collateral."""
    world.price(ETH, fresh(world.now, 2000))
    margin = world.assess(0, [perp(ETH, WAD)])
    assert margin == world.mirrored(0, [perp(ETH, WAD)])
    return margin.maintenance * 10_000 // (2000 * WAD)


def lent(world: RuleWorld) -> int:
    """What MM leaves of one ether, in 1e-4 of its value."""
    world.price(ETH, fresh(world.now, 2000))
    words = [Collateral(WETH, WAD).encode()]
    margin = world.assess(0, words)
    assert margin == world.mirrored(0, words)
    return 10_000 - margin.maintenance * 10_000 // margin.equity


def test_first_parameters_hold_at_once(world: RuleWorld) -> None:
    assert maintenance(world) == PERPS[ETH][0]
    assert lent(world) == WEIGHTS[WETH][0]


@pytest.mark.parametrize("target", [1100, 200])
def test_a_rate_moves_linearly_up_and_down(world: RuleWorld, target: int) -> None:
    world.set_perp(ETH, target, 2 * target, 1000)
    assert maintenance(world) == 500, "nothing jumps"
    world.evm.time += DAY
    assert maintenance(world) == 500 + (target - 500) // 3
    world.evm.time += DAY
    assert maintenance(world) == 500 + (target - 500) * 2 // 3
    world.evm.time += DAY
    assert maintenance(world) == target
    world.evm.time += 100 * DAY
    assert maintenance(world) == target


@pytest.mark.parametrize("target", [9100, 100])
def test_a_weight_moves_linearly_up_and_down(world: RuleWorld, target: int) -> None:
    world.set_asset(WETH, target, target // 2)
    assert lent(world) == 8500
    world.evm.time += DAY
    assert lent(world) == 8500 + (target - 8500) // 3
    world.evm.time += 2 * DAY
    assert lent(world) == target


def test_a_change_midway_begins_where_the_other_is(world: RuleWorld) -> None:
    world.set_perp(ETH, 1100, 2200, 1000)
    world.evm.time += DAY
    world.set_perp(ETH, 100, 300, 1000)
    assert maintenance(world) == 700
    world.evm.time += 3 * DAY // 2
    assert maintenance(world) == 400
    world.evm.time += 3 * DAY // 2
    assert maintenance(world) == 100


def test_a_new_ramp_time_leaves_ramps_under_way_alone(world: RuleWorld) -> None:
    world.set_perp(ETH, 1100, 2200, 1000)
    world.set_ramp_time(DAY)
    world.evm.time += DAY
    assert maintenance(world) == 700
    world.set_perp(ETH, 200, 2200, 1000)
    world.evm.time += DAY
    assert maintenance(world) == 200


def test_setting_the_same_again_changes_nothing(world: RuleWorld) -> None:
    world.set_perp(ETH, 1100, 2200, 1000)
    world.set_asset(WETH, 100, 50)
    world.evm.time += DAY
    before = world.engine.perpRule(ETH), world.engine.assetRule(WETH)
    world.set_perp(ETH, 1100, 2200, 1000)
    world.set_asset(WETH, 100, 50)
    assert (world.engine.perpRule(ETH), world.engine.assetRule(WETH)) == before


def test_a_depth_counts_at_once_and_leaves_the_ramps(world: RuleWorld) -> None:
    world.set_perp(ETH, 1100, 2200, 1000)
    world.set_open_interest(ETH, 1000 * WAD)
    world.evm.time += DAY
    ramps = world.engine.perpRule(ETH)[:2]
    world.set_perp(ETH, 1100, 2200, 500)
    assert world.engine.perpRule(ETH) == (*ramps, 500)
    world.price(ETH, fresh(world.now, 2000))
    assert world.assess(0, [perp(ETH, WAD)]).initial == 2 * 2000 * WAD * 14 // 100


@pytest.mark.parametrize("other", [False, True])
def test_new_collateral_of_an_engine_in_use_begins_by_lending_nothing(
    world: RuleWorld, other: bool
) -> None:
    asset = 5
    world.board.setEngine(world.board if other else world.engine)
    world.rules.selectable = not other
    world.board.setAsset(asset, 18, ETH)
    given = {"underlying": ETH, "decimals": 18, "now": world.now}
    world.rules.set_asset(asset, 9000, 6000, **given)
    world.engine.setAsset(asset, 9000, 6000)
    for expected in 3 * [9000] if other else [0, 3000, 6000]:
        assert AssetRule.decode(world.engine.assetRule(asset)) == world.rules.asset(asset)
        assert world.rules.asset(asset).maintenance.at_down(world.now) == expected * 10**4
        world.evm.time += DAY


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 5 * DAY),
        st.integers(1, 5000),
        st.integers(0, 5000),
        st.sampled_from([DAY, 3 * DAY, 30 * DAY]),
    ),
    max_size=8,
)


@settings(SHARED, max_examples=200)
@given(changes=CHANGES, moments=st.lists(st.integers(0, 40 * DAY), max_size=10))
def test_no_sequence_of_changes_makes_a_jump_or_turns_the_order(
    changes: list[tuple[int, int, int, int]], moments: list[int]
) -> None:
    now, rules = GENESIS, Rules()
    rules.set_perp(ETH, 500, 1000, 0, now=now)
    rules.set_asset(WETH, 8500, 7500, underlying=ETH, decimals=18, now=now)
    for wait, low, more, time in changes:
        now += wait
        rules.ramp_time = time
        old, asset = rules.perp(ETH), rules.asset(WETH)
        rules.set_perp(ETH, low, low + more, 0, now=now)
        high = min(9500, low + more)
        rules.set_asset(WETH, high, min(low, high), underlying=ETH, decimals=18, now=now)
        new, weights = rules.perp(ETH), rules.asset(WETH)
        for one, other in ((old.maintenance, new.maintenance), (old.initial, new.initial)):
            assert -(10**4) <= other.at_up(now) - one.at_up(now) <= 0, "no tighter"
        for one, other in (
            (asset.maintenance, weights.maintenance),
            (asset.initial, weights.initial),
        ):
            assert 0 <= other.at_down(now) - one.at_down(now) <= 10**4
        for later in moments:
            assert new.maintenance.at_up(now + later) <= new.initial.at_up(now + later)
            assert weights.maintenance.at_down(now + later) >= weights.initial.at_down(now + later)


@given(word=st.integers(0, 2**96 - 1))
def test_a_ramp_is_its_word(word: int) -> None:
    assert Ramp.decode(word).encode() == word


# ---- In the whole system ----------------------------------------------------------------------

RULE = 1


@pytest.fixture
def system() -> TwoEngineWorld:
    world = TwoEngineWorld()
    world.fund(world.account("maker"), 10_000_000)
    return world


@pytest.fixture
def trader(system: TwoEngineWorld) -> AccountId:
    """Long 10 at 2,000 with 2,100 of cash: a tenth, which the scenarios would not allow."""
    account = system.account("trader")
    system.select_engine(account, RULE)
    system.fund(account, 2100)
    system.trade(account, system.account("maker"), 10)
    return account


def fall(world: TwoEngineWorld, price: float) -> None:
    world.set_price(clearing.ETH, price)
    world.set_price(clearing.BTC, 50_000)


def test_accounts_of_both_engines_trade(system: TwoEngineWorld, trader: AccountId) -> None:
    margin = system.margin(trader)
    assert (margin.initial, margin.maintenance) == (2000 * WAD, 1000 * WAD)
    system.compare_margins(trader, system.account("maker"))
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        system.trade(trader, system.account("maker"), 1)
    other = system.account("trader", 1)
    system.fund(other, 2100)
    with refused("Clearinghouse_InsufficientMargin", other.value):
        system.trade(other, system.account("maker"), 10)


def test_an_account_that_changes_meets_the_new_initial_margin(system: TwoEngineWorld) -> None:
    hedged = system.account("trader", 2)
    system.fund(hedged, weth=10)
    system.trade(hedged, system.account("maker"), -10)
    system.withdraw(hedged, clearing.CASH, 14_000 * 10**6)
    before = system.margin(hedged)
    assert before.equity >= before.initial
    required = units(10 * 2000 * 0.25 + 10 * 2000 * 0.1)
    with reverts("Clearinghouse_InsufficientMargin", hedged.value, before.equity, required):
        system.select_engine(hedged, RULE)
    system.fund(hedged, 1001)
    system.select_engine(hedged, RULE)
    assert system.margin(hedged).initial == required
    system.compare_margins(hedged)
    system.select_engine(hedged, 0)
    assert system.margin(hedged).initial == before.initial


def test_back_to_the_scenarios_needs_their_initial_margin(
    system: TwoEngineWorld, trader: AccountId
) -> None:
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        system.select_engine(trader, 0)


def test_liquidated_by_an_account_of_the_other_engine(
    system: TwoEngineWorld, trader: AccountId
) -> None:
    keeper = system.account("liquidator")
    system.fund(keeper, 100_000)
    fall(system, 1900)
    with refused("Liquidator_Healthy", trader.value):
        system.liquidate(trader, keeper)
    fall(system, 1870)
    before = system.margin(trader)
    assert 0 < before.equity < before.maintenance
    deal = system.liquidate(trader, keeper)
    assert 0 < deal.fraction < WAD
    assert deal.reward > 0
    after = system.margin(trader)
    health = after.equity * WAD // after.maintenance
    assert health == pytest.approx(1.2 * WAD, rel=1e-9), "[I4] β of the account's own engine"
    assert after.equity * before.maintenance >= before.equity * after.maintenance, "I4"
    assert system.house.engineOf(keeper) == 0
    system.compare_margins(trader, keeper, system.account("maker"))


def test_who_takes_a_slice_is_assessed_by_its_own_engine(
    system: TwoEngineWorld, trader: AccountId
) -> None:
    """IM of the slice by the giver's engine says nothing of what the receiver's asks for."""
    fall(system, 1820)
    poor, likewise = system.account("liquidator"), system.account("liquidator", 1)
    system.select_engine(likewise, RULE)
    for account in (poor, likewise):
        system.fund(account, 3500)
    checkpoint, saved = system.evm.snapshot(), system.model.state.saved()
    with refused("Clearinghouse_InsufficientMargin", poor.value):
        system.liquidate(trader, poor)
    system.evm.revert(checkpoint)
    system.model.state.restore(saved)
    system.liquidate(trader, likewise)
    margin = system.margin(likewise)
    assert margin.equity >= margin.initial
    system.compare_margins(trader, likewise)


def test_any_witness_liquidates_alike(system: TwoEngineWorld, trader: AccountId) -> None:
    keeper = system.account("liquidator")
    system.fund(keeper, 100_000)
    fall(system, 1870)
    checkpoint, saved = system.evm.snapshot(), system.model.state.saved()
    whole = system.liquidate(trader, keeper)
    for witness in (1, 17, 24, 2**200):
        system.evm.revert(checkpoint)
        system.model.state.restore(saved)
        saved = system.model.state.saved()
        assert system.liquidate(trader, keeper, witness=witness) == whole


def test_open_interest_of_the_market_counts_and_never_liquidates() -> None:
    system = TwoEngineWorld(depth=20)
    trader, maker = system.account("trader"), system.account("maker")
    system.fund(maker, 10_000_000)
    system.fund(trader, 4500)
    system.select_engine(trader, RULE)
    system.trade(trader, maker, 10)
    calm = system.margin(trader)
    crowd = system.account("crowd")
    system.fund(crowd, 1_000_000)
    system.trade(crowd, maker, 20)
    crowded = system.margin(trader)
    assert crowded.initial == calm.initial * 3 // 2
    assert crowded.maintenance == calm.maintenance
    system.compare_margins(trader)
    system.trade(trader, maker, 1)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        system.trade(trader, maker, 10)
    system.trade(trader, maker, -11)
    assert system.words_of(trader) == []


def test_a_change_of_rates_liquidates_nobody_overnight(
    system: TwoEngineWorld, trader: AccountId
) -> None:
    system.rule.setPerp(clearing.ETH, 2000, 4000, 0)
    system.rules.set_perp(clearing.ETH, 2000, 4000, 0, now=system.now, premium_clamp=100)
    fall(system, 2000)
    margin = system.margin(trader)
    assert margin.equity > margin.maintenance * 2
    system.advance(DAY)
    fall(system, 2000)
    margin = system.margin(trader)
    assert margin.equity > margin.maintenance
    system.compare_margins(trader)
    system.advance(2 * DAY)
    fall(system, 2000)
    margin = system.margin(trader)
    assert margin.equity < margin.maintenance == pytest.approx(4000 * WAD)
    keeper = system.account("liquidator")
    system.fund(keeper, 100_000)
    system.liquidate(trader, keeper)
    system.compare_margins(trader, keeper)
