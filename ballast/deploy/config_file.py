"""Reading the configuration of a network: `config/<network>.yaml`.

Every field is checked when the file is read, and every complaint names the field and its value.
Parameters that are left out come from the class of the underlying: `major`, `other` or `cash`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import yaml
from eth_utils.address import is_address

from ballast.client.artifacts import ROOT
from ballast.deploy.config import (
    CASH_FEED,
    CHAINLINK,
    DEPLOYER,
    GUARDIAN,
    MOCK,
    PYTH,
    QUORUM,
    ROLES,
    SHARE_RATE,
    SOURCES,
    AccountConfig,
    ChainlinkConfig,
    CollateralConfig,
    ConfigError,
    Fees,
    MarketConfig,
    NetworkConfig,
    OptionRuleConfig,
    OptionsConfig,
    PerpRuleConfig,
    PythConfig,
    QuorumConfig,
    RoleConfig,
    RuleConfig,
    SequencerConfig,
    ShareRateConfig,
    TokenConfig,
    UnderlyingConfig,
    UnderlyingRisk,
    WeightsConfig,
)
from ballast.fields import FieldError, Fields
from ballast.model.market import is_cap
from ballast.oracle.mirror import FeedConfig
from ballast.oracle.sources import MAX_RATE, MIN_RATE, PythFeed
from ballast.oracle.volatility import VolatilityConfig
from ballast.risk import governed, rules
from ballast.units import UnitsError, to_units, to_wad
from ballast.volatility.expiries import MAX_LIVE, ExpiryRule

CONFIGS = ROOT / "config"
MAX_FEE_BPS = 10
MAX_AGE = 36 * 3600
MAX_HEARTBEAT = 36 * 3600
MAX_ID = 0xFFFF
MAX_GRACE = 3600
MAX_DELAY = 30 * 24 * 3600  # of an Authority: longer ones would be a lock, not a delay
MAX_PYTH_FEE = 10**16
MAX_TICK = 10**14
MAX_OPTION_CAP = 2**90
_PRICE_ID = re.compile("0x[0-9a-fA-F]{64}")

# ---- Defaults of the classes ------------------------------------------------------------------

_RISK: Mapping[str, UnderlyingRisk] = {
    "major": UnderlyingRisk(2, 100, 200, 30, 50, 1000, 30, 6000),
    "other": UnderlyingRisk(3, 200, 400, 30, 50, 1000, 30, 6000),
    "cash": UnderlyingRisk(3, 200, 400, 30, 50, 1000, 30, 6000),
}
_FEEDS: Mapping[str, dict[str, int]] = {
    "major": {"premium_clamp_bps": 100, "funding_cap_bps": 50},
    "other": {"premium_clamp_bps": 200, "funding_cap_bps": 200},
    "cash": {
        "premium_clamp_bps": 0,
        "funding_cap_bps": 0,
        "jump_limit_bps": 200,
        "base_range_bps": 100,
        "min_range_bps": 100,
        "max_range_bps": 500,
    },
}
_RULE = PerpRuleConfig(500, 1000, 0)
_OPTION_RULE = OptionRuleConfig(750, 1000, 1500)
# Bounds of the contracts on every rate of an underlying and on every whole number of a feed.
_RISK_BOUNDS = {
    "perp_maintenance": (0, governed.MAX_PERP_INITIAL),
    "perp_initial": (0, governed.MAX_PERP_INITIAL),
    "short_option_maintenance": (0, governed.MAX_SHORT_OPTION_INITIAL),
    "short_option_initial": (0, governed.MAX_SHORT_OPTION_INITIAL),
    "roll_rate": (0, 10_000),
    "roll_floor": (0, governed.MAX_ROLL_FLOOR),
    "range_cap": (governed.MIN_RANGE_CAP, governed.MAX_RANGE_CAP),
}
_FEED_BOUNDS = {
    "min_sources": (1, 4),
    "max_age": (10, MAX_AGE),
    "source_max_age": (1, MAX_AGE),
    "jump_limit_bps": (10, 5000),
    "max_source_confidence_bps": (1, 1000),
    "wide_limit": (1, 4094),
    "base_range_bps": (100, 6000),
    "min_range_bps": (100, 6000),
    "max_range_bps": (100, 6000),
    "premium_clamp_bps": (0, 200),
    "funding_cap_bps": (0, 200),
    "depth": (0, 2**64 - 1),
}


# ---- Reading ----------------------------------------------------------------------------------


def config_path(network: str, folder: Path = CONFIGS) -> Path:
    """The file of a network; local chains use that of the devnet."""
    return folder / f"{'devnet' if network in ('local', 'devnet') else network}.yaml"


def load_config(path: Path) -> NetworkConfig:
    if not path.is_file():
        raise ConfigError(f"there is no configuration {path}")
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    try:
        return parse_config(data, path.stem)
    except FieldError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_config(data: Any, name: str) -> NetworkConfig:
    """Check a decoded configuration."""
    top = Fields("", data)
    roles = top.optional("roles")
    engines = top.optional("engines")
    cash = _token(top.object("cash"), None)
    quorum = _quorum(top.object("quorum")) if top.has("quorum") else None
    config = NetworkConfig(
        name=name,
        chain_id=top.integer("chain_id", least=1) if top.has("chain_id") else None,
        admin=_owner(roles, "admin"),
        admin_delay=roles.integer("admin_delay", greatest=MAX_DELAY, default=0),
        target_admin_delay=roles.integer("target_admin_delay", greatest=MAX_DELAY, default=0),
        roles=tuple(_role(name, roles.object(name)) for name in ROLES if roles.has(name)),
        fee_account=_account(top.optional("fee_account"), 1),
        insurance_account=_account(top.optional("insurance_account"), 2),
        cash=cash,
        quorum=quorum,
        pyth=top.address(PYTH) if top.has(PYTH) else None,
        sequencer=_sequencer(top.object("sequencer")) if top.has("sequencer") else None,
        underlyings=tuple(_underlying(n, f, quorum) for n, f in top.entries("underlyings")),
        collateral=tuple(_collateral(n, f) for n, f in top.entries("collateral")),
    )
    if engines.has("joint_scenario"):
        joint = engines.object("joint_scenario")
        config = replace(config, ramp_time=_ramp_time(joint))
        joint.finish()
    if engines.has("rule"):
        config = replace(config, rule=_rule(engines.object("rule"), config))
    roles.finish()
    engines.finish()
    top.finish()
    _check_whole(config)
    return config


def _role(name: str, fields: Fields) -> RoleConfig:
    """A guardian has no delay: what it may do only stops things."""
    members = fields.texts("members")
    different = len({member.lower() for member in members}) == len(members) > 0
    if not different or not all(one == DEPLOYER or is_address(one) for one in members):
        raise fields.refuse("members", f'different addresses or "{DEPLOYER}", at least one')
    role = RoleConfig(
        name=name,
        members=tuple(members),
        delay=0 if name == GUARDIAN else fields.integer("delay", greatest=MAX_DELAY, default=0),
        grant_delay=fields.integer("grant_delay", greatest=MAX_DELAY, default=0),
    )
    fields.finish()
    return role


def _check_whole(config: NetworkConfig) -> None:
    """What no field can say by itself."""
    ids: dict[int, str] = {}
    for one in config.underlyings:
        if one.id in ids:
            raise ConfigError(f"underlyings.{one.name}.id is {one.id}, as that of {ids[one.id]}")
        ids[one.id] = one.name
    for one in config.underlyings:
        _check_sources(one, config)
    for asset in config.collateral:
        path = f"collateral.{asset.token.symbol}"
        if asset.underlying not in ids.values():
            raise ConfigError(f"{path}.underlying is {asset.underlying!r}, which is not configured")
        if asset.token.symbol == config.cash.symbol:
            raise ConfigError(f"{path} has the symbol of the cash token")
        _check_haircut(path, asset, config.underlying(asset.underlying))
    if config.fee_account == config.insurance_account:
        raise ConfigError("insurance_account is the same account as fee_account")


def _check_sources(one: UnderlyingConfig, config: NetworkConfig) -> None:
    if one.pyth and config.pyth is None:
        raise ConfigError(f"underlyings.{one.name}.sources names pyth, but there is no pyth")
    if one.share_rate is None:
        return
    share, path = one.share_rate, f"underlyings.{one.name}.share_rate"
    sources = {base.name: base.sources for base in config.underlyings}
    if share.source not in sources.get(share.base, ()):
        raise ConfigError(f"{path}: {share.base!r} has no source {share.source!r}")


def _check_haircut(path: str, asset: CollateralConfig, underlying: UnderlyingConfig) -> None:
    total = asset.haircut_bps + asset.extra_haircut_bps
    if total + underlying.risk.range_cap > 10_000:
        raise ConfigError(
            f"{path}: haircut_bps + extra_haircut_bps is {total}, which leaves less than "
            f"risk.range_cap {underlying.risk.range_cap} of {underlying.name}"
        )


def _token(fields: Fields, symbol: str | None) -> TokenConfig:
    """Symbol, and either `address` with `decimals` or `test`."""
    if fields.has("test") == fields.has("address"):
        raise ConfigError(f"{fields.path} needs either address or test, and not both")
    if fields.has("test"):
        test = fields.object("test")
        token = TokenConfig(
            symbol=test.text("symbol", symbol) if symbol else test.text("symbol"),
            decimals=test.integer("decimals", greatest=18),
            test_name=test.text("name"),
        )
        test.finish()
    else:
        token = TokenConfig(
            symbol=symbol or fields.text("symbol"),
            decimals=fields.integer("decimals", greatest=18),
            address=fields.address("address"),
        )
    if symbol is None:
        fields.finish()
    elif token.symbol != symbol:
        raise ConfigError(f"{fields.path}.test.symbol is {token.symbol!r}, but its name {symbol!r}")
    return token


def _quorum(fields: Fields) -> QuorumConfig:
    signers = fields.addresses("signers")
    ordered = sorted(signers, key=lambda signer: int(signer, 16))
    if not 1 <= len({signer.lower() for signer in signers}) == len(signers) <= 16:
        raise fields.refuse("signers", "1 to 16 different addresses")
    threshold = fields.integer("threshold", len(signers) // 2 + 1, len(signers))
    fields.finish()
    return QuorumConfig(tuple(ordered), threshold)


def _sequencer(fields: Fields) -> SequencerConfig:
    """`feed` is an address, or "mock" where there is no such feed."""
    feed = fields.text("feed")
    sequencer = SequencerConfig(
        grace=fields.integer("grace", 0, MAX_GRACE),
        address=None if feed == MOCK else fields.address("feed"),
    )
    fields.finish()
    return sequencer


def _underlying(name: str, fields: Fields, quorum: QuorumConfig | None) -> UnderlyingConfig:
    identity = fields.integer("id", greatest=MAX_ID)
    standard = "cash" if identity == CASH_FEED else "other"
    group = fields.choice("class", tuple(_RISK), standard)
    sources = _sources(fields)
    if QUORUM in sources and quorum is None:
        raise ConfigError(f"{fields.at('sources')} names quorum, but there is no quorum")
    market = _market(fields.object("market")) if fields.has("market") else None
    options = _options(fields.object("options")) if fields.has("options") else None
    if options and quorum is None:
        raise ConfigError(f"{fields.at('options')} needs publishers, but there is no quorum")
    if market and identity == CASH_FEED:
        raise ConfigError(f"{fields.at('market')}: the feed of cash itself has no market")
    underlying = UnderlyingConfig(
        name=name,
        id=identity,
        sources=sources,
        feed=_feed(fields.object("feed"), group, market is not None, len(sources)),
        risk=_risk(fields.optional("risk"), group),
        chainlink=_chainlink(fields.object(CHAINLINK)) if CHAINLINK in sources else None,
        market=market,
        pyth=_pyth(fields.object(PYTH)) if PYTH in sources else None,
        share_rate=_share_rate(fields.object(SHARE_RATE)) if SHARE_RATE in sources else None,
        options=options,
    )
    fields.finish()
    _check_premium(underlying)
    return underlying


def _sources(fields: Fields) -> tuple[str, ...]:
    sources = fields.texts("sources")
    if not sources or len(set(sources)) != len(sources) or not set(sources) <= set(SOURCES):
        raise fields.refuse("sources", f"a list of {', '.join(SOURCES)}, each at most once")
    return tuple(sources)


def _chainlink(fields: Fields) -> ChainlinkConfig:
    """Either `address` or `mock`, the first price in dollars."""
    if fields.has("mock") == fields.has("address"):
        raise ConfigError(f"{fields.path} needs either address or mock, and not both")
    decimals = fields.integer("decimals", greatest=18, default=8)
    mock = _units(fields, "mock", decimals) if fields.has("mock") else None
    if mock == 0:
        raise fields.refuse("mock", "a price over zero")
    chainlink = ChainlinkConfig(
        heartbeat=fields.integer("heartbeat", 10, MAX_HEARTBEAT),
        deviation_bps=fields.integer("deviation_bps", 0, 500),
        decimals=decimals,
        address=fields.address("address") if fields.has("address") else None,
        mock_answer=mock,
    )
    fields.finish()
    return chainlink


def _pyth(fields: Fields) -> PythConfig:
    """The fee in wei; zero for never paying."""
    price_id = fields.text("price_id")
    if not _PRICE_ID.fullmatch(price_id) or not int(price_id, 16):
        raise fields.refuse("price_id", "32 bytes in hex that are not zero")
    max_age = fields.integer("max_age", 10, MAX_AGE)
    feed = PythFeed(
        max_age=max_age,
        min_advance=fields.integer("min_advance", 1, max_age),
        max_fee=fields.integer("max_fee", 0, MAX_PYTH_FEE),
    )
    fields.finish()
    return PythConfig(price_id.lower(), feed)


def _share_rate(fields: Fields) -> ShareRateConfig:
    share = ShareRateConfig(
        vault=fields.address("vault"),
        base=fields.text("base"),
        source=fields.choice("source", (CHAINLINK, QUORUM, PYTH)),
        rate=_units(fields, "rate", 18),
        max_growth_bps=fields.integer("max_growth_bps", 0, 5000),
        tolerance_bps=fields.integer("tolerance_bps", 0, 100),
    )
    fields.finish()
    if not MIN_RATE <= share.rate <= MAX_RATE:
        raise fields.refuse("rate", "from 1e-6 to 1e9")
    return share


def _feed(fields: Fields, group: str, has_market: bool, sources: int) -> FeedConfig:
    standard = replace(FeedConfig(), **cast(Any, _FEEDS[group]))
    values: dict[str, Any] = {
        name: fields.integer(name, least, greatest, default=getattr(standard, name))
        for name, (least, greatest) in _FEED_BOUNDS.items()
    }
    feed = FeedConfig(
        has_market=has_market,
        min_price=_units(fields, "min_price", 18),
        max_price=_units(fields, "max_price", 18),
        **values,
    )
    fields.finish()
    if feed.min_sources > sources:
        raise fields.refuse("min_sources", f"at most the number of sources, {sources}")
    if not feed.min_range_bps <= feed.base_range_bps <= feed.max_range_bps:
        raise ConfigError(
            f"{fields.path}: base_range_bps {feed.base_range_bps} must lie between "
            f"min_range_bps {feed.min_range_bps} and max_range_bps {feed.max_range_bps}"
        )
    if not 0 < feed.min_price <= feed.max_price:
        raise fields.refuse("min_price", "over zero and at most max_price")
    return feed


def _risk(fields: Fields, group: str) -> UnderlyingRisk:
    standard = _RISK[group]
    risk = UnderlyingRisk(
        kappa_quarters=fields.integer("kappa_quarters", 1, 4, standard.kappa_quarters),
        **{
            name: fields.integer(name, *bounds, getattr(standard, name))
            for name, bounds in _RISK_BOUNDS.items()
        },
    )
    fields.finish()
    if risk.roll_floor > risk.roll_rate:
        raise fields.refuse("roll_floor", f"at most roll_rate, {risk.roll_rate}")
    for rate in ("perp", "short_option"):
        low, high = getattr(risk, f"{rate}_maintenance"), getattr(risk, f"{rate}_initial")
        if high < low:
            raise ConfigError(f"{fields.at(rate)}_initial is {high}, under its maintenance {low}")
    return risk


def _check_premium(one: UnderlyingConfig) -> None:
    clamp = one.feed.premium_clamp_bps
    if clamp > one.risk.perp_maintenance or 2 * clamp > one.risk.perp_initial:
        raise ConfigError(
            f"underlyings.{one.name}.feed.premium_clamp_bps is {clamp}: it may not exceed "
            f"risk.perp_maintenance {one.risk.perp_maintenance} nor half of "
            f"risk.perp_initial {one.risk.perp_initial}"
        )


def _market(fields: Fields) -> MarketConfig:
    market = MarketConfig(cap=_units(fields, "cap", 18), fees=_fees(fields))
    fields.finish()
    if not is_cap(market.cap):
        raise fields.refuse("cap", "at most 4095 times a power of ten from 1e-9 to 1e6")
    return market


def _options(fields: Fields) -> OptionsConfig:
    standard, given = VolatilityConfig(), fields.optional("expiries")
    volatility = VolatilityConfig(
        max_age=fields.integer("max_age", 10, MAX_AGE, standard.max_age),
        jump_limit_bps=fields.integer("jump_limit_bps", 10, 5000, standard.jump_limit_bps),
        forward_jump_bps=fields.integer("forward_jump_bps", 1, 1000, standard.forward_jump_bps),
        max_live=fields.integer("max_live", 1, MAX_LIVE, standard.max_live),
    )
    rule = ExpiryRule()
    expiries = ExpiryRule(
        daily=given.integer("daily", 0, MAX_LIVE, rule.daily),
        weekly=given.integer("weekly", 0, MAX_LIVE, rule.weekly),
        monthly=given.integer("monthly", 0, MAX_LIVE, rule.monthly),
    )
    tick, cap = _units(fields, "strike_tick", 8), _units(fields, "cap", 18)
    options = OptionsConfig(volatility, expiries, tick, cap, _fees(fields))
    given.finish()
    fields.finish()
    if not 1 <= options.strike_tick <= MAX_TICK:
        raise fields.refuse("strike_tick", "from 1e-8 to 1e6")
    if options.cap > MAX_OPTION_CAP:
        raise fields.refuse("cap", "at most 2^90 of its smallest parts")
    return options


def _collateral(symbol: str, fields: Fields) -> CollateralConfig:
    token = _token(fields, symbol)
    collateral = CollateralConfig(
        token=token,
        underlying=fields.text("underlying"),
        cap=_units(fields, "cap", token.decimals),
        haircut_bps=fields.integer("haircut_bps", 0, 10_000),
        extra_haircut_bps=fields.integer("extra_haircut_bps", 0, 10_000),
        fees=_fees(fields),
    )
    fields.finish()
    if collateral.cap >= 2**128:
        raise fields.refuse("cap", "below 2^128 smallest units")
    return collateral


def _fees(fields: Fields) -> Fees:
    return Fees(_fee(fields, "maker_fee_bps"), _fee(fields, "taker_fee_bps"))


def _fee(fields: Fields, key: str) -> int:
    bps = fields.decimal(key, 0, MAX_FEE_BPS)
    return to_wad(bps / Decimal(10_000), "floor")


def _rule(fields: Fields, config: NetworkConfig) -> RuleConfig:
    """What is left out has the standard rates, and a market the depth of its feed."""
    markets = {one.name: one.feed for one in config.underlyings if one.market}
    perps = {name: replace(_RULE, depth=feed.depth) for name, feed in markets.items()}
    given = fields.entries("perps") if fields.has("perps") else []
    for name, entry in given:
        if name not in markets:
            raise ConfigError(f"{entry.path}: {name} has no market")
        perps[name] = _perp_rule(entry, perps[name])
    for name, one in perps.items():
        clamp = markets[name].premium_clamp_bps
        if clamp > one.maintenance_bps or 2 * clamp > one.initial_bps:
            raise ConfigError(
                f"{fields.at('perps')}.{name}: the premium clamp {clamp} may not exceed "
                f"maintenance_bps {one.maintenance_bps} nor half of initial_bps {one.initial_bps}"
            )
    names = [one.token.symbol for one in config.collateral]
    weights = {name: _weights(one) for name, one in fields.entries("collateral")}
    if set(weights) != set(names):
        raise fields.refuse("collateral", f"weights of each of {', '.join(names) or 'nothing'}")
    rule = RuleConfig(
        ramp_time=_ramp_time(fields),
        perps=perps,
        options=_option_rules(fields, config),
        weights={name: weights[name] for name in names},
    )
    fields.finish()
    return rule


def _ramp_time(fields: Fields) -> int:
    """Seconds that changes of an engine's parameters take."""
    bounds = rules.MIN_RAMP_TIME, rules.MAX_RAMP_TIME
    return fields.integer("ramp_time", *bounds, rules.RAMP_TIME)


