"""[I10] Long random walks through everything, after each step of which model and contracts agree,
and from whose events alone the whole state is rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from ballast.codec import AccountId
from ballast.model.clearinghouse import is_reduction
from ballast.model.margin import Margin
from ballast.model.refusal import Refused
from ballast.model.replay import differences
from ballast.model.state import atomic
from ballast.units import WAD
from tests.support.clearing import (
    BTC,
    BTC_PERP,
    CASH,
    ETH,
    ETH_PERP,
    WBTC,
    WBTC_SPOT,
    WETH,
    WETH_SPOT,
    ClearingWorld,
    replay,
)
from tests.support.revm import Reverted

ROLES = ("taker", "maker", "trader", "lender", "liquidator")
SCALES = {ETH_PERP: 5.0, WETH_SPOT: 2.0, BTC_PERP: 0.2, WBTC_SPOT: 0.05}
BASES = {ETH_PERP: ETH, WETH_SPOT: ETH, BTC_PERP: BTC, WBTC_SPOT: BTC}


class Walk:
    """Random calls by random people at moving prices; refusals are part of it."""

    def __init__(self, seed: int, exact: bool = True) -> None:
        self.random = Random(seed)
        self.world = ClearingWorld(fees=(10**14, 5 * 10**14), exact=exact)
        self.accounts = [self.world.account(role, index) for role in ROLES for index in range(2)]
        self.prices = {ETH: 2000.0, BTC: 50_000.0}
        for account in self.accounts:
            self.world.fund(account, 1_500, weth=self.random.choice([0, 1, 2]))
        self.done = {name: 0 for name in self.steps}
        self.refused: dict[str, int] = {}
        self.liquidated = 0
        self.most_owed = 0

    @property
    def steps(self) -> dict[str, Callable[[], object]]:
        return {
            "trade": self.trade,
            "trade again": self.trade,
            "trade more": self.trade,
            "many": self.many,
            "price": self.price,
            "premium": self.premium,
            "wait": self.wait,
            "deposit": self.deposit,
            "withdraw": self.withdraw,
            "transfer": self.transfer,
            "settle": self.settle,
            "liquidate": self.liquidate,
            "cancel": self.cancel,
            "reserve": self.world.collect_reserve,
        }

    def run(self, count: int) -> None:
        for _ in range(count):
            name, step = self.random.choice(list(self.steps.items()))
            try:
                step()
                self.done[name] += 1
                self.most_owed = max(self.most_owed, self.world.model.state.totals.debt)
            except Reverted as error:
                self.refused[error.name] = self.refused.get(error.name, 0) + 1

    def _who(self, count: int = 1) -> list[AccountId]:
        return self.random.sample(self.accounts, count)

    def trade(self) -> None:
        taker, maker = self._who(2)
        instrument = self.random.choice(list(SCALES))
        size = round(SCALES[instrument] * self.random.uniform(-1, 1), 6)
        price = round(self.prices[BASES[instrument]] * self.random.uniform(0.97, 1.03), 6)
        only = self.random.random() < 0.1
        self.world.trade(taker, maker, size, price, instrument=instrument, reduce_only=only)

    def many(self) -> None:
        taker, *makers = self._who(4)
        price = round(self.prices[ETH], 6)
        orders = [self.world.order(maker, -1, price) for maker in makers]
        sizes = [round(self.random.uniform(0.1, 1), 9) for _ in orders]
        self.world.settle(self.world.order(taker, 3, price), orders, sizes)

    def price(self) -> None:
        for underlying in (ETH, BTC):
            move = self.random.gauss(1, 0.06)
            self.prices[underlying] = round(self.prices[underlying] * move, 6)
            self.world.set_price(underlying, self.prices[underlying])

    def premium(self) -> None:
        premium = self.random.uniform(-0.01, 0.01)
        self.world.set_price(ETH, self.prices[ETH], premium)

    def wait(self) -> None:
        self.world.advance(self.random.choice([1, 60, 3000, 4000, 86400]))
        for underlying in (ETH, BTC):
            self.world.set_price(underlying, self.prices[underlying])

    def deposit(self) -> None:
        (account,) = self._who()
        asset = self.random.choice([CASH, WETH, WBTC])
        amount = self.random.randrange(1, {CASH: 10**9, WETH: 10**18, WBTC: 10**6}[asset])
        payer = self.random.choice([account, *self._who()]).owner
        self.world.mint(asset, payer, amount)
        self.world.deposit(account, asset, amount, sender=payer)

    def withdraw(self) -> None:
        (account,) = self._who()
        asset = self.random.choice([CASH, CASH, WETH, WBTC])
        amount = self.random.randrange(1, {CASH: 3 * 10**9, WETH: 10**18, WBTC: 10**6}[asset])
        self.world.withdraw(account, asset, amount)

    def transfer(self) -> None:
        source, to = self._who(2)
        asset = self.random.choice([CASH, WETH])
        amount = self.random.randrange(1, {CASH: 10**9, WETH: 10**17}[asset])
        self.world.transfer(source, to, asset, amount)

    def settle(self) -> None:
        self.world.settle_account(*self._who())

    def liquidate(self) -> None:
        for account in self.accounts:
            margin = self.world.margin(account)
            into = self.random.choice(self.accounts)
            if 0 <= margin.equity < margin.maintenance and into != account:
                fraction = self.random.choice([WAD, WAD // 3, 12345])
                self.world.liquidate(account, into, fraction)
                self.liquidated += 1
                after = self.world.margin(account)
                assert after.equity * margin.maintenance + 10**40 >= (
                    margin.equity * after.maintenance
                ), "I4 health does not fall"
                return

    def cancel(self) -> None:
        (account,) = self._who()
        self.world.cancel(account, self.random.randrange(2**64, 2**70))


@pytest.mark.parametrize("seed", range(4))
def test_model_and_contracts_agree(seed: int) -> None:
    walk = Walk(seed)
    walk.run(250)
    assert sum(walk.done.values()) > 100
    assert walk.world.surplus() < 10**15, "cash is short of the tokens by dust only"


def test_the_walks_reach_everything() -> None:
    walk = Walk(3)
    walk.run(500)
    assert all(walk.done.values()), walk.done
    assert len(walk.refused) >= 5, walk.refused
    assert walk.liquidated >= 3
    assert walk.most_owed > 0


# ---- Events -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_events_suffice(seed: int) -> None:
    walk = Walk(seed + 50)
    walk.run(250)
    world = walk.world
    replayed = replay(world)
    assert differences(replayed.state, world.model.state) == []
    for account, stored in replayed.state.accounts.items():
        header, words = world.house.accountWords(account)
        assert list(words) == list(stored.words)
        assert header & ((1 << 144) - 1) == stored.header & ((1 << 144) - 1)


def test_engines_and_registries_are_in_the_events() -> None:
    world = ClearingWorld()
    account = world.account("trader")
    world.register_engine(world.engine)
    world.fund(account, 100)
    world.select_engine(account, 1)
    world.set_market_cap(ETH, 7 * WAD)
    replayed = replay(world)
    assert differences(replayed.state, world.model.state) == []
    assert replayed.engines == [world.engine.address] * 2


def test_a_lost_event_is_noticed() -> None:
    walk = Walk(50)
    walk.run(60)
    world = walk.world
    traded = [i for i, (_, logs) in enumerate(world.transactions) if logs[-1].name != "RateSet"]
    del world.transactions[traded[-1]]
    replayed = replay(world)
    assert differences(replayed.state, world.model.state) != []


# ---- The model itself ---------------------------------------------------------------------------


def test_a_refused_call_changes_nothing() -> None:
    world = ClearingWorld()
    account = world.account("trader")
    world.fund(account, 100)
    before = world.model.state.saved()
    with pytest.raises(Refused):
        world.model.withdraw(account.owner, account, CASH, 10**12, account.owner)
    assert world.model.state.saved() == before


def test_atomic_covers_what_was_done_before_the_refusal() -> None:
    world = ClearingWorld()

    class Half:
        state = world.model.state

        @atomic
        def call(self) -> None:
            self.state.reserve = 5
            self.state.mint("token", "holder", 1)
            raise Refused("Half", 1)

    before = world.model.state.saved()
    with pytest.raises(Refused) as caught:
        Half().call()
    assert (caught.value.name, caught.value.values) == ("Half", (1,))
    assert world.model.state.saved() == before


def test_reductions() -> None:
    def margin(equity: int, initial: int, maintenance: int) -> Margin:
        return Margin(equity, initial, maintenance, 0, True)

    before = margin(100, 200, 150)
    assert is_reduction(before, margin(100, 200, 150))
    assert is_reduction(before, margin(60, 100, 75))
    assert not is_reduction(before, margin(60, 161, 75)), "further from IM"
    assert not is_reduction(before, margin(40, 90, 75)), "worse health"
    assert not is_reduction(before, margin(-1, 0, 0)), "bankrupt after"
    assert not is_reduction(margin(-5, 10, 8), margin(-4, 5, 4)), "bankrupt before"
