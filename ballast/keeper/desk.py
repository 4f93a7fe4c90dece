"""A keeper's work for options: slices, fixings, and the cash of those who held what is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ballast.client.book import AddressBook
from ballast.client.chain import Receipt
from ballast.client.errors import ContractError, TransactionReverted
from ballast.codec import AccountId, Settlement
from ballast.keeper.boards import (
    Action,
    Boards,
    Expiry,
    Settle,
    SliceRefresh,
    due_settlements,
    due_slices,
    unfixed,
)
from ballast.keeper.journal import Journal
from ballast.keeper.loop import Step

# The window of an expiry is not closed yet, or another keeper was first.
NOT_NOW = ("ExpiryFixing_Waiting", "ExpiryFixing_AlreadyFixed")

TURN = 100  # accounts whose positions are read at every step, in turn
MAX_SETTLED = 10  # accounts that are settled in one step at most


class BoardEyes(Protocol):
    """What a desk sees."""

    def boards(self) -> Boards: ...

    def expired(self, accounts: Sequence[AccountId], now: int) -> Mapping[AccountId, set[Expiry]]:
        """The expiries before `now` of which accounts hold options; of all others, nothing."""
        ...

    def fixed(self, expiries: Sequence[Expiry]) -> Mapping[Expiry, Settlement]:
        """Those that are settled."""
        ...


class BoardHands(Protocol):
    """What a desk does."""

    def simulate(self, action: Action) -> int: ...

    def send(self, action: Action) -> Receipt: ...


class Desk:
    """Acts on the boards. A dry run simulates everything and sends nothing."""

    def __init__(
        self,
        eyes: BoardEyes,
        hands: BoardHands,
        names: AddressBook,
        variance_bps: int,
        *,
        dry_run: bool = False,
        journal: Journal | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self._eyes = eyes
        self._hands = hands
        self._names = names
        self._variance_bps = variance_bps
        self._dry_run = dry_run
        self._journal = journal or Journal()
        self._log = log
        self._turn: list[AccountId] = []

    def refresh(self, done: Step) -> bool:
        """Brings slices up to date; whether any was. What fails here stops nothing else."""
        try:
            done.boards = self._eyes.boards()
        except ContractError as error:
            done.failed += 1
            self._log(f"the volatility boards cannot be read: {error}")
            return False
        before = done.slices
        for refresh in due_slices(done.boards, self._variance_bps):
            self._refresh(refresh, done)
        return done.slices > before

    def settle(self, accounts: Sequence[AccountId], done: Step) -> None:
        """Fixes expiries whose windows are closed, and settles accounts that held them."""
        for fix in unfixed(done.boards):
            what = f"{self._feed(fix.underlying)} {fix.expiry}"
            if self._act(fix, f"fixed {what}", f"fixing of {what}", done):
                done.fixed += 1
        for account in self._due(accounts, done.boards.now):
            if self._act(Settle(account), f"settled {account}", f"settlement of {account}", done):
                done.settled += 1

    def _refresh(self, refresh: SliceRefresh, done: Step) -> None:
        """A whole surface in one transaction, or each expiry alone if it fails."""
        count = len(refresh.expiries)
        what = f"{count} slices of {self._feed(refresh.underlying)} ({refresh.reason})"
        try:
            if self._do(refresh, f"refreshed {what}", done):
                done.slices += count
        except ContractError as error:
            self._paid(error, done)
            if count > 1:
                for one in refresh.apart():
                    self._refresh(one, done)
                return
            done.failed += 1
            self._log(f"refresh of {refresh.expiries[0]} fails: {what}: {error}")

    def _due(self, accounts: Sequence[AccountId], now: int) -> list[AccountId]:
        """Some of the accounts to settle; what is over the bound has its turn at the next step."""
        turn = self._turn or list(accounts)
        part, self._turn = turn[:TURN], turn[TURN:]
        held = self._eyes.expired(part, now)
        fixed = self._eyes.fixed(sorted({one for expiries in held.values() for one in expiries}))
        due = due_settlements(held, fixed, now)
        self._turn = due[MAX_SETTLED:] + self._turn
        return due[:MAX_SETTLED]

    def _act(self, action: Action, what: str, name: str, done: Step) -> bool:
        """Whether it was done. One that fails does not stop the others."""
        try:
            return self._do(action, what, done)
        except ContractError as error:
            self._paid(error, done)
            if error.name not in NOT_NOW:
                done.failed += 1
                self._log(f"{name} fails: {error}")
            return False

    def _do(self, action: Action, what: str, done: Step) -> bool:
        gas = self._hands.simulate(action)
        if self._dry_run:
            self._log(f"would have {what}: gas {gas:,}")
            return False
        receipt = self._hands.send(action)
        done.gas_money += receipt.cost
        self._journal.write(what.partition(" ")[0], receipt, what=what)
        self._log(f"{what}: block {receipt.block}, gas {receipt.gas_used:,}, {receipt.hash}")
        return True

    def _paid(self, error: ContractError, done: Step) -> None:
        if isinstance(error, TransactionReverted):
            done.gas_money += error.cost

    def _feed(self, underlying: int) -> str:
        return self._names.underlying_name(underlying)
