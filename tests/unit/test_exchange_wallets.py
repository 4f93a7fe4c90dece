"""Orders of accounts whose owner is a contract (ERC-1271)."""

from __future__ import annotations

import pytest

from ballast.codec import AccountId
from ballast.model.exchange import Order, SignedOrder
from tests.support.clearing import CASH, ClearingWorld, as_tuple, refused
from tests.support.revm import RevmContract, reverts

NOBODY = "0x" + "00" * 20


@pytest.fixture
def world() -> ClearingWorld:
    return ClearingWorld()


@pytest.fixture
def wallet(world: ClearingWorld) -> RevmContract:
    return world.evm.deploy("SignerWallet", world.owner("keyholder"))


@pytest.fixture
def account(world: ClearingWorld, wallet: RevmContract) -> AccountId:
    """An account of the wallet with 10,000 of cash, which anybody may add."""
    account = AccountId.make(wallet.address, 0)
    patron = world.owner("patron")
    world.mint(CASH, patron, 10_000 * 10**6)
    world.deposit(account, CASH, 10_000 * 10**6, sender=patron)
    return account


def sell(world: ClearingWorld, account: AccountId, signature: bytes, order: Order) -> None:
    """The order meets a buyer; the model believes that it is signed."""
    buyer = world.account("buyer")
    world.fund(buyer, 10_000)
    buy = world.order(buyer, 1)
    world.settle_signed(
        (as_tuple(buy), world.sign(buy)),
        [(as_tuple(order), signature)],
        [10**18],
        (SignedOrder(buy), [SignedOrder(order)]),
    )
    assert order.account == account


def test_a_wallet_signs_by_its_own_rules(world: ClearingWorld, account: AccountId) -> None:
    order = world.order(account, -1)
    sell(world, account, world.sign(order, "keyholder"), order)
    assert len(world.words_of(account)) == 1


def test_a_wallet_refuses(world: ClearingWorld, account: AccountId, wallet: RevmContract) -> None:
    order = world.order(account, -1)
    signature = world.sign(order, "keyholder")
    wallet.setKey(world.owner("successor"))
    with reverts("Exchange_InvalidSignature", account.value, world.owner("keyholder")):
        world.exchange.settle(*settlement(world, order, signature))


def test_a_wallet_that_fails_signs_nothing(
    world: ClearingWorld, account: AccountId, wallet: RevmContract
) -> None:
    order = world.order(account, -1)
    signature = world.sign(order, "keyholder")
    wallet.setBroken(True)
    with reverts("Exchange_InvalidSignature", account.value, world.owner("keyholder")):
        world.exchange.settle(*settlement(world, order, signature))


def test_another_order_of_a_wallet(world: ClearingWorld, account: AccountId) -> None:
    signed, other = world.order(account, -1), world.order(account, -2)
    signature = world.sign(signed, "keyholder")
    with refused("Exchange_InvalidSignature", account.value):
        world.exchange.settle(*settlement(world, other, signature))


def test_what_is_no_signature_of_a_wallet(world: ClearingWorld, account: AccountId) -> None:
    with reverts("Exchange_InvalidSignature", account.value, NOBODY):
        world.exchange.settle(*settlement(world, world.order(account, -1), b"\x01\x02"))


def settlement(world: ClearingWorld, order: Order, signature: bytes) -> tuple[object, ...]:
    """The arguments of a settlement with a buyer who is good for it."""
    buyer = world.account("buyer")
    world.fund(buyer, 10_000)
    buy = world.order(buyer, 1)
    return (as_tuple(buy), world.sign(buy)), [(as_tuple(order), signature)], [10**18], []
