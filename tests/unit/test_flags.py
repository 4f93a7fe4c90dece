"""Flags: proven time, the discount that grows with it, and who is rid of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.codec import AccountId
from ballast.model.liquidator import (
    LIMIT,
    PATIENCE,
    discount_of,
    discount_rate,
    fraction_to_target,
    payment_for,
)
from ballast.model.margin import LiquidationTerms
from ballast.model.replay import differences
from ballast.units import WAD
from tests.support.clearing import BTC, CASH, ETH, ClearingWorld, refused
from tests.support.revm import reverts
from tests.unit.test_model import replay

TERMS = LiquidationTerms(1_150 * 10**15, 5 * 10**15, 100 * 10**15, 500 * 10**15)
DOWN, UP = 1, 17
HOUR, MINUTE = 3600, 60


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
    """Long 10 at 2,000 with 5,000 of cash, at health 0.95."""
    account = world.account("trader")
    world.fund(account, 5_000)
    world.trade(account, world.account("maker"), 10)
    price(world, 1810)
    return account


def price(world: ClearingWorld, value: float, seconds: int = 12) -> None:
    """Time passes, and prices are reported at its end."""
    world.advance(seconds)
    world.refresh(ETH, value)
    world.refresh(BTC, 50_000)


def wait(world: ClearingWorld, account: AccountId, minutes: int, value: float = 1810) -> int:
    """A keeper proves the account unhealthy every five minutes; the seconds proven in the end."""
    proven = 0
    for _ in range(minutes // 5):
        price(world, value, 5 * MINUTE)
        proven = world.flag(account)
    return proven


# ---- The clock ----------------------------------------------------------------------------------


def test_the_first_proof_proves_no_time(world: ClearingWorld, account: AccountId) -> None:
    assert world.flag(account) == 0
    assert world.liquidator.flagOf(account) == (world.now, 0)
    assert world.transactions[-1][1][-1].args == {"account": account.value, "proven": 0}


def test_proofs_in_a_block_prove_nothing_more(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account)
    world.advance(60)
    assert [world.flag(account) for _ in range(3)] == [60, 60, 60]


@pytest.mark.parametrize(
    ("seconds", "proven"), [(1, 1), (299, 299), (300, 300), (301, 300), (HOUR, 300), (HOUR + 1, 0)]
)
def test_what_counts_between_two_proofs(
    world: ClearingWorld, account: AccountId, seconds: int, proven: int
) -> None:
    """At most five minutes; and after an hour without a proof time begins anew."""
    world.flag(account)
    price(world, 1810, seconds)
    assert world.flag(account) == proven


def test_a_healthy_account_is_not_flagged(world: ClearingWorld, account: AccountId) -> None:
    price(world, 2000)
    margin = world.margin(account)
    with reverts("Liquidator_Healthy", account.value, margin.equity, margin.maintenance):
        world.flag(account)


def test_a_witness_proves_as_well(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account, DOWN)
    margin = world.margin(account, UP)
    with reverts("Liquidator_Healthy", account.value, margin.equity, margin.maintenance):
        world.flag(account, UP)


def test_a_bankrupt_account_may_be_flagged(world: ClearingWorld, account: AccountId) -> None:
    price(world, 1450)
    world.flag(account)
    assert wait(world, account, 10, 1450) == 600


def test_updates_come_with_the_proof(world: ClearingWorld, account: AccountId) -> None:
    price(world, 2000)
    world.advance()
    assert world.liquidator.flag(account, 0, [world.update(ETH, 1810)]) == 0
    world.advance()
    world.liquidator.clearFlag(account, [world.update(ETH, 2000)])
    assert world.liquidator.flagOf(account) == (0, 0)


# ---- Getting rid of it --------------------------------------------------------------------------


def test_a_recovered_account_is_cleared_by_anybody(
    world: ClearingWorld, account: AccountId
) -> None:
    world.flag(account)
    price(world, 2000)
    world.clear_flag(account)
    assert world.liquidator.flagOf(account) == (0, 0)
    assert world.transactions[-1][1][-1].name == "FlagCleared"


def test_the_owner_recovers_by_a_deposit(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account)
    world.fund(account, 500)
    margin = world.margin(account)
    assert margin.maintenance <= margin.equity < margin.margin_call
    with reverts("Liquidator_NotRecovered", account.value, margin.equity, margin.margin_call):
        world.clear_flag(account)
    world.fund(account, 500)
    world.clear_flag(account)


def test_the_level_itself_clears(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account)
    margin = world.margin(account)
    missing = -(-(margin.margin_call - margin.equity) // 10**12)
    world.mint(CASH, account.owner, missing)
    world.deposit(account, CASH, missing - 1)
    with refused("Liquidator_NotRecovered", account.value):
        world.clear_flag(account)
    world.deposit(account, CASH, 1)
    world.clear_flag(account)


def test_no_flag_to_clear(world: ClearingWorld, account: AccountId) -> None:
    with reverts("Liquidator_NotFlagged", account.value):
        world.clear_flag(account)


def test_a_stale_price_clears_nobody(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account)
    price(world, 2000)
    world.advance(HOUR + 1)
    with reverts("Liquidator_PriceNotFresh", account.value):
        world.clear_flag(account)


def test_proven_time_survives_a_recovery_that_nobody_clears(
    world: ClearingWorld, account: AccountId
) -> None:
    """Only a level above the maintenance margin ends it, so that nobody hovers at the edge."""
    world.flag(account)
    assert wait(world, account, 10) == 600
    price(world, 2000, 10 * MINUTE)
    with refused("Liquidator_Healthy", account.value):
        world.flag(account)
    price(world, 1810, 10 * MINUTE)
    assert world.flag(account) == 900, "and five minutes of it were not proven by anybody"


# ---- The discount -------------------------------------------------------------------------------


def test_the_discount_grows_with_proven_time(world: ClearingWorld, account: AccountId) -> None:
    world.flag(account)
    rates = [discount(world, account)]
    for minute in range(5, 25, 5):
        wait(world, account, 5)
        rates.append(discount(world, account))
        assert rates[-1] >= min(minute, 15) * WAD // 60
    assert rates == sorted(rates)
    assert rates[3] == rates[4] == WAD // 4, "no further while E ≥ MM/4"


def discount(world: ClearingWorld, account: AccountId, witness: int = 0) -> int:
    rate = int(world.liquidator.discountRate(account, witness))
    assert rate == world.model_liquidator.discount_rate(account, witness=witness), "I10"
    return rate


def test_the_discount_of_a_healthy_account(world: ClearingWorld, account: AccountId) -> None:
    price(world, 2000)
    with refused("Liquidator_Healthy", account.value):
        world.liquidator.discountRate(account, 0)


def test_a_deep_account_is_discounted_on_to_the_whole(
    world: ClearingWorld, account: AccountId
) -> None:
    deep = 1510
    price(world, deep)
    margin = world.margin(account)
    assert 0 < margin.equity < margin.maintenance // 4
    world.flag(account)
    wait(world, account, 15, deep)
    assert discount(world, account) == WAD // 4
    wait(world, account, 60, deep)
    assert discount(world, account) == WAD // 4 + (3 * WAD // 4) * 60 // 105
    wait(world, account, 45, deep)
    assert discount(world, account) == WAD
    wait(world, account, 30, deep)
    assert discount(world, account) == WAD
    price(world, 1450)
    assert discount(world, account) == WAD, "bankrupt: one without equity"


def test_a_flagged_account_is_sold_at_what_time_gives(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    plain = world.margin(account)
    world.flag(account)
    wait(world, account, 15)
    margin = world.margin(account)
    assert discount_of(TERMS, margin.equity, margin.maintenance) < margin.maintenance // 10
    expected = margin.maintenance // 4
    best = fraction_to_target(TERMS, margin.equity, margin.maintenance, expected)
    deal = world.liquidate(account, keeper)
    assert deal == payment_for(best, margin.equity, expected)
    after = world.margin(account)
    assert after.equity * plain.maintenance >= plain.equity * after.maintenance, "I4"


def test_a_liquidation_is_a_proof(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    world.flag(account)
    price(world, 1810, 4 * MINUTE)
    world.liquidate(account, keeper, WAD // 100)
    assert world.liquidator.flagOf(account) == (world.now, 240)


def test_one_that_restores_the_target_clears_the_flag(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    world.flag(account)
    world.liquidate(account, keeper)
    assert world.liquidator.flagOf(account) == (0, 0)


def test_one_by_a_witness_does_not(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    """What a mild scenario asks for may be less than what the account needs."""
    price(world, 1650)
    world.flag(account)
    world.advance(60)
    world.liquidate(account, keeper, witness=1 + 2)
    margin = world.margin(account)
    assert margin.equity < margin.maintenance
    assert world.liquidator.flagOf(account) == (world.now, 60)


@pytest.mark.parametrize("flagged", [False, True])
def test_without_a_living_flag_a_liquidation_writes_none(
    world: ClearingWorld, account: AccountId, keeper: AccountId, flagged: bool
) -> None:
    if flagged:
        world.flag(account)
        price(world, 1810, HOUR + 1)
    before = world.liquidator.flagOf(account)
    world.liquidate(account, keeper, WAD // 100)
    assert world.liquidator.flagOf(account) == before
    assert not {"Flagged", "FlagCleared"} & {log.name for log in world.transactions[-1][1]}


def test_flags_are_rebuilt_from_events(
    world: ClearingWorld, account: AccountId, keeper: AccountId
) -> None:
    world.flag(account)
    wait(world, account, 10)
    assert differences(replay(world).state, world.model.state) == []
    assert replay(world).state.flags
    world.liquidate(account, keeper)
    assert differences(replay(world).state, world.model.state) == []


# ---- Properties of the curve --------------------------------------------------------------------

MAINTENANCE = st.integers(1, 10**27)
PROVEN = st.integers(0, 3 * HOUR)
MANY = settings(max_examples=300, deadline=None)


@st.composite
def unhealthy(draw: st.DrawFn) -> tuple[int, int]:
    maintenance = draw(MAINTENANCE)
    return draw(st.integers(0, maintenance - 1)), maintenance


@MANY
@given(account=unhealthy(), first=PROVEN, second=PROVEN)
def test_the_discount_never_falls_with_proven_time(
    account: tuple[int, int], first: int, second: int
) -> None:
    low, high = sorted((first, second))
    assert discount_rate(TERMS, *account, low) <= discount_rate(TERMS, *account, high) <= WAD


@MANY
@given(account=unhealthy(), proven=PROVEN)
def test_time_gives_a_quarter_unless_the_account_is_nearly_bankrupt(
    account: tuple[int, int], proven: int
) -> None:
    equity, maintenance = account
    rate = discount_rate(TERMS, equity, maintenance, proven)
    if equity >= maintenance // 4:
        assert rate <= WAD // 4
    if proven >= PATIENCE:
        assert rate >= WAD // 4
    if proven >= LIMIT and equity < maintenance // 4:
        assert rate == WAD


@MANY
@given(account=unhealthy(), proven=PROVEN)
def test_health_never_falls_and_the_fraction_is_at_most_the_best(
    account: tuple[int, int], proven: int
) -> None:
    """[I4] p ≤ E, so E' / MM' = (E − x·p) / ((1 − x)·MM) ≥ E / MM."""
    equity, maintenance = account
    discount = discount_of(TERMS, equity, maintenance, proven)
    assert 0 <= discount <= equity
    best = fraction_to_target(TERMS, equity, maintenance, discount)
    assert 0 <= best <= WAD
    left = equity - best * discount // WAD
    assert left * WAD >= equity * (WAD - best) - WAD


@MANY
@given(account=unhealthy(), proven=PROVEN, bite=st.integers(1, 99))
def test_splitting_a_liquidation_gains_nothing(
    account: tuple[int, int], proven: int, bite: int
) -> None:
    """A part first, the rest at the health that it leaves, at the same proven time."""
    equity, maintenance = account
    equity, maintenance = equity + 10**20, maintenance + 10**20 + 1
    discount = discount_of(TERMS, equity, maintenance, proven)
    best = fraction_to_target(TERMS, equity, maintenance, discount)
    whole = payment_for(best, equity, discount).reward
    part = best * bite // 100
    first = payment_for(part, equity, discount)
    equity -= part * discount // WAD
    maintenance = maintenance * (WAD - part) // WAD
    second = 0
    if equity < maintenance:
        again = discount_of(TERMS, equity, maintenance, proven)
        rest = fraction_to_target(TERMS, equity, maintenance, again, full=False)
        second = payment_for(rest, equity, again).reward
    assert first.reward + second <= whole + whole // 10**12 + 1000
