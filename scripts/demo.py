"""The demonstration: a crash on a real devnet, with a keeper in its own process."""

from __future__ import annotations

import signal
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from ballast.client.book import book_path
from ballast.client.chain import Chain
from ballast.client.client import Client
from ballast.demo.cast import DEPLOYER, KEEPER
from ballast.demo.feeds import Feeds
from ballast.demo.paths import SEED, SHIPPED, make, read
from ballast.demo.process import KeeperProcess
from ballast.demo.run import Demo
from ballast.demo.show import Screen, show_result
from ballast.demo.stage import Stage
from ballast.demo.surface import Surface
from ballast.deploy.config import NetworkConfig, UnderlyingConfig
from ballast.deploy.config_file import config_path, load_config
from ballast.deploy.deployment import Deployment
from ballast.devnet.anvil import CHAIN_ID, Anvil
from ballast.oracle.prices import PriceRow
from ballast.units import from_wad, to_units
from scripts._shared import console, readable, say

ACCOUNTS = 11  # of anvil: those of the cast
SET_UP_SECONDS = 3600  # between the first block and the first price
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ"])


@click.command()
@click.option(
    "--prices",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Replay this file, with the columns time,BTC,ETH, instead of the path that ships.",
)
@click.option("--from", "since", type=_MOMENT, help="First moment of the file to replay (UTC).")
@click.option("--to", "until", type=_MOMENT, help="Last moment of the file to replay (UTC).")
@click.option("--seed", type=int, help=f"Make another path; the one that ships has seed {SEED}.")
@readable
def cli(
    prices: Path | None, since: datetime | None, until: datetime | None, seed: int | None
) -> None:
    """Show Ballast through a crash on a local chain of its own.

    Traders and a market maker deposit and trade, and two of them write options; then prices fall,
    publishers and aggregators report them, and the keeper, in its own process, refreshes prices
    and slices, and liquidates. Fails unless the books balance to the wei and exactly the accounts
    that the Python model predicted were liquidated.
    """
    if seed is not None and prices is not None:
        raise click.UsageError("--seed makes a path, --prices replays one: name one of them")
    rows = make(seed) if seed is not None else read(prices or SHIPPED, _unix(since), _unix(until))
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ballast-demo-")))
        ok = _play(stack, folder, rows, SEED if seed is None else seed)
    if not ok:
        raise SystemExit(1)


def _play(stack: ExitStack, folder: Path, rows: list[PriceRow], seed: int) -> bool:
    console.rule("A local chain")
    start = rows[0].time - SET_UP_SECONDS
    anvil = stack.enter_context(Anvil(start, folder / "anvil.log", accounts=ACCOUNTS))
    console.print(f"anvil {anvil.pid} at {anvil.url}", highlight=False)
    chain = Chain(anvil.web3)
    path = book_path(CHAIN_ID, folder / "deployments")
    Deployment(chain, _config(rows[0]), DEPLOYER.signer, path, fresh=True, say=say).run()
    client = Client.open(chain, path.parent)
    keeper = stack.enter_context(KeeperProcess(KEEPER, folder, _options(anvil.url, folder)))
    demo = Demo(
        client,
        anvil,
        Stage(client, rows[0].prices),
        feeds=Feeds(client, folder / "reports", seed),
        surface=Surface(client, folder / "reports", seed),
        keeper=keeper,
    )
    console.rule("Trades")
    screen = Screen(console, len(rows))
    with screen.progress:
        result = demo.play(rows, screen)
    show_result(console, result)
    return not result.problems


def _config(first: PriceRow) -> NetworkConfig:
    """The devnet's configuration, its aggregators starting at the path's first prices."""
    config = load_config(config_path("devnet"))
    underlyings = tuple(_starting_at(one, first) for one in config.underlyings)
    return replace(config, underlyings=underlyings)


def _starting_at(one: UnderlyingConfig, first: PriceRow) -> UnderlyingConfig:
    if one.chainlink is None or one.name not in first.prices:
        return one
    answer = to_units(from_wad(first.prices[one.name]), one.chainlink.decimals, "floor")
    return replace(one, chainlink=replace(one.chainlink, mock_answer=answer))


def _options(url: str, folder: Path) -> list[str]:
    """How the keeper is started: every price that is newer is brought at once."""
    return [
        *("--network", f"ethereum:devnet:{url}"),
        *("--reports", str(folder / "reports")),
        *("--deployments", str(folder / "deployments")),
        *("--state", str(folder / "accounts.json")),
        *("--journal", str(folder / "journal.jsonl")),
        *("--interval", "0.1"),
        *("--heartbeat", "1"),
    ]


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """A polite end runs the same cleaning up as Ctrl-C."""
    raise KeyboardInterrupt
