"""Deploys a network, finishes or checks its deployment, and keeps its address book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ballast.client.book import AddressBook
from ballast.client.chain import Call, Chain
from ballast.client.events import scan
from ballast.client.signers import Signer
from ballast.deploy.addresses import make_book
from ballast.deploy.config import NetworkConfig
from ballast.deploy.expiries import deployable_expiries
from ballast.deploy.names import AUTHORITY, LENS
from ballast.deploy.plan import make_plan
from ballast.deploy.preflight import require_sane
from ballast.deploy.roles import Powers
from ballast.deploy.run import DeployError, Runner, resolve
from ballast.deploy.steps import Send
from ballast.deploy.verification import write_inputs
from ballast.deploy.web3_executor import Web3Executor


class Deployment:
    """One run: what it does it says, what it made it writes down."""

    def __init__(
        self,
        chain: Chain,
        config: NetworkConfig,
        signer: Signer,
        path: Path,
        *,
        fresh: bool = False,
        say: Callable[[str], None] = print,
    ) -> None:
        self._say = say
        self._chain = chain
        self._config = config
        self._path = path
        self._executor = Web3Executor(chain, signer)
        self._old = None if fresh else self._read_old()
        known = self._known()
        self._plan = make_plan(config, LENS in chain.artifacts, self._expiries(known))
        self._runner = Runner(self._executor, known, self._report, self._save)

    def check(self) -> None:
        """Refuses a configuration that names something that does not answer as it should."""
        checked = require_sane(self._config, self._executor, self._chain.time)
        if checked:
            self._say(f"{checked} addresses of the configuration answer as they should")

    def run(self) -> None:
        balance = self._chain.balance(self._executor.deployer)
        self._say(
            f"Chain {self._chain.chain_id} ({self._config.name}), deployer "
            f"{self._executor.deployer} with {balance / 10**18:.4f} of the chain's money"
        )
        addresses = self._runner.run(self._plan)
        self._verify()
        self._verify_roles(addresses)
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
                if isinstance(step, Send) and not self._runner.is_done(step)
            ]
        else:
            pending += [step.title for step in self._plan.steps if isinstance(step, Send)]
        for title in pending:
            self._say(f"  would {title}")
        self._say(f"{len(pending)} transactions; nothing was sent: add --yes to send them.")

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
        self._say(f"{self._path} is of a chain that is gone: deploying anew")
        self._old = None
        return {}

    def _expiries(self, known: dict[str, str]) -> dict[str, list[int]]:
        """Those to allow. Addresses without code are of steps that were never sent."""
        there = {name: address for name, address in known.items() if self._chain.code(address)}

        def view(name: str, function: str, args: Sequence[Any]) -> Any:
            return self._chain.view(Call(name, there[name], function, tuple(args)))

        deployer = self._executor.deployer
        return deployable_expiries(self._config, there, deployer, self._chain.time, view)

    def _book(self, addresses: Any, complete: bool) -> AddressBook:
        block = self._old.block if self._old else self._executor.first_block
        return make_book(
            self._config,
            addresses,
            chain_id=self._chain.chain_id,
            deployer=self._old.deployer if self._old else self._executor.deployer,
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
        self._say(f"Read back: code of {contracts} contracts, {checks} parameters as configured")

    def _verify_roles(self, addresses: dict[str, str]) -> None:
        """Nobody may do anything that the configuration does not say."""
        first = self._old.block if self._old else self._executor.first_block
        events = scan(self._chain, AUTHORITY, addresses[AUTHORITY], first or 0)
        powers = Powers.read((event.name, event.args) for event in events)
        deployer = self._old.deployer if self._old else self._executor.deployer
        differences = powers.differences(Powers.expected(self._config, addresses, deployer))
        if differences:
            raise DeployError("the roles are not as configured:\n  " + "\n  ".join(differences))
        for line in powers.lines(self._config):
            self._say(f"  {line}")

    def _write_inputs(self, addresses: dict[str, str]) -> None:
        folder = self._path.with_suffix("") / "verification"
        deployer = self._executor.deployer
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
            self._say(f"  {title} {address}".rstrip())

    def _conclude(self) -> None:
        if self._runner.changes == 0:
            self._say(f"Nothing to do: {self._path} is deployed as configured.")
            return
        self._say(
            f"{self._runner.changes} steps, {self._executor.gas_used:,} gas. "
            f"Address book: {self._path}"
        )
