"""The rule engine on options: against its integer mirror, by the formulas, and at the edges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import Option, Settlement, Snapshot
from ballast.model.refusal import Refused
from ballast.risk.rules import OptionRule
from ballast.units import WAD, div_ceil
from tests.support.option_books import DAY, TERMS, Surface, calm, options, surfaces
from tests.support.revm import GENESIS, Reverted, reverts
from tests.support.risk import BTC, CASH, COIN, DOLLAR, ETH, books, fresh, markets
from tests.support.rule import RuleWorld

SHARED = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MONTH = GENESIS + 30 * DAY


def option(size: int, strike: int = 2000, put: bool = False, expiry: int = MONTH) -> int:
    return Option(ETH, expiry, strike * WAD, put, size).encode()


@pytest.fixture(scope="module")
def shared() -> RuleWorld:
    """A world in whose third day from GENESIS every ramp ends; each example sets its market."""
    world = RuleWorld(GENESIS - 2 * DAY)
    world.evm.time = GENESIS - DAY
    world.set_option(ETH, 700, 1777, 1001)
    world.evm.time = GENESIS
    return world


@pytest.fixture
def world() -> RuleWorld:
    world = RuleWorld()
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        world.price(underlying, fresh(world.now, price))
    world.set_slice(ETH, MONTH, calm(world.now).encode())
    return world


def arrange(world: RuleWorld, prices: dict[int, Snapshot], surface: Surface) -> None:
    for underlying, snapshot in prices.items():
        world.price(underlying, snapshot)
    for (underlying, expiry), word in surface.words.items():
        world.set_slice(underlying, expiry, word)
        world.set_mean(underlying, expiry, *surface.means[underlying, expiry])


# ---- Contract and mirror ----------------------------------------------------------------------


@SHARED
@given(
    data=st.data(), cash=CASH, prices=markets(GENESIS), surface=surfaces(GENESIS), linear=books(4)
)
def test_mirror_to_the_wei(
    shared: RuleWorld,
    *,
    data: st.DataObject,
    cash: int,
    prices: dict[int, Snapshot],
    surface: Surface,
    linear: list[int],
) -> None:
    arrange(shared, prices, surface)
    words = [*data.draw(st.lists(options(GENESIS, prices), max_size=6)), *linear]
    margin = shared.assess(cash, words)
    assert margin == shared.mirrored(cash, words)
    assert margin.initial >= margin.maintenance >= 0, "5: IM ≥ MM ≥ 0"
    witness = shared.assess(cash, words, 1)
    assert witness == shared.mirrored(cash, words, 1)
    assert (witness.initial, witness.maintenance) == (0, margin.maintenance)
    spot = data.draw(st.sampled_from([0, 1, 10**15, 3000 * WAD, 2**68 * 10**6 - 10**6]))
    expected = shared.mirror.assess_at(cash, words, ETH, spot, shared.now)
    assert shared.assess_at(cash, words, ETH, spot) == expected


@settings(SHARED, max_examples=60)
@given(
    data=st.data(),
    prices=markets(GENESIS),
    surface=surfaces(GENESIS),
    factor=st.integers(2, 1000),
)
def test_invariant_5_homogeneous_and_a_sum(
    shared: RuleWorld,
    *,
    data: st.DataObject,
    prices: dict[int, Snapshot],
    surface: Surface,
    factor: int,
) -> None:
    arrange(shared, prices, surface)
    words = data.draw(st.lists(options(GENESIS, prices), min_size=1, max_size=6))
    margins = [shared.mirrored(0, [word]) for word in words]
    both = shared.mirrored(0, words)
    assert 0 <= sum(one.maintenance for one in margins) - both.maintenance <= len(words)
    assert 0 <= sum(one.initial for one in margins) - both.initial <= len(words)
    low = words[0] & (2**128 - 1)
    size = low - 2**128 if low >> 127 else low
    many = shared.mirrored(0, [words[0] - low + (factor * size) % 2**128])
    slack = 8 * factor * (1 + prices[words[0] >> 232 & 0xFFFF].price // WAD)
    message = "5: margin(k·p) = k·margin(p)"
    assert abs(many.maintenance - factor * margins[0].maintenance) <= slack, message
    assert abs(many.initial - factor * margins[0].initial) <= slack, message


@settings(SHARED, max_examples=60)
@given(data=st.data(), prices=markets(GENESIS), surface=surfaces(GENESIS))
def test_what_a_short_option_requires_with_its_mark_is_never_over_what_it_can_cost_and_its_mark(
    shared: RuleWorld, *, data: st.DataObject, prices: dict[int, Snapshot], surface: Surface
) -> None:
    calm_prices = {
        name: replace(fresh(GENESIS, 1), price=one.price, stable=one.price)
        for name, one in prices.items()
    }
    arrange(shared, calm_prices, surface)
    word = data.draw(options(GENESIS, prices))
    margin = shared.mirrored(0, [word])
    held = Option(*_fields(word))
    if held.size > 0:
        assert margin.equity <= margin.maintenance == margin.initial <= margin.equity + 1
        return
    bound = held.strike if held.is_put else prices[held.underlying].price
    assert margin.initial <= div_ceil(-held.size * bound, WAD)


def _fields(word: int) -> tuple[int, int, int, bool, int]:
    low = word & (2**128 - 1)
    return (
        word >> 232 & 0xFFFF,
        word >> 200 & 0xFFFFFFFF,
        (word >> 129 & (2**71 - 1)) * 10**10,
        bool(word >> 128 & 1),
        low - 2**128 if low >> 127 else low,
    )


@settings(SHARED, max_examples=80)
@given(data=st.data(), prices=markets(GENESIS), surface=surfaces(GENESIS))
def test_invariant_5_an_option_given_for_nothing_never_hurts(
    shared: RuleWorld, *, data: st.DataObject, prices: dict[int, Snapshot], surface: Surface
) -> None:
    arrange(shared, prices, surface)
    words = data.draw(st.lists(options(GENESIS, prices), max_size=4))
    fields = _fields(data.draw(options(GENESIS, prices)))
    before = shared.mirrored(0, words)
    after = shared.mirrored(0, [*words, Option(*fields[:4], abs(fields[4])).encode()])
    assert after.equity - after.initial >= before.equity - before.initial - 2
    assert after.equity - after.maintenance >= before.equity - before.maintenance - 2


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("known", [False, True])
def test_the_greatest_options_do_not_overflow(sign: int, known: bool) -> None:
    world = RuleWorld()
    huge = {"price": 2**68 * 10**6 - 10**6, "stable": 0, "confidence": 4095 * 10**13, "time": 0}
    world.price(ETH, Snapshot(**huge))
    steep = calm(0, a=2**31 - 1, b=2**32 - 1, rho=-(2**23), mu=2**23 - 1, s=2**24 - 1)
    forward = calm(0, forward=2**32 - 1)
    for term, word in enumerate((steep.encode(), forward.encode())):
        world.set_slice(ETH, MONTH + term, word if known else 0)
    size = 2**127 - 1 if sign > 0 else -(2**127)
    words = [
        Option(ETH, MONTH + term, strike * 10**10, put, size).encode()
        for term in (0, 1)
        for strike in (0, 1, 2**71 - 1)
        for put in (False, True)
    ]
    words = (words * 6)[:64]
    assert world.assess(0, words) == world.mirrored(0, words)


# ---- Worked examples --------------------------------------------------------------------------


def requirement(world: RuleWorld, word: int) -> tuple[int, int]:
    margin = world.assess(0, [word])
    assert margin == world.mirrored(0, [word])
    return margin.maintenance, margin.initial


@pytest.mark.parametrize(
    ("strike", "put", "maintenance", "initial"),
    [
        (2000, False, 150, 300),
        (2060, False, 150, 240),
        (2400, False, 150, 200),
        (1000, False, 150, 300),
        (2000, True, 150, 300),
        (1940, True, 150, 240),
        (1600, True, 150, 200),
        (60, True, 60, 60),
    ],
)
def test_a_short_option_requires_its_rates(
    world: RuleWorld, strike: int, put: bool, maintenance: int, initial: int
) -> None:
    found = requirement(world, option(-WAD, strike, put))
    assert found == (maintenance * WAD, initial * WAD)


def test_a_short_put_far_in_the_money_requires_a_part_of_its_mark(world: RuleWorld) -> None:
    word = option(-WAD, 10_000, put=True)
    mark = -world.assess(0, [word]).equity
    maintenance, initial = requirement(world, word)
    assert mark > 7900 * WAD
    assert maintenance == div_ceil(mark * 75, 1000)
    assert initial == maintenance, "IM ≥ MM"


def test_a_long_option_lends_nothing(world: RuleWorld) -> None:
    margin = world.assess(0, [option(WAD)])
    assert 0 < margin.equity <= margin.maintenance == margin.initial <= margin.equity + 1


def test_nothing_offsets_an_option(world: RuleWorld) -> None:
    spread = world.assess(0, [option(-WAD), option(WAD, 2100)])
    long = world.assess(0, [option(WAD, 2100)])
    assert spread.maintenance == 150 * WAD + long.maintenance


def test_a_settled_expiry_is_worth_its_payoff_whatever_the_price_does(world: RuleWorld) -> None:
    world.set_slice(ETH, MONTH, Settlement(2500 * WAD).encode())
    world.price(ETH, Snapshot())
    long, short = world.assess(0, [option(WAD)]), world.assess(0, [option(-WAD)])
    assert (long.equity, long.maintenance, long.initial) == (500 * WAD,) * 3
    assert (short.equity, short.maintenance, short.initial) == (-500 * WAD, 0, 0)
    assert long.fresh and short.fresh
    assert world.assess(0, [option(-WAD, put=True)]).equity == 0
    assert world.mirrored(0, [option(WAD)]) == long


def test_without_volatility_a_short_option_is_asked_for_all_that_it_can_cost(
    world: RuleWorld,
) -> None:
    unknown = MONTH + DAY
    for put, bound in ((False, 2000), (True, 2100)):
        word = option(-WAD, 2100, put, unknown)
        margin = world.assess(0, [word])
        assert margin == world.mirrored(0, [word])
        assert margin.equity == -max(0, 100 if put else -100) * WAD, "what exercise would cost"
        assert margin.maintenance == margin.initial == bound * WAD
        assert margin.fresh
    margin = world.assess(0, [option(WAD, 2100, True, unknown)])
    assert margin.equity == margin.maintenance == margin.initial == 100 * WAD


def test_publishing_volatility_frees_margin_and_takes_time_value(world: RuleWorld) -> None:
    unknown = MONTH + DAY
    before = world.assess(0, [option(-WAD, 2000, False, unknown)])
    world.set_slice(ETH, unknown, calm(world.now).encode())
    after = world.assess(0, [option(-WAD, 2000, False, unknown)])
    assert after.equity < before.equity
    assert after.equity - after.initial > before.equity - before.initial
    assert after.equity - after.maintenance > before.equity - before.maintenance


def test_an_overdue_slice_widens_the_initial_margin_up_to_all_that_can_be_lost(
    world: RuleWorld,
) -> None:
    old = calm(world.now - 3 * 4 * 3600, max_age=0)
    world.set_slice(ETH, MONTH, old.encode())
    margin = world.assess(0, [option(-WAD)])
    assert not margin.fresh
    assert (margin.maintenance, margin.initial) == (150 * WAD, 2 * 300 * WAD), "√(1 + 12/4) = 2"
    assert not world.assess(0, [option(WAD)]).fresh
    world.set_slice(ETH, MONTH, calm(world.now - 10**8, max_age=0).encode())
    assert requirement(world, option(-WAD)) == (150 * WAD, 2000 * WAD)
    assert requirement(world, option(-WAD, 1500, put=True)) == (150 * WAD, 1500 * WAD)


def test_width_and_pump_of_the_price_count_by_delta(world: RuleWorld) -> None:
    world.price(ETH, fresh(world.now, 2200, stable=2000 * WAD, confidence=WAD // 100))
    deep = option(-WAD, 10, expiry=MONTH), option(-WAD, 100_000, put=True, expiry=MONTH)
    call, put = (requirement(world, word)[1] for word in deep)
    assert call == 330 * WAD + 22 * WAD, "a short call gains nothing by a pump"
    mark = -world.assess(0, [deep[1]]).equity
    base = max(330 * WAD, div_ceil(mark * 75, 1000))
    assert abs(put - (base + 22 * WAD + 200 * WAD)) <= 200, "a short put does"


def test_credit_of_a_stale_price_goes_by_delta_and_within_the_own_margin(world: RuleWorld) -> None:
    world.evm.time += 3601
    age, scan_range = 3601, 22 * 10**6
    assert world.assess(0, [option(-WAD, 10)]).credit == 0, "too old to be credited"
    world.price(ETH, fresh(world.now - 1800, 2000, max_age=60))
    shift = scan_range * 1800 // 14_400
    credit = world.assess(0, [option(-WAD, 10)]).credit
    assert abs(credit - 2000 * WAD * shift // 10**8) < 10**6
    world.set_slice(ETH, MONTH, Settlement(age).encode())
    assert world.assess(0, [option(-WAD, 10)]).credit == 0


@pytest.mark.parametrize("term", TERMS)
def test_near_expiry_the_mean_so_far_counts(world: RuleWorld, term: int) -> None:
    expiry = world.now + term
    world.set_slice(ETH, expiry, calm(world.now).encode())
    world.set_mean(ETH, expiry, 1800, 2500 * WAD)
    margin = world.assess(0, [option(WAD, 2000, False, expiry)])
    assert margin == world.mirrored(0, [option(WAD, 2000, False, expiry)])
    assert (abs(margin.equity - 500 * WAD) < 10**10) == (term < 1800)


@SHARED
@given(data=st.data(), prices=markets(GENESIS), surface=surfaces(GENESIS))
def test_the_fair_price_is_what_an_option_is_worth(
    shared: RuleWorld, *, data: st.DataObject, prices: dict[int, Snapshot], surface: Surface
) -> None:
    arrange(shared, prices, surface)
    series = data.draw(options(GENESIS, prices)) >> 128 << 128
    price, delta = shared.engine.fairPrice(series)
    assert (price, delta) == shared.mirror.fair_price(series, shared.now)
    assert shared.assess(0, [series | WAD]).equity == price
    assert shared.assess(0, [series | 2**128 - WAD]).equity == -price


def test_only_options_have_a_fair_price_here(world: RuleWorld) -> None:
    series = 1 << 248 | ETH << 232
    with reverts("RuleEngine_UnknownKind", series | WAD):
        world.engine.fairPrice(series)
    with pytest.raises(Refused, match="RuleEngine_UnknownKind"):
        world.mirror.fair_price(series, world.now)


# ---- Refusals and parameters ------------------------------------------------------------------


def both_refuse(world: RuleWorld, word: int, name: str, *values: int) -> None:
    with reverts(name, *values):
        world.assess(0, [word])
    with pytest.raises(Refused) as refusal:
        world.mirrored(0, [word])
    assert (refusal.value.name, refusal.value.values) == (name, values)


def test_an_underlying_without_rates_for_options(world: RuleWorld) -> None:
    word = Option(DOLLAR, MONTH, WAD, False, -1).encode()
    both_refuse(world, word, "RuleParameters_UnknownOption", DOLLAR)
    world.assess(0, [Option(DOLLAR, MONTH, WAD, False, 1).encode()])
    with reverts("RuleParameters_UnknownOption", DOLLAR):
        world.engine.optionRule(DOLLAR)


def test_a_price_that_was_never_accepted(world: RuleWorld) -> None:
    world.price(ETH, Snapshot())
    both_refuse(world, option(-1), "RuleEngine_PriceNeverAccepted", ETH)
    both_refuse(world, option(1), "RuleEngine_PriceNeverAccepted", ETH)


@pytest.mark.parametrize(
    "rates", [(0, 0, 0), (0, 100, 100), (500, 600, 499), (500, 400, 500), (1, 10_001, 10_000)]
)
def test_bounds_of_option_rates(world: RuleWorld, rates: tuple[int, int, int]) -> None:
    with reverts("RuleParameters_OptionRatesOutOfBounds", *rates):
        world.engine.setOption(ETH, *rates)
    with pytest.raises(Refused) as refusal:
        world.rules.set_option(ETH, *rates, now=world.now)
    assert refusal.value.values == rates


def test_a_stranger_sets_no_option_rates(world: RuleWorld) -> None:
    with pytest.raises(Reverted, match="AccessManagedUnauthorized"):
        world.engine.setOption(ETH, 750, 1500, 1000, sender=world.evm.actor("stranger"))


def test_option_rates_ramp_together(world: RuleWorld) -> None:
    world.set_option(ETH, 1500, 3000, 2000)
    (log,) = world.evm.logs
    assert log.name == "OptionRuleSet"
    assert OptionRule.decode(log.args["rule"]) == world.rules.option(ETH)
    assert requirement(world, option(-WAD)) == (150 * WAD, 300 * WAD)
    started = world.now
    for days, part in ((1, 1), (2, 2), (3, 3), (4, 3)):
        world.evm.time = started + days * DAY
        world.price(ETH, fresh(world.now, 2000))
        world.set_slice(ETH, MONTH, calm(world.now).encode())
        expected = 150 * WAD + 50 * WAD * part, 300 * WAD + 100 * WAD * part
        assert requirement(world, option(-WAD)) == expected
    before = world.rules.option(ETH)
    world.set_option(ETH, 1500, 3000, 2000)
    assert OptionRule.decode(world.engine.optionRule(ETH)) == before
