"""What a keeper does next: pure functions of what it sees.

`decide` says which feeds to refresh and which accounts to liquidate. It knows nothing of chains:
the shell in `loop.py` looks, asks, simulates and sends. Money and ratios are WAD.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ballast.codec import AccountId
from ballast.model.liquidator import discount_of, fraction_to_target, payment_for
from ballast.model.margin import LiquidationTerms
from ballast.oracle.mirror import (
    SUSPECT_SECONDS,
    FeedState,
    Observation,
    Outcome,
    Result,
    accept,
)
from ballast.units import BPS, WAD, mul_div_ceil, mul_div_floor

CASH_FEED = 0
MIN_EQUITY = 50 * WAD
FLAG_SECONDS = 300  # the most that two proofs can prove (specification §10)
SLACK = 10**6  # wei by which roundings may miss the bound on a fraction


# ---- What a keeper sees -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedView:
    """A feed, what its sources would say now, and the data that makes them say it."""

    underlying: int
    state: FeedState
    observations: tuple[Observation, ...]
    data: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account's margin; `terms` are known for those that may be liquidated.

    `credit` is what it must lack besides, while prices are not fresh (specification §6.10).
    """

    id: AccountId
    equity: int
    initial: int
    maintenance: int
    credit: int = 0
    known: bool = True
    terms: LiquidationTerms | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a decision rests on.

    `native_price` is cash for one unit of gas money, `gas_money` what the signer has of it, wei.
    """

    now: int
    block: int
    keeper: AccountView
    feeds: tuple[FeedView, ...] = ()
    accounts: tuple[AccountView, ...] = ()
    gas_price: int = 0
    native_price: int = 0
    gas_money: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What a keeper's operator wants.

    A feed is refreshed when its price would move by `deviation_bps` or is `heartbeat` seconds old
    (half of its greatest fresh age if None). A liquidation must leave `min_profit` after gas;
    `liquidation_gas` is what one is taken to cost before it is simulated. A surface is refreshed
    when a variance at the money would move by `variance_bps`.
    With `flag`, accounts that could be liquidated and are not are proven unhealthy, which makes
    others want them.
    """

    deviation_bps: int = 25
    heartbeat: int | None = None
    min_profit: int = 0
    liquidation_gas: int = 500_000
    variance_bps: int = 500
    flag: bool = False


