from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId, Snapshot
from ballast.demo.cast import OptionDeal
from ballast.demo.feeds import joined
from ballast.demo.mirror import Slices
from ballast.demo.run import compare, compare_prices
from ballast.demo.surface import far_enough
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


def test_the_mirror_answers_the_word_of_a_slice():
    slice_ = replace(model_slice(1_773_100_000, 1_773_000_000), max_age=1800)
    slices = Slices({1: Board(VolatilityConfig(), (1_773_100_000,), {1_773_100_000: slice_})})
    assert slices.slice(1, 1_773_100_000) == slice_.encode() != 0
    assert slices.slice(1, 1_773_200_000) == slices.slice(2, 1_773_100_000) == 0


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
