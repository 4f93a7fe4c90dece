"""The clearing world with option series: slices, listings and option values are set by tests.

world = OptionWorld()
call = world.series(strike=2000)
world.trade(buyer, writer, 1, price=100, instrument=call)
"""

from __future__ import annotations

from typing import Any

from ballast.codec import Instrument, VolatilitySlice
from ballast.units import WAD
from tests.support.clearing import ETH, ClearingWorld, units
from tests.support.revm import RevmContract

OPTION_CAP = 10**6 * WAD
STRIKE_TICK = 50 * 10**8  # 50 of cash
DAYS = 86_400


class OptionWorld(ClearingWorld):
    """Engine 0 takes option values from a table; everything else is the real thing."""

    ADAPTER = "MockVolatilityBoard"

    def _configure(self) -> None:
        super()._configure()
        self.expiry = self.now + 7 * DAYS
        self.set_option_cap(ETH, OPTION_CAP)
        self.list_expiry(self.expiry)

    def _default_engine(self) -> RevmContract:
        self.options = self._create("MockOptionEngine", self.engine, self.oracle)
        return self.options

    def list_expiry(self, expiry: int, underlying: int = ETH, ratio: int = 10**8) -> None:
        """Allow an expiry and publish a slice, whose forward is a ratio (1e-8) of the spot."""
        self.oracle.setStrikeTick(underlying, expiry, STRIKE_TICK)
        self.set_slice(VolatilitySlice(forward_ratio=ratio), expiry, underlying)

    def set_slice(self, word: VolatilitySlice, expiry: int, underlying: int = ETH) -> None:
        self.oracle.setSlice(underlying, expiry, word.encode())

    def series(self, strike: float = 2000, *, put: bool = False, **changes: Any) -> int:
        """A series worth 100 of cash with a delta of a half."""
        price, delta = changes.pop("price", 100), changes.pop("delta", 0.5)
        expiry = changes.pop("expiry", self.expiry)
        underlying = changes.pop("underlying", ETH)
        key = Instrument.option(underlying, expiry, units(strike), put).key
        self.value(key, price, delta)
        return key

    def value(self, series: int, price: float, delta: float = 0.5) -> None:
        """Set what a unit is worth."""
        self.options.setOption(series, units(price), units(delta))

    def fix(self, price: float, expiry: int | None = None, underlying: int = ETH) -> None:
        """Settle an expiry at a price."""
        word = VolatilitySlice(is_fixed=True, settlement_price=units(price), fixed_at=self.now)
        self.set_slice(word, self.expiry if expiry is None else expiry, underlying)

    def expire(self, price: float) -> None:
        """Go to the expiry and settle it."""
        self.advance(self.expiry - self.now)
        self.fix(price)
