"""The rules of the stateful campaigns, for whatever drives them.

A rule is a method that makes one call of its kind, most of them sensible, some not; `dice` decides
everything. Each call is made on the contracts and on the model, and all invariants are checked
after it. `Tally` counts what was accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.exchange import MAX_FEE, Order
from ballast.model.margin import ASSESS_ALL, Margin
from ballast.model.refusal import Refused
from ballast.model.system import Updates
from ballast.risk.scenarios import COLUMNS
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.invariants import DUST, Invariants, Worth
from tests.property.prices import SILENT, Reported
from tests.property.stage import Stage
from tests.property.world import (
    BTC,
    CASH,
    ETH,
    FEEDS,
    MARKETS,
    USD,
    WBTC,
    WETH,
    World,
    owner_of,
    require,
)

ACCOUNTS = (
    ("maker", 0),
    ("maker", 1),
    ("trader 0", 0),
    ("trader 0", 1),
    ("trader 1", 0),
    ("trader 2", 0),
    ("trader 2", 7),
    ("keeper 0", 0),
    ("keeper 0", 1),
    ("keeper 1", 0),
    ("stranger", 0),
)
FUNDED = (2_000_000, 500_000, 20_000, 8000, 15_000, 10_000, 400, 300_000, 50_000, 100_000, 0)
# Account, and how much of what it can hold it goes long or short to begin with.
OPENED = {2: (ETH, 92), 3: (BTC, -95), 4: (BTC, 97), 5: (ETH, -96), 6: (ETH, 90)}
PERPS = {u: word_of.perp_word(u, 0, 0) for u in MARKETS}
SPOTS = {asset: word_of.collateral_word(asset, 0) for asset in (WETH, WBTC)}
FEED_OF = {WETH: ETH, WBTC: BTC}
DECIMALS = {CASH: 6, WETH: 18, WBTC: 8}
START = {USD: WAD, ETH: 2500 * WAD, BTC: 100_000 * WAD}
LANES = 6
FOREVER = 2**40


WEIGHTS = {
    "deposit": 3,
    "deposit_for_another": 2,
    "withdraw": 5,
    "transfer": 4,
    "open_perp": 16,
    "trade_spot": 5,
    "reduce": 6,
    "fill_resting": 5,
    "cancel": 2,
    "drift": 8,
    "crash": 8,
    "suspect": 2,
    "wait": 4,
    "settle": 3,
    "collect_reserve": 2,
    "liquidate": 10,
    "intrude": 3,
}
RULES = tuple(WEIGHTS)
GROUPS = {
    "money": ("deposit", "deposit_for_another", "withdraw", "transfer"),
    "trades": ("open_perp", "trade_spot", "reduce", "fill_resting", "cancel"),
    "market": ("crash", "drift", "suspect", "wait"),
    "others": ("settle", "collect_reserve", "intrude"),
    "keepers": ("liquidate",),
}


@dataclass
class Tally:
    """What was tried and what was accepted, by rule."""

    tried: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    liquidations: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def share(self, rule: str) -> float:
        return self.accepted[rule] / self.tried[rule] if self.tried[rule] else 0.0

    def __str__(self) -> str:
        lines = [f"{self.steps} steps, {self.liquidations} liquidations"]
        for rule, tried in sorted(self.tried.items()):
            lines.append(f"{rule:18} {self.accepted[rule]:6} of {tried:6} {self.share(rule):7.1%}")
        common = ", ".join(f"{name} {count}" for name, count in self.refusals.most_common())
        return "\n".join([*lines, f"refused: {common}"])


@dataclass
class Resting:
    """A maker's order that is still open, as far as its owner knows."""

    order: Order
    left: int


