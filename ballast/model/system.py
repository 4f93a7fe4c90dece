"""The whole system in integers: prices, clearing, exchange, liquidation, at an explicit time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ballast.codec import AccountId, VolatilitySlice
from ballast.model.clearinghouse import Addresses, Clearinghouse
from ballast.model.exchange import Exchange, SignedOrder
from ballast.model.feeds import Feeds
from ballast.model.liquidator import Liquidation, Liquidator
from ballast.model.margin import ASSESS_ALL
from ballast.model.refusal import Refused
from ballast.oracle.mirror import Observation, Outcome, Result, accept
from ballast.oracle.volatility import Refusal

Updates = Sequence[tuple[int, Sequence[Observation]]]
VolatilityUpdates = Sequence[tuple[int, int, Sequence[VolatilitySlice]]]
"""Underlying, expiry, and the reports of publishers in the order of their addresses."""


class System:
    """Everything together. `now` and `block` are those of the block that calls are in."""

    def __init__(
        self,
        addresses: Addresses,
        cash: tuple[str, int],
        fee_account: AccountId,
        insurance_account: AccountId,
        *,
        now: int,
        block: int = 1,
    ) -> None:
        self.feeds = Feeds(now)
        self.house = Clearinghouse(
            addresses, self.feeds, cash, fee_account, insurance_account, now=now
        )
        self.exchange = Exchange(self.house)
        self.liquidator = Liquidator(self.house)
        self.block = block

    @property
    def now(self) -> int:
        """The block's time, unix seconds."""
        return self.house.now

    def begin_block(self, now: int, block: int) -> None:
        """Move on to another block."""
        self.house.now = self.feeds.now = now
        self.block = block

    def refresh(self, updates: Updates) -> list[Outcome]:
        """Refresh feeds with what their sources observe, in order."""
        with self._transaction():
            return [self._refresh(underlying, seen) for underlying, seen in updates]

    def _refresh(self, underlying: int, seen: Sequence[Observation]) -> Outcome:
        state = self.feeds.states.get(underlying)
        if state is None:
            raise Refused("FeedRegistry_UnknownFeed", underlying)
        market = self.house.state.markets.get(underlying)
        new, outcome = accept(
            state,
            seen,
            self.now,
            self.block,
            cash_price=self.feeds.cash_price(underlying),
            open_interest=market.state.open_interest if market else 0,
        )
        if outcome.result is Result.ACCEPTED:
            self.feeds.set_state(underlying, new)
        else:
            self.feeds.states[underlying] = new
        if outcome.rate_per_second is not None:
            oracle = self.house.addresses.oracle
            self.house.set_funding_rate(oracle, underlying, outcome.rate_per_second)
        return outcome

    def refresh_volatility(self, updates: VolatilityUpdates) -> list[Refusal | None]:
        """Refresh slices in order; why each was not accepted, None if there was nothing new."""
        with self._transaction():
            return [self.feeds.refresh_slice(*one) for one in updates]

    def settle(
        self,
        taker: SignedOrder,
        makers: Sequence[SignedOrder],
        sizes: Sequence[int],
        updates: Updates = (),
    ) -> None:
        """Refresh prices and settle orders, in one transaction."""
        with self._transaction():
            self.exchange.check_before_refresh(taker, makers, sizes)
            self.refresh(updates)
            self.exchange.settle(taker, makers, sizes)

    def multicall(self, calls: Sequence[Callable[[], Any]], updates: Updates = ()) -> list[Any]:
        """Refresh prices and make calls in one batch, in one transaction."""
        with self._transaction():
            self.refresh(updates)
            return self.house.multicall(calls)

    def liquidate(
        self,
        caller: str,
        account: AccountId,
        into: AccountId,
        *,
        updates: Updates = (),
        **terms: int,
    ) -> Liquidation:
        """Refresh prices and liquidate, in one transaction."""
        with self._transaction():
            self.liquidator.check_owner(caller, into)
            self.refresh(updates)
            return self.liquidator.liquidate(caller, account, into, **terms)

    def flag(self, account: AccountId, *, witness: int = ASSESS_ALL, updates: Updates = ()) -> int:
        """Refresh prices and prove that an account is unhealthy, in one transaction."""
        with self._transaction():
            self.refresh(updates)
            return self.liquidator.flag(account, witness=witness)

    def clear_flag(self, account: AccountId, *, updates: Updates = ()) -> None:
        """Refresh prices and clear the flag of a recovered account, in one transaction."""
        with self._transaction():
            self.liquidator.check_flagged(account)
            self.refresh(updates)
            self.liquidator.clear_flag(account)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What is refused inside changes nothing, prices included."""
        feeds, state = self.feeds.saved(), self.house.state.saved()
        try:
            yield
        except Refused:
            self.feeds.restore(feeds)
            self.house.state.restore(state)
            raise
