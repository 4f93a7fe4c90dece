"""Everything that people do in the demonstration, by transactions of their own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ballast.client.chain import Call
from ballast.client.clearinghouse import Margin
from ballast.client.client import Client
from ballast.client.orders import Order, SignedOrder, make_nonce, sign_order
from ballast.codec import AccountId, Instrument, Kind
from ballast.demo.cast import (
    BORROWED,
    BORROWER,
    DEALS,
    DEPLOYER,
    ETH,
    FUNDS,
    LOT,
    MAKER,
    OPTION_DEALS,
    PARTICIPANTS,
    STRADDLE,
    USDC,
    Actor,
    Deal,
    named,
    tokens,
)
from ballast.demo.mirror import ENGINE
from ballast.demo.surface import Expiries
from ballast.units import BPS, WAD

SPREAD_BPS = 2  # how far from mark the market maker quotes
SLIPPAGE_BPS = 50  # how far from mark a taker's limit is
MAX_FEE = WAD // 1000
ORDER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Netting:
    """Initial margin of an account, and of each of its positions alone, WAD."""

    name: str
    positions: tuple[str, ...]
    together: int
    alone: tuple[int, ...]


class Stage:
    """A deployed system, and the prices (WAD) at which dollars become tokens."""

    def __init__(self, client: Client, prices: Mapping[str, int]) -> None:
        self.client = client
        self._prices = dict(prices)
        self._sequence = 0

    # ---- Money ----

    def fund(self) -> None:
        """Everybody gets test tokens and deposits them."""
        for actor in PARTICIPANTS:
            for asset, amount in FUNDS[actor.name].amounts(self._prices).items():
                entry = self.client.book.asset(asset)
                units = amount // 10 ** (18 - entry.decimals)
                mint = Call("TestToken", entry.token, "mint", (actor.signer.address, units))
                self.client.chain.send(DEPLOYER.signer, mint)
                self.client.clearinghouse.deposit(actor.signer, actor.account, entry, units)

    def borrow(self) -> None:
        """The borrower takes out all of its cash and more: the rest is lent by the others."""
        cash = self.client.clearinghouse.portfolio(BORROWER.account).cash
        asset = self.client.book.asset(USDC)
        amount = (cash + BORROWED * WAD) // 10 ** (18 - asset.decimals)
        self.client.clearinghouse.withdraw(
            BORROWER.signer, BORROWER.account, asset, amount, BORROWER.signer.address
        )

    # ---- Trades ----

    def trade(self) -> list[str]:
        """Everybody trades with the market maker; what was traded, in words."""
        return [self._settle(deal) for deal in DEALS]

    def trade_options(self, expiries: Expiries) -> list[str]:
        """The writers trade with the market maker, and one of them hedges; in words."""
        traded = []
        delta = 0
        for deal in OPTION_DEALS:
            expiry = expiries.near if deal.is_near else expiries.far
            if expiry is None:
                continue
            series = Instrument.option(
                self.client.book.underlying(ETH).id,
                expiry,
                deal.strike(self._prices[ETH]),
                deal.is_put,
            )
            size = self._size(deal.dollars, ETH)
            traded.append(self._meet(named(deal.taker), series, size))
            if deal.taker == STRADDLE.name:
                delta += size * self._option_price(series)[1] // WAD
        hedge = self.client.book.instrument("ETH-PERP")
        return [*traded, self._meet(STRADDLE, hedge, -delta // LOT * LOT)]

    def _settle(self, deal: Deal) -> str:
        instrument = self.client.book.instrument(deal.instrument)
        symbol = self.client.book.underlying_name(self.client.book.underlying_of(instrument))
        return self._meet(named(deal.taker), instrument, self._size(deal.dollars, symbol))

    def _size(self, dollars: int, symbol: str) -> int:
        amount = tokens(abs(dollars), self._prices[symbol])
        return amount if dollars > 0 else -amount

    def _meet(self, taker: Actor, instrument: Instrument, size: int) -> str:
        """Two signed orders meet; whoever submits them is nobody special."""
        fair = self._fair_price(instrument)
        price = _away(fair, SPREAD_BPS, size > 0)
        self._sequence += 1
        signed = self._sign(taker, instrument, size, _away(fair, SLIPPAGE_BPS, size > 0))
        quote = self._sign(MAKER, instrument, -size, price)
        self.client.exchange.settle(DEPLOYER.signer, signed, [quote], [abs(size)])
        name = self.client.book.instrument_name(instrument)
        side = "buys" if size > 0 else "sells"
        return f"{taker.name} {side} {abs(size) / WAD:,.4f} {name} at {price / WAD:,.2f}"

    def _fair_price(self, instrument: Instrument) -> int:
        if instrument.kind == Kind.OPTION:
            return self._option_price(instrument)[0]
        snapshot = self.client.oracle.snapshot(self.client.book.underlying_of(instrument))
        return snapshot.mark if instrument.kind == Kind.PERP else snapshot.price

    def _option_price(self, series: Instrument) -> tuple[int, int]:
        """The model's price of one unit, and its delta, WAD."""
        price, delta = self.client.chain.view(self._engine("fairPrice", series.key))
        return int(price), int(delta)

    def _engine(self, function: str, *args: object) -> Call:
        return Call(ENGINE, self.client.book.address(ENGINE), function, args)

    def _sign(self, actor: Actor, instrument: Instrument, size: int, limit: int) -> SignedOrder:
        order = Order(
            account=actor.account,
            instrument=instrument,
            size=size,
            limit_price=limit,
            nonce=make_nonce(instrument.id, self._sequence),
            expiry=self.client.chain.time + ORDER_SECONDS,
            max_fee=MAX_FEE,
        )
        return sign_order(order, self.client.exchange.domain, actor.signer)

    # ---- Netting ----

    def netting(self, actor: Actor) -> Netting:
        """What an account needs, and what each of its positions would need in one of its own."""
        book, house = self.client.book, self.client.clearinghouse
        positions = house.portfolio(actor.account).positions
        alone = [
            Margin(*self.client.chain.view(self._engine("assess", 0, 0, [position.encode()])))
            for position in positions
        ]
        return Netting(
            name=actor.name,
            positions=tuple(book.instrument_name(position.instrument) for position in positions),
            together=house.margin(actor.account).initial,
            alone=tuple(margin.initial for margin in alone),
        )

    # ---- Worth ----

    def worth(self, actor: Actor) -> int:
        """Equity of an actor's account and tokens in its wallet, at accepted prices, WAD."""
        return self.equity(actor.account) + self._wallet(actor.signer.address)

    def equity(self, account: AccountId) -> int:
        return self.client.clearinghouse.margin(account).equity

    def _wallet(self, holder: str) -> int:
        worth = 0
        for asset in self.client.book.assets.values():
            price = self.client.oracle.snapshot(asset.underlying).price if asset.id else WAD
            amount = self.client.token_balance(asset.token, holder)
            worth += amount * price // 10**asset.decimals
        return worth


def _away(price: int, bps: int, up: bool) -> int:
    return price * (BPS + bps if up else BPS - bps) // BPS
