"""Rules: several calls of one owner in a batch, whose margins are checked at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.exchange import SignedOrder
from tests.property.dice import Dice
from tests.property.money import Money
from tests.property.orders import Orders
from tests.property.play import PERPS, sole_owner
from tests.property.world import CASH, MARKETS, WBTC, WETH, owner_of

MOST = 4  # actions; fewer than lanes, for each action has a lane of its own


@dataclass(frozen=True)
class Action:
    """One call of a batch: as calldata and on the model.

    `touched` are the accounts that it may change, `checked` those of them that it may weaken.
    """

    data: bytes
    model: Callable[[], Any]
    touched: Sequence[AccountId]
    checked: Sequence[AccountId] = ()


MakeAction = Callable[[int, str, Sequence[AccountId], Dice], Action | None]
"""A call with its number in the batch, by a caller, on one of the caller's accounts."""


class Batches(Money, Orders):
    """Batches in any order of their calls."""

    def batch(self, dice: Dice) -> None:
        """Deposits, withdrawals, transfers, trades of one owner, some of whom are in need."""
        self._batch((), dice)

    def _batch(self, more: Sequence[MakeAction], dice: Dice) -> None:
        """A batch of the usual calls, and more kinds of them."""
        weak = self._needy() if dice.chance(30) else self.world.accounts[:-1]
        caller = owner_of(dice.pick(weak))
        mine = [one for one in self.world.accounts if owner_of(one) == caller]
        acts: Sequence[MakeAction] = (
            self._a_deposit,
            self._a_payment,
            self._a_transfer,
            self._a_trade,
            self._a_trade,
            *more,
        )
        count = 1 + dice.integer(0, MOST - 1)
        chosen = [
            self._a_choice(caller, mine, dice)
            if dice.chance(4)
            else dice.pick(acts)(number, caller, mine, dice)
            for number in range(count)
        ]
        self._run(caller, [action for action in chosen if action], dice)

    def _run(self, caller: str, actions: Sequence[Action], dice: Dice) -> None:
        house, model = self.world.house, self.world.model
        real, seen = self._needed_updates(dice)
        self.world.begin_call()
        touched = [account for action in actions for account in action.touched]
        with self._measured(
            dict.fromkeys(touched), seen, sole=self._sole(caller, touched)
        ) as found:
            found["ok"] = self._both(
                lambda: house.multicall(real, [action.data for action in actions], sender=caller),
                lambda: model.multicall([action.model for action in actions], seen),
            )
        checked = {account for action in actions for account in action.checked}
        before = found["margins"]
        # An account that owed more than it had may be lifted by one call and reduced by the next.
        found["margins"] = {one: before[one] for one in checked if before[one].equity >= 0}
        self._gates(found)

    @staticmethod
    def _sole(caller: str, touched: Sequence[AccountId]) -> str | None:
        """The caller, if nobody else's account is in it."""
        return caller if not touched or sole_owner(touched) == caller else None

    # ---- Calls --------------------------------------------------------------------------------

    def _a_deposit(
        self, _number: int, caller: str, mine: Sequence[AccountId], dice: Dice
    ) -> Action:
        house, model = self.world.house, self.world.model.house
        account, asset = dice.pick(mine), dice.pick((CASH, CASH, WETH, WBTC))
        amount = 1 + self._amount(asset, dice, 10)
        data = house.deposit.encode(account, asset, amount)
        return Action(data, lambda: model.deposit(caller, account, asset, amount), [account])

    def _a_payment(
        self, _number: int, caller: str, mine: Sequence[AccountId], dice: Dice
    ) -> Action:
        """A withdrawal of what the account could spare alone, or of a little more."""
        house, model = self.world.house, self.world.model.house
        account = dice.pick(mine)
        asset = self._asset_of(account, dice)
        amount = 1 + self._available(account, asset, dice)
        data = house.withdraw.encode(account, asset, amount, caller)
        call = lambda: model.withdraw(caller, account, asset, amount, caller)  # noqa: E731
        return Action(data, call, [account], [account])

    def _a_transfer(
        self, number: int, caller: str, mine: Sequence[AccountId], dice: Dice
    ) -> Action | None:
        """Between accounts of the owner; a trade for those who have only one."""
        if len(mine) == 1:
            return self._a_trade(number, caller, mine, dice)
        house, model = self.world.house, self.world.model.house
        source, to = mine if dice.chance(50) else mine[::-1]
        asset = self._asset_of(source, dice)
        amount = 1 + self._available(source, asset, dice)
        data = house.transfer.encode(source, to, asset, amount)
        call = lambda: model.transfer(caller, source, to, asset, amount)  # noqa: E731
        return Action(data, call, [source, to], [source])

    def _a_choice(self, caller: str, mine: Sequence[AccountId], dice: Dice) -> Action:
        house, model = self.world.house, self.world.model.house
        account = dice.pick(mine)
        data = house.selectEngine.encode(account, 0)
        call = lambda: model.select_engine(caller, account, 0)  # noqa: E731
        return Action(data, call, [account], [account])

    def _a_trade(
        self, number: int, _caller: str, mine: Sequence[AccountId], dice: Dice
    ) -> Action | None:
        """Against a maker of another or of the same owner, with or against the position."""
        taker, u = dice.pick(mine), dice.pick(MARKETS)
        return self._trade_of(number, taker, mine, PERPS[u], dice)

    def _trade_of(
        self, number: int, taker: AccountId, mine: Sequence[AccountId], instrument: int, dice: Dice
    ) -> Action | None:
        u, buys = word_of.ident(instrument), dice.chance(50)
        others = [one for one in self._rich() if one != taker] or [self.world.accounts[0]]
        siblings = [one for one in mine if one != taker]
        maker = dice.pick(siblings if siblings and dice.chance(20) else others)
        rooms = self._room(taker, instrument, u, buys), self._room(maker, instrument, u, not buys)
        room = min(rooms)
        size = 1 + dice.part(room or 10**17, 5, 80)
        if maker == taker:
            return None
        price = self._price(instrument, u, dice)
        orders = [
            replace(order, nonce=number << 64 | self._next_sequence(order.account, number))
            for order in (
                self._order(taker, instrument, size if buys else -size, price, dice),
                self._order(maker, instrument, -size if buys else size, price, dice),
            )
        ]
        (taken, mirrored), (made, made_mirror) = [self.world.signed(order) for order in orders]
        data = self.world.house.settleOrders.encode(taken, [made], [size])
        both = [taker, maker]
        return Action(data, lambda: self._settled(mirrored, made_mirror, size), both, both)

    def _settled(self, taker: SignedOrder, maker: SignedOrder, size: int) -> None:
        self.world.model.exchange.settle(taker, [maker], [size])

    def _next_sequence(self, account: AccountId, lane: int) -> int:
        return self.world.model.exchange.lane(account, lane).sequence + 1
