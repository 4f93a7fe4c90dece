"""The demonstration itself: a price path, a keeper in its own process, and a mirror that checks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ballast.client.client import Client
from ballast.client.events import Event
from ballast.client.options import SETTLEMENT_DELAY
from ballast.codec import AccountId, Option, Snapshot
from ballast.demo.books import Books, problems
from ballast.demo.cast import DEPLOYER, ETH, PARTICIPANTS, TRADERS, WRITERS, Actor
from ballast.demo.feeds import Feeds
from ballast.demo.mirror import Mirror, Prediction
from ballast.demo.process import KeeperProcess
from ballast.demo.reading import read_books
from ballast.demo.stage import Netting, Stage
from ballast.demo.surface import Expiries, Surface
from ballast.devnet.anvil import Anvil
from ballast.keeper.chain import read_feeds
from ballast.oracle.fixing import SETTLED
from ballast.oracle.prices import PriceRow, PricesError
from ballast.oracle.volatility import Board
from ballast.units import wad_div_floor

POLL_SECONDS = 0.03
TICK_SECONDS = 30
PARTICIPANT_IDS = [actor.account for actor in PARTICIPANTS]
SPEECH_SECONDS = 0.1  # until what the keeper says of a transaction has arrived


@dataclass(frozen=True, slots=True)
class Standing:
    """A trader's health (E/MM, WAD) before the keeper acted; None without any requirement."""

    name: str
    health: int | None
    liquidated: bool


class Show(Protocol):
    """Where progress is shown."""

    def say(self, line: str) -> None: ...

    def tick(self, number: int, tick: PriceRow, standings: Sequence[Standing]) -> None: ...

    def netting(self, accounts: Sequence[Netting]) -> None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """What one participant was worth, WAD, and how often it was liquidated."""

    name: str
    before: int
    after: int
    liquidations: int = 0


@dataclass(slots=True)
class Result:
    """How the demonstration ended; WAD."""

    rows: list[Row] = field(default_factory=list)
    reward: int = 0
    insurance: int = 0
    fees: int = 0
    liquidations: int = 0
    accounts: int = 0
    problems: list[str] = field(default_factory=list)


def compare(
    moment: str,
    predicted: frozenset[AccountId],
    liquidated: frozenset[AccountId],
) -> list[str]:
    """What differs between the mirror's prediction and what the keeper did."""
    found = []
    if predicted - liquidated:
        found.append(f"{moment}: not liquidated, but predicted: {_listed(predicted - liquidated)}")
    if liquidated - predicted:
        found.append(f"{moment}: liquidated, but not predicted: {_listed(liquidated - predicted)}")
    return found


def compare_prices(
    moment: str, predicted: dict[int, Snapshot], accepted: dict[int, Snapshot]
) -> list[str]:
    """The feeds whose accepted snapshot is not the predicted one, apart from its block."""
    return [
        f"{moment}: feed {u} accepted {accepted[u]}, predicted {snapshot}"
        for u, snapshot in predicted.items()
        if replace(accepted[u], block_tag=0) != replace(snapshot, block_tag=0)
    ]


def _listed(accounts: frozenset[AccountId]) -> str:
    return ", ".join(str(account) for account in sorted(accounts))


