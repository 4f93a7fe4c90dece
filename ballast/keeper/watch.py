"""Whom to look at: every account in columns here, the few in doubt by the Lens on the chain.

The book follows the events: what they name is read again from the chain, at one block together with
everything that a margin rests on. The scan then rules out whoever cannot be liquidatable (see
`ballast.scan.tick` for the proof); accounts under another engine than the scan's are never ruled
out. A part of the book is read again at every step in turn, so that nothing stays wrong for long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.errors import ContractError
from ballast.codec import AccountId, Snapshot
from ballast.model.accounts import Stored
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.scan import Book, Moment, scan

SCAN_ENGINE = 0  # the joint-scenario engine, which the columns mirror
READ_CHUNK = 100
TURN = 100  # accounts that are read again at every step, in turn


class Source(Protocol):
    """What a watch reads, all of it at one block."""

    def head(self) -> int: ...

    def moment(self, block: int) -> Moment: ...

    def stored(self, accounts: Sequence[AccountId], block: int) -> Mapping[AccountId, Stored]: ...


class Watch:
    """The book of a keeper, and whom it has to look at."""

    def __init__(self, source: Source, always: Iterable[AccountId] = ()) -> None:
        """`always` are accounts that change without an event that names them."""
        self._source = source
        self._always = set(always)
        self._book: Book | None = None
        self._engines: dict[AccountId, int] = {}
        self._turn: list[AccountId] = []

    def whom(
        self, accounts: Sequence[AccountId], touched: Collection[AccountId]
    ) -> list[AccountId]:
        """Those of the accounts that may be liquidatable at this moment.

        `touched` are those that events named since the last time, or that a reorganisation may
        have put back.
        """
        block = self._source.head()
        moment = self._source.moment(block)
        if self._book is None or self._book.assets != moment.parameters.assets:
            self._book, self._engines = Book(moment.parameters.assets), {}
        new = [account for account in accounts if account not in self._engines]
        again = {*touched, *self._always, *self._next(accounts)} & self._engines.keys()
        self._read([*new, *sorted(again)], block)
        doubtful = set(scan(self._book, moment).candidates)
        return [a for a in accounts if a in doubtful or self._engines[a] != SCAN_ENGINE]

    def _read(self, accounts: Sequence[AccountId], block: int) -> None:
        assert self._book is not None
        found = self._source.stored(accounts, block)
        self._book.put(found)
        self._engines.update((account, stored.engine) for account, stored in found.items())

    def _next(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        if not self._turn:
            self._turn = list(accounts)
        part, self._turn = self._turn[:TURN], self._turn[TURN:]
        return part


class ChainOptions:
    """Slices and settlement means at the end of a block, each read when it is first asked for."""

    def __init__(self, chain: Chain, oracle: str, block: int) -> None:
        self._chain, self._oracle, self._block = chain, oracle, block
        self._answers: dict[tuple[str, int, int], Any] = {}

    def slice(self, underlying: int, expiry: int) -> int:
        return int(self._ask("slice", underlying, expiry))

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        elapsed, mean = self._ask("settlementMean", underlying, expiry)
        return int(elapsed), int(mean)

    def _ask(self, view: str, underlying: int, expiry: int) -> Any:
        asked = (view, underlying, expiry)
        if asked not in self._answers:
            call = Call("OracleAdapter", self._oracle, view, (underlying, expiry))
            self._answers[asked] = _required(self._chain.batch([call], self._block)[0])
        return self._answers[asked]


class ChainSource:
    """Reads a deployment in batches."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._chain = client.chain
        self._house = client.book.address("Clearinghouse")
        self._engine = client.book.address("JointScenarioEngine")

    def head(self) -> int:
        return self._chain.block_number

    def moment(self, block: int) -> Moment:
        """Prices, parameters, funding and indices at the end of a block."""
        names = sorted(entry.id for entry in self._client.book.underlyings.values())
        markets = sorted(e.id for e in self._client.book.underlyings.values() if e.market)
        assets = sorted(entry.id for entry in self._client.book.assets.values() if entry.id)
        oracle = self._client.book.address("OracleAdapter")
        calls = [Call("Clearinghouse", self._house, "interest")]
        calls += [Call("OracleAdapter", oracle, "snapshot", (one,)) for one in names]
        calls += [self._risk("underlyingRisk", one) for one in names]
        calls += [self._risk("assetRisk", one) for one in assets]
        calls += [Call("Clearinghouse", self._house, "market", (one,)) for one in markets]
        now = int(self._chain.web3.eth.get_block(block)["timestamp"])
        answers = iter(self._chain.batch(calls, block))
        interest = _required(next(answers))
        snapshots = {
            name: Snapshot.decode(_required(answer)) for name, answer in _pairs(names, answers)
        }
        underlyings = {
            name: UnderlyingRisk(*answer)
            for name, answer in _pairs(names, answers)
            if not isinstance(answer, ContractError)  # nobody can hold anything that rests on it
        }
        risks = {
            asset: AssetRisk(*answer[:4])
            for asset, answer in _pairs(assets, answers)
            if not isinstance(answer, ContractError)
        }
        funding = {name: int(_required(answer)[1]) for name, answer in _pairs(markets, answers)}
        return Moment(
            now,
            snapshots.__getitem__,
            Parameters(underlyings, risks),
            funding,
            int(interest[0]),
            int(interest[1]),
            ChainOptions(self._chain, oracle, block),
        )

    def stored(self, accounts: Sequence[AccountId], block: int) -> Mapping[AccountId, Stored]:
        """Accounts as they are stored at the end of a block."""
        found: dict[AccountId, Stored] = {}
        for at in range(0, len(accounts), READ_CHUNK):
            part = accounts[at : at + READ_CHUNK]
            calls = [
                Call("Clearinghouse", self._house, "accountWords", (bytes(account),))
                for account in part
            ]
            answers = self._chain.batch(calls, block)
            for account, answer in zip(part, answers, strict=True):
                header, words = _required(answer)
                found[account] = stored_of(header, words)
        return found

    def _risk(self, function: str, name: int) -> Call:
        return Call("JointScenarioEngine", self._engine, function, (name,))


def stored_of(header: int, words: Sequence[int]) -> Stored:
    """An account from its header (specification §2.1) and its position words."""
    scaled = header & ((1 << 128) - 1)
    return Stored(
        scaled=scaled - (scaled >> 127 << 128),
        engine=(header >> 136) & 0xFF,
        checked_at=(header >> 176) & 0xFFFFFFFF,
        words=tuple(words),
    )


def _pairs(names: Sequence[int], answers: Any) -> list[tuple[int, Any]]:
    """Each name with the next answer."""
    return list(zip(names, islice(answers, len(names)), strict=True))


def _required(answer: Any) -> Any:
    if isinstance(answer, ContractError):
        raise answer
    return answer
