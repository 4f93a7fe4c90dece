"""Who signs: one protocol, and the keys that a program can hold itself.

The wrapper of an Ape account lives in `scripts/`, since this package does without Ape.
"""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount

PASSPHRASE_VARIABLE = "BALLAST_PASSPHRASE"


class SignerError(Exception):
    """A key that cannot be used."""


class Signer(Protocol):
    """Anything that signs transactions and EIP-712 messages for one address."""

    @property
    def address(self) -> str:
        """The address with its checksum."""

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction."""

    def sign_typed(self, message: SignableMessage) -> bytes:
        """The 65 bytes r ‖ s ‖ v over an EIP-712 message."""


class KeySigner:
    """A private key in memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def from_key(cls, key: str | bytes) -> KeySigner:
        try:
            return cls(Account.from_key(key))
        except Exception:
            raise SignerError("that is not a private key of 32 bytes in hex") from None

    @classmethod
    def from_keyfile(
        cls, path: Path, passphrase: str | None = None, variable: str = PASSPHRASE_VARIABLE
    ) -> KeySigner:
        """Read an encrypted keyfile; its passphrase is given, in the variable, or asked for."""
        try:
            encrypted = json.loads(path.read_text())
        except OSError as error:
            raise SignerError(f"the keyfile {path} cannot be read: {error.strerror}") from None
        except json.JSONDecodeError:
            raise SignerError(f"the keyfile {path} is not JSON") from None
        secret = passphrase if passphrase is not None else os.environ.get(variable)
        if secret is None:
            secret = getpass.getpass(f"Passphrase of {path}: ")
        try:
            return cls(Account.from_key(Account.decrypt(encrypted, secret)))
        except (ValueError, TypeError, KeyError) as error:
            raise SignerError(f"the keyfile {path} cannot be decrypted: {error}") from None

    @property
    def address(self) -> str:
        return str(self._account.address)

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        return bytes(self._account.sign_transaction(transaction).raw_transaction)

    def sign_typed(self, message: SignableMessage) -> bytes:
        return bytes(self._account.sign_message(message).signature)
