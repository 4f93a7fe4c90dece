"""What the scripts share: Ape's account as a Signer, the chain behind an Ape provider, errors."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from ape.cli import account_option
from eth_account.messages import SignableMessage
from rich.console import Console

from ballast.client.artifacts import ArtifactError
from ballast.client.book import DEPLOYMENTS
from ballast.client.chain import Chain, Receipt
from ballast.client.client import Client
from ballast.client.errors import ChainError, ContractError
from ballast.client.orders import OrderError
from ballast.client.signers import SignerError
from ballast.codec import AccountId, CodecError
from ballast.deploy.govern import GovernError
from ballast.deploy.run import DeployError
from ballast.deploy.verification import VerificationError
from ballast.fields import FieldError
from ballast.keeper.loop import KeeperError
from ballast.model.refusal import Refused
from ballast.oracle.prices import PricesError
from ballast.oracle.reports import ReportError
from ballast.units import UnitsError

LOCAL_CHAIN_IDS = (31337, 1337)
# Errors whose text is meant for the user.
READABLE = (
    ArtifactError,
    ChainError,
    CodecError,
    ContractError,
    DeployError,
    FieldError,
    GovernError,
    KeeperError,
    OrderError,
    PricesError,
    Refused,
    ReportError,
    SignerError,
    UnitsError,
    VerificationError,
)

console = Console()


def say(text: str) -> None:
    """Print a line as it is, however long."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


deployments_option = click.option(
    "--deployments",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEPLOYMENTS,
    help="Folder of the address books; deployments/ of the checkout by default.",
)


def readable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turns our own errors into one line instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except READABLE as error:
            raise click.ClickException(str(error)) from None

    return wrapped


class ApeSigner:
    """A Signer that asks an Ape account.

    Ape asks before each signature, unless the passphrase is in APE_ACCOUNTS_<alias>_PASSPHRASE.
    """

    def __init__(self, account: Any, provider: Any) -> None:
        self._account = account
        self._ecosystem = provider.network.ecosystem
        if self._passphrase is not None:
            self.unlock()

    @property
    def address(self) -> str:
        return str(self._account.address)

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        prepared = self._ecosystem.create_transaction(
            sender=self.address, **{_APE_NAMES.get(k, k): v for k, v in transaction.items()}
        )
        signed = self._account.sign_transaction(prepared)
        if signed is None:
            raise SignerError("the transaction was not signed")
        return bytes(signed.serialize_transaction())

    def sign_typed(self, message: SignableMessage) -> bytes:
        signature = self._account.sign_message(message)
        if signature is None:
            raise SignerError("the message was not signed")
        r, s = (bytes(part).rjust(32, b"\0") for part in (signature.r, signature.s))
        return r + s + bytes([signature.v])

    def unlock(self) -> None:
        """Sign without asking each time; the passphrase is asked for once, or in the variable."""
        if hasattr(self._account, "set_autosign") and getattr(self._account, "alias", None):
            self._account.set_autosign(True, passphrase=self._passphrase)

    @property
    def _passphrase(self) -> str | None:
        alias = getattr(self._account, "alias", None)
        return os.environ.get(f"APE_ACCOUNTS_{alias}_PASSPHRASE") if alias else None


_APE_NAMES = {
    "to": "receiver",
    "gas": "gas_limit",
    "maxFeePerGas": "max_fee",
    "maxPriorityFeePerGas": "max_priority_fee",
    "chainId": "chain_id",
}


def open_chain(provider: Any) -> Chain:
    return Chain(provider.web3)


def open_client(provider: Any, deployments: Path) -> Client:
    return Client.open(open_chain(provider), deployments)


def is_local(chain_id: int) -> bool:
    return chain_id in LOCAL_CHAIN_IDS


# ---- Commands of an account ------------------------------------------------------------------

index_option = click.option(
    "--index", type=click.IntRange(0), default=0, show_default=True, help="Index of your account."
)
whose_option = click.option(
    "--for", "whose", help="Account to act for as its delegate, OWNER or OWNER/INDEX."
)


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that all commands share."""
    return account_option()(deployments_option(readable(command)))


def account_of(signer: ApeSigner, index: int, whose: str | None) -> AccountId:
    """The account to act for: that of somebody else, or the signer's own."""
    if whose is None:
        return AccountId.make(signer.address, index)
    if index:
        raise click.UsageError("--for names an account with its index: leave --index out")
    return AccountId.parse(whose)


def done(receipt: Receipt, what: str) -> None:
    say(f"{what} (block {receipt.block}, {receipt.gas_used:,} gas)")
