"""How an account stands at one block, by the Lens and the RiskLens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ballast.client.client import Client
from ballast.client.options import OptionHolding, read_options
from ballast.codec import AccountId


@dataclass(frozen=True, slots=True)
class Standing:
    """The Lens's view of an account, and its options with their Greeks, in one block."""

    account: AccountId
    block: int
    view: Any
    options: list[OptionHolding]


def read_standing(client: Client, account: AccountId) -> Standing:
    """Read an account at the newest block."""
    block = client.chain.block_number
    view = client.account_view(account, block)
    return Standing(account, block, view, read_options(client, account, block))
