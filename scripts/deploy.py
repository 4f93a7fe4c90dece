"""Deploys Ballast, or finishes or checks a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.book import AddressBook, book_path
from ballast.client.chain import Chain
from ballast.deploy.config import NetworkConfig, config_path, load_config
from ballast.deploy.deployment import make_book
from ballast.deploy.plan import LENS, Send, make_plan
from ballast.deploy.preflight import require_sane
from ballast.deploy.run import DeployError, Runner, resolve
from ballast.deploy.verification import write_inputs
from ballast.deploy.web3_executor import Web3Executor
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
    deployment = Deployment(chain, config, signer, book_path(chain.chain_id, deployments), fresh)
    checked = require_sane(config, deployment.executor, chain.time)
    if checked:
        say(f"{checked} addresses of the configuration answer as they should")
    if not (yes or is_local(chain.chain_id)):
        deployment.preview()
        return
    if not is_local(chain.chain_id):
        signer.unlock()
    deployment.run()


class Deployment:
    """One run of the script."""

    def __init__(
        self, chain: Chain, config: NetworkConfig, signer: ApeSigner, path: Path, fresh: bool
    ) -> None:
        self._chain = chain
        self._config = config
        self._path = path
        self.executor = Web3Executor(chain, signer)
        self._plan = make_plan(config, has_lens=LENS in chain.artifacts)
        self._old = None if fresh else self._read_old()
        self._runner = Runner(self.executor, self._known(), self._report, self._save)

    def run(self) -> None:
        balance = self._chain.web3.eth.get_balance(self.executor.deployer)
        say(
            f"Chain {self._chain.chain_id} ({self._config.name}), deployer "
            f"{self.executor.deployer} with {balance / 10**18:.4f} of the chain's money"
        )
        addresses = self._runner.run(self._plan)
        self._verify()
        complete = self._book(addresses, complete=True)
        if complete != self._old:
            complete.save(self._path)
        self._write_inputs(addresses)
        self._conclude()

    def preview(self) -> None:
        """What a run would do, without doing it."""
        pending = [one.title for one in self._plan.deployments() if not self._has_code(one.name)]
        if not pending:
            pending = [
                step.title
                for step in self._plan.steps
                if isinstance(step, Send) and not self._runner.holds(step.done)
            ]
        else:
            pending += [step.title for step in self._plan.steps if isinstance(step, Send)]
        for title in pending:
            say(f"  would {title}")
        say(f"{len(pending)} transactions; nothing was sent: add --yes to send them.")

    # ---- The address book ----

    def _read_old(self) -> AddressBook | None:
        if not self._path.is_file():
            return None
        return AddressBook.load(self._path, incomplete=True)

    def _known(self) -> dict[str, str]:
        """Recorded addresses. If this chain has no code at any of them, the book is of a chain that
        is gone."""
        if self._old is None:
            return {}
        contracts = self._old.contracts
        if any(self._chain.code(address) for address in contracts.values()):
            return dict(contracts)
        say(f"{self._path} is of a chain that is gone: deploying anew")
        self._old = None
        return {}

    def _book(self, addresses: Any, complete: bool) -> AddressBook:
        block = self._old.block if self._old else self.executor.first_block
        return make_book(
            self._config,
            addresses,
            chain_id=self._chain.chain_id,
            deployer=self._old.deployer if self._old else self.executor.deployer,
            block=block or 0,
            complete=complete,
        )

    def _save(self, addresses: Any) -> None:
        self._book(addresses, complete=False).save(self._path)

    def _has_code(self, name: str) -> bool:
        address = self._runner.addresses.get(name)
        return bool(address and self._chain.code(address))

    # ---- Afterwards ----

    def _verify(self) -> None:
        """Read everything back."""
        differences = self._runner.differences(self._plan)
        if differences:
            raise DeployError("the chain is not as configured:\n  " + "\n  ".join(differences))
        checks = sum(1 for _ in self._plan.checks())
        contracts = sum(1 for _ in self._plan.deployments())
        say(f"Read back: code of {contracts} contracts, {checks} parameters as configured")

    def _write_inputs(self, addresses: dict[str, str]) -> None:
        folder = self._path.with_suffix("") / "verification"
        deployer = self.executor.deployer
        contracts = [
            (
                one.name,
                addresses[one.name],
                self._chain.artifacts[one.contract],
                resolve(one.args, addresses, deployer),
            )
            for one in self._plan.deployments()
        ]
        write_inputs(folder, contracts)

    def _report(self, title: str, changed: bool) -> None:
        if changed:
            address = self._runner.addresses.get(title.removeprefix("deploy "), "")
            say(f"  {title} {address}".rstrip())

    def _conclude(self) -> None:
        if self._runner.changes == 0:
            say(f"Nothing to do: {self._path} is deployed as configured.")
            return
        say(
            f"{self._runner.changes} steps, {self.executor.gas_used:,} gas. "
            f"Address book: {self._path}"
        )
