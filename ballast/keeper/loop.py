"""The keeper itself: look, decide, simulate, send, and say so."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from web3.exceptions import Web3Exception

from ballast.client.book import AddressBook
from ballast.client.chain import Receipt
from ballast.client.errors import ChainError, ContractError, TransactionReverted
from ballast.codec import AccountId
from ballast.keeper.boards import Boards
from ballast.keeper.decide import (
    MIN_EQUITY,
    AccountView,
    Actions,
    Liquidate,
    Policy,
    Refresh,
    Skip,
    World,
    assess,
    decide,
    due_flags,
    gas_cost,
)
from ballast.keeper.journal import Journal
from ballast.keeper.ramps import Advance
from ballast.units import WAD

# Ends of the core: on a linear book one of them is the scenario that binds, if any single one does.
WITNESSES = (1, 17)

RAMPS_SECONDS = 3600

# What a liquidation is refused with once somebody else has restored the account.
OUTRUN = ("Liquidator_Healthy", "Liquidator_ZeroFraction")

# What may go wrong in a step without being the keeper's fault; it tries again after a while.
TROUBLE = (ChainError, ContractError, Web3Exception, OSError, sqlite3.Error)


class KeeperError(Exception):
    """A keeper that cannot work; the message says what it lacks."""


class Eyes(Protocol):
    """What a keeper sees."""

    def look(self, accounts: Sequence[AccountId] = ()) -> World: ...

    def maintenance_in(self, account: AccountId, witnesses: Sequence[int]) -> dict[int, int]: ...


class Hands(Protocol):
    """What a keeper does."""

    def recover(self) -> Receipt | None: ...

    def simulate_refresh(self, refreshes: Sequence[Refresh]) -> int: ...

    def refresh(self, refreshes: Sequence[Refresh]) -> Receipt: ...

    def simulate_liquidation(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> int: ...

    def liquidate(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> tuple[Receipt, dict[str, Any]]: ...

    def simulate_flag(self, account: AccountId) -> int: ...

    def flag(self, account: AccountId) -> Receipt: ...

    def simulate_advance(self, advance: Advance) -> int: ...

    def advance(self, advance: Advance) -> Receipt: ...


class Ramps(Protocol):
    """Knows which parameters of risk are behind."""

    def behind(self, now: int) -> Sequence[Advance]: ...


class Scanner(Protocol):
    """Knows the accounts."""

    @property
    def touched(self) -> Collection[AccountId]:
        """The accounts that may have changed since the scan before the last."""
        ...

    def scan(self) -> Sequence[AccountId]: ...


class Triage(Protocol):
    """Rules out accounts that need no look."""

    def whom(
        self, accounts: Sequence[AccountId], touched: Collection[AccountId]
    ) -> Sequence[AccountId]: ...


class Everyone:
    """Rules nobody out."""

    def whom(
        self, accounts: Sequence[AccountId], _touched: Collection[AccountId]
    ) -> Sequence[AccountId]:
        return accounts


class OptionDesk(Protocol):
    """Does what options need."""

    def refresh(self, done: Step) -> bool:
        """Brings slices up to date; whether any was."""
        ...

    def settle(self, accounts: Sequence[AccountId], done: Step) -> None:
        """Fixes expiries that are over, and turns what accounts held of them into cash."""
        ...


class Observer(Protocol):
    """Hears of every step."""

    def stepped(self, world: World, step: Step) -> None: ...

    def troubled(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A liquidation that was simulated: how, and what it brings and costs in cash."""

    account: AccountId
    fraction: int
    witness: int
    reward: int
    cost: int


@dataclass(slots=True)
class Step:
    """What one step came to: reward in WAD of cash, gas money in wei.

    `lost` counts liquidations that another keeper won, `boards` are the slices that it saw.
    """

    accounts: int = 0
    refreshed: int = 0
    liquidated: int = 0
    lost: int = 0
    flagged: int = 0
    reward: int = 0
    gas_money: int = 0
    failed: int = 0
    slices: int = 0
    fixed: int = 0
    settled: int = 0
    boards: Boards = field(default_factory=Boards)


