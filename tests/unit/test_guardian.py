"""The guardian's stop: no new risk, and every way out open."""

from __future__ import annotations

import pytest

from ballast.codec import AccountId
from ballast.units import WAD
from tests.support.clearing import CASH, ETH, WETH, WETH_SPOT, Actions, ClearingWorld
from tests.support.revm import reverts

USDX = 10**6
GUARDIAN = 7


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 1_000_000)
    world.register_engine(world.engine)
    return world


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    """Long 10 ETH of perpetuals on 10,000 of cash and one WETH."""
    account = world.account("trader")
    world.fund(account, 10_000, weth=1)
    world.trade(account, world.account("maker"), 10)
    return account


@pytest.fixture
def borrower(world: ClearingWorld) -> AccountId:
    account = world.account("lender")
    world.fund(account, weth=10)
    world.withdraw(account, CASH, 2_000 * USDX)
    return account


def test_it_stops_trades_that_do_not_reduce(world: ClearingWorld, trader: AccountId) -> None:
    world.stop()
    for side in (1, -21):
        with reverts("Clearinghouse_NewRiskStopped"):
            world.trade(trader, world.account("maker"), side)
    newcomer = world.account("taker")
    world.fund(newcomer, 10_000)
    with reverts("Clearinghouse_NewRiskStopped"):
        world.trade(newcomer, world.account("maker"), 1)


def test_reductions_pass(world: ClearingWorld, trader: AccountId) -> None:
    world.stop()
    world.trade(trader, world.account("maker"), -4)
    world.trade(trader, world.account("maker"), -6)


def test_a_maker_may_not_grow_either(world: ClearingWorld, trader: AccountId) -> None:
    newcomer = world.account("taker")
    world.fund(newcomer, 100_000)
    world.stop()
    with reverts("Clearinghouse_NewRiskStopped", newcomer.value):
        world.trade(trader, newcomer, -4)


def test_it_stops_borrowing(world: ClearingWorld, borrower: AccountId) -> None:
    other = world.account("lender", 1)
    world.stop()
    with reverts("Clearinghouse_NewRiskStopped", borrower.value):
        world.withdraw(borrower, CASH, USDX)
    with reverts("Clearinghouse_NewRiskStopped", borrower.value):
        world.transfer(borrower, other, CASH, USDX)
    world.stop(False)
    world.withdraw(borrower, CASH, USDX)
    world.transfer(borrower, other, CASH, USDX)


def test_a_first_debt_is_borrowing(world: ClearingWorld) -> None:
    account = world.account("lender")
    world.fund(account, 100, weth=10)
    world.stop()
    with reverts("Clearinghouse_NewRiskStopped", account.value):
        world.withdraw(account, CASH, 101 * USDX)
    world.withdraw(account, CASH, 100 * USDX)


def test_free_collateral_leaves(
    world: ClearingWorld, trader: AccountId, borrower: AccountId
) -> None:
    world.stop()
    world.withdraw(trader, CASH, 1_000 * USDX)
    world.withdraw(trader, WETH, WAD)
    world.withdraw(borrower, WETH, WAD)


def test_deposits_and_repayments_pass(
    world: ClearingWorld, trader: AccountId, borrower: AccountId
) -> None:
    world.stop()
    world.fund(trader, 1, wbtc=1)
    world.fund(borrower, 3_000)
    world.withdraw(borrower, WETH, 10 * WAD)


def test_it_stops_changes_of_engine(world: ClearingWorld, trader: AccountId) -> None:
    world.stop()
    with reverts("Clearinghouse_NewRiskStopped", trader.value):
        world.select_engine(trader, 1)
    saver = world.account("taker")
    world.fund(saver, 1)
    world.select_engine(saver, 1)


def test_whoever_owes_nothing_trades_collateral(world: ClearingWorld, trader: AccountId) -> None:
    buyer = world.account("taker")
    world.fund(buyer, 5_000)
    world.fund(world.account("lender"), weth=5)
    world.stop()
    world.trade(buyer, world.account("lender"), 2, instrument=WETH_SPOT)


