"""Slices: who may sign them, which are accepted, and what the registry lists."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.codec import VolatilitySlice
from ballast.oracle.volatility import Board, Refusal, accept, density, join, median, strikes
from ballast.svi import least
from ballast.units import WAD
from ballast.volatility.reports import build_updates, pack_update
from tests.support.oracle import ETH
from tests.support.revm import reverts
from tests.support.volatility import ADDRESSES, CALM, DAY, TICK, VolatilityWorld

YEAR = 365 * DAY
VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)


@pytest.fixture
def world() -> VolatilityWorld:
    return VolatilityWorld()


@pytest.fixture
def expiry(world: VolatilityWorld) -> int:
    expiry = world.expiry(30)
    world.allow(expiry)
    return expiry


def refusal(world: VolatilityWorld, expiry: int, *reports: VolatilitySlice) -> Refusal:
    """The reason that the event gives, none if the slice was accepted."""
    world.publish(expiry, *reports)
    (log,) = world.evm.logs
    if log.name == "VolatilityAccepted":
        return Refusal.NONE
    assert log.name == "VolatilityRefused"
    return Refusal(log.args["reason"])


def vogt(tau: float) -> VolatilitySlice:
    """Vogt's slice of total variance as one of `tau` years."""
    a, b, rho, mu, s = VOGT
    return VolatilitySlice(
        a=round(a / tau * 1e8),
        b=round(b / tau * 1e7),
        rho=round(rho * 1e6),
        mu=round(mu * 1e6),
        s=round(s * 1e6),
    )


# ---- Acceptance -------------------------------------------------------------------------------


def test_an_accepted_slice_is_the_word_of_the_expiry(world, expiry):
    assert refusal(world, expiry, CALM, CALM) is Refusal.NONE
    kept = replace(CALM, time=world.now, max_age=1800)
    assert world.adapter.slice(ETH, expiry) == kept.encode()
    assert world.adapter.market([ETH << 32 | expiry, ETH << 32]) == [
        kept.encode(),
        world.adapter.snapshot(ETH),
    ]


def test_the_report_nearest_to_the_median_curve_is_taken_whole(world, expiry):
    high, low = replace(CALM, a=CALM.a + 2_000_000), replace(CALM, b=CALM.b - 300_000, rho=-100_000)
    assert refusal(world, expiry, low, CALM, high) is Refusal.NONE
    joined, agreed = join([replace(one, time=world.now) for one in (low, CALM, high)], expiry)
    assert agreed
    assert replace(world.slice(expiry), max_age=0) == joined
    assert (joined.a, joined.b, joined.rho) in [(x.a, x.b, x.rho) for x in (low, CALM, high)]


def test_the_forward_is_the_median(world, expiry):
    ratios = (99_900_000, 100_100_000, 104_000_000)
    world.publish(expiry, *(replace(CALM, forward=ratio) for ratio in ratios))
    assert world.slice(expiry).forward == 100_100_000


def test_publishers_who_disagree_move_nothing(world, expiry):
    wild = replace(CALM, a=CALM.a + 40_000_000)
    assert refusal(world, expiry, CALM, wild) is Refusal.DISAGREEMENT
    assert world.adapter.slice(ETH, expiry) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rho": 10**6}, Refusal.PARAMETERS),
        ({"rho": -(10**6)}, Refusal.PARAMETERS),
        ({"s": 999}, Refusal.PARAMETERS),
        ({"forward": 49_999_999}, Refusal.FORWARD),
        ({"forward": 200_000_001}, Refusal.FORWARD),
        ({"a": -40_000_000, "b": 0}, Refusal.VOLATILITY),
        ({"a": 2**31 - 1, "b": 80_000_000}, Refusal.VOLATILITY),
        ({"b": 300_000_000, "s": 1000, "rho": 0, "mu": 0}, Refusal.WINGS),
        ({"a": -35_000_000, "rho": -900_000, "mu": 300_000}, Refusal.NEGATIVE_VARIANCE),
    ],
)
def test_slices_that_are_none(world, expiry, changes, reason):
    bad = replace(CALM, **changes)
    assert refusal(world, expiry, bad, bad) is reason


def test_vogt_passes_the_simple_bounds_and_is_refused(world):
    expiry = world.expiry(364)
    world.allow(expiry)
    bad = replace(vogt((expiry - world.now) / YEAR), time=world.now)
    tau = (expiry - world.now) * WAD // YEAR
    assert least(bad) > 0
    assert bad.b * 10**11 * (10**6 + abs(bad.rho)) // 10**6 * tau // WAD < 2 * WAD
    assert min(density(bad, k, tau) for k in strikes(bad, expiry)) < 0
    assert refusal(world, expiry, bad, bad) is Refusal.BUTTERFLY