class Demo:
    """Plays a path tick by tick."""

    def __init__(
        self,
        client: Client,
        anvil: Anvil,
        stage: Stage,
        *,
        feeds: Feeds,
        surface: Surface,
        expiries: Expiries | None,
        keeper: KeeperProcess,
    ) -> None:
        self._client = client
        self._anvil = anvil
        self._stage = stage
        self._feeds = feeds
        self._surface = surface
        self._expiries = expiries
        self._keeper = keeper
        near = expiries.near if expiries else None
        self._mirror = Mirror(client, [(client.book.underlying(ETH).id, near)] if near else [])
        self._names = {actor.account: actor.name for actor in PARTICIPANTS}
        self._counts: Counter[AccountId] = Counter()
        self._result = Result()

    def play(self, ticks: Sequence[PriceRow], show: Show) -> Result:
        """The first tick opens the trade, the others are the path."""
        first, *path = ticks
        self._stage.fund()
        show.say("deposits made; waiting for the keeper")
        self._keeper.wait_until_ready()
        self._tick(first, 0, show)
        before = {actor.name: self._stage.worth(actor) for actor in PARTICIPANTS}
        for line in self._stage.trade():
            show.say(line)
        self._stage.borrow()
        self._write_options(show)
        for number, tick in enumerate(path, 1):
            self._tick(tick, number, show)
            if self._result.problems:
                break
        late = frozenset(self._liquidated(self._mirror.follow()))
        self._result.problems += compare("after the last tick", frozenset(), late)
        self._finish(before)
        return self._result

    def _write_options(self, show: Show) -> None:
        """The options book, and what it needs with netting and without."""
        if self._expiries is None:
            show.say("no options: the path is longer than the last expiry")
            return
        for line in self._stage.trade_options(self._expiries):
            show.say(line)
        show.netting([self._stage.netting(actor) for actor in WRITERS])

    # ---- One tick ----

    def _tick(self, tick: PriceRow, number: int, show: Show) -> None:
        """Publish, predict, let the moment come, wait for the keeper, compare."""
        self._require_future(tick)
        states = read_feeds(self._client)
        offered = self._feeds.offer(tick)
        self._mirror.follow()
        boards = self._offer_slices(tick.time)
        prediction = self._mirror.predict(states, offered, boards, tick.time + 1)
        self._anvil.advance_to(tick.time)
        obstacle = self._wait(tick, boards)
        liquidated = self._liquidated(self._mirror.follow())
        moment = f"tick {number}"
        self._result.problems += [f"{moment}: {obstacle}"] if obstacle else []
        self._result.problems += self._compare(moment, prediction, frozenset(liquidated))
        standings = [self._standing(actor, prediction, liquidated) for actor in TRADERS]
        show.tick(number, tick, standings)
        self._comment(prediction, liquidated, show)

    def _offer_slices(self, moment: int) -> dict[int, Board]:
        """The boards once what the publishers say of this moment is accepted."""
        if self._expiries is None:
            return self._surface.read()
        return self._surface.offer(self._expiries, moment)

    def _compare(
        self, moment: str, prediction: Prediction, liquidated: frozenset[AccountId]
    ) -> list[str]:
        """Who was liquidated, at which prices, and what everybody's margin is now."""
        feeds = read_feeds(self._client)
        accepted = {underlying: state.snapshot for underlying, state in feeds.items()}
        found = compare(moment, prediction.liquidatable, liquidated)
        found += compare_prices(moment, dict(prediction.snapshots), accepted)
        differences = self._mirror.margin_differences(feeds, self._surface.read())
        return found + [f"{moment}: {what}" for what in differences]

    def _comment(self, prediction: Prediction, liquidated: Sequence[AccountId], show: Show) -> None:
        for account in sorted(prediction.bankrupt):
            show.say(f"{self._name(account)} owes more than it has: prices jumped over its margin")
        if liquidated:
            time.sleep(SPEECH_SECONDS)
        self._repeat_keeper(show)

    @staticmethod
    def _standing(
        actor: Actor, prediction: Prediction, liquidated: Sequence[AccountId]
    ) -> Standing:
        margin = prediction.margins.get(actor.account)
        needs = margin is not None and margin.maintenance > 0
        health = wad_div_floor(margin.equity, margin.maintenance) if margin and needs else None
        return Standing(actor.name, health, actor.account in liquidated)

    def _repeat_keeper(self, show: Show) -> None:
        """What the keeper said besides refreshing, with names for accounts and without the time."""
        for line in self._keeper.new_lines():
            _, _, said = line.partition(" ")
            if said.startswith("refreshed ") or line.startswith("INFO"):
                continue
            for account, name in self._names.items():
                said = said.replace(str(account), name)
            show.say(f"keeper: {said}")

    def _name(self, account: AccountId) -> str:
        return self._names.get(account, str(account))

    def _require_future(self, tick: PriceRow) -> None:
        now = self._client.chain.time
        if tick.time <= now:
            late = now - tick.time
            raise PricesError(f"the prices are too close in time: the chain is {late} s ahead")

    def _wait(self, tick: PriceRow, boards: Mapping[int, Board]) -> str:
        """Waits until every price and slice of the tick is accepted, and nobody is left to be
        liquidated.

        Answers what is still missing when it takes too long.
        """
        deadline = time.monotonic() + TICK_SECONDS
        while obstacle := self._unsettled(tick, boards):
            if time.monotonic() > deadline:
                return obstacle
            self._keeper.require_alive()
            time.sleep(POLL_SECONDS)
        return ""

    def _unsettled(self, tick: PriceRow, boards: Mapping[int, Board]) -> str:
        """What the keeper has still to do; nothing if it is done."""
        book = self._client.book
        snapshots = self._client.oracle.snapshots([u.id for u in book.underlyings.values()])
        if any(snapshot.time < tick.time for snapshot in snapshots):
            return "prices were not refreshed"
        for expiry in self._expiries.alive(tick.time) if self._expiries else ():
            if not self._surface.is_accepted(expiry, boards):
                return "the slice of volatility is not the predicted one"
        margins = self._client.clearinghouse.margins(self._mirror.accounts)
        if any(m is not None and 0 <= m.equity < m.maintenance for m in margins):
            return "an account under its maintenance margin was left"
        return self._unpaid(tick.time)

    def _unpaid(self, moment: int) -> str:
        """What the keeper has still to do for the expiry along the path."""
        near = self._expiries.near if self._expiries else None
        if near is None or moment < near:
            return ""
        fixed = self._surface.settlement(near)
        if fixed is None:
            return "the expiry was not fixed"
        if self._surface.window(near).phase != SETTLED:
            return "the expiry was not fixed at the mean of its window"
        if self._client.chain.time >= fixed.time + SETTLEMENT_DELAY and self._holders(near):
            return "options that expired are not cash yet"
        return ""

    def _holders(self, expiry: int) -> list[AccountId]:
        """Who still has options of an expiry."""
        portfolios = ((one, self._client.clearinghouse.portfolio(one)) for one in PARTICIPANT_IDS)
        return [
            account
            for account, portfolio in portfolios
            if any(isinstance(p, Option) and p.expiry == expiry for p in portfolio.positions)
        ]

    def _liquidated(self, events: Sequence[Event]) -> list[AccountId]:
        found = []
        for event in events:
            if event.name == "Liquidated":
                account = AccountId(bytes(event.args["account"]))
                self._counts[account] += 1
                self._result.reward += event.args["reward"]
                found.append(account)
        return found

    # ---- The end ----

    def _finish(self, before: dict[str, int]) -> None:
        result = self._result
        result.rows = [self._row(actor, before[actor.name]) for actor in PARTICIPANTS]
        result.fees = self._stage.equity(AccountId.parse(self._client.book.fee_account))
        result.insurance = self._stage.equity(AccountId.parse(self._client.book.insurance_account))
        result.liquidations = sum(self._counts.values())
        result.accounts = len(self._counts)
        if (near := self._expiries.near if self._expiries else None) and self._holders(near):
            result.problems.append("the expiry along the path was not settled")
        result.problems += problems(self._books()) + self._mirror.differences()

    def _books(self) -> Books:
        holders = [actor.signer.address for actor in (*PARTICIPANTS, DEPLOYER)]
        events = self._mirror.clearing_events
        books = read_books(self._client, self._mirror.accounts, holders, events)
        pending = self._mirror.pending_reserve(self._client.chain.time)
        return replace(books, reserve=books.reserve + pending)

    def _row(self, actor: Actor, before: int) -> Row:
        return Row(actor.name, before, self._stage.worth(actor), self._counts[actor.account])
