"""Governed parameters of the rule engine, as `contracts/risk/RuleParameters.sol` keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ballast.model.refusal import Refused, require
from ballast.risk.ramp import Ramp
from ballast.units import BPS

MIN_RAMP_TIME = 24 * 60 * 60
MAX_RAMP_TIME = 30 * MIN_RAMP_TIME
RAMP_TIME = 3 * MIN_RAMP_TIME
MAX_WEIGHT_MAINTENANCE = 9500
MAX_WEIGHT_INITIAL = 9000

Ramps = tuple[Ramp, ...]


@dataclass(frozen=True, slots=True)
class PerpRule:
    """Rates of a perpetual, and the open interest above which its IM grows, whole units."""

    maintenance: Ramp
    initial: Ramp
    depth: int = 0

    @classmethod
    def decode(cls, answer: tuple[int, int, int]) -> PerpRule:
        """The contract's struct."""
        return cls(Ramp.decode(answer[0]), Ramp.decode(answer[1]), answer[2])


@dataclass(frozen=True, slots=True)
class OptionRule:
    """What a short option requires, in parts of spot."""

    maintenance: Ramp
    initial: Ramp
    initial_floor: Ramp

    @classmethod
    def decode(cls, answer: tuple[int, int, int]) -> OptionRule:
        """The contract's struct."""
        return cls(*(Ramp.decode(one) for one in answer))


@dataclass(frozen=True, slots=True)
class AssetRule:
    """Weights of a collateral asset."""

    maintenance: Ramp
    initial: Ramp
    underlying: int
    decimals: int

    @classmethod
    def decode(cls, answer: tuple[int, int, int, int, bool]) -> AssetRule:
        """The contract's struct."""
        return cls(Ramp.decode(answer[0]), Ramp.decode(answer[1]), answer[2], answer[3])


@dataclass(slots=True)
class Rules:
    """Everything that the engine is told. Setters check and ramp as the contract's do."""

    perps: dict[int, PerpRule] = field(default_factory=dict)
    assets: dict[int, AssetRule] = field(default_factory=dict)
    options: dict[int, OptionRule] = field(default_factory=dict)
    ramp_time: int = RAMP_TIME
    selectable: bool = False

    def perp(self, underlying: int) -> PerpRule:
        """Rates of a perpetual; refused if they were never set."""
        if underlying not in self.perps:
            raise Refused("RuleParameters_UnknownPerp", underlying)
        return self.perps[underlying]

    def option(self, underlying: int) -> OptionRule:
        """Rates of short options; refused if they were never set."""
        if underlying not in self.options:
            raise Refused("RuleParameters_UnknownOption", underlying)
        return self.options[underlying]

    def asset(self, asset: int) -> AssetRule:
        """Weights of an asset; refused if they were never set."""
        if asset not in self.assets:
            raise Refused("RuleParameters_UnknownAsset", asset)
        return self.assets[asset]

    def set_ramp_time(self, seconds: int) -> None:
        """Set the time that changes take from now on."""
        bounds = MIN_RAMP_TIME, MAX_RAMP_TIME
        inside = MIN_RAMP_TIME <= seconds <= MAX_RAMP_TIME
        require(inside, "RampTime_OutOfBounds", seconds, *bounds)
        self.ramp_time = seconds

    def set_perp(
        self,
        underlying: int,
        maintenance: int,
        initial: int,
        depth: int,
        *,
        now: int,
        premium_clamp: int = 0,
    ) -> None:
        """Set what a perpetual requires, 1e-4 of its value; the depth counts at once."""
        rates = maintenance, initial
        inside = 0 < maintenance <= initial <= BPS
        require(inside, "RuleParameters_RatesOutOfBounds", *rates)
        covered = premium_clamp <= maintenance and 2 * premium_clamp <= initial
        require(covered, "RuleParameters_PremiumNotCovered", premium_clamp, *rates)
        old = self.perps.get(underlying)
        before = (old.maintenance, old.initial) if old else None
        maintenance_ramp, initial_ramp = self._moved(before, rates, now, up=False)
        self.perps[underlying] = PerpRule(maintenance_ramp, initial_ramp, depth)

    def set_option(
        self, underlying: int, maintenance: int, initial: int, initial_floor: int, *, now: int
    ) -> None:
        """Set what short options on an underlying require, 1e-4 of spot."""
        rates = maintenance, initial, initial_floor
        inside = 0 < maintenance <= initial_floor <= initial <= BPS
        require(inside, "RuleParameters_OptionRatesOutOfBounds", *rates)
        old = self.options.get(underlying)
        before = (old.maintenance, old.initial, old.initial_floor) if old else None
        self.options[underlying] = OptionRule(*self._moved(before, rates, now, up=False))

    def set_asset(
        self,
        asset: int,
        maintenance: int,
        initial: int,
        *,
        underlying: int,
        decimals: int,
        now: int,
    ) -> None:
        """Set the weights of a collateral asset. A new one of an engine in use begins at 0."""
        weights = maintenance, initial
        inside = maintenance <= MAX_WEIGHT_MAINTENANCE and initial <= MAX_WEIGHT_INITIAL
        inside = inside and initial <= maintenance
        require(inside, "RuleParameters_WeightsOutOfBounds", *weights)
        old = self.assets.get(asset)
        nothing = (Ramp.level(0), Ramp.level(0)) if self.selectable else None
        before = (old.maintenance, old.initial) if old else nothing
        maintenance_ramp, initial_ramp = self._moved(before, weights, now, up=True)
        self.assets[asset] = AssetRule(maintenance_ramp, initial_ramp, underlying, decimals)

    def _moved(self, before: Ramps | None, to: tuple[int, ...], now: int, *, up: bool) -> Ramps:
        """Ramps on their way to new values, all in the same time."""
        if before is None:
            return tuple(Ramp.level(value) for value in to)
        if tuple(ramp.target for ramp in before) == to:
            return before
        pairs = zip(before, to, strict=True)
        return tuple(ramp.towards(value, now, self.ramp_time, up=up) for ramp, value in pairs)
