"""The engine against its integer mirror, against the formulas, and against every refusal."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import MAX_PRICE, Collateral, Instrument, Option, Perp, Snapshot
from ballast.model.refusal import Refused
from ballast.risk import joint_scenario as mirror
from ballast.risk.parameters import Parameters, UnderlyingRisk
from ballast.risk.scenarios import COLUMNS, RATIO, TAILS
from ballast.risk.staleness import widening_at
from ballast.units import WAD, div_ceil
from tests.support.revm import GENESIS, reverts
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    DOLLAR,
    ETH,
    PARAMETERS,
    STABLE,
    STAKED_ETH,
    WBTC,
    WETH,
    RiskWorld,
    books,
    fresh,
    markets,
)

SHARED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PURE = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def shared() -> RiskWorld:
    """A world whose prices each example sets anew."""
    return RiskWorld()


@pytest.fixture
def world() -> RiskWorld:
    world = RiskWorld()
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        world.price(underlying, fresh(world.now, price))
    return world


def perp(underlying: int, size: int, quote: int = 0) -> int:
    return Perp(underlying, size, quote).encode()


def assess(words: list[int], prices: dict[int, Snapshot], cash: int = 0) -> mirror.Assessment:
    return mirror.assess(cash, words, prices.__getitem__, PARAMETERS, GENESIS)


# ---- Contract and mirror ----------------------------------------------------------------------


@SHARED
@given(cash=CASH, words=books(), prices=markets(GENESIS))
def test_mirror_to_the_wei(
    shared: RiskWorld, cash: int, words: list[int], prices: dict[int, Snapshot]
) -> None:
    for underlying, snapshot in prices.items():
        shared.price(underlying, snapshot)
    assert shared.assess(cash, words) == mirror.assess(*shared.given(cash, words)).margin


@settings(SHARED, max_examples=40)
@given(cash=CASH, words=books(), prices=markets(GENESIS))
def test_mirror_of_every_witness(
    shared: RiskWorld, cash: int, words: list[int], prices: dict[int, Snapshot]
) -> None:
    for underlying, snapshot in prices.items():
        shared.price(underlying, snapshot)
    for column in range(COLUMNS):
        expected = mirror.witness(*shared.given(cash, words), column=column)
        assert shared.assess(cash, words, 1 + column) == expected


@settings(SHARED, max_examples=60)
@given(
    cash=CASH,
    words=books(),
    prices=markets(GENESIS),
    moved=st.tuples(
        st.sampled_from([ETH, BTC, COIN, DOLLAR]),
        st.one_of(st.integers(0, 10**24), st.sampled_from([MAX_PRICE, 10**6 - 1])),
    ),
)
def test_mirror_at_another_price(
    shared: RiskWorld,
    cash: int,
    words: list[int],
    prices: dict[int, Snapshot],
    moved: tuple[int, int],
) -> None:
    underlying, spot = moved
    for name, snapshot in prices.items():
        shared.price(name, snapshot)
    expected = mirror.assess_at(*shared.given(cash, words), underlying=underlying, spot=spot)
    assert shared.assess_at(cash, words, underlying, spot) == expected.margin


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("late", [0, 2**31])
def test_the_greatest_account_does_not_overflow(sign: int, late: int) -> None:
    world = RiskWorld()
    world.evm.time += late
    huge = {
        "price": MAX_PRICE,
        "stable": 0 if sign > 0 else MAX_PRICE,
        "confidence": 4095 * 10**13,
        "range_maintenance": 8191 * 10**14,
        "range_initial": 8191 * 10**14,
        "premium": 2**21 - 1,
        "time": GENESIS,
    }
    for underlying in (ETH, BTC, COIN, DOLLAR):
        world.price(underlying, Snapshot(**huge))
    size = 2**103 - 1 if sign > 0 else -(2**103)
    perps = [perp(name, size, sign * 2**126) for name in (ETH, BTC, COIN)] * 11
    caps = ((WETH, 18), (STAKED_ETH, 18), (WBTC, 8), (STABLE, 6))
    collateral = [
        Collateral(asset, min(2**128 - 1, 2**72 * 10**decimals)).encode()
        for asset, decimals in caps
    ]
    words = (perps + collateral * 8)[:64]
    assert world.assess(0, words) == mirror.assess(*world.given(0, words)).margin


# ---- The formulas, in exact fractions ---------------------------------------------------------


def by_the_formulas(words: list[int], prices: dict[int, Snapshot]) -> tuple[Fraction, Fraction]:
    """MM and IM of fresh accounts as the specification writes them: all nodes, all tails."""
    book = mirror.read(words, prices.__getitem__, PARAMETERS, GENESIS)
    money: dict[int, Fraction] = {}
    add_on = {"mm": Fraction(0), "im": Fraction(0)}
    for word in words:
        held = mirror.read([word], prices.__getitem__, PARAMETERS, GENESIS).exposures[0]
        u, snapshot = held.underlying, prices[held.underlying]
        units = Fraction(held.units, WAD)
        is_perp = word >> 248 == 1
        price = Fraction(snapshot.mark if is_perp else snapshot.price)
        money[u] = money.get(u, Fraction(0)) + units * price
        if is_perp:
            rates = held.risk.perp_maintenance, held.risk.perp_initial
        else:
            asset = PARAMETERS.assets[word >> 232 & 0xFFFF]
            rates = asset.haircut, asset.haircut + asset.extra_haircut
        add_on["mm"] += abs(units) * price * rates[0] / 10_000
        add_on["im"] += abs(units) * price * rates[1] / 10_000
    for exposure in book.exposures:
        units, snapshot = Fraction(exposure.units, WAD), exposure.snapshot
        add_on["im"] += abs(units) * snapshot.price * Fraction(snapshot.confidence, WAD)
        add_on["im"] += max(Fraction(0), units * (snapshot.price - snapshot.stable))

    def worst(ranges: dict[int, Fraction]) -> Fraction:
        nodes = [Fraction(j, 4) for j in range(-4, 5)]
        tails = [Fraction(tail, RATIO) for tail in TAILS]

        def weighted(tail: Fraction, u: int) -> Fraction:
            return tail * min(Fraction(1), Fraction(9, 10) * ranges[u] / abs(tail))

        same = max(-sum(x * j * ranges[u] for u, x in money.items()) for j in nodes)
        tail = max(-sum(x * weighted(t, u) for u, x in money.items()) for t in tails)
        broken = Fraction(0)
        for u, x in money.items():
            kappa = Fraction(PARAMETERS.underlyings[u].kappa_quarters, 4)
            near = max(-x * j * ranges[u] for j in nodes if abs(j) <= kappa)
            core = max(-x * j * ranges[u] for j in nodes)
            far = max(-x * weighted(t, u) for t in tails)
            broken += max(near, kappa * max(core, far))
        return max(Fraction(0), same, tail, broken)

    ranges_mm = {e.underlying: Fraction(e.range_maintenance, RATIO) for e in book.exposures}
    ranges_im = {e.underlying: Fraction(e.range_initial, RATIO) for e in book.exposures}
    maintenance = Fraction(4, 5) * worst(ranges_mm) + add_on["mm"]
    return maintenance, max(worst(ranges_im) + add_on["im"], maintenance)


@PURE
@given(words=books(), prices=markets(GENESIS))
def test_requirements_are_the_formulas_rounded_up(
    words: list[int], prices: dict[int, Snapshot]
) -> None:
    margin = assess(words, prices).margin
    exact = by_the_formulas(words, prices)
    for built, wanted in zip((margin.maintenance, margin.initial), exact, strict=True):
        assert 0 <= built - wanted <= 2 * len(words) + 12


# ---- Invariants -------------------------------------------------------------------------------


@PURE
@given(words=books(), prices=markets(GENESIS))
def test_invariant_5_initial_covers_maintenance(
    words: list[int], prices: dict[int, Snapshot]
) -> None:
    margin = assess(words, prices).margin
    assert margin.initial >= margin.maintenance >= 0, "5: IM ≥ MM ≥ 0"


@PURE
@given(
    held=st.lists(
        st.tuples(st.sampled_from([ETH, BTC, COIN]), st.integers(-(10**22), 10**22)), max_size=6
    ),
    stock=st.integers(0, 10**22),
    factor=st.integers(2, 1000),
    prices=markets(GENESIS),
)
def test_invariant_5_homogeneous(
    held: list[tuple[int, int]], stock: int, factor: int, prices: dict[int, Snapshot]
) -> None:
    def scaled(k: int) -> list[int]:
        words = [perp(underlying, k * size) for underlying, size in held]
        return [*words, Collateral(STAKED_ETH, k * stock).encode()]

    once, often = assess(scaled(1), prices).margin, assess(scaled(factor), prices).margin
    slack = factor * (2 * len(held) + 14)
    message = "5: margin(k·p) = k·margin(p)"
    assert abs(often.maintenance - factor * once.maintenance) <= slack, message
    assert abs(often.initial - factor * once.initial) <= slack, message


@PURE
@given(first=books(6), second=books(6), prices=markets(GENESIS))
def test_invariant_5_sub_additive(
    first: list[int], second: list[int], prices: dict[int, Snapshot]
) -> None:
    a, b = assess(first, prices).margin, assess(second, prices).margin
    both = assess(first + second, prices).margin
    slack = len(first) + len(second)
    message = "5: margin(a + b) ≤ margin(a) + margin(b)"
    assert both.maintenance <= a.maintenance + b.maintenance + slack, message
    assert both.initial <= a.initial + b.initial + slack, message


@PURE
@given(words=books(), prices=markets(GENESIS))
def test_invariant_6_no_witness_exceeds_the_maximum(
    words: list[int], prices: dict[int, Snapshot]
) -> None:
    question = (0, words, prices.__getitem__, PARAMETERS, GENESIS)
    full = mirror.assess(*question)
    columns = [mirror.witness(*question, column=c).maintenance for c in range(COLUMNS)]
    assert max(columns) <= full.margin.maintenance, "6: witness ≤ MM"
    losses = full.losses_maintenance
    if losses.worst > losses.broken:
        assert max(columns) == full.margin.maintenance, "some column is the binding one"


@PURE
@given(words=books(), prices=markets(GENESIS))
def test_tails_never_bind_while_ranges_are_narrow(
    words: list[int], prices: dict[int, Snapshot]
) -> None:
    full = assess(words, prices)
    widest = [max(e.range_maintenance, e.range_initial) for e in full.book.exposures]
    if max(widest, default=0) <= 36_666_666:
        for losses in (full.losses_maintenance, full.losses_initial):
            assert losses.tail <= max(losses.same, losses.broken)


@PURE
@given(words=books(), prices=markets(GENESIS), amount=st.integers(0, 10**24))
def test_invariant_5_collateral_given_for_nothing_never_hurts(
    words: list[int], prices: dict[int, Snapshot], amount: int
) -> None:
    """Being given collateral never lowers E − IM, while its stable price is its price."""
    level = {u: Snapshot(**{**fields(s), "stable": s.price}) for u, s in prices.items()}
    quiet = {u: Snapshot(**{**fields(s), "confidence": 0}) for u, s in level.items()}
    before = assess(words, quiet).margin
    after = assess([*words, Collateral(STAKED_ETH, amount).encode()], quiet).margin
    assert after.equity - after.initial >= before.equity - before.initial - 20
    assert after.equity - after.maintenance >= before.equity - before.maintenance - 20


def fields(snapshot: Snapshot) -> dict[str, int]:
    return {name: getattr(snapshot, name) for name in snapshot.__slots__}


# ---- Conformance and worked examples ----------------------------------------------------------


@pytest.mark.parametrize("size", [WAD, -WAD])
def test_one_future_requires_its_scan_range(world: RiskWorld, size: int) -> None:
    """As in SPAN: the requirement of one future is scan range × notional, here plus add-ons."""
    margin = world.assess(0, [perp(ETH, size)])
    assert margin.initial == 2000 * WAD * 22 // 100 + 2000 * WAD * 2 // 100
    assert margin.maintenance == 2000 * WAD * 22 // 100 * 4 // 5 + 2000 * WAD // 100
    assert margin.perp_notional == 2000 * WAD
    assert margin.fresh


def test_collateral_hedges_the_opposite_perpetual(world: RiskWorld) -> None:
    margin = world.assess(0, [Collateral(WETH, WAD).encode(), perp(ETH, -WAD, 2000 * WAD)])
    assert margin.equity == 2000 * WAD
    assert margin.maintenance == 20 * WAD, "no scenario loses: only the perpetual's add-on is left"


def test_collateral_hurts_beside_the_same_perpetual(world: RiskWorld) -> None:
    alone = world.assess(0, [perp(ETH, WAD)])
    beside = world.assess(0, [perp(ETH, WAD), Collateral(WETH, WAD).encode()])
    assert beside.initial - alone.initial == 2000 * WAD * 22 // 100


def test_opposite_underlyings_keep_kappa_of_each(world: RiskWorld) -> None:
    words = [perp(ETH, 25 * WAD), perp(BTC, -WAD)]
    margin = world.assess(0, words)
    kept = 2 * (50_000 * WAD * 22 // 100) // 2
    assert margin.initial == kept + 100_000 * WAD * 2 // 100


def test_a_stale_price_widens_the_range_up_to_the_cap(world: RiskWorld) -> None:
    words = [perp(ETH, WAD)]
    world.evm.time += 3 * 4 * 3600
    margin = world.assess(0, words)
    assert not margin.fresh
    assert margin.initial == 2000 * WAD * 44 // 100 + 40 * WAD, "√(1 + 12/4) = 2"
    world.evm.time += 10**8
    assert world.assess(0, words).initial == 2000 * WAD * 60 // 100 + 40 * WAD


def test_age_does_not_widen_the_maintenance_margin(world: RiskWorld) -> None:
    """Or a dead feed would liquidate healthy accounts by its silence."""
    calm = world.assess(0, [perp(ETH, WAD)])
    world.evm.time += 10**6
    assert world.assess(0, [perp(ETH, WAD)]).maintenance == calm.maintenance


@pytest.mark.parametrize(
    ("minutes", "credit"), [(0, 0), (12, 22), (60, 110), (61, 0), (240, 0), (10**6, 0)]
)
@pytest.mark.parametrize("side", [1, -1])
def test_what_a_stale_price_is_worth_in_a_liquidation(
    world: RiskWorld, minutes: int, credit: int, side: int
) -> None:
    """R·age/4 h of the exposure, in its favour, and nothing after an hour."""
    world.price(ETH, fresh(world.now, 2000, wide=True))
    world.evm.time += 60 * minutes
    words = [perp(ETH, side * WAD)]
    margin = world.assess(0, words)
    assert (margin.credit, margin.fresh) == (credit * WAD, False)
    assert world.assess(0, words, mode=1).credit == margin.credit
    assert margin.credit <= margin.maintenance, "at most its own part of MM"


def test_only_prices_that_are_not_fresh_are_credited(world: RiskWorld) -> None:
    both = [perp(ETH, WAD), perp(BTC, -WAD)]
    world.evm.time += 600
    assert world.assess(0, both).credit == 0
    world.price(BTC, fresh(world.now - 3600, 50_000, suspect=True))
    assert world.assess(0, both).credit == 50_000 * WAD * 22 // 100 // 4
    hedged = [perp(BTC, -WAD), Collateral(WBTC, 10**8).encode()]
    assert world.assess(0, hedged).credit == 0, "of what is left of an exposure"


def test_a_feed_that_is_fresh_for_longer_than_an_hour_is_never_credited(world: RiskWorld) -> None:
    world.price(ETH, fresh(world.now, 2000, max_age=86_400))
    for _ in range(30):
        world.evm.time += 3600
        assert world.assess(0, [perp(ETH, WAD)]).credit == 0


def test_a_suspect_price_is_not_fresh_and_not_widened_at_age_zero(world: RiskWorld) -> None:
    calm = world.assess(0, [perp(ETH, WAD)])
    world.price(ETH, fresh(world.now, 2000, suspect=True))
    held = world.assess(0, [perp(ETH, WAD)])
    assert (held.initial, held.maintenance) == (calm.initial, calm.maintenance)
    assert calm.fresh
    assert not held.fresh


def test_a_stranger_feed_does_not_matter(world: RiskWorld) -> None:
    world.price(BTC, fresh(world.now, 50_000, wide=True))
    assert world.assess(0, [perp(ETH, WAD)]).fresh


def test_a_pumped_price_lends_nothing_at_once(world: RiskWorld) -> None:
    world.price(ETH, fresh(world.now, 2200, stable=2000 * WAD))
    words = [Collateral(WETH, WAD).encode()]
    margin = world.assess(0, words)
    assert margin.initial == 2200 * WAD * 22 // 100 + 200 * WAD
    assert margin.maintenance == 2200 * WAD * 22 // 100 * 4 // 5, "MM does not know stable prices"
    world.price(ETH, fresh(world.now, 1800, stable=2000 * WAD))
    assert world.assess(0, words).initial == 1800 * WAD * 22 // 100


def test_a_wide_range_for_im_only_raises_im(world: RiskWorld) -> None:
    world.price(ETH, fresh(world.now, 2000, range_initial=40 * WAD // 100))
    margin = world.assess(0, [perp(ETH, WAD)])
    assert margin.initial == 2000 * WAD * 40 // 100 + 40 * WAD
    assert margin.maintenance == 2000 * WAD * 22 // 100 * 4 // 5 + 20 * WAD


def test_initial_is_maintenance_where_a_hedge_cancels_in_the_wider_ranges_only() -> None:
    world = RiskWorld(Parameters({ETH: UnderlyingRisk(1, 0, 0), BTC: UnderlyingRisk(1, 0, 0)}))
    world.price(ETH, fresh(world.now, 1000, range_initial=11 * WAD // 100))
    world.price(BTC, fresh(world.now, 1000, range_maintenance=11 * WAD // 100))
    world.price(BTC, fresh(world.now, 1000, range_maintenance=0, range_initial=11 * WAD // 100))
    margin = world.assess(0, [perp(ETH, WAD), perp(BTC, -WAD)])
    assert margin.maintenance == 1000 * WAD * 22 // 100 * 4 // 5
    assert margin.initial == margin.maintenance, "W + A alone would be κ × 2 × 11 %"


def test_a_witness_names_the_end_that_binds(world: RiskWorld) -> None:
    words = [perp(ETH, WAD)]
    full = world.assess(0, words)
    assert world.assess(0, words, 1 + 0).maintenance == full.maintenance
    assert world.assess(0, words, 1 + 17).maintenance == 20 * WAD, "a gain leaves the add-on"
    assert world.assess(0, words, 1 + 0).initial == 0
    assert world.assess(7, words, 1).equity == world.assess(7, words).equity


def test_the_widening_is_a_root_rounded_up() -> None:
    assert widening_at(0) == RATIO
    assert widening_at(4 * 3600) == isqrt(2 * RATIO**2) + 1
    assert widening_at(12 * 3600) == 2 * RATIO


def test_terms_of_liquidation(world: RiskWorld) -> None:
    terms = mirror.liquidation_terms()
    assert tuple(world.engine.liquidationTerms()) == (
        terms.target_health,
        terms.discount_min,
        terms.discount_max,
        terms.discount_max_health,
    )


def test_an_empty_account_needs_nothing(world: RiskWorld) -> None:
    margin = world.assess(-5, [])
    assert margin == mirror.assess(*world.given(-5, [])).margin
    assert (margin.equity, margin.initial, margin.maintenance, margin.fresh) == (-5, 0, 0, True)


# ---- Refusals ---------------------------------------------------------------------------------


def refused_alike(world: RiskWorld, words: list[int], name: str, *values: int) -> None:
    with reverts(name, *values):
        world.assess(0, words)
    with pytest.raises(Refused) as refusal:
        mirror.assess(*world.given(0, words))
    assert (refusal.value.name, refusal.value.values) == (name, values)


def test_an_option_whose_volatility_was_never_published(world: RiskWorld) -> None:
    word = Option(ETH, world.now + 86_400, 2000 * WAD, False, WAD).encode()
    expiry = world.now + 86_400
    refused_alike(world, [word], "JointScenarioEngine_SliceNeverPublished", ETH, expiry)


@pytest.mark.parametrize("word", [0, 4 << 248, 255 << 248])
def test_a_word_that_is_no_position(world: RiskWorld, word: int) -> None:
    refused_alike(world, [word], "JointScenarioEngine_UnknownKind", word)


def test_more_words_than_an_account_holds(world: RiskWorld) -> None:
    words = [perp(ETH, WAD)] * 65
    refused_alike(world, words, "JointScenarioEngine_TooManyWords", 65, 64)
    world.assess(0, words[:64])


def test_a_price_that_was_never_accepted(world: RiskWorld) -> None:
    world.price(ETH, Snapshot())
    refused_alike(world, [perp(ETH, WAD)], "JointScenarioEngine_PriceNeverAccepted", ETH)


def test_an_underlying_without_parameters(world: RiskWorld) -> None:
    world.price(9, fresh(world.now, 1))
    refused_alike(world, [perp(9, WAD)], "RiskParameters_UnknownUnderlying", 9)
    with reverts("RiskParameters_UnknownUnderlying", 9):
        world.engine.underlyingRisk(9)


def test_an_asset_without_parameters(world: RiskWorld) -> None:
    word = Collateral(9, 1).encode()
    refused_alike(world, [word], "RiskParameters_UnknownAsset", 9)
    with reverts("RiskParameters_UnknownAsset", 9):
        world.engine.assetRisk(9)


@pytest.mark.parametrize("column", [23, 2**200])
def test_a_witness_without_a_name(world: RiskWorld, column: int) -> None:
    with reverts("JointScenarioEngine_UnknownScenario", column):
        world.assess(0, [perp(ETH, WAD)], 1 + column)
    with pytest.raises(Refused, match="JointScenarioEngine_UnknownScenario"):
        mirror.witness(*world.given(0, [perp(ETH, WAD)]), column=column)


def test_a_spot_that_no_snapshot_holds(world: RiskWorld) -> None:
    with reverts("JointScenarioEngine_SpotOutOfRange", MAX_PRICE + 1, MAX_PRICE):
        world.assess_at(0, [perp(ETH, WAD)], ETH, MAX_PRICE + 1)
    with pytest.raises(Refused, match="JointScenarioEngine_SpotOutOfRange"):
        mirror.assess_at(*world.given(0, []), underlying=ETH, spot=MAX_PRICE + 1)


def test_the_price_zero_is_a_price_to_assess_at(world: RiskWorld) -> None:
    margin = world.assess_at(0, [perp(ETH, WAD, -5)], ETH, 0)
    assert (margin.equity, margin.perp_notional) == (-5, 0)


def test_the_instrument_of_a_word_is_not_its_quantity() -> None:
    assert Perp(ETH, 1, 2).instrument == Instrument.perp(ETH)


def test_the_add_on_of_a_word_rounds_once(world: RiskWorld) -> None:
    margin = world.assess(0, [perp(ETH, 1)])
    gross = div_ceil(2000, 1)
    assert margin.perp_notional == gross
    assert margin.maintenance == div_ceil(gross * 22 * 4, 500) + div_ceil(gross, 100)
