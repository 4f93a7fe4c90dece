"""Rules: what owners let others do, what those do with it, and orders that are taken back."""

from __future__ import annotations

from dataclasses import replace

from ballast.codec import AccountId
from ballast.model.exchange import RECALLABLE, Order
from ballast.permissions import Permission
from tests.property.dice import Dice
from tests.property.money import Money
from tests.property.orders import Orders
from tests.property.play import LANES, PERPS
from tests.property.world import MARKETS, WBTC, WETH, owner_of

ONE_EACH = (
    Permission.TRADE,
    Permission.DEPOSIT,
    Permission.TRANSFER,
    Permission.WITHDRAW,
    Permission.MANAGE,
)
DAY = 86_400


class Delegates(Money, Orders):
    """Delegates, inside and outside of what they may do."""

    def set_delegate(self, dice: Dice) -> None:
        """By the owner, for a while or for a time that is over: that revokes. Now and then by the
        delegate itself, or for a permission that does not exist. Never to the stranger."""
        account = dice.pick(self.world.accounts)
        owners = self.world.owners
        delegate = owners[dice.pick([role for role in owners if role != "stranger"])]
        permissions = 32 if dice.chance(4) else int(Permission.ALL)
        if dice.chance(50):
            permissions = dice.integer(0, int(Permission.ALL))
        expiry = self.world.now + dice.integer(-1, dice.pick((0, 60, DAY, 10 * DAY)))
        caller = delegate if dice.chance(5) else owner_of(account)
        house, model = self.world.house, self.world.model.house
        self.world.begin_call()
        with self._measured((), sole=caller) as found:
            found["ok"] = self._both(
                lambda: house.setDelegate(account, delegate, permissions, expiry, sender=caller),
                lambda: model.set_delegate(caller, account, delegate, permissions, expiry),
            )

    def can_act_for_another(self) -> bool:
        return bool(self.world.model.house.state.mandates)

    def act_for_another(self, dice: Dice) -> None:
        """A delegate uses a permission, mostly one that it has."""
        self._freshen(dice)
        account, delegate = self._mandate(dice)
        allowed = self.world.model.house.is_permitted
        mine = [one for one in ONE_EACH if allowed(account, delegate, one)]
        wanted = dice.pick(mine if mine and dice.chance(85) else ONE_EACH)
        acts = {
            Permission.TRADE: self._take_back,
            Permission.DEPOSIT: self._deposit_for,
            Permission.TRANSFER: self._transfer_for,
            Permission.WITHDRAW: self._withdraw_for,
            Permission.MANAGE: self._select_for,
        }
        acts[wanted](delegate, account, dice)

    def _mandate(self, dice: Dice, wanted: Permission = Permission.NONE) -> tuple[AccountId, str]:
        """One that was given to another than the owner, mostly one that holds and permits it."""
        alive = self._mandates(wanted)
        given = self.world.model.house.state.mandates
        return dice.pick(alive if alive and dice.chance(85) else [*given])

    def _mandates(self, wanted: Permission) -> list[tuple[AccountId, str]]:
        """Those that hold, and permit this to another than the owner."""
        return [
            whom
            for whom, (permissions, expiry) in self.world.model.house.state.mandates.items()
            if permissions & wanted == wanted
            and expiry >= self.world.now
            and owner_of(whom[0]) != whom[1]
        ]

    def _take_back(self, delegate: str, account: AccountId, dice: Dice) -> None:
        lane = dice.integer(0, LANES - 1)
        held = self.world.model.exchange.lane(account, lane).sequence
        self._cancel(delegate, account, lane << 64 | held)

    def _deposit_for(self, delegate: str, account: AccountId, dice: Dice) -> None:
        """Mostly an asset that the account does not hold."""
        held = self._held(account)
        others = [asset for asset in (WETH, WBTC) if asset not in held]
        asset = dice.pick(others or [WETH, WBTC])
        self._pay_in(delegate, account, asset, 1 + self._amount(asset, dice, 5))

    def _transfer_for(self, delegate: str, account: AccountId, dice: Dice) -> None:
        """To an account of the same owner, now and then to one of the delegate."""
        asset = self._asset_of(account, dice)
        amount = self._available(account, asset, dice)
        sibling = AccountId.make(owner_of(account), account.index ^ 1)
        mine = [one for one in self.world.accounts if owner_of(one) == delegate]
        known = [one for one in self.world.accounts if one == sibling]
        if known and not dice.chance(15):
            self._move(delegate, account, known[0], asset, amount)
        else:
            self._move(delegate, account, dice.pick(mine), asset, amount)

    def _withdraw_for(self, delegate: str, account: AccountId, dice: Dice) -> None:
        """To the owner, now and then to the delegate."""
        asset = self._asset_of(account, dice)
        amount = self._available(account, asset, dice)
        to = delegate if dice.chance(15) else owner_of(account)
        self._pay_out(delegate, account, asset, amount, to)

    def _select_for(self, delegate: str, account: AccountId, dice: Dice) -> None:
        house, model = self.world.house, self.world.model.house
        engine = 200 if dice.chance(5) else 0
        self.world.begin_call()
        with self._measured((account,), sole=delegate) as found:
            found["ok"] = self._both(
                lambda: house.selectEngine(account, engine, sender=delegate),
                lambda: model.select_engine(delegate, account, engine),
            )
        self._gates(found)

    # ---- Orders -------------------------------------------------------------------------------

    def can_trade_for_another(self) -> bool:
        return bool(self._mandates(Permission.TRADE))

    def trade_for_another(self, dice: Dice) -> None:
        """An order that a delegate signed, on either side, against one of its owner."""
        account, delegate = self._mandate(dice, Permission.TRADE)
        self._trade_two(account, dice, {account: delegate})

    def trade_recallable(self, dice: Dice) -> None:
        """An order in a lane that obeys the floor, around the floor."""
        self._trade_two(dice.pick(self._rich()), dice, {}, recallable=True)

    def _trade_two(
        self,
        account: AccountId,
        dice: Dice,
        signers: dict[AccountId, str],
        *,
        recallable: bool = False,
    ) -> None:
        u, buys = dice.pick(MARKETS), dice.chance(50)
        others = [one for one in self._rich() if one != account] or [self.world.accounts[0]]
        other = dice.pick(others)
        rooms = self._room(account, PERPS[u], u, buys), self._room(other, PERPS[u], u, not buys)
        size = dice.part(min(rooms), 5, 100)
        if not size or other == account:
            return
        price = self._price(PERPS[u], u, dice)
        mine = self._order(account, PERPS[u], size if buys else -size, price, dice)
        theirs = self._order(other, PERPS[u], -mine.size, price, dice)
        if recallable:
            mine = self._recallable(mine, dice)
        taker, maker = (mine, theirs) if dice.chance(50) else (theirs, mine)
        self._settle(taker, [maker], [size], dice, signers)

    def _recallable(self, order: Order, dice: Dice) -> Order:
        """The order in the same lane, but for its highest bit."""
        exchange, nonce = self.world.model.exchange, order.nonce | RECALLABLE
        held = exchange.lane(order.account, nonce >> 64).sequence
        least = exchange.floor_of(order.account) - dice.chance(25)
        return replace(order, nonce=nonce >> 64 << 64 | max(held + 1, least))

    def recall(self, dice: Dice) -> None:
        """By the owner or a delegate; now and then to a floor that does not rise, or by nobody."""
        account, caller = self._canceller(dice)
        floor = self.world.model.exchange.floor_of(account)
        sequence = floor + dice.integer(0, 4)
        world = self.world
        world.begin_call()
        with self._measured((), sole=caller) as found:
            found["ok"] = self._both(
                lambda: world.exchange.recall(account, sequence, sender=caller),
                lambda: world.model.exchange.recall(caller, account, sequence),
            )

    def cancel_many(self, dice: Dice) -> None:
        """Several lanes at once, some of them past the sequence, some recallable."""
        account, caller = self._canceller(dice)
        nonces = []
        for _ in range(dice.integer(0, 4)):
            lane = dice.integer(0, LANES - 1) | (dice.chance(30) * RECALLABLE >> 64)
            held = self.world.model.exchange.lane(account, lane).sequence
            nonces.append(lane << 64 | max(held + dice.integer(-1, 1), 0))
        world = self.world
        world.begin_call()
        with self._measured((), sole=caller) as found:
            found["ok"] = self._both(
                lambda: world.exchange.cancelMany(account, nonces, sender=caller),
                lambda: world.model.exchange.cancel_many(caller, account, nonces),
            )

    def _canceller(self, dice: Dice) -> tuple[AccountId, str]:
        """An account, and its owner, a delegate, or seldom a stranger."""
        if self.can_act_for_another() and dice.chance(40):
            return self._mandate(dice, Permission.TRADE)
        account = dice.pick(self.world.accounts)
        caller = self.world.owners["stranger"] if dice.chance(5) else owner_of(account)
        return account, caller
