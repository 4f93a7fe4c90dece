"""What a deployment is made of: steps that can tell whether they were already done.

A plan is data: what it names (`Ref`) is resolved to addresses by the executor that runs it, so the
same plan deploys to a node over web3.py and to an EVM in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ballast.codec import Snapshot
from ballast.risk.ramp import Ramp


@dataclass(frozen=True, slots=True)
class Ref:
    """The address of a contract of the plan, by its name in the address book."""

    name: str


@dataclass(frozen=True, slots=True)
class Deployer:
    """The address that deploys."""


@dataclass(frozen=True, slots=True)
class OwnedAccount:
    """The id of an account of the deployer."""

    index: int


class Any_:  # noqa: N801 (reads as what it is: a hole in a pattern)
    """Matches every value."""

    def accepts(self, value: Any) -> bool:
        return True

    def __repr__(self) -> str:
        return "anything"


class NotZero:
    """Matches every number but zero."""

    def accepts(self, value: Any) -> bool:
        return bool(value)

    def __repr__(self) -> str:
        return "not zero"


class HasPrice:
    """Matches snapshots with a price. While the sequencer is down, those without are not zero."""

    def accepts(self, value: Any) -> bool:
        return Snapshot.decode(value).price > 0

    def __repr__(self) -> str:
        return "a price"


@dataclass(frozen=True, slots=True)
class RampTo:
    """Matches the ramps of a contract that are at a target or on their way to it."""

    target: int

    def accepts(self, value: Any) -> bool:
        return Ramp.decode(value).target == self.target


ANY = Any_()
NOT_ZERO = NotZero()
HAS_PRICE = HasPrice()


@dataclass(frozen=True, slots=True)
class View:
    """A view of a contract; `contract` names its ABI."""

    target: Ref
    contract: str
    function: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A view and what it must answer."""

    view: View
    expected: Any


@dataclass(frozen=True, slots=True)
class Deploy:
    """Deploys `contract` under `name`; `checks` are its immutables."""

    name: str
    contract: str
    args: tuple[Any, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def title(self) -> str:
        return f"deploy {self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """Contracts that know each other's addresses: deployed one right after the other."""

    members: tuple[Deploy, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Calls a contract unless all of `done` holds; `hint` says what to do if it does not even
    then."""

    title: str
    target: Ref
    contract: str
    function: str
    args: tuple[Any, ...]
    done: Check | tuple[Check, ...]
    hint: str = ""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Everything that holds once it was done."""
        return (self.done,) if isinstance(self.done, Check) else self.done


Step = Deploy | Group | Send


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in order, and what must hold when they are done."""

    steps: tuple[Step, ...]

    def deployments(self) -> Iterator[Deploy]:
        for step in self.steps:
            if isinstance(step, Deploy):
                yield step
            elif isinstance(step, Group):
                yield from step.members

    def checks(self) -> Iterator[tuple[str, Check]]:
        """Every immutable and every parameter, with the title of the step that sets it."""
        for one in self.deployments():
            for check in one.checks:
                yield f"{one.name}.{check.view.function}", check
        for step in self.steps:
            if isinstance(step, Send):
                for check in step.checks:
                    yield step.title, check
