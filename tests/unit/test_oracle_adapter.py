"""How the OracleAdapter accepts, doubts and drops prices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from ballast.codec import Snapshot
from ballast.oracle.mirror import FeedConfig, Observation
from ballast.units import WAD
from tests.support.oracle import CASH, ETH, OracleWorld
from tests.support.revm import reverts

UINT256_MAX = 2**256 - 1


def usd(amount: float | int) -> int:
    return round(amount * 10**6) * 10**12


def price(world: OracleWorld, amount: float | int, age: int = 0, **more: int) -> Observation:
    return Observation(price=usd(amount), time=world.now - age, **more)


@pytest.fixture
def one() -> OracleWorld:
    """A market with one source that has printed 2,000."""
    return market(1)


@pytest.fixture
def two() -> OracleWorld:
    return market(2)


@pytest.fixture
def three() -> OracleWorld:
    return market(3)


def market(sources: int, **parameters: object) -> OracleWorld:
    world = OracleWorld(sources=sources)
    config = FeedConfig(sources=world.source_addresses, has_market=True)
    world.configure(ETH, replace(config, **parameters))
    world.refresh(ETH, *[price(world, 2000)] * sources)
    assert spot(world) == usd(2000)
    world.advance(12)
    return world


def spot(world: OracleWorld) -> int:
    return world.snapshot(ETH).price


# ---- Usable observations ----------------------------------------------------------------------


@pytest.mark.parametrize("print_", [0, 1, UINT256_MAX, 2**96, 10**26 + 1, 10**16 - 1])
def test_a_price_out_of_bounds_is_dropped(one: OracleWorld, print_: int) -> None:
    before = one.snapshot_word(ETH)
    one.refresh(ETH, Observation(price=print_, time=one.now))
    assert one.snapshot_word(ETH) == before


@pytest.mark.parametrize(("age", "taken"), [(120, True), (121, False), (-1, False), (-1000, False)])
def test_age_of_a_report(age: int, taken: bool) -> None:
    world = OracleWorld(sources=1)
    world.configure(ETH, FeedConfig(sources=world.source_addresses))
    world.refresh(ETH, price(world, 2000, age))
    assert (spot(world) != 0) == taken


@pytest.mark.parametrize(("width", "taken"), [(20.01, True), (20.010001, False), (10**50, False)])
def test_a_wide_report_is_dropped(one: OracleWorld, width: float, taken: bool) -> None:
    one.refresh(ETH, price(one, 2001, confidence=usd(width)))
    assert (spot(one) == usd(2001)) == taken


def test_fewer_sources_than_the_quorum_do_nothing() -> None:
    world = market(3, min_sources=2)
    before = world.snapshot_word(ETH)
    world.refresh(ETH, price(world, 2001))
    world.refresh(ETH, price(world, 2001), price(world, 0), price(world, 2001, age=121))
    assert world.snapshot_word(ETH) == before
    world.refresh(ETH, price(world, 2001), price(world, 0), price(world, 2001))
    assert spot(world) == usd(2001)


def test_data_beyond_the_sources_is_ignored(one: OracleWorld) -> None:
    one.refresh(ETH, price(one, 2001), price(one, 2100))
    assert spot(one) == usd(2001)


def test_an_empty_refresh_does_nothing(one: OracleWorld) -> None:
    before = one.snapshot_word(ETH)
    one.refresh(ETH)
    one.adapter.refresh([])
    assert one.snapshot_word(ETH) == before


def test_an_unknown_feed_is_refused(one: OracleWorld) -> None:
    with reverts("FeedRegistry_UnknownFeed", 99):
        one.refresh(99, price(one, 1))


# ---- Median and confidence --------------------------------------------------------------------


def test_the_median_of_three_ignores_a_liar(three: OracleWorld) -> None:
    three.refresh(ETH, price(three, 2001), price(three, 2_000_000), price(three, 2002))
    assert spot(three) == usd(2002)


def test_the_median_of_two_is_their_mean(two: OracleWorld) -> None:
    two.refresh(ETH, price(two, 2001), price(two, 2002))
    assert spot(two) == usd(2001.5)


def test_confidence_is_the_greater_of_width_and_half_the_spread(two: OracleWorld) -> None:
    two.refresh(ETH, price(two, 2000, confidence=usd(2)), price(two, 2001))
    assert two.snapshot(ETH).confidence == 100 * 10**13
    two.advance(12)
    two.refresh(ETH, price(two, 1990), price(two, 2010))
    assert two.snapshot(ETH).confidence == 500 * 10**13
    assert not two.snapshot(ETH).wide


def test_over_the_limit_the_price_is_wide_and_counts_as_stale(two: OracleWorld) -> None:
    two.refresh(ETH, price(two, 1989), price(two, 2010))
    snapshot = two.snapshot(ETH)
    assert snapshot.wide
    assert not snapshot.is_fresh(two.now)


# ---- Order of times ---------------------------------------------------------------------------


@pytest.mark.parametrize("age", [12, 13, 100])
def test_a_report_that_is_not_newer_is_ignored(one: OracleWorld, age: int) -> None:
    before = one.snapshot_word(ETH)
    one.refresh(ETH, price(one, 2010, age))
    assert one.snapshot_word(ETH) == before


def test_a_second_price_in_a_block_must_be_young(one: OracleWorld) -> None:
    one.advance(100)
    one.refresh(ETH, price(one, 2001, age=60))
    one.refresh(ETH, price(one, 2002, age=15))
    assert spot(one) == usd(2001)
    one.refresh(ETH, price(one, 2003, age=14))
    assert spot(one) == usd(2003)


def test_the_next_block_takes_an_old_report(one: OracleWorld) -> None:
    one.advance(100)
    one.refresh(ETH, price(one, 2001, age=60))
    one.advance(0)
    one.refresh(ETH, price(one, 2002, age=15))
    assert spot(one) == usd(2002)


# ---- Jumps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1000, 1 / 1000, 1.1001, 0.8999])
def test_a_jump_of_a_single_source_is_suspect(one: OracleWorld, factor: float) -> None:
    one.refresh(ETH, price(one, 2000 * factor))
    snapshot = one.snapshot(ETH)
    assert snapshot.price == usd(2000)
    assert snapshot.suspect
    assert not snapshot.is_fresh(one.now)


@pytest.mark.parametrize("to", [2200, 1800])
def test_a_move_up_to_the_limit_is_no_jump(one: OracleWorld, to: int) -> None:
    one.refresh(ETH, price(one, to))
    assert spot(one) == usd(to)


def test_two_agreeing_sources_make_a_jump(two: OracleWorld) -> None:
    two.refresh(ETH, price(two, 3000), price(two, 3010))
    assert spot(two) == usd(3005)


@pytest.mark.parametrize("lie", [2401, 1600])
def test_a_mean_that_nobody_stands_by_is_suspect(two: OracleWorld, lie: int) -> None:
    two.refresh(ETH, price(two, 2000), price(two, lie))
    assert spot(two) == usd(2000)
    assert two.snapshot(ETH).suspect


def test_two_against_two_is_suspect() -> None:
    world = market(4)
    low, high = price(world, 2000), price(world, 3000)
    world.refresh(ETH, high, low, high, low)
    assert world.snapshot(ETH).suspect


def test_a_first_price_that_sources_disagree_on_is_not_taken() -> None:
    world = OracleWorld(sources=2)
    world.configure(ETH, FeedConfig(sources=world.source_addresses))
    world.refresh(ETH, price(world, 2000), price(world, 3000))
    assert world.snapshot_word(ETH) == 0


def test_three_agreeing_reports_over_three_minutes_confirm(one: OracleWorld) -> None:
    for seconds in (0, 90, 89):
        one.advance(seconds)
        one.refresh(ETH, price(one, 3000))
        assert one.snapshot(ETH).suspect
    one.advance(1)
    one.refresh(ETH, price(one, 3000))
    assert spot(one) == usd(3000)
    assert not one.snapshot(ETH).suspect


def test_two_reports_never_confirm(one: OracleWorld) -> None:
    one.refresh(ETH, price(one, 3000))
    one.advance(5000)
    one.refresh(ETH, price(one, 3000))
    assert one.snapshot(ETH).suspect


def test_old_reports_in_one_block_do_not_confirm() -> None:
    world = market(1, source_max_age=600)
    world.advance(600)
    for age in (400, 200, 0):
        world.refresh(ETH, price(world, 3000, age))
        world.advance(0)
    assert spot(world) == usd(2000)


def test_a_report_that_disagrees_begins_the_suspicion_anew(one: OracleWorld) -> None:
    for seconds, at in ((0, 3000), (90, 3000), (100, 4000), (100, 4000)):
        one.advance(seconds)
        one.refresh(ETH, price(one, at))
    assert spot(one) == usd(2000)
    one.advance(80)
    one.refresh(ETH, price(one, 4000))
    assert spot(one) == usd(4000)


def test_a_walk_away_from_the_first_suspected_price_does_not_confirm(one: OracleWorld) -> None:
    for at in (3000, 3250, 3550, 3900):
        one.refresh(ETH, price(one, at))
        one.advance(90)
    assert spot(one) == usd(2000)


def test_a_usual_report_ends_the_suspicion(one: OracleWorld) -> None:
    one.refresh(ETH, price(one, 3000))
    one.advance(12)
    one.refresh(ETH, price(one, 2010))
    assert spot(one) == usd(2010)
    assert not one.snapshot(ETH).suspect
    one.advance(300)
    for _ in range(2):
        one.refresh(ETH, price(one, 3000))
        one.advance(100)
    assert one.snapshot(ETH).suspect


def test_a_report_older_than_the_suspected_one_cannot_end_it(one: OracleWorld) -> None:
    one.advance(60)
    one.refresh(ETH, price(one, 3000))
    one.advance(12)
    one.refresh(ETH, price(one, 2010, age=20))
    assert one.snapshot(ETH).suspect


# ---- Cash -------------------------------------------------------------------------------------


def with_cash(dollars: float) -> OracleWorld:
    world = OracleWorld(sources=1)
    config = FeedConfig(
        sources=world.source_addresses, min_price=usd(0.5), max_price=usd(2), max_age=3600
    )
    world.configure(CASH, config)
    world.configure(ETH, FeedConfig(sources=world.source_addresses))
    world.refresh(CASH, price(world, dollars))
    return world


def test_prices_are_divided_by_the_price_of_cash() -> None:
    world = with_cash(0.8)
    world.refresh(ETH, price(world, 2000))
    assert spot(world) == usd(2500)
    assert world.snapshot(CASH).price == usd(0.8)


def test_one_call_takes_cash_first_if_it_is_named_first() -> None:
    world = with_cash(1)
    world.advance(12)
    world.refresh_all((CASH, [price(world, 0.96)]), (ETH, [price(world, 2400)]))
    assert spot(world) == usd(2500)


def test_without_a_fresh_price_of_cash_nothing_is_accepted() -> None:
    world = with_cash(1)
    world.advance(3601)
    world.refresh(ETH, price(world, 2000))
    assert world.snapshot_word(ETH) == 0


def test_before_the_first_price_of_cash_nothing_is_accepted() -> None:
    world = OracleWorld(sources=1)
    config = FeedConfig(sources=world.source_addresses)
    world.configure(CASH, replace(config, min_price=usd(0.5), max_price=usd(2)))
    world.configure(ETH, config)
    world.refresh(ETH, price(world, 2000))
    assert world.snapshot_word(ETH) == 0


def test_a_depeg_of_cash_waits_like_any_jump() -> None:
    world = with_cash(1)
    world.advance(12)
    world.refresh(CASH, price(world, 0.6))
    world.refresh(ETH, price(world, 2000))
    assert world.snapshot_word(ETH) == 0


# ---- Stable price -----------------------------------------------------------------------------


def test_a_pumped_price_has_no_part_in_the_stable_price_yet(two: OracleWorld) -> None:
    two.advance(100_000)
    two.refresh(ETH, price(two, 40_000), price(two, 40_000))
    assert two.snapshot(ETH).stable == usd(2000)


def test_the_stable_price_moves_six_percent_an_hour(two: OracleWorld) -> None:
    two.refresh(ETH, price(two, 4000), price(two, 4000))
    two.advance(3600)
    two.refresh(ETH, price(two, 4000), price(two, 4000))
    assert two.snapshot(ETH).stable == usd(2120)
    two.advance(60_000)
    two.refresh(ETH, price(two, 1000), price(two, 1000))
    assert two.snapshot(ETH).stable == usd(4000)


# ---- Scan range -------------------------------------------------------------------------------


def run_path(world: OracleWorld, hours: int, deviation: float, seed: int = 1) -> list[Snapshot]:
    """A random walk of an hourly deviation, one price a quarter of an hour."""
    random, at, path = Random(seed), world.snapshot(ETH).price / WAD, []
    for _ in range(4 * hours):
        world.advance(900)
        at *= 1 + random.gauss(0, deviation / 2)
        world.refresh(ETH, *[price(world, at)] * 2)
        path.append(world.snapshot(ETH))
    return path


def test_both_ranges_start_at_their_base(two: OracleWorld) -> None:
    snapshot = two.snapshot(ETH)
    assert snapshot.range_initial == snapshot.range_maintenance == 22 * 10**16


def test_a_calm_market_comes_down_slowly_and_not_below_the_least(two: OracleWorld) -> None:
    path = run_path(two, 24 * 7, 0.003)
    assert path[95].range_initial > 18 * 10**16
    for before, after in pairwise(path):
        assert after.range_initial <= before.range_initial
    assert 8 * 10**16 <= path[-1].range_initial < 15 * 10**16


def test_a_stormy_market_raises_im_at_once_and_mm_a_point_an_hour(two: OracleWorld) -> None:
    run_path(two, 24 * 14, 0.003)
    path = run_path(two, 24, 0.04)
    assert path[-1].range_initial == 30 * 10**16
    for before, after in pairwise(path):
        assert after.range_maintenance <= before.range_maintenance + 26 * 10**14
        assert after.range_maintenance <= after.range_initial
    assert path[8].range_initial - path[8].range_maintenance > 5 * 10**16


def test_only_the_first_price_of_a_bucket_is_a_sample(two: OracleWorld) -> None:
    two.advance(900 - two.now % 900)
    two.refresh(ETH, price(two, 2000), price(two, 2000))
    word = two.adapter.scanRange(ETH)
    two.advance(899)
    two.refresh(ETH, price(two, 2150), price(two, 2150))
    assert two.adapter.scanRange(ETH) == word
    two.advance(1)
    two.refresh(ETH, price(two, 2150), price(two, 2150))
    assert two.adapter.scanRange(ETH) != word


@pytest.mark.parametrize(
    ("open_interest", "points"), [(0, 22), (100, 22), (150, 33), (200, 44), (10**9, 44)]
)
def test_concentration_raises_the_range_for_im_only(open_interest: int, points: int) -> None:
    world = market(1, depth=100)
    world.sink.setOpenInterest(open_interest * WAD)
    world.refresh(ETH, price(world, 2000))
    assert world.snapshot(ETH).range_initial == points * 10**16
    assert world.snapshot(ETH).range_maintenance == 22 * 10**16


def test_the_range_with_concentration_is_capped() -> None:
    world = market(1, depth=1, base_range_bps=5000, max_range_bps=5000)
    world.sink.setOpenInterest(100 * WAD)
    world.refresh(ETH, price(world, 2000))
    assert world.snapshot(ETH).range_initial == 60 * 10**16


# ---- Premium and funding ----------------------------------------------------------------------


def push_premium(world: OracleWorld, bid: int, ask: int, times: int = 1) -> None:
    for _ in range(times):
        world.advance(60)
        world.refresh(ETH, price(world, 2000, impact_bid=usd(bid), impact_ask=usd(ask)))


def eight_hour_rate(world: OracleWorld) -> float:
    return world.sink.rate(ETH) * 28_800 / 2000 / WAD


def test_without_samples_longs_pay_the_interest_part(one: OracleWorld) -> None:
    one.refresh(ETH, price(one, 2000))
    assert eight_hour_rate(one) == pytest.approx(1e-4)


def test_a_rich_perpetual_makes_longs_pay_and_a_cheap_one_shorts(one: OracleWorld) -> None:
    push_premium(one, 2010, 2011, times=60)
    assert one.snapshot(ETH).premium > 370_000
    assert eight_hour_rate(one) == pytest.approx(one.snapshot(ETH).premium / 1e8 - 5e-4)
    push_premium(one, 1989, 1990, times=200)
    assert one.snapshot(ETH).premium < -370_000
    assert eight_hour_rate(one) == pytest.approx(one.snapshot(ETH).premium / 1e8 + 5e-4)


def test_an_index_between_the_impact_prices_is_no_premium(one: OracleWorld) -> None:
    push_premium(one, 1990, 2010, times=5)
    assert one.snapshot(ETH).premium == 0


def test_premium_and_rate_stay_within_their_limits(one: OracleWorld) -> None:
    push_premium(one, 9000, 9001, times=400)
    assert 990_000 < one.snapshot(ETH).premium <= 10**6
    assert eight_hour_rate(one) == pytest.approx(50e-4)
    assert one.snapshot(ETH).mark <= usd(2020)


def test_a_sample_after_a_silence_weighs_a_minute(one: OracleWorld) -> None:
    one.advance(86_400)
    one.refresh(ETH, price(one, 2000, impact_bid=usd(2020), impact_ask=usd(2021)))
    assert one.snapshot(ETH).premium == pytest.approx(10**6 * (1 - 2 ** (-60 / 1800)), abs=1)


def test_a_premium_without_samples_fades(one: OracleWorld) -> None:
    push_premium(one, 2010, 2011, times=60)
    premium = one.snapshot(ETH).premium
    one.advance(1800)
    one.refresh(ETH, price(one, 2000))
    assert one.snapshot(ETH).premium == pytest.approx(premium / 2, abs=1)


def test_a_report_gives_its_sample_once(two: OracleWorld) -> None:
    sampled = price(two, 2000, impact_bid=usd(2020), impact_ask=usd(2021))
    two.refresh(ETH, sampled, price(two, 2000))
    premium = two.snapshot(ETH).premium
    two.advance(60)
    two.refresh(ETH, sampled, price(two, 2000))
    assert 0 < two.snapshot(ETH).premium < premium


@pytest.mark.parametrize(("bid", "ask"), [(0, 1900), (2100, 0), (2100, 2099), (2100, 2**128)])
def test_an_unknown_or_absurd_impact_is_no_sample(one: OracleWorld, bid: int, ask: int) -> None:
    one.refresh(ETH, price(one, 2000, impact_bid=bid * WAD, impact_ask=ask * WAD))
    assert one.snapshot(ETH).premium == 0


def test_a_feed_without_a_market_calls_nobody() -> None:
    world = market(1, has_market=False)
    push_premium(world, 2010, 2011)
    assert world.sink.calls() == 0
    assert world.snapshot(ETH).premium == 0


def test_a_locked_clearinghouse_keeps_the_price_as_it_is(one: OracleWorld) -> None:
    before = one.snapshot_word(ETH)
    one.sink.setLocked(True)
    with reverts("OracleAdapter_Locked"):
        one.refresh(ETH, price(one, 2001))
    assert one.snapshot_word(ETH) == before


def test_many_snapshots_in_one_call(one: OracleWorld) -> None:
    assert list(one.adapter.snapshots([9, ETH, ETH])) == [0, *[one.snapshot_word(ETH)] * 2]


# ---- Events -----------------------------------------------------------------------------------


def events(world: OracleWorld) -> dict[str, dict]:
    return {log.name: log.args for log in world.evm.logs}


def test_events_carry_the_words(two: OracleWorld) -> None:
    two.advance(900)
    two.refresh(ETH, price(two, 2001), price(two, 2001))
    seen = events(two)
    assert seen["PriceAccepted"]["snapshot"] == two.snapshot_word(ETH)
    assert seen["PriceAccepted"]["price"] == usd(2001)
    assert seen["PriceAccepted"]["sources"] == 2
    assert seen["RangeSampled"]["range"] == two.adapter.scanRange(ETH)
    two.advance(12)
    two.refresh(ETH, price(two, 2001), price(two, 3001))
    assert events(two)["PriceSuspected"]["suspicion"] == two.adapter.suspicion(ETH)
