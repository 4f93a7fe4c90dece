"""Options in the Clearinghouse: trading, open interest, slices, settlement, to the wei."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.codec import AccountId, Instrument, Option, decode_position
from ballast.model.market import OptionMarket, SeriesInterest
from ballast.model.replay import differences
from ballast.units import WAD
from tests.support.clearing import (
    BTC,
    CASH,
    ETH,
    ETH_PERP,
    WETH_SPOT,
    refused,
    replay,
    units,
)
from tests.support.options import DAY, DELAY, OPTION_CAP, OptionWorld
from tests.support.revm import reverts


@pytest.fixture
def world() -> Iterator[OptionWorld]:
    """Whatever a test did must follow from the events alone."""
    world = OptionWorld()
    world.fund(world.account("writer"), 1_000_000)
    yield world
    assert differences(replay(world).state, world.model.state) == []


@pytest.fixture
def writer(world: OptionWorld) -> AccountId:
    return world.account("writer")


@pytest.fixture
def buyer(world: OptionWorld) -> AccountId:
    account = world.account("buyer")
    world.fund(account, 100_000)
    return account


@pytest.fixture
def call(world: OptionWorld) -> int:
    return world.series(2000)


@pytest.fixture
def put(world: OptionWorld) -> int:
    return world.series(1800, put=True)


def size_in(world: OptionWorld, account: AccountId, series: int) -> int:
    held = [decode_position(word) for word in world.words_of(account)]
    sizes = [p.size for p in held if isinstance(p, Option) and p.instrument.key == series]
    assert len(sizes) < 2, "one word a series"
    return sizes[0] if sizes else 0


def interest(world: OptionWorld, series: int) -> tuple[int, int]:
    long, short = world.house.seriesInterest(series)
    return long, short


# ---- Trading --------------------------------------------------


def test_both_sides_of_a_first_trade(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 1.5, 100, instrument=call)
    assert world.words_of(buyer) == [call | units(1.5)]
    assert world.words_of(writer) == [call | (2**128 - units(1.5))]
    assert world.cash_of(buyer) == units(100_000 - 150)
    assert world.cash_of(writer) == units(1_000_000 + 150)
    assert interest(world, call) == (units(1.5), units(1.5))
    assert world.house.optionMarket(ETH) == (units(1.5), OPTION_CAP)


def test_the_buyer_pays_rounded_up_and_the_writer_gets_rounded_down(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.fill(buyer, writer, call, 3, units(100) + 1)
    assert world.cash_of(buyer) == units(100_000) - 301
    assert world.cash_of(writer) == units(1_000_000) + 300
    assert world.cash_of(world.fee_account) == 1


def test_fees_of_both_sides(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.set_fees(Instrument.options(ETH).key, WAD // 2000, WAD // 1000)
    world.trade(buyer, writer, 2, 100, instrument=call)
    assert world.cash_of(buyer) == units(100_000 - 200 - 0.2)
    assert world.cash_of(writer) == units(1_000_000 + 200 - 0.1)
    assert world.cash_of(world.fee_account) == units(0.3)


def test_reducing_closing_turning(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    for size, held in ((3, 3), (-1, 2), (-2, 0), (-4, -4), (5, 1), (-1, 0)):
        world.trade(buyer, writer, size, 100, instrument=call)
        assert size_in(world, buyer, call) == units(held)
        assert interest(world, call) == (units(abs(held)), units(abs(held)))
    assert world.words_of(buyer) == []


def test_one_word_a_series(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int, put: int
) -> None:
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.trade(buyer, writer, -2, 100, instrument=put)
    world.trade(buyer, writer, 1, 100, instrument=world.series(2050))
    world.trade(buyer, writer, 1, 100, instrument=call)
    assert size_in(world, buyer, call) == units(2)
    assert size_in(world, buyer, put) == units(-2)
    assert len(world.words_of(buyer)) == 3
    assert world.house.optionMarket(ETH)[0] == units(5)


def test_several_makers_in_a_trade(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    other = world.account("other")
    world.fund(other, 10_000)
    makers = [
        world.order(writer, -2, 100, instrument=call),
        world.order(other, -1, 110, instrument=call),
    ]
    world.settle(world.order(buyer, 3, 120, instrument=call), makers, [2, 1])
    assert world.cash_of(buyer) == units(100_000 - 310)
    assert interest(world, call) == (units(3), units(3))


def test_a_position_that_changes_hands_leaves_open_interest(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    other = world.account("other")
    world.fund(other, 10_000)
    world.trade(buyer, writer, 2, 100, instrument=call)
    world.trade(other, buyer, 2, 100, instrument=call)
    assert world.words_of(buyer) == []
    assert interest(world, call) == (units(2), units(2))


def test_options_beside_perpetuals_and_collateral(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.fund(writer, weth=2)
    world.trade(buyer, writer, 1, 2000, instrument=ETH_PERP)
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.trade(buyer, writer, 1, 2000, instrument=WETH_SPOT)
    world.trade(buyer, writer, -1, 2000, instrument=ETH_PERP)
    assert world.words_of(buyer) == [WETH_SPOT | WAD, call | WAD]


def test_sixty_four_series(world: OptionWorld, buyer: AccountId, writer: AccountId) -> None:
    world.fund(buyer, 1_000_000)
    world.fund(writer, 10_000_000)
    series = [world.series(50 * (20 + i)) for i in range(65)]
    for one in series[:64]:
        world.trade(buyer, writer, 1, 100, instrument=one)
    with reverts("Clearinghouse_TooManyPositions", buyer.value, 64):
        world.trade(buyer, writer, 1, 100, instrument=series[64])
    world.trade(buyer, writer, -1, 100, instrument=series[7])
    world.trade(buyer, writer, 1, 100, instrument=series[64])
    assert len(world.words_of(buyer)) == 64
    world.expire(2500)
    world.advance(DELAY)
    world.settle_account(buyer)
    world.settle_account(writer)
    assert world.words_of(buyer) == world.words_of(writer) == []
    assert world.house.optionMarket(ETH)[0] == 0


# ---- What may be traded --------------------------------------------------


def test_up_to_the_second_of_expiry(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.go(world.expiry - 13)
    world.set_price(ETH, 2000)
    assert world.now == world.expiry - 1
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.advance(1)
    world.refresh(ETH, 2000)
    with reverts("Clearinghouse_SeriesExpired", call, world.expiry):
        world.trade(buyer, writer, -1, 100, instrument=call)


def test_a_strike_off_the_grid(world: OptionWorld, buyer: AccountId, writer: AccountId) -> None:
    for strike in (2025, 2000.00000001, 1999.99999999):
        series = world.series(strike)
        with reverts("Clearinghouse_SeriesNotListed", series):
            world.trade(buyer, writer, 1, 100, instrument=series)


def test_an_expiry_without_a_slice(world: OptionWorld, buyer: AccountId, writer: AccountId) -> None:
    world.list_expiry(world.expiry + DAY, ratio=None)
    for expiry in (world.expiry + DAY, world.expiry + 1, 2**32 - 1):
        series = world.series(expiry=expiry)
        with reverts("MockOptionEngine_NoVolatility", series):
            world.trade(buyer, writer, 1, 100, instrument=series)


def test_strikes_far_over_the_forward(
    world: OptionWorld, buyer: AccountId, writer: AccountId
) -> None:
    world.trade(buyer, writer, 1, 10, instrument=world.series(128_000, 10))
    far = world.series(128_050, 10)
    with reverts("Clearinghouse_StrikeTooFar", far, units(128_050), units(2000)):
        world.trade(buyer, writer, 1, 10, instrument=far)


def test_strikes_far_under_the_forward(
    world: OptionWorld, buyer: AccountId, writer: AccountId
) -> None:
    """The forward counts, not the spot: 3,200 / 64 = 50."""
    later = world.expiry + DAY
    world.list_expiry(later, ratio=16 * 10**7)
    world.trade(buyer, writer, 1, 100, instrument=world.series(50, expiry=later))
    world.set_price(ETH, 2001)
    far = world.series(50, expiry=later)
    with reverts("Clearinghouse_StrikeTooFar", far, units(50), units(3201.6)):
        world.trade(buyer, writer, 1, 100, instrument=far)
    world.trade(buyer, writer, -1, 100, instrument=far)


def test_an_instrument_with_a_quantity_in_it(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    with reverts("Clearinghouse_UnsupportedInstrument", call | 1):
        world.trade(buyer, writer, 1, 100, instrument=call | 1)


def test_an_underlying_without_a_price(
    world: OptionWorld, buyer: AccountId, writer: AccountId
) -> None:
    unpriced = Instrument.option(9, world.expiry, units(2000), False).key
    with reverts("MockOptionEngine_NoVolatility", unpriced):
        world.trade(buyer, writer, 1, 100, instrument=unpriced)


def test_an_account_does_not_trade_with_itself(world: OptionWorld, buyer: AccountId) -> None:
    with reverts("Clearinghouse_InvalidCounterparty", buyer.value):
        world.trade(buyer, buyer, 1, 100, instrument=world.series())


def test_accounts_of_one_owner_do(world: OptionWorld, buyer: AccountId, call: int) -> None:
    other = world.account("buyer", 1)
    world.fund(other, 10_000)
    world.trade(buyer, other, 1, 100, instrument=call)
    assert interest(world, call) == (WAD, WAD)


def test_a_size_that_does_not_fit_the_word(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    with reverts("Position_Overflow", 2**127):
        world.fill(buyer, writer, call, 2**127, units(100))


# ---- The band --------------------------------------------------


@pytest.mark.parametrize(
    "case", [(0.0, 40), (0.1, 40), (0.5, 110), (-0.5, 110), (1.0, 220), (-1.0, 220)]
)
@pytest.mark.parametrize("side", [1, -1])
def test_the_band_is_two_percent_of_spot_or_half_the_range_on_delta(
    world: OptionWorld, buyer: AccountId, writer: AccountId, case: tuple[float, int], side: int
) -> None:
    delta, band = case
    series = world.series(2000, 300, delta)
    world.trade(buyer, writer, 1, 300 + side * band, instrument=series)
    price = units(300) + side * (units(band) + 1)
    edge = (price, units(300), units(band))
    with reverts("Clearinghouse_PriceOutsideBand", *edge):
        world.fill(buyer, writer, series, WAD, price)


def test_a_worthless_option_can_be_given_away(
    world: OptionWorld, buyer: AccountId, writer: AccountId
) -> None:
    world.trade(buyer, writer, 1, 0, instrument=world.series(3000, 1, 0.01))
    assert world.cash_of(buyer) == units(100_000)


def test_the_band_is_engine_zeros_whatever_engine_an_account_has(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    """Otherwise the owner of an account would choose what its positions are worth."""
    own = world._create("MockOptionEngine", world.engine, world.oracle)
    own.setOption(call, units(1000), units(1))
    world.register_engine(own)
    world.select_engine(buyer, 1)
    with reverts("Clearinghouse_PriceOutsideBand", units(1000), units(100), units(110)):
        world.trade(buyer, writer, 1, 1000, instrument=call)


# ---- Caps --------------------------------------------------


def test_the_cap_is_over_all_series_of_an_underlying(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int, put: int
) -> None:
    world.set_option_cap(ETH, units(5))
    world.trade(buyer, writer, 3, 100, instrument=call)
    world.trade(buyer, writer, -2, 100, instrument=put)
    with reverts("Clearinghouse_OptionCapExceeded", ETH, units(5) + 10**9, units(5)):
        world.trade(buyer, writer, -1e-9, 100, instrument=put)
    world.trade(buyer, writer, 2, 100, instrument=put)
    world.trade(buyer, writer, 2, 100, instrument=put)


def test_under_a_cap_that_fell_only_reductions_trade(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 3, 100, instrument=call)
    world.set_option_cap(ETH, 0)
    world.trade(buyer, writer, -1, 100, instrument=call)
    with reverts("Clearinghouse_OptionCapExceeded", ETH, units(3), 0):
        world.trade(buyer, writer, 1, 100, instrument=call)


def test_bounds_of_the_cap(world: OptionWorld) -> None:
    world.set_option_cap(ETH, 2**90)
    with reverts("Clearinghouse_OptionCapOutOfBounds", ETH, 2**90 + 1, 2**90):
        world.set_option_cap(ETH, 2**90 + 1)
    with reverts("Clearinghouse_PriceNeverAccepted", 9):
        world.set_option_cap(9, 1)
    assert world.house.optionMarket(BTC) == (0, 0)


def test_strangers_set_no_cap(world: OptionWorld, buyer: AccountId) -> None:
    with reverts("AccessManagedUnauthorized", buyer.owner.lower()):
        world.house.setOptionCap(ETH, 1, sender=buyer.owner)


# ---- The gate --------------------------------------------------


def test_writers_need_margin(world: OptionWorld, writer: AccountId, call: int) -> None:
    poor = world.account("poor")
    world.fund(poor, 250)
    with refused("Clearinghouse_InsufficientMargin", poor.value, units(250), units(300)):
        world.trade(writer, poor, 1, 100, instrument=call)
    world.trade(writer, poor, 0.5, 100, instrument=call)


def test_stale_prices_let_positions_out_and_none_in(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 3, 100, instrument=call)
    world.advance(3601)
    with reverts("Clearinghouse_PriceNotFresh", buyer.value):
        world.trade(writer, buyer, -1, 100, instrument=call)
    world.trade(buyer, writer, -1, 100, instrument=call)


def test_reduce_only(world: OptionWorld, buyer: AccountId, writer: AccountId, call: int) -> None:
    error = "Clearinghouse_NotReducing"
    with reverts(error, buyer.value, 0, WAD):
        world.trade(buyer, writer, 1, 100, instrument=call, reduce_only=True)
    world.trade(buyer, writer, 2, 100, instrument=call)
    with reverts(error, buyer.value, 2 * WAD, 3 * WAD):
        world.trade(buyer, writer, 1, 100, instrument=call, reduce_only=True)
    with reverts(error, buyer.value, 2 * WAD, -WAD):
        world.trade(buyer, writer, -3, 100, instrument=call, reduce_only=True)
    world.trade(buyer, writer, -2, 100, instrument=call, reduce_only=True)
    with reverts(error, buyer.value, 0, -WAD):
        world.trade(buyer, writer, -1, 100, instrument=call, reduce_only=True)


def test_withdrawals_leave_the_margin_of_options(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(writer, buyer, 100, 100, instrument=call)
    # 110,000 of cash less 10,000 of options owed: 100,000 of equity and 30,000 of IM
    world.withdraw(buyer, CASH, units(70_000, 6))
    with refused("Clearinghouse_InsufficientMargin", buyer.value):
        world.withdraw(buyer, CASH, 1)


# ---- Settlement --------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [(2300, 300, 0), (2000, 0, 0), (1700, 0, 100), (0.01, 0, 1799.99)]
)
def test_payoffs(
    world: OptionWorld, buyer: AccountId, writer: AccountId, outcome: tuple[float, float, float]
) -> None:
    price, calls, puts = outcome
    call, put = world.series(2000), world.series(1800, put=True)
    world.trade(buyer, writer, 2, 100, instrument=call)
    world.trade(buyer, writer, -3, 100, instrument=put)
    cash = world.cash_of(buyer)
    world.expire(price)
    equity = world.margin(buyer).equity
    assert equity == cash + units(2 * calls) - units(3 * puts), "at once in equity"
    world.advance(DELAY)
    world.settle_account(buyer)
    assert world.cash_of(buyer) == equity == world.margin(buyer).equity
    assert world.words_of(buyer) == []
    assert interest(world, call) == (0, units(2))
    assert interest(world, put) == (units(3), 0)
    world.settle_account(writer)
    assert interest(world, call) == interest(world, put) == (0, 0)
    assert world.surplus() == 0


def test_nothing_turns_into_cash_within_an_hour(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.expire(2300)
    for wait in (0, DELAY - 1):
        world.advance(wait) if wait else None
        for account in (buyer, writer):
            words = world.words_of(account)
            world.settle_account(account)
            assert world.words_of(account) == words
    world.advance(1)
    world.settle_account(buyer)
    assert world.words_of(buyer) == []


def test_the_hour_counts_from_the_fixing_not_from_expiry(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    """A series that was fixed late keeps its longs as long as one fixed at once."""
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.go(world.expiry + DAY - 12)
    world.set_price(ETH, 2200)
    world.fix()
    world.settle_account(buyer)
    assert size_in(world, buyer, call) == WAD
    world.advance(DELAY)
    world.settle_account(buyer)
    assert world.cash_of(buyer) == units(100_000 - 100 + 200)


def test_a_series_that_nobody_fixed(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.go(world.expiry + 10 * DAY)
    world.value(call, 250, 0)
    for account in (buyer, writer):
        world.settle_account(account)
        assert len(world.words_of(account)) == 1, "valued by the engine until it is fixed"
    assert world.margin(buyer).equity == units(100_000 - 100 + 250)


def test_settlement_needs_no_fresh_price(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.trade(buyer, writer, 1, 2000, instrument=ETH_PERP)
    world.trade(buyer, writer, 1, 100, instrument=call)
    world.expire(2300)
    world.advance(30 * DAY)
    assert not world.margin(buyer).fresh
    equity = world.margin(buyer).equity
    world.settle_account(buyer)
    assert world.words_of(buyer) == [world.words_of(buyer)[0]]
    assert world.margin(buyer).equity == equity
    world.settle_account(writer)


def test_only_the_fixed_series_turn_into_cash(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int, put: int
) -> None:
    later = world.series(2000, expiry=world.expiry + DAY)
    world.list_expiry(world.expiry + DAY)
    for series in (call, later, put):
        world.trade(buyer, writer, 1, 100, instrument=series)
    world.expire(2300)
    world.advance(DELAY)
    world.settle_account(buyer)
    assert world.words_of(buyer) == [later | WAD]
    assert world.house.optionMarket(ETH)[0] == WAD


def test_a_writer_that_owes_more_than_it_has(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    poor = world.account("poor")
    world.fund(poor, 1_000)
    world.trade(buyer, poor, 1, 100, instrument=call)
    world.expire(4000)
    world.advance(DELAY)
    world.settle_account(poor)
    assert world.cash_of(poor) == units(1_100 - 2_000), "its debt stays, for the insurance"
    world.settle_account(buyer)
    assert world.cash_of(buyer) == units(100_000 - 100 + 2_000)


def test_settlement_rounds_against_both(
    world: OptionWorld, buyer: AccountId, writer: AccountId, call: int
) -> None:
    world.fill(buyer, writer, call, 3, units(100))
    before = [world.cash_of(account) for account in (buyer, writer)]
    world.expire(2000.5)  # 3 wei of a unit that pays a half
    world.advance(DELAY)
    world.settle_account(buyer)
    world.settle_account(writer)
    assert world.cash_of(buyer) == before[0] + 1
    assert world.cash_of(writer) == before[1] - 2
    assert world.surplus() == 1, "the rest stays with the contract"


@st.composite
def books(draw: st.DrawFn) -> tuple[list[tuple[int, int, int, int]], int, list[int]]:
    """Trades (buyer, seller, series, size in wei), a settlement price, an order of settling."""
    people = st.permutations(range(4))
    count = draw(st.integers(1, 8))
    trades = []
    for _ in range(count):
        one, other = draw(people)[:2]
        size = draw(st.integers(1, 40)) * draw(st.sampled_from([1, 7, 10**9 + 1, 10**17 + 3]))
        trades.append((one, other, draw(st.integers(0, 3)), size))
    price = draw(st.integers(5 * 10**8, 10**10))  # 500 to 10,000 in 1e-6
    return trades, price, draw(st.permutations(range(4)))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(books())
def test_settlement_conserves_money(
    drawn: tuple[list[tuple[int, int, int, int]], int, list[int]],
) -> None:
    trades, price, order = drawn
    world = OptionWorld()
    people = [world.account(role) for role in ("one", "two", "three", "four")]
    for person in people:
        world.fund(person, 1_000_000)
    series = [world.series(strike, put=put) for strike in (1800, 2200) for put in (False, True)]
    for one, other, which, size in trades:
        world.fill(people[one], people[other], series[which], size, units(100))
    world.expire(price / 10**6)
    world.advance(DELAY)
    words = sum(len(world.words_of(person)) for person in people)
    before = world.surplus()
    for person in order:
        equity = world.margin(people[person]).equity
        world.settle_account(people[person])
        assert world.cash_of(people[person]) == equity, "I8 settling changes no equity"
    assert 0 <= world.surplus() - before <= words, "I2 a wei a position at most"
    assert world.model.option_market(ETH) == OptionMarket(0, OPTION_CAP)
    assert set(world.model.state.series.values()) <= {SeriesInterest()}
    assert differences(replay(world).state, world.model.state) == []


# ---- Slices --------------------------------------------------


@pytest.fixture
def keeper(world: OptionWorld) -> AccountId:
    account = world.account("keeper")
    world.fund(account, 1_000_000)
    return account


def sink(world: OptionWorld, account: AccountId, series: int, value: float) -> None:
    """Make a written series dear, so that its writer is under its maintenance margin."""
    world.value(series, value)
    world.advance()
    world.refresh(ETH, 2000)
    margin = world.margin(account)
    assert 0 <= margin.equity < margin.maintenance


def test_a_slice_of_an_option_book(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    account = world.account("seller")
    world.fund(account, 2_000)
    third = world.series(2500, 20, 0.2)
    for series, size in ((call, -4), (put, 2), (third, 3)):
        world.trade(account, writer, size, 100 if series != third else 20, instrument=series)
    sink(world, account, call, 420)
    before = [size_in(world, account, s) for s in (call, put, third)]
    interests = [interest(world, s) for s in (call, put, third)]
    deal = world.liquidate(account, keeper)
    assert 0 < deal.fraction < WAD
    for series, held in zip((call, put, third), before, strict=True):
        moved = abs(held) * deal.fraction // WAD * (1 if held > 0 else -1)
        assert size_in(world, keeper, series) == moved
        assert size_in(world, account, series) == held - moved
    assert [interest(world, s) for s in (call, put, third)] == interests


def test_a_slice_into_the_other_side(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    """What meets its opposite is gone, on both sides of the open interest."""
    account = world.account("seller")
    world.fund(account, 2_000)
    world.trade(account, writer, -4, 100, instrument=call)
    world.trade(account, writer, 1, 100, instrument=put)
    world.trade(keeper, writer, 1, 100, instrument=call)
    world.trade(keeper, writer, 1, 100, instrument=put)
    sink(world, account, call, 550)
    assert interest(world, call) == (4 * WAD, 4 * WAD)
    deal = world.liquidate(account, keeper)
    moved = 4 * WAD * deal.fraction // WAD
    assert moved > WAD
    assert size_in(world, keeper, call) == WAD - moved
    assert interest(world, call) == (3 * WAD, 3 * WAD)
    assert size_in(world, keeper, put) == WAD + WAD * deal.fraction // WAD


def test_a_slice_that_closes_what_the_taker_held(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    """A word that goes from the receiving account's middle does not hide another one."""
    account = world.account("seller")
    world.fund(account, 1_700)
    world.trade(account, writer, -4, 100, instrument=call)
    world.trade(account, writer, 1, 100, instrument=put)
    other = world.series(2400, 50, 0.2)
    world.trade(account, writer, 1, 50, instrument=other)
    sink(world, account, call, 430)
    fraction = WAD // 4
    world.trade(keeper, writer, 1, 430, instrument=call)
    world.trade(keeper, writer, 1, 100, instrument=put)
    world.advance()
    deal = world.liquidate(account, keeper, fraction)
    assert deal.fraction == fraction
    assert size_in(world, keeper, call) == 0
    assert size_in(world, keeper, put) == WAD + WAD // 4
    assert size_in(world, keeper, other) == WAD // 4


