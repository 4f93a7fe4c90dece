"""Liquidations: who, when, how much, at what price."""

from __future__ import annotations

import pytest

from ballast.codec import AccountId, Collateral, Perp, decode_positions
from ballast.model.liquidator import discount_of, fraction_to_target, payment_for
from ballast.model.margin import LiquidationTerms
from ballast.units import WAD
from tests.support.clearing import BTC, CASH, ETH, WETH, ClearingWorld, refused, units
from tests.support.revm import reverts

TERMS = LiquidationTerms(1_150 * 10**15, 5 * 10**15, 100 * 10**15, 500 * 10**15)
DOWN = 1 + 0  # the scenario in which everything falls by its whole range
UP = 1 + 16


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 10_000_000)
    world.fund(world.account("liquidator"), 1_000_000)
    return world


@pytest.fixture
def keeper(world: ClearingWorld) -> AccountId:
    return world.account("liquidator")


@pytest.fixture
def account(world: ClearingWorld) -> AccountId:
    """Long 10 at 2,000 with 5,000 of cash: liquidatable below about 1,818."""
    account = world.account("trader")
    world.fund(account, 5_000)
    world.trade(account, world.account("maker"), 10)
    return account


def fall(world: ClearingWorld, price: float) -> None:
    world.set_price(ETH, price)
    world.set_price(BTC, 50_000)


# ---- Who and when -------------------------------------------------------------------------------


