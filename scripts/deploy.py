"""Deploys Ballast, or finishes or checks a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.book import book_path
from ballast.deploy.config_file import config_path, load_config
from ballast.deploy.deployment import Deployment
from ballast.deploy.run import DeployError
from scripts._shared import (
    ApeSigner,
    deployments_option,
    is_local,
    open_chain,
    readable,
    say,
)


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration; by default config/<network>.yaml, config/devnet.yaml on local chains.",
)
@click.option("--fresh", is_flag=True, help="Deploy anew, whatever the address book says.")
@click.option("--yes", is_flag=True, help="Really send transactions (local chains need no --yes).")
@deployments_option
@readable
def cli(  # noqa: PLR0917 (click passes them by name)
    account: Any, provider: Any, config_file: Path | None, fresh: bool, yes: bool, deployments: Path
) -> None:
    """Deploy Ballast to a network and write its address book.

    Running it again does only what is not done yet: it finishes an interrupted deployment, or
    applies a changed configuration. On public networks it only shows what it would do, unless
    --yes is given. Compile everything at once before that (ape compile -f), or explorers will
    find the metadata of the bytecode another.
    """
    chain = open_chain(provider)
    config = load_config(config_file or config_path(provider.network.name))
    if config.chain_id not in (None, chain.chain_id):
        raise DeployError(f"chain_id is {config.chain_id}, but the node is of {chain.chain_id}")
    signer = ApeSigner(account, provider)
    path = book_path(chain.chain_id, deployments)
    deployment = Deployment(chain, config, signer, path, fresh=fresh, say=say)
    deployment.check()
    if not (yes or is_local(chain.chain_id)):
        deployment.preview()
        return
    if not is_local(chain.chain_id):
        signer.unlock()
    deployment.run()
