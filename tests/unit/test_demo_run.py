from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import PRICE_UNIT, AccountId, Settlement, Snapshot
from ballast.demo.cast import OptionDeal
from ballast.demo.feeds import joined
from ballast.demo.mirror import Options, observed
from ballast.demo.run import compare, compare_prices
from ballast.demo.surface import Expiries, far_enough, on_the_way
from ballast.oracle.fixing import Fixing
from ballast.oracle.reports import Domain, Report, pack_update, sign
from ballast.oracle.volatility import Board, VolatilityConfig
from ballast.units import WAD
from ballast.volatility.surface import model_slice
from tests.support.revm import Evm

ONE, TWO = (AccountId.make("0x" + f"{n:02x}" * 20) for n in (1, 2))
NOBODY: frozenset[AccountId] = frozenset()


def test_what_was_predicted_and_done_is_right():
    assert compare("tick 3", NOBODY, NOBODY) == []
    assert compare("tick 3", frozenset({ONE, TWO}), frozenset({TWO, ONE})) == []


def test_an_account_that_was_spared_is_named():
    (problem,) = compare("tick 3", frozenset({ONE, TWO}), frozenset({ONE}))
    assert problem == f"tick 3: not liquidated, but predicted: {TWO}"


def test_an_account_that_was_liquidated_for_no_reason_is_named():
    (problem,) = compare("tick 3", NOBODY, frozenset({ONE}))
    assert problem == f"tick 3: liquidated, but not predicted: {ONE}"


@pytest.mark.parametrize(
    "change", [{"price": 10**6}, {"premium": 1}, {"range_initial": 10**14}, {"suspect": True}]
)
def test_a_price_other_than_predicted_is_named(change: dict[str, int]):
    snapshot = Snapshot(price=50_000 * WAD, time=9, block_tag=3)
    assert compare_prices("tick 3", {1: snapshot}, {1: replace(snapshot, block_tag=4)}) == []
    (problem,) = compare_prices("tick 3", {1: snapshot}, {1: replace(snapshot, **change)})
    assert problem.startswith("tick 3: feed 1 accepted")


def test_options_that_trade_outlive_the_path_by_a_week():
    end = 1_773_000_000
    week = 7 * 86_400
    assert far_enough([end - 1, end + week - 1, end + week, end + 2 * week], end) == end + week
    assert far_enough([end + week - 1], end) is None
    assert far_enough([], end) is None


@pytest.mark.parametrize(
    ("price", "bps", "strike"),
    [(3_100, 11_000, 3_400), (3_100, 10_000, 3_100), (3_149, 10_000, 3_100), (12, 10_000, 50)],
)
def test_strikes_are_listed_ones(price: int, bps: int, strike: int):
    deal = OptionDeal("somebody", bps, is_put=False, dollars=-1)
    assert deal.strike(price * WAD) == strike * WAD


def test_the_mirror_answers_the_word_of_a_slice_or_of_a_settlement():
    first, second, third = 1_773_100_000, 1_773_200_000, 1_773_300_000
    slice_ = replace(model_slice(first, 1_773_000_000), max_age=1800)
    board = Board(VolatilityConfig(), (first, second), {first: slice_, second: slice_})
    fixed = Settlement(2_000 * WAD, second + 5)
    options = Options({1: board}, {}, {(1, second): fixed}, now=second + 9)
    assert options.slice(1, first) == slice_.encode() != 0
    assert options.slice(1, second) == fixed.encode()
    assert options.slice(1, third) == options.slice(2, first) == 0


def test_the_mirror_takes_an_accepted_price_into_the_window():
    expiry = 1_773_129_600
    start = expiry - 1800
    early = Snapshot(price=2_000 * WAD, time=start - 60)
    late = replace(early, price=2_200 * WAD, time=start + 60)
    window = Fixing(strike_tick=1).observe(expiry, early.price // PRICE_UNIT, early.time)
    assert observed(window, expiry, late, late) == window, "nothing new"
    assert observed(window, expiry + 86_400, early, late) == window, "another day's"
    seen = observed(window, expiry, early, late)
    options = Options({}, {(1, expiry): seen}, {}, now=start + 120)
    assert options.settlement_mean(1, expiry) == (120, 2_100 * WAD)


def test_the_expiry_on_the_way_has_a_life_and_time_to_be_settled():
    hour, day = 3600, 86_400
    first = 1_773_129_600
    expiries = [first + day * n for n in range(4)]
    two_days = first + 2 * day
    assert on_the_way(expiries, range(first - hour, two_days + 2 * hour, hour)) == first + day
    assert on_the_way(expiries, range(first - hour, two_days + 3 * hour, hour)) == two_days
    assert on_the_way(expiries, range(first - hour, first + day, hour)) is None
    assert on_the_way(expiries, [first - 2 * hour, first + hour]) is None
    far = Expiries(far=9, near=5)
    assert (far.alive(4), far.alive(5), Expiries(9, None).alive(4)) == ([5, 9], [9], [9])


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**6), st.integers(0, 999), st.integers(0, 9), st.integers(10, 20)
        ),
        min_size=3,
        max_size=3,
    )
)
def test_reports_join_as_in_the_contract(rows: list[tuple[int, int, int, int]]):
    evm = Evm()
    actors = sorted((evm.actor(f"publisher {n}") for n in range(3)), key=lambda a: a.address)
    authority = evm.deploy("Authority", evm.actor("admin"))
    source = evm.deploy("QuorumSource", authority.address, [a.address for a in actors], 2)
    domain = Domain(31337, source.address)
    reports = [
        Report(1, price * WAD, width, evm.time, price * WAD - bid, price * WAD + ask)
        for price, width, bid, ask in rows
    ]
    update = pack_update(sign(r, domain, a.key) for r, a in zip(reports, actors, strict=True))
    seen = joined(reports)
    assert tuple(source.observe(1, update)) == (
        seen.price,
        seen.confidence,
        seen.time,
        seen.impact_bid,
        seen.impact_ask,
    )