def test_only_into_an_own_account(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    stranger = world.owner("stranger")
    with reverts("Liquidator_NotOwner", keeper.value, stranger):
        world.liquidate(account, keeper, sender=stranger)


def test_a_healthy_account(world: ClearingWorld, account: AccountId, keeper: AccountId) -> None:
    margin = world.margin(account)
    with reverts("Liquidator_Healthy", account.value, margin.equity, margin.maintenance):
        world.liquidate(account, keeper)


def test_an_account_without_anything(world: ClearingWorld, keeper: AccountId) -> None:
    nobody = world.account("stranger")
    with reverts("Liquidator_Healthy", nobody.value, 0, 0):
        world.liquidate(nobody, keeper)


def test_a_bankrupt_account(world: ClearingWorld, account: AccountId, keeper: AccountId) -> None:
    fall(world, 1450)
    with reverts("Liquidator_Bankrupt", account.value, world.margin(account).equity):
        world.liquidate(account, keeper)


def test_nothing_to_take(world: ClearingWorld, account: AccountId, keeper: AccountId) -> None:
    fall(world, 1750)
    with reverts("Liquidator_ZeroFraction"):
        world.liquidate(account, keeper, 0)


def test_a_reward_below_what_is_asked(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    snapshot = world.evm.snapshot()
    deal = world.model.state.saved()
    reward = world.liquidate(account, keeper).reward
    world.evm.revert(snapshot)
    world.model.state.restore(deal)
    with reverts("Liquidator_RewardBelowMinimum", reward, reward + 1):
        world.liquidate(account, keeper, min_value=reward + 1)
    world.liquidate(account, keeper, min_value=reward)


def test_not_into_itself(world: ClearingWorld, account: AccountId) -> None:
    fall(world, 1750)
    with reverts("Clearinghouse_SameAccount", account.value):
        world.liquidate(account, account)


def test_into_the_insurance_account(world: ClearingWorld, account: AccountId) -> None:
    """Its share goes to the account that just took the slice; all sums are checked."""
    fall(world, 1750)
    insurer = world.insurance_account
    world.fund(insurer, 100_000)
    world.liquidate(account, insurer)
    assert world.words_of(insurer)


def test_the_receiver_must_meet_its_initial_margin(
    world: ClearingWorld, account: AccountId
) -> None:
    fall(world, 1750)
    poor = world.account("liquidator", 1)
    world.fund(poor, 10)
    with refused("Clearinghouse_InsufficientMargin", poor.value):
        world.liquidate(account, poor)


def test_not_in_the_block_of_its_last_check(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    world.advance(60)
    world.trade(account, world.account("maker"), 0.001)
    world.refresh(ETH, 1750)
    with reverts("Clearinghouse_CheckedInThisBlock", account.value):
        world.liquidate(account, keeper)
    world.advance()
    world.liquidate(account, keeper)


def test_a_fraction_over_one_is_the_modules_mistake(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    module = world.liquidator
    piece = (account, keeper, WAD + 1, 0, 0, 0, 0)
    with reverts("Clearinghouse_InvalidFraction", WAD + 1):
        world.as_module(module, lambda: world.house.transferSlice(piece, sender=module.address))


# ---- How much -----------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [1810, 1750, 1650, 1560])
def test_the_fraction_restores_the_target(
    world: ClearingWorld, account: AccountId, keeper: AccountId, price: float
) -> None:
    fall(world, price)
    before = world.margin(account)
    assert before.equity < before.maintenance
    deal = world.liquidate(account, keeper)
    after = world.margin(account)
    if deal.fraction < WAD:
        health = after.equity * WAD // after.maintenance
        assert health == pytest.approx(1.15 * WAD, rel=1e-12)
        assert health <= 1.15 * WAD + 100
    assert after.equity * before.maintenance >= before.equity * after.maintenance, "I4"


def test_near_bankruptcy_all_is_taken(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1505)
    deal = world.liquidate(account, keeper)
    assert deal.fraction == WAD
    assert deal.payment == 0
    assert world.words_of(account) == []
    assert world.cash_of(account) == 0


def test_dust_is_taken_whole(world: ClearingWorld, keeper: AccountId) -> None:
    small = world.account("trader", 1)
    world.fund(small, 50)
    world.trade(small, world.account("maker"), 0.1)
    fall(world, 1800)
    assert world.margin(small).maintenance < 50 * WAD
    assert world.liquidate(small, keeper).fraction == WAD
    assert world.words_of(small) == []


def test_a_smaller_fraction_may_be_asked(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    assert world.liquidate(account, keeper, WAD // 10).fraction == WAD // 10


def test_splitting_gains_nothing(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    """[I4] Two bites bring no more than one, to rounding."""
    fall(world, 1700)
    checkpoint, state = world.evm.snapshot(), world.model.state.saved()
    whole = world.liquidate(account, keeper)
    world.evm.revert(checkpoint)
    world.model.state.restore(state)
    rewards = 0
    for _ in range(20):
        rewards += world.liquidate(account, keeper, whole.fraction // 20).reward
        world.advance()
    rewards += world.liquidate(account, keeper).reward
    assert rewards <= whole.reward * (1 + 10**-6)


def test_the_insurance_gets_a_fifth(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1700)
    before = world.margin(keeper).equity
    deal = world.liquidate(account, keeper)
    assert world.cash_of(world.insurance_account) == deal.insurance
    assert deal.insurance == pytest.approx((deal.reward + deal.insurance) / 5, rel=1e-12)
    assert world.margin(keeper).equity - before == pytest.approx(deal.reward, abs=100)


def test_a_hedge_stays_whole(world: ClearingWorld, keeper: AccountId) -> None:
    """Ether against a short perpetual, brought down by the interest on what was withdrawn."""
    hedged = world.account("trader", 2)
    world.fund(hedged, weth=10)
    world.trade(hedged, world.account("maker"), -10)
    world.withdraw(hedged, CASH, 17_000 * 10**6)
    for _ in range(20):
        if world.margin(hedged).equity < world.margin(hedged).maintenance:
            break
        world.advance(365 * 86400)
        world.fund(world.account("maker"), 1)
        fall(world, 2000)
    deal = world.liquidate(hedged, keeper)
    assert 0 < deal.fraction < WAD
    for who in (hedged, keeper):
        size, amount = _held(world, who)
        assert amount > 0
        assert abs(size + amount) <= 2, "every ether stays hedged"


def _held(world: ClearingWorld, account: AccountId) -> tuple[int, int]:
    """Perpetual size and collateral of an account, both in 1e-18 ether."""
    positions = decode_positions(world.words_of(account))
    size = sum(p.size for p in positions if isinstance(p, Perp))
    return size, sum(p.amount for p in positions if isinstance(p, Collateral))


def test_a_slice_nets_against_what_the_receiver_holds(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    world.trade(keeper, world.account("maker"), -3)
    fall(world, 1700)
    deal = world.liquidate(account, keeper)
    moved = 10 * WAD * deal.fraction // WAD
    positions = decode_positions(world.words_of(keeper))
    assert [p.size for p in positions if isinstance(p, Perp)] == [moved - 3 * WAD]


def test_a_debt_is_taken_over(world: ClearingWorld, keeper: AccountId) -> None:
    borrower = world.account("trader", 3)
    world.fund(borrower, weth=10)
    world.withdraw(borrower, 0, 14_500 * 10**6)
    fall(world, 1800)
    before = world.margin(borrower)
    deal = world.liquidate(borrower, keeper)
    assert 0 < deal.fraction < WAD
    assert world.margin(borrower).equity * before.maintenance >= (
        before.equity * world.margin(borrower).maintenance
    )
    assert Collateral(WETH, 10 * WAD * deal.fraction // WAD) in decode_positions(
        world.words_of(keeper)
    )


# ---- Witnesses ----------------------------------------------------------------------------------


def test_a_witness_proves_enough(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    assert world.margin(account, DOWN).maintenance == world.margin(account).maintenance
    world.liquidate(account, keeper, witness=DOWN)


def test_a_witness_that_proves_nothing(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    margin = world.margin(account, UP)
    with reverts("Liquidator_Healthy", account.value, margin.equity, margin.maintenance):
        world.liquidate(account, keeper, witness=UP)


def test_a_mild_witness_favours_the_owner(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1650)
    three_quarters = 1 + 2
    checkpoint, state = world.evm.snapshot(), world.model.state.saved()
    full = world.liquidate(account, keeper)
    world.evm.revert(checkpoint)
    world.model.state.restore(state)
    mild = world.liquidate(account, keeper, witness=three_quarters)
    assert mild.fraction < full.fraction
    assert mild.reward < full.reward


def test_a_witness_that_does_not_exist(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    fall(world, 1750)
    with reverts("JointScenarioEngine_UnknownScenario", 23):
        world.liquidate(account, keeper, witness=24)


# ---- The algebra --------------------------------------------------------------------------------


@pytest.mark.parametrize("health", [0, 1, 250, 499, 500, 501, 750, 999])
def test_the_discount_is_linear_and_bounded(health: int) -> None:
    maintenance = 1000 * WAD
    equity = health * WAD
    discount = discount_of(TERMS, equity, maintenance)
    rate = 0.1 if health <= 500 else 0.005 + 0.095 * (1000 - health) / 500
    assert discount == pytest.approx(min(rate * maintenance, equity), rel=1e-12)
    assert 0 <= discount <= equity


def test_rewards_never_grow_by_waiting() -> None:
    """What a whole account costs falls with its equity: there is no cliff to wait for."""
    maintenance = 1000 * WAD
    costs = [e * WAD - discount_of(TERMS, e * WAD, maintenance) for e in range(0, 1000, 7)]
    assert costs == sorted(costs)


def test_payments_add_up() -> None:
    for fraction in (1, 3, WAD // 3, WAD - 1, WAD):
        for equity, discount in ((0, 0), (7, 7), (units(900), units(15)), (units(3), 1)):
            deal = payment_for(fraction, equity, discount)
            total = deal.payment + deal.insurance + deal.reward
            assert 0 <= equity * fraction // WAD - total <= 1


def test_fractions_stay_under_one() -> None:
    for equity in range(0, 100):
        maintenance = 100 * WAD
        discount = discount_of(TERMS, equity * WAD, maintenance)
        assert 0 < fraction_to_target(TERMS, equity * WAD, maintenance, discount) <= WAD