def test_a_later_expiry_may_not_be_cheaper_than_the_one_before(world):
    near, far = world.expiry(20), world.expiry(21)
    world.allow(far, near)
    assert refusal(world, near, CALM, CALM) is Refusal.NONE
    cheap = replace(CALM, a=CALM.a - 9_000_000)
    assert refusal(world, far, cheap, cheap) is Refusal.CALENDAR
    assert refusal(world, far, CALM, CALM) is Refusal.NONE


def test_a_front_expiry_may_not_be_dearer_than_the_next(world):
    near, far = world.expiry(20), world.expiry(21)
    world.allow(near, far)
    assert refusal(world, far, CALM, CALM) is Refusal.NONE
    dear = replace(CALM, a=CALM.a + 9_000_000)
    assert refusal(world, near, dear, dear) is Refusal.CALENDAR
    world.at(world.now + 1801)
    assert refusal(world, near, dear, dear) is Refusal.NONE


def test_a_jump_is_refused_and_the_limit_grows_with_time(world, expiry):
    world.publish(expiry, CALM, CALM)
    dear = replace(CALM, a=CALM.a + 30_000_000)
    world.at(world.now + 15)
    assert refusal(world, expiry, dear, dear) is Refusal.VOLATILITY_JUMP
    world.at(world.now + 4 * 3600)
    assert refusal(world, expiry, dear, dear) is Refusal.NONE


def test_a_forward_may_not_jump(world, expiry):
    world.publish(expiry, CALM, CALM)
    world.at(world.now + 15)
    moved = replace(CALM, forward=102_100_000)
    assert refusal(world, expiry, moved, moved) is Refusal.FORWARD_JUMP


def test_nothing_new_does_nothing(world, expiry):
    world.publish(expiry, CALM, CALM)
    word, first = world.adapter.slice(ETH, expiry), world.now
    world.at(first + 14)
    assert world.publish(expiry, CALM, CALM) == ""
    world.at(first + 3000)
    old = replace(CALM, time=first + 1000)
    assert world.publish(expiry, old, old) == ""
    world.adapter.refreshVolatility([(ETH, expiry, b"")])
    world.at(expiry)
    assert world.publish(expiry, CALM, CALM) == ""
    assert world.adapter.slice(ETH, expiry) == word


def test_unknown_expiries_are_named(world):
    with reverts("ExpiryRegistry_UnknownExpiry", ETH, 5):
        world.adapter.refreshVolatility([(ETH, 5, b"")])


def test_no_slice_moves_while_the_clearinghouse_is_locked(world, expiry):
    world.sink.setLocked(True)
    with reverts("OracleAdapter_Locked"):
        world.publish(expiry, CALM, CALM)


# ---- Signatures -------------------------------------------------------------------------------


def test_a_report_on_another_expiry_is_forged_here(world, expiry):
    other = world.expiry(31)
    world.allow(other)
    update = pack_update(world.signed(expiry, [replace(CALM, time=world.now)] * 2))
    with reverts("Publishers_UnknownSigner"):
        world.adapter.refreshVolatility([(ETH, other, update)])
    with reverts("Publishers_UnknownSigner"):
        world.quorum.observe(ETH + 1, expiry, update)


def test_one_publisher_is_too_few(world, expiry):
    with reverts("Publishers_TooFew", 1, 2):
        world.publish(expiry, CALM)


def test_a_time_of_zero_does_not_hide_the_spread(world, expiry):
    rows = [replace(CALM, time=0), replace(CALM, time=world.now)]
    update = pack_update(world.signed(expiry, rows))
    with reverts("Publishers_TimesApart", 0, world.now):
        world.quorum.observe(ETH, expiry, update)


def test_updates_run_both_ways_over_the_expiries(world):
    rows = [replace(CALM, time=world.now)] * 2
    expiries = [world.expiry(days) for days in (3, 1, 2)]
    signed = [one for expiry in expiries for one in world.signed(expiry, rows)]
    order = [expiry for _, expiry, _ in build_updates(signed)]
    assert order == [*sorted(expiries), *sorted(expiries)[-2::-1]]


# ---- Mirror -----------------------------------------------------------------------------------

