from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId, Snapshot
from ballast.keeper.decide import (
    AccountView,
    Actions,
    FeedView,
    Liquidate,
    Policy,
    Skip,
    World,
    assess,
    capacity,
    decide,
    gas_cost,
)
from ballast.model.liquidator import discount_of, fraction_to_target, payment_for
from ballast.model.margin import LiquidationTerms
from ballast.oracle.mirror import FeedConfig, FeedState, Observation, accept
from ballast.units import WAD

NOW = 1_773_000_000
GWEI = 10**9
TERMS = LiquidationTerms(115 * WAD // 100, WAD // 200, WAD // 10, WAD // 2)
CASH, BTC, ETH = 0, 1, 2

KEEPER = AccountView(AccountId.make("0x" + "ee" * 20), 1_000_000 * WAD, 0, 0)


def account(owner: int, equity: int, maintenance: int, **changes: object) -> AccountView:
    view = AccountView(
        id=AccountId.make("0x" + f"{owner:02x}" * 20),
        equity=equity * WAD,
        initial=maintenance * WAD * 5 // 4,
        maintenance=maintenance * WAD,
        terms=TERMS,
    )
    return replace(view, **changes)


def said(price: int, time: int = NOW) -> tuple[Observation, ...]:
    return (Observation(price * WAD, 0, time), Observation(price * WAD, 0, time))


def feed(underlying: int, accepted: int, offered: int, age: int = 10, time: int = NOW) -> FeedView:
    """A feed of two sources: accepted `age` seconds ago, offered something at `time` now."""
    config = FeedConfig(min_sources=2, max_age=120, source_max_age=60)
    state = FeedState(config)
    if accepted:
        at = NOW - age
        state, _ = accept(state, said(accepted, at), at, 1)
    return FeedView(underlying, state, said(offered, time), (b"", b"signed"))


def look(*feeds: FeedView, accounts: tuple[AccountView, ...] = (), **changes: object) -> World:
    world = World(NOW, 100, KEEPER, feeds, accounts, gas_price=GWEI, native_price=3000 * WAD)
    return replace(world, **changes)


def reasons(world: World, policy: Policy = Policy()) -> dict[int, str]:  # noqa: B008
    return {refresh.underlying: refresh.reason for refresh in decide(world, policy).refreshes}


# ---- Prices -----------------------------------------------------------------------------------


def test_a_quiet_feed_is_left_alone():
    assert decide(look(feed(BTC, 50_000, 50_001)), Policy()) == Actions((), (), ())


def test_a_move_of_the_deviation_is_brought():
    assert reasons(look(feed(BTC, 50_000, 50_125))) == {BTC: "moved 25 bps"}
    assert reasons(look(feed(BTC, 50_000, 49_875))) == {BTC: "moved 25 bps"}


def test_a_move_just_under_the_deviation_is_not():
    assert reasons(look(feed(BTC, 50_000, 50_124))) == {}
    assert reasons(look(feed(BTC, 50_000, 49_876))) == {}


def test_a_price_is_renewed_at_half_of_its_fresh_age():
    assert reasons(look(feed(BTC, 50_000, 50_000, age=59))) == {}
    assert reasons(look(feed(BTC, 50_000, 50_000, age=60))) == {BTC: "60 s old"}


def test_a_heartbeat_of_the_operator_counts_instead():
    world = look(feed(BTC, 50_000, 50_000, age=40))
    assert reasons(world, Policy(heartbeat=41)) == {}
    assert reasons(world, Policy(heartbeat=40)) == {BTC: "40 s old"}


def test_a_first_price_is_brought():
    assert reasons(look(feed(BTC, 0, 50_000))) == {BTC: "first price"}


def test_stale_reports_are_not_brought():
    assert reasons(look(feed(BTC, 50_000, 40_000, age=900, time=NOW - 61))) == {}


def test_reports_that_are_not_newer_are_not_brought():
    assert reasons(look(feed(BTC, 50_000, 40_000, age=10, time=NOW - 10))) == {}


def test_one_source_alone_is_not_brought_where_two_are_needed():
    view = feed(BTC, 50_000, 40_000)
    silent = replace(view, observations=(view.observations[0], Observation()))
    assert reasons(look(silent)) == {}


def test_the_data_goes_along_with_the_feed():
    (refresh,) = decide(look(feed(BTC, 50_000, 40_000)), Policy()).refreshes
    assert refresh.data == (b"", b"signed")


def test_cash_comes_first_whatever_the_order():
    world = look(feed(ETH, 3_000, 2_000), feed(BTC, 50_000, 40_000), feed(CASH, 1, 1, age=100))
    assert list(reasons(world)) == [CASH, BTC, ETH]


def test_nothing_else_is_brought_while_the_price_of_cash_is_stale():
    stale = feed(CASH, 1, 1, age=200, time=NOW - 100)
    assert reasons(look(stale, feed(BTC, 50_000, 40_000))) == {}


def test_prices_are_compared_in_cash():
    cash = feed(CASH, 1, 1, age=10)
    cheap = replace(cash.state.snapshot, price=cash.state.snapshot.price * 99 // 100)
    cash = replace(cash, state=replace(cash.state, snapshot=cheap), observations=())
    assert reasons(look(cash, feed(BTC, 50_000, 50_000))) == {BTC: "moved 101 bps"}


def lone_source(accepted: int, offered: int, suspected_ago: int | None = None) -> FeedView:
    """A feed of one source, on which a jump is suspect."""
    config = FeedConfig(min_sources=1, max_age=1200, source_max_age=60)
    before = NOW - 600
    state, _ = accept(FeedState(config), said(accepted, before)[:1], before, 1)
    if suspected_ago is not None:
        at = NOW - suspected_ago
        state, _ = accept(state, said(offered, at)[:1], at, 2)
    return FeedView(BTC, state, said(offered)[:1])


def test_a_suspect_jump_is_brought_once_and_then_now_and_again():
    assert reasons(look(lone_source(50_000, 40_000))) == {BTC: "suspect jump"}
    assert reasons(look(lone_source(50_000, 40_000, suspected_ago=59))) == {}
    assert reasons(look(lone_source(50_000, 40_000, suspected_ago=60))) == {
        BTC: "suspect jump, again"
    }


def test_a_suspect_feed_that_would_be_accepted_is_brought_at_once():
    view = lone_source(50_000, 40_000, suspected_ago=5)
    assert reasons(look(replace(view, observations=said(50_000)[:1]))) == {BTC: "usable again"}


def test_a_wide_feed_that_would_not_be_wide_is_brought_at_once():
    view = feed(BTC, 50_000, 50_000)
    wide = replace(view.state, snapshot=replace(view.state.snapshot, wide=True))
    assert reasons(look(replace(view, state=wide))) == {BTC: "usable again"}


# ---- Liquidations -----------------------------------------------------------------------------


def test_healthy_accounts_are_left_alone():
    world = look(accounts=(account(1, 1000, 1000), account(2, 5000, 1000)))
    assert decide(world, Policy()) == Actions((), (), ())


def test_an_unhealthy_account_is_liquidated_for_what_the_contract_pays():
    found = account(1, 900, 1000)
    (action,) = decide(look(accounts=(found,)), Policy()).liquidations
    discount = discount_of(TERMS, found.equity, found.maintenance)
    best = fraction_to_target(TERMS, found.equity, found.maintenance, discount)
    assert action.account == found.id
    assert action.fractions == (WAD,)
    assert action.reward == payment_for(best, found.equity, discount).reward
    assert action.cost == 500_000 * GWEI * 3000
    assert action.profit == action.reward - action.cost


def test_the_most_profitable_of_two_comes_first():
    small, large = account(1, 900, 1000), account(2, 90_000, 100_000)
    actions = decide(look(accounts=(small, large)), Policy())
    assert [action.account for action in actions.liquidations] == [large.id, small.id]


def test_what_does_not_pay_after_gas_is_skipped():
    found = account(1, 900, 1000)
    world = look(accounts=(found,), gas_price=100 * GWEI)
    (skip,) = decide(world, Policy()).skipped
    assert skip.account == found.id
    assert skip.reason.startswith("does not pay")
    assert decide(replace(world, gas_price=1), Policy()).liquidations


def test_the_least_profit_is_the_operators():
    found = account(1, 900, 1000)
    (action,) = decide(look(accounts=(found,)), Policy()).liquidations
    assert decide(look(accounts=(found,)), Policy(min_profit=action.profit)).liquidations
    assert decide(look(accounts=(found,)), Policy(min_profit=action.profit + 1)).skipped


def test_dust_is_taken_whole_if_gas_is_free():
    dust = account(1, 30, 49)
    (action,) = decide(look(accounts=(dust,), gas_price=0), Policy()).liquidations
    discount = discount_of(TERMS, dust.equity, dust.maintenance)
    assert action.reward == payment_for(WAD, dust.equity, discount).reward


def test_dust_is_skipped_if_gas_is_not():
    assert decide(look(accounts=(account(1, 30, 49),), gas_price=10 * GWEI), Policy()).skipped


def test_a_bankrupt_account_is_skipped_by_name():
    (skip,) = decide(look(accounts=(account(1, -5, 1000),)), Policy()).skipped
    assert skip.reason == "bankrupt: equity -5.00"


def test_an_account_on_stale_prices_is_skipped_while_the_credit_covers_it():
    (skip,) = decide(look(accounts=(account(1, 900, 1000, credit=100 * WAD),)), Policy()).skipped
    assert skip.reason == "credited 100.00 for prices that are not fresh"
    short = account(1, 900, 1000, credit=100 * WAD - 1)
    assert decide(look(accounts=(short,)), Policy()).liquidations


def test_an_account_that_could_not_be_valued_does_not_stop_the_others():
    broken, found = account(1, 0, 1000, known=False), account(2, 900, 1000)
    actions = decide(look(accounts=(broken, found)), Policy())
    assert [action.account for action in actions.liquidations] == [found.id]


def test_the_keeper_does_not_liquidate_itself():
    own = replace(KEEPER, equity=1, maintenance=1000 * WAD, terms=TERMS)
    assert decide(look(accounts=(own,), keeper=own), Policy()) == Actions((), (), ())


def test_a_keeper_without_room_tries_the_whole_and_then_what_it_can_bear():
    found = account(1, 90_000, 100_000)
    keeper = replace(KEEPER, equity=10_000 * WAD)
    (action,) = decide(look(accounts=(found,), keeper=keeper), Policy()).liquidations
    whole, sure = action.fractions
    assert whole == WAD
    assert 0 < sure < WAD // 2
    assert action.reward < 10_000 * WAD


def test_a_keeper_whose_margin_is_used_up_says_so():
    keeper = replace(KEEPER, equity=60 * WAD, initial=60 * WAD)
    (skip,) = decide(look(accounts=(account(1, 900, 1000),), keeper=keeper), Policy()).skipped
    assert skip.reason == "the keeper's margin is used up"


def test_gas_costs_round_up():
    assert gas_cost(1, 1, 3000 * WAD) == 3000
    assert gas_cost(1, 1, 1) == 1
    assert gas_cost(0, GWEI, 3000 * WAD) == 0


MONEY = st.integers(0, 10**12 * WAD)


@given(equity=MONEY, initial=MONEY, account_initial=MONEY, gain=MONEY)
def test_what_a_keeper_bears_leaves_it_above_its_initial_margin(
    equity: int, initial: int, account_initial: int, gain: int
):
    keeper = replace(KEEPER, equity=equity, initial=initial)
    found = replace(account(1, 0, 0), initial=account_initial)
    fraction = capacity(keeper, found, gain)
    assert 0 <= fraction <= WAD
    if fraction:
        equity_after = equity + fraction * gain // WAD
        assert equity_after >= initial - (-fraction * account_initial // WAD)
        assert equity_after >= 50 * WAD


@given(
    maintenance=st.integers(1, 10**9 * WAD),
    health=st.integers(0, WAD - 1),
    cost=st.integers(0, 1000 * WAD),
    min_profit=st.integers(0, 1000 * WAD),
    free=st.integers(0, 10**9 * WAD),
)
def test_every_liquidation_pays_what_the_operator_asks(
    maintenance: int, health: int, cost: int, min_profit: int, free: int
):
    found = account(1, 0, 0)
    found = replace(
        found,
        maintenance=maintenance,
        initial=maintenance * 5 // 4,
        equity=maintenance * health // WAD,
    )
    keeper = replace(KEEPER, equity=free)
    verdict = assess(found, keeper, cost, Policy(min_profit=min_profit))
    assert isinstance(verdict, Liquidate | Skip)
    if isinstance(verdict, Liquidate):
        assert verdict.profit >= min_profit
        assert all(0 < fraction <= WAD for fraction in verdict.fractions)


@pytest.mark.parametrize("age", [0, 59, 60, 119, 120, 121, 10_000])
def test_a_fresh_offer_always_keeps_a_price_fresh(age: int):
    view = feed(BTC, 50_000, 50_000, age=age) if age else feed(BTC, 50_000, 50_000, age=1)
    assert view.state.snapshot != Snapshot()
    assert bool(reasons(look(view))) == (age >= 60)
