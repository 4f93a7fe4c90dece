"""The books as they are on the chain."""

from __future__ import annotations

from collections.abc import Sequence

from ballast.client.book import AddressBook, AssetEntry
from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.codec import AccountId, decode_positions
from ballast.demo.books import AssetBook, Books, Holding
from ballast.units import WAD


def read_books(
    client: Client, accounts: Sequence[AccountId], holders: Sequence[str], events: int
) -> Books:
    """Everything that accounts and holders have; `events` is how many the Clearinghouse emitted."""
    book = client.book
    return Books(
        accounts={account: _holding(client, account) for account in accounts},
        assets={asset.id: _asset(client, asset, holders) for asset in book.assets.values()},
        open_interest={u: client.clearinghouse.market(u).open_interest for u in _markets(book)},
        option_interest={
            u.id: client.clearinghouse.option_market(u.id).open_interest
            for u in book.underlyings.values()
        },
        reserve=client.clearinghouse.interest().reserve,
        events=events,
    )


def _markets(book: AddressBook) -> list[int]:
    return [entry.id for entry in book.underlyings.values() if entry.market]


def _holding(client: Client, account: AccountId) -> Holding:
    house = client.book.address("Clearinghouse")
    _, words = client.chain.view(Call("Clearinghouse", house, "accountWords", (bytes(account),)))
    return Holding(
        cash=client.clearinghouse.portfolio(account).cash,
        equity=client.clearinghouse.margin(account).equity,
        positions=tuple(decode_positions(words)),
    )


def _asset(client: Client, asset: AssetEntry, holders: Sequence[str]) -> AssetBook:
    supply = client.chain.view(Call("TestToken", asset.token, "totalSupply"))
    return AssetBook(
        held=client.token_balance(asset.token, client.book.address("Clearinghouse")),
        recorded=client.clearinghouse.asset(asset.id).total,
        outside=sum(client.token_balance(asset.token, holder) for holder in holders),
        minted=int(supply),
        decimals=asset.decimals,
        price=client.oracle.snapshot(asset.underlying).price if asset.id else WAD,
    )
