"""Where a campaign plays: a deployed system, its clock, and how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from ballast.client.book import AddressBook
from ballast.deploy.config import NetworkConfig, SequencerConfig
from ballast.deploy.plan import aggregator_name
from tests.support.artefacts import Artefacts
from tests.support.revm import DEPLOYER, Evm, RevmContract
from tests.support.system import System, deploy_system, devnet_config

Probe = tuple[str, bytes]
GRACE = 1800


def campaign_config(evm: Any) -> NetworkConfig:
    """The devnet's configuration on a chain with a sequencer."""
    return replace(devnet_config(evm), sequencer=SequencerConfig(GRACE))


class Stage(Protocol):
    """A system on some chain. Contracts are called as in `tests.support.revm`."""

    config: NetworkConfig
    book: AddressBook
    deployer: str

    @property
    def time(self) -> int: ...

    @property
    def number(self) -> int: ...

    def advance(self, seconds: int) -> None:
        """Begin a later block."""

    def begin_call(self) -> None:
        """Move on to the block that the next transaction is in, if every one has its own."""

    def rest(self) -> None:
        """Leave the block that `begin_call` began, if no transaction came."""

    def snapshot(self) -> Any:
        """Mark the state of the chain."""

    def revert(self, snapshot: Any) -> None:
        """Return to a mark, any number of times."""

    def contract(self, name: str, abi: str | None = None) -> Any:
        """A contract of the address book, seen as `abi`."""

    def at(self, abi: str, address: str) -> Any: ...

    def actor(self, role: str) -> Any:
        """Who plays a role: `address` and `key`."""

    def answers(self, probes: Sequence[Probe]) -> list[bytes]:
        """The raw answers of views."""


class RevmStage:
    """The system in this process. Everything in one block until time is told to pass."""

    deployer = DEPLOYER

    def __init__(self, artefacts: Artefacts | None = None) -> None:
        self.evm = Evm(artefacts)
        self._system: System = deploy_system(self.evm, campaign_config(self.evm))
        self.config = self._system.config
        self.book = self._system.book

    @property
    def time(self) -> int:
        return self.evm.time

    @property
    def number(self) -> int:
        return self.evm.number

    def advance(self, seconds: int) -> None:
        self.evm.advance(seconds)

    def begin_call(self) -> None:
        pass

    def rest(self) -> None:
        pass

    def snapshot(self) -> int:
        return self.evm.snapshot()

    def revert(self, snapshot: int) -> None:
        self.evm.revert(snapshot)

    def contract(self, name: str, abi: str | None = None) -> RevmContract:
        return self._system.contract(name, abi)

    def at(self, abi: str, address: str) -> RevmContract:
        return self.evm.at(abi, address)

    def actor(self, role: str) -> Any:
        return self.evm.actor(role)

    def answers(self, probes: Sequence[Probe]) -> list[bytes]:
        call = self.evm.call
        return [call(address, data, DEPLOYER, 0, True) for address, data in probes]


def aggregators(stage: Stage) -> dict[int, Any]:
    """The mock aggregator of each feed."""
    return {
        one.id: stage.contract(aggregator_name(one), "MockAggregator")
        for one in stage.config.underlyings
    }
