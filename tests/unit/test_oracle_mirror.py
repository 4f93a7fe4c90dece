"""The OracleAdapter and its mirror in Python agree to the bit on any row of observations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.oracle.mirror import FeedConfig, FeedState, Observation, Result, accept
from ballast.units import WAD
from tests.support.oracle import CASH, ETH, OracleWorld

UINT256_MAX = 2**256 - 1
PRICES = (2000, 2000, 2001, 1999, 2020, 1950, 2400, 1700, 2_000_000, 2)
AGES = (0, 0, 0, 1, 14, 15, 16, 119, 120, 121, -1)
STEPS = (0, 0, 1, 12, 60, 180, 900, 20_000, 500_000)


@st.composite
def observations(draw: st.DrawFn, count: int) -> list[tuple[Observation, int]]:
    """One observation a source, each with its age in the place of a time."""
    rows = []
    for _ in range(count):
        price = draw(st.sampled_from(PRICES)) * WAD + draw(st.integers(0, WAD))
        price = draw(st.sampled_from((price, price, price, price, 0, 1, UINT256_MAX)))
        width = draw(st.sampled_from((0, 1, 4, 100, 101))) * (price % 2**200) // 10_000
        bid = (price % 2**200) * draw(st.integers(9700, 10_300)) // 10_000
        ask = bid + draw(st.integers(0, 10 * WAD))
        bid, ask = draw(st.sampled_from(((bid, ask), (bid, ask), (0, 0), (ask + 1, bid))))
        seen = Observation(price, width, 0, bid, ask)
        rows.append((seen, draw(st.sampled_from(AGES))))
    return rows


@st.composite
def histories(draw: st.DrawFn) -> tuple[FeedConfig, int, int, list[tuple]]:
    count = draw(st.integers(1, 4))
    config = FeedConfig(
        min_sources=draw(st.integers(1, count)),
        has_market=draw(st.booleans()),
        jump_limit_bps=draw(st.sampled_from((50, 300, 1000))),
        depth=draw(st.sampled_from((0, 100))),
        premium_clamp_bps=draw(st.sampled_from((0, 100, 200))),
        funding_cap_bps=draw(st.sampled_from((3, 50, 200))),
    )
    steps = st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from((0, 1, 255, 256)),
        st.sampled_from((0, 90, 150, 500)),
        observations(count),
    )
    cash = draw(st.sampled_from((0, WAD, 98 * WAD // 100, 1_031_234_567_890_123_456)))
    return config, cash, count, draw(st.lists(steps, min_size=1, max_size=12))


@settings(max_examples=100, deadline=None)
@given(histories())
def test_words_and_funding_rates_are_those_of_the_mirror(history: tuple) -> None:
    compare(history)


@pytest.mark.fuzz
@settings(max_examples=5000, deadline=None)
@given(histories())
def test_words_and_funding_rates_are_those_of_the_mirror_at_length(history: tuple) -> None:
    compare(history)


def compare(history: tuple) -> None:
    """Plays a history on both and compares every word after every step."""
    config, cash, count, steps = history
    world = OracleWorld(sources=count)
    if cash:
        cash_feed = FeedConfig(sources=world.source_addresses[:1], max_age=129_600)
        world.configure(CASH, replace(cash_feed, min_price=WAD // 2, max_price=2 * WAD))
    config = replace(config, sources=world.source_addresses)
    world.configure(ETH, config)
    state = FeedState(config)
    for seconds, blocks, open_interest, rows in steps:
        world.advance(seconds, blocks)
        world.sink.setOpenInterest(open_interest * WAD)
        seen = [replace(one, time=world.now - age) for one, age in rows]
        world.refresh_all(*[(CASH, [Observation(cash, 0, world.now)])] * bool(cash), (ETH, seen))
        state, outcome = accept(
            state,
            seen,
            world.now,
            world.block,
            cash_price=world.snapshot(CASH).price or WAD,
            open_interest=open_interest * WAD,
        )
        assert world.snapshot_word(ETH) == state.snapshot.encode()
        assert world.adapter.scanRange(ETH) == state.scan.encode()
        if state.snapshot.suspect:
            assert world.adapter.suspicion(ETH) == state.suspicion.encode()
        if outcome.result is Result.ACCEPTED and config.has_market:
            assert world.sink.rate(ETH) == outcome.rate_per_second
