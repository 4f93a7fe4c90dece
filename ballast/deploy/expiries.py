"""Which expiries a chain lacks, and who may allow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ballast.deploy.config import NetworkConfig, OptionsConfig
from ballast.deploy.names import AUTHORITY, ORACLE
from ballast.deploy.roles import selector
from ballast.volatility.expiries import missing

ALLOW = "allowExpiry"

View = Callable[[str, str, Sequence[Any]], Any]


def absent_expiries(
    config: NetworkConfig, live: Callable[[int], Sequence[int]], now: int
) -> dict[str, list[int]]:
    """The expiries that the rules of a configuration ask for and `live` lacks, by underlying."""
    return {
        one.name: missing(one.options.expiries, live(one.id), now, one.options.volatility.max_live)
        for one in config.underlyings
        if one.options
    }


def deployable_expiries(
    config: NetworkConfig, addresses: Mapping[str, str], deployer: str, now: int, view: View
) -> dict[str, list[int]]:
    """The same for a deployment, of which nothing may stand yet.

    None once the deployer has handed that power over: `ape run govern expiries` allows them then.
    """
    if ORACLE not in addresses:
        return absent_expiries(config, lambda _: (), now)
    call = (deployer, addresses[ORACLE], selector(ORACLE, ALLOW))
    immediate, _ = view(AUTHORITY, "canCall", call)
    if not immediate:
        return {}
    return absent_expiries(config, lambda one: view(ORACLE, "liveExpiries", (one,)), now)


def allow_arguments(identity: int, options: OptionsConfig, expiry: int) -> tuple[int, int, int]:
    """The arguments of `allowExpiry`."""
    return identity, expiry, options.strike_tick


def day(expiry: int) -> str:
    """The date of an expiry, all of which are at 08:00 UTC."""
    return datetime.fromtimestamp(expiry, UTC).strftime("%Y-%m-%d")
