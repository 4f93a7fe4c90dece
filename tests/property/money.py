"""Rules: deposits, withdrawals, transfers."""

from __future__ import annotations

from ballast.codec import AccountId
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.play import DECIMALS, FEED_OF, Play
from tests.property.world import CASH, WBTC, WETH, owner_of


class Money(Play):
    """Money in, out and across."""

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
        self._pay_out(caller, account, asset, amount, to)

    def _pay_out(self, caller: str, account: AccountId, asset: int, amount: int, to: str) -> None:
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
        self._move(owner_of(account), account, target, asset, amount)

    def _move(
        self, caller: str, account: AccountId, target: AccountId, asset: int, amount: int
    ) -> None:
        house, model = self.world.house, self.world.model.house
        self.world.begin_call()
        with self._measured((account, target), sole=caller) as found:
            found["ok"] = self._both(
                lambda: house.transfer(account, target, asset, amount, sender=caller),
                lambda: model.transfer(caller, account, target, asset, amount),
            )
        del found["margins"][target]
        self._gates(found)

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
