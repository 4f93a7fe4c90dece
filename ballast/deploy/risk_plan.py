"""The part of a deployment that sets the parameters of the risk engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ballast.deploy.config import CollateralConfig, NetworkConfig, UnderlyingConfig
from ballast.deploy.names import JOINT_ENGINE, RULE_ENGINE
from ballast.deploy.steps import ANY, Check, RampTo, Ref, Send, Step, View


def risk_steps(config: NetworkConfig) -> Iterator[Step]:
    yield Send(
        title=f"time of ramps of {JOINT_ENGINE}",
        target=Ref(JOINT_ENGINE),
        contract=JOINT_ENGINE,
        function="setRampTime",
        args=(config.ramp_time,),
        done=_joint("rampTime", expected=config.ramp_time),
    )
    for one in config.underlyings:
        if config.needs_risk(one):
            yield _underlying_risk(one)
    for asset in config.collateral:
        yield _asset_risk(config, asset)


def _underlying_risk(one: UnderlyingConfig) -> Send:
    values = tuple(getattr(one.risk, name) for name in one.risk.__slots__)
    return Send(
        title=f"risk of {one.name}",
        target=Ref(JOINT_ENGINE),
        contract=JOINT_ENGINE,
        function="setUnderlying",
        args=(one.id, values),
        done=_joint("underlyingRamp", one.id, expected=(ANY, values, ANY, ANY)),
    )


def _asset_risk(config: NetworkConfig, one: CollateralConfig) -> Send:
    identity = config.asset_id(one.token.symbol)
    feed = config.underlying(one.underlying).id
    haircuts = (one.haircut_bps, one.extra_haircut_bps)
    return Send(
        title=f"haircut of {one.token.symbol}",
        target=Ref(JOINT_ENGINE),
        contract=JOINT_ENGINE,
        function="setAsset",
        args=(identity, *haircuts),
        done=(
            _joint("assetRisk", identity, expected=(feed, one.token.decimals, ANY, ANY)),
            _joint("assetRamp", identity, expected=(ANY, ANY, *haircuts, ANY, ANY)),
        ),
    )


def _joint(function: str, *args: Any, expected: Any) -> Check:
    return Check(View(Ref(JOINT_ENGINE), JOINT_ENGINE, function, args), expected)


def rule_steps(config: NetworkConfig) -> Iterator[Step]:
    if config.rule is None:
        return
    time = config.rule.ramp_time
    yield _rule("time of ramps", ("setRampTime", time), ("rampTime",), time)
    for name, perp in config.rule.perps.items():
        identity = config.underlying(name).id
        rates = (perp.maintenance_bps, perp.initial_bps, perp.depth)
        title = f"rates of {name}-PERP"
        yield _rule(title, ("setPerp", identity, *rates), ("perpTargets", identity), rates)
    for name, option in config.rule.options.items():
        identity = config.underlying(name).id
        parts = (option.maintenance_bps, option.initial_bps, option.floor_bps)
        ramps = tuple(RampTo(part) for part in parts)
        title = f"rates of options on {name}"
        yield _rule(title, ("setOption", identity, *parts), ("optionRule", identity), ramps)
    for symbol, one in config.rule.weights.items():
        identity = config.asset_id(symbol)
        weights = (one.maintenance_bps, one.initial_bps)
        title = f"weights of {symbol}"
        yield _rule(title, ("setAsset", identity, *weights), ("assetTargets", identity), weights)


def _rule(title: str, call: tuple[Any, ...], view: tuple[Any, ...], expected: Any) -> Send:
    """Calls the rule engine; `call` and `view` are a function and its values."""
    return Send(
        title=title,
        target=Ref(RULE_ENGINE),
        contract=RULE_ENGINE,
        function=call[0],
        args=call[1:],
        done=Check(View(Ref(RULE_ENGINE), RULE_ENGINE, view[0], view[1:]), expected),
    )
