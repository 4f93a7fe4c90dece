"""The configuration of a network: what a deployment is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ballast.codec import Instrument
from ballast.fields import FieldError
from ballast.oracle.mirror import FeedConfig
from ballast.oracle.sources import PythFeed
from ballast.oracle.volatility import VolatilityConfig
from ballast.risk import rules
from ballast.volatility.expiries import ExpiryRule

CASH_FEED = 0
DEPLOYER = "deployer"
MOCK = "mock"

PARAMETERS = "parameters"
GUARDIAN = "guardian"
OPERATIONS = "operations"
ROLES = (PARAMETERS, GUARDIAN, OPERATIONS)

CHAINLINK = "chainlink"
QUORUM = "quorum"
PYTH = "pyth"
SHARE_RATE = "share_rate"
SOURCES = (CHAINLINK, QUORUM, PYTH, SHARE_RATE)


class ConfigError(FieldError):
    """A configuration that cannot be deployed."""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """A token: one that exists, or a test token to deploy."""

    symbol: str
    decimals: int
    address: str | None = None
    test_name: str | None = None


@dataclass(frozen=True, slots=True)
class ChainlinkConfig:
    """An aggregator that exists, or a mock to deploy with its first answer."""

    heartbeat: int
    deviation_bps: int
    decimals: int
    address: str | None = None
    mock_answer: int | None = None


@dataclass(frozen=True, slots=True)
class QuorumConfig:
    """Publishers, ascending, and how many of them an update needs."""

    signers: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class PythConfig:
    """A price of Pyth; its id in hex."""

    price_id: str
    feed: PythFeed


@dataclass(frozen=True, slots=True)
class ShareRateConfig:
    """A vault whose share the feed prices, on a source of the feed `base`.

    `rate` is the first ceiling, WAD assets a share: it counts when the share is set, and not after.
    """

    vault: str
    base: str
    source: str
    rate: int
    max_growth_bps: int
    tolerance_bps: int


@dataclass(frozen=True, slots=True)
class SequencerConfig:
    """The feed of a sequencer's uptime: one that exists, or a mock to deploy."""

    grace: int
    address: str | None = None


@dataclass(frozen=True, slots=True)
class UnderlyingRisk:
    """What the engine is told of an underlying; the fields of the contract's struct in order."""

    kappa_quarters: int
    perp_maintenance: int
    perp_initial: int
    short_option_maintenance: int
    short_option_initial: int
    roll_rate: int
    roll_floor: int
    range_cap: int


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of an instrument, WAD ratios of the value traded."""

    maker: int
    taker: int


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """A perpetual; its cap is the greatest open interest, WAD."""

    cap: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class OptionsConfig:
    """Options of an underlying: their volatility, their expiries, the grid of strikes (1e-8).

    The cap is the greatest number of units open in all series, WAD.
    """

    volatility: VolatilityConfig
    expiries: ExpiryRule
    strike_tick: int
    cap: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class UnderlyingConfig:
    """A price feed and what rests on it. `sources` names kinds in the order of the feed."""

    name: str
    id: int
    sources: tuple[str, ...]
    feed: FeedConfig
    risk: UnderlyingRisk
    chainlink: ChainlinkConfig | None
    market: MarketConfig | None
    pyth: PythConfig | None = None
    share_rate: ShareRateConfig | None = None
    options: OptionsConfig | None = None


@dataclass(frozen=True, slots=True)
class CollateralConfig:
    """A collateral asset; the cap in smallest units."""

    token: TokenConfig
    underlying: str
    cap: int
    haircut_bps: int
    extra_haircut_bps: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class PerpRuleConfig:
    """What the rule engine requires of a perpetual; its depth in whole units, zero for none."""

    maintenance_bps: int
    initial_bps: int
    depth: int


@dataclass(frozen=True, slots=True)
class OptionRuleConfig:
    """What the rule engine requires of a short option, in parts of spot."""

    maintenance_bps: int
    floor_bps: int
    initial_bps: int


@dataclass(frozen=True, slots=True)
class WeightsConfig:
    """What the rule engine lets a collateral asset lend."""

    maintenance_bps: int
    initial_bps: int


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """The rule engine: rates of every market, of all options on an underlying, and weights of
    every collateral asset, by name."""

    ramp_time: int
    perps: Mapping[str, PerpRuleConfig]
    options: Mapping[str, OptionRuleConfig]
    weights: Mapping[str, WeightsConfig]


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """An account: `owner` is an address or "deployer"."""

    owner: str
    index: int


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """Members of a role, addresses or "deployer"; what they do waits `delay` seconds, and who is
    granted the role later waits `grant_delay`."""

    name: str
    members: tuple[str, ...]
    delay: int
    grant_delay: int


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that a deployment is made of. Collateral has the asset ids 1, 2, … in order."""

    name: str
    chain_id: int | None
    admin: str
    admin_delay: int
    fee_account: AccountConfig
    insurance_account: AccountConfig
    cash: TokenConfig
    quorum: QuorumConfig | None
    underlyings: tuple[UnderlyingConfig, ...]
    collateral: tuple[CollateralConfig, ...]
    ramp_time: int = rules.RAMP_TIME
    rule: RuleConfig | None = None
    pyth: str | None = None
    roles: tuple[RoleConfig, ...] = ()
    target_admin_delay: int = 0
    sequencer: SequencerConfig | None = None

    @property
    def has_guardian(self) -> bool:
        """Whether there is somebody who may stop things without a delay."""
        return any(role.name == GUARDIAN for role in self.roles)

    def underlying(self, name: str) -> UnderlyingConfig:
        return next(one for one in self.underlyings if one.name == name)

    def asset_id(self, symbol: str) -> int:
        return 1 + [one.token.symbol for one in self.collateral].index(symbol)

    @property
    def tokens(self) -> tuple[TokenConfig, ...]:
        return (self.cash, *(one.token for one in self.collateral))

    def fees(self) -> list[tuple[str, Instrument, Fees]]:
        """Every product that trades, with its fees."""
        perps = [
            (f"{one.name}-PERP", Instrument.perp(one.id), one.market.fees)
            for one in self.underlyings
            if one.market
        ]
        spots = [
            (one.token.symbol, Instrument.collateral(index), one.fees)
            for index, one in enumerate(self.collateral, start=1)
        ]
        options = [
            (f"options on {one.name}", Instrument.options(one.id), one.options.fees)
            for one in self.underlyings
            if one.options
        ]
        return perps + spots + options

    def needs_risk(self, underlying: UnderlyingConfig) -> bool:
        """Whether an account can hold anything that rests on the underlying."""
        held = {one.underlying for one in self.collateral}
        return underlying.market is not None or underlying.name in held
