"""The ShareRateSource: what a share is worth, and the band that nobody gets out of."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.oracle.mirror import Observation
from ballast.oracle.sources import ShareRate, advance, price_share, vault_rate
from ballast.units import WAD
from tests.support.oracle import ETH, OracleWorld, echo
from tests.support.revm import GENESIS, reverts
from tests.support.shares import GROWTH_BPS, SHARE, TOLERANCE_BPS, ShareDesk

EMPTY = (0, 0, 0, 0, 0)
GOOD, REVERTING, SILENT, SHORT, ENDLESS, FLOODING = range(6)
DAY = 86400
YEAR = 365 * DAY
ZERO = "0x" + "00" * 20
NOBODY = "0x" + "99" * 20


@pytest.fixture
def desk() -> ShareDesk:
    return ShareDesk.open(OracleWorld(sources=1))


@pytest.fixture
def broken(desk: ShareDesk) -> ShareDesk:
    """A source over a vault that answers what it is told; good so far."""
    desk.vault = desk.world.deploy("BrokenVault", desk.asset, 18, WAD)
    desk.set_share()
    return desk


# ---- Prices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [0, 6, 8, 18])
@pytest.mark.parametrize("offset", [0, 6, 18])
def test_decimals(decimals: int, offset: int) -> None:
    desk = ShareDesk.open(OracleWorld(sources=1), decimals, offset)
    assert desk.source.feed(SHARE)[1:3] == (decimals + offset, decimals)
    price, confidence, time, bid, ask = desk.observe(desk.asset_price(age=7))
    assert (price, confidence, time) == (2000 * WAD, WAD, desk.now - 7)
    assert (bid, ask) == (0, 0)


def test_price_and_confidence_take_the_rate(desk: ShareDesk) -> None:
    desk.slash(500)
    assert desk.observe()[:2] == (1000 * WAD, WAD // 2)


def test_a_base_with_nothing_to_say_is_empty_and_moves_nothing(desk: ShareDesk) -> None:
    before = desk.state
    desk.world.advance(1000)
    assert tuple(desk.source.observe(SHARE, b"")) == EMPTY
    assert desk.state == before


@pytest.mark.parametrize("field", ["price", "confidence"])
def test_a_base_beyond_128_bits_is_empty(desk: ShareDesk, field: str) -> None:
    most = {"price": WAD, "confidence": WAD, field: 2**128 - 1}
    assert desk.observe(Observation(time=desk.now, **most))[0] != 0
    assert desk.observe(Observation(time=desk.now, **{**most, field: 2**128})) == EMPTY


@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, ENDLESS])
def test_a_vault_that_does_not_answer_is_empty(broken: ShareDesk, mode: int) -> None:
    assert broken.observe()[0] == 2000 * WAD
    before = broken.state
    broken.vault.setMode(mode)
    broken.world.advance(1000)
    assert broken.observe() == EMPTY
    assert broken.state == before


def test_a_flood_of_data_is_not_copied(broken: ShareDesk) -> None:
    broken.vault.setMode(FLOODING)
    assert broken.observe() == EMPTY


def test_a_vault_that_lost_its_code_is_empty(desk: ShareDesk) -> None:
    desk.world.remove_code(desk.vault)
    assert desk.observe() == EMPTY


@pytest.mark.parametrize("assets", [0, 10**12 - 1, 10**27 + 1, 2**128, 2**255])
def test_a_rate_that_is_none_is_empty(broken: ShareDesk, assets: int) -> None:
    broken.vault.setShape(int(broken.asset.address, 16), 0)
    broken.vault.setAssets(assets)
    assert broken.observe() == EMPTY


def test_the_greatest_of_everything_does_not_overflow(broken: ShareDesk) -> None:
    broken.vault.setAssets(10**27)
    broken.set_share(ceiling=10**27, growth=5000, tolerance=100)
    broken.world.advance(100 * YEAR)
    most = 2**128 - 1
    assert broken.observe(Observation(most, most, 1))[0] == most * 10**9


def test_a_feed_without_a_vault_is_empty(desk: ShareDesk) -> None:
    assert tuple(desk.source.observe(SHARE + 1, echo(desk.asset_price()))) == EMPTY
    desk.set_share(vault=ZERO)
    assert desk.observe() == EMPTY
    assert desk.state == ShareRate(0, 0, 0)


def test_malformed_data_is_the_business_of_the_base(desk: ShareDesk) -> None:
    with reverts(""):
        desk.source.observe(SHARE, b"x")


# ---- The band ---------------------------------------------------------------------------------


def test_a_yield_within_the_band_passes(desk: ShareDesk) -> None:
    for _ in range(10):
        desk.world.advance(DAY)
        desk.donate(0.1)
    assert desk.rate() == pytest.approx(1.001, rel=1e-9)


def test_a_donation_moves_the_price_by_the_tolerance_at_most(desk: ShareDesk) -> None:
    desk.donate(1_000_000)
    assert desk.observe()[0] == 2000 * WAD * (10_000 + TOLERANCE_BPS) // 10_000
    (log,) = desk.world.evm.logs
    assert log.name == "RateCapped"
    assert log.args["used"] < log.args["rate"]


def test_the_price_follows_a_donation_at_the_speed_of_the_band(desk: ShareDesk) -> None:
    desk.donate(1000)
    desk.world.advance(YEAR // 2)
    assert desk.rate() == pytest.approx(1.05 * 1.001, rel=1e-9)


@pytest.mark.parametrize("calls", [1, 7, 60])
def test_calling_often_gains_no_more_than_compounding(desk: ShareDesk, calls: int) -> None:
    desk.donate(1_000_000)
    for _ in range(calls):
        desk.world.advance(YEAR // calls)
        desk.observe()
    band = math.exp(GROWTH_BPS / 10_000) * (1 + TOLERANCE_BPS / 10_000)
    assert 1.1 <= desk.rate() <= band


def test_calling_every_second_loses_no_growth(broken: ShareDesk) -> None:
    broken.vault.setAssets(10**12)
    broken.set_share(ceiling=10**12)
    broken.vault.setAssets(10**18)
    for _ in range(500):
        broken.world.advance(1)
        broken.observe()
    fair = 10**12 * GROWTH_BPS * 500 // (10_000 * YEAR)
    assert broken.state.ceiling - 10**12 >= fair * 99 // 100


def test_calls_in_one_block_gain_nothing(desk: ShareDesk) -> None:
    desk.donate(1000)
    prices = {desk.observe()[0] for _ in range(20)}
    assert prices == {2000 * WAD * (10_000 + TOLERANCE_BPS) // 10_000}
    assert desk.state.ceiling == WAD


def test_a_flash_loan_that_owns_the_vault_gains_the_tolerance(desk: ShareDesk) -> None:
    """Who owns nearly every share for a moment donates nearly for nothing."""
    shares = desk.deposit(10**9, "attacker")
    desk.donate(10**9)
    assert desk.rate() <= 1 + TOLERANCE_BPS / 10_000
    assert desk.redeem(shares, "attacker") > desk.units(1.99 * 10**9)
    assert desk.state.ceiling == WAD
    assert desk.rate() < 1.002


def test_the_inflation_of_an_empty_vault_gains_the_tolerance() -> None:
    desk = ShareDesk.open(OracleWorld(sources=1), deposit=0)
    attacker = desk.world.evm.actor("attacker")
    desk.asset.mint(attacker, 1)
    desk.asset.approve(desk.vault, 1, sender=attacker)
    desk.vault.deposit(1, attacker, sender=attacker)
    desk.donate(1)
    assert desk.vault.convertToAssets(WAD) > 10**35
    assert desk.observe() == EMPTY
    desk.slash(1 - 10**-6)
    assert desk.vault.convertToAssets(WAD) > 10**29
    assert desk.observe() == EMPTY


def test_an_inflated_rate_that_is_still_a_rate_gains_the_tolerance(broken: ShareDesk) -> None:
    broken.vault.setAssets(10**27)
    assert broken.rate() == pytest.approx(1.001, rel=1e-12)


# ---- Falls ------------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_a_loss_passes_at_once(desk: ShareDesk, percent: int) -> None:
    desk.slash(10 * percent)
    assert desk.rate() == pytest.approx(1 - percent / 100, rel=1e-9)


def test_lowered_and_raised_again_in_a_block_is_the_old_rate(broken: ShareDesk) -> None:
    broken.world.advance(60)
    before = broken.rate()
    broken.vault.setAssets(WAD // 2)
    assert broken.rate() == 0.5
    broken.vault.setAssets(WAD)
    assert broken.rate() == before
    broken.vault.setAssets(2 * WAD)
    assert broken.rate() == pytest.approx(1.001, rel=1e-6)


def test_a_dip_that_one_observation_sees_lowers_no_ceiling(broken: ShareDesk) -> None:
    for rate in (WAD, WAD // 2, WAD, WAD // 10, WAD):
        broken.vault.setAssets(rate)
        broken.world.advance(DAY)
        broken.observe()
        assert broken.state.ceiling >= WAD
    assert broken.rate() == 1


def test_a_lasting_loss_narrows_the_band_again(desk: ShareDesk) -> None:
    desk.slash(300)
    desk.observe()
    assert desk.state.ceiling == WAD
    ceilings = []
    for _ in range(5):
        desk.world.advance(DAY)
        desk.observe()
        ceilings.append(desk.state.ceiling / WAD)
    assert ceilings[0] == pytest.approx(0.9, rel=1e-3)
    assert ceilings[-1] == pytest.approx(0.7, rel=1e-9)
    desk.donate(300)
    assert desk.rate() == pytest.approx(0.7 * 1.001, rel=1e-9)


def test_who_keeps_raising_the_rate_wins_no_more_than_the_growth(broken: ShareDesk) -> None:
    begin = broken.now
    for _ in range(50):
        broken.world.advance(DAY)
        broken.vault.setAssets(2 * WAD)
        broken.observe()
        broken.vault.setAssets(WAD)
        broken.observe()
    broken.vault.setAssets(2 * WAD)
    years = (broken.now - begin) / YEAR
    assert broken.rate() <= math.exp(years * GROWTH_BPS / 10_000) * 1.001


# ---- Against the mirror -----------------------------------------------------------------------

rates = st.one_of(
    st.integers(10**12, 10**27),
    st.integers(9 * WAD // 10, 11 * WAD // 10),
    st.sampled_from([10**12, 10**27, WAD]),
)
steps = st.tuples(st.one_of(st.integers(0, 100), st.integers(0, 3 * YEAR)), rates)


@settings(max_examples=80, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    first=rates,
    growth=st.integers(0, 5000),
    tolerance=st.integers(0, 100),
    moves=st.lists(steps, min_size=1, max_size=12),
)
def test_the_mirror_and_the_band(
    broken: ShareDesk, first: int, growth: int, tolerance: int, moves: list[tuple[int, int]]
) -> None:
    broken.world.evm.time = GENESIS  # examples share a clock of 32 bits; the share is set anew
    broken.vault.setAssets(first)
    broken.set_share(ceiling=first, growth=growth, tolerance=tolerance)
    begin = broken.now
    state = ShareRate(first, first, begin)
    for wait, rate in moves:
        broken.world.advance(wait)
        broken.vault.setAssets(rate)
        state, used = advance(state, rate, broken.now, growth_bps=growth, tolerance_bps=tolerance)
        expected = price_share(broken.asset_price(), used)
        assert broken.observe()[:3] == (expected.price, expected.confidence, expected.time)
        assert broken.state == state
        years = (broken.now - begin) / YEAR
        band = first * math.exp(years * growth / 10_000) * (1 + tolerance / 10_000)
        assert used <= min(rate, band * (1 + 1e-9))


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(decimals=st.integers(0, 18), share=st.integers(0, 36), assets=st.integers(0, 2**130))
def test_the_rate_of_any_decimals(
    broken: ShareDesk, decimals: int, share: int, assets: int
) -> None:
    asset = broken.world.deploy("TestToken", "Asset", "ASSET", decimals)
    vault = broken.world.deploy("BrokenVault", asset, share, 10**decimals)
    broken.set_share(vault=vault)
    vault.setShape(0, 0)
    vault.setAssets(0)
    assert broken.observe() == EMPTY
    vault.setShape(0, share)
    if assets * 10**share >= 2**256:
        return
    vault.setAssets(assets)
    rate = vault_rate(assets, decimals)
    assert broken.observe()[0] == 2000 * min(rate, WAD * 10_010 // 10_000)


# ---- Configuration ----------------------------------------------------------------------------


def padded(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


@pytest.mark.parametrize(
    ("name", "value", "least", "greatest"),
    [
        ("growth", 5001, 0, 5000),
        ("tolerance", 101, 0, 100),
        ("ceiling", 10**12 - 1, 10**12, 10**27),
        ("ceiling", 10**27 + 1, 10**12, 10**27),
    ],
)
def test_bounds(desk: ShareDesk, name: str, value: int, least: int, greatest: int) -> None:
    parameter = padded(name if name == "ceiling" else f"{name}Bps")
    with reverts("ShareRateSource_OutOfBounds", parameter, value, least, greatest):
        desk.set_share(**{name: value})


@pytest.mark.parametrize("ceiling", [WAD * 98 // 100, WAD * 102 // 100, 10**12])
def test_the_vault_must_be_near_the_ceiling(desk: ShareDesk, ceiling: int) -> None:
    with reverts("ShareRateSource_UnexpectedRate", WAD, ceiling):
        desk.set_share(ceiling=ceiling)


def test_a_donation_does_not_set_the_first_ceiling(desk: ShareDesk) -> None:
    desk.donate(5)
    desk.set_share(ceiling=WAD)
    assert desk.state.ceiling == WAD
    desk.donate(500)
    rate = desk.vault.convertToAssets(WAD)
    with reverts("ShareRateSource_UnexpectedRate", rate, WAD):
        desk.set_share(ceiling=WAD)


@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, ENDLESS])
def test_a_vault_must_answer_when_it_is_set(broken: ShareDesk, mode: int) -> None:
    broken.vault.setMode(mode)
    with reverts("ShareRateSource_UnexpectedRate", 0, WAD):
        broken.set_share()


def test_vault_and_base_have_code(desk: ShareDesk) -> None:
    with reverts("ShareRateSource_NoCode", NOBODY):
        desk.set_share(vault=NOBODY)
    with reverts("ShareRateSource_NoCode", NOBODY):
        desk.source.setShare(SHARE, desk.vault, NOBODY, ETH, WAD, 0, 0)


def test_a_source_does_not_rest_on_itself(desk: ShareDesk) -> None:
    with reverts("ShareRateSource_OwnBase"):
        desk.source.setShare(SHARE, desk.vault, desk.source, SHARE, WAD, 0, 0)


@pytest.mark.parametrize(
    ("asset", "decimals"),
    [(0, 18), (2**160, 18), (None, 37), (None, 2**256 - 1), (int(NOBODY, 16), 18)],
)
def test_what_is_not_a_vault_is_refused(
    broken: ShareDesk, asset: int | None, decimals: int
) -> None:
    broken.vault.setShape(int(broken.asset.address, 16) if asset is None else asset, decimals)
    with reverts("ShareRateSource_NotAVault", broken.vault.address):
        broken.set_share()


def test_an_asset_of_too_many_decimals_is_refused(desk: ShareDesk) -> None:
    asset = desk.world.deploy("TestToken", "Asset", "ASSET", 19)
    vault = desk.world.deploy("MockShareVault", asset, 0)
    with reverts("ShareRateSource_NotAVault", vault.address):
        desk.set_share(vault=vault)


def test_a_token_is_not_a_vault(desk: ShareDesk) -> None:
    with reverts("ShareRateSource_NotAVault", desk.asset.address):
        desk.set_share(vault=desk.asset)


def test_a_stranger_sets_nothing(desk: ShareDesk) -> None:
    stranger, base = desk.world.stranger, desk.world.sources[0]
    with reverts("AccessManagedUnauthorized", stranger):
        desk.source.setShare(SHARE, desk.vault, base, ETH, WAD, 0, 0, sender=stranger)


def test_what_was_set_is_told(desk: ShareDesk) -> None:
    vault, *rest = desk.source.feed(SHARE)
    base = desk.world.sources[0].address
    assert vault.lower() == desk.vault.address
    assert [rest[0], rest[1], rest[2], rest[3], rest[4].lower(), rest[5]] == [
        18, 18, GROWTH_BPS, TOLERANCE_BPS, base, ETH
    ]  # fmt: skip
