"""Deposits by a signature (EIP-2612), used in the same batch."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account as Keys
from eth_utils.crypto import keccak

from ballast.codec import AccountId
from tests.support.clearing import CASH, FOREVER, Actions, ClearingWorld
from tests.support.revm import reverts

PERMIT = keccak(
    text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
AMOUNT = 10**9


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.mint(CASH, world.owner("trader"), AMOUNT)
    world.tokens[CASH].approve(world.house, 0, sender=world.owner("trader"))
    return world


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    return world.account("trader")


def sign(world: ClearingWorld, amount: int = AMOUNT, deadline: int = FOREVER) -> tuple[Any, ...]:
    """A permit of the trader's for the Clearinghouse, as its arguments."""
    token, owner = world.tokens[CASH], world.owner("trader")
    words = [owner, world.house.address, amount, token.nonces(owner), deadline]
    body = b"".join(
        bytes.fromhex(w[2:]).rjust(32, b"\0") if isinstance(w, str) else w.to_bytes(32)
        for w in words
    )
    digest = keccak(b"\x19\x01" + token.DOMAIN_SEPARATOR() + keccak(PERMIT + body))
    signed = Keys.unsafe_sign_hash(digest, world.key_of(world.account("trader")))
    return amount, deadline, signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32)


def deposit_with(world: ClearingWorld, trader: AccountId, permit: tuple[Any, ...]) -> None:
    calls = [
        world.house.permit.encode(CASH, *permit),
        Actions(world, trader.owner).deposit(trader, CASH, AMOUNT).data,
    ]
    world.house.multicall([], calls, sender=trader.owner)


def test_one_transaction(world: ClearingWorld, trader: AccountId) -> None:
    deposit_with(world, trader, sign(world))
    assert world.cash_of(trader) == AMOUNT * 10**12
    assert world.tokens[CASH].allowance(trader.owner, world.house) == 0


def test_somebody_used_the_signature_first(world: ClearingWorld, trader: AccountId) -> None:
    permit = sign(world)
    thief = world.owner("attacker")
    world.tokens[CASH].permit(trader.owner, world.house, *permit, sender=thief)
    deposit_with(world, trader, permit)
    assert world.cash_of(trader) == AMOUNT * 10**12


@pytest.mark.parametrize("change", ["amount", "deadline"])
def test_a_permit_that_is_none(world: ClearingWorld, trader: AccountId, change: str) -> None:
    permit = sign(world)
    if change == "amount":
        permit = (AMOUNT + 1, *permit[1:])
    else:
        permit = sign(world, deadline=world.now - 1)
    with reverts("ERC20InsufficientAllowance"):
        deposit_with(world, trader, permit)


def test_nobody_uses_anothers_permit(world: ClearingWorld, trader: AccountId) -> None:
    thief = world.account("attacker")
    with reverts("ERC20InsufficientAllowance"):
        deposit_with(world, thief, sign(world))


def test_assets_that_are_not_registered(world: ClearingWorld) -> None:
    with reverts("Clearinghouse_UnknownAsset", 9):
        world.house.permit(9, *sign(world))
