"""What happened to an account, from the events of the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ballast.client.client import Client
from ballast.client.events import Event, scan
from ballast.codec import AccountId, Instrument
from ballast.units import from_units, from_wad

SOURCES = {
    "Clearinghouse": (
        *("Deposited", "Withdrawn", "Transferred", "Traded", "Settled", "OptionSettled"),
        *("SliceTransferred", "DelegateSet", "EngineSelected"),
    ),
    "Exchange": ("OrderCancelled", "OrdersRecalled"),
    "Liquidator": ("Liquidated", "Flagged", "FlagCleared"),
}
_ACCOUNTS = ("account", "from", "to", "into", "taker", "maker")
_WAD = (
    *("size", "price", "takerFee", "makerFee", "payoff", "realised", "fraction", "payment"),
    *("insurance", "equity", "maintenance", "reward"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event; `what` has names for numbers, and amounts as decimal numbers."""

    block: int
    time: int
    transaction: str
    name: str
    what: Mapping[str, str]


def read_history(client: Client, account: AccountId) -> list[Entry]:
    """Everything that named an account, oldest first."""
    found: list[Event] = []
    last = client.chain.block_number
    for contract, names in SOURCES.items():
        address = client.book.address(contract)
        events = scan(client.chain, contract, address, client.book.block, last=last, names=names)
        found.extend(event for event in events if names_account(event, account))
    times: dict[int, int] = {}
    for event in found:
        if event.block not in times:
            block = client.chain.web3.eth.get_block(event.block)
            times[event.block] = int(block["timestamp"])
    found.sort(key=lambda event: (event.block, event.index))
    return [
        Entry(one.block, times[one.block], one.transaction, one.name, _described(client, one.args))
        for one in found
    ]


def names_account(event: Event, account: AccountId) -> bool:
    """Whether an event is about an account."""
    return any(
        isinstance(value, bytes) and value == bytes(account)
        for name, value in event.args.items()
        if name in _ACCOUNTS
    )


def _described(client: Client, args: Mapping[str, Any]) -> dict[str, str]:
    decimals = 18
    if "asset" in args:
        decimals = client.book.asset(client.book.asset_name(args["asset"])).decimals
    return {name: _text(client, name, value, decimals) for name, value in args.items()}


def _text(client: Client, name: str, value: Any, decimals: int) -> str:
    if name in _ACCOUNTS and isinstance(value, bytes):
        return str(AccountId(value))
    if name in ("instrument", "series"):
        return client.book.instrument_name(Instrument(value))
    if name == "asset":
        return client.book.asset_name(value)
    if name == "amount":
        return f"{from_units(value, decimals):f}"
    return f"{from_wad(value):f}" if name in _WAD else str(value)
