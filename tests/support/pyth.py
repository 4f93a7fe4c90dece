"""The mock of Pyth's own kit, and updates for it."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from ballast.oracle.sources import PythFeed, PythPrice
from tests.support.oracle import ETH, OracleWorld
from tests.support.revm import RevmContract

PRICE_ID = b"\xe7" * 32
OTHER_ID = b"\xe8" * 32
FEE = 10**12
FEED = PythFeed(max_age=60, min_advance=5, max_fee=2 * FEE)
FUNDS = 100 * FEE
REFUND = "0x" + "f0" * 20

_PRICE = ["int64", "uint64", "int32", "uint256"]


def blob(price: PythPrice, price_id: bytes = PRICE_ID) -> bytes:
    """An update as the mock takes it: a price feed, its average, and the time before."""
    words = (price.price, price.confidence, price.exponent, price.publish_time)
    return encode(["bytes32", *_PRICE, *_PRICE, "uint64"], [price_id, *words, *words, 0])


def dollars(price: float, publish_time: int, width: float = 1) -> PythPrice:
    return PythPrice(round(price * 10**8), round(width * 10**8), -8, publish_time)


@dataclass
class PythDesk:
    """A funded source that reads ETH from a Pyth that has a price of this second."""

    world: OracleWorld
    pyth: RevmContract
    source: RevmContract

    @classmethod
    def open(cls, world: OracleWorld, funds: int = FUNDS) -> PythDesk:
        pyth = world.deploy("MockPyth", 60, FEE)
        source = world.deploy("PythSource", world.manager, pyth, REFUND)
        desk = cls(world, pyth, source)
        desk.push(dollars(2000, world.now))
        desk.set_feed(FEED)
        desk.fund(funds)
        return desk

    @property
    def now(self) -> int:
        return self.world.now

    @property
    def balance(self) -> int:
        return self.world.evm.balance(self.source)

    def set_feed(self, feed: PythFeed, price_id: bytes = PRICE_ID) -> None:
        self.source.setFeed(ETH, price_id, feed.max_age, feed.min_advance, feed.max_fee)

    def fund(self, amount: int) -> None:
        self.world.evm.call(self.source.address, b"", value=amount)

    def push(self, price: PythPrice, price_id: bytes = PRICE_ID) -> None:
        """What anybody does at his own cost."""
        self.pyth.updatePriceFeeds([blob(price, price_id)], value=FEE)

    def observe(self, update: bytes = b"", sender: str | None = None) -> tuple[int, ...]:
        return tuple(self.source.observe(ETH, update, sender=sender or self.world.stranger))
