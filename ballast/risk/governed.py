"""How the scenario engine's parameters move: the mirror of `contracts/risk/RiskParameters.sol`.

What an assessment reads goes linearly to what was set, every field rounded down, and follows that
line only when somebody advances it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ballast.model.refusal import require
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.risk.rules import RAMP_TIME
from ballast.units import BPS

MIN_RANGE_CAP = 500
MAX_RANGE_CAP = 6000
MAX_PERP_INITIAL = 5000
MAX_SHORT_OPTION_INITIAL = 2000
MAX_ROLL_FLOOR = 500

Risk = TypeVar("Risk", UnderlyingRisk, AssetRisk)
Limits = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RiskRamp(Generic[Risk]):
    """Parameters on their way; times in unix seconds."""

    origin: Risk
    target: Risk
    start: int
    end: int

    def at(self, now: int) -> Risk:
        """What it has reached, every field rounded down."""
        if now >= self.end:
            return self.target
        left, done = self.end - now, now - self.start
        values = {
            name: (getattr(self.origin, name) * left + getattr(self.target, name) * done)
            // (left + done)
            for name in self.origin.__slots__
        }
        return replace(self.origin, **values)


@dataclass(slots=True)
class GovernedParameters:
    """What an assessment reads, and the ramps of it. Setters check as the contract's do."""

    underlyings: dict[int, UnderlyingRisk] = field(default_factory=dict)
    assets: dict[int, AssetRisk] = field(default_factory=dict)
    underlying_ramps: dict[int, RiskRamp[UnderlyingRisk]] = field(default_factory=dict)
    asset_ramps: dict[int, RiskRamp[AssetRisk]] = field(default_factory=dict)
    ramp_time: int = RAMP_TIME
    selectable: bool = False

    @property
    def parameters(self) -> Parameters:
        """What assessments read now."""
        return Parameters(self.underlyings, self.assets)

    def set_underlying(
        self, underlying: int, target: UnderlyingRisk, *, now: int, premium_clamp: int = 0
    ) -> None:
        """Set where the parameters of an underlying go; the first ones hold at once."""
        for name, (least, greatest) in self._limits(underlying, target, premium_clamp).items():
            value = getattr(target, name)
            require(least <= value <= greatest, *_out_of_bounds(name, value, least, greatest))
        old = self.underlying_ramps.get(underlying)
        if old is None:
            ramp = RiskRamp(target, target, now, now)
        else:
            ramp = RiskRamp(old.at(now), target, now, now + self.ramp_time)
        self.underlying_ramps[underlying] = ramp
        self.underlyings[underlying] = ramp.origin

    def set_asset(self, asset: int, target: AssetRisk, *, now: int) -> None:
        """Set where the haircuts of an asset go. A new asset of an engine in use lends least."""
        cap = self.parameters.underlying(target.underlying).range_cap
        ramp = self.underlying_ramps[target.underlying]
        bound = BPS - max(cap, ramp.target.range_cap)
        inside = target.total <= bound
        require(inside, *_out_of_bounds("haircut", target.total, 0, bound))
        old = self.asset_ramps.get(asset)
        origin, time = target, 0
        if old is not None:
            origin, time = old.at(now), self.ramp_time
        elif self.selectable:
            origin = replace(target, extra_haircut=bound - target.haircut)
            time = self.ramp_time
        self.asset_ramps[asset] = RiskRamp(origin, target, now, now + time)
        self.assets[asset] = origin

    def advance(self, now: int) -> None:
        """Let everything be what its ramp has reached."""
        for underlying in self.underlying_ramps:
            self.advance_underlying(underlying, now)
        for asset in self.asset_ramps:
            self.advance_asset(asset, now)

    def advance_underlying(self, underlying: int, now: int) -> None:
        """Let the parameters of an underlying be what their ramp has reached."""
        self.underlyings[underlying] = self.underlying_ramps[underlying].at(now)

    def advance_asset(self, asset: int, now: int) -> None:
        """Let the haircuts of an asset be what their ramp has reached."""
        self.assets[asset] = self.asset_ramps[asset].at(now)

    def copied(self) -> GovernedParameters:
        """The same, of which nothing is shared."""
        return replace(
            self,
            underlyings=dict(self.underlyings),
            assets=dict(self.assets),
            underlying_ramps=dict(self.underlying_ramps),
            asset_ramps=dict(self.asset_ramps),
        )

    def _limits(self, underlying: int, risk: UnderlyingRisk, premium_clamp: int) -> Limits:
        """Bounds of every field, in the order in which the contract looks."""
        room = BPS - self._greatest_haircut(underlying)
        return {
            "kappa_quarters": (1, 4),
            "perp_initial": (2 * premium_clamp, MAX_PERP_INITIAL),
            "perp_maintenance": (premium_clamp, risk.perp_initial),
            "short_option_initial": (0, MAX_SHORT_OPTION_INITIAL),
            "short_option_maintenance": (0, risk.short_option_initial),
            "roll_rate": (0, BPS),
            "roll_floor": (0, min(risk.roll_rate, MAX_ROLL_FLOOR)),
            "range_cap": (MIN_RANGE_CAP, min(room, MAX_RANGE_CAP)),
        }

    def _greatest_haircut(self, underlying: int) -> int:
        totals = [
            max(risk.total, self.asset_ramps[asset].target.total)
            for asset, risk in self.assets.items()
            if risk.underlying == underlying
        ]
        return max(totals, default=0)


def _out_of_bounds(
    name: str, value: int, least: int, greatest: int
) -> tuple[str, bytes, int, int, int]:
    head, *tail = name.split("_")
    camel = head + "".join(part.capitalize() for part in tail)
    return "RiskParameters_OutOfBounds", camel.encode().ljust(32, b"\0"), value, least, greatest
