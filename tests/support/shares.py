"""A vault, its share, and a ShareRateSource over a base that echoes."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.oracle.mirror import Observation
from ballast.oracle.sources import ShareRate
from ballast.units import WAD
from tests.support.oracle import ETH, OracleWorld, echo
from tests.support.revm import RevmContract

SHARE = 7
GROWTH_BPS = 1000
TOLERANCE_BPS = 10
DEAD = "0x" + "00" * 18 + "dead"


@dataclass
class ShareDesk:
    """A plain vault with a depositor and a feed of its share; the asset is ETH at 2000 dollars."""

    world: OracleWorld
    asset: RevmContract
    vault: RevmContract
    source: RevmContract
    decimals: int
    offset: int

    @classmethod
    def open(
        cls, world: OracleWorld, decimals: int = 18, offset: int = 0, deposit: int = 1000
    ) -> ShareDesk:
        asset = world.deploy("TestToken", "Asset", "ASSET", decimals)
        vault = world.deploy("MockShareVault", asset, offset)
        source = world.deploy("ShareRateSource", world.manager)
        desk = cls(world, asset, vault, source, decimals, offset)
        if not world.sources:
            world.sources.append(world.deploy("MockPriceSource"))
        if deposit:
            desk.deposit(deposit)
        desk.set_share()
        return desk

    @property
    def now(self) -> int:
        return self.world.now

    @property
    def state(self) -> ShareRate:
        return ShareRate(*self.source.shareRate(SHARE))

    def units(self, amount: float) -> int:
        return round(amount * 10**6) * 10**self.decimals // 10**6

    def set_share(
        self,
        ceiling: int = WAD,
        growth: int = GROWTH_BPS,
        tolerance: int = TOLERANCE_BPS,
        vault: object = None,
    ) -> None:
        base = self.world.sources[0]
        vault = self.vault if vault is None else vault
        self.source.setShare(SHARE, vault, base, ETH, ceiling, growth, tolerance)

    def deposit(self, amount: float, who: str = "depositor") -> int:
        sender, units = self.world.evm.actor(who), self.units(amount)
        self.asset.mint(sender, units)
        self.asset.approve(self.vault, units, sender=sender)
        return int(self.vault.deposit(units, sender, sender=sender))

    def redeem(self, shares: int, who: str) -> int:
        sender = self.world.evm.actor(who)
        return int(self.vault.redeem(shares, sender, sender, sender=sender))

    def donate(self, amount: float) -> None:
        """Gives assets to the vault: what a yield is, too."""
        self.asset.mint(self.vault, self.units(amount))

    def slash(self, amount: float) -> None:
        self.vault.slash(self.units(amount))

    def asset_price(self, age: int = 0) -> Observation:
        return Observation(2000 * WAD, WAD, self.now - age, 1999 * WAD, 2001 * WAD)

    def observe(self, seen: Observation | None = None) -> tuple[int, ...]:
        update = echo(self.asset_price() if seen is None else seen)
        return tuple(self.source.observe(SHARE, update, sender=self.world.stranger))

    def rate(self) -> float:
        """The rate that the source uses now."""
        return self.observe()[0] / (2000 * WAD)
