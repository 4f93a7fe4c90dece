"""A keeper: refreshes prices and liquidates what pays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.artifacts import ROOT
from ballast.client.client import Client
from ballast.client.signers import PASSPHRASE_VARIABLE, KeySigner, Signer
from ballast.codec import AccountId
from ballast.keeper.accounts import AccountScanner
from ballast.keeper.chain import Eyes, Hands, Logs, open_reports, require_lens, start_cursor
from ballast.keeper.decide import Policy
from ballast.keeper.journal import Journal
from ballast.keeper.loop import TROUBLE, Keeper, KeeperError, Step, money
from ballast.units import to_wad
from scripts._shared import ApeSigner, console, deployments_option, open_client, readable

STATE = ROOT / ".keeper"
T = TypeVar("T")


@click.command(cls=ConnectedProviderCommand)
@click.option("--once", is_flag=True, help="Take one step and stop.")
@click.option("--dry-run", is_flag=True, help="Simulate and say, but send nothing.")
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder where publishers put their signed reports; without it, push sources only.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.05),
    default=5.0,
    show_default=True,
    help="Seconds between steps.",
)
@click.option(
    "--deviation-bps",
    type=click.IntRange(0),
    default=Policy().deviation_bps,
    show_default=True,
    help="Refresh a price that would move by this much, 1e-4.",
)
@click.option(
    "--heartbeat",
    type=click.IntRange(0),
    help="Refresh a price of this age in seconds; half of what its feed allows by default.",
)
@click.option(
    "--min-profit",
    default="0",
    show_default=True,
    help="Least cash that a liquidation must leave after gas.",
)
@click.option(
    "--gas-feed",
    default="ETH",
    show_default=True,
    help="Underlying whose price the chain's gas money has.",
)
@click.option("--gas-money", help="A fixed price in cash of the chain's gas money instead.")
@click.option(
    "--index",
    type=click.IntRange(0),
    default=0,
    help="Index of the keeper's account, which takes over positions and must hold collateral.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that remembers the accounts found; .keeper/<chain id>.json by default.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that gets one JSON line a transaction; .keeper/<chain id>.jsonl by default.",
)
@click.option(
    "--keyfile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Sign with this encrypted keyfile instead of an Ape account.",
)
@click.option(
    "--passphrase-env",
    default=PASSPHRASE_VARIABLE,
    show_default=True,
    help="Environment variable with the passphrase of the keyfile.",
)
@account_option(prompt=None)
@deployments_option
@readable
def cli(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    once: bool,
    dry_run: bool,
    reports: Path | None,
    interval: float,
    deviation_bps: int,
    heartbeat: int | None,
    min_profit: str,
    gas_feed: str,
    gas_money: str | None,
    index: int,
    state: Path | None,
    journal: Path | None,
    keyfile: Path | None,
    passphrase_env: str,
) -> None:
    """Keep a deployment healthy, for a reward.

    Each step looks for accounts in the events since the last one, refreshes the prices that moved
    or grew old, and liquidates the accounts under their maintenance margin whose reward pays for
    the gas. Everything is simulated before it is sent. The positions end up in the keeper's own
    account, which must hold collateral for them.
    """
    client = open_client(provider, deployments)
    require_lens(client)
    signer = _signer(account, provider, keyfile, passphrase_env)
    keeper = make_keeper(
        client,
        signer,
        AccountId.make(signer.address, index),
        reports=reports,
        policy=Policy(deviation_bps, heartbeat, to_wad(min_profit)),
        native=gas_feed if gas_money is None else to_wad(gas_money),
        state=state or STATE / f"{client.book.chain_id}.json",
        journal=Journal(journal or STATE / f"{client.book.chain_id}.jsonl"),
        dry_run=dry_run,
    )
    own = _or_fail(keeper.require_collateral)
    say(f"watching chain {client.book.chain_id} for {own.id}, worth {money(own.equity)}")
    if once:
        _show(_or_fail(keeper.step))
        return
    try:
        keeper.run(interval)
    except KeyboardInterrupt:
        say("stopped")


def make_keeper(
    client: Client,
    signer: Signer,
    into: AccountId,
    *,
    reports: Path | None,
    policy: Policy,
    native: str | int,
    state: Path,
    journal: Journal,
    dry_run: bool,
) -> Keeper:
    """A keeper with eyes and hands on a deployment."""
    eyes = Eyes(client, into, open_reports(client, reports), native, log=say)
    scanner = AccountScanner(Logs(client), start_cursor(client), state, log=say)
    hands = Hands(client, signer, into)
    return Keeper(
        eyes, hands, scanner, policy, client.book, dry_run=dry_run, journal=journal, log=say
    )


def _or_fail(attempt: Callable[[], T]) -> T:
    """Ends with a message where the loop would try again."""
    try:
        return attempt()
    except TROUBLE as error:
        raise KeeperError(str(error)) from error


def _show(done: Step) -> None:
    say(
        f"done: {done.accounts} accounts, {done.refreshed} prices refreshed, "
        f"{done.liquidated} liquidated, reward {money(done.reward)}"
    )


def _signer(account: Any, provider: Any, keyfile: Path | None, variable: str) -> Signer:
    if keyfile is not None:
        return KeySigner.from_keyfile(keyfile, variable=variable)
    if account is None:
        raise click.UsageError("name an Ape account with --account, or a file with --keyfile")
    signer = ApeSigner(account, provider)
    signer.unlock()
    return signer


def say(line: str) -> None:
    """One line of progress, with the time, at once."""
    now = datetime.now(UTC).strftime("%H:%M:%S")
    console.print(f"{now} {line}", highlight=False, markup=False, soft_wrap=True)
