"""The Exchange: lanes, fees, crossing, settlement. A signature is the signer it recovers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ballast.codec import AccountId, Kind
from ballast.model.clearinghouse import Clearinghouse, Fill, Trade
from ballast.model.refusal import require
from ballast.model.state import Lane, State, atomic
from ballast.permissions import Permission
from ballast.units import WAD, mul_ceil

MAX_FEE = WAD // 1000
MAX_SEQUENCE = 2**64 - 1
RECALLABLE = 1 << 255  # the highest bit of a nonce: the account's floor applies
CANCELLED = 2**128 - 1  # nothing is left of a sequence that is filled to the brim


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order; sizes, prices and ratios in WAD, expiry in unix seconds."""

    account: AccountId
    instrument: int
    size: int
    limit_price: int
    nonce: int
    expiry: int
    max_fee: int = MAX_FEE
    min_health: int = 0
    reduce_only: bool = False
    post_only: bool = False

    @property
    def lane(self) -> int:
        """The high 192 bits of the nonce."""
        return self.nonce >> 64

    @property
    def sequence(self) -> int:
        """The low 64 bits of the nonce."""
        return self.nonce & MAX_SEQUENCE


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order and the address that its signature recovers to; None for the account's owner."""

    order: Order
    signer: str | None = None


class Exchange:
    """Settles signed orders in a model Clearinghouse."""

    def __init__(self, clearinghouse: Clearinghouse) -> None:
        self.clearinghouse = clearinghouse

    @property
    def state(self) -> State:
        """The state that the Clearinghouse keeps; lanes and fees are in it."""
        return self.clearinghouse.state

    @atomic
    def set_fees(self, product: int, maker: int, taker: int) -> None:
        """Set the fees of a perpetual, an asset, or all options on an underlying, WAD ratios."""
        known = product == product_of(product) and product >> 248 in Kind.__members__.values()
        require(known, "Exchange_UnknownProduct", product)
        for fee in (maker, taker):
            require(fee <= MAX_FEE, "Exchange_FeeOutOfBounds", fee, MAX_FEE)
        self.state.fees[product] = (maker, taker)

    def fees(self, instrument: int) -> tuple[int, int]:
        """Maker's and taker's fee of an instrument, WAD ratios of the value traded."""
        return self.state.fees.get(product_of(instrument), (0, 0))

    @atomic
    def cancel(self, caller: str, account: AccountId, nonce: int) -> None:
        """Cancel every order of the nonce's lane up to and including its sequence."""
        self._require_canceller(account, caller)
        lane, sequence = nonce >> 64, nonce & MAX_SEQUENCE
        held = self.lane(account, lane)
        superseded = "Exchange_OrderSuperseded"
        require(held.sequence <= sequence, superseded, account.value, nonce, held.sequence)
        self.state.lanes[account, lane] = Lane(sequence, CANCELLED)

    @atomic
    def cancel_many(self, caller: str, account: AccountId, nonces: Sequence[int]) -> None:
        """Cancel by nonce; lanes that hold a higher sequence are left as they are."""
        self._require_canceller(account, caller)
        for nonce in nonces:
            lane, sequence = nonce >> 64, nonce & MAX_SEQUENCE
            if self.lane(account, lane).sequence <= sequence:
                self.state.lanes[account, lane] = Lane(sequence, CANCELLED)

    @atomic
    def recall(self, caller: str, account: AccountId, sequence: int) -> None:
        """Cancel every order below a sequence in recallable lanes."""
        self._require_canceller(account, caller)
        old = self.floor_of(account)
        require(sequence > old, "Exchange_FloorNotRaised", account.value, old, sequence)
        self.state.floors[account] = sequence

    def _require_canceller(self, account: AccountId, caller: str) -> None:
        allowed = self.clearinghouse.is_permitted(account, caller, Permission.TRADE)
        require(allowed, "Exchange_NotPermitted", account.value, caller.lower())

    def floor_of(self, account: AccountId) -> int:
        """The least sequence that counts in recallable lanes."""
        return self.state.floors.get(account, 0)

    def lane(self, account: AccountId, lane: int) -> Lane:
        """What a lane holds."""
        return self.state.lanes.get((account, lane), Lane())

    @atomic
    def settle(
        self, taker: SignedOrder, makers: Sequence[SignedOrder], sizes: Sequence[int]
    ) -> None:
        """Fill a taker's order against makers' orders, each at the maker's price."""
        self.check_before_refresh(taker, makers, sizes)
        rates = self.fees(taker.order.instrument)
        require_fee(rates[1], taker.order.max_fee)
        fills = []
        for index, (maker, size) in enumerate(zip(makers, sizes, strict=True)):
            require(size != 0, "Exchange_ZeroSize", index)
            fills.append(fill_of(taker.order, maker.order, size, rates))
            self._consume(maker, size)
        self._consume(taker, sum(sizes))
        order = taker.order
        trade = Trade(
            order.instrument, order.account, tuple(fills), order.min_health, order.reduce_only
        )
        house = self.clearinghouse
        house.apply_trade(house.addresses.exchange, trade)

    @staticmethod
    def check_before_refresh(
        taker: SignedOrder, makers: Sequence[SignedOrder], sizes: Sequence[int]
    ) -> None:
        """There is a maker, one size for each, and a taker that may take."""
        matches = len(makers) == len(sizes) != 0
        require(matches, "Exchange_LengthMismatch", len(makers), len(sizes))
        order, error = taker.order, "Exchange_PostOnlyTaker"
        require(not order.post_only, error, order.account.value, order.nonce)

    def _consume(self, signed: SignedOrder, size: int) -> None:
        order = signed.order
        now = self.clearinghouse.now
        require(now <= order.expiry, "Exchange_OrderExpired", order.expiry, now)
        account = order.account.value
        signer = (signed.signer or "").lower()
        valid = signed.signer is None or self.clearinghouse.is_permitted(
            order.account, signer, Permission.TRADE
        )
        require(valid, "Exchange_InvalidSignature", account, signer)
        held = self.lane(order.account, order.lane)
        if order.nonce & RECALLABLE:
            floor = self.floor_of(order.account)
            recalled = order.sequence < floor
            require(not recalled, "Exchange_OrderRecalled", account, order.nonce, floor)
        superseded = "Exchange_OrderSuperseded"
        alive = order.sequence >= held.sequence
        require(alive, superseded, account, order.nonce, held.sequence)
        filled = held.filled if order.sequence == held.sequence else 0
        left = max(abs(order.size) - filled, 0)
        fits = size <= left and size < (1 << 128) - filled
        require(fits, "Exchange_Overfilled", account, order.nonce, left, size)
        self.state.lanes[order.account, order.lane] = Lane(order.sequence, filled + size)


