"""Why a margin is what it is: the explanation adds up to what the engines say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ballast.client.errors import ChainError
from ballast.client.mirror import Moment
from ballast.codec import Collateral, Instrument, Option, Perp, Snapshot
from ballast.model.margin import Margin
from ballast.model.refusal import Refused
from ballast.risk.explain import (
    CORRELATION_BREAKS,
    EXPIRIES_APART,
    Account,
    Explanation,
    State,
    Verdict,
    after_trade,
    explain,
    judge,
    profile,
)
from ballast.risk.joint_scenario import JointScenarioEngine
from ballast.units import WAD
from scripts._margin import checked
from scripts._plot import as_svg, as_text
from tests.support.option_books import DAY, Surface, calm, options, surfaces
from tests.support.revm import GENESIS
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    DOLLAR,
    ETH,
    PARAMETERS,
    WBTC,
    WETH,
    books,
    fresh,
    markets,
)
from tests.support.rule import LensWorld

SHARED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MONTH = GENESIS + 30 * DAY
YEAR_END = GENESIS + 90 * DAY
CASH_HELD = 10**5 * WAD
ETH_PERP = Instrument.perp(ETH)
WETH_SPOT = Instrument.collateral(WETH)


@pytest.fixture(scope="module")
def shared() -> LensWorld:
    return LensWorld()


@pytest.fixture
def world(shared: LensWorld) -> LensWorld:
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        shared.price(underlying, fresh(shared.now, price))
        for expiry in (MONTH, YEAR_END):
            shared.set_slice(underlying, expiry, calm(shared.now).encode())
    return shared


def joint(world: LensWorld) -> JointScenarioEngine:
    return JointScenarioEngine(world, PARAMETERS, world)


def explained(world: LensWorld, *words: int, cash: int = CASH_HELD) -> Explanation:
    return explain(joint(world), Account(cash, words), world.now)


def perp(size: int, underlying: int = ETH, quote: int = 0) -> int:
    return Perp(underlying, size * WAD, quote).encode()


def option(size: int, strike: int = 2000, *, put: bool = False, expiry: int = MONTH) -> int:
    return Option(ETH, expiry, strike * WAD, put, size * WAD).encode()


def binding(found: Explanation) -> list[str]:
    return [one.name for one in found.scenarios if one.binds_maintenance]


# ---- Any book ---------------------------------------------------------------------------------


@SHARED
@given(
    data=st.data(),
    cash=CASH,
    prices=markets(GENESIS),
    surface=surfaces(GENESIS, known=True),
    linear=books(5),
)
def test_it_is_what_the_contracts_say(
    shared: LensWorld,
    *,
    data: st.DataObject,
    cash: int,
    prices: dict[int, Snapshot],
    surface: Surface,
    linear: list[int],
) -> None:
    for underlying, snapshot in prices.items():
        shared.price(underlying, snapshot)
    for (underlying, expiry), word in surface.words.items():
        shared.set_slice(underlying, expiry, word)
        shared.set_mean(underlying, expiry, *surface.means[underlying, expiry])
    words = (*data.draw(st.lists(options(GENESIS, prices), max_size=4)), *linear)
    account = Account(cash, words)
    found = explain(joint(shared), account, shared.now)
    assert found.margin == Margin(*shared.joint.assess(cash, 0, list(words)))
    check_sums(found)
    check_witnesses(shared, found, account)
    by_rules = explain(shared.mirror, account, shared.now)
    assert by_rules.margin == Margin(*shared.engine.assess(cash, 0, list(words)))
    check_sums(by_rules)
    check_closing(shared, found, account)


def check_sums(found: Explanation) -> None:
    """Parts are rounded up one by one, so that they exceed the sum by less than a wei each."""
    slack = len(found.parts)
    maintenance = sum(part.maintenance for part in found.parts)
    initial = sum(part.initial for part in found.parts)
    assert 0 <= maintenance - found.margin.maintenance <= slack
    assert 0 <= max(initial, found.margin.maintenance) - found.margin.initial <= slack


def check_witnesses(world: LensWorld, found: Explanation, account: Account) -> None:
    """The loss in a column is what the engine asks for in it alone."""
    add_ons = (
        found.margin.maintenance - max(0, -min(one.maintenance for one in found.scenarios)) * 4 // 5
    )
    for column in (0, 17, 18, 22):
        alone = world.joint.assess(account.cash, column + 1, list(account.words))[2]
        loss = max(0, -found.scenarios[column].maintenance)
        assert abs(alone - add_ons - loss * 4 // 5) <= 3


def check_closing(world: LensWorld, found: Explanation, account: Account) -> None:
    for index, one in enumerate(found.contributions):
        rest = [*account.words[:index], *account.words[index + 1 :]]
        closed = Margin(*world.joint.assess(account.cash + one.value, 0, rest))
        assert closed.equity == found.margin.equity
        assert closed.initial == found.margin.initial - one.frees_initial
        assert closed.maintenance == found.margin.maintenance - one.frees_maintenance


# ---- What binds -------------------------------------------------------------------------------


def test_a_long_position_is_bound_by_the_fall(world):
    found = explained(world, perp(10))
    assert binding(found) == ["-4/4 of the range, volatility up"]
    worst = found.scenarios[0]
    assert worst.maintenance == -10 * 2000 * WAD * 22 // 100
    assert worst.binds_initial
    (one,) = found.contributions
    assert one.in_worst == worst.initial
    assert one.alone == one.frees_initial == found.margin.initial


def test_a_hedge_costs_margin_when_it_is_closed(world):
    found = explained(world, perp(-9), Collateral(WETH, 10 * WAD).encode())
    hedge, collateral = found.contributions
    assert hedge.frees_initial < 0 < hedge.alone
    assert hedge.in_worst > 0 > collateral.in_worst
    assert collateral.value == 20_000 * WAD


def test_a_spread_between_underlyings_is_bound_by_correlation(world):
    assert binding(explained(world, perp(25), perp(-1, BTC))) == [CORRELATION_BREAKS]


def test_a_spread_between_expiries_is_bound_by_volatility(world):
    assert binding(explained(world, option(10), option(-10, expiry=YEAR_END))) == [EXPIRIES_APART]


def test_deep_puts_sold_are_bound_by_a_tail(world):
    assert binding(explained(world, option(-100, 1200, put=True)))[0].startswith("tail -")


def test_nothing_binds_where_nothing_loses(world):
    found = explained(world)
    assert binding(found) == []
    assert found.parts == found.contributions == ()
    assert found.margin == Margin(CASH_HELD, 0, 0, 0, True)


def test_the_parts_have_their_names(world):
    word = option(-1)
    stale = fresh(world.now, 2000, confidence=WAD // 100)
    world.price(ETH, stale)
    world.set_slice(ETH, MONTH, calm(world.now - 10**5).encode())
    found = explained(world, perp(1), Collateral(WBTC, 10**8).encode(), word)
    assert [part.name for part in found.parts] == [
        "worst scenario",
        "perpetuals",
        "haircuts of collateral",
        "roll of options, and short ones",
        "width of prices, departure from stable ones",
        "volatility that is overdue",
    ]


def test_rules_have_parts_and_no_scenarios(world):
    account = Account(CASH_HELD, (perp(10), Collateral(WETH, WAD).encode()))
    found = explain(world.mirror, account, world.now)
    assert found.scenarios == ()
    assert [part.name for part in found.parts] == ["perpetuals", "collateral"]
    assert all(one.in_worst is None for one in found.contributions)
    freed = sum(one.frees_maintenance for one in found.contributions)
    assert freed == found.margin.maintenance, "no position offsets another"


# ---- Trades -----------------------------------------------------------------------------------


def traded(
    account: Account, instrument: Instrument, size: int, price: int, **given: Any
) -> Account:
    terms = {"fee": 0, "fair": 2000 * WAD, "unit": WAD} | given
    return after_trade(account, instrument, size * WAD, price * WAD, **terms)


def test_a_perpetual_is_bought_and_sold(world):
    account = Account(CASH_HELD, (perp(2, quote=-3900 * WAD),))
    after = traded(account, ETH_PERP, 3, 2010, fee=WAD)
    assert after == Account(CASH_HELD + 100 * WAD - 30 * WAD - WAD, (perp(5, quote=-10_000 * WAD),))
    assert traded(account, ETH_PERP, -2, 2000) == Account(CASH_HELD + 100 * WAD, ())
    assert traded(Account(0, ()), ETH_PERP, -1, 1990) == Account(
        -10 * WAD, (perp(-1, quote=2000 * WAD),)
    )


def test_collateral_is_bought_and_sold(world):
    held = Account(0, (Collateral(WBTC, 10**8).encode(),))
    spot = Instrument.collateral(WBTC)
    after = traded(held, spot, 1, 50_000, unit=10**8)
    assert after == Account(-50_000 * WAD, (Collateral(WBTC, 2 * 10**8).encode(),))
    assert traded(held, spot, -1, 50_000, unit=10**8) == Account(50_000 * WAD, ())
    with pytest.raises(Refused, match="InsufficientBalance"):
        traded(held, spot, -2, 50_000, unit=10**8)
    with pytest.raises(Refused, match="InexactSize"):
        after_trade(held, spot, 1, WAD, 0, fair=WAD, unit=10**8)


def test_options_are_bought_and_sold(world):
    series = Instrument.option(ETH, MONTH, 2000 * WAD, False)
    sold = traded(Account(0, (perp(1),)), series, -2, 120)
    assert sold == Account(240 * WAD, (perp(1), option(-2)))
    assert traded(sold, series, 2, 100) == Account(40 * WAD, (perp(1),))


@SHARED
@given(size=st.integers(-(10**22), 10**22), price=st.integers(1, 10**22), words=books(4))
def test_a_trade_at_any_price_moves_equity_by_its_premium(
    world: LensWorld, *, size: int, price: int, words: list[int]
) -> None:
    keys = [word >> 232 for word in words]
    assume(len(set(keys)) == len(keys))
    account, mark = Account(0, tuple(words)), world.snapshot(ETH).mark
    after = after_trade(account, ETH_PERP, size, price, 0, fair=mark, unit=WAD)
    moved = (
        world.joint.assess(after.cash, 0, list(after.words))[0] - world.joint.assess(0, 0, words)[0]
    )
    assert abs(moved - size * (mark - price) // WAD) <= 3


def holder(world: LensWorld, cash: int, size: int) -> tuple[Account, Margin]:
    """An account that bought ether at 2000, with cash as its equity."""
    account = Account(cash * WAD, (perp(size, quote=-2000 * size * WAD),))
    return account, explain(joint(world), account, world.now).margin


def test_a_trade_passes_with_initial_margin(world):
    _, before = holder(world, 1000, 1)
    account, after = holder(world, 1000, 2)
    assert judge(account, before, after) == Verdict.PASSES
    account, after = holder(world, 1000, 3)
    assert after.equity < after.initial
    assert judge(account, before, after) == Verdict.REFUSED
    account, after = holder(world, 49, 0)
    assert judge(account, before, after) == Verdict.REFUSED, "less than the least equity"


def test_fresh_prices_are_needed_to_open(world):
    _, before = holder(world, 1000, 1)
    account, after = holder(world, 1000, 2)
    assert judge(account, before, replace(after, fresh=False)) == Verdict.REFUSED


def test_an_account_under_water_may_reduce(world):
    more, before = holder(world, 5000, 30)
    less, after = holder(world, 5000, 29)
    assert before.equity < before.maintenance
    assert judge(less, before, replace(after, fresh=False)) == Verdict.REDUCES
    assert judge(more, after, before) == Verdict.REFUSED
    less, after = holder(world, -1, 29)
    assert judge(less, holder(world, -1, 30)[1], after) == Verdict.REFUSED, "bankrupt"


def test_who_owes_nothing_passes_without_margin(world):
    account = Account(0, (Collateral(WETH, 1).encode(),))
    nothing = Margin(0, 1, 1, 0, fresh=False)
    assert judge(account, nothing, nothing) == Verdict.PASSES


# ---- States and profiles ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity", "state"),
    [
        (200, State.OPEN),
        (199, State.REDUCE_ONLY),
        (110, State.REDUCE_ONLY),
        (109, State.MARGIN_CALL),
        (99, State.LIQUIDATION),
        (-1, State.BANKRUPT),
    ],
)
def test_states(equity, state):
    assert State.of(Margin(equity, 200, 100, 0, True)) == state


def test_the_profile_is_what_the_engine_says_at_other_spots(world):
    account = Account(CASH_HELD, (perp(-10), option(10)))
    spots = [spot * WAD for spot in (1000, 2000, 3000)]
    points = profile(joint(world), account, ETH, spots, world.now)
    words = list(account.words)
    expected = [Margin(*world.joint.assessAt(CASH_HELD, words, ETH, spot)) for spot in spots]
    assert [point.margin for point in points] == expected
    assert points[1].profit == 0
    assert points[0].profit > 0 > points[2].profit


# ---- What is shown ----------------------------------------------------------------------------


def test_a_mirror_that_disagrees_explains_nothing(world):
    account, margin = holder(world, 1000, 1)
    moment = Moment(7, world.now, account, joint(world), world, margin)
    assert checked(moment).margin == margin
    with pytest.raises(ChainError, match="disagrees with the Clearinghouse in block 7"):
        checked(replace(moment, margin=replace(margin, initial=margin.initial + 1)))


@pytest.mark.parametrize("size", [-10, 0, 10])
def test_gains_losses_and_nothing_are_drawn(world, size):
    account, _ = holder(world, 5000, size)
    spots = [spot * WAD for spot in range(1000, 3001, 100)]
    points = profile(joint(world), account, ETH, spots, world.now)
    assert as_text(points).plain.count("●") == len(points)
    assert as_svg(points, 2000 * WAD, "<profit>").count("&lt;profit&gt;") == 1
