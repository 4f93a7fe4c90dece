"""Which accounts there are, from events: scanned block by block, with a cursor on disk.

Account ids only accumulate, so reading a block twice does no harm. The cursor therefore stays
`SAFE_BLOCKS` behind the head and the tip is read again every time: a reorganisation or a restart
loses nothing. A chain that is not the one the cursor was written on is scanned from its beginning.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from eth_utils.crypto import keccak

from ballast.codec import AccountId, CodecError

SAFE_BLOCKS = 64
CHUNK = 5000

# Events that change what an account holds, and the topics that name the account.
_NAMED_BY = {
    "Deposited(bytes32,uint16,uint256,address)": (1,),
    "Withdrawn(bytes32,uint16,uint256,address)": (1,),
    "Transferred(bytes32,bytes32,uint16,uint256)": (1, 2),
    "Traded(uint256,bytes32,bytes32,int256,uint256,uint256,uint256,int256)": (2, 3),
    "Settled(bytes32,int256)": (1,),
    "OptionSettled(bytes32,uint256,int256,uint256)": (1,),
    "SliceTransferred(bytes32,bytes32,uint256,uint256,uint256)": (1, 2),
    "EngineSelected(bytes32,uint8)": (1,),
}
TOPICS = {keccak(text=signature): topics for signature, topics in _NAMED_BY.items()}


class CursorError(ValueError):
    """A cursor file that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the events of one Clearinghouse were read, and which accounts they named.

    `block` is the last block read for good and `block_hash` its hash; the first one to read is the
    next. Before anything was read, `block` precedes the deployment and the hash is empty.
    """

    chain_id: int
    clearinghouse: str
    block: int
    block_hash: str = ""
    accounts: tuple[AccountId, ...] = ()

    def with_accounts(self, found: Iterable[AccountId]) -> Cursor:
        """With more accounts, each once, in order."""
        return replace(self, accounts=tuple(sorted({*self.accounts, *found})))

    def to_json(self) -> str:
        return json.dumps(
            {
                "chain_id": self.chain_id,
                "clearinghouse": self.clearinghouse,
                "block": self.block,
                "block_hash": self.block_hash,
                "accounts": [account.hex for account in self.accounts],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Cursor:
        """Raises CursorError for anything that `to_json` did not write."""
        try:
            raw: dict[str, Any] = json.loads(text)
            return cls(
                chain_id=int(raw["chain_id"]),
                clearinghouse=str(raw["clearinghouse"]),
                block=int(raw["block"]),
                block_hash=str(raw["block_hash"]),
                accounts=tuple(AccountId.parse(account) for account in raw["accounts"]),
            )
        except (ValueError, KeyError, TypeError, CodecError) as error:
            raise CursorError(f"not a cursor: {error!r}") from None


class LogSource(Protocol):
    """What a scan reads from."""

    def block_number(self) -> int: ...

    def block_hash(self, number: int) -> str: ...

    def topics(self, first: int, last: int) -> Sequence[Sequence[bytes]]:
        """The topics of every event of the Clearinghouse in the blocks [first, last]."""
        ...


def named_accounts(topics: Sequence[bytes]) -> list[AccountId]:
    """The accounts that one event names; none if it is of another kind."""
    places = TOPICS.get(bytes(topics[0]), ()) if topics else ()
    return [AccountId(bytes(topics[place])) for place in places]


def chunks(first: int, last: int, size: int = CHUNK) -> list[tuple[int, int]]:
    """[first, last] in pieces of at most `size` blocks; none if it is empty."""
    return [(start, min(start + size - 1, last)) for start in range(first, last + 1, size)]


# ---- Scanning ---------------------------------------------------------------------------------


class AccountScanner:
    """Keeps the cursor of one Clearinghouse and its file up to date."""

    def __init__(
        self,
        source: LogSource,
        start: Cursor,
        file: Path | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self._source = source
        self._start = start
        self._file = file
        self._log = log
        self.cursor = self._load()
        self.touched: frozenset[AccountId] = frozenset()
        self._tip: frozenset[AccountId] = frozenset()

    def scan(self, chunk: int = CHUNK) -> tuple[AccountId, ...]:
        """Reads what is new and returns every account known.

        `touched` are then the accounts that the blocks read name, or that those blocks named in
        the last scan: a reorganisation may have put these back.
        """
        head = self._source.block_number()
        if not self._is_on_chain(head):
            self._log("accounts: the chain is not the one of the cursor: scanning from the start")
            self.cursor = self._start
        named: set[AccountId] = set()
        safe = max(head - SAFE_BLOCKS, self.cursor.block)
        for first, last in chunks(self.cursor.block + 1, safe, chunk):
            found = self._read(first, last)
            named.update(found)
            self.cursor = replace(
                self.cursor.with_accounts(found),
                block=last,
                block_hash=self._source.block_hash(last),
            )
            self._save()
        tip: set[AccountId] = set()
        for first, last in chunks(safe + 1, head, chunk):
            tip.update(self._read(first, last))
        self.cursor = self.cursor.with_accounts(tip)
        self.touched = frozenset(named | tip) | self._tip
        self._tip = frozenset(tip)
        return self.cursor.accounts

    def _read(self, first: int, last: int) -> list[AccountId]:
        events = self._source.topics(first, last)
        return [account for topics in events for account in named_accounts(topics)]

    def _is_on_chain(self, head: int) -> bool:
        if not self.cursor.block_hash:
            return True
        if self.cursor.block > head:
            return False
        return self._source.block_hash(self.cursor.block) == self.cursor.block_hash

    def _load(self) -> Cursor:
        if self._file is None or not self._file.exists():
            return self._start
        try:
            cursor = Cursor.from_json(self._file.read_text(encoding="utf-8"))
        except (CursorError, UnicodeDecodeError) as error:
            self._log(f"accounts: {self._file}: {error}: scanning from the start")
            return self._start
        same = (self._start.chain_id, self._start.clearinghouse)
        if (cursor.chain_id, cursor.clearinghouse) != same:
            self._log(f"accounts: {self._file} is of another deployment: scanning from the start")
            return self._start
        return cursor

    def _save(self) -> None:
        """Replaces the file in one step, so that a crash leaves the old one or the new one."""
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        fresh.write_text(self.cursor.to_json() + "\n", encoding="utf-8")
        os.replace(fresh, self._file)
