"""Orders: what is signed is what the Exchange hashes, and files say the same as orders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ballast.client.orders import (
    MAX_LANE,
    MAX_SEQUENCE,
    RECALLABLE,
    Lane,
    OrderError,
    allocate,
    is_recallable,
    load_order,
    make_nonce,
    order_from_json,
    order_to_json,
    parse_duration,
    random_lane,
    save_order,
    sign_order,
    split_nonce,
)
from ballast.client.signers import KeySigner
from ballast.model import exchange
from ballast.permissions import Permission
from ballast.units import WAD, to_wad
from tests.support.revm import Evm
from tests.support.system import System, deploy_system


@pytest.fixture(scope="module")
def system() -> System:
    return deploy_system(Evm())


@pytest.fixture
def order(system):
    return system.order(
        "maker", "ETH-PERP", "-1.25", "2500.5", nonce=make_nonce(7, 3), min_health=2 * WAD
    )


@pytest.fixture
def signed(system, order):
    return system.sign("maker", order)


def test_the_digest_is_that_of_the_exchange(system, order):
    assert system.exchange.digest(order.as_tuple()) == order.digest(system.domain)


@pytest.mark.parametrize(
    "change",
    [
        {"size": to_wad("3")},
        {"nonce": make_nonce(MAX_LANE, MAX_SEQUENCE)},
        {"reduce_only": True},
        {"post_only": True},
        {"limit_price": 2**256 - 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_is_that_of_the_exchange_for_every_field(system, order, change):
    other = replace(order, **change)
    assert system.exchange.digest(other.as_tuple()) == other.digest(system.domain)
    assert other.digest(system.domain) != order.digest(system.domain)


def test_a_signed_order_settles(system):
    system.fund("maker", cash="50000")
    system.fund("taker", cash="50000")
    system.trade("taker", "maker", "ETH-PERP", "2", "2500")
    assert system.exchange.lane(system.account("taker"), 0)[1] == 2 * WAD


def test_only_the_owner_signs(system, order):
    stranger = KeySigner(system.evm.actor("stranger"))
    with pytest.raises(OrderError, match="does not own the account"):
        sign_order(order, system.domain, stranger)


@pytest.fixture
def may_trade(system):
    """Asks the contract, after the maker let a trading key trade for an hour."""
    house, owner = system.clearinghouse, system.evm.actor("maker")
    delegate, expiry = system.evm.actor("trading key"), system.evm.time + 3600
    house.setDelegate(system.account("maker"), delegate, Permission.TRADE, expiry, sender=owner)
    return lambda account, who: house.isPermitted(account, who, Permission.TRADE)


def test_a_delegate_signs_and_its_order_is_taken_for_one(system, order, may_trade, tmp_path):
    path, key = tmp_path / "order.json", KeySigner(system.evm.actor("trading key"))
    signed = sign_order(order, system.domain, key, may_trade)
    save_order(path, signed, system.domain, system.book)
    assert load_order(path, system.domain, system.book, may_trade) == signed
    with pytest.raises(OrderError, match="may trade for it"):
        load_order(path, system.domain, system.book)


def test_a_delegate_of_another_account_does_not_sign(system, order, may_trade):
    other = replace(order, account=system.account("maker", 1))
    key = KeySigner(system.evm.actor("trading key"))
    with pytest.raises(OrderError, match="may not trade for it"):
        sign_order(other, system.domain, key, may_trade)


def test_a_delegate_whose_time_is_over_does_not_sign(system, order, may_trade):
    key = KeySigner(system.evm.actor("trading key"))
    system.evm.advance(3601)
    with pytest.raises(OrderError, match="may not trade for it"):
        sign_order(order, system.domain, key, may_trade)


def test_the_signer_is_recovered(system, signed):
    assert signed.signer(system.domain) == system.evm.actor("maker").address


def test_recallable_lanes_are_chosen_and_never_by_chance():
    assert all(not is_recallable(random_lane()) for _ in range(64))
    assert is_recallable(RECALLABLE | random_lane())
    assert make_nonce(RECALLABLE, 0) == exchange.RECALLABLE


# ---- Files ----


def test_a_file_gives_back_the_order(system, signed, tmp_path):
    path = tmp_path / "order.json"
    save_order(path, signed, system.domain, system.book)
    assert load_order(path, system.domain, system.book) == signed


def test_a_file_is_readable(system, signed):
    data = order_to_json(signed, system.domain, system.book)
    assert data["instrument"] == "ETH-PERP"
    assert (data["side"], data["size"], data["limitPrice"]) == ("sell", "1.25", "2500.5")
    assert (data["lane"], data["sequence"], data["minHealth"]) == ("7", "3", "2")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"side": "hold"}, "side must be buy or sell, not 'hold'"),
        ({"size": 1.25}, "size must be a decimal number in quotes"),
        ({"size": "many"}, "size: 'many' is not a number"),
        ({"size": "-1"}, "size must not be negative"),
        ({"instrument": "DOGE-PERP"}, "instrument: 'DOGE-PERP' does not trade here"),
        ({"account": "me"}, "account: 'me' is not an address"),
        ({"expiry": "tomorrow"}, "expiry must be like 2026-01-31T12:00:00Z"),
        ({"lane": 7}, "lane must be a whole number in quotes"),
        ({"sequence": str(2**64)}, "sequence 18446744073709551616 does not fit 64 bits"),
        ({"reduceOnly": "no"}, "reduceOnly must be true or false"),
        ({"postOnly": 1}, "postOnly must be true or false"),
        ({"signature": "0x00"}, "signature must be 65 bytes in hex"),
        ({"signature": "0x" + "00" * 65}, "signature: it is nobody's"),
        ({"chainId": 1}, "chainId: signed for chain 1, not 31337"),
        ({"exchange": "0x" + "00" * 20}, "exchange: signed for"),
        ({"size": "1.26"}, "or the order was changed after it was signed"),
        ({"colour": "red"}, "colour is not a field of an order"),
    ],
)
def test_a_wrong_field_is_named(system, signed, change, complaint):
    data = order_to_json(signed, system.domain, system.book) | change
    with pytest.raises(OrderError) as caught:
        order_from_json(data, system.domain, system.book)
    assert complaint in str(caught.value)


def test_a_missing_field_is_named(system, signed):
    data = order_to_json(signed, system.domain, system.book)
    del data["maxFee"]
    with pytest.raises(OrderError, match="maxFee is missing"):
        order_from_json(data, system.domain, system.book)


def test_a_file_that_is_not_json_is_named(system, tmp_path):
    path = tmp_path / "order.json"
    path.write_text("buy!")
    with pytest.raises(OrderError, match=r"order\.json is not JSON"):
        load_order(path, system.domain, system.book)


# ---- Lanes and sizes ----


def test_nonces_are_lane_and_sequence():
    assert split_nonce(make_nonce(5, 9)) == (5, 9)
    with pytest.raises(OrderError, match="lane"):
        make_nonce(MAX_LANE + 1, 0)


def test_the_next_sequence_replaces_what_is_filled():
    assert Lane(4, 0).next_sequence == 4
    assert Lane(4, 1).next_sequence == 5


@pytest.mark.parametrize(
    ("makers", "taker", "wanted", "sizes"),
    [([5], 3, None, [3]), ([2, 9], 6, None, [2, 4]), ([5], 9, 4, [4]), ([2], 9, None, [2])],
)
def test_makers_are_filled_in_their_order(makers, taker, wanted, sizes):
    assert allocate(makers, taker, wanted) == sizes


def test_an_exhausted_order_is_refused():
    with pytest.raises(OrderError, match="nothing is left"):
        allocate([0], 5, None)
    with pytest.raises(OrderError, match="not 4"):
        allocate([2 * WAD], 9 * WAD, 4 * WAD)


def test_durations():
    assert parse_duration("15m") == 900
    with pytest.raises(OrderError, match="is no duration"):
        parse_duration("soon")
