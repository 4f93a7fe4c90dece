from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId, Collateral, Option, Perp
from ballast.demo.books import AssetBook, Books, Holding, cash_claimed, cash_held, problems
from ballast.units import WAD

TRADER, MAKER, INSURANCE = (AccountId.make("0x" + f"{n:02x}" * 20) for n in (1, 2, 3))
CASH, WETH = 0, 1
BTC, ETH = 1, 2
MARK = 50_000 * WAD
PRICE = 2_000 * WAD


def balanced() -> Books:
    """A trader long one bitcoin from 52,000, a maker short of it, a little insurance."""
    loss = 2_000 * WAD
    return Books(
        accounts={
            TRADER: Holding(
                cash=9_990 * WAD,
                equity=9_990 * WAD - loss + 3 * PRICE,
                positions=(Perp(BTC, WAD, -52_000 * WAD), Collateral(WETH, 3 * WAD)),
            ),
            MAKER: Holding(
                cash=90_000 * WAD,
                equity=90_000 * WAD + loss,
                positions=(Perp(BTC, -WAD, 52_000 * WAD),),
            ),
            INSURANCE: Holding(cash=9 * WAD, equity=9 * WAD),
        },
        assets={
            CASH: AssetBook(100_000 * 10**6, 0, 5 * 10**6, 100_005 * 10**6, 6, WAD),
            WETH: AssetBook(3 * WAD, 3 * WAD, 0, 3 * WAD, 18, PRICE),
        },
        open_interest={BTC: WAD},
        reserve=WAD,
        events=10,
    )


def with_account(books: Books, account: AccountId, **changes: object) -> Books:
    accounts = {**books.accounts, account: replace(books.accounts[account], **changes)}
    return replace(books, accounts=accounts)


def with_asset(books: Books, asset: int, **changes: object) -> Books:
    return replace(books, assets={**books.assets, asset: replace(books.assets[asset], **changes)})


def test_balanced_books_have_no_problem():
    assert problems(balanced()) == []
    assert cash_held(balanced()) == cash_claimed(balanced()) == 100_000 * WAD


def test_empty_books_balance():
    assert problems(Books({}, {CASH: AssetBook(0, 0, 0, 0, 6, WAD)})) == []


def test_a_wei_too_much_claimed_is_found():
    cash = balanced().accounts[MAKER].cash
    (problem,) = problems(with_account(balanced(), MAKER, cash=cash + 1))
    assert "by -1 wei" in problem


def test_dust_in_the_protocols_favour_is_allowed_and_no_more():
    books = balanced()
    dust = books.dust
    insurance = books.accounts[INSURANCE]
    poorer = replace(insurance, cash=insurance.cash - dust, equity=insurance.equity - dust)
    assert problems(replace(books, accounts={**books.accounts, INSURANCE: poorer})) == []
    poorer = replace(poorer, cash=poorer.cash - 1)
    (problem,) = problems(replace(books, accounts={**books.accounts, INSURANCE: poorer}))
    assert f"by {dust + 1} wei" in problem


def test_a_missing_cash_token_is_found_where_it_hurts():
    found = problems(with_asset(balanced(), CASH, held=100_000 * 10**6 - 1))
    assert len(found) == 3
    assert "asset 0" in found[0]
    assert "cash held" in found[1]
    assert "are worth" in found[2]


def test_an_unbacked_wei_of_perpetual_is_found():
    position = Perp(BTC, WAD + 1, -52_000 * WAD)
    weth = Collateral(WETH, 3 * WAD)
    found = problems(with_account(balanced(), TRADER, positions=(position, weth)))
    assert found[0] == "sizes of market 1 sum to 1, not to zero"
    assert "long sizes sum to" in found[1]


def test_open_interest_of_nobody_is_found():
    (problem,) = problems(replace(balanced(), open_interest={BTC: WAD, 2: 5}))
    assert problem == "open interest of market 2 is 5, long sizes sum to 0"


def with_options(books: Books) -> Books:
    """The trader has written a call to the maker."""
    for account, size in ((TRADER, -2 * WAD), (MAKER, 2 * WAD)):
        positions = (*books.accounts[account].positions, call(size))
        books = with_account(books, account, positions=positions)
    return replace(books, option_interest={ETH: 2 * WAD})


def call(size: int, strike: int = 2_000 * WAD) -> Option:
    return Option(ETH, 1_774_000_000, strike, is_put=False, size=size)


def test_options_cancel():
    assert problems(with_options(balanced())) == []


def test_an_unbacked_wei_of_an_option_is_found():
    books = with_options(balanced())
    found = problems(
        with_account(
            books, MAKER, positions=(*books.accounts[MAKER].positions[:1], call(2 * WAD + 1))
        )
    )
    assert found[0].endswith("sum to 1, not to zero")
    assert "open options on 2 are" in found[1]


def test_a_strike_does_not_back_another():
    books = with_options(balanced())
    positions = (*books.accounts[MAKER].positions[:1], call(2 * WAD, 2_050 * WAD))
    found = problems(with_account(books, MAKER, positions=positions))
    assert len(found) == 2
    assert all("not to zero" in problem for problem in found)


def test_open_options_of_nobody_are_found():
    (problem,) = problems(replace(balanced(), option_interest={ETH: 5}))
    assert problem == "open options on 2 are 5, long sizes sum to 0"


@pytest.mark.parametrize("field", ["recorded", "held"])
def test_a_wei_of_collateral_too_few_is_found(field: str):
    found = problems(with_asset(balanced(), WETH, **{field: 3 * WAD - 1}))
    assert any("asset 1" in problem for problem in found)


def test_worth_out_of_nothing_is_found():
    equity = balanced().accounts[MAKER].equity + WAD
    (problem,) = problems(with_account(balanced(), MAKER, equity=equity))
    assert problem.startswith("accounts are worth")


@given(
    st.sampled_from([TRADER, MAKER, INSURANCE]),
    st.sampled_from(["cash", "equity"]),
    st.integers(-(10**9) * WAD, 10**9 * WAD).filter(lambda delta: abs(delta) > 200),
)
def test_any_tampered_balance_is_found(account: AccountId, field: str, delta: int):
    before = getattr(balanced().accounts[account], field)
    assert problems(with_account(balanced(), account, **{field: before + delta}))
