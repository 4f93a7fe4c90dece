"""A keeper: refreshes prices and liquidates what pays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.book import AddressBook, book_path
from ballast.client.signers import PASSPHRASE_VARIABLE, KeySigner, Signer
from ballast.keeper.assembly import SECRET_VARIABLE, Options, open_keeper, say
from ballast.keeper.decide import Policy
from ballast.keeper.logs import FORMATS, open_log
from ballast.keeper.loop import TROUBLE, KeeperError, Step, money
from scripts._shared import ApeSigner, deployments_option, readable

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
    help="Refresh a price that would move by this much, 1e-4 of it.",
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
    help="Least that a liquidation must leave after gas, units of cash.",
)
@click.option(
    "--flag",
    is_flag=True,
    help="Prove accounts unhealthy that it does not take, at most every 5 minutes each.",
)
@click.option(
    "--gas-feed",
    default="ETH",
    show_default=True,
    help="Underlying whose price the chain's gas money has.",
)
@click.option("--gas-money", help="Instead, a fixed price of the chain's gas money, in cash.")
@click.option(
    "--index",
    type=click.IntRange(0),
    default=0,
    show_default=True,
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
@click.option(
    "--rpc",
    "rpcs",
    multiple=True,
    help="URL of a node, best first; repeat for fail-over. That of --network by default.",
)
@click.option(
    "--max-fee-gwei",
    type=click.FloatRange(0, min_open=True),
    help="Greatest fee per gas, gwei; without it there is no bound.",
)
@click.option("--pyth-url", help="Hermes service for updates of Pyth.")
@click.option(
    "--pyth-folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with answers of Hermes, 0x<price id>.json, instead of a service.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="Lines for people or machines.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Serve /metrics and /healthz on 127.0.0.1; not served by default.",
)
@click.option(
    "--stall-seconds",
    type=click.FloatRange(1),
    default=300.0,
    show_default=True,
    help="/healthz is 503 when no step succeeded for so long.",
)
@click.option("--webhook", help=f"URL that gets notices of margin, signed with {SECRET_VARIABLE}.")
@account_option(prompt=None)
@deployments_option
@readable
def cli(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    once: bool,
    log_format: str,
    keyfile: Path | None,
    passphrase_env: str,
    rpcs: tuple[str, ...],
    **options: Any,
) -> None:
    """Keep a deployment healthy, for a reward.

    Each step looks for accounts in the events since the last one, refreshes the prices that moved
    or grew old, and liquidates the accounts under their maintenance margin whose reward pays for
    the gas. Everything is simulated before it is sent. The positions end up in the keeper's own
    account, which must hold collateral for them.
    """
    open_log(log_format)
    book = AddressBook.load(book_path(provider.chain_id, deployments))
    signer = _signer(account, provider, keyfile, passphrase_env)
    wanted = Options(rpcs=rpcs or (provider.http_uri,), **options)
    with open_keeper(book, deployments, signer, wanted) as keeper:
        own = _or_fail(keeper.require_collateral)
        say(f"watching chain {book.chain_id} for {own.id}, worth {money(own.equity)}")
        if once:
            _show(_or_fail(keeper.step))
            return
        try:
            keeper.run(wanted.interval)
        except KeyboardInterrupt:
            say("stopped")


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
