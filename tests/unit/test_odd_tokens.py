"""Tokens as they are found: what goes wrong stays with whoever used them; the books stay exact."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ballast.codec import AccountId, Collateral, decode_positions
from tests.support.clearing import CASH, ETH, ClearingWorld
from tests.support.revm import Reverted, RevmContract, reverts

USDX = 10**6
PLAIN = [("TestToken", 0), ("TestToken", 6), ("TestToken", 8), ("TestToken", 18)]
ODD = [("NoReturnToken", 6), ("FeeOnTransferToken", 18), ("ShrinkingToken", 18), ("FalseToken", 8)]
every_token = pytest.mark.parametrize(("name", "decimals"), PLAIN + ODD)


@dataclass
class Listed:
    """A token that is registered as collateral, priced like ether, with its holders' accounts."""

    world: ClearingWorld
    token: RevmContract
    asset: int
    unit: int
    keeps_percent: int
    """What a transfer keeps back, rounded up."""

    def arriving(self, amount: int) -> int:
        return amount - -(-amount * self.keeps_percent // 100)

    def deposit(self, account: AccountId, amount: int) -> int:
        owner = account.owner
        self.token.mint(owner, amount)
        self.token.approve(self.world.house, amount, sender=owner)
        return int(self.world.house.deposit(account, self.asset, amount, sender=owner))

    def amount(self, account: AccountId) -> int:
        words = decode_positions(self.world.house.accountWords(account)[1])
        held = [p for p in words if isinstance(p, Collateral) and p.asset == self.asset]
        return sum(p.amount for p in held)

    def check(self, *accounts: AccountId, missing: int = 0) -> None:
        """[I2] Tokens held = recorded total = Σ of the amounts, but for what is missing."""
        total = self.world.house.asset(self.asset)[3]
        assert total == sum(self.amount(account) for account in accounts), "I2"
        assert self.token.balanceOf(self.world.house) == total - missing, "I2"


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 1_000_000)
    world.fund(world.account("liquidator"), 100_000)
    return world


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    return world.account("trader")


def listed(world: ClearingWorld, name: str, decimals: int) -> Listed:
    token = world.evm.deploy(name, "Odd", "ODD", decimals)
    asset = world.house.registerAsset(token, ETH)
    world.engine.setAsset(asset, 200, 300)
    world.house.setAssetCap(asset, 10 ** (decimals + 6))
    keeps = 1 if name == "FeeOnTransferToken" else 0
    return Listed(world, token, asset, 10**decimals, keeps)


@every_token
def test_in_across_and_out(
    world: ClearingWorld, trader: AccountId, name: str, decimals: int
) -> None:
    one, other = listed(world, name, decimals), world.account("trader", 1)
    arrived = one.arriving(100 * one.unit)
    assert one.deposit(trader, 100 * one.unit) == arrived
    one.check(trader)
    world.house.transfer(trader, other, one.asset, 30 * one.unit, sender=trader.owner)
    assert (one.amount(trader), one.amount(other)) == (arrived - 30 * one.unit, 30 * one.unit)
    one.check(trader, other)
    world.house.withdraw(other, one.asset, 30 * one.unit, trader.owner, sender=trader.owner)
    assert one.token.balanceOf(trader.owner) == one.arriving(30 * one.unit)
    one.check(trader, other)
    left = one.amount(trader)
    with reverts("Clearinghouse_InsufficientBalance", trader.value, one.asset, left, left + 1):
        world.house.withdraw(trader, one.asset, left + 1, trader.owner, sender=trader.owner)


@every_token
def test_a_slice(world: ClearingWorld, trader: AccountId, name: str, decimals: int) -> None:
    one, keeper = listed(world, name, decimals), world.account("liquidator")
    one.deposit(trader, 10 * one.unit)
    borrowed = 7_000 * USDX
    world.house.withdraw(trader, CASH, borrowed, trader.owner, sender=trader.owner)
    world.evm.advance(12)
    world.oracle.refresh([world.update(ETH, 850)])
    assert world.margin(trader).equity < world.margin(trader).maintenance
    before = one.amount(trader)
    taken = world.liquidator.liquidate(trader, keeper, 10**18, 0, 0, [], sender=keeper.owner)
    assert one.amount(keeper) == before * taken // 10**18
    one.check(trader, keeper)


