"""The float64 scan against the exact mirror: it misses nobody, and doubts few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ballast.bench.scan import measure_scan, scan_report
from ballast.codec import MAX_PRICE, AccountId, Collateral, Option, Perp, Snapshot
from ballast.model.accounts import Stored
from ballast.model.interest import INDEX_ONE, MAX_INDEX, InterestState
from ballast.model.ledger import Ledger
from ballast.model.market import MAX_FUNDING, Market, MarketState
from ballast.model.refusal import Refused
from ballast.model.state import State
from ballast.model.words import instrument_of, option_word
from ballast.risk import joint_scenario as mirror
from ballast.risk.options import OptionPrices
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.scan import Book, Moment, Scan, confirm, scan
from ballast.units import WAD
from tests.support.option_books import Surface, options, surfaces
from tests.support.risk import (
    BTC,
    CASH,
    COIN,
    DOLLAR,
    ETH,
    PARAMETERS,
    PERPS,
    STABLE,
    STAKED_ETH,
    WBTC,
    WETH,
    books,
    fresh,
    markets,
)

NOW = 1_760_000_000
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OWNER = "0x" + "11" * 20

Prices = Mapping[int, Snapshot]


def account(index: int) -> AccountId:
    return AccountId.make(OWNER, index)


def at(
    prices: Prices,
    *,
    funding: Mapping[int, int] | None = None,
    indices: tuple[int, int] = (INDEX_ONE, INDEX_ONE),
    parameters: Parameters = PARAMETERS,
    volatility: OptionPrices = mirror.NO_OPTIONS,
) -> Moment:
    standing = {ETH: 0, BTC: 0, COIN: 0} if funding is None else funding
    snapshots = lambda u: prices.get(u, Snapshot())  # noqa: E731
    return Moment(NOW, snapshots, parameters, standing, *indices, volatility)


@dataclass(frozen=True)
class Volatility:
    """The slices and settlement means of a surface, as the engine asks for them."""

    surface: Surface

    def slice(self, underlying: int, expiry: int) -> int:
        return self.surface.words.get((underlying, expiry), 0)

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self.surface.means.get((underlying, expiry), (0, 0))


STANDARD = {ETH: 2000, BTC: 50_000, COIN: 3, DOLLAR: 1}


def calm() -> dict[int, Snapshot]:
    return {name: fresh(NOW, price) for name, price in STANDARD.items()}


def book_of(*held: Stored, parameters: Parameters = PARAMETERS) -> Book:
    book = Book(parameters.assets)
    book.put({account(index): stored for index, stored in enumerate(held)})
    return book


def holding(*words: int, scaled: int = 0) -> Stored:
    return Stored(scaled=scaled, words=words)


def perp(underlying: int, size: int, quote: int = 0) -> int:
    return Perp(underlying, size, quote).encode()


def exact(book: Book, moment: Moment) -> list[AccountId]:
    return [one.account for one in confirm(book, moment, book.accounts)]


def gap_of(book: Book, moment: Moment, name: AccountId) -> int:
    """E − MM."""
    margin = moment.margin(book.stored(name))
    return margin.equity - margin.maintenance


def check(book: Book, moment: Moment) -> Scan:
    """Nobody is missed, figures are within the bound, and so is every candidate in vain."""
    found = scan(book, moment)
    candidates = found.candidates
    assert set(exact(book, moment)) <= set(candidates)
    for row, name in enumerate(book.accounts):
        if found.unread[row]:
            continue
        gap = gap_of(book, moment, name)
        bound = Fraction(float(found.bound[row]))
        said = Fraction(float(found.equity[row])) - Fraction(float(found.maintenance[row]))
        assert abs(said - gap) < bound
        assert name not in candidates or gap < 2 * bound
    return found


# ---- Random books -----------------------------------------------------------------------------


MOMENTS = st.builds(
    at,
    markets(NOW),
    funding=st.fixed_dictionaries(
        {name: st.integers(-(10**21), 10**21) for name in (ETH, BTC, COIN)}
    ),
    indices=st.tuples(st.integers(INDEX_ONE, MAX_INDEX), st.integers(INDEX_ONE, MAX_INDEX)),
)
ACCOUNTS = st.builds(holding, scaled=CASH).flatmap(
    lambda cash: books().map(lambda words: replace(cash, words=tuple(words)))
)


@MANY
@given(held=st.lists(ACCOUNTS, max_size=6), moment=MOMENTS)
def test_no_liquidatable_account_is_missed(held: list[Stored], moment: Moment) -> None:
    check(book_of(*held), moment)


@MANY
@given(held=ACCOUNTS, perpetual=PERPS, moment=MOMENTS, wei=st.sampled_from([-1, 0, 1]))
def test_equity_within_a_wei_of_mm(held: Stored, perpetual: Perp, moment: Moment, wei: int) -> None:
    """The quote counts one for one in equity and nothing in MM."""

    def with_quote(quote: int) -> Book:
        return book_of(replace(held, words=(*held.words, replace(perpetual, quote=quote).encode())))

    quote = wei - gap_of(with_quote(0), moment, account(0))
    assume(abs(quote) < 2**126)
    book = with_quote(quote)
    assert gap_of(book, moment, account(0)) == wei
    assert account(0) in check(book, moment).candidates
    credit = moment.margin(book.stored(account(0))).credit
    assert exact(book, moment) == ([account(0)] if wei + credit < 0 else [])


def test_float64_alone_would_miss_some() -> None:
    moment = at({name: replace(fresh(NOW, 1), price=WAD // 7 * 10**6) for name in STANDARD})
    sizes = [index * WAD // 7 for index in range(1, 200)]
    books_flat = book_of(*(holding(perp(ETH, size)) for size in sizes))
    gaps = [gap_of(books_flat, moment, name) for name in books_flat.accounts]
    short = book_of(
        *(holding(perp(ETH, size, -gap - 1)) for size, gap in zip(sizes, gaps, strict=True))
    )
    found = check(short, moment)
    assert found.candidates == exact(short, moment) == short.accounts
    assert np.count_nonzero(found.equity < found.maintenance) < len(sizes)


@MANY
@given(held=st.lists(ACCOUNTS, min_size=1, max_size=6), moment=MOMENTS)
def test_few_are_doubted_in_vain(held: list[Stored], moment: Moment) -> None:
    """The bound is a part in 10^13 of what an account holds, and a few hundred wei."""
    book = book_of(*held)
    found = scan(book, moment)
    for row, stored in enumerate(held):
        assert found.bound[row] < 10**3 + Fraction(gross_of(stored, moment), 10**13)


def gross_of(stored: Stored, moment: Moment) -> int:
    """Money that an account holds, all terms counted up, WAD."""
    cash = moment.margin(holding(scaled=stored.scaled)).equity
    parts = [abs(cash)]
    for word in stored.words:
        prices, risk = moment.snapshots, moment.parameters
        read = mirror.read([word], prices, risk, moment.now)
        parts.append(2 * abs(read.exposures[0].money_ceil))
        if word >> 248 == 1:
            parts.append(abs(read.value))
            size = abs(read.exposures[0].units)
            parts.append(2 * size * abs(moment.funding[word >> 232 & 0xFFFF]) // WAD)
            parts.append(abs(moment.margin(holding(word)).equity))
    return sum(parts) + 1


# ---- Options ----------------------------------------------------------------------------------


@st.composite
def option_worlds(draw: st.DrawFn) -> tuple[list[Stored], Moment]:
    """Accounts of options, perpetuals and collateral that share series, and a moment."""
    prices = draw(markets(NOW))
    surface = draw(surfaces(NOW, known=draw(st.booleans())))
    series = draw(st.lists(options(NOW, prices), min_size=1, max_size=8))
    accounts = []
    for _ in range(draw(st.integers(1, 4))):
        sizes = st.integers(-(10**6), 10**6).map(lambda n: n * WAD // 7)
        chosen = draw(st.lists(st.sampled_from(series), max_size=8))
        held = [option_word(instrument_of(one), draw(sizes)) for one in chosen]
        accounts.append(Stored(draw(CASH), words=tuple(held + draw(books(4)))))
    return accounts, at(prices, volatility=Volatility(surface))


@MANY
@given(world=option_worlds(), wei=st.sampled_from([-1, 0, 1]))
def test_options_are_missed_at_no_distance_from_mm(
    world: tuple[list[Stored], Moment], wei: int
) -> None:
    """As they are, and with cash that leaves each of them a wei from MM."""
    accounts, moment = world
    check(book_of(*accounts), moment)
    for held in accounts:
        try:
            margin = moment.margin(held)
        except Refused:
            continue
        edge = replace(held, scaled=held.scaled - (margin.equity - margin.maintenance) + wei)
        if abs(edge.scaled) < 2**127 and (edge.words or edge.scaled < 0):
            assert account(0) in check(book_of(edge), moment).candidates


# ---- Extremes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("late", [0, 2**30])
@pytest.mark.parametrize("funding", [-(2**80), 2**80])
def test_the_greatest_account(sign: int, late: int, funding: int) -> None:
    dear = Snapshot(
        price=MAX_PRICE,
        stable=MAX_PRICE,
        time=NOW - late,
        range_maintenance=8191 * 10**14,
        range_initial=8191 * 10**14,
        premium=2**21 - 1,
    )
    size = 2**103 - 1 if sign > 0 else -(2**103)
    perps = [perp(name, size, sign * 2**126) for name in (ETH, BTC, COIN)] * 11
    amounts = {WETH: 18, STAKED_ETH: 18, WBTC: 8, STABLE: 6}
    collateral = [
        Collateral(asset, min(2**128 - 1, 2**72 * 10**decimals)).encode()
        for asset, decimals in amounts.items()
    ]
    held = holding(*(perps + collateral * 8)[:64], scaled=sign * (2**127 - 1))
    moment = at(
        dict.fromkeys(STANDARD, dear),
        funding=dict.fromkeys((ETH, BTC, COIN), funding),
        indices=(MAX_INDEX, MAX_INDEX),
    )
    check(book_of(held), moment)


def test_funding_that_overflows_the_quote_is_the_engines_to_refuse() -> None:
    book = book_of(holding(perp(ETH, 2**103 - 1, 2**126)))
    moment = at(calm(), funding={ETH: -MAX_FUNDING})
    found = scan(book, moment)
    assert np.isfinite([found.equity[0], found.maintenance[0], found.bound[0]]).all()
    with pytest.raises(Refused):
        moment.margin(book.stored(account(0)))


@MANY
@given(
    perps=st.lists(
        st.builds(
            Perp,
            st.sampled_from([ETH, BTC, COIN]),
            st.integers(-(2**103), 2**103 - 1),
            st.integers(-(2**125), 2**125),
        ),
        max_size=64,
    ),
    price=st.integers(1, MAX_PRICE // 10**6),
    scaled=st.integers(-(2**127), 2**127 - 1),
)
def test_extreme_sizes_and_prices(perps: list[Perp], price: int, scaled: int) -> None:
    snapshot = replace(fresh(NOW, 1), price=price * 10**6, stable=price * 10**6)
    held = holding(*(one.encode() for one in perps), scaled=scaled)
    check(book_of(held), at(dict.fromkeys(STANDARD, snapshot)))


@MANY
@given(held=ACCOUNTS, moment=MOMENTS, kappa=st.integers(0, 12), rate=st.integers(0, 50_000))
def test_parameters_beyond_their_bounds(
    held: Stored, moment: Moment, kappa: int, rate: int
) -> None:
    risk = UnderlyingRisk(kappa, rate, rate, range_cap=30_000)
    parameters = Parameters(
        dict.fromkeys(STANDARD, risk),
        {name: replace(asset, haircut=rate) for name, asset in PARAMETERS.assets.items()},
    )
    check(book_of(held), replace(moment, parameters=parameters))


def test_a_tail_worse_than_every_range() -> None:
    """Long 4 of what moves by 20 %, short 1 of what moves by 60 %, where it falls by a third."""
    kappa = {name: replace(PARAMETERS.underlyings[name], kappa_quarters=1) for name in (ETH, BTC)}
    prices = calm()
    prices[ETH] = replace(prices[ETH], range_maintenance=60 * WAD // 100)
    prices[BTC] = replace(prices[BTC], range_maintenance=20 * WAD // 100)
    moment = at(prices, parameters=replace(PARAMETERS, underlyings=kappa))
    held = holding(perp(BTC, 4 * WAD), perp(ETH, -25 * WAD))
    given = (0, held.words, moment.snapshots, moment.parameters, NOW)
    losses = mirror.assess(*given).losses_maintenance
    assert losses.tail > max(losses.same, losses.broken)
    check(book_of(held), moment)


# ---- What runs with time ----------------------------------------------------------------------


def test_a_stale_price_alone_makes_no_candidate() -> None:
    held = holding(perp(ETH, WAD, -1450 * WAD))
    prices = calm()
    prices[ETH] = replace(prices[ETH], time=NOW - 12 * 3600)
    assert not check(book_of(held), at(prices)).candidates


@pytest.mark.parametrize(
    ("minutes", "liquidatable"), [(0, True), (5, False), (60, False), (61, True)]
)
def test_a_candidate_on_a_doubtful_price_may_be_credited(minutes: int, liquidatable: bool) -> None:
    """The scan does not know of the credit: it names who may lack margin, never fewer."""
    held = holding(perp(ETH, WAD, -1630 * WAD))
    prices = calm()
    prices[ETH] = replace(prices[ETH], time=NOW - 60 * minutes, wide=True)
    assert check(book_of(held), at(prices)).candidates == [account(0)]
    assert exact(book_of(held), at(prices)) == [account(0)] * liquidatable


@pytest.mark.parametrize(("funding", "candidate"), [(0, False), (300, True), (-300, False)])
def test_funding_is_folded_in(funding: int, candidate: bool) -> None:
    book = book_of(holding(perp(ETH, WAD, -1450 * WAD)))
    moment = at(calm(), funding={ETH: funding * WAD})
    assert bool(check(book, moment).candidates) == candidate


@pytest.mark.parametrize(
    ("scaled", "indices", "candidate"),
    [
        (-1450, (INDEX_ONE, INDEX_ONE), False),
        (-1450, (INDEX_ONE, 2 * INDEX_ONE), True),
        (-1450, (2 * INDEX_ONE, INDEX_ONE), False),
    ],
)
def test_cash_runs_with_its_index(scaled: int, indices: tuple[int, int], candidate: bool) -> None:
    book = book_of(holding(Collateral(WETH, WAD).encode(), scaled=scaled * WAD))
    assert bool(check(book, at(calm(), indices=indices)).candidates) == candidate


@MANY
@given(held=ACCOUNTS, prices=markets(NOW), rate=st.integers(-(2**30), 2**30))
def test_a_moment_reads_what_the_clearinghouse_does(
    held: Stored, prices: dict[int, Snapshot], rate: int
) -> None:
    interest = InterestState(INDEX_ONE, INDEX_ONE + 5, 10**8 + 1, 2 * 10**8 + 1, NOW - 12_345)
    market = Market(MarketState(0, -(10**17) + 1, rate, NOW - 4000))
    state = State(interest, accounts={account(0): held}, markets=dict.fromkeys(STANDARD, market))
    ledger = Ledger(state, OWNER, account(1), account(2))
    ledger.now = NOW
    cash = ledger.load(ledger.open_cash(), account(0), 0).cash
    expected = mirror.assess(
        cash, ledger.fold_funding(held.words), prices.__getitem__, PARAMETERS, NOW
    ).margin
    moment = Moment.of(state, prices.__getitem__, PARAMETERS, NOW)
    assert moment.margin(held) == expected


# ---- What there is nothing to say of ----------------------------------------------------------


def test_an_empty_book() -> None:
    assert scan(Book({}), at(calm())).candidates == []


@pytest.mark.parametrize("scaled", [0, 1, 10**24])
def test_accounts_without_positions_are_no_candidates(scaled: int) -> None:
    book = book_of(holding(scaled=scaled), holding())
    assert check(book, at(calm())).candidates == []
    assert exact(book, at(calm())) == []


def test_debt_alone_is_a_candidate() -> None:
    book = book_of(holding(scaled=-1))
    assert check(book, at(calm())).candidates == exact(book, at(calm())) == [account(0)]


OPTION = Option(ETH, NOW + 86_400, 2000 * WAD, True, WAD).encode()


@pytest.mark.parametrize(
    "words",
    [
        [OPTION],
        [perp(9, WAD)],
        [Collateral(9, WAD).encode()],
        [perp(ETH, WAD)] * 65,
        [perp(DOLLAR, 0)],
        [perp(ETH, WAD), OPTION, Collateral(WETH, WAD).encode()],
    ],
    ids=["option", "underlying", "asset", "words", "market", "mixture"],
)
def test_what_the_engine_refuses_is_left_to_it(words: list[int]) -> None:
    book = book_of(holding(*words), holding(perp(ETH, WAD)), holding(Collateral(WETH, 1).encode()))
    assert account(0) in check(book, at(calm())).candidates
    with pytest.raises(Refused):
        at(calm()).margin(book.stored(account(0)))
    assert account(0) not in exact(book, at(calm()))


def test_a_price_that_was_never_accepted_is_left_to_the_engine() -> None:
    book = book_of(
        holding(perp(COIN, 0)), holding(perp(ETH, WAD)), holding(Collateral(STABLE, 1).encode())
    )
    assert check(book, at({ETH: calm()[ETH]})).candidates == [account(0), account(2)]


def test_an_asset_registered_later() -> None:
    """The book did not know it when the account was put: the mirror decides until it is again."""
    known: dict[int, AssetRisk] = {}
    book = Book(known)
    wealthy = holding(Collateral(WETH, WAD).encode())
    book.put({account(0): wealthy})
    known.update(PARAMETERS.assets)
    assert scan(book, at(calm())).candidates == [account(0)]
    assert exact(book, at(calm())) == []
    book.put({account(0): wealthy})
    assert scan(book, at(calm())).candidates == []


def test_an_asset_of_another_underlying_is_left_to_the_engine() -> None:
    book = Book({WETH: AssetRisk(BTC, 18, 0, 0)})
    book.put({account(0): holding(Collateral(WETH, WAD).encode())})
    assert scan(book, at(calm())).candidates == [account(0)]


# ---- Changes ----------------------------------------------------------------------------------


def figures(book: Book, moment: Moment) -> dict[AccountId, tuple[float | bool, ...]]:
    found = scan(book, moment)
    columns = (found.equity, found.maintenance, found.bound, found.empty, found.unread)
    return dict(
        zip(book.accounts, zip(*(one.tolist() for one in columns), strict=True), strict=True)
    )


@settings(MANY, max_examples=150)
@given(
    changes=st.lists(
        st.dictionaries(st.integers(0, 5).map(account), ACCOUNTS, max_size=4), max_size=8
    ),
    moment=MOMENTS,
)
def test_changes_one_by_one_equal_a_book_built_anew(
    changes: list[dict[AccountId, Stored]], moment: Moment
) -> None:
    changed, last = Book(PARAMETERS.assets), dict[AccountId, Stored]()
    for change in changes:
        changed.put(change)
        last.update(change)
    anew = Book(PARAMETERS.assets)
    anew.put(dict(reversed(last.items())))
    assert figures(changed, moment) == figures(anew, moment)
    assert {name: changed.stored(name) for name in last} == last
    check(changed, moment)


def test_places_are_used_again() -> None:
    book = book_of(*(holding(perp(ETH, WAD), perp(BTC, WAD)) for _ in range(50)))
    used = book.positions.used, book.pairs.used
    for _ in range(20):
        for index in range(50):
            book.put({account(index): holding()})
            book.put({account(index): holding(perp(ETH, WAD), perp(BTC, WAD))})
    assert (book.positions.used, book.pairs.used) == used


def test_an_account_never_put_is_empty() -> None:
    assert Book({}).stored(account(7)) == Stored()


def test_a_scan_outlives_later_changes_of_its_book() -> None:
    book = book_of(holding(scaled=-1), holding())
    found = scan(book, at(calm()))
    book.put(
        {account(0): holding(), account(1): holding(scaled=-1), account(2): holding(scaled=-1)}
    )
    assert found.candidates == [account(0)]


# ---- The measurement --------------------------------------------------------------------------


def test_a_small_measurement() -> None:
    timings = measure_scan(count=500, repeats=1)
    assert timings.missed == 0
    assert 0 < timings.liquidatable <= timings.candidates < 50
    assert scan_report(timings)["accounts"] == 500
