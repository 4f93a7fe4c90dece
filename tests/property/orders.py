"""Orders as the rules make, price, sign and settle them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.model.exchange import MAX_FEE, Order
from ballast.model.refusal import Refused
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.play import DECIMALS, FOREVER, LANES, Play, sole_owner

NOBODY_ELSE: Mapping[AccountId, str] = MappingProxyType({})


class Orders(Play):
    """What trades are made of."""

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
        self,
        taker: Order,
        makers: Sequence[Order],
        sizes: Sequence[int],
        dice: Dice,
        signers: Mapping[AccountId, str] = NOBODY_ELSE,
    ) -> bool:
        """Settle orders; anybody submits them, with fresh prices where they are needed. Owners sign
        but for the accounts of `signers`."""
        world = self.world
        world.begin_call()
        sender = dice.pick([*world.owners.values()])
        real_updates, seen = self._needed_updates(dice)
        pairs = [world.signed(one, signers.get(one.account)) for one in (taker, *makers)]
        (real_taker, model_taker), rest = pairs[0], pairs[1:]
        real_makers, model_makers = [real for real, _ in rest], [model for _, model in rest]
        touched = {taker.account, *(maker.account for maker in makers)}
        with self._measured(touched, seen, sole=sole_owner(touched)) as found:
            found["ok"] = self._both(
                lambda: world.exchange.settle(
                    real_taker, real_makers, list(sizes), real_updates, sender=sender
                ),
                lambda: world.model.settle(model_taker, model_makers, sizes, seen),
            )
        self._gates(found)
        return bool(found["ok"])

    def _cancel(self, caller: str, account: AccountId, nonce: int) -> None:
        world = self.world
        world.begin_call()
        with self._measured((), sole=caller) as found:
            found["ok"] = self._both(
                lambda: world.exchange.cancel(account, nonce, sender=caller),
                lambda: world.model.exchange.cancel(caller, account, nonce),
            )

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
        if word_of.kind(instrument) != word_of.KIND_COLLATERAL:
            return size
        unit = 10 ** (18 - DECIMALS[word_of.ident(instrument)])
        return size // unit * unit

    def _price(self, instrument: int, u: int, dice: Dice) -> int:
        """Around the fair price; now and then near the band."""
        if word_of.kind(instrument) == word_of.KIND_OPTION:
            return self._premium(instrument, u, dice)
        snapshot = self.world.model.feeds.snapshot(u)
        perp = word_of.kind(instrument) == word_of.KIND_PERP
        fair = snapshot.mark if perp else snapshot.price
        width = 1200 if dice.chance(8) else 40
        return fair + fair * dice.integer(-width, width) // 10_000

    def _premium(self, series: int, u: int, dice: Dice) -> int:
        """Around the fair price of an option, within 0.2 % of the spot; now and then near 2.5 %."""
        house, spot = self.world.model.house, self.world.model.feeds.snapshot(u).price
        try:
            fair, _ = house.engine(0).fair_price(series, self.world.now)
        except Refused:
            fair = 0  # nobody ever said what it is worth
        width = 250 if dice.chance(8) else 20
        return max(fair + spot * dice.integer(-width, width) // 10_000, 0)

    def _is_alive(self, order: Order) -> bool:
        held = self.world.model.exchange.lane(order.account, order.lane)
        option = word_of.kind(order.instrument) == word_of.KIND_OPTION
        until = word_of.expiry_of(order.instrument) - 1 if option else order.expiry
        return order.sequence == held.sequence and min(order.expiry, until) >= self.world.now
