"""The PythSource: prices of every shape, who pays for an update, and what cannot be drained."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.oracle.mirror import FeedConfig
from ballast.oracle.reports import Domain, Report, pack_update, sign
from ballast.oracle.sources import PythFeed, PythPrice, is_worth_its_fee, observe_pyth
from ballast.units import WAD
from tests.support.oracle import CHAIN_ID, ETH, OracleWorld
from tests.support.pyth import (
    FEE,
    FEED,
    FUNDS,
    OTHER_ID,
    PRICE_ID,
    REFUND,
    PythDesk,
    blob,
    dollars,
)
from tests.support.revm import RevmContract, reverts

EMPTY = (0, 0, 0, 0, 0)
GOOD, REVERTING, SILENT, SHORT, ENDLESS, FLOODING, UNKNOWN = range(7)
INT64_MAX, UINT64_MAX = 2**63 - 1, 2**64 - 1
WORD = 2**256


@pytest.fixture
def desk() -> PythDesk:
    return PythDesk.open(OracleWorld(sources=0))


@pytest.fixture
def broken(desk: PythDesk) -> PythDesk:
    """A source over a Pyth that will misbehave; it is good so far."""
    desk.pyth = desk.world.deploy("BrokenPyth")
    desk.source = desk.world.deploy("PythSource", desk.world.manager, desk.pyth, REFUND)
    set_words(desk, 2000 * 10**8, 10**8, -8, desk.now)
    desk.set_feed(FEED)
    return desk


def set_words(desk: PythDesk, *words: int) -> None:
    desk.pyth.setWords([word % WORD for word in words])


def as_tuple(seen: object) -> tuple[int, ...]:
    return tuple(getattr(seen, name) for name in seen.__slots__)  # type: ignore[attr-defined]


# ---- Prices -----------------------------------------------------------------------------------


def test_a_price_is_scaled_with_its_confidence_and_time(desk: PythDesk) -> None:
    assert desk.observe() == (2000 * WAD, WAD, desk.now, 0, 0)


@pytest.mark.parametrize("exponent", [-19, -18, -17, -8, -1, 0, 1, 11, 12, 13, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("price", [1, 123456789, INT64_MAX])
def test_exponents(desk: PythDesk, exponent: int, price: int) -> None:
    seen = PythPrice(price, UINT64_MAX, exponent, desk.now + 1)
    desk.world.advance(1)
    desk.push(seen)
    expected = as_tuple(observe_pyth(seen, FEED.max_age, desk.now))
    assert desk.observe() == expected
    assert (expected != EMPTY) == (-18 <= exponent <= 12)


@pytest.mark.parametrize("price", [0, -1, -(2**63)])
def test_a_price_that_is_not_positive_is_empty(desk: PythDesk, price: int) -> None:
    desk.world.advance(1)
    desk.push(PythPrice(price, 10**8, -8, desk.now))
    assert desk.observe() == EMPTY


words = st.one_of(
    st.integers(0, WORD - 1),
    st.integers(-20, 20),
    st.integers(-(2**64), 2**64),
    st.sampled_from([INT64_MAX, INT64_MAX + 1, UINT64_MAX, UINT64_MAX + 1, 2**255, -(2**63)]),
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(price=words, confidence=words, exponent=words, age=st.integers(-100, 100))
def test_any_words_of_a_hostile_pyth(
    broken: PythDesk, price: int, confidence: int, exponent: int, age: int
) -> None:
    set_words(broken, price, confidence, exponent, broken.now - age)
    signed = exponent % WORD - (WORD if exponent % WORD >> 255 else 0)
    seen = PythPrice(price % WORD, confidence % WORD, signed, broken.now - age)
    assert broken.observe() == as_tuple(observe_pyth(seen, FEED.max_age, broken.now))


def test_a_price_lives_for_its_age(desk: PythDesk) -> None:
    desk.world.advance(FEED.max_age)
    assert desk.observe()[0] == 2000 * WAD
    desk.world.advance(1)
    assert desk.observe() == EMPTY


def test_a_price_of_the_future_is_left_to_the_adapter(broken: PythDesk) -> None:
    set_words(broken, 10**8, 0, -8, 2**255)
    assert broken.observe() == (WAD, 0, 2**255, 0, 0)
    assert broken.observe(b"not even looked at") == (WAD, 0, 2**255, 0, 0)


@pytest.mark.parametrize("update", [b"", b"anything"])
@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, ENDLESS])
def test_a_dead_or_hostile_pyth_is_empty(broken: PythDesk, mode: int, update: bytes) -> None:
    assert broken.observe()[0] == 2000 * WAD
    broken.world.advance(30)
    broken.pyth.setMode(mode)
    assert broken.observe(update) == EMPTY


def test_a_flood_of_data_is_not_copied(broken: PythDesk) -> None:
    broken.pyth.setMode(FLOODING)
    assert broken.observe() == EMPTY


def test_a_pyth_that_lost_its_code_is_empty(desk: PythDesk) -> None:
    desk.world.remove_code(desk.pyth)
    assert desk.observe() == EMPTY
    desk.world.advance(30)
    assert desk.observe(blob(dollars(2001, desk.now))) == EMPTY


def test_a_price_that_pyth_does_not_know_is_empty(broken: PythDesk) -> None:
    broken.pyth.setMode(UNKNOWN)
    assert broken.observe() == EMPTY


def test_a_feed_without_an_id_is_empty_and_pays_nothing(desk: PythDesk) -> None:
    desk.world.advance(30)
    update = blob(dollars(2001, desk.now))
    assert tuple(desk.source.observe(ETH + 1, update)) == EMPTY
    desk.source.setFeed(ETH, bytes(32), 0, 0, 0)
    assert desk.observe(update) == EMPTY
    assert desk.balance == FUNDS


# ---- Updates and their fee --------------------------------------------------------------------


def test_news_is_pushed_and_paid_from_the_balance(desk: PythDesk) -> None:
    desk.world.advance(12)
    update = blob(dollars(2010, desk.now - 1))
    assert desk.observe(update) == (2010 * WAD, WAD, desk.now - 1, 0, 0)
    assert desk.balance == FUNDS - FEE
    assert desk.observe() == (2010 * WAD, WAD, desk.now - 1, 0, 0)


def test_a_replay_changes_and_costs_nothing(desk: PythDesk) -> None:
    desk.world.advance(12)
    update = blob(dollars(2010, desk.now))
    desk.observe(update)
    for seconds in (0, 1, FEED.min_advance, FEED.max_age - FEED.min_advance - 1):
        desk.world.advance(seconds)
        assert desk.observe(update)[0] == 2010 * WAD
    assert desk.balance == FUNDS - FEE


@pytest.mark.parametrize("seconds", [-60, -1, 0, 1, 4])
def test_an_update_that_is_hardly_newer_is_not_paid_for(desk: PythDesk, seconds: int) -> None:
    update = blob(dollars(2010, desk.now + seconds))
    desk.world.advance(30)
    assert desk.observe(update)[0] == 2000 * WAD
    assert desk.balance == FUNDS


def test_an_update_that_is_newer_by_the_least_advance_is_paid_for(desk: PythDesk) -> None:
    update = blob(dollars(2010, desk.now + FEED.min_advance))
    desk.world.advance(FEED.min_advance)
    assert desk.observe(update)[0] == 2010 * WAD
    assert desk.balance == FUNDS - FEE


def test_an_update_that_is_too_old_is_not_paid_for(desk: PythDesk) -> None:
    desk.world.advance(1000)
    assert desk.observe(blob(dollars(2010, desk.now - FEED.max_age - 1))) == EMPTY
    assert desk.balance == FUNDS
    assert desk.observe(blob(dollars(2010, desk.now - FEED.max_age)))[0] == 2010 * WAD


def test_an_update_of_the_future_is_undone(desk: PythDesk) -> None:
    desk.world.advance(30)
    assert desk.observe(blob(dollars(2010, desk.now + 1)))[0] == 2000 * WAD
    assert desk.balance == FUNDS
    assert desk.pyth.getPriceUnsafe(PRICE_ID)[0] == 2000 * 10**8


def test_an_update_of_another_price_is_undone(desk: PythDesk) -> None:
    desk.world.advance(30)
    assert desk.observe(blob(dollars(50_000, desk.now), OTHER_ID))[0] == 2000 * WAD
    assert desk.balance == FUNDS
    assert not desk.pyth.priceFeedExists(OTHER_ID)


@pytest.mark.parametrize("funds", [0, FEE - 1])
def test_without_balance_it_answers_what_pyth_has(funds: int) -> None:
    desk = PythDesk.open(OracleWorld(sources=0), funds)
    desk.world.advance(30)
    assert desk.observe(blob(dollars(2010, desk.now)))[:3] == (2000 * WAD, WAD, desk.now - 30)
    (log,) = desk.world.evm.logs
    assert (log.name, log.args) == ("UpdateUnpaid", {"underlying": ETH, "fee": FEE})
    assert desk.balance == funds


def test_without_balance_anybody_pushes_at_his_own_cost() -> None:
    desk = PythDesk.open(OracleWorld(sources=0), funds=0)
    desk.world.advance(30)
    desk.push(dollars(2010, desk.now))
    assert desk.observe()[0] == 2010 * WAD


def test_a_fee_over_the_limit_is_not_paid(desk: PythDesk) -> None:
    desk.set_feed(PythFeed(60, 5, FEE - 1))
    desk.world.advance(30)
    assert desk.observe(blob(dollars(2010, desk.now)))[0] == 2000 * WAD
    assert desk.world.evm.logs[0].name == "UpdateUnpaid"
    assert desk.balance == FUNDS


@pytest.mark.parametrize("update", [b"\x00", bytes(100)])
def test_what_pyth_cannot_read_is_an_error(desk: PythDesk, update: bytes) -> None:
    desk.world.advance(30)
    with reverts("PythSource_Refused", bytes(4)):
        desk.observe(update)
    assert desk.balance == FUNDS


def test_what_could_be_no_news_is_not_looked_at(desk: PythDesk) -> None:
    desk.world.advance(FEED.min_advance - 1)
    assert desk.observe(b"garbage")[0] == 2000 * WAD


def test_what_pyth_refuses_is_an_error_with_its_reason(broken: PythDesk) -> None:
    broken.world.advance(30)
    with reverts("PythSource_Refused", bytes.fromhex("2acbe915")):
        broken.observe(b"forged")


def test_a_stranger_does_not_push(desk: PythDesk) -> None:
    desk.world.advance(30)
    update = [blob(dollars(2010, desk.now))]
    with reverts("PythSource_NotSelf", desk.world.stranger):
        desk.source.push(PRICE_ID, update, 0, FUNDS, sender=desk.world.stranger)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_a_flood_of_updates_spends_as_the_mirror_and_within_the_bound(data: st.DataObject) -> None:
    feed = PythFeed(
        max_age=data.draw(st.integers(10, 90)),
        min_advance=data.draw(st.integers(1, 10)),
        max_fee=data.draw(st.sampled_from([FEE - 1, FEE])),
    )
    desk = PythDesk.open(OracleWorld(sources=0), funds=8 * FEE)
    desk.set_feed(feed)
    begin = last = desk.now
    calls = st.tuples(st.integers(0, 20), st.integers(-120, 2))
    for wait, offset in data.draw(st.lists(calls, max_size=25)):
        desk.world.advance(wait)
        time = desk.now + offset
        pays = is_worth_its_fee(last, time, desk.now, fee=FEE, balance=desk.balance, feed=feed)
        before = desk.balance
        desk.observe(blob(dollars(2000, time)))
        assert desk.balance == before - (FEE if pays else 0)
        last = time if pays else last
    spent = 8 * FEE - desk.balance
    assert spent <= FEE * ((desk.now - begin + feed.max_age) // feed.min_advance + 1)


# ---- Through the adapter ----------------------------------------------------------------------


def quorum(desk: PythDesk) -> RevmContract:
    signer = sign(Report(ETH, 1, 0, 0, 0, 0), Domain(CHAIN_ID, REFUND), b"\x01" * 32).signer
    return desk.world.deploy("QuorumSource", desk.world.manager, [signer], 1)


def report(desk: PythDesk, source: RevmContract, price: int) -> bytes:
    row = Report(ETH, price * WAD, WAD, desk.now, 0, 0)
    return pack_update([sign(row, Domain(CHAIN_ID, source.address), b"\x01" * 32)])


def test_a_jump_takes_both_sources(desk: PythDesk) -> None:
    publisher = quorum(desk)
    sources = (desk.source.address, publisher.address)
    desk.world.configure(ETH, FeedConfig(sources=sources, max_source_confidence_bps=500))

    def refresh(pyth: int | None, published: int | None) -> None:
        desk.world.advance(12)
        first = b"" if pyth is None else blob(dollars(pyth, desk.now))
        second = b"" if published is None else report(desk, publisher, published)
        desk.world.adapter.refresh([(ETH, [first, second])])

    refresh(2000, 2000)
    assert desk.world.snapshot(ETH).price == 2000 * WAD
    refresh(3000, 2000)
    assert desk.world.snapshot(ETH).suspect
    assert desk.world.snapshot(ETH).price == 2000 * WAD
    refresh(3000, 3000)
    assert not desk.world.snapshot(ETH).suspect
    assert desk.world.snapshot(ETH).price == 3000 * WAD
    desk.world.advance(100)
    refresh(4000, None)
    assert desk.world.snapshot(ETH).suspect
    assert desk.world.snapshot(ETH).price == 3000 * WAD
    assert desk.balance == FUNDS - 4 * FEE


def test_a_wide_price_is_dropped_or_marked(desk: PythDesk) -> None:
    desk.world.configure(ETH, FeedConfig(sources=(desk.source.address,), wide_limit=500))
    desk.world.adapter.refresh([(ETH, [])])
    for width, price, wide in ((10, 2010, False), (15, 2020, True), (25, 2020, True)):
        desk.world.advance(12)
        seen = dollars(2010 if width == 10 else 2020 + (width == 25), desk.now, width)
        desk.world.adapter.refresh([(ETH, [blob(seen)])])
        assert desk.world.snapshot(ETH).price == price * WAD
        assert desk.world.snapshot(ETH).wide == wide


def test_an_old_update_changes_nothing_in_the_adapter(desk: PythDesk) -> None:
    desk.world.configure(ETH, FeedConfig(sources=(desk.source.address,)))
    old = blob(dollars(1990, desk.now + 6))
    desk.world.advance(12)
    desk.world.adapter.refresh([(ETH, [blob(dollars(2010, desk.now))])])
    word = desk.world.snapshot_word(ETH)
    desk.world.advance(12)
    desk.world.adapter.refresh([(ETH, [old])])
    assert desk.world.snapshot_word(ETH) == word


def test_a_dead_pyth_is_a_stale_feed_and_no_failed_refresh(desk: PythDesk) -> None:
    desk.world.configure(ETH, FeedConfig(sources=(desk.source.address,)))
    desk.world.adapter.refresh([(ETH, [])])
    word = desk.world.snapshot_word(ETH)
    desk.world.remove_code(desk.pyth)
    desk.world.advance(12)
    desk.world.adapter.refresh([(ETH, [blob(dollars(2010, desk.now))])])
    assert desk.world.snapshot_word(ETH) == word


# ---- Configuration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feed", "name", "bounds"),
    [
        (PythFeed(9, 5, 0), "maxAge", (9, 10, 129_600)),
        (PythFeed(129_601, 5, 0), "maxAge", (129_601, 10, 129_600)),
        (PythFeed(60, 0, 0), "minAdvance", (0, 1, 60)),
        (PythFeed(60, 61, 0), "minAdvance", (61, 1, 60)),
        (PythFeed(60, 5, 10**16 + 1), "maxFee", (10**16 + 1, 0, 10**16)),
    ],
)
def test_bounds(desk: PythDesk, feed: PythFeed, name: str, bounds: tuple[int, ...]) -> None:
    with reverts("PythSource_OutOfBounds", name.encode().ljust(32, b"\0"), *bounds):
        desk.set_feed(feed)


def test_an_id_that_pyth_does_not_know_is_refused(desk: PythDesk) -> None:
    with reverts("PythSource_NoPrice", OTHER_ID):
        desk.set_feed(FEED, OTHER_ID)


@pytest.mark.parametrize("mode", [REVERTING, SILENT, SHORT, UNKNOWN])
def test_a_pyth_must_answer_when_a_feed_is_set(broken: PythDesk, mode: int) -> None:
    broken.pyth.setMode(mode)
    with reverts("PythSource_NoPrice", PRICE_ID):
        broken.set_feed(FEED)


def test_a_price_of_any_age_is_enough_to_be_set(desk: PythDesk) -> None:
    desk.world.advance(10**6)
    desk.set_feed(FEED)
    assert tuple(desk.source.feed(ETH)) == (PRICE_ID, 60, 5, 2 * FEE)


def test_pyth_has_code_and_the_balance_a_way_back(desk: PythDesk) -> None:
    nobody = "0x" + "99" * 20
    with reverts("PythSource_NoCode", nobody):
        desk.world.deploy("PythSource", desk.world.manager, nobody, REFUND)
    with reverts("PythSource_NoRefund"):
        desk.world.deploy("PythSource", desk.world.manager, desk.pyth, "0x" + "00" * 20)


def test_the_balance_goes_back_to_one_place(desk: PythDesk) -> None:
    desk.source.withdraw(FUNDS - 1)
    assert desk.world.evm.balance(REFUND) == FUNDS - 1
    with reverts("InsufficientBalance", 1, 2):
        desk.source.withdraw(2)


def test_a_stranger_governs_nothing(desk: PythDesk) -> None:
    stranger = desk.world.stranger
    with reverts("AccessManagedUnauthorized", stranger):
        desk.source.setFeed(ETH, PRICE_ID, 60, 5, 0, sender=stranger)
    with reverts("AccessManagedUnauthorized", stranger):
        desk.source.withdraw(1, sender=stranger)
    assert desk.source.PYTH().lower() == desk.pyth.address
    assert desk.source.REFUND().lower() == REFUND