def test_a_whole_book(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    """Dust goes at once: every word leaves."""
    account = world.account("seller")
    world.fund(account, 60)
    for series, size in ((call, -0.1), (put, 0.1)):
        world.trade(account, writer, size, 100, instrument=series)
    sink(world, account, call, 610)
    assert world.liquidate(account, keeper).fraction == WAD
    assert world.words_of(account) == []
    assert size_in(world, keeper, call) == -units(0.1)


def test_a_clean_taker_needs_no_second_assessment(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    """The slice of a book of derivatives requires its fraction of what the book requires."""
    account = world.account("seller")
    world.fund(account, 3_000)
    world.trade(account, writer, 1, 2000, instrument=ETH_PERP)
    world.trade(account, writer, -4, 100, instrument=call)
    world.trade(account, writer, 2, 100, instrument=put)
    sink(world, account, call, 520)
    poor = world.account("poor keeper")
    world.fund(poor, 60)
    margin = world.margin(account)
    with refused("Clearinghouse_InsufficientMargin", poor.value):
        world.liquidate(account, poor)
    deal = world.liquidate(account, keeper)
    after = world.margin(keeper)
    required = margin.initial * deal.fraction // WAD
    assert required - 10 <= after.initial <= required + 3 * 10**11


def test_a_size_too_small_to_split_stays(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, put: int
) -> None:
    account = world.account("seller")
    world.fund(account, 2_000)
    world.trade(account, writer, -4, 100, instrument=call)
    world.fill(account, writer, put, 1, units(100))
    sink(world, account, call, 500)
    world.liquidate(account, keeper)
    assert size_in(world, account, put) == 1
    assert len(world.words_of(keeper)) == 1


@pytest.mark.parametrize("is_fixed", [False, True])
def test_expired_series_move_too(
    world: OptionWorld, writer: AccountId, keeper: AccountId, call: int, is_fixed: bool
) -> None:
    account = world.account("seller")
    world.fund(account, 5_000)
    world.trade(account, writer, -4, 100, instrument=call)
    world.trade(account, writer, 5, 2000, instrument=ETH_PERP)
    world.expire(2000) if is_fixed else world.go(world.expiry)
    world.value(call, 0, 0)
    world.set_price(ETH, 980)
    deal = world.liquidate(account, keeper)
    assert size_in(world, keeper, call) == -(4 * WAD * deal.fraction // WAD)
    assert interest(world, call) == (4 * WAD, 4 * WAD)