def product_of(instrument: int) -> int:
    """Kind and underlying of an instrument, all else zero."""
    return instrument >> 232 << 232


def require_fee(fee: int, maximum: int) -> None:
    """Refuse a fee over what an order allows."""
    require(fee <= maximum, "Exchange_FeeAboveMaximum", fee, maximum)


def fill_of(taker: Order, maker: Order, size: int, rates: tuple[int, int]) -> Fill:
    """One fill at the maker's price, if the two orders meet. Fees round up."""
    require_fee(rates[0], maker.max_fee)
    same = taker.instrument == maker.instrument
    require(same, "Exchange_InstrumentMismatch", taker.instrument, maker.instrument)
    buys = taker.size > 0
    require(buys != (maker.size > 0), "Exchange_SameSide", taker.size, maker.size)
    edge = taker.limit_price - maker.limit_price
    crosses = edge >= 0 if buys else edge <= 0
    require(crosses, "Exchange_PricesDoNotCross", taker.limit_price, maker.limit_price)
    value = mul_ceil(size, maker.limit_price)
    fees = mul_ceil(value, rates[0]), mul_ceil(value, rates[1])
    for fee in fees:
        require(fee < 1 << 128, "SafeCastOverflowedUintDowncast", 128, fee)
    return Fill(
        maker=maker.account,
        size=size if buys else -size,
        price=maker.limit_price,
        maker_fee=fees[0],
        taker_fee=fees[1],
        maker_min_health=maker.min_health,
        maker_reduce_only=maker.reduce_only,
    )
