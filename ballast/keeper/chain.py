"""A keeper's eyes and hands: what it sees of a deployment, and what it sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

from web3.exceptions import Web3RPCError

from ballast.client.book import BookError
from ballast.client.chain import Call, Receipt
from ballast.client.client import Client
from ballast.client.errors import ContractError
from ballast.client.events import receipt_events
from ballast.client.oracle import PriceUpdate
from ballast.client.signers import Signer
from ballast.codec import AccountId, Snapshot
from ballast.keeper.accounts import Cursor
from ballast.keeper.decide import AccountView, FeedView, Refresh, World
from ballast.keeper.prices import Quorum, ReportFolder
from ballast.keeper.ramps import ENGINE, Advance
from ballast.model.margin import LiquidationTerms
from ballast.oracle.mirror import FeedConfig, FeedState, Observation, ScanRange, Suspicion
from ballast.oracle.reports import Domain

HEALTH_CHUNK = 40


class Reports(Protocol):
    """Where updates for a source come from."""

    def update(self, underlying: int, now: int, max_age: int) -> bytes:
        """The newest update on a feed; empty if there is none."""
        ...


class NoReports:
    """A keeper without updates lives on push sources alone."""

    def update(self, _underlying: int, _now: int, _max_age: int) -> bytes:
        return b""


NO_REPORTS: Reports = NoReports()


def read_quorum(client: Client) -> Quorum:
    """The publishers that the chain knows at this moment."""
    address = client.book.address("QuorumSource")
    views = ("publishers", "threshold")
    calls = [Call("QuorumSource", address, view) for view in views]
    publishers, threshold = (_required(answer) for answer in client.chain.batch(calls))
    return Quorum(frozenset(str(one).lower() for one in publishers), int(threshold))


def open_reports(client: Client, folder: Path | None) -> Reports:
    """The reports of a folder, or none."""
    if folder is None:
        return NO_REPORTS
    domain = Domain(client.book.chain_id, client.book.address("QuorumSource"))
    return ReportFolder(folder, domain, lambda: read_quorum(client))


class Logs:
    """The events of the Clearinghouse, for the scan of accounts."""

    def __init__(self, client: Client) -> None:
        self._web3 = client.chain.web3
        self._address = client.book.address("Clearinghouse")

    def block_number(self) -> int:
        return int(self._web3.eth.block_number)

    def block_hash(self, number: int) -> str:
        return "0x" + bytes(self._web3.eth.get_block(number)["hash"]).hex()

    def topics(self, first: int, last: int) -> list[list[bytes]]:
        """Halves the range where the node refuses it for its size."""
        criteria: Any = {"address": self._address, "fromBlock": first, "toBlock": last}
        try:
            logs = self._web3.eth.get_logs(criteria)
        except Web3RPCError:
            if first == last:
                raise
            middle = (first + last) // 2
            return self.topics(first, middle) + self.topics(middle + 1, last)
        return [[bytes(topic) for topic in log["topics"]] for log in logs]


def start_cursor(client: Client) -> Cursor:
    """Where the scan of a deployment begins."""
    book = client.book
    return Cursor(book.chain_id, book.address("Clearinghouse"), book.block - 1)


def read_feeds(client: Client) -> dict[int, FeedState]:
    """Every feed as the OracleAdapter stores it, by underlying."""
    words = ("feed", "snapshot", "scanRange", "suspicion")
    underlyings = sorted(entry.id for entry in client.book.underlyings.values())
    address = client.book.address("OracleAdapter")
    calls = [Call("OracleAdapter", address, word, (u,)) for u in underlyings for word in words]
    answers = iter([_required(answer) for answer in client.chain.batch(calls)])
    return {
        u: FeedState(
            _feed_config(next(answers)),
            Snapshot.decode(next(answers)),
            ScanRange.decode(next(answers)),
            Suspicion.decode(next(answers)),
        )
        for u in underlyings
    }


class Eyes:
    """Reads a deployment into the `World` that decisions rest on."""

    def __init__(
        self,
        client: Client,
        keeper: AccountId,
        reports: Reports,
        native: str | int,
        *,
        pyth: Reports | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        """`native` is the underlying whose price gas money has, or a fixed price (WAD of cash)."""
        self._client = client
        self._chain = client.chain
        self._keeper = keeper
        self._log = log
        self._updates = {
            client.book.contracts.get("QuorumSource", "").lower(): reports,
            client.book.contracts.get("PythSource", "").lower(): pyth or NO_REPORTS,
        }
        self._native = native if isinstance(native, int) else None
        self._native_feed = None if isinstance(native, int) else client.book.underlying(native).id

    def look(self, accounts: Sequence[AccountId] = ()) -> World:
        """The world with the margins of some accounts."""
        block = self._chain.web3.eth.get_block("latest")
        feeds = self._feeds(int(block["timestamp"]))
        keeper, *others = self._margins([self._keeper, *accounts])
        return World(
            now=int(block["timestamp"]),
            block=int(block["number"]),
            keeper=keeper,
            feeds=tuple(feeds),
            accounts=tuple(self._with_terms(others)),
            gas_price=int(self._chain.web3.eth.gas_price),
            native_price=self._native_price(feeds),
            gas_money=int(self._chain.web3.eth.get_balance(cast(Any, self._keeper.owner))),
        )

    # ---- Feeds ----

    def _feeds(self, now: int) -> list[FeedView]:
        states = read_feeds(self._client)
        return self._observed([(u, s) for u, s in states.items() if s.config.sources], now)

    def _observed(self, feeds: Sequence[tuple[int, FeedState]], now: int) -> list[FeedView]:
        """Asks every source what it would say, given the newest reports."""
        data = {u: self._data(u, state.config, now) for u, state in feeds}
        calls = [
            Call("IPriceSource", source, "observe", (u, given))
            for u, state in feeds
            for source, given in zip(state.config.sources, data[u], strict=True)
        ]
        answers = iter(self._chain.batch(calls))
        return [
            self._view(u, state, data[u], [next(answers) for _ in data[u]]) for u, state in feeds
        ]

    def _data(self, underlying: int, config: FeedConfig, now: int) -> tuple[bytes, ...]:
        return tuple(
            self._updates.get(source.lower(), NO_REPORTS).update(
                underlying, now, config.source_max_age
            )
            for source in config.sources
        )

    def _view(
        self, underlying: int, state: FeedState, data: tuple[bytes, ...], answers: Sequence[Any]
    ) -> FeedView:
        """A source that refuses its data is asked for nothing: it would fail the transaction."""
        kept = list(data)
        observations = []
        for place, answer in enumerate(answers):
            if isinstance(answer, ContractError):
                name = self._client.book.underlying_name(underlying)
                self._log(f"prices: source {place} of {name} refuses: {answer}")
                kept[place] = b""
                observations.append(Observation())
            else:
                observations.append(Observation(*answer))
        return FeedView(underlying, state, tuple(observations), tuple(kept))

    def _native_price(self, feeds: Sequence[FeedView]) -> int:
        if self._native is not None:
            return self._native
        prices = [f.state.snapshot.price for f in feeds if f.underlying == self._native_feed]
        return prices[0] if prices else 0

    # ---- Accounts ----

    def _margins(self, accounts: Sequence[AccountId]) -> list[AccountView]:
        found: list[AccountView] = []
        for at in range(0, len(accounts), HEALTH_CHUNK):
            found.extend(self._health(accounts[at : at + HEALTH_CHUNK]))
        return found

    def _health(self, accounts: Sequence[AccountId]) -> list[AccountView]:
        """Margins by the Lens; a chunk that a node refuses is halved, down to the bad account."""
        try:
            return [_account_view(view) for view in self._client.health(accounts)]
        except (ContractError, Web3RPCError) as error:
            if len(accounts) > 1:
                middle = len(accounts) // 2
                return self._health(accounts[:middle]) + self._health(accounts[middle:])
            self._log(f"accounts: {accounts[0]} cannot be valued: {error}")
            return [AccountView(accounts[0], 0, 0, 0, known=False)]

    def _with_terms(self, accounts: Sequence[AccountView]) -> list[AccountView]:
        """Adds the terms of liquidation of the accounts that need them."""
        needy = [a for a in accounts if a.known and a.equity < a.maintenance]
        house = self._client.book.address("Clearinghouse")
        calls = [
            Call("Clearinghouse", house, "liquidationTerms", (bytes(account.id),))
            for account in needy
        ]
        terms = {
            account.id: LiquidationTerms(*answer)
            for account, answer in zip(needy, self._chain.batch(calls), strict=True)
            if not isinstance(answer, ContractError)
        }
        return [replace(account, terms=terms.get(account.id)) for account in accounts]

    def maintenance_in(self, account: AccountId, witnesses: Sequence[int]) -> dict[int, int]:
        """Maintenance margin of an account in each scenario that its engine knows."""
        house = self._client.book.address("Clearinghouse")
        calls = [Call("Clearinghouse", house, "margin", (bytes(account), w)) for w in witnesses]
        answers = zip(witnesses, self._chain.batch(calls), strict=True)
        return {w: a.maintenance for w, a in answers if not isinstance(a, ContractError)}


class Hands:
    """Simulates and sends transactions of the keeper."""

    def __init__(self, client: Client, signer: Signer, into: AccountId) -> None:
        self._client = client
        self._signer = signer
        self._into = into

    def recover(self) -> Receipt | None:
        """What became of a transaction of which nothing was heard; ContractError if it failed."""
        return self._client.chain.recover(self._signer)

    def simulate_refresh(self, refreshes: Sequence[Refresh]) -> int:
        """The gas that it would take; raises ContractError if it would fail."""
        call = self._client.oracle.refresh_call(_updates(refreshes))
        return self._client.chain.simulate(call, self._signer.address)

    def refresh(self, refreshes: Sequence[Refresh]) -> Receipt:
        return self._client.oracle.refresh(self._signer, _updates(refreshes))

    def simulate_liquidation(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> int:
        """The gas that it would take; raises ContractError if it would fail."""
        call = self._client.liquidate_call(
            account, self._into, fraction=fraction, min_value=min_value, witness=witness
        )
        return self._client.chain.simulate(call, self._signer.address)

    def liquidate(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> tuple[Receipt, dict[str, Any]]:
        """The receipt, and the arguments of the event `Liquidated`."""
        receipt = self._client.liquidate(
            self._signer,
            account,
            self._into,
            fraction=fraction,
            min_value=min_value,
            witness=witness,
        )
        address = self._client.book.address("Liquidator")
        events = receipt_events(self._client.chain, "Liquidator", address, receipt)
        (found,) = (
            event for event in events if event.name == "Liquidated"
        )  # a flag may have ended
        return receipt, dict(found.args)

    def simulate_flag(self, account: AccountId) -> int:
        """The gas that it would take; raises ContractError if it would fail."""
        return self._client.chain.simulate(self._client.flag_call(account), self._signer.address)

    def flag(self, account: AccountId) -> Receipt:
        return self._client.flag(self._signer, account)

    def simulate_advance(self, advance: Advance) -> int:
        """The gas that it would take; raises ContractError if it would fail."""
        return self._client.chain.simulate(self._advance(advance), self._signer.address)

    def advance(self, advance: Advance) -> Receipt:
        return self._client.chain.send(self._signer, self._advance(advance))

    def _advance(self, advance: Advance) -> Call:
        return Call(ENGINE, self._client.book.address(ENGINE), advance.function, (advance.id,))


def require_lens(client: Client) -> None:
    """A keeper sees accounts through the Lens."""
    if not client.has_lens:
        raise BookError(f"there is no Lens in the address book of chain {client.book.chain_id}")


def _updates(refreshes: Sequence[Refresh]) -> list[PriceUpdate]:
    return [PriceUpdate(refresh.underlying, refresh.data) for refresh in refreshes]


def _required(answer: Any) -> Any:
    if isinstance(answer, ContractError):
        raise answer
    return answer


def _feed_config(struct: Any) -> FeedConfig:
    sources, *rest = struct
    return FeedConfig(tuple(sources), *rest)


def _account_view(view: Any) -> AccountView:
    margin = view.margin
    return AccountView(
        id=AccountId(bytes(view.id)),
        equity=margin.equity,
        initial=margin.initial,
        maintenance=margin.maintenance,
        credit=margin.credit,
        known=view.known,
    )