class Keeper:
    """Runs the steps of a keeper. A dry run simulates everything and sends nothing."""

    def __init__(
        self,
        eyes: Eyes,
        hands: Hands,
        scanner: Scanner,
        policy: Policy,
        names: AddressBook,
        *,
        triage: Triage | None = None,
        desk: OptionDesk | None = None,
        ramps: Ramps | None = None,
        observers: Sequence[Observer] = (),
        dry_run: bool = False,
        journal: Journal | None = None,
        log: Callable[[str], None] = print,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        """`warn` gets the lines that somebody should read; `log` if it is left out."""
        self._eyes = eyes
        self._hands = hands
        self._scanner = scanner
        self._policy = policy
        self._names = names
        self._triage = triage or Everyone()
        self._desk = desk
        self._ramps = ramps
        self._observers = observers
        self._dry_run = dry_run
        self._journal = journal or Journal()
        self._log = log
        self._warn = warn or log
        self._told: dict[AccountId, str] = {}
        self._flagged: dict[AccountId, int] = {}
        self._ramps_seen = 0

    # ---- Running ----

    def require_collateral(self) -> AccountView:
        """The keeper's own account; refuses to work if it could not take over anything."""
        own = self._eyes.look().keeper
        if not own.known:
            raise KeeperError(f"the keeper's account {own.id} cannot be valued")
        if own.equity < MIN_EQUITY:
            raise KeeperError(
                f"the keeper's account {own.id} is worth {money(own.equity)} and needs at least "
                f"{money(MIN_EQUITY)} to take over positions: deposit first, with "
                f"`ape run account deposit`"
            )
        return own

    def run(self, interval: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Steps until it is interrupted. Trouble with the node is named and waited out."""
        while True:
            try:
                self.step()
            except TROUBLE as error:
                self._warn(f"trouble: {error}; trying again in {interval:g} s")
                for observer in self._observers:
                    observer.troubled()
            sleep(interval)

    def step(self) -> Step:
        """Refreshes what is due, liquidates what pays, then settles what is over."""
        done = Step()
        self._recover(done)
        accounts = self._scanner.scan()
        done.accounts = len(accounts)
        world = self._look(accounts)
        refreshes = decide(world, self._policy).refreshes
        if refreshes:
            self._refresh(refreshes, done)
        if (self._desk and self._desk.refresh(done)) or refreshes:
            world = self._look(accounts)
        actions = decide(world, self._policy)
        self._forget(actions)
        self._tell(actions.skipped)
        taken = {action.account for action in actions.liquidations if self._try(action, done)}
        if self._policy.flag:
            self._flag(world, taken, done)
        if self._desk:
            self._desk.settle(accounts, done)
        self._advance(world.now, done)
        for observer in self._observers:
            observer.stepped(world, done)
        return done

    def _look(self, accounts: Sequence[AccountId]) -> World:
        return self._eyes.look(self._triage.whom(accounts, self._scanner.touched))

    def _recover(self, done: Step) -> None:
        """What an earlier step or run sent, and never heard of again."""
        if self._dry_run:
            return
        try:
            receipt = self._hands.recover()
        except TransactionReverted as error:
            self._paid(error, done)
            self._warn(f"a transaction sent earlier has failed: {error}: {error.transaction}")
            return
        if receipt is not None:
            done.gas_money += receipt.cost
            self._journal.write("recovered", receipt)
            self._log(f"a transaction sent earlier is in a block: {_trace(receipt)}")

    def _paid(self, error: ContractError, done: Step) -> None:
        """A transaction that failed in its block has cost its gas."""
        if isinstance(error, TransactionReverted):
            done.gas_money += error.cost

    # ---- Prices ----

    def _refresh(self, refreshes: Sequence[Refresh], done: Step) -> None:
        """All feeds in one transaction, or each alone if they fail together."""
        try:
            gas = self._hands.simulate_refresh(refreshes)
            what = ", ".join(f"{self._feed(r.underlying)} ({r.reason})" for r in refreshes)
            if self._dry_run:
                self._log(f"would refresh {what}: gas {gas:,}")
                return
            receipt = self._hands.refresh(refreshes)
            done.refreshed += len(refreshes)
            done.gas_money += receipt.cost
            feeds = [self._feed(refresh.underlying) for refresh in refreshes]
            self._journal.write("refresh", receipt, feeds=feeds)
            self._log(f"refreshed {what}: {_trace(receipt)}")
        except ContractError as error:
            self._paid(error, done)
            if len(refreshes) > 1:
                for refresh in refreshes:
                    self._refresh([refresh], done)
                return
            done.failed += 1
            self._log(f"refresh of {self._feed(refreshes[0].underlying)} fails: {error}")

    def _feed(self, underlying: int) -> str:
        return self._names.underlying_name(underlying)

    # ---- Liquidations ----

    def _try(self, action: Liquidate, done: Step) -> bool:
        """Whether the account was taken. One bad account does not stop the others."""
        try:
            plan = self._plan(action)
            if plan is not None:
                self._liquidate(plan, done)
            return plan is not None
        except ContractError as error:
            self._paid(error, done)
            if self._is_outrun(action.account, error):
                done.lost += 1
                self._log(f"another keeper was first at {action.account}{_paid_for(error)}")
            else:
                done.failed += 1
                self._tell([Skip(action.account, f"cannot be liquidated: {error}")])
            return False

    def _is_outrun(self, account: AccountId, error: ContractError) -> bool:
        """Whether somebody else has restored the account, be it in the block of our transaction."""
        if error.name in OUTRUN:
            return True
        if not isinstance(error, TransactionReverted):
            return False
        (view,) = self._eyes.look([account]).accounts
        return view.known and view.equity >= view.maintenance

    def _plan(self, action: Liquidate) -> Plan | None:
        """Looks again, since every liquidation changes the keeper's own account, and simulates."""
        world = self._eyes.look([action.account])
        (account,) = world.accounts
        verdict = assess(account, world.keeper, action.cost, self._policy)
        if verdict is None:
            self._log(f"{account.id} is healthy again")
            return None
        if isinstance(verdict, Skip):
            self._tell([verdict])
            return None
        plans = self._simulated(verdict, account, world)
        best = min(plans, key=lambda plan: plan.cost)
        if best.reward < best.cost + self._policy.min_profit:
            reason = f"does not pay: reward {money(best.reward)}, gas {money(best.cost)}"
            self._tell([Skip(action.account, reason)])
            return None
        return best

    def _simulated(self, action: Liquidate, account: AccountView, world: World) -> list[Plan]:
        """The first fraction that goes through, in full and by each witness on equal terms."""
        plan = self._first(action, world)
        margins = self._eyes.maintenance_in(account.id, WITNESSES)
        plans = [plan]
        for witness in WITNESSES:
            if margins.get(witness) == account.maintenance:
                with suppress(ContractError):
                    plans.append(self._simulate(action, plan.fraction, witness, world))
        return plans

    def _first(self, action: Liquidate, world: World) -> Plan:
        *hopeful, sure = action.fractions
        for fraction in hopeful:
            # What fails here is more than the keeper's own margin bears.
            with suppress(ContractError):
                return self._simulate(action, fraction, 0, world)
        return self._simulate(action, sure, 0, world)

    def _simulate(self, action: Liquidate, fraction: int, witness: int, world: World) -> Plan:
        least = action.cost + self._policy.min_profit
        gas = self._hands.simulate_liquidation(action.account, fraction, least, witness)
        cost = gas_cost(gas, world.gas_price, world.native_price)
        return Plan(action.account, fraction, witness, action.reward, cost)

    def _liquidate(self, plan: Plan, done: Step) -> None:
        what = f"{plan.account}: reward {money(plan.reward)}, gas {money(plan.cost)}"
        if self._dry_run:
            self._log(f"would liquidate {what}")
            return
        least = plan.cost + self._policy.min_profit
        receipt, event = self._hands.liquidate(plan.account, plan.fraction, least, plan.witness)
        done.liquidated += 1
        done.reward += event["reward"]
        done.gas_money += receipt.cost
        self._told.pop(plan.account, None)
        self._journal.write(
            "liquidate",
            receipt,
            account=plan.account,
            **{name: event[name] for name in ("fraction", "reward", "insurance")},
        )
        self._log(
            f"liquidated {event['fraction'] / WAD:.1%} of {plan.account}: "
            f"reward {money(event['reward'])}, insurance {money(event['insurance'])}, "
            f"witness {plan.witness}: {_trace(receipt)}"
        )

    # ---- What others may do as well ----

    def _flag(self, world: World, taken: Collection[AccountId], done: Step) -> None:
        """Proves unhealthy whom this keeper leaves to others. One that fails waits as long."""
        left = [one for one in world.accounts if one.id not in {*taken, world.keeper.id}]
        for account in due_flags(left, self._flagged, world.now):
            self._flagged[account] = world.now
            try:
                gas = self._hands.simulate_flag(account)
                if self._dry_run:
                    self._log(f"would flag {account}: gas {gas:,}")
                    continue
                receipt = self._hands.flag(account)
            except ContractError as error:
                self._paid(error, done)
                self._log(f"{account} is not flagged: {error}")
                continue
            done.flagged += 1
            done.gas_money += receipt.cost
            self._journal.write("flag", receipt, account=account)
            self._log(f"flagged {account}: {_trace(receipt)}")

    def _advance(self, now: int, done: Step) -> None:
        """Lets parameters of risk follow their ramps, once an hour."""
        if self._ramps is None or now - self._ramps_seen < RAMPS_SECONDS:
            return
        self._ramps_seen = now
        for advance in self._ramps.behind(now):
            what = f"{advance.function}({advance.id})"
            try:
                gas = self._hands.simulate_advance(advance)
                if self._dry_run:
                    self._log(f"would call {what}: gas {gas:,}")
                    continue
                receipt = self._hands.advance(advance)
            except ContractError as error:
                self._paid(error, done)
                done.failed += 1
                self._log(f"{what} fails: {error}")
                continue
            done.gas_money += receipt.cost
            self._journal.write("advance", receipt, function=advance.function, id=advance.id)
            self._log(f"called {what}: {_trace(receipt)}")

    # ---- What it says ----

    def _forget(self, actions: Actions) -> None:
        """What was said of accounts that are healthy again is said anew the next time."""
        sick = {skip.account for skip in actions.skipped}
        sick |= {action.account for action in actions.liquidations}
        self._told = {account: kind for account, kind in self._told.items() if account in sick}

    def _tell(self, skipped: Sequence[Skip]) -> None:
        """Says why an account is skipped, once for each reason of a kind."""
        for skip in skipped:
            kind = skip.reason.partition(":")[0]
            if self._told.get(skip.account) != kind:
                self._told[skip.account] = kind
                self._log(f"skipped {skip.account}: {skip.reason}")


def money(value: int) -> str:
    """WAD of cash as people read it."""
    return f"{value / WAD:,.2f}"


def _paid_for(error: ContractError) -> str:
    """What a failure cost, if it got into a block."""
    if not isinstance(error, TransactionReverted):
        return ""
    return f": gas {error.gas_used:,}, {error.transaction}"


def _trace(receipt: Receipt) -> str:
    return f"block {receipt.block}, gas {receipt.gas_used:,}, {receipt.hash}"
