"""Batches: the effect of the sequence, and the checks of its end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.codec import AccountId
from ballast.model.clearinghouse import is_reduction
from ballast.model.words import KIND_PERP, kind
from ballast.units import WAD
from tests.support.clearing import (
    CASH,
    ETH,
    WETH,
    Action,
    Actions,
    ClearingWorld,
    refused,
)
from tests.support.revm import Reverted, reverts

USDX = 10**6


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld(fees=(10**14, 5 * 10**14))
    world.fund(world.account("maker"), 1_000_000)
    world.fund(world.account("trader"), 10_000)
    return world


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    return world.account("trader")


@pytest.fixture
def maker(world: ClearingWorld) -> AccountId:
    return world.account("maker")


@pytest.fixture
def act(world: ClearingWorld, trader: AccountId) -> Actions:
    return Actions(world, trader.owner)


def run(world: ClearingWorld, account: AccountId, *actions: Action) -> None:
    world.multicall(account.owner.lower(), actions)


def test_checks_wait_for_the_end(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    """Neither the trade nor the withdrawal would pass before the deposit."""
    world.mint(CASH, trader.owner, 50_000 * USDX)
    run(
        world,
        trader,
        act.withdraw(trader, CASH, 9_000 * USDX),
        act.trade(trader, maker, 50),
        act.deposit(trader, CASH, 50_000 * USDX),
    )
    assert world.words_of(trader)
    margin = world.margin(trader)
    assert margin.equity >= margin.initial


def test_the_end_decides(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    before = world.house.accountWords(trader)
    actions = [act.trade(trader, maker, 10), act.withdraw(trader, CASH, 8_000 * USDX)]
    for order in permutations(actions):
        with refused("Clearinghouse_InsufficientMargin"):
            run(world, trader, *order)
    assert world.house.accountWords(trader) == before
    assert not world.house.isLocked()


def test_a_withdrawal_in_a_batch_is_checked_as_one(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    """After it, no reduction excuses an account under its initial margin."""
    world.trade(trader, maker, 18)
    world.set_price(ETH, 1800)
    close = act.trade(trader, maker, -1, 1800)
    run(world, trader, close)
    with refused("Clearinghouse_InsufficientMargin"):
        run(
            world,
            trader,
            act.trade(trader, maker, -1, 1800),
            act.withdraw(trader, CASH, USDX),
        )


def test_a_reduction_passes_as_outside(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.trade(trader, maker, 18)
    world.set_price(ETH, 1800)
    run(world, trader, act.trade(trader, maker, -5, 1800), act.trade(trader, maker, -4, 1800))
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        run(world, trader, act.trade(trader, maker, 30, 1800))


def test_what_came_in_afterwards_excuses_no_risk(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    """A trade that a later deposit makes look like a reduction."""
    world.trade(trader, maker, 18)
    world.set_price(ETH, 1800)
    world.mint(CASH, trader.owner, 2_000 * USDX)
    actions = [act.trade(trader, maker, 0.1, 1800), act.deposit(trader, CASH, 200 * USDX)]
    for order in permutations(actions):
        with refused("Clearinghouse_InsufficientMargin", trader.value):
            run(world, trader, *order)


def test_no_risk_on_stale_prices_with_a_deposit(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.trade(trader, maker, 1)
    world.mint(CASH, trader.owner, 50_000 * USDX)
    world.advance(4000)
    actions = [act.trade(trader, maker, 1), act.deposit(trader, CASH, 50_000 * USDX)]
    for order in permutations(actions):
        with reverts("Clearinghouse_PriceNotFresh", trader.value):
            run(world, trader, *order)


def test_whoever_owes_nothing_at_the_end_needs_no_price(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.trade(trader, maker, 1)
    world.advance(4000)
    run(
        world,
        trader,
        act.trade(trader, maker, -1),
        act.withdraw(trader, CASH, 9_000 * USDX),
    )
    assert world.words_of(trader) == []


def test_the_greatest_health_asked_for_counts(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    high, low = {"min_health": 9 * WAD}, {"min_health": 2 * WAD}
    for first, second in ((high, low), (low, high)):
        with refused("Clearinghouse_HealthBelowMinimum", trader.value):
            run(
                world,
                trader,
                act.trade(trader, maker, 4, **first),
                act.trade(trader, maker, 4, **second),
            )


def test_makers_wait_too(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    poor = world.account("lender")
    world.fund(poor, 1_000)
    world.fund(trader, 900_000)
    with refused("Clearinghouse_InsufficientMargin", poor.value):
        run(world, trader, act.trade(trader, poor, 10))


def test_who_passed_cannot_be_liquidated_in_the_block(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.advance(60)
    run(world, trader, act.trade(trader, maker, 18))
    header = world.house.accountWords(trader)[0]
    assert header >> 176 & 0xFFFFFFFF == world.now
    world.refresh(ETH, 1700)
    with reverts("Clearinghouse_CheckedInThisBlock", trader.value):
        world.liquidate(trader, maker)


def test_prices_come_first(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.advance(4000)
    action = act.trade(trader, maker, 1)
    update = world.update(ETH, 2000)
    world.house.multicall([update], [action.data], sender=trader.owner)
    assert len(world.words_of(trader)) == 1


def test_an_engine_is_checked_at_the_end(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    world.register_engine(world.engine)
    run(world, trader, act.trade(trader, maker, 18), act.select_engine(trader, 1))
    assert world.house.engineOf(trader) == 1
    world.set_price(ETH, 1800)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        run(world, trader, act.trade(trader, maker, -1, 1800), act.select_engine(trader, 0))


def test_an_account_emptied_and_filled_again(
    world: ClearingWorld, trader: AccountId, maker: AccountId, act: Actions
) -> None:
    other = world.account("trader", 1)
    world.trade(trader, maker, 5)
    before = world.cash_of(trader)
    run(
        world,
        trader,
        act.transfer(trader, other, CASH, 9_900 * USDX),
        act.transfer(other, trader, CASH, 9_900 * USDX),
    )
    assert (world.cash_of(trader), world.cash_of(other)) == (before, 0)


def test_no_batch_in_a_batch(world: ClearingWorld, trader: AccountId) -> None:
    inner = Action(world.house.multicall.encode([], []), lambda: world.model.multicall([]))
    with reverts("Clearinghouse_Locked"):
        run(world, trader, inner)


@pytest.mark.parametrize(
    "call",
    [
        lambda world, who: world.house.margin.encode(who, 0),
        lambda world, who: world.house.portfolio.encode(who),
    ],
)
def test_accounts_are_not_valued_in_between(
    world: ClearingWorld, trader: AccountId, call: Callable[[ClearingWorld, AccountId], bytes]
) -> None:
    with reverts("Clearinghouse_Locked"):
        world.house.multicall([], [call(world, trader)], sender=trader.owner)


def test_the_lock_shows_while_a_batch_is_open(world: ClearingWorld, trader: AccountId) -> None:
    [answer] = world.house.multicall([], [world.house.isLocked.encode()], sender=trader.owner)
    assert int.from_bytes(answer) == 1
    assert not world.house.isLocked()


def test_ether_is_refused(world: ClearingWorld, trader: AccountId) -> None:
    with pytest.raises(Reverted):
        world.house.multicall([], [], sender=trader.owner, value=1)


def test_answers_are_those_of_the_calls(
    world: ClearingWorld, trader: AccountId, act: Actions
) -> None:
    world.mint(WETH, trader.owner, WAD)
    answers = world.house.multicall(
        [], [world.house.deposit.encode(trader, WETH, WAD)], sender=trader.owner
    )
    assert [int.from_bytes(answer) for answer in answers] == [WAD]


# ---- Any order of any actions -----------------------------------------------------------------

amounts = st.integers(1, 12_000)
names = st.sampled_from(["deposit", "withdraw", "there", "back", "buy", "sell", "settle", "weth"])
plans = st.lists(st.tuples(names, amounts), min_size=1, max_size=6)


def _fresh() -> ClearingWorld:
    world = ClearingWorld(fees=(10**14, 5 * 10**14))
    world.fund(world.account("maker"), 1_000_000)
    world.fund(world.account("trader"), 10_000, weth=1)
    world.fund(world.account("trader", 1), 500)
    for token in (CASH, WETH):
        world.mint(token, world.owner("trader"), 10**24)
    return world


def action(world: ClearingWorld, name: str, amount: int) -> Action:
    one, other = world.account("trader"), world.account("trader", 1)
    act, maker = Actions(world, one.owner), world.account("maker")
    size = amount / 200
    made: dict[str, Callable[[], Action]] = {
        "deposit": lambda: act.deposit(one, CASH, amount * USDX),
        "withdraw": lambda: act.withdraw(one, CASH, amount * USDX),
        "there": lambda: act.transfer(one, other, CASH, amount * USDX),
        "back": lambda: act.transfer(other, one, CASH, amount * USDX),
        "buy": lambda: act.trade(one, maker, size),
        "sell": lambda: act.trade(one, maker, -size),
        "settle": lambda: act.settle(one),
        "weth": lambda: act.transfer(one, other, WETH, amount * 10**13),
    }
    return made[name]()


@given(plan=plans, stopped=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_batch_is_what_the_model_says(plan: list[tuple[str, int]], stopped: bool) -> None:
    """[I3, I10] `both` compares refusals with their values, and all books afterwards."""
    world = _fresh()
    world.trade(world.account("trader"), world.account("maker"), 5)
    if stopped:
        world.stop()
    one = world.account("trader")
    before = world.margin(one)
    actions = [action(world, name, amount) for name, amount in plan]
    try:
        run(world, one, *actions)
    except Reverted:
        return
    after, words = world.margin(one), world.words_of(one)
    owes = world.cash_of(one) < 0 or any(kind(word) == KIND_PERP for word in words)
    assert not owes or after.equity >= after.initial or is_reduction(before, after), "I3"


@given(plan=plans)
@settings(max_examples=40, deadline=None)
def test_a_batch_has_the_effect_of_its_sequence(plan: list[tuple[str, int]]) -> None:
    """Where every call passes alone, the batch leaves the same books."""
    books = []
    for batched in (False, True):
        world = _fresh()
        world.trade(world.account("trader"), world.account("maker"), 5)
        actions = [action(world, name, amount) for name, amount in plan]
        try:
            if batched:
                run(world, world.account("trader"), *actions)
            else:
                for one in actions:
                    run(world, world.account("trader"), one)
        except Reverted:
            # In a sequence that passes, a batch may still fail: what came in later closes the
            # reduce-only test, and a withdrawal makes all stricter. Nothing may have changed then.
            return
        books.append(
            [
                world.house.accountWords(world.account(role, index))[1]
                for role, index in (("trader", 0), ("trader", 1), ("maker", 0))
            ]
            + [world.cash_of(world.account(role)) for role in ("trader", "maker")]
        )
    assert books[0] == books[1]