class Campaign:
    """One play of the rules over a world."""

    def __init__(self, stage: Stage, tally: Tally | None = None) -> None:
        self.world = World(stage, ACCOUNTS)
        self.invariants = Invariants(self.world)
        self.tally = tally or Tally()
        self.resting: list[Resting] = []
        self._rule = ""
        self._open()

    # ---- Setting out ----------------------------------------------------------------------------

    def _open(self) -> None:
        """Everybody deposits; prices are reported by both sources."""
        world = self.world
        for account, cash in zip(world.accounts, FUNDED, strict=True):
            if cash:
                self._deposit(account, CASH, cash * 10**6)
        for account in world.accounts[:3]:
            self._deposit(account, WETH, 40 * 10**18)
            self._deposit(account, WBTC, 2 * 10**8)
        self.world.advance(12)
        self._report(dict.fromkeys(FEEDS, 0), premium=20)
        for number, (u, part) in OPENED.items():
            self._open_position(self.world.accounts[number], u, part)
        self.world.advance(12)
        self.world.check()

    def _open_position(self, account: AccountId, u: int, part: int) -> None:
        """A perpetual of a percentage of what the account can hold, against the first maker."""
        plain, size = Dice(b""), self._room(account, PERPS[u], u, True) * part // 100
        price = self.world.model.feeds.snapshot(u).mark
        mine = self._order(account, PERPS[u], size, price, plain)
        maker = self._order(self.world.accounts[0], PERPS[u], -size, price, plain)
        self._settle(mine, [maker], [abs(size)], plain)

    def _deposit(self, account: AccountId, asset: int, amount: int) -> None:
        caller, house, model = owner_of(account), self.world.house, self.world.model.house
        self.world.begin_call()
        self.world.both(
            lambda: house.deposit(account, asset, amount, sender=caller),
            lambda: model.deposit(caller, account, asset, amount),
        )

    def mark(self) -> None:
        """Remember this moment, on the chain and in the model."""
        self._marked = self.world.stage.snapshot(), self.world.checkpoint()

    def rewind(self) -> None:
        """Go back to it."""
        snapshot, checkpoint = self._marked
        self.world.stage.revert(snapshot)
        self.world.restore(checkpoint)
        self.resting.clear()

    # ---- Steps ----------------------------------------------------------------------------------

    def step(self, rule: str, dice: Dice) -> None:
        """Make one step of a rule, in the same block or in a later one, and check everything."""
        self._rule = rule
        self.tally.steps += 1
        if dice.chance(60):
            self.world.advance(12 * dice.integer(1, 5))
        getattr(self, rule)(dice)
        self.world.check()
        self.invariants.check_books()
        self._check_some_margins(dice)

    def _check_some_margins(self, dice: Dice) -> None:
        account, other = dice.pick(self.world.accounts), dice.pick(self.world.accounts)
        column = dice.integer(0, COLUMNS - 1)
        self.invariants.check_margins(account, other, column)
        self.world.check_margin(account, ASSESS_ALL)
        self.world.check_margin(account, 1 + column)

    def play(self, group: str, dice: Dice) -> None:
        """Make one step of a group's rules."""
        rules = [rule for rule in GROUPS[group] if self.enabled(rule)]
        self.step(dice.pick([rule for rule in rules for _ in range(WEIGHTS[rule])]), dice)

    def enabled(self, rule: str) -> bool:
        """Whether there is anything for a rule to do."""
        test = getattr(self, f"can_{rule}", None)
        return test is None or test()

    def _both(self, real: Callable[[], Any], model: Callable[[], Any]) -> bool:
        """Make a call on both and count it."""
        refusal = self.world.both(real, model)
        return self._count(refusal)

    def _count(self, refusal: Refused | None) -> bool:
        if not self._rule:
            return refusal is None
        self.tally.tried[self._rule] += 1
        if refusal is None:
            self.tally.accepted[self._rule] += 1
            return True
        self.tally.refusals[refusal.name] += 1
        return False

    @contextmanager
    def _measured(
        self, touched: Iterable[AccountId], updates: Updates = (), sole: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Measures before a call, at the prices that its updates bring, and compares after it."""
        with self._as_updated(updates):
            before = self.invariants.worth()
            margins = {account: self._margin(account) for account in touched}
        found: dict[str, Any] = {"margins": margins, "before": before, "ok": False}
        yield found
        if found["ok"]:
            after = self.invariants.check_moved(before, touched)
            found["after"] = after
            if sole:
                gain = after.of(sole) - before.of(sole)
                require(gain <= DUST, "I9: money for nothing", sole, gain)

    def _margin(self, account: AccountId) -> Margin:
        return self.world.model.house.margin(account, ASSESS_ALL)

    @contextmanager
    def _as_updated(self, updates: Updates) -> Iterator[None]:
        """The model as it will be once the updates are in, and back."""
        if not updates:
            yield
            return
        mark = self.world.checkpoint()
        self.world.model.refresh(updates)
        try:
            yield
        finally:
            self.world.restore(mark)

    # ---- Money in, out and across -----------------------------------------------------------------

    def deposit(self, dice: Dice) -> None:
        """By the owner; more often where it is needed."""
        account = dice.pick(self._needy() if dice.chance(40) else self.world.accounts)
        asset = dice.pick((CASH, CASH, WETH, WBTC))
        self._pay_in(owner_of(account), account, asset, self._amount(asset, dice))

    def deposit_for_another(self, dice: Dice) -> None:
        """By a stranger: cash, or what the account holds, and sometimes what it does not."""
        account = dice.pick(self.world.accounts[:-1])
        asset = dice.pick((CASH, CASH, *self._held(account), WBTC))
        caller = self.world.owners["stranger"]
        self._pay_in(caller, account, asset, self._amount(asset, dice, 5))

    def _pay_in(self, caller: str, account: AccountId, asset: int, amount: int) -> None:
        house, model = self.world.house, self.world.model.house
        self.world.begin_call()
        with self._measured((account,), sole=caller) as found:
            found["ok"] = self._both(
                lambda: house.deposit(account, asset, amount, sender=caller),
                lambda: model.deposit(caller, account, asset, amount),
            )

    def withdraw(self, dice: Dice) -> None:
        """By the owner, to itself or to another, around what can be had."""
        self._freshen(dice)
        account = dice.pick(self._rich() if dice.chance(80) else self.world.accounts)
        asset = self._asset_of(account, dice)
        amount = self._available(account, asset, dice)
        caller, to = owner_of(account), dice.pick([*self.world.owners.values()])
        to = caller if dice.chance(80) else to
        house, model = self.world.house, self.world.model.house
        self.world.begin_call()
        with self._measured((account,), sole=caller) as found:
            found["ok"] = self._both(
                lambda: house.withdraw(account, asset, amount, to, sender=caller),
                lambda: model.withdraw(caller, account, asset, amount, to),
            )
        self._gates(found)

    def transfer(self, dice: Dice) -> None:
        """By the owner to any account."""
        self._freshen(dice)
        account = dice.pick(self._rich() if dice.chance(80) else self.world.accounts)
        others = [one for one in self.world.accounts if one != account]
        mine = [one for one in others if owner_of(one) == owner_of(account)]
        target = dice.pick(mine if mine and dice.chance(60) else others)
        asset = self._asset_of(account, dice)
        amount = self._available(account, asset, dice)
        caller = owner_of(account)
        house, model = self.world.house, self.world.model.house
        self.world.begin_call()
        with self._measured((account, target), sole=caller) as found:
            found["ok"] = self._both(
                lambda: house.transfer(account, target, asset, amount, sender=caller),
                lambda: model.transfer(caller, account, target, asset, amount),
            )
        del found["margins"][target]
        self._gates(found)

    def _gates(self, found: dict[str, Any]) -> None:
        if found["ok"]:
            for account, before in found["margins"].items():
                self.invariants.check_gate(account, before)

    def _held(self, account: AccountId) -> list[int]:
        words = self.world.model.house.state.account(account).words
        return [word_of.ident(w) for w in words if word_of.kind(w) == word_of.KIND_COLLATERAL]

    def _asset_of(self, account: AccountId, dice: Dice) -> int:
        return dice.pick((CASH, *self._held(account), WETH if dice.chance(10) else CASH))

    def _amount(self, asset: int, dice: Dice, most: int = 50) -> int:
        """Up to so many thousand dollars of an asset; now and then nothing."""
        value = dice.part(most * 1000 * WAD)
        price = WAD if asset == CASH else self.world.prices.price(FEED_OF[asset])
        return value * 10 ** DECIMALS[asset] // price

    def _available(self, account: AccountId, asset: int, dice: Dice) -> int:
        """Around what the account may give away."""
        margin = self._margin(account)
        free = max(margin.equity - max(margin.initial, margin.perp_notional // 10), 0)
        house = self.world.model.house
        if asset == CASH:
            most = min(free // house.cash_unit, house.tokens_held())
        else:
            price = self.world.model.feeds.snapshot(FEED_OF[asset]).price
            most = min(free * 10 ** DECIMALS[asset] // price, self._amount_held(account, asset))
        return dice.part(most, 0, 100) if dice.chance(75) else dice.part(most, 90, 140)

    def _amount_held(self, account: AccountId, asset: int) -> int:
        words = [*self.world.model.house.state.account(account).words]
        index = word_of.find(words, SPOTS[asset])
        return word_of.amount_of(words[index]) if index < len(words) else 0

    def _rich(self) -> Sequence[AccountId]:
        """Accounts that have more than they must."""
        margins = {account: self._margin(account) for account in self.world.accounts}
        found = [account for account, m in margins.items() if m.equity > m.initial + WAD]
        return found or self.world.accounts

    def _needy(self) -> Sequence[AccountId]:
        margins = {account: self._margin(account) for account in self.world.accounts}
        found = [account for account, m in margins.items() if m.equity < m.initial]
        return found or self.world.accounts

    # ---- Trades -----------------------------------------------------------------------------------

    def open_perp(self, dice: Dice) -> None:
        """A taker against one to three makers in a perpetual, around what their margins allow."""
        u = dice.pick(MARKETS)
        self._trade(PERPS[u], u, dice)

    def trade_spot(self, dice: Dice) -> None:
        """Collateral against cash; mostly somebody who has it sells it."""
        asset = dice.pick((WETH, WBTC))
        self._trade(SPOTS[asset], FEED_OF[asset], dice)

    def _trade(self, instrument: int, u: int, dice: Dice) -> None:
        buys = dice.chance(50)
        accounts = self._rich() if dice.chance(85) else self.world.accounts
        spot = word_of.kind(instrument) == word_of.KIND_COLLATERAL
        taker = self._party(accounts, instrument, dice, sells=spot and not buys)
        makers = []
        for _ in range(1 + dice.integer(0, 5) // 3 + dice.integer(0, 6) // 6):
            maker = self._party(accounts, instrument, dice, sells=spot and buys)
            if maker != taker or dice.chance(3):
                makers.append(maker)
        room = [self._room(maker, instrument, u, not buys) for maker in makers]
        wanted = dice.part(self._room(taker, instrument, u, buys), 20, 105)
        sizes, orders = [], []
        for maker, most in zip(makers, room, strict=True):
            size = self._exact(min(dice.part(wanted // len(makers), 50, 100), most), instrument)
            if size:
                price = self._price(instrument, u, dice)
                total = size * dice.pick((1, 1, 2, 3))
                orders.append(self._order(maker, instrument, -total if buys else total, price, dice))
                sizes.append(size)
        if not orders:
            return
        limit = (max if buys else min)(order.limit_price for order in orders)
        total = sum(sizes)
        order = self._order(taker, instrument, total if buys else -total, limit, dice)
        self._settle(order, orders, sizes, dice)
        for maker_order, size in zip(orders, sizes, strict=True):
            if abs(maker_order.size) > size:
                self.resting.append(Resting(maker_order, abs(maker_order.size) - size))

    def _party(
        self, accounts: Sequence[AccountId], instrument: int, dice: Dice, *, sells: bool
    ) -> AccountId:
        """Somebody; where collateral is sold, mostly somebody who has it."""
        asset = word_of.ident(instrument)
        able = [one for one in accounts if self._amount_held(one, asset)] if sells else []
        return dice.pick(able or accounts)

    def _room(self, account: AccountId, instrument: int, u: int, buys: bool) -> int:
        """Size that an account can about take on, WAD."""
        if word_of.kind(instrument) == word_of.KIND_COLLATERAL and not buys:
            asset = word_of.ident(instrument)
            held = self._amount_held(account, asset)
            return held * 10 ** (18 - DECIMALS[asset])
        margin, snapshot = self._margin(account), self.world.model.feeds.snapshot(u)
        rate = snapshot.range_initial + snapshot.confidence + 25 * WAD // 1000
        room = max(margin.equity - margin.initial, 0) * WAD // rate
        return room * WAD // max(snapshot.mark, 1)

    @staticmethod
    def _exact(size: int, instrument: int) -> int:
        """A size without parts of a unit that the collateral does not have."""
        if word_of.kind(instrument) == word_of.KIND_PERP:
            return size
        unit = 10 ** (18 - DECIMALS[word_of.ident(instrument)])
        return size // unit * unit

    def _price(self, instrument: int, u: int, dice: Dice) -> int:
        """Around the fair price; now and then near the band."""
        snapshot = self.world.model.feeds.snapshot(u)
        perp = word_of.kind(instrument) == word_of.KIND_PERP
        fair = snapshot.mark if perp else snapshot.price
        width = 1200 if dice.chance(8) else 40
        return fair + fair * dice.integer(-width, width) // 10_000

    def _order(
        self, account: AccountId, instrument: int, size: int, price: int, dice: Dice
    ) -> Order:
        """An order in the next sequence of one of the account's lanes."""
        lane = dice.integer(0, LANES - 1)
        sequence = self.world.model.exchange.lane(account, lane).sequence + 1
        return Order(
            account=account,
            instrument=instrument,
            size=size,
            limit_price=price,
            nonce=lane << 64 | sequence,
            expiry=self.world.now - dice.integer(0, 1) if dice.chance(4) else FOREVER,
            max_fee=WAD // 10_000 if dice.chance(3) else MAX_FEE,
            min_health=dice.part(WAD, 90, 140) if dice.chance(8) else 0,
        )

    def _settle(
        self, taker: Order, makers: Sequence[Order], sizes: Sequence[int], dice: Dice
    ) -> bool:
        """Settle orders; anybody submits them, with fresh prices where they are needed."""
        world = self.world
        world.begin_call()
        sender = dice.pick([*world.owners.values()])
        real_updates, seen = self._needed_updates(dice)
        pairs = [world.signed(order) for order in (taker, *makers)]
        (real_taker, model_taker), rest = pairs[0], pairs[1:]
        real_makers, model_makers = [real for real, _ in rest], [model for _, model in rest]
        touched = {taker.account, *(maker.account for maker in makers)}
        with self._measured(touched, seen) as found:
            found["ok"] = self._both(
                lambda: world.exchange.settle(
                    real_taker, real_makers, list(sizes), real_updates, sender=sender
                ),
                lambda: world.model.settle(model_taker, model_makers, sizes, seen),
            )
        self._gates(found)
        return bool(found["ok"])

    def can_reduce(self) -> bool:
        return bool(self._positions())

    def reduce(self, dice: Dice) -> None:
        """A reduce-only taker; now and then for more than there is, or to the wrong side."""
        account, u, size = dice.pick(self._positions())
        wanted = -dice.part(size, 5, 100) if dice.chance(50) else -size
        if dice.chance(8):
            wanted = dice.part(size, -130, 20)
        others = [one for one in self._rich() if one != account] or [self.world.accounts[0]]
        maker = dice.pick(others)
        if not wanted or maker == account:
            return
        price = self._price(PERPS[u], u, dice)
        mine = replace(self._order(account, PERPS[u], wanted, price, dice), reduce_only=True)
        theirs = self._order(maker, PERPS[u], -wanted, price, dice)
        theirs = replace(theirs, reduce_only=dice.chance(15))
        self._settle(mine, [theirs], [abs(wanted)], dice)

    def _positions(self) -> list[tuple[AccountId, int, int]]:
        state = self.world.model.house.state
        return [
            (account, word_of.ident(word), word_of.perp_size(word))
            for account in self.world.accounts
            for word in state.account(account).words
            if word_of.kind(word) == word_of.KIND_PERP
        ]

    def can_fill_resting(self) -> bool:
        return bool(self.resting)

    def fill_resting(self, dice: Dice) -> None:
        """Some more of an order that was filled in part; now and then too much of it."""
        alive = [one for one in self.resting if self._is_alive(one.order)]
        resting = dice.pick(self.resting if dice.chance(15) else alive or self.resting)
        self.resting.remove(resting)
        maker = resting.order
        instrument = maker.instrument
        spot = word_of.kind(instrument) == word_of.KIND_COLLATERAL
        u = FEED_OF[word_of.ident(instrument)] if spot else word_of.ident(instrument)
        sells = maker.size > 0
        others = [one for one in self._rich() if one != maker.account]
        taker = self._party(others or self.world.accounts, instrument, dice, sells=spot and sells)
        most = min(resting.left, self._room(taker, instrument, u, not sells))
        size = dice.part(most, 30, 100) if dice.chance(90) else resting.left + WAD // 10
        size = self._exact(size, instrument)
        if not size or taker == maker.account:
            return
        order = self._order(taker, instrument, -size if sells else size, maker.limit_price, dice)
        if self._settle(order, [maker], [size], dice) and resting.left > size:
            self.resting.append(Resting(maker, resting.left - size))

    def _is_alive(self, order: Order) -> bool:
        held = self.world.model.exchange.lane(order.account, order.lane)
        return order.sequence == held.sequence and order.expiry >= self.world.now

    def cancel(self, dice: Dice) -> None:
        """A lane of an account; now and then one that is past the sequence."""
        account, lane = dice.pick(self.world.accounts), dice.integer(0, LANES - 1)
        held = self.world.model.exchange.lane(account, lane).sequence
        nonce = lane << 64 | max(held + dice.integer(-1, 1), 0)
        caller, world = owner_of(account), self.world
        world.begin_call()
        with self._measured((), sole=caller) as found:
            found["ok"] = self._both(
                lambda: world.exchange.cancel(account, nonce, sender=caller),
                lambda: world.model.exchange.cancel(caller, account, nonce),
            )

    # ---- Prices and time --------------------------------------------------------------------------

    def drift(self, dice: Dice) -> None:
        """Prices move a little, with or without the aggregators, and markets have premiums."""
        moves = {u: dice.integer(-150, 150) for u in MARKETS}
        moves[USD] = dice.integer(-30, 30) if dice.chance(20) else 0
        self._report(moves, premium=dice.integer(-1500, 1500), spread=dice.integer(0, 30))

    def crash(self, dice: Dice) -> None:
        """Prices move by much, both sources see it, and keepers may come at once."""
        move = dice.integer(400, 1300) * (1 if dice.chance(50) else -1)
        beta = dice.integer(-20, 120)
        moves = {USD: 0, ETH: move, BTC: move * beta // 100}
        self._report(self._home(moves), premium=dice.integer(-1500, 1500))
        for _ in range(dice.integer(0, 3)):
            if self.can_liquidate():
                self._rule = "liquidate"
                self.world.check()
                self.liquidate(dice)

    def _home(self, moves: dict[int, int]) -> dict[int, int]:
        """Turns moves round that would carry a price too far from where it began."""
        for u, move in moves.items():
            ratio = self.world.prices.price(u) * 100 // START[u]
            if (ratio > 250 and move > 0) or (ratio < 40 and move < 0):
                moves[u] = -move
        return moves

    def suspect(self, dice: Dice) -> None:
        """Only an aggregator, or only the publishers, see a price: a jump is suspect at first."""
        u = dice.pick(MARKETS)
        move = dice.integer(800, 2500) * (1 if dice.chance(50) else -1)
        price = self.world.prices.price(u)
        moved = price + price * self._home({u: move})[u] // 10_000
        if dice.chance(60):
            self.world.answer(u, moved)
            self._refresh({u: SILENT})
        else:
            self.world.advance(3600 * 25)  # the aggregators have fallen silent
            self._refresh({USD: SILENT, u: self.world.prices.report(u, moved, 0, 0)})
        self._count(None)

    def _report(self, moves: dict[int, int], *, premium: int, spread: int = 2) -> None:
        """Both sources of every feed report, after moves in 1e-4."""
        prices = self.world.prices
        for u, move in moves.items():
            price = prices.price(u)
            self.world.answer(u, price + price * move // 10_000)
        self.world.begin_call()
        reported = {
            u: prices.report(u, prices.price(u), spread, premium) if u else SILENT for u in FEEDS
        }
        self._refresh(reported)
        self._count(None)

    def _refresh(self, reported: dict[int, Reported]) -> None:
        """A refresh that must succeed; books and equities of others than perpetuals stand still."""
        world = self.world
        world.begin_call()
        real, seen = world.updates(reported)
        refusal = world.both(lambda: world.oracle.refresh(real), lambda: world.model.refresh(seen))
        require(refusal is None, "I10: a refresh is refused", refusal)

    def _stale(self) -> bool:
        now, feeds = self.world.now, self.world.model.feeds
        return any(not feeds.snapshot(u).is_fresh(now) for u in FEEDS)

    def _current(self, premium: int = 0) -> dict[int, Reported]:
        """The prices that stand, reported anew."""
        prices = self.world.prices
        return {u: prices.report(u, prices.price(u), 1, premium) if u else SILENT for u in FEEDS}

    def _freshen(self, dice: Dice) -> None:
        """Mostly see to it that prices are fresh."""
        if self._stale() and dice.chance(85):
            for u in FEEDS:
                self.world.answer(u, self.world.prices.price(u))
            self.world.begin_call()
            self._refresh(self._current())

    def _needed_updates(self, dice: Dice) -> tuple[list[Any], Updates]:
        """Updates that a submitter sends along: mostly where prices are stale."""
        if not (self._stale() and dice.chance(85)) and not dice.chance(5):
            return [], []
        for u in FEEDS:
            self.world.answer(u, self.world.prices.price(u))
        self.world.begin_call()
        return self.world.updates(self._current(dice.integer(-500, 500)))

    def wait(self, dice: Dice) -> None:
        """Time passes: a block, an hour, days."""
        longest = dice.pick((60, 600, 1800, 7200, 86_400, 864_000))
        self.world.advance(dice.integer(1, longest))
        self._count(None)

    # ---- Anybody's calls --------------------------------------------------------------------------

    def settle(self, dice: Dice) -> None:
        account, world = dice.pick(self.world.accounts), self.world
        sender = dice.pick([*world.owners.values()])
        world.begin_call()
        with self._measured((account,)) as found:
            found["ok"] = self._both(
                lambda: world.house.settle(account, sender=sender),
                lambda: world.model.house.settle(account),
            )
        before, after = found["before"].equities[account], found["after"].equities[account]
        require(abs(after - before) <= DUST, "I9: settling changes equity", before, after)

    def collect_reserve(self, dice: Dice) -> None:
        world = self.world
        sender = dice.pick([*world.owners.values()])
        world.begin_call()
        with self._measured(()) as found:
            found["ok"] = self._both(
                lambda: world.house.collectReserve(sender=sender),
                world.model.house.collect_reserve,
            )

    def can_liquidate(self) -> bool:
        return bool(self._unhealthy())

    def liquidate(self, dice: Dice) -> None:
        """An unhealthy account by anybody with an account, all of it or a part; now and then with
        a witness, or a healthy account."""
        weak = self._unhealthy()
        account = dice.pick(self.world.accounts if dice.chance(6) else weak)
        self._liquidate(account, dice)

    def _liquidate(self, account: AccountId, dice: Dice) -> None:
        world = self.world
        able = [one for one in self._rich() if one != account]
        keepers = [one for one in able if one in world.accounts[7:10]]
        into = dice.pick(keepers if keepers and dice.chance(70) else able or world.accounts)
        fraction = WAD if dice.chance(50) else dice.part(WAD, 1, 60)
        witness = self._best_witness(account) if dice.chance(30) else 0
        least = dice.part(100 * WAD) if dice.chance(8) else 0
        world.begin_call()
        real_updates, seen = self._needed_updates(dice)
        caller = owner_of(into)
        deal: list[Any] = []

        def model() -> None:
            terms = {"fraction": fraction, "min_value": least, "witness": witness}
            deal.append(world.model.liquidate(caller, account, into, updates=seen, **terms))

        with self._measured((account, into), seen) as found:
            found["ok"] = self._both(
                lambda: world.liquidator.liquidate(
                    account, into, fraction, least, witness, real_updates, sender=caller
                ),
                model,
            )
        if found["ok"]:
            self.tally.liquidations += 1
            worth: tuple[Worth, Worth] = found["before"], found["after"]
            taken = deal[0].fraction
            self.invariants.check_liquidated(account, found["margins"][account], taken, worth)
            del found["margins"][account]
            self._gates(found)

    def _unhealthy(self) -> list[AccountId]:
        """Accounts under their maintenance margin that are not bankrupt."""
        found = []
        for account in self.world.accounts:
            if self.world.model.house.state.account(account).words:
                margin = self._margin(account)
                if 0 <= margin.equity < margin.maintenance:
                    found.append(account)
        return found

    def _best_witness(self, account: AccountId) -> int:
        house = self.world.model.house
        return max(
            range(1, COLUMNS + 1), key=lambda mode: house.margin(account, mode).maintenance
        )

    # ---- What nobody may do -------------------------------------------------------------------------

    def intrude(self, dice: Dice) -> None:
        """A stranger tries what only others may: all of it is refused, and for that reason."""
        world, house, model = self.world, self.world.house, self.world.model
        thief = world.owners["stranger"]
        victim, mine = dice.pick(world.accounts[:-1]), world.accounts[-1]
        asset, amount = dice.pick((CASH, WETH, WBTC)), 1 + dice.part(10**8)
        u = dice.pick(MARKETS)
        price = model.feeds.snapshot(u).mark
        orders = [
            self._order(account, PERPS[u], size, price, dice)
            for account, size in ((mine, WAD), (victim, -WAD))
        ]
        orders = [replace(order, max_fee=MAX_FEE, expiry=FOREVER) for order in orders]
        forged = [world.signed(order, thief) for order in orders]
        nonce = orders[1].nonce
        real = forged[0][0], [forged[1][0]], [WAD], []
        modelled = forged[0][1], [forged[1][1]], [WAD]
        attempts: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
            (
                "Clearinghouse_NotOwner",
                lambda: house.withdraw(victim, asset, amount, thief, sender=thief),
                lambda: model.house.withdraw(thief, victim, asset, amount, thief),
            ),
            (
                "Clearinghouse_NotOwner",
                lambda: house.transfer(victim, mine, asset, amount, sender=thief),
                lambda: model.house.transfer(thief, victim, mine, asset, amount),
            ),
            (
                "Exchange_NotOwner",
                lambda: world.exchange.cancel(victim, nonce, sender=thief),
                lambda: model.exchange.cancel(thief, victim, nonce),
            ),
            (
                "Exchange_InvalidSignature",
                lambda: world.exchange.settle(*real, sender=thief),
                lambda: model.settle(*modelled),
            ),
            (
                "Liquidator_NotOwner",
                lambda: world.liquidator.liquidate(mine, victim, WAD, 0, 0, [], sender=thief),
                lambda: model.liquidate(thief, mine, victim, fraction=WAD),
            ),
            (
                "Clearinghouse_NotOracle",
                lambda: house.setFundingRate(u, price, sender=thief),
                lambda: model.house.set_funding_rate(thief, u, price),
            ),
            (
                "Clearinghouse_NotOwner",
                lambda: house.selectEngine(victim, 0, sender=thief),
                lambda: model.house.select_engine(thief, victim, 0),
            ),
        ]
        error, call, mirrored = dice.pick(attempts)
        world.begin_call()
        refusal = world.both(call, mirrored)
        require(refusal is not None and refusal.name == error, "I9: a stranger", error, refusal)
        self.tally.tried["intrude"] += 1

