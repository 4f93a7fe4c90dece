"""Changes of parameters and roles through the Authority."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.deploy.config_file import config_path, load_config
from ballast.deploy.govern import Governor, Operation
from scripts._shared import ApeSigner, deployments_option, open_client, readable, say


@click.group()
def cli() -> None:
    """Schedule, execute and cancel changes of parameters, and see what waits."""


def _governor(provider: Any, deployments: Path) -> Governor:
    client = open_client(provider, deployments)
    return Governor(client.chain, client.book)


@cli.command(cls=ConnectedProviderCommand)
@click.argument("contract")
@click.argument("function")
@click.argument("arguments", nargs=-1)
@click.option("--at", type=click.DateTime(), help="Earliest time (UTC); by default the delay.")
@account_option()
@deployments_option
@readable
def schedule(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    contract: str,
    function: str,
    arguments: Sequence[str],
    at: datetime | None,
) -> None:
    """Schedule a call of FUNCTION of CONTRACT with ARGUMENTS, each NAME=VALUE.

    Structs and lists are JSON; underlyings, assets, instruments and contracts may be named. Who has
    no delay makes the call at once.
    """
    governor, signer = _governor(provider, deployments), ApeSigner(account, provider)
    call = governor.call(contract, function, arguments)
    seconds = 0 if at is None else int(at.replace(tzinfo=UTC).timestamp())
    operation = governor.submit(signer, call, seconds)
    if operation is None:
        say(f"done: {contract}.{function} needed no waiting")
        return
    say(governor.describe(operation))
    say(f"to be executed from {_time(operation.ready)} to {_time(operation.expires)}")


@cli.command("list", cls=ConnectedProviderCommand)
@deployments_option
@readable
def show(provider: Any, deployments: Path) -> None:
    """Show everything that waits."""
    governor = _governor(provider, deployments)
    operations = governor.operations()
    for operation in operations:
        say(f"{_time(operation.ready)}  {governor.describe(operation)}")
    if not operations:
        say("nothing waits")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("operation")
@account_option()
@deployments_option
@readable
def execute(account: Any, provider: Any, deployments: Path, *, operation: str) -> None:
    """Execute what you scheduled; OPERATION is the beginning of its id."""
    governor, found = _found(provider, deployments, operation)
    text = governor.describe(found)
    receipt = governor.execute(ApeSigner(account, provider), found)
    say(f"executed {text} (block {receipt.block}, {receipt.gas_used:,} gas)")


@cli.command(cls=ConnectedProviderCommand)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration; by default config/<network>.yaml, config/devnet.yaml on local chains.",
)
@account_option()
@deployments_option
@readable
def expiries(account: Any, provider: Any, deployments: Path, *, config_file: Path | None) -> None:
    """Allow the expiries that the configuration wants now and the chain lacks.

    Who has to wait schedules them; run it again after the delay, and it executes them.
    """
    governor, signer = _governor(provider, deployments), ApeSigner(account, provider)
    config = load_config(config_file or config_path(provider.network.name))
    count = 0
    for line in governor.allow_expiries(signer, config):
        count += 1
        say(line)
    if not count:
        say("nothing is missing")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("operation")
@account_option()
@deployments_option
@readable
def cancel(account: Any, provider: Any, deployments: Path, *, operation: str) -> None:
    """Cancel what waits; OPERATION is the beginning of its id."""
    governor, found = _found(provider, deployments, operation)
    receipt = governor.cancel(ApeSigner(account, provider), found)
    say(f"cancelled {found.id[:10]} (block {receipt.block}, {receipt.gas_used:,} gas)")


def _found(provider: Any, deployments: Path, operation: str) -> tuple[Governor, Operation]:
    governor = _governor(provider, deployments)
    return governor, governor.find(operation)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