PARAMETERS = st.builds(
    VolatilitySlice,
    a=st.sampled_from((-(2**31), -30_000_000, 0, 500_000, 2**31 - 1)),
    b=st.sampled_from((0, 1_000_000, 6_000_000, 60_000_000, 2**32 - 1)),
    rho=st.sampled_from((-(2**23), -999_999, -300_000, 0, 999_999, 10**6)),
    mu=st.sampled_from((-(2**23), -100_000, 0, 300_000, 2**23 - 1)),
    s=st.sampled_from((0, 1000, 50_000, 500_000, 2**24 - 1)),
    forward=st.sampled_from((0, 5 * 10**7, 10**8, 101_000_000, 2**32 - 1)),
)
NEAR_CALM = st.builds(
    VolatilitySlice,
    a=st.integers(-20_000_000, 20_000_000),
    b=st.integers(3_000_000, 9_000_000),
    rho=st.integers(-700_000, 700_000),
    mu=st.integers(-300_000, 300_000),
    s=st.integers(20_000, 800_000),
    forward=st.integers(99_000_000, 101_000_000),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((0, 1, 2)),
            st.sampled_from((1, 14, 15, 600, 3600, 2 * DAY)),
            st.one_of(NEAR_CALM, NEAR_CALM, PARAMETERS),
            st.lists(st.integers(-2_000_000, 2_000_000), min_size=2, max_size=3),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_every_slice_and_reason_is_that_of_the_mirror(steps):
    world = VolatilityWorld()
    expiries = tuple(world.expiry(days) for days in (2, 9, 60))
    world.allow(*expiries)
    board = Board(world.config, expiries)
    for which, seconds, base, offsets in steps:
        world.at(world.now + seconds)
        expiry = expiries[which]
        steepness = [min(max(0, base.b + x), 2**32 - 1) for x in offsets]
        rows = [replace(base, b=b, time=world.now) for b in steepness]
        board, expected = accept(board, expiry, rows, world.now)
        world.publish(expiry, *rows)
        reasons = [Refusal(log.args.get("reason", 0)) for log in world.evm.logs]
        assert reasons == ([] if expected is None else [expected])
        kept = board.slices.get(expiry)
        assert world.adapter.slice(ETH, expiry) == (kept.encode() if kept else 0)


def test_medians():
    assert median([3, 1, 2]) == 2
    assert median([4, 1]) == 2


# ---- Registry ---------------------------------------------------------------------------------


def test_series_are_listed_by_their_fields(world, expiry):
    listed = world.adapter.isListed
    assert listed(ETH, expiry, 25 * TICK)
    assert not listed(ETH, expiry, 25 * TICK + 1)
    assert not listed(ETH, expiry, 0)
    assert not listed(ETH, expiry + DAY, 25 * TICK)
    assert not listed(ETH + 1, expiry, 25 * TICK)
    world.at(expiry)
    assert not listed(ETH, expiry, 25 * TICK)


def test_live_expiries_ascend_whatever_the_order(world):
    expiries = [world.expiry(days) for days in (5, 1, 9, 3, 8, 2, 7, 4)]
    world.allow(*expiries)
    assert world.adapter.liveExpiries(ETH) == sorted(expiries)
    with reverts("ExpiryRegistry_TooMany", 8):
        world.allow(world.expiry(20))


def test_an_expiry_is_allowed_once(world, expiry):
    with reverts("ExpiryRegistry_AlreadyAllowed", ETH, expiry):
        world.allow(expiry)


def test_expiries_are_at_eight_in_bounds(world):
    with reverts("ExpiryRegistry_TimeOfDay"):
        world.adapter.allowExpiry(ETH, world.expiry(3) + 1, TICK)
    with reverts("ExpiryRegistry_OutOfBounds"):
        world.adapter.allowExpiry(ETH, world.expiry(500), TICK)
    world.at(world.expiry(0) - 3599)
    with reverts("ExpiryRegistry_OutOfBounds"):
        world.adapter.allowExpiry(ETH, world.now + 3599, TICK)
    for tick in (0, 10**14 + 1):
        with reverts("ExpiryRegistry_OutOfBounds"):
            world.adapter.allowExpiry(ETH, world.expiry(3), tick)


def test_an_underlying_without_volatility_has_no_expiries(world):
    with reverts("ExpiryRegistry_UnknownVolatility", ETH + 1):
        world.adapter.allowExpiry(ETH + 1, world.expiry(3), TICK)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_age": 9},
        {"max_age": 36 * 3600 + 1},
        {"jump_limit_bps": 9},
        {"jump_limit_bps": 5001},
        {"forward_jump_bps": 0},
        {"forward_jump_bps": 1001},
        {"max_live": 0},
        {"max_live": 9},
    ],
)
def test_configurations_have_hard_bounds(world, changes):
    with reverts("ExpiryRegistry_OutOfBounds"):
        world.adapter.configureVolatility(ETH, replace(world.config, **changes).as_tuple())


def test_a_source_has_code(world):
    bare = replace(world.config, source="0x" + "12" * 20)
    with reverts("ExpiryRegistry_SourceWithoutCode", bare.source):
        world.adapter.configureVolatility(ETH, bare.as_tuple())


def test_the_configuration_is_readable(world):
    assert tuple(world.adapter.volatilityConfig(ETH)) == world.config.as_tuple()


def test_a_stranger_governs_nothing(world):
    stranger = world.stranger
    with reverts("AccessManagedUnauthorized", stranger):
        world.adapter.configureVolatility(ETH, world.config.as_tuple(), sender=stranger)
    with reverts("AccessManagedUnauthorized", stranger):
        world.adapter.allowExpiry(ETH, world.expiry(3), TICK, sender=stranger)
    with reverts("AccessManagedUnauthorized", stranger):
        world.quorum.setPublishers(ADDRESSES, 2, sender=stranger)
