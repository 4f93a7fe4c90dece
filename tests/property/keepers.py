"""Rules: what anybody may call, and what nobody may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.clearinghouse import Slice, Trade
from ballast.model.exchange import MAX_FEE
from ballast.risk.scenarios import COLUMNS
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.invariants import DUST, Worth
from tests.property.orders import Orders
from tests.property.play import FOREVER, PERPS, sole_owner
from tests.property.prices import SILENT
from tests.property.world import CASH, MARKETS, WBTC, WETH, owner_of, require


class Keepers(Orders):
    """Settlement, liquidation, and strangers."""

    def settle(self, dice: Dice) -> None:
        account = dice.pick(self.world.accounts)
        self._settle_account(account, dice.pick([*self.world.owners.values()]))

    def _settle_account(self, account: AccountId, sender: str) -> None:
        world = self.world
        world.begin_call()
        with self._measured((account,)) as found:
            found["ok"] = self._both(
                lambda: world.house.settle(account, sender=sender),
                lambda: world.model.house.settle(account),
            )
        require(found["ok"], "I12: settling is refused", account)
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

    def can_liquidate_at_last_prices(self) -> bool:
        return self.can_liquidate()

    def liquidate_at_last_prices(self, dice: Dice) -> None:
        """While feeds are stale or one is suspect, and nobody brings them up to date."""
        account = min(self._unhealthy(), key=self._health)
        if not self._stale():
            self._spoil(self._perps_of(account) or MARKETS, dice)
        if account in self._unhealthy():
            self._liquidate(account, dice, updated=False)

    def _health(self, account: AccountId) -> int:
        """The better, the lower."""
        margin = self._margin(account)
        return -margin.equity * WAD // margin.maintenance

    def _perps_of(self, account: AccountId) -> list[int]:
        words = self.world.model.house.state.account(account).words
        return [word_of.ident(w) for w in words if word_of.kind(w) == word_of.KIND_PERP]

    def _spoil(self, feeds: Sequence[int], dice: Dice) -> None:
        """Feeds fall silent for hours, or an aggregator alone says something absurd."""
        world = self.world
        if dice.chance(20):
            world.advance(dice.integer(3601, 10_000))
            return
        u = dice.pick(feeds)
        price = world.prices.price(u)
        absurd = price + price * (1 if dice.chance(50) else -1) * dice.integer(15, 25) // 100
        world.advance(12)
        world.answer(u, absurd)
        self._refresh({u: SILENT})
        world.answer(u, price)
        world.check()
        world.advance(dice.integer(1, 3600) if dice.chance(40) else 1)

    def _liquidate(self, account: AccountId, dice: Dice, *, updated: bool = True) -> None:
        world = self.world
        able = [one for one in self._rich() if one != account]
        keepers = [one for one in able if one in world.accounts[7:10]]
        into = dice.pick(keepers if keepers and dice.chance(70) else able or world.accounts)
        fraction = WAD if dice.chance(50) else dice.part(WAD, 1, 60)
        witness = self._best_witness(account) if dice.chance(25) else 0
        if dice.chance(8):
            witness = dice.integer(1, COLUMNS)
        least = dice.part(100 * WAD) if dice.chance(8) else 0
        world.begin_call()
        real_updates, seen = self._needed_updates(dice) if updated else ([], [])
        caller = owner_of(into)
        deal: list[Any] = []

        def model() -> None:
            terms = {"fraction": fraction, "min_value": least, "witness": witness}
            deal.append(world.model.liquidate(caller, account, into, updates=seen, **terms))

        both = (account, into)
        has_options = self.invariants.options.are_held(account)
        with self._measured(both, seen, sole=sole_owner(both)) as found:
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
            flagged = self.proofs.alive(account, world.now)
            proven = self.proofs.prove(account, world.now) if flagged else 0
            if has_options:
                self.tally.seen["options liquidated"] += 1
                self.tally.seen["options liquidated after proven time"] += proven > 0
                self.tally.seen["options liquidated on old prices"] += self._stale()
            self.invariants.check_liquidated(
                account, found["margins"][account], taken, worth, proven
            )
            if account not in world.model.house.state.flags:
                self.proofs.forget(account)
            del found["margins"][account]
            self._gates(found)

    def can_flag(self) -> bool:
        return self.can_liquidate()

    def flag(self, dice: Dice) -> None:
        """Anybody proves an account unhealthy, once or every few minutes for a while."""
        account, sender = dice.pick(self._unhealthy()), dice.pick([*self.world.owners.values()])
        for again in range(dice.integer(1, 4)):
            if again:
                self.world.advance(dice.integer(1, 600))
            self._flag(account, dice, sender)

    def _flag(self, account: AccountId, dice: Dice, sender: str | None = None) -> None:
        """One proof, by the stranger if nobody is named."""
        world, by = self.world, sender or self.world.owners["stranger"]
        witness = self._best_witness(account) if dice.chance(25) else 0
        world.begin_call()
        before = self.invariants.margin(account)
        passed = self._both(
            lambda: world.liquidator.flag(account, witness, [], sender=by),
            lambda: world.model.flag(account, witness=witness),
        )
        if passed:
            has_options = self.invariants.options.are_held(account)
            self.tally.seen["options flagged"] += has_options
            require(before.equity < before.maintenance, "I11: only at E < MM", before)
            credit = self.invariants.credit(account)
            require(before.credit <= credit, "I11: credited too much", before, credit)
            stored = world.model.house.state.flags[account].proven
            mine = self.proofs.prove(account, world.now)
            require(stored == mine, "I11: the clock counts proven time", stored, mine)
        world.check()

    def can_clear_flag(self) -> bool:
        return bool(self.world.model.house.state.flags)

    def clear_flag(self, dice: Dice) -> None:
        """Anybody clears a flag, mostly after the owner topped the account up."""
        world = self.world
        account = dice.pick([*world.model.house.state.flags])
        self._freshen(dice)
        if dice.chance(70):
            self._top_up(account)
        self._clear(account, dice)

    def can_clear_flag_narrowly(self) -> bool:
        return self.can_clear_flag()

    def clear_flag_narrowly(self, dice: Dice) -> None:
        """After the owner deposited about what the account lacks of its margin-call level."""
        account = dice.pick([*self.world.model.house.state.flags])
        self._freshen(dice)
        self._top_up(account, dice.integer(40, 180))
        self._clear(account, dice)

    def _clear(self, account: AccountId, dice: Dice) -> None:
        world = self.world
        sender = dice.pick([*world.owners.values()])
        world.begin_call()
        cleared = self._both(
            lambda: world.liquidator.clearFlag(account, [], sender=sender),
            lambda: world.model.clear_flag(account),
        )
        if cleared:
            margin = self._margin(account)
            require(margin.fresh and margin.equity >= margin.margin_call, "I11: cleared", margin)
            self.proofs.forget(account)

    def _top_up(self, account: AccountId, percent: int = 100) -> None:
        """Its owner deposits what it lacks of its margin-call level, or a part of that."""
        margin, house, model = self._margin(account), self.world.house, self.world.model.house
        missing = max(0, margin.margin_call - margin.equity) * percent // 100 // 10**12 + 1
        caller = owner_of(account)
        self.world.begin_call()
        self.world.both(
            lambda: house.deposit(account, CASH, missing, sender=caller),
            lambda: model.deposit(caller, account, CASH, missing),
        )

    def _best_witness(self, account: AccountId) -> int:
        house = self.world.model.house
        return max(range(1, COLUMNS + 1), key=lambda mode: house.margin(account, mode).maintenance)

    # ---- What nobody may do ----

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
                "Exchange_NotPermitted",
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
                "Clearinghouse_NotExchange",
                lambda: house.applyTrade(PERPS[u], mine, 0, False, [], sender=thief),
                lambda: model.house.apply_trade(thief, Trade(PERPS[u], mine, ())),
            ),
            (
                "Clearinghouse_NotLiquidator",
                lambda: house.transferSlice((victim, mine, WAD, 0, 0, 0, 0), sender=thief),
                lambda: model.house.transfer_slice(thief, Slice(victim, mine, WAD, 0, 0)),
            ),
            (
                "Clearinghouse_NotOracle",
                lambda: house.setFundingRate(u, price, sender=thief),
                lambda: model.house.set_funding_rate(thief, u, price),
            ),
            (
                "Clearinghouse_NotPermitted",
                lambda: house.selectEngine(victim, 0, sender=thief),
                lambda: model.house.select_engine(thief, victim, 0),
            ),
        ]
        error, call, mirrored = dice.pick(attempts)
        world.begin_call()
        refusal = world.both(call, mirrored)
        require(refusal is not None and refusal.name == error, "I9: a stranger", error, refusal)
        self.tally.tried["intrude"] += 1
