from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId, Snapshot
from ballast.demo.feeds import joined
from ballast.demo.run import compare, compare_prices
from ballast.oracle.reports import Domain, Report, pack_update, sign
from ballast.units import WAD
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