@every_token
def test_permits_of_tokens_that_may_not_know_them(
    world: ClearingWorld, trader: AccountId, name: str, decimals: int
) -> None:
    one = listed(world, name, decimals)
    world.house.permit(one.asset, 1, 2**40, 27, bytes(32), bytes(32), sender=trader.owner)
    assert one.token.allowance(trader.owner, world.house) == 0
    with pytest.raises(Reverted):
        world.house.deposit(trader, one.asset, 1, sender=trader.owner)
    one.check(trader)


def test_a_token_that_answers_false(world: ClearingWorld, trader: AccountId) -> None:
    one = listed(world, "FalseToken", 8)
    one.deposit(trader, 10 * one.unit)
    one.token.setFailing(True)
    one.token.mint(trader.owner, one.unit)
    one.token.approve(world.house, one.unit, sender=trader.owner)
    with reverts("SafeERC20FailedOperation", one.token.address):
        world.house.deposit(trader, one.asset, one.unit, sender=trader.owner)
    with reverts("SafeERC20FailedOperation", one.token.address):
        world.house.withdraw(trader, one.asset, one.unit, trader.owner, sender=trader.owner)
    one.check(trader)


def test_a_blocked_recipient_withdraws_elsewhere(world: ClearingWorld, trader: AccountId) -> None:
    one, elsewhere = listed(world, "BlocklistToken", 6), world.owner("stranger")
    one.deposit(trader, 10 * one.unit)
    one.token.setBlocked(trader.owner, True)
    with reverts("BlocklistToken_Blocked"):
        world.house.withdraw(trader, one.asset, one.unit, trader.owner, sender=trader.owner)
    one.check(trader)
    world.house.withdraw(trader, one.asset, one.unit, elsewhere, sender=trader.owner)
    assert one.token.balanceOf(elsewhere) == one.unit
    one.check(trader)


def test_a_blocked_debtor_is_liquidated_all_the_same(
    world: ClearingWorld, trader: AccountId
) -> None:
    """A slice moves words, not tokens."""
    one = listed(world, "BlocklistToken", 6)
    one.deposit(trader, 10 * one.unit)
    one.token.setBlocked(trader.owner, True)
    one.token.setBlocked(world.house, True)
    keeper = world.account("liquidator")
    world.house.withdraw(trader, CASH, 7_000 * USDX, trader.owner, sender=trader.owner)
    world.evm.advance(12)
    world.oracle.refresh([world.update(ETH, 850)])
    world.liquidator.liquidate(trader, keeper, 10**18, 0, 0, [], sender=keeper.owner)
    one.check(trader, keeper)


def test_what_shrinks_is_missing_from_that_token_alone(
    world: ClearingWorld, trader: AccountId
) -> None:
    """The last to leave bears it; no other asset's books know of it."""
    one, other = listed(world, "ShrinkingToken", 18), world.account("trader", 1)
    one.deposit(trader, 10 * one.unit)
    one.deposit(other, 10 * one.unit)
    one.token.shrink(world.house, one.unit)
    one.check(trader, other, missing=one.unit)
    world.house.withdraw(trader, one.asset, 10 * one.unit, trader.owner, sender=trader.owner)
    with reverts("ERC20InsufficientBalance"):
        world.house.withdraw(other, one.asset, 10 * one.unit, other.owner, sender=other.owner)
    world.house.withdraw(other, one.asset, 9 * one.unit, other.owner, sender=other.owner)
    assert world.surplus() >= 0


def test_a_deposit_of_which_nothing_arrives(world: ClearingWorld, trader: AccountId) -> None:
    one = listed(world, "FeeOnTransferToken", 18)
    with reverts("Clearinghouse_ZeroAmount"):
        one.deposit(trader, 1)
