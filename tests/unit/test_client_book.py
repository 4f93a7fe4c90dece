"""The address book: what it says survives a file, and what is wrong with one is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ballast.client.book import AddressBook, BookError, book_path
from ballast.codec import Instrument
from ballast.fields import FieldError
from ballast.units import WAD
from tests.support.revm import Evm
from tests.support.system import deploy_system


@pytest.fixture(scope="module")
def book() -> AddressBook:
    return deploy_system(Evm()).book


def test_a_file_gives_back_the_book(book, tmp_path):
    path = book_path(book.chain_id, tmp_path)
    book.save(path)
    assert path.name == "31337.json"
    assert AddressBook.load(path) == book


def test_names_of_instruments(book):
    assert book.instrument("ETH-PERP") == Instrument.perp(1)
    assert book.instrument("WBTC") == Instrument.collateral(2)
    assert book.instrument_name(Instrument.collateral(1)) == "WETH"
    assert book.underlying_of(Instrument.collateral(2)) == 2
    assert book.cash_name == "USDC"


def test_names_of_options(book):
    """Underlying, day of expiry (08:00 UTC), strike, and C or P."""
    expiry = 1_798_185_600  # 2026-12-25 08:00 UTC
    for name, strike, is_put in (
        ("ETH-20261225-2500-C", 2500 * WAD, False),
        ("BTC-20261225-0.00000001-P", 10**10, True),
    ):
        series = Instrument.option(book.underlying(name[:3]).id, expiry, strike, is_put)
        assert book.instrument(name) == series
        assert book.instrument_name(series) == name
    odd = Instrument.option(1, expiry + 1, 2500 * WAD, False)
    assert book.instrument_name(odd) == "OPTION 1"
    for wrong in ("ETH-20261325-2500-C", "ETH-20261225-0.000000001-C", "ETH-99991225-2500-P"):
        with pytest.raises(BookError, match=f"'{wrong}' is no option"):
            book.instrument(wrong)


@pytest.mark.parametrize("name", ["USDC", "USDC-PERP", "SOL-PERP", "eth-perp"])
def test_what_does_not_trade_is_refused(book, name):
    with pytest.raises(BookError, match=f"'{name}' does not trade here: there are ETH-PERP"):
        book.instrument(name)


def test_unknown_names_are_answered_with_the_known_ones(book):
    with pytest.raises(BookError, match="'SOL' is no asset: there are USDC, WETH, WBTC"):
        book.asset("SOL")
    with pytest.raises(BookError, match="'SOL' is no underlying: there are USDC, ETH, BTC"):
        book.underlying("SOL")
    with pytest.raises(BookError, match="Spoke is not in the address book of chain 31337"):
        book.address("Spoke")


def test_an_unfinished_book_is_only_for_the_deployer(book, tmp_path):
    path = tmp_path / "1.json"
    replace(book, complete=False).save(path)
    assert not AddressBook.load(path, incomplete=True).complete
    with pytest.raises(BookError, match="the deployment is unfinished"):
        AddressBook.load(path)


def test_a_missing_book_says_how_to_get_one(tmp_path):
    with pytest.raises(BookError, match="deploy with `ape run deploy` first"):
        AddressBook.load(tmp_path / "1.json")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("chainId", "1", "chainId must be a whole number, not '1'"),
        ("contracts.Exchange", "0x1", "contracts.Exchange must be an address in quotes, not '0x1'"),
        ("assets.WETH.decimals", 19, "assets.WETH.decimals must be a whole number from 0 to 18"),
        ("assets.WETH.colour", 1, "assets.WETH.colour is not a known field"),
        ("underlyings.ETH.sources", "all", "underlyings.ETH.sources must be a list of texts"),
        ("underlyings.ETH.market", 1, "underlyings.ETH.market must be true or false, not 1"),
        ("feeAccount", "me", "feeAccount must be an account id, not 'me'"),
        ("assets", [], "assets must be an object, not []"),
        ("colour", "red", "colour is not a known field"),
    ],
)
def test_a_wrong_field_is_named(book, path, value, complaint):
    data: dict[str, Any] = json.loads(book.dumps())
    *parents, last = path.split(".")
    target = data
    for key in parents:
        target = target[key]
    target[last] = value
    with pytest.raises(FieldError) as caught:
        AddressBook.parse(data)
    assert complaint in str(caught.value)
