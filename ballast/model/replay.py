"""The state of the system from the contracts' events alone.

Feed it every transaction in order; `state` is then what the Clearinghouse and the Exchange store,
but for the times of the last checks, which no event tells (they matter only within their block).
Events of the Clearinghouse and the Exchange suffice, and `PriceAccepted` of the OracleAdapter where
accounts were settled: `Settled` does not repeat the marks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ballast.codec import AccountId, Snapshot
from ballast.model.exchange import CANCELLED, MAX_SEQUENCE
from ballast.model.interest import CashFlow, InterestState, Totals, kept_back
from ballast.model.ledger import CASH, Ledger
from ballast.model.market import RATE_UNIT, Market, MarketState
from ballast.model.state import Asset, Flag, Lane, State
from ballast.model.words import KIND_OPTION, KIND_PERP, ident, kind


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event; the arguments by their names in the ABI."""

    name: str
    args: Mapping[str, Any]


class ReplayError(Exception):
    """Events that contradict each other."""


def _account(value: Any) -> AccountId:
    return value if isinstance(value, AccountId) else AccountId(bytes(value))


class Replay(Ledger):
    """A ledger that believes events. The fee and insurance accounts are fixed at deployment."""

    def __init__(self, fees: AccountId, insurance: AccountId) -> None:
        super().__init__(State(InterestState.start(0)), "", fees, insurance)
        self.engines: list[str] = []
        self.marks: dict[int, int] = {}
        self._payoffs: dict[int, int] = {}
        self._met: deque[tuple[int, int]] = deque()

    def transaction(self, time: int, events: Sequence[Event]) -> None:
        """Take in the events of one transaction, in their order."""
        self.now = time
        at = 0
        while at < len(events):
            at += self._trade(events[at:]) if events[at].name == "Traded" else self._one(events[at])

    def _one(self, event: Event) -> int:
        handler = getattr(self, "_on_" + event.name, None)
        if handler is not None:
            handler(event.args)
        return 1

    def close_cash(self, flow: CashFlow, leaving: int, tokens_moved: bool) -> None:
        """Totals only: the indices and rates come from `InterestUpdated`."""
        totals = self.state.totals
        self.state.totals = Totals(totals.supply + flow.supply_delta, totals.debt + flow.debt_delta)

    # ---- Trades -------------------------------------------------------------------------------

    def _trade(self, events: Sequence[Event]) -> int:
        """A run of `Traded` is one trade, since orders are filled between two of them.

        Its interest is announced after it, but held during it. Returns how many events it took.
        """
        names = [event.name for event in events]
        count = next((i for i, name in enumerate(names) if name != "Traded"), len(names))
        announced = count < len(names) and names[count] == "InterestUpdated"
        if announced:
            self._on_InterestUpdated(events[count].args)
        self._fills([event.args for event in events[:count]])
        return count + announced

    def _fills(self, fills: Sequence[Mapping[str, Any]]) -> None:
        instrument = fills[0]["instrument"]
        flow = self.open_cash()
        taker = self.load(flow, _account(fills[0]["taker"]), 1)
        longs = claims = 0
        for fill in fills:
            maker = self.load(flow, _account(fill["maker"]), 1)
            taker_nonce, maker_nonce = self._met.popleft()
            self._fill_lane(taker.id, taker_nonce, abs(fill["size"]))
            self._fill_lane(maker.id, maker_nonce, abs(fill["size"]))
            for account, size, fee in (
                (taker, fill["size"], fill["takerFee"]),
                (maker, -fill["size"], fill["makerFee"]),
            ):
                if kind(instrument) == KIND_PERP:
                    underlying = ident(instrument)
                    funding = self.market(underlying).state.funding_at(self.now)
                    premium = fill["price"] - fill["basis"] - funding
                    long, claim = self.fill_perp(account, underlying, size, premium, fill["basis"])
                    longs += long
                elif kind(instrument) == KIND_OPTION:
                    long, claim = self.fill_option(account, instrument, size, fill["price"])
                    longs += long
                else:
                    claim = self.fill_spot(account, ident(instrument), size, fill["price"])
                account.cash -= fee
                claims += claim - fee
            self.save(flow, maker)
        self.save(flow, taker)
        if kind(instrument) == KIND_PERP:
            self.move_open_interest(ident(instrument), longs, capped=False)
        elif kind(instrument) == KIND_OPTION:
            self.move_series(instrument, longs, longs)
        self.credit(flow, self.fee_account, -claims)
        self.close_cash(flow, 0, False)

    # ---- Money --------------------------------------------------------------------------------

    def _on_InterestUpdated(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        flow = self.open_cash()
        if (flow.supply_index, flow.debt_index) != (args["supplyIndex"], args["debtIndex"]):
            raise ReplayError(f"indices {flow} are not those of {dict(args)}")
        self.state.reserve += kept_back(self.state.interest, self.state.totals, flow)
        self.state.interest = InterestState(
            args["supplyIndex"],
            args["debtIndex"],
            args["supplyRate"],
            args["debtRate"],
            self.now,
        )

    def _on_Deposited(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._move(None, _account(args["account"]), args["asset"], args["amount"])

    def _on_Withdrawn(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._move(_account(args["account"]), None, args["asset"], args["amount"])

    def _on_Transferred(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        source, to = _account(args["from"]), _account(args["to"])
        self._move(source, to, args["asset"], args["amount"])

    def _move(
        self, source: AccountId | None, to: AccountId | None, asset: int, amount: int
    ) -> None:
        """Move an asset between accounts, or in or out where an account is missing."""
        flow = self.open_cash()
        for account, signed in ((source, -amount), (to, amount)):
            if account is not None:
                self._change(flow, account, asset, signed)
        if asset != CASH:
            change = amount * ((source is None) - (to is None))
            self.set_total(asset, self.state.assets[asset].total + change)
        self.close_cash(flow, 0, False)

    def _change(self, flow: CashFlow, account_id: AccountId, asset: int, amount: int) -> None:
        account = self.load(flow, account_id, 1)
        if asset == CASH:
            account.cash += amount * self.cash_unit
        elif amount < 0:
            account.remove_collateral(asset, -amount)
        else:
            account.add_collateral(asset, amount)
        self.save(flow, account)

    def _on_ReserveCollected(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.reserve -= args["amount"]
        flow = self.open_cash()
        self.credit(flow, self.insurance_account, args["amount"])
        self.close_cash(flow, 0, False)

    # ---- Accounts -----------------------------------------------------------------------------

    def _on_OptionSettled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        """Kept until `Settled` closes the call: the account's cash is scaled once for all of it."""
        self._payoffs[args["series"]] = args["payoff"]

    def _on_Settled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        flow = self.open_cash()
        account = self.load(flow, _account(args["account"]), 0)
        perps = [ident(word) for word in account.words if kind(word) == KIND_PERP]
        markets = {u: self.market(u).state.funding_at(self.now) for u in perps}
        realised = self.settle_perps(account, {u: self.marks[u] - f for u, f in markets.items()})
        realised += self.settle_options(account, self._payoffs)
        self._payoffs = {}
        if realised != args["realised"]:
            raise ReplayError(f"settled {realised}, not {args['realised']}")
        self.save(flow, account)
        self.close_cash(flow, 0, False)

    def _on_SliceTransferred(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        flow = self.open_cash()
        source = self.load(flow, _account(args["from"]), 0)
        into = self.load(flow, _account(args["into"]), len(source.words))
        self.move_slice(source, into, args["fraction"], args["payment"], args["insurance"])
        self.save(flow, source)
        self.save(flow, into)
        self.credit(flow, self.insurance_account, args["insurance"])
        self.close_cash(flow, 0, False)

    def _on_EngineSelected(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        account = _account(args["account"])
        stored = replace(self.state.account(account), engine=args["engine"])
        self.state.accounts[account] = stored

    def _on_DelegateSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        key = _account(args["account"]), str(args["delegate"]).lower()
        self.state.mandates[key] = (args["permissions"], args["expiry"])

    def _on_NewRiskStopped(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.stopped = True

    def _on_NewRiskResumed(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.stopped = False

    # ---- Registries and markets ---------------------------------------------------------------

    def _on_AssetRegistered(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        if args["asset"] == CASH:
            self.state.interest = InterestState.start(self.now)
        self.state.assets.append(Asset(args["token"], args["decimals"], args["underlying"]))

    def _on_AssetCapSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        asset = self.state.assets[args["asset"]]
        self.state.assets[args["asset"]] = replace(asset, cap=args["cap"])

    def _on_EngineRegistered(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.engines.append(args["implementation"])

    def _on_MarketListed(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.markets[args["underlying"]] = Market(MarketState(0, 0, 0, self.now))

    def _on_MarketCapSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        market = self.market(args["underlying"])
        self.state.markets[args["underlying"]] = replace(market, cap=args["cap"])

    def _on_OptionCapSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        options = self.option_market(args["underlying"])
        self.state.option_markets[args["underlying"]] = replace(options, cap=args["cap"])

    def _on_FundingUpdated(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        market = self.market(args["underlying"])
        rate = args["ratePerSecond"] // RATE_UNIT
        state = MarketState(market.state.open_interest, args["cumulative"], rate, self.now)
        self.state.markets[args["underlying"]] = replace(market, state=state)

    def _on_PriceAccepted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.marks[args["underlying"]] = Snapshot.decode(args["snapshot"]).mark

    # ---- Orders -------------------------------------------------------------------------------

    def _on_OrdersFilled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._met.append((args["takerNonce"], args["makerNonce"]))

    def _fill_lane(self, account: AccountId, nonce: int, size: int) -> None:
        lane, sequence = (account, nonce >> 64), nonce & MAX_SEQUENCE
        held = self.state.lanes.get(lane, Lane())
        filled = held.filled if held.sequence == sequence else 0
        self.state.lanes[lane] = Lane(sequence, filled + size)

    def _on_OrderCancelled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        lane = (_account(args["account"]), args["nonce"] >> 64)
        self.state.lanes[lane] = Lane(args["nonce"] & MAX_SEQUENCE, CANCELLED)

    def _on_OrdersRecalled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.floors[_account(args["account"])] = args["sequence"]

    def _on_FeesSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.fees[args["product"]] = (args["makerFee"], args["takerFee"])

    # ---- Flags --------------------------------------------------------------------------------

    def _on_Flagged(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.state.flags[_account(args["account"])] = Flag(self.now, args["proven"])

    def _on_FlagCleared(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        del self.state.flags[_account(args["account"])]


def differences(replayed: State, state: State) -> list[str]:
    """What two states disagree on, but for checks passed and token balances."""
    names = (
        "interest",
        "totals",
        "reserve",
        "assets",
        "markets",
        "option_markets",
        "series",
        "lanes",
        "floors",
        "fees",
        "flags",
        "mandates",
        "stopped",
    )
    found = [name for name in names if getattr(replayed, name) != getattr(state, name)]
    for account in replayed.accounts.keys() | state.accounts.keys():
        one = replace(replayed.account(account), checked_at=0)
        if one != replace(state.account(account), checked_at=0):
            found.append(str(account))
    return found