def test_cancelling_and_settling_pass(world: ClearingWorld, trader: AccountId) -> None:
    world.stop()
    world.cancel(trader, 1 << 64)
    world.settle_account(trader)
    world.collect_reserve()


def test_liquidations_pass(world: ClearingWorld) -> None:
    victim, keeper = world.account("trader"), world.account("liquidator")
    world.fund(victim, 10_000)
    world.fund(keeper, 100_000)
    world.trade(victim, world.account("maker"), 18)
    world.stop()
    world.set_price(ETH, 1700)
    assert world.liquidate(victim, keeper).fraction > 0


def test_the_stop_outlives_interest(world: ClearingWorld, borrower: AccountId) -> None:
    """Both are in one word."""
    world.stop()
    world.advance(3600)
    world.fund(world.account("maker"), 1)
    assert world.house.isNewRiskStopped()
    indices = world.house.interest()[:4]
    world.stop(False)
    assert world.house.interest()[:4] == indices
    assert not world.house.isNewRiskStopped()


# ---- Within a batch ---------------------------------------------------------------------------


def test_a_batch_opens_nothing(world: ClearingWorld, trader: AccountId) -> None:
    act, maker = Actions(world, trader.owner), world.account("maker")
    world.stop()
    with reverts("Clearinghouse_NewRiskStopped"):
        world.multicall(trader.owner, [act.trade(trader, maker, 1)])
    world.multicall(trader.owner, [act.trade(trader, maker, 1), act.trade(trader, maker, -2)])


def test_a_batch_borrows_nothing(world: ClearingWorld, borrower: AccountId) -> None:
    act = Actions(world, borrower.owner)
    world.mint(CASH, borrower.owner, 10 * USDX)
    world.stop()
    take, give = act.withdraw(borrower, CASH, 10 * USDX), act.deposit(borrower, CASH, 9 * USDX)
    with reverts("Clearinghouse_NewRiskStopped", borrower.value):
        world.multicall(borrower.owner, [take, give])


def test_a_batch_reduces_and_withdraws(world: ClearingWorld, trader: AccountId) -> None:
    act, maker = Actions(world, trader.owner), world.account("maker")
    world.stop()
    world.multicall(
        trader.owner, [act.trade(trader, maker, -10), act.withdraw(trader, CASH, 9_000 * USDX)]
    )


def test_no_risk_behind_a_deposit(world: ClearingWorld, trader: AccountId) -> None:
    act, maker = Actions(world, trader.owner), world.account("maker")
    world.mint(CASH, trader.owner, 50_000 * USDX)
    world.stop()
    actions = [act.trade(trader, maker, 1), act.deposit(trader, CASH, 50_000 * USDX)]
    for order in (actions, actions[::-1]):
        with reverts("Clearinghouse_NewRiskStopped"):
            world.multicall(trader.owner, order)


# ---- Who ------------------------------------------------------------------------------------


def test_a_guardian_stops_and_only_the_administration_resumes(world: ClearingWorld) -> None:
    guardian = world.owner("guardian")
    stop = world.house.interface.functions["stopNewRisk"][0].selector
    world.manager.setTargetFunctionRole(world.house, [stop], GUARDIAN)
    world.manager.grantRole(GUARDIAN, guardian, 0)
    world.house.stopNewRisk(sender=guardian)
    with reverts("AccessManagedUnauthorized", guardian):
        world.house.resumeNewRisk(sender=guardian)
    assert world.house.isNewRiskStopped()
    world.house.resumeNewRisk()
    with reverts("AccessManagedUnauthorized", world.owner("stranger")):
        world.house.stopNewRisk(sender=world.owner("stranger"))


def test_its_events_carry_who(world: ClearingWorld) -> None:
    world.stop()
    [log] = world.transactions[-1][1]
    assert log.name == "NewRiskStopped" and int(log.args["by"], 16) == int("de" * 20, 16)
