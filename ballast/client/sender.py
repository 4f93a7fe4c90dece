"""Sending transactions so that none is lost, none is sent twice, and fees keep their bound.

At most one transaction of a sender is outstanding. It is written down before it is sent, found
again by its hash after a crash or a lost answer, and replaced with a higher fee while no block
takes it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from eth_utils.crypto import keccak
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError

from ballast.client.errors import ChainError
from ballast.client.signers import Signer

_NONCE_TRIES = 3
_BUMP_PER_MILLE = 1125  # nodes take a replacement from 10 % more
_GRACE_POLLS = 5  # that must agree before a nonce counts as taken by another transaction
_FIRST_POLL, _LONGEST_POLL = 0.1, 2.0

_KNOWN = ("already known", "already imported", "known transaction", "already exists")
_WAITS = ("nonce too low", "underpriced", "less than block base fee", "fee cap less", "nonce has")


class FeeTooHighError(ChainError):
    """The chain asks for more than the greatest fee allowed."""


class _NonceTakenError(Exception):
    """Another transaction of the same key has the nonce."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """`max_fee` bounds the fee per gas, wei. A transaction that is in no block after `bump_blocks`
    is replaced; `wait_seconds` is how long one is waited for at a time."""

    max_fee: int | None = None
    bump_blocks: int = 3
    wait_seconds: float = 180.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction that is outstanding: its fields, and all that was signed for its nonce."""

    chain_id: int
    sender: str
    transaction: dict[str, Any]
    block: int
    hashes: tuple[str, ...] = ()
    raw: str = ""

    @property
    def nonce(self) -> int:
        return int(self.transaction["nonce"])

    def signed_by(self, signer: Signer) -> Pending:
        raw = signer.sign_transaction(self.transaction)
        fresh = "0x" + bytes(keccak(raw)).hex()
        return replace(self, raw="0x" + raw.hex(), hashes=(*self.hashes, fresh))


