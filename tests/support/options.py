"""The clearing world with option series: the real adapter, and option values that tests set.

world = OptionWorld()
call = world.series(strike=2000)
world.trade(buyer, writer, 1, price=100, instrument=call)
world.expire(2300)
"""

from __future__ import annotations

from dataclasses import replace

from ballast.codec import AccountId, Instrument, Settlement, VolatilitySlice
from ballast.units import WAD
from tests.support.clearing import ETH, ClearingWorld, units
from tests.support.revm import RevmContract

OPTION_CAP = 10**6 * WAD
STRIKE_TICK = 50 * 10**8  # 50 of cash
DAY = 86_400
EIGHT = 8 * 3600
DELAY = 3600
"""Seconds from the fixing of a series until it becomes cash."""
FLAT = VolatilitySlice(a=36 * 10**6, s=10**5)
"""A volatility of 60 % at every strike."""


class OptionWorld(ClearingWorld):
    """Engine 0 takes option values from a table; everything else is the real thing."""

    PRICED = False
    DEFAULT_ENGINE_AHEAD = 5

    def _configure(self) -> None:
        super()._configure()
        self.volatility = self._create("MockVolatilitySource")
        self.oracle.configureVolatility(ETH, (self.volatility, DAY, 5000, 1000, 8))
        self.expiry = (self.now // DAY + 7) * DAY + EIGHT
        self.set_option_cap(ETH, OPTION_CAP)
        self.list_expiry(self.expiry)

    def _default_engine(self) -> RevmContract:
        self.options = self._create("MockOptionEngine", self.engine, self.oracle)
        return self.engine if self.PRICED else self.options

    def list_expiry(self, expiry: int, ratio: int | None = 10**8) -> None:
        """Allow an expiry and publish its slice, with a forward that is a ratio (1e-8) of spot."""
        self.oracle.allowExpiry(ETH, expiry, STRIKE_TICK)
        if ratio is not None:
            word = replace(FLAT, forward=ratio, time=self.now).encode()
            self.oracle.refreshVolatility([(ETH, expiry, word.to_bytes(32, "big"))])
            assert VolatilitySlice.decode(self.oracle.slice(ETH, expiry)).forward == ratio

    def series(
        self,
        strike: float = 2000,
        price: float = 100,
        delta: float = 0.5,
        *,
        put: bool = False,
        expiry: int | None = None,
    ) -> int:
        """A series of ether, worth `price` of cash."""
        key = Instrument.option(ETH, expiry or self.expiry, units(strike), put).key
        self.value(key, price, delta)
        return key

    def fill(self, taker: AccountId, maker: AccountId, series: int, size: int, price: int) -> None:
        """One whole fill, size and price in WAD."""
        changes = {"instrument": series, "limit_price": price}
        bid = replace(self.order(taker, 0, **changes), size=size)
        ask = replace(self.order(maker, 0, **changes), size=-size)
        self.settle_exact(bid, [ask], [abs(size)])

    def value(self, series: int, price: float, delta: float = 0.5) -> None:
        """Set what a unit is worth until it is settled."""
        self.options.setOption(series, units(price), units(delta))

    def go(self, time: int) -> None:
        """Begin a block at a time."""
        self.advance(time - self.now)

    def expire(self, price: float, expiry: int | None = None) -> None:
        """Report one price through the last half hour, and settle the expiry at it."""
        end = expiry or self.expiry
        self.go(end - 1801)
        for _ in range(16):
            self.refresh(ETH, price)
            self.advance(120)
        self.refresh(ETH, price)
        self.fix(end)
        fixed = self.settlement_of(Instrument.option(ETH, end, 0, False))
        assert fixed == Settlement(units(price), self.now)

    def fix(self, expiry: int | None = None) -> None:
        """Settle an expiry."""
        self.oracle.fixExpiry(ETH, expiry or self.expiry)
        self.check()


class PricedWorld(OptionWorld):
    """The scenario engine values options too, at a volatility of 60 %."""

    PRICED = True
    DEFAULT_ENGINE_AHEAD = 4
