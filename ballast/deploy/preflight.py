"""What a configuration names that exists already: asked before anything is sent.

A wrong address would otherwise be found half-way through a deployment, or, for a token, never.
Every complaint names the field and what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ballast.deploy.config import NetworkConfig, TokenConfig, UnderlyingConfig
from ballast.deploy.run import DeployError, Executor, Refused
from ballast.units import WAD


def require_sane(config: NetworkConfig, executor: Executor, now: int) -> int:
    """Checks every address; returns how many. DeployError lists the fields that are wrong."""
    findings = list(_findings(config, executor, now))
    wrong = [f"{field}: {why}" for field, why in findings if why]
    if wrong:
        raise DeployError("the configuration is not of this chain:\n  " + "\n  ".join(wrong))
    return len(findings)


def _findings(
    config: NetworkConfig, executor: Executor, now: int
) -> Iterator[tuple[str, str | None]]:
    """Each address by its field, and what is wrong with it."""
    if config.cash.address:
        yield "cash.address", _token(config.cash, executor)
    for one in config.collateral:
        if one.token.address:
            yield f"collateral.{one.token.symbol}.address", _token(one.token, executor)
    for underlying in config.underlyings:
        prefix = f"underlyings.{underlying.name}"
        if underlying.chainlink and underlying.chainlink.address:
            yield f"{prefix}.chainlink.address", _aggregator(underlying, executor, now)
        if underlying.share_rate:
            yield f"{prefix}.share_rate.vault", _code(underlying.share_rate.vault, executor)
    if config.pyth:
        yield "pyth", _code(config.pyth, executor)


def _code(address: str, executor: Executor) -> str | None:
    return None if executor.code(address) else f"there is no contract at {address}"


def _token(token: TokenConfig, executor: Executor) -> str | None:
    address = str(token.address)
    missing = _code(address, executor)
    if missing:
        return missing
    decimals = _ask(executor, "TestToken", address, "decimals")
    if decimals != token.decimals:
        return f"{address} has {decimals} decimals, not {token.decimals}"
    symbol = _ask(executor, "TestToken", address, "symbol")
    return None if symbol == token.symbol else f"{address} is {symbol}, not {token.symbol}"


def _aggregator(underlying: UnderlyingConfig, executor: Executor, now: int) -> str | None:
    assert underlying.chainlink is not None
    feed, address = underlying.chainlink, str(underlying.chainlink.address)
    missing = _code(address, executor)
    if missing:
        return missing
    decimals = _ask(executor, "IAggregatorV3", address, "decimals")
    if decimals != feed.decimals:
        return f"{address} has {decimals} decimals, not {feed.decimals}"
    round_ = _ask(executor, "IAggregatorV3", address, "latestRoundData")
    if isinstance(round_, Refused):
        return f"{address} does not answer: {round_}"
    price, age = round_[1] * WAD // 10**feed.decimals, now - round_[3]
    least, greatest = underlying.feed.min_price, underlying.feed.max_price
    if not least <= price <= greatest:
        return f"{address} answers {price / WAD:g}, not {least / WAD:g} to {greatest / WAD:g}"
    if age > feed.heartbeat:
        return f"{address} answered {age} s ago, more than its heartbeat of {feed.heartbeat} s"
    return None


def _ask(executor: Executor, contract: str, address: str, function: str) -> Any:
    """The answer of a view, or what refused it."""
    try:
        return executor.view(contract, address, function, ())
    except Refused as error:
        return error
