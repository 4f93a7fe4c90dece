"""Orders: signatures, lanes, fees, crossing, many makers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account as Keys

from ballast.codec import AccountId, Instrument
from ballast.model.exchange import MAX_FEE, RECALLABLE, Order, SignedOrder
from ballast.units import WAD
from tests.support.clearing import (
    BTC,
    BTC_PERP,
    CHAIN_ID,
    ETH,
    ETH_PERP,
    ClearingWorld,
    as_tuple,
    units,
)
from tests.support.revm import DEPLOYER, reverts

MAKER_FEE, TAKER_FEE = 10**14, 5 * 10**14
MAX_SEQUENCE = 2**64 - 1
CANCELLED = 2**128 - 1


@pytest.fixture
def world() -> ClearingWorld:
    return ClearingWorld(fees=(MAKER_FEE, TAKER_FEE))


@pytest.fixture
def taker(world: ClearingWorld) -> AccountId:
    return funded(world, "taker")


@pytest.fixture
def maker(world: ClearingWorld) -> AccountId:
    return funded(world, "maker")


def funded(world: ClearingWorld, role: str) -> AccountId:
    account = world.account(role)
    world.fund(account, 100_000)
    return account


# ---- Signatures -------------------------------------------------------------------------------

TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Order": [
        {"name": "account", "type": "bytes32"},
        {"name": "instrument", "type": "uint256"},
        {"name": "size", "type": "int256"},
        {"name": "limitPrice", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "expiry", "type": "uint256"},
        {"name": "maxFee", "type": "uint256"},
        {"name": "minHealth", "type": "uint256"},
        {"name": "reduceOnly", "type": "bool"},
        {"name": "postOnly", "type": "bool"},
    ],
}


def wallet_signature(world: ClearingWorld, order: Order, **domain: Any) -> bytes:
    """What a wallet makes of an order, by EIP-712 and nothing of ours."""
    names = [field["name"] for field in TYPES["Order"]]
    message = dict(zip(names, as_tuple(order), strict=True)) | {"account": order.account.value}
    data = {
        "types": TYPES,
        "primaryType": "Order",
        "domain": {
            "name": "Ballast Exchange",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": world.exchange.address,
        }
        | domain,
        "message": message,
    }
    return bytes(Keys.sign_typed_data(world.key_of(order.account), full_message=data).signature)


def submit(
    world: ClearingWorld,
    taker: tuple[Order, bytes],
    maker: tuple[Order, bytes],
    size: int = WAD,
    signer: str | None = None,
) -> None:
    """Settle one maker's order with signatures of the test's choice."""
    world.settle_signed(
        (as_tuple(taker[0]), taker[1]),
        [(as_tuple(maker[0]), maker[1])],
        [size],
        (SignedOrder(taker[0]), [SignedOrder(maker[0], signer)]),
    )


def test_a_wallet_signs_what_the_contract_checks(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    submit(world, (buy, wallet_signature(world, buy)), (sell, wallet_signature(world, sell)))


@pytest.mark.parametrize(
    "domain",
    [
        {"name": "Ballast"},
        {"version": "2"},
        {"chainId": 1},
        {"verifyingContract": DEPLOYER},
    ],
    ids=lambda domain: next(iter(domain)),
)
def test_another_domain_is_not_ours(
    world: ClearingWorld, taker: AccountId, maker: AccountId, domain: dict[str, Any]
) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    signature = wallet_signature(world, sell, **domain)
    signer = Keys._recover_hash(world.digest(sell), signature=signature).lower()
    with reverts("Exchange_InvalidSignature", maker.value, signer):
        submit(world, (buy, world.sign(buy)), (sell, signature), signer=signer)


CHANGES: dict[str, Any] = {
    "instrument": BTC_PERP,
    "size": -3 * WAD,
    "limit_price": 1999 * WAD,
    "nonce": 77,
    "expiry": 2**41,
    "max_fee": MAX_FEE - 1,
    "min_health": 1,
    "reduce_only": True,
    "post_only": True,
}


@pytest.mark.parametrize("field", [*CHANGES, "account"])
def test_every_field_is_signed(
    world: ClearingWorld, taker: AccountId, maker: AccountId, field: str
) -> None:
    signed = world.order(maker, -2)
    value = CHANGES.get(field, world.account("maker", 1))
    changed = replace(signed, **{field: value})
    buy = replace(world.order(taker, 1), instrument=changed.instrument)
    signature = world.sign(signed)
    signer = Keys._recover_hash(world.digest(changed), signature=signature).lower()
    assert world.digest(changed) != world.digest(signed)
    with reverts("Exchange_InvalidSignature", changed.account.value, signer):
        submit(world, (buy, world.sign(buy)), (changed, signature), signer=signer)


def test_every_field_has_a_change_in_the_tests() -> None:
    assert {*CHANGES, "account"} == set(Order.__slots__)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda signature: b"",
        lambda signature: signature[:64],
        lambda signature: signature + b"\0",
        lambda signature: signature[:64] + b"\x05",
        lambda signature: bytes(65),
    ],
    ids=["empty", "short", "long", "bad v", "zeros"],
)
def test_what_is_no_signature(
    world: ClearingWorld, taker: AccountId, maker: AccountId, spoil: Any
) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    nobody = "0x" + "00" * 20
    with reverts("Exchange_InvalidSignature", maker.value, nobody):
        submit(world, (buy, world.sign(buy)), (sell, spoil(world.sign(sell))), signer=nobody)


def test_a_malleable_signature(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    order_of_curve = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    plain = world.sign(sell)
    flipped = order_of_curve - int.from_bytes(plain[32:64], "big")
    twin = plain[:32] + flipped.to_bytes(32, "big") + bytes([55 - plain[64]])
    nobody = "0x" + "00" * 20
    with reverts("Exchange_InvalidSignature", maker.value, nobody):
        submit(world, (buy, world.sign(buy)), (sell, twin), signer=nobody)


def test_only_the_owner_signs(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    stranger = world.owner("stranger")
    with reverts("Exchange_InvalidSignature", maker.value, stranger):
        submit(world, (buy, world.sign(buy)), (sell, world.sign(sell, "stranger")), signer=stranger)


def test_the_taker_signs_too(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    stranger = world.owner("stranger")
    with reverts("Exchange_InvalidSignature", taker.value, stranger):
        world.settle_signed(
            (as_tuple(buy), world.sign(buy, "stranger")),
            [(as_tuple(sell), world.sign(sell))],
            [WAD],
            (SignedOrder(buy, stranger), [SignedOrder(sell)]),
        )


# ---- Lanes ------------------------------------------------------------------------------------


def test_partial_fills_add_up(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    sell = world.order(maker, -3)
    world.settle(world.order(taker, 1), [sell], [1])
    world.settle(world.order(taker, 2), [sell], [1.5])
    assert world.exchange.lane(maker, sell.lane) == (0, units(2.5))
    with reverts("Exchange_Overfilled", maker.value, sell.nonce, units(0.5), units(0.6)):
        world.settle(world.order(taker, 1), [sell], [0.6])
    world.settle(world.order(taker, 1), [sell], [0.5])


def test_a_filled_order_is_not_replayed(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    world.settle(buy, [sell], [1])
    with reverts("Exchange_Overfilled", maker.value, sell.nonce, 0, WAD):
        world.settle(buy, [sell], [1])
    with reverts("Exchange_Overfilled", taker.value, buy.nonce, 0, WAD):
        world.settle(buy, [world.order(maker, -1)], [1])


def test_a_higher_sequence_replaces(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    old = world.order(maker, -2, nonce=9 << 64 | 4)
    new = world.order(maker, -2, nonce=9 << 64 | 6)
    world.settle(world.order(taker, 1), [old], [1])
    world.settle(world.order(taker, 2), [new], [2])
    with reverts("Exchange_OrderSuperseded", maker.value, old.nonce, 6):
        world.settle(world.order(taker, 1), [old], [1])


def test_an_equal_sequence_shares_the_fill(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    """One of two orders in a lane cancels the other."""
    first = world.order(maker, -2, nonce=9 << 64)
    second = world.order(maker, -3, nonce=9 << 64)
    world.settle(world.order(taker, 2), [first], [2])
    with reverts("Exchange_Overfilled", maker.value, second.nonce, WAD, units(1.5)):
        world.settle(world.order(taker, 2), [second], [1.5])
    world.settle(world.order(taker, 1), [second], [1])
    with reverts("Exchange_Overfilled", maker.value, first.nonce, 0, 1):
        world.settle_exact(world.order(taker, 1), [first], [1])


def test_cancelling(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    sell = world.order(maker, -2, nonce=9 << 64 | 4)
    world.settle(world.order(taker, 1), [sell], [1])
    world.cancel(maker, sell.nonce)
    world.cancel(maker, sell.nonce)
    assert world.exchange.lane(maker, 9) == (4, CANCELLED)
    with reverts("Exchange_Overfilled", maker.value, sell.nonce, 0, WAD):
        world.settle(world.order(taker, 1), [sell], [1])
    world.settle(world.order(taker, 1), [replace(sell, nonce=9 << 64 | 5)], [1])
    with reverts("Exchange_OrderSuperseded", maker.value, sell.nonce, 5):
        world.cancel(maker, sell.nonce)


def test_cancelling_is_the_owners(world: ClearingWorld, maker: AccountId) -> None:
    stranger = world.owner("stranger")
    with reverts("Exchange_NotPermitted", maker.value, stranger):
        world.cancel(maker, 0, sender=stranger)


def test_cancelling_many_lanes_at_once(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    orders = [world.order(maker, -2, nonce=lane << 64 | 4) for lane in (7, 8, 9)]
    world.settle(world.order(taker, 1), [orders[0]], [1])
    world.cancel_many(maker, [order.nonce for order in orders])
    assert [log.args["nonce"] for log in world.transactions[-1][1]] == [
        order.nonce for order in orders
    ]
    for order in orders:
        with reverts("Exchange_Overfilled", maker.value, order.nonce, 0, WAD):
            world.settle(world.order(taker, 1), [order], [1])
    world.settle(world.order(taker, 1), [world.order(maker, -1, nonce=8 << 64 | 5)], [1])


def test_a_lane_that_went_on_does_not_stop_the_others(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    newer = world.order(maker, -2, nonce=7 << 64 | 5)
    world.settle(world.order(taker, 1), [newer], [1])
    world.cancel_many(maker, [7 << 64 | 4, 8 << 64 | 4])
    assert [log.args["nonce"] for log in world.transactions[-1][1]] == [8 << 64 | 4]
    assert world.exchange.lane(maker, 8) == (4, CANCELLED)
    world.settle(world.order(taker, 1), [newer], [1])


def test_a_recall_kills_every_recallable_order_below_it(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    old = [world.order(maker, -2, nonce=RECALLABLE | lane << 64 | 99) for lane in (0, 1, 2**60)]
    world.settle(world.order(taker, 1), [old[0]], [1])
    world.recall(maker, 100)
    assert world.exchange.floorOf(maker) == 100
    for order in old:
        with reverts("Exchange_OrderRecalled", maker.value, order.nonce, 100):
            world.settle(world.order(taker, 1), [order], [1])
    world.settle(world.order(taker, 1), [replace(old[0], nonce=old[0].nonce + 1)], [1])


def test_a_recall_leaves_other_lanes_and_other_accounts_alone(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    other = funded(world, "second maker")
    world.recall(maker, MAX_SEQUENCE)
    plain = world.order(maker, -1, nonce=(RECALLABLE - 1) ^ MAX_SEQUENCE)
    world.settle(world.order(taker, 1), [plain], [1])
    world.settle(world.order(taker, 1), [world.order(other, -1, nonce=RECALLABLE)], [1])
    last = world.order(maker, -1, nonce=RECALLABLE | MAX_SEQUENCE)
    world.settle(world.order(taker, 1), [last], [1])


def test_a_recalled_order_cannot_take_either(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    buy = world.order(taker, 1, nonce=RECALLABLE | 5)
    world.recall(taker, 6)
    with reverts("Exchange_OrderRecalled", taker.value, buy.nonce, 6):
        world.settle(buy, [world.order(maker, -1)], [1])


@pytest.mark.parametrize("sequence", [0, 6, 7])
def test_a_floor_only_rises(world: ClearingWorld, maker: AccountId, sequence: int) -> None:
    world.recall(maker, 7)
    with reverts("Exchange_FloorNotRaised", maker.value, 7, sequence):
        world.recall(maker, sequence)


def test_cancelling_many_and_recalling_are_the_owners(
    world: ClearingWorld, maker: AccountId
) -> None:
    stranger = world.owner("stranger")
    with reverts("Exchange_NotPermitted", maker.value, stranger):
        world.cancel_many(maker, [], sender=stranger)
    with reverts("Exchange_NotPermitted", maker.value, stranger):
        world.recall(maker, 1, sender=stranger)


def test_the_last_sequence_can_be_cancelled_too(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    last = world.order(maker, -1, nonce=9 << 64 | MAX_SEQUENCE)
    world.cancel(maker, last.nonce)
    with reverts("Exchange_Overfilled", maker.value, last.nonce, 0, WAD):
        world.settle(world.order(taker, 1), [last], [1])


def test_lanes_of_accounts_are_their_own(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    nonce = 9 << 64 | 4
    world.cancel(taker, nonce)
    world.settle(world.order(taker, 1), [world.order(maker, -1, nonce=nonce)], [1])


def test_a_late_order(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    sell = world.order(maker, -2, expiry=world.now)
    world.settle(world.order(taker, 1), [sell], [1])
    world.advance()
    with reverts("Exchange_OrderExpired", sell.expiry, world.now):
        world.settle(world.order(taker, 1), [sell], [1])
    late = world.order(taker, 1, expiry=0)
    with reverts("Exchange_OrderExpired", 0, world.now):
        world.settle(late, [world.order(maker, -1)], [1])


def test_the_greatest_numbers(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    sell = replace(world.order(maker, -1), size=-(2**255) + 1)
    buy = replace(world.order(taker, 1), size=2**255 - 1)
    cheap = replace(sell, limit_price=1)
    with reverts("Exchange_Overfilled", maker.value, sell.nonce, 2**255 - 1, 2**128):
        world.settle_exact(buy, [cheap], [2**128])
    dear = {"limit_price": 10**40}
    with reverts("SafeCastOverflowedUintDowncast"):
        world.settle_exact(replace(buy, **dear), [replace(sell, **dear)], [2**120])
    least = replace(sell, size=-(2**255))
    with reverts("Panic", 0x11):
        world.exchange.settle(
            (as_tuple(buy), world.sign(buy)), [(as_tuple(least), world.sign(least))], [1], []
        )


# ---- Crossing ---------------------------------------------------------------------------------


def test_a_taker_gets_the_makers_prices(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    other = funded(world, "second maker")
    sells = [world.order(maker, -1, 1990), world.order(other, -2, 2005)]
    world.settle(world.order(taker, 3, 2010), sells, [1, 2])
    paid = world.cash_of(taker)
    value = 1990 + 2 * 2005
    expected = 100_000 - (value - 3 * 2000) - 0.0005 * value
    assert paid == units(expected)


def test_one_taker_against_many_makers(world: ClearingWorld, taker: AccountId) -> None:
    makers = [funded(world, f"maker {index}") for index in range(8)]
    orders = [world.order(maker, 1, 2000 + i) for i, maker in enumerate(makers)]
    world.settle(world.order(taker, -6, 2000), orders, [0.5] * 8)
    assert world.house.market(1)[0] == 4 * WAD


def test_the_same_maker_twice(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    orders = [world.order(maker, -1, 2000), world.order(maker, -1, 2001)]
    world.settle(world.order(taker, 2, 2001), orders, [1, 1])


def test_a_taker_between_both_sides_of_its_position(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    """The word goes and comes back within one trade."""
    world.trade(taker, maker, -2)
    orders = [world.order(maker, -2), world.order(maker, -2)]
    world.settle(world.order(taker, 4), orders, [2, 2])


def test_a_maker_whose_price_is_worse_than_the_limit(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    with reverts("Exchange_PricesDoNotCross", 1999 * WAD, 2000 * WAD):
        world.settle(world.order(taker, 1, 1999), [world.order(maker, -1, 2000)], [1])
    with reverts("Exchange_PricesDoNotCross", 2001 * WAD, 2000 * WAD):
        world.settle(world.order(taker, -1, 2001), [world.order(maker, 1, 2000)], [1])


@pytest.mark.parametrize("size", [1, -1])
def test_orders_on_one_side(
    world: ClearingWorld, taker: AccountId, maker: AccountId, size: int
) -> None:
    with reverts("Exchange_SameSide", size * WAD, size * WAD):
        world.settle(world.order(taker, size), [world.order(maker, size)], [1])


def test_orders_of_nothing(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    with reverts("Exchange_SameSide", 0, 0):
        world.settle(world.order(taker, 0), [world.order(maker, 0)], [1])
    nothing = world.order(taker, 0)
    with reverts("Exchange_Overfilled", taker.value, nothing.nonce, 0, WAD):
        world.settle(nothing, [world.order(maker, 1)], [1])


def test_instruments_that_differ(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    with reverts("Exchange_InstrumentMismatch", ETH_PERP, BTC_PERP):
        world.settle(world.order(taker, 1), [world.order(maker, -1, instrument=BTC_PERP)], [1])


def test_sizes_that_do_not_match(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    buy = world.order(taker, 1)
    with reverts("Exchange_LengthMismatch", 0, 0):
        world.settle(buy, [], [])
    with reverts("Exchange_LengthMismatch", 1, 2):
        world.settle(buy, [world.order(maker, -1)], [1, 1])
    with reverts("Exchange_ZeroSize", 0):
        world.settle(buy, [world.order(maker, -1)], [0])


def test_a_post_only_order_makes_and_never_takes(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    sell = world.order(maker, -2, post_only=True)
    world.settle(world.order(taker, 1), [sell], [1])
    buy = world.order(taker, 1, post_only=True)
    with reverts("Exchange_PostOnlyTaker", taker.value, buy.nonce):
        world.settle(buy, [sell], [1])
    with reverts("Exchange_PostOnlyTaker", maker.value, sell.nonce):
        world.settle(sell, [buy], [1])


# ---- Fees -------------------------------------------------------------------------------------


def test_fees_over_the_orders_maximum(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    buy, sell = world.order(taker, 1), world.order(maker, -1)
    cheap = replace(buy, max_fee=TAKER_FEE - 1)
    with reverts("Exchange_FeeAboveMaximum", TAKER_FEE, TAKER_FEE - 1):
        world.settle(cheap, [sell], [1])
    cheap = replace(sell, max_fee=MAKER_FEE - 1)
    with reverts("Exchange_FeeAboveMaximum", MAKER_FEE, MAKER_FEE - 1):
        world.settle(buy, [cheap], [1])
    exact = replace(buy, max_fee=TAKER_FEE), replace(sell, max_fee=MAKER_FEE)
    world.settle(exact[0], [exact[1]], [1])


def test_fees_are_bounded(world: ClearingWorld) -> None:
    with reverts("Exchange_FeeOutOfBounds", MAX_FEE + 1, MAX_FEE):
        world.set_fees(ETH_PERP, MAX_FEE + 1, 0)
    with reverts("Exchange_FeeOutOfBounds", MAX_FEE + 1, MAX_FEE):
        world.set_fees(ETH_PERP, 0, MAX_FEE + 1)
    world.set_fees(ETH_PERP, MAX_FEE, MAX_FEE)
    assert world.exchange.fees(ETH_PERP) == (MAX_FEE, MAX_FEE)
    stranger = world.owner("stranger")
    with reverts("AccessManagedUnauthorized", stranger):
        world.exchange.setFees(ETH_PERP, 0, 0, sender=stranger)


def test_series_have_the_fees_of_their_underlying(world: ClearingWorld) -> None:
    options = Instrument.options(ETH).key
    series = Instrument.option(ETH, 2**31, 7 * WAD, True).key
    world.set_fees(options, 1, 2)
    world.set_fees(Instrument.options(BTC).key, 3, 4)
    assert world.exchange.fees(series) == world.model_exchange.fees(series) == (1, 2)
    for product in (series, options + 1, ETH_PERP + 1, 0, 4 << 248):
        with reverts("Exchange_UnknownProduct", product):
            world.set_fees(product, 1, 2)


def test_fees_round_up(world: ClearingWorld, taker: AccountId, maker: AccountId) -> None:
    world.settle_exact(world.order(taker, 1), [world.order(maker, -1)], [1])
    assert 100_000 * WAD - world.cash_of(taker) == 1
    assert world.cash_of(world.fee_account) >= 2


def test_prices_are_refreshed_first(
    world: ClearingWorld, taker: AccountId, maker: AccountId
) -> None:
    world.advance(4000)
    update = world.update(1, 2100)
    buy, sell = world.order(taker, 1, 2300), world.order(maker, -1, 2300)
    world.exchange.settle(
        (as_tuple(buy), world.sign(buy)), [(as_tuple(sell), world.sign(sell))], [WAD], [update]
    )
    assert world.oracle.snapshot(1) >> 188 == 2100 * 10**12
