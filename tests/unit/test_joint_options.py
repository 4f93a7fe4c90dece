"""Options in the joint-scenario engine: against its mirror, the properties, and named books."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import (
    Collateral,
    Option,
    Perp,
    Settlement,
    Snapshot,
    VolatilitySlice,
    decode_position,
)
from ballast.model.margin import ASSESS_MAINTENANCE
from ballast.model.refusal import Refused
from ballast.risk import joint_scenario as mirror
from ballast.risk.scenarios import COLUMNS, name
from ballast.units import WAD
from tests.support.revm import GENESIS, reverts
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    COLLATERAL,
    DOLLAR,
    ETH,
    PARAMETERS,
    PERPS,
    WETH,
    RiskWorld,
    fresh,
    markets,
)

SHARED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PURE = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DAY = 86_400
DATES = [GENESIS + days * DAY for days in (1, 7, 30, 90)]
SOON, PAST, FIXED = GENESIS + 600, GENESIS - 60, GENESIS - 7200
GREATEST_SPOT = ((1 << 68) - 1) * 10**6
ALL_DATES = [*DATES, SOON, PAST, FIXED]


# ---- Random markets and books -----------------------------------------------------------------


@dataclass(frozen=True)
class Volatilities:
    """Slices and settlement means of every expiry."""

    slices: dict[tuple[int, int], int]
    means: dict[tuple[int, int], tuple[int, int]]

    def slice(self, underlying: int, expiry: int) -> int:
        return self.slices.get((underlying, expiry), 0)

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self.means.get((underlying, expiry), (0, 0))


SLICES = st.builds(
    VolatilitySlice,
    a=st.integers(-(10**7), 10**8),
    b=st.integers(0, 5 * 10**6),
    rho=st.integers(-999_999, 999_999),
    mu=st.integers(-500_000, 500_000),
    s=st.integers(0, 1_000_000),
    forward=st.integers(9 * 10**7, 12 * 10**7),
    time=st.sampled_from([GENESIS, GENESIS - 3600, GENESIS - 10**5]),
    max_age=st.just(7200),
)


@st.composite
def volatilities(draw: st.DrawFn, prices: dict[int, Snapshot]) -> Volatilities:
    slices, means = {}, {}
    for underlying in (ETH, BTC, COIN):
        for date in (*DATES, SOON, PAST):
            slices[underlying, date] = draw(SLICES).encode()
        price = prices[underlying].price
        near = st.integers(price * 9 // 10, price * 11 // 10)
        slices[underlying, FIXED] = Settlement(draw(near)).encode()
        means[underlying, SOON] = (draw(st.integers(0, 1200)), draw(near))
        means[underlying, PAST] = (draw(st.integers(0, 1800)), draw(near))
    return Volatilities(slices, means)


@st.composite
def options(draw: st.DrawFn, prices: dict[int, Snapshot]) -> Option:
    underlying = draw(st.sampled_from([ETH, BTC, COIN]))
    ratio = draw(st.one_of(st.sampled_from([90, 100, 110]), st.integers(1, 6400)))
    strike = prices[underlying].price * ratio // 100 // 10**10 * 10**10
    size = draw(
        st.one_of(st.integers(-3, 3).map(lambda n: n * WAD), st.integers(-(10**20), 10**20))
    )
    date = draw(st.sampled_from(ALL_DATES))
    return Option(underlying, date, max(strike, 10**10), draw(st.booleans()), size)


@st.composite
def situations(
    draw: st.DrawFn, most: int = 6
) -> tuple[dict[int, Snapshot], Volatilities, list[int]]:
    prices = draw(markets(GENESIS))
    held = draw(
        st.lists(st.one_of(options(prices), options(prices), PERPS, COLLATERAL), max_size=most)
    )
    return prices, draw(volatilities(prices)), [position.encode() for position in held]


Situation = tuple[dict[int, Snapshot], Volatilities, list[int]]


@pytest.fixture(scope="module")
def shared() -> RiskWorld:
    """A world whose prices each example sets anew."""
    return RiskWorld()


def arrange(world: RiskWorld, prices: dict[int, Snapshot], vols: Volatilities) -> None:
    for underlying, snapshot in prices.items():
        world.price(underlying, snapshot)
    for (underlying, date), word in vols.slices.items():
        world.publish(underlying, date, word)
    for (underlying, date), mean in vols.means.items():
        world.settling(underlying, date, *mean)


def assess(words: list[int], prices: dict[int, Snapshot], vols: Volatilities) -> mirror.Assessment:
    return mirror.assess(0, words, prices.__getitem__, PARAMETERS, GENESIS, options=vols)


# ---- Contract and mirror ----------------------------------------------------------------------


@SHARED
@given(cash=CASH, situation=situations(10))
def test_mirror_to_the_wei(shared: RiskWorld, cash: int, situation: Situation) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    expected = mirror.assess(*shared.given(cash, words), options=shared)
    assert shared.assess(cash, words) == expected.margin


@settings(SHARED, max_examples=30)
@given(cash=CASH, situation=situations(10))
def test_mirror_of_maintenance_alone(shared: RiskWorld, cash: int, situation: Situation) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    expected = mirror.assess_maintenance(*shared.given(cash, words), options=shared)
    assert shared.assess(cash, words, ASSESS_MAINTENANCE) == expected


@settings(SHARED, max_examples=15)
@given(situation=situations())
def test_mirror_of_every_witness(shared: RiskWorld, situation: Situation) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    for column in range(COLUMNS):
        expected = mirror.witness(*shared.given(0, words), options=shared, column=column)
        assert shared.assess(0, words, 1 + column) == expected


@settings(SHARED, max_examples=30)
@given(
    situation=situations(), percent=st.integers(0, 1600), underlying=st.sampled_from([ETH, COIN])
)
def test_mirror_at_another_price(
    shared: RiskWorld, situation: Situation, percent: int, underlying: int
) -> None:
    prices, vols, words = situation
    arrange(shared, prices, vols)
    spot = min(prices[underlying].price * percent // 100, GREATEST_SPOT)
    expected = mirror.assess_at(
        *shared.given(0, words), options=shared, underlying=underlying, spot=spot
    )
    assert shared.assess_at(0, words, underlying, spot) == expected.margin


# ---- Properties -------------------------------------------------------------------------------

DUST = 10**12  # rounding a delta to 1e-18 of a unit, at the highest prices


@PURE
@given(situation=situations(), factor=st.integers(2, 9))
def test_invariant_5_homogeneous(situation: Situation, factor: int) -> None:
    prices, vols, words = situation
    held = [word for word in words if word >> 248 == 2]
    once = assess(held, prices, vols).margin
    often = assess([times(word, factor) for word in held], prices, vols).margin
    message = "5: margin(k·p) = k·margin(p)"
    assert abs(often.equity - factor * once.equity) <= factor, message
    assert abs(often.maintenance - factor * once.maintenance) <= DUST, message
    assert abs(often.initial - factor * once.initial) <= DUST, message


def times(word: int, factor: int) -> int:
    option = decode_position(word)
    assert isinstance(option, Option)
    return replace(option, size=factor * option.size).encode()


@PURE
@given(situation=situations(), second=st.data())
def test_invariant_5_sub_additive(situation: Situation, second: st.DataObject) -> None:
    prices, vols, first = situation
    more = [
        p.encode() for p in second.draw(st.lists(st.one_of(options(prices), PERPS), max_size=5))
    ]
    a, b = assess(first, prices, vols).margin, assess(more, prices, vols).margin
    both = assess(first + more, prices, vols).margin
    message = "5: margin(a + b) ≤ margin(a) + margin(b)"
    assert both.maintenance <= a.maintenance + b.maintenance + DUST, message
    assert both.initial <= a.initial + b.initial + DUST, message


@PURE
@given(situation=situations())
def test_invariants_5_and_6_order_of_requirements(situation: Situation) -> None:
    prices, vols, words = situation
    question = (0, words, prices.__getitem__, PARAMETERS, GENESIS)
    margin = mirror.assess(*question, options=vols).margin
    assert margin.initial >= margin.maintenance >= 0, "5: IM ≥ MM ≥ 0"
    for column in range(COLUMNS):
        one = mirror.witness(*question, options=vols, column=column)
        assert one.maintenance <= margin.maintenance, "6: witness ≤ MM"
        assert one.equity == margin.equity


@settings(PURE, max_examples=300)
@given(situation=situations(8))
def test_a_bound_of_initial_margin_is_one(situation: Situation) -> None:
    prices, vols, words = situation
    question = (0, words, prices.__getitem__, PARAMETERS, GENESIS)
    exact = mirror.assess(*question, options=vols).margin
    bounded = mirror.assess_maintenance(*question, options=vols)
    assert bounded.initial >= exact.initial
    assert replace(bounded, initial=exact.initial) == exact
    if all(
        one.range_initial == one.range_maintenance and one.is_fresh(GENESIS)
        for one in prices.values()
    ):
        assert bounded == exact


@PURE
@given(situation=situations(4), data=st.data())
def test_invariant_5_a_long_option_for_nothing_never_hurts(
    situation: Situation, data: st.DataObject
) -> None:
    """Beyond its own roll charge, and what a wide or pumped price charges on its delta."""
    prices, vols, words = situation
    calm = {u: replace(s, stable=s.price, confidence=0) for u, s in prices.items()}
    gift = data.draw(options(calm).map(lambda o: replace(o, size=abs(o.size))))
    before = assess(words, calm, vols).margin
    after = assess([*words, gift.encode()], calm, vols).margin
    alone = assess([gift.encode()], calm, vols)
    roll = alone.book.add_on_initial // 10_000 + 1
    # A price in a scenario is its own rounding, 2^-40 of the forward, from the least it can be.
    dust = DUST + abs(gift.size) * 6 * prices[gift.underlying].price // WAD // 2**38
    dust += abs(gift.size) * gift.strike // WAD // 2**38
    assert after.equity - after.maintenance >= before.equity - before.maintenance - roll - dust
    assert after.equity - after.initial >= before.equity - before.initial - roll - dust


@PURE
@given(situation=situations(4), data=st.data())
def test_invariant_7_put_call_parity(situation: Situation, data: st.DataObject) -> None:
    """A put is its call, less the forward, plus the strike: in equity, and in every column."""
    prices, vols, words = situation
    call = data.draw(options(prices).map(lambda o: replace(o, is_put=False)))
    put = replace(call, is_put=True)
    synthetic = [call.encode(), replace(put, size=-put.size).encode()]
    a = assess([*words, call.encode()], prices, vols)
    b = assess([*words, put.encode(), *synthetic], prices, vols)
    assert a.margin == b.margin, "7: exactly, for calls and puts are netted before they are priced"


# ---- Named books ------------------------------------------------------------------------------

NOW = GENESIS
WEEK, MONTH, QUARTER = NOW + 7 * DAY, NOW + 30 * DAY, NOW + 91 * DAY
FLAT = VolatilitySlice(a=36 * 10**6, forward=10**8, time=NOW, max_age=7200).encode()  # σ = 60 %


@pytest.fixture
def world() -> RiskWorld:
    world = RiskWorld()
    for underlying, price in ((ETH, 2000), (BTC, 50_000), (COIN, 3), (DOLLAR, 1)):
        world.price(underlying, fresh(world.now, price))
        for date in (WEEK, MONTH, QUARTER):
            world.publish(underlying, date, FLAT)
    return world


def option(strike: int, size: int, put: bool = False, date: int = MONTH, on: int = ETH) -> int:
    return Option(on, date, strike * WAD, put, size * WAD).encode()


def put(strike: int, size: int, date: int = MONTH) -> int:
    return option(strike, size, True, date)


def perp(size: int, on: int = ETH) -> int:
    return Perp(on, size * WAD, 0).encode()


STRADDLE = [option(2000, 1), put(2000, 1)]
CALENDAR = [option(2000, -1, date=WEEK), option(2000, 1, date=QUARTER)]
BUTTERFLY = [option(1800, 1), option(2000, -2), option(2200, 1)]
BOX = [option(1800, 1), option(2200, -1), put(1800, -1), put(2200, 1)]
CONVERSION = [perp(1), put(2000, 1), option(2000, -1)]
RISK_REVERSAL = [option(2200, 1), put(1800, -1)]
COVERED_CALL = [Collateral(WETH, WAD).encode(), option(2200, -1)]
HEDGED = [Collateral(WETH, WAD).encode(), option(1000, -1)]
CROSS = [option(2000, -25), option(50_000, 1, on=BTC)]


@pytest.mark.parametrize(
    ("words", "binding"),
    [
        pytest.param(STRADDLE, "+0/4 of the range, volatility down", id="long gamma"),
        pytest.param(CALENDAR, "-4/4 of the range, volatility down", id="calendar"),
        pytest.param(BUTTERFLY, "-4/4 of the range, volatility down", id="butterfly"),
        pytest.param(BOX, "", id="box"),
        pytest.param(CONVERSION, "", id="conversion"),
        pytest.param(RISK_REVERSAL, "tail -66 %", id="risk reversal"),
        pytest.param(COVERED_CALL, "-4/4 of the range, volatility up", id="covered call"),
        pytest.param(HEDGED, "tail -66 %", id="collateral-hedged"),
        pytest.param(CROSS, "decorrelated", id="cross-underlying"),
    ],
)
def test_named_books_and_what_binds_them(world: RiskWorld, words: list[int], binding: str) -> None:
    found = mirror.assess(*world.given(0, words), options=world)
    assert world.assess(0, words) == found.margin
    assert bound_by(found.losses_maintenance) == binding


def bound_by(losses: mirror.Losses) -> str:
    """The name of what W is; nothing where nothing loses."""
    if losses.worst == 0:
        return ""
    parts = {name(column): losses.columns[column] for column in range(COLUMNS)}
    parts |= {"decorrelated": losses.broken, "terms": losses.term}
    return max(parts, key=lambda part: parts[part])


def test_a_box_is_worth_its_strikes_and_needs_only_its_rolls(world: RiskWorld) -> None:
    margin = world.assess(0, BOX)
    assert margin.equity == 400 * WAD
    assert margin.maintenance <= 1, "deltas cancel, nothing is short, no scenario moves it"


def test_a_conversion_is_worth_its_strike_less_the_perpetual(world: RiskWorld) -> None:
    margin = world.assess(0, CONVERSION)
    perp_only = world.assess(0, [perp(1)])
    parity = world.assess(0, CONVERSION[1:])
    assert margin.equity == perp_only.equity + parity.equity
    add_on = 2000 * WAD // 100
    roll = 2000 * WAD * 10 * 30 // (100 * 365)
    assert abs(margin.maintenance - add_on - roll) < WAD // 10**4, "its rate counts 1e-8"


# ---- Time -------------------------------------------------------------------------------------


def test_a_stale_slice_widens_and_never_refuses(world: RiskWorld) -> None:
    calm = world.assess(0, STRADDLE)
    stale = replace(VolatilitySlice.decode(FLAT), time=NOW - 7200 - 4 * 3600).encode()
    world.publish(ETH, MONTH, stale)
    late = world.assess(0, STRADDLE)
    assert calm.fresh
    assert not late.fresh
    assert late.equity == calm.equity
    assert late.maintenance == calm.maintenance
    assert late.initial > calm.initial
    world.publish(ETH, MONTH, replace(VolatilitySlice.decode(FLAT), time=0).encode())
    ancient = world.assess(0, STRADDLE)
    assert ancient == mirror.assess(*world.given(0, STRADDLE), options=world).margin
    assert ancient.initial > late.initial


def test_a_settled_option_is_its_payoff_and_no_risk(world: RiskWorld) -> None:
    world.publish(ETH, MONTH, Settlement(2150 * WAD).encode())
    margin = world.assess(0, [option(2000, 3), put(2200, -2), put(2000, 5)])
    assert margin.equity == 3 * 150 * WAD - 2 * 50 * WAD
    assert (margin.maintenance, margin.initial, margin.fresh) == (0, 0, True)


def test_an_expired_option_is_its_payoff_at_the_mean_that_is_known(world: RiskWorld) -> None:
    world.evm.time = WEEK + 10
    for underlying in (ETH, BTC):
        world.price(underlying, fresh(world.now, 2000))
    world.settling(ETH, WEEK, 1800, 2100 * WAD)
    words = [option(2000, 1, date=WEEK), put(2000, -1, date=WEEK)]
    margin = world.assess(0, words)
    assert margin == mirror.assess(*world.given(0, words), options=world).margin
    assert abs(margin.equity - 100 * WAD) < WAD // 10**8
    assert margin.maintenance <= 1, "the whole settlement price is known"
    assert margin.fresh, "no slice is needed any more"


def test_time_value_runs_into_the_settlement_window_without_a_jump(world: RiskWorld) -> None:
    window = 30 * 60
    word = option(2000, 1, date=WEEK)
    found = []
    for left in (window + 60, window + 1, window, window - 1, window - 60):
        world.evm.time = WEEK - left
        world.price(ETH, fresh(world.now, 2000))
        world.publish(ETH, WEEK, replace(VolatilitySlice.decode(FLAT), time=world.now).encode())
        world.settling(ETH, WEEK, 0, 0)
        found.append(world.assess(0, [word]).equity)
    before, last, first, later, after = found
    assert before > last > first > later > after
    assert last - first < (before - last) // 30, "a second before the window costs what one ago did"
    assert first - later < last - first, "and within it a third of that"


def test_the_mean_damps_an_option_in_its_last_minutes(world: RiskWorld) -> None:
    world.evm.time = WEEK - 600
    world.price(ETH, fresh(world.now, 2000))
    world.settling(ETH, WEEK, 0, 0)
    word = option(2000, -1, date=WEEK)
    open_ = world.assess(0, [word])
    world.settling(ETH, WEEK, 1200, 2000 * WAD)
    known = world.assess(0, [word])
    assert 0 > known.equity > open_.equity, "less is left to move"
    assert known.maintenance < open_.maintenance // 2


# ---- Fair prices ------------------------------------------------------------------------------


@SHARED
@given(situation=situations(1), data=st.data())
def test_fair_prices_of_contract_and_mirror(
    shared: RiskWorld, situation: Situation, data: st.DataObject
) -> None:
    prices, vols, _ = situation
    arrange(shared, prices, vols)
    wanted = data.draw(options(prices))
    key = wanted.instrument.key
    price, delta = shared.engine.fairPrice(key)
    assert (price, delta) == mirror.fair_price(key, shared.snapshot, shared, shared.now)
    one = replace(wanted, size=WAD).encode()
    value = assess([one], prices, vols).margin.equity
    spot = prices[wanted.underlying].price
    assert abs(value - price) <= spot // 10**8 + 10, "the kernel is as near as it promises"


# ---- Refusals ---------------------------------------------------------------------------------


def test_an_option_whose_volatility_was_never_published(world: RiskWorld) -> None:
    word = option(2000, 1, date=NOW + DAY)
    values = (ETH, NOW + DAY)
    with reverts("JointScenarioEngine_SliceNeverPublished", *values):
        world.assess(0, [word])
    with pytest.raises(Refused, match="JointScenarioEngine_SliceNeverPublished"):
        mirror.assess(*world.given(0, [word]), options=world)
    with reverts("JointScenarioEngine_SliceNeverPublished", *values):
        world.engine.fairPrice(word >> 128 << 128)


def test_fair_prices_are_of_options_on_accepted_prices(world: RiskWorld) -> None:
    instrument = Perp(ETH, 0, 0).encode()
    with reverts("JointScenarioEngine_UnknownKind", instrument):
        world.engine.fairPrice(instrument)
    world.price(ETH, Snapshot())
    with reverts("JointScenarioEngine_PriceNeverAccepted", ETH):
        world.engine.fairPrice(option(2000, 1) >> 128 << 128)


# ---- The greatest account ---------------------------------------------------------------------


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("strike", [1, 2**71 - 1, 2**60])
def test_the_greatest_book_does_not_overflow(sign: int, strike: int) -> None:
    world = RiskWorld()
    most = (2**68 - 1) * 10**6
    huge = {"range_maintenance": 8191 * 10**14, "range_initial": 8191 * 10**14}
    extreme = VolatilitySlice(2**31 - 1, 2**32 - 1, -999_999, 0, 2**24 - 1, 2**32 - 1, NOW, 7200)
    for underlying in (ETH, BTC, COIN):
        world.price(underlying, Snapshot(price=most, stable=most, time=NOW, max_age=60, **huge))
        world.publish(underlying, MONTH, extreme.encode())
    size = 2**127 - 1 if sign > 0 else -(2**127)
    words = [
        Option(underlying, MONTH, (strike - i % 2) * 10**10 or 10**10, i % 3 == 0, size).encode()
        for i in range(21)
        for underlying in (ETH, BTC, COIN)
    ]
    assert world.assess(0, words) == mirror.assess(*world.given(0, words), options=world).margin
