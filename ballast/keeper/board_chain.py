"""The eyes and hands of a desk: volatility boards of a deployment, and reports of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ballast.client.chain import Call, Receipt
from ballast.client.client import Client
from ballast.client.errors import ContractError
from ballast.client.signers import Signer
from ballast.codec import AccountId, Settlement, VolatilitySlice
from ballast.keeper.boards import Action, Boards, BoardView, Expiry, Fix, Settle, expired
from ballast.keeper.prices import Quorum, choose
from ballast.oracle.volatility import Board, VolatilityConfig
from ballast.volatility.reports import SignedVolatility, VolatilityDomain
from ballast.volatility.transport import newest_files, read_volatility

ORACLE = "OracleAdapter"
QUORUM = "VolatilityQuorum"


class VolatilityFolder:
    """The volatility reports of a folder. Signatures are checked once for each set of files."""

    def __init__(self, folder: Path, domain: VolatilityDomain) -> None:
        self._folder = folder
        self._domain = domain
        self._seen: list[Path] | None = None
        self._reports: list[SignedVolatility] = []

    def reports(self, now: int) -> list[SignedVolatility]:
        """The newest ones of every signer."""
        seen = newest_files(self._folder, now)
        if seen != self._seen:
            self._reports = read_volatility(self._folder, self._domain, now)
            self._seen = seen
        return self._reports


def open_volatility(client: Client, folder: Path | None) -> VolatilityFolder | None:
    """The volatility reports of a folder, if there is one."""
    if folder is None:
        return None
    domain = VolatilityDomain(client.book.chain_id, client.book.address(QUORUM))
    return VolatilityFolder(folder, domain)


class ChainBoards:
    """Reads the boards of a deployment."""

    def __init__(self, client: Client, folder: VolatilityFolder | None) -> None:
        self._client = client
        self._chain = client.chain
        self._folder = folder
        self._oracle = client.book.address(ORACLE)
        self._quorum = client.book.address(QUORUM)
        self._house = client.book.address("Clearinghouse")
        self._names = sorted(entry.id for entry in client.book.underlyings.values())

    def boards(self) -> Boards:
        """Every underlying whose volatility is published."""
        now = self._chain.time
        configs = self._ask("volatilityConfig", [(one,) for one in self._names])
        published = [
            (one, config)
            for one, config in zip(self._names, configs, strict=True)
            if config.maxLive
        ]
        if not published:
            return Boards(now)
        lives = self._ask("liveExpiries", [(one,) for one, _ in published])
        reports, quorum = self._reports(now)
        views = []
        for (underlying, config), live in zip(published, lives, strict=True):
            board = self._board(underlying, VolatilityConfig(*config), live)
            chosen = {
                expiry: choose(reports.get((underlying, expiry), ()), quorum, now, config.maxAge)
                for expiry in live
                if expiry > now
            }
            found = {expiry: some for expiry, some in chosen.items() if some}
            views.append(BoardView(underlying, board, found))
        return Boards(now, tuple(views))

    def expired(self, accounts: Sequence[AccountId], now: int) -> Mapping[AccountId, set[Expiry]]:
        calls = [
            Call("Clearinghouse", self._house, "accountWords", (bytes(account),))
            for account in accounts
        ]
        answers = zip(accounts, self._chain.batch(calls), strict=True)
        held = {account: expired(_required(answer)[1], now) for account, answer in answers}
        return {account: expiries for account, expiries in held.items() if expiries}

    def fixed(self, expiries: Sequence[Expiry]) -> Mapping[Expiry, Settlement]:
        words = zip(expiries, self._ask("slice", expiries), strict=True)
        found = {expiry: Settlement.decode(word) for expiry, word in words}
        return {expiry: one for expiry, one in found.items() if one is not None}

    def _board(self, underlying: int, config: VolatilityConfig, live: Sequence[int]) -> Board:
        words = zip(live, self._ask("slice", [(underlying, one) for one in live]), strict=True)
        slices = {expiry: VolatilitySlice.decode(word) for expiry, word in words if word}
        return Board(config, tuple(live), slices)

    def _reports(self, now: int) -> tuple[dict[Expiry, list[SignedVolatility]], Quorum]:
        """Reports by expiry, and the publishers that the chain knows at this moment."""
        groups: dict[Expiry, list[SignedVolatility]] = {}
        for signed in self._folder.reports(now) if self._folder else ():
            key = (signed.report.underlying, signed.report.expiry)
            groups.setdefault(key, []).append(signed)
        calls = [Call(QUORUM, self._quorum, view) for view in ("publishers", "threshold")]
        publishers, threshold = (_required(answer) for answer in self._chain.batch(calls))
        return groups, Quorum(frozenset(str(one).lower() for one in publishers), int(threshold))

    def _ask(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        calls = [Call(ORACLE, self._oracle, function, args) for args in arguments]
        return [_required(answer) for answer in self._chain.batch(calls)]


class ChainHands:
    """Simulates and sends what a desk does."""

    def __init__(self, client: Client, signer: Signer) -> None:
        self._client = client
        self._signer = signer

    def simulate(self, action: Action) -> int:
        """The gas that it would take; raises ContractError if it would fail."""
        return self._client.chain.simulate(self._call(action), self._signer.address)

    def send(self, action: Action) -> Receipt:
        return self._client.chain.send(self._signer, self._call(action))

    def _call(self, action: Action) -> Call:
        oracle = self._client.book.address(ORACLE)
        if isinstance(action, Settle):
            house = self._client.book.address("Clearinghouse")
            return Call("Clearinghouse", house, "settle", (bytes(action.account),))
        if isinstance(action, Fix):
            return Call(ORACLE, oracle, "fixExpiry", (action.underlying, action.expiry))
        return Call(ORACLE, oracle, "refreshVolatility", (action.updates,))


def _required(answer: Any) -> Any:
    if isinstance(answer, ContractError):
        raise answer
    return answer
