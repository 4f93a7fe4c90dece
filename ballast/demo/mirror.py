"""The mirror beside the chain: it rebuilds the books from events and says what must come next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import groupby

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.events import Event, scan
from ballast.codec import PRICE_UNIT, AccountId, Settlement, Snapshot
from ballast.model.clearinghouse import Addresses
from ballast.model.interest import CashFlow, kept_back
from ballast.model.margin import Margin
from ballast.model.replay import Event as ReplayEvent
from ballast.model.replay import Replay
from ballast.model.system import System
from ballast.oracle.fixing import Fixing, observed_expiries
from ballast.oracle.mirror import FeedState, Observation
from ballast.oracle.volatility import Board
from ballast.risk.joint_scenario import JointScenarioEngine
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk

ENGINE = "JointScenarioEngine"
Expiry = tuple[int, int]
CONTRACTS = ("OracleAdapter", "Clearinghouse", "Exchange", "Liquidator")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the mirror says before the keeper acts, at prices that are not accepted yet."""

    snapshots: Mapping[int, Snapshot]
    margins: Mapping[AccountId, Margin]

    @property
    def liquidatable(self) -> frozenset[AccountId]:
        """The accounts that a keeper must liquidate."""
        return frozenset(
            account
            for account, margin in self.margins.items()
            if margin.equity >= 0 and margin.unhealthy
        )

    @property
    def bankrupt(self) -> frozenset[AccountId]:
        """The accounts that nobody can liquidate: they owe more than they hold."""
        return frozenset(account for account, m in self.margins.items() if m.equity < 0)