# ---- What it does -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refresh:
    """A feed to refresh, with the data for its sources, and why."""

    underlying: int
    data: tuple[bytes, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Liquidate:
    """An account to liquidate.

    `fractions` are tried in turn: the whole that its margin allows, then what the keeper's own
    margin is sure to bear. `reward` is what the last of them brings, `cost` the gas, in cash.
    """

    account: AccountId
    fractions: tuple[int, ...]
    reward: int
    cost: int

    @property
    def profit(self) -> int:
        return self.reward - self.cost


@dataclass(frozen=True, slots=True)
class Skip:
    """An account that would be liquidated, if it were not for something."""

    account: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Actions:
    """What to do, the most profitable first, and what not to do."""

    refreshes: tuple[Refresh, ...]
    liquidations: tuple[Liquidate, ...]
    skipped: tuple[Skip, ...]


def decide(world: World, policy: Policy) -> Actions:
    """What to do next. Liquidations are decided at accepted prices: refresh first, look again."""
    verdicts = list(_judge(world, policy))
    liquidations = [verdict for verdict in verdicts if isinstance(verdict, Liquidate)]
    return Actions(
        refreshes=tuple(_due_feeds(world, policy)),
        liquidations=tuple(sorted(liquidations, key=lambda found: -found.profit)),
        skipped=tuple(verdict for verdict in verdicts if isinstance(verdict, Skip)),
    )


# ---- Prices -----------------------------------------------------------------------------------


def predict(
    feed: FeedView, world: World, cash_price: int | None = WAD
) -> tuple[FeedState, Outcome]:
    """The feed as the contract would leave it if it were refreshed now.

    Open interest only widens the range for the initial margin, which no decision here rests on.
    """
    return accept(feed.state, feed.observations, world.now, world.block, cash_price=cash_price)


def _due_feeds(world: World, policy: Policy) -> Iterator[Refresh]:
    """Cash first: the other prices are divided by it, in the same transaction too."""
    cash_price: int | None = WAD
    for feed in sorted(world.feeds, key=lambda view: view.underlying):
        new, outcome = predict(feed, world, cash_price)
        reason = _reason(feed.state, new, outcome, world.now, policy)
        if reason:
            yield Refresh(feed.underlying, feed.data, reason)
        if feed.underlying == CASH_FEED:
            kept = (new if reason else feed.state).snapshot
            cash_price = kept.price if kept.price and kept.is_fresh(world.now) else None


def _reason(
    old: FeedState, new: FeedState, outcome: Outcome, now: int, policy: Policy
) -> str | None:
    """Why the feed is worth a refresh; None if it is not."""
    if outcome.result is Result.SUSPECTED:
        return _suspect_reason(old, new)
    if outcome.result is Result.ACCEPTED:
        return _accepted_reason(old, new, now, policy)
    return None


def _accepted_reason(old: FeedState, new: FeedState, now: int, policy: Policy) -> str | None:
    last = old.snapshot
    if last.price == 0:
        return "first price"
    if last.suspect or (last.wide and not new.snapshot.wide):
        return "usable again"
    moved = abs(new.snapshot.price - last.price)
    if moved * BPS >= last.price * policy.deviation_bps:
        return f"moved {moved * BPS // last.price} bps"
    heartbeat = old.config.max_age // 2 if policy.heartbeat is None else policy.heartbeat
    if last.age(now) >= heartbeat:
        return f"{last.age(now)} s old"
    return None


def _suspect_reason(old: FeedState, new: FeedState) -> str | None:
    """A jump takes several reports over a while to be believed: bring them, but not every one."""
    waited = new.suspicion.last_time - old.suspicion.last_time
    if not old.snapshot.suspect:
        return "suspect jump"
    return "suspect jump, again" if waited >= SUSPECT_SECONDS // 3 else None


# ---- Liquidations -----------------------------------------------------------------------------


def gas_cost(gas: int, gas_price: int, native_price: int) -> int:
    """What gas costs, in cash, rounded up."""
    return mul_div_ceil(gas * gas_price, native_price, WAD)


def capacity(keeper: AccountView, account: AccountView, gain: int) -> int:
    """A fraction of an account that the keeper's margin is sure to bear, rounded down.

    Requirements are homogeneous and sub-additive: taking x leaves the keeper at least E + x·gain
    of equity and needs at most IM + x·IM of the account.
    """
    free = keeper.equity - max(keeper.initial, MIN_EQUITY) - SLACK
    if free < 0 or not keeper.known:
        return 0
    load = account.initial - gain
    return WAD if load <= 0 else min(WAD, mul_div_floor(free, WAD, load))


def assess(
    account: AccountView, keeper: AccountView, cost: int, policy: Policy
) -> Liquidate | Skip | None:
    """Whether an account is worth liquidating at a given cost of gas; None if it is healthy."""
    if account.id == keeper.id or not account.known or account.equity >= account.maintenance:
        return None
    obstacle = _obstacle(account)
    if obstacle or account.terms is None:
        return Skip(account.id, obstacle or "its engine names no terms")
    discount = discount_of(account.terms, account.equity, account.maintenance)
    best = fraction_to_target(account.terms, account.equity, account.maintenance, discount)
    bearable = capacity(keeper, account, payment_for(WAD, account.equity, discount).reward)
    sure = min(best, bearable)
    if sure == 0:
        return Skip(account.id, "the keeper's margin is used up")
    reward = payment_for(sure, account.equity, discount).reward
    if reward < cost + policy.min_profit:
        return Skip(account.id, f"does not pay: reward {_money(reward)}, gas {_money(cost)}")
    # The contract cuts a whole down to what restores the account.
    fractions = (WAD,) if bearable >= best else (WAD, bearable)
    return Liquidate(account.id, fractions, reward, cost)


def due_flags(
    accounts: Sequence[AccountView], flagged: Mapping[AccountId, int], now: int
) -> list[AccountId]:
    """Accounts that could be liquidated, and when they were last flagged allows it again."""
    return [
        one.id
        for one in accounts
        if one.known
        and one.equity < one.maintenance
        and _obstacle(one) is None
        and now - flagged.get(one.id, -FLAG_SECONDS) >= FLAG_SECONDS
    ]


def _judge(world: World, policy: Policy) -> Iterator[Liquidate | Skip]:
    cost = gas_cost(policy.liquidation_gas, world.gas_price, world.native_price)
    for account in world.accounts:
        verdict = assess(account, world.keeper, cost, policy)
        if verdict is not None:
            yield verdict


def _obstacle(account: AccountView) -> str | None:
    if account.equity < 0:
        return f"bankrupt: equity {_money(account.equity)}"
    if account.equity + account.credit >= account.maintenance:
        return f"credited {_money(account.credit)} for prices that are not fresh"
    return None


def _money(value: int) -> str:
    return f"{value / WAD:,.2f}"