def _perp_rule(fields: Fields, standard: PerpRuleConfig) -> PerpRuleConfig:
    maintenance = fields.integer("maintenance_bps", 1, 10_000, standard.maintenance_bps)
    rule = PerpRuleConfig(
        maintenance_bps=maintenance,
        initial_bps=fields.integer("initial_bps", maintenance, 10_000, standard.initial_bps),
        depth=fields.integer("depth", 0, 2**64 - 1, standard.depth),
    )
    fields.finish()
    return rule


def _option_rules(fields: Fields, config: NetworkConfig) -> dict[str, OptionRuleConfig]:
    """Rates of every underlying that has options."""
    found = {one.name: _OPTION_RULE for one in config.underlyings if one.options}
    for name, entry in fields.entries("options") if fields.has("options") else []:
        if name not in found:
            raise ConfigError(f"{entry.path}: {name} has no options")
        found[name] = _option_rule(entry)
    return found


def _option_rule(fields: Fields) -> OptionRuleConfig:
    standard = _OPTION_RULE
    maintenance = fields.integer("maintenance_bps", 1, 10_000, standard.maintenance_bps)
    floor = fields.integer("floor_bps", maintenance, 10_000, standard.floor_bps)
    initial = fields.integer("initial_bps", floor, 10_000, standard.initial_bps)
    fields.finish()
    return OptionRuleConfig(maintenance, floor, initial)


def _weights(fields: Fields) -> WeightsConfig:
    greatest = rules.MAX_WEIGHT_MAINTENANCE
    maintenance = fields.integer("maintenance_weight_bps", 0, greatest)
    greatest = min(maintenance, rules.MAX_WEIGHT_INITIAL)
    weights = WeightsConfig(maintenance, fields.integer("initial_weight_bps", 0, greatest))
    fields.finish()
    return weights


def _account(fields: Fields, index: int) -> AccountConfig:
    account = AccountConfig(
        owner=_owner(fields, "owner"),
        index=fields.integer("index", greatest=2**63, default=index),
    )
    fields.finish()
    return account


def _owner(fields: Fields, key: str) -> str:
    value = fields.text(key, DEPLOYER)
    return value if value == DEPLOYER else fields.address(key)


def _units(fields: Fields, key: str, decimals: int) -> int:
    try:
        return to_units(fields.decimal(key), decimals)
    except UnitsError:
        raise fields.refuse(key, f"a number with at most {decimals} decimals") from None