def read_parameters(client: Client) -> Parameters:
    """What the deployed engine was told."""
    book, address = client.book, client.book.address(ENGINE)

    def ask(function: str, identity: int) -> Sequence[int]:
        answer: Sequence[int] = client.chain.view(Call(ENGINE, address, function, (identity,)))
        return answer

    held = {asset.underlying for asset in book.assets.values() if asset.id}
    traded = {entry.id for entry in book.underlyings.values() if entry.market}
    assets = [asset.id for asset in book.assets.values() if asset.id]
    return Parameters(
        {u: UnderlyingRisk(*ask("underlyingRisk", u)) for u in sorted(held | traded)},
        {a: AssetRisk(*ask("assetRisk", a)[:4]) for a in assets},
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What options are priced with at a moment: accepted slices, and of expiries along the path
    their windows and how they were settled."""

    boards: Mapping[int, Board]
    windows: Mapping[Expiry, Fixing]
    settled: Mapping[Expiry, Settlement]
    now: int

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry; zero if none ever was."""
        if fixed := self.settled.get((underlying, expiry)):
            return fixed.encode()
        board = self.boards.get(underlying)
        found = board.slices.get(expiry) if board else None
        return found.encode() if found else 0

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        """Elapsed seconds of the window, and the mean over them."""
        return self.windows[underlying, expiry].mean_so_far(expiry, self.now)


class Mirror:
    """Follows a deployment by its events."""

    def __init__(self, client: Client, expiries: Iterable[Expiry] = ()) -> None:
        """`expiries` are those along the path."""
        book = client.book
        self._client = client
        self._expiries = list(expiries)
        self._parameters = read_parameters(client)
        self._next = book.block
        self._fees = AccountId.parse(book.fee_account)
        self._insurance = AccountId.parse(book.insurance_account)
        self._replay = Replay(self._fees, self._insurance)
        self.clearing_events = 0

    @property
    def accounts(self) -> list[AccountId]:
        """Every account that ever held anything."""
        return sorted(self._replay.state.accounts)

    def follow(self) -> list[Event]:
        """Takes in what happened since the last time and returns it, in order."""
        chain, head = self._client.chain, self._client.chain.block_number
        events: list[Event] = []
        for name in CONTRACTS:
            address = self._client.book.address(name)
            found = list(scan(chain, name, address, self._next, last=head))
            self.clearing_events += len(found) if name == "Clearinghouse" else 0
            events.extend(found)
        events.sort(key=lambda event: (event.block, event.index))
        for block, of_block in groupby(events, key=lambda event: event.block):
            time = int(chain.web3.eth.get_block(block)["timestamp"])
            for _, of_transaction in groupby(of_block, key=lambda event: event.transaction):
                replayed = [ReplayEvent(event.name, event.args) for event in of_transaction]
                self._replay.transaction(time, replayed)
        self._next = head + 1
        return events

    def predict(
        self,
        feeds: Mapping[int, FeedState],
        offered: Mapping[int, Sequence[Observation]],
        boards: Mapping[int, Board],
        now: int,
    ) -> Prediction:
        """Margins of all accounts once the offered observations are accepted, at `now`, and with
        the slices of `boards`."""
        system = self._system(feeds, now)
        system.refresh(sorted(offered.items()))
        snapshots = {u: system.feeds.snapshot(u) for u in feeds}
        windows = {
            (underlying, expiry): observed(
                window, expiry, feeds[underlying].snapshot, snapshots[underlying]
            )
            for (underlying, expiry), window in self._windows().items()
        }
        self._price(system, Options(boards, windows, self._settled(), now))
        margins = {account: system.house.margin(account, 0) for account in self.accounts}
        return Prediction(snapshots, margins)

    def pending_reserve(self, now: int) -> int:
        """What debtors were charged since the last accrual and lenders do not get, WAD."""
        state = self._replay.state
        flow = CashFlow(*state.interest.indices_at(now))
        return kept_back(state.interest, state.totals, flow)

    def differences(self) -> list[str]:
        """The accounts whose words on the chain are not those of the replayed events."""
        found = []
        for account in self.accounts:
            header, words = self._client.chain.view(self._stored_call(account))
            stored = self._replay.state.account(account)
            same = (header & (1 << 144) - 1) == (stored.header & (1 << 144) - 1)
            if not same or tuple(words) != stored.words:
                found.append(f"account {account} is not what its events make it")
        return found

    def margin_differences(
        self, feeds: Mapping[int, FeedState], boards: Mapping[int, Board]
    ) -> list[str]:
        """The accounts whose margin at the newest block is not, to the wei, that of the mirror."""
        now = self._client.chain.time
        system = self._system(feeds, now)
        self._price(system, Options(boards, self._windows(), self._settled(), now))
        found = []
        margins = self._client.clearinghouse.margins(self.accounts)
        for account, margin in zip(self.accounts, margins, strict=True):
            mine = system.house.margin(account, 0)
            if margin is None or astuple(margin) != astuple(mine):
                found.append(f"account {account}: margin {margin}, but {mine} in the mirror")
        return found

    def _stored_call(self, account: AccountId) -> Call:
        house = self._client.book.address("Clearinghouse")
        return Call("Clearinghouse", house, "accountWords", (bytes(account),))

    def _windows(self) -> dict[Expiry, Fixing]:
        words = {one: self._ask("settlementWindow", one) for one in self._expiries}
        return {one: Fixing.decode(word) for one, word in words.items()}

    def _settled(self) -> dict[Expiry, Settlement]:
        found = {one: Settlement.decode(self._ask("slice", one)) for one in self._expiries}
        return {one: settlement for one, settlement in found.items() if settlement}

    def _ask(self, function: str, expiry: Expiry) -> int:
        oracle = self._client.book.address("OracleAdapter")
        return int(self._client.chain.view(Call("OracleAdapter", oracle, function, expiry)))

    def _price(self, system: System, options: Options) -> None:
        """Lets a system value accounts with these options."""
        system.house.engines = [JointScenarioEngine(system.feeds, self._parameters, options)]

    def _system(self, feeds: Mapping[int, FeedState], now: int) -> System:
        """A model of the whole system in the state that events and feeds tell."""
        book = self._client.book
        names = ("Clearinghouse", "OracleAdapter", "Exchange", "Liquidator")
        cash = book.asset(book.cash_name)
        system = System(
            Addresses(*(book.address(name) for name in names)),
            (cash.token, cash.decimals),
            self._fees,
            self._insurance,
            now=now,
        )
        system.feeds.states = dict(feeds)
        system.house.state.restore(self._replay.state.saved())
        return system


def observed(window: Fixing, expiry: int, before: Snapshot, after: Snapshot) -> Fixing:
    """The window of an expiry once a price was accepted after another."""
    if after.time <= before.time or expiry not in observed_expiries(before.time, after.time):
        return window
    return window.observe(expiry, after.price // PRICE_UNIT, after.time)
