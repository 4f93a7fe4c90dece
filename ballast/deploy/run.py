"""Runs a plan on whatever executes it, and compares a chain with a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ballast.codec import AccountId
from ballast.deploy.steps import (
    Any_,
    Check,
    Deploy,
    Deployer,
    Group,
    HasPrice,
    NotZero,
    OwnedAccount,
    Plan,
    RampTo,
    Ref,
    Send,
    View,
)

GROUP_TRIES = 3


class DeployError(Exception):
    """A step that could not be done."""


class Refused(Exception):  # noqa: N818 (an answer, which some checks expect)
    """A view or a call that the contract refused; the text says why."""


class Executor(Protocol):
    """Where a plan is run. Addresses are texts; structs go in and out as sequences."""

    @property
    def deployer(self) -> str:
        """The address that deploys and calls."""

    def nonce(self) -> int:
        """The nonce of the deployer's next transaction."""

    def code(self, address: str) -> bytes:
        """What is deployed at an address."""

    def matches(self, contract: str, code: bytes) -> bool:
        """Whether code is that of the compiled contract, immutables aside."""

    def deploy(self, contract: str, args: Sequence[Any]) -> str:
        """Deploy a contract; its address."""

    def view(self, contract: str, address: str, function: str, args: Sequence[Any]) -> Any:
        """The answer of a view; raises Refused."""

    def send(self, contract: str, address: str, function: str, args: Sequence[Any]) -> None:
        """Call a contract; raises Refused."""


Report = Callable[[str, bool], None]
Save = Callable[[Mapping[str, str]], None]


def create_address(sender: str, nonce: int) -> str:
    """The address of the contract that a CREATE with this nonce makes."""
    number = b"" if nonce == 0 else nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if len(number) == 1 and nonce < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + bytes.fromhex(sender[2:]) + encoded
    return str(to_checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[12:]))


# ---- Values -----------------------------------------------------------------------------------


def resolve(value: Any, addresses: Mapping[str, str], deployer: str) -> Any:
    """A value of a plan with its names replaced by addresses."""
    if isinstance(value, Ref):
        return addresses[value.name]
    if isinstance(value, Deployer):
        return deployer
    if isinstance(value, OwnedAccount):
        return bytes(AccountId.make(deployer, value.index))
    if isinstance(value, list | tuple):
        return type(value)(resolve(one, addresses, deployer) for one in value)
    return value


def matches(expected: Any, value: Any) -> bool:
    """Whether a value is what a resolved pattern asks for; addresses compare without case."""
    if isinstance(expected, Any_ | NotZero | HasPrice | RampTo):
        return expected.accepts(value)
    if isinstance(expected, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(expected)
            and all(matches(e, v) for e, v in zip(expected, value, strict=True))
        )
    if isinstance(expected, str) and isinstance(value, str):
        return expected.lower() == value.lower()
    return bool(expected == value)


# ---- Running ----------------------------------------------------------------------------------


class Runner:
    """Runs the steps of a plan that are not done yet."""

    def __init__(
        self,
        executor: Executor,
        known: Mapping[str, str] | None = None,
        report: Report = lambda title, changed: None,
        save: Save = lambda addresses: None,
    ) -> None:
        self._executor = executor
        self._report = report
        self._save = save
        self.addresses: dict[str, str] = dict(known or {})
        self.changes = 0

    def run(self, plan: Plan) -> dict[str, str]:
        """Do what is not done; the addresses of all contracts by name."""
        for step in plan.steps:
            if isinstance(step, Deploy):
                self._deploy(step)
            elif isinstance(step, Group):
                self._deploy_group(step)
            else:
                self._send(step)
        return self.addresses

    def _deploy(self, step: Deploy) -> None:
        if self._is_there(step):
            self._report(step.title, False)
            return
        self.addresses[step.name] = self._create(step)
        self._changed(step.title)

    def _deploy_group(self, group: Group) -> None:
        """Predict every address, then deploy one after the other. A foreign transaction in between
        spoils the prediction: begin again then."""
        if all(self._is_there(member) for member in group.members):
            for member in group.members:
                self._report(member.title, False)
            return
        for _ in range(GROUP_TRIES):
            if self._try_group(group):
                for member in group.members:
                    self._changed(member.title)
                return
        names = ", ".join(member.name for member in group.members)
        raise DeployError(
            f"{self._executor.deployer} sends other transactions while {names} deploy"
        )

    def _try_group(self, group: Group) -> bool:
        nonce = self._executor.nonce()
        for offset, member in enumerate(group.members):
            predicted = create_address(self._executor.deployer, nonce + offset)
            self.addresses[member.name] = predicted
        for member in group.members:
            if self._create(member).lower() != self.addresses[member.name].lower():
                return False
        return True

    def _is_there(self, step: Deploy) -> bool:
        """Whether the contract is deployed; code of other sources is not overwritten silently."""
        address = self.addresses.get(step.name)
        code = self._executor.code(address) if address else b""
        if not code:
            return False
        if not self._executor.matches(step.contract, code):
            raise DeployError(
                f"{step.name} at {address} was built from other sources than {step.contract} is "
                "now: deploy anew with --fresh, or compile the sources that it was built from"
            )
        return True

    def _create(self, step: Deploy) -> str:
        args = resolve(step.args, self.addresses, self._executor.deployer)
        try:
            return self._executor.deploy(step.contract, args)
        except Refused as error:
            raise DeployError(f"{step.title}: {error}") from None

    def _send(self, step: Send) -> None:
        if self.is_done(step):
            self._report(step.title, False)
            return
        target = self.addresses[step.target.name]
        args = resolve(step.args, self.addresses, self._executor.deployer)
        try:
            self._executor.send(step.contract, target, step.function, args)
        except Refused as error:
            raise DeployError(f"{step.title}: {error}") from None
        for check in step.checks:
            if not self.holds(check):
                found = self.answer(check.view)
                raise DeployError(step.hint or f"{step.title}: {check.view.function} is {found}")
        self._changed(step.title)

    def _changed(self, title: str) -> None:
        self.changes += 1
        self._save(self.addresses)
        self._report(title, True)

    # ---- Comparing ----

    def answer(self, view: View) -> Any:
        """What a view answers, or the Refused that it raises."""
        args = resolve(view.args, self.addresses, self._executor.deployer)
        target = self.addresses[view.target.name]
        try:
            return self._executor.view(view.contract, target, view.function, args)
        except Refused as error:
            return error

    def is_done(self, step: Send) -> bool:
        return all(self.holds(check) for check in step.checks)

    def holds(self, check: Check) -> bool:
        found = self.answer(check.view)
        expected = resolve(check.expected, self.addresses, self._executor.deployer)
        return not isinstance(found, Refused) and matches(expected, found)

    def differences(self, plan: Plan) -> list[str]:
        """Everything that is not as the plan says: code, immutables, parameters."""
        found = []
        for one in plan.deployments():
            code = self._executor.code(self.addresses[one.name])
            if not self._executor.matches(one.contract, code):
                found.append(f"{one.name}: the code at {self.addresses[one.name]} is another")
        for title, check in plan.checks():
            if not self.holds(check):
                expected = resolve(check.expected, self.addresses, self._executor.deployer)
                found.append(f"{title}: {self.answer(check.view)} instead of {expected}")
        return found
