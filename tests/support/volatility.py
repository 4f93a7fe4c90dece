"""An OracleAdapter in revm with a source that echoes prices and three publishers of volatility."""

from __future__ import annotations

from dataclasses import replace

from eth_account import Account

from ballast.codec import VolatilitySlice
from ballast.oracle.mirror import FeedConfig, Observation
from ballast.oracle.volatility import VolatilityConfig
from ballast.units import WAD
from ballast.volatility.reports import (
    SignedVolatility,
    VolatilityDomain,
    VolatilityReport,
    pack_update,
    sign,
)
from tests.support.oracle import ETH, echo
from tests.support.revm import DEPLOYER, Evm

DAY = 86400
NO_FEED = "0x" + 40 * "0"
TICK = 100 * 10**8
KEYS = sorted(
    (bytes([number]) * 32 for number in range(1, 4)),
    key=lambda key: int(Account.from_key(key).address, 16),
)
ADDRESSES = [Account.from_key(key).address.lower() for key in KEYS]
# About 55 % at the money.
CALM = VolatilitySlice(a=500_000, b=6_000_000, rho=-200_000, mu=10_000, s=500_000)


class VolatilityWorld:
    """One underlying with one price source; `threshold` of three publishers must sign."""

    def __init__(self, threshold: int = 2, max_live: int = 8) -> None:
        self.evm = Evm()
        self.authority = self.evm.deploy("Authority", DEPLOYER)
        self.sink = self.evm.deploy("MockFundingSink")
        self.adapter = self.evm.deploy("OracleAdapter", self.authority, self.sink, NO_FEED, 0)
        self.prices = self.evm.deploy("MockPriceSource")
        self.quorum = self.evm.deploy("VolatilityQuorum", self.authority, ADDRESSES, threshold)
        self.domain = VolatilityDomain(31337, self.quorum.address)
        self.config = VolatilityConfig(source=self.quorum.address, max_live=max_live)
        self.adapter.configureFeed(ETH, FeedConfig(sources=(self.prices.address,)).as_tuple())
        self.adapter.configureVolatility(ETH, self.config.as_tuple())
        self.stranger = self.evm.actor("stranger").address.lower()

    @property
    def now(self) -> int:
        return self.evm.time

    def expiry(self, days: int) -> int:
        """08:00 UTC so many days after the next one."""
        return (self.now // DAY + 1 + days) * DAY + 8 * 3600

    def allow(self, *expiries: int) -> None:
        for expiry in expiries:
            self.adapter.allowExpiry(ETH, expiry, TICK)

    def price(self, dollars: int, time: int | None = None) -> None:
        """An accepted price of WAD dollars, whatever the jump limit says of single sources."""
        seen = Observation(dollars, 0, self.now if time is None else time)
        self.adapter.refresh([(ETH, [echo(seen)])])

    def at(self, time: int) -> None:
        self.evm.time = time

    def signed(self, expiry: int, reports: list[VolatilitySlice]) -> list[SignedVolatility]:
        """Reports by the publishers in their order."""
        return [
            sign(VolatilityReport(ETH, expiry, one), self.domain, key)
            for one, key in zip(reports, KEYS, strict=False)
        ]

    def publish(self, expiry: int, *reports: VolatilitySlice) -> str:
        """Refreshes one slice with reports dated now where they have no time; the event's name."""
        dated = [one if one.time else replace(one, time=self.now) for one in reports]
        update = pack_update(self.signed(expiry, dated))
        self.adapter.refreshVolatility([(ETH, expiry, update)])
        return "".join(log.name for log in self.adapter.evm.logs)

    def slice(self, expiry: int) -> VolatilitySlice:
        return VolatilitySlice.decode(self.adapter.slice(ETH, expiry))


def dollars(amount: float) -> int:
    return round(amount * 10**6) * WAD // 10**6
