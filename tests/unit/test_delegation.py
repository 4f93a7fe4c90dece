"""What a delegate may do for an account, what not, and until when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ballast.codec import AccountId
from ballast.model.exchange import SignedOrder
from ballast.permissions import Permission
from ballast.units import WAD
from tests.support.clearing import CASH, WETH, ClearingWorld, as_tuple, units
from tests.support.revm import reverts

UINT64_MAX = 2**64 - 1


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 100_000)
    world.register_engine(world.engine)
    return world


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    account = world.account("trader")
    world.fund(account, 10_000)
    return account


@pytest.fixture
def key(world: ClearingWorld) -> str:
    return world.owner("hot key")


def trade(world: ClearingWorld, trader: AccountId, key: str) -> None:
    """An order of the account that the key signs."""
    maker = world.order(world.account("maker"), -1)
    order = world.order(trader, 1)
    world.settle_signed(
        (as_tuple(order), world.sign(order, "hot key")),
        [(as_tuple(maker), world.sign(maker))],
        [WAD],
        (SignedOrder(order, key), [SignedOrder(maker)]),
    )


def cancel(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.cancel(trader, 7 << 64, sender=key)


def deposit_new_asset(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.mint(WETH, key, WAD)
    world.deposit(trader, WETH, WAD, sender=key)


def transfer(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.transfer(trader, world.account("trader", 1), CASH, 10**6, sender=key)


def withdraw(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.withdraw(trader, CASH, 10**6, sender=key)


def select_engine(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.select_engine(trader, 1, sender=key)


Action = Callable[[ClearingWorld, AccountId, str], None]
ACTIONS: dict[Action, tuple[Permission, str]] = {
    trade: (Permission.TRADE, "Exchange_InvalidSignature"),
    cancel: (Permission.TRADE, "Exchange_NotPermitted"),
    deposit_new_asset: (Permission.DEPOSIT, "Clearinghouse_StrangerCannotAdd"),
    transfer: (Permission.TRANSFER, "Clearinghouse_NotPermitted"),
    withdraw: (Permission.WITHDRAW, "Clearinghouse_NotPermitted"),
    select_engine: (Permission.MANAGE, "Clearinghouse_NotPermitted"),
}
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda a: str(a.__name__))


@each_action
def test_the_permission_suffices(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    world.set_delegate(trader, key, ACTIONS[action][0])
    action(world, trader, key)


@each_action
def test_all_others_do_not(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    permission, error = ACTIONS[action]
    world.set_delegate(trader, key, Permission.ALL & ~permission)
    with reverts(error):
        action(world, trader, key)


@each_action
def test_it_holds_in_its_last_second(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    world.set_delegate(trader, key, ACTIONS[action][0], world.now + 12)
    world.advance(12)
    action(world, trader, key)


@each_action
def test_it_holds_no_second_longer(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    permission, error = ACTIONS[action]
    world.set_delegate(trader, key, permission, world.now + 12)
    world.advance(13)
    with reverts(error):
        action(world, trader, key)


@each_action
def test_revoking_holds_at_once(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    permission, error = ACTIONS[action]
    world.set_delegate(trader, key, permission)
    world.set_delegate(trader, key, Permission.NONE)
    with reverts(error):
        action(world, trader, key)


@each_action
def test_it_is_of_one_account(
    world: ClearingWorld, trader: AccountId, key: str, action: Action
) -> None:
    other = world.account("trader", 2)
    world.fund(other, 10_000)
    world.set_delegate(trader, key, Permission.ALL)
    with reverts(ACTIONS[action][1]):
        action(world, other, key)


def test_no_delegate_takes_money_to_himself(
    world: ClearingWorld, trader: AccountId, key: str
) -> None:
    world.set_delegate(trader, key, Permission.ALL)
    with reverts("Clearinghouse_NotOwner", trader.value, key):
        world.withdraw(trader, CASH, 1, to=key, sender=key)
    for index in (0, 1):
        with reverts("Clearinghouse_NotOwner", trader.value, key):
            world.transfer(trader, world.account("hot key", index), CASH, 1, sender=key)
    world.withdraw(trader, CASH, 10**6, sender=key)
    assert world.tokens[CASH].balanceOf(trader.owner) == 10**6
    assert world.tokens[CASH].balanceOf(key) == 0


def test_no_delegate_makes_delegates(world: ClearingWorld, trader: AccountId, key: str) -> None:
    world.set_delegate(trader, key, Permission.ALL)
    for delegate in (key, world.owner("stranger")):
        with reverts("Clearinghouse_NotOwner", trader.value, key):
            world.set_delegate(trader, delegate, Permission.ALL, sender=key)


def test_a_delegate_of_the_giver_adds_no_asset_to_the_taker(
    world: ClearingWorld, trader: AccountId, key: str
) -> None:
    other = world.account("trader", 1)
    world.fund(trader, weth=1)
    world.set_delegate(trader, key, Permission.ALL)
    with reverts("Clearinghouse_StrangerCannotAdd", other.value, WETH):
        world.transfer(trader, other, WETH, WAD, sender=key)
    world.set_delegate(other, key, Permission.DEPOSIT)
    world.transfer(trader, other, WETH, WAD, sender=key)


def test_permissions_that_do_not_exist(world: ClearingWorld, trader: AccountId, key: str) -> None:
    with reverts("Clearinghouse_UnknownPermission", 32):
        world.set_delegate(trader, key, 32)


def test_what_was_set_is_what_is_shown(world: ClearingWorld, trader: AccountId, key: str) -> None:
    assert world.house.delegateOf(trader, key) == (0, 0)
    held = Permission.TRADE | Permission.WITHDRAW
    world.set_delegate(trader, key, held, UINT64_MAX)
    [log] = world.transactions[-1][1]
    assert (log.name, log.args["delegate"]) == ("DelegateSet", key)
    assert world.house.delegateOf(trader, key) == (held, UINT64_MAX)
    assert world.house.isPermitted(trader, key, Permission.TRADE)
    assert world.house.isPermitted(trader, key, held)
    assert not world.house.isPermitted(trader, key, Permission.TRADE | Permission.MANAGE)
    assert world.house.isPermitted(trader, trader.owner, Permission.ALL)


def test_a_delegates_margin_is_the_accounts(
    world: ClearingWorld, trader: AccountId, key: str
) -> None:
    world.set_delegate(trader, key, Permission.WITHDRAW)
    world.trade(trader, world.account("maker"), 10)
    with reverts("Clearinghouse_InsufficientMargin"):
        world.withdraw(trader, CASH, 9_999 * 10**6, sender=key)
    assert world.cash_of(trader) == units(10_000)
