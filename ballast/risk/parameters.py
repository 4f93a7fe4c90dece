"""Governed parameters of the risk engines, as `contracts/risk/RiskParameters.sol` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ballast.model.refusal import Refused


@dataclass(frozen=True, slots=True)
class UnderlyingRisk:
    """Parameters of an underlying; rates in 1e-4. The order is that of the contract's struct."""

    kappa_quarters: int
    perp_maintenance: int
    perp_initial: int
    short_option_maintenance: int = 0
    short_option_initial: int = 0
    roll_rate: int = 0
    roll_floor: int = 0
    range_cap: int = 6000

    def as_tuple(self) -> tuple[int, ...]:
        """The struct as the contract takes it."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class AssetRisk:
    """Parameters of a collateral asset; haircuts in 1e-4."""

    underlying: int
    decimals: int
    haircut: int
    extra_haircut: int

    @property
    def total(self) -> int:
        """h + δh."""
        return self.haircut + self.extra_haircut

    def as_tuple(self) -> tuple[int, ...]:
        """The struct as the contract answers it."""
        return self.underlying, self.decimals, self.haircut, self.extra_haircut


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that an engine is told."""

    underlyings: Mapping[int, UnderlyingRisk] = field(default_factory=dict)
    assets: Mapping[int, AssetRisk] = field(default_factory=dict)

    def underlying(self, underlying: int) -> UnderlyingRisk:
        """Parameters of an underlying; refused if they were never set."""
        if underlying not in self.underlyings:
            raise Refused("RiskParameters_UnknownUnderlying", underlying)
        return self.underlyings[underlying]

    def asset(self, asset: int) -> AssetRisk:
        """Parameters of an asset; refused if they were never set."""
        if asset not in self.assets:
            raise Refused("RiskParameters_UnknownAsset", asset)
        return self.assets[asset]