class Outbox:
    """Where the outstanding transaction is written down; in memory only without a file."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._pending: Pending | None = None

    def load(self) -> Pending | None:
        if self._pending is None and self._file is not None and self._file.exists():
            try:
                raw = json.loads(self._file.read_text(encoding="utf-8"))
                self._pending = Pending(**{**raw, "hashes": tuple(raw["hashes"])})
            except (ValueError, KeyError, TypeError) as error:
                raise ChainError(f"{self._file} is no outstanding transaction: {error}") from None
        return self._pending

    def save(self, pending: Pending) -> None:
        """On the disk before it returns: a hash that is lost could not be found again."""
        self._pending = pending
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(self._file.name + ".new")
        with fresh.open("w", encoding="utf-8") as out:
            json.dump(asdict(pending), out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(fresh, self._file)

    def clear(self) -> None:
        self._pending = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)


@dataclass(slots=True)
class _Wait:
    """What the polls for one transaction have seen."""

    deadline: float
    answered: bool
    pause: float = _FIRST_POLL
    taken: int = 0
    refused: str = field(default="")


class Sender:
    """Sends for any signer on one chain."""

    def __init__(
        self,
        web3: Web3,
        policy: FeePolicy | None = None,
        outbox: Outbox | None = None,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._eth = web3.eth
        self._policy = policy or FeePolicy()
        self._outbox = outbox or Outbox()
        self._log = log

    def send(self, signer: Signer, transaction: dict[str, Any]) -> Any:
        """The receipt of a transaction, given without its nonce and fees.

        Waits for an outstanding one first. ChainError if it cannot be sent or is in no block in
        time; then it stays outstanding, and the next call goes on with it.
        """
        self.recover(signer)
        for _ in range(_NONCE_TRIES):
            filled = {**transaction, **self.fees(), "type": 2, "nonce": self._next_nonce(signer)}
            filled["chainId"] = int(self._eth.chain_id)
            pending = Pending(
                filled["chainId"], signer.address, filled, int(self._eth.block_number)
            )
            try:
                return self._settle(signer, pending.signed_by(signer))
            except _NonceTakenError:
                continue
        raise ChainError(f"another program keeps using the nonces of {signer.address}")

    def recover(self, signer: Signer) -> Any | None:
        """The receipt of the outstanding transaction; None if there is none, or never will be."""
        pending = self._outbox.load()
        if pending is None:
            return None
        if pending.sender != signer.address or pending.chain_id != int(self._eth.chain_id):
            raise ChainError(
                f"a transaction of {pending.sender} on chain {pending.chain_id} is outstanding"
            )
        try:
            return self._settle(signer, pending)
        except _NonceTakenError:
            return None

    def fees(self) -> dict[str, int]:
        """EIP-1559 fees that survive six full blocks, within the bound."""
        base = int(self._eth.get_block("latest").get("baseFeePerGas", 0))
        tip = int(self._eth.max_priority_fee)
        greatest = self._policy.max_fee
        wanted = 2 * base + tip
        if greatest is None:
            return {"maxFeePerGas": wanted, "maxPriorityFeePerGas": tip}
        if base > greatest:
            raise FeeTooHighError(f"the base fee is {base} wei, more than the {greatest} allowed")
        fee = min(wanted, greatest)
        return {"maxFeePerGas": fee, "maxPriorityFeePerGas": min(tip, fee)}

    def _next_nonce(self, signer: Signer) -> int:
        """Two answers that agree: a nonce that is too high would wait for ever."""
        last = -1
        for _ in range(2 * _NONCE_TRIES):
            nonce = int(self._eth.get_transaction_count(cast(Any, signer.address), "pending"))
            if nonce == last:
                return nonce
            last = nonce
        raise ChainError(f"the nodes do not agree on the nonce of {signer.address}")

    # ---- One transaction, until it is in a block ----------------------------------------------

    def _settle(self, signer: Signer, pending: Pending) -> Any:
        wait = _Wait(time.monotonic() + self._policy.wait_seconds, answered=False)
        self._outbox.save(pending)
        while True:
            if not wait.answered:
                self._broadcast(pending, wait)
            receipt = self._receipt(pending)
            if receipt is not None:
                self._outbox.clear()
                return receipt
            self._check_nonce(pending, wait)
            if time.monotonic() > wait.deadline:
                raise ChainError(
                    f"transaction {pending.hashes[-1]} is in no block after "
                    f"{self._policy.wait_seconds:g} s{wait.refused}"
                )
            time.sleep(wait.pause)
            wait.pause = min(_LONGEST_POLL, 1.5 * wait.pause)
            pending = self._replaced(signer, pending, wait)

    def _broadcast(self, pending: Pending, wait: _Wait) -> None:
        """A lost answer is no answer: the same bytes are sent again at the next poll."""
        try:
            self._eth.send_raw_transaction(cast(Any, pending.raw))
            wait.answered = True
        except Web3RPCError as error:
            text = str(error).lower()
            if any(words in text for words in _KNOWN):
                wait.answered = True
            elif any(words in text for words in _WAITS):
                wait.answered, wait.refused = True, f"; the node said: {error.message}"
            else:
                self._outbox.clear()
                raise ChainError(f"the node refused the transaction: {error.message}") from None
        except (ChainError, OSError) as error:
            self._log(f"transaction {pending.hashes[-1]}: no answer ({error}); sending it again")

    def _receipt(self, pending: Pending) -> Any | None:
        for one in reversed(pending.hashes):
            try:
                return self._eth.get_transaction_receipt(cast(Any, one))
            except TransactionNotFound:
                continue
        return None

    def _check_nonce(self, pending: Pending, wait: _Wait) -> None:
        """Receipts may lag behind nonces, so several polls in a row must say the same."""
        used = int(self._eth.get_transaction_count(cast(Any, pending.sender), "latest"))
        wait.taken = wait.taken + 1 if used > pending.nonce else 0
        if wait.taken >= _GRACE_POLLS:
            self._outbox.clear()
            raise _NonceTakenError

    def _replaced(self, signer: Signer, pending: Pending, wait: _Wait) -> Pending:
        """The same transaction at a higher fee, if it has waited long and the bound allows it."""
        block = int(self._eth.block_number)
        if block - pending.block < self._policy.bump_blocks:
            return pending
        pending = replace(pending, block=block)
        old = pending.transaction
        bumped = {
            name: old[name] * _BUMP_PER_MILLE // 1000 + 1
            for name in ("maxFeePerGas", "maxPriorityFeePerGas")
        }
        bumped["maxFeePerGas"] = max(bumped["maxFeePerGas"], self._wanted())
        greatest = self._policy.max_fee
        if greatest is not None and bumped["maxFeePerGas"] > greatest:
            self._log(f"transaction {pending.hashes[-1]} waits: its fee is at the bound")
            return pending
        fresh = replace(pending, transaction={**old, **bumped}).signed_by(signer)
        self._log(f"transaction {pending.hashes[-1]} waits: replaced by {fresh.hashes[-1]}")
        self._outbox.save(fresh)
        wait.answered = False
        return fresh

    def _wanted(self) -> int:
        try:
            return self.fees()["maxFeePerGas"]
        except FeeTooHighError:
            return 0
