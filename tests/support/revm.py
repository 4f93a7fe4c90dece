"""An EVM in this process, for searches that are too deep for a node.

    evm = Evm()
    board = evm.deploy("PriceBoard")
    board.setSnapshot(1, word, sender=evm.actor("publisher"))
    assert board.snapshot(1) == word

Every call is a transaction of its own: transient storage is cleared before it. Warm slots stay
warm, so gas is not measured here. The journal grows with every call: a long campaign takes a new
`Evm` now and then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyrevm
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.support.abi import ErrorAbi, EventAbi, FunctionAbi, plain_address
from tests.support.artefacts import Artefacts, load_ape

GENESIS = 1_750_000_000
BLOCK_SECONDS = 12
GAS_LIMIT = 30_000_000
DEPLOYER = "0x" + "de" * 20
RICH = 10**24

_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*)")
_HALT = re.compile(r"Halt \{ reason: (.+), gas_used")
_BUILT_IN_ERRORS = [
    {"name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
]


class Reverted(Exception):  # noqa: N818 (a fact about the call, not a fault of ours)
    """A call failed.

    `name` is that of the custom error, "Error", "Panic", "Halt" (out of gas, invalid opcode), the
    selector in hex where no known contract declares it, or empty where there is no data.
    """

    def __init__(self, name: str, args: tuple[Any, ...] = ()) -> None:
        super().__init__(name, args)
        self.name = name
        self.values = args

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.values))})"


@contextmanager
def reverts(name: str, *values: Any) -> Iterator[None]:
    """Asserts that the block reverts with this error and, if any are given, these values."""
    try:
        yield
    except Reverted as error:
        if error.name != name or (values and error.values != values):
            raise AssertionError(f"{error} instead of {name}{values or ''}") from error
        return
    raise AssertionError(f"no revert, {name} was expected")


@dataclass(frozen=True)
class Log:
    """A decoded event; `name` is empty and `args` raw where no known contract declares it."""

    address: str
    name: str
    args: dict[str, Any]


class Interface:
    """What can be called on contracts of one artefact."""

    def __init__(self, abi: list[dict[str, Any]]) -> None:
        self.functions: dict[str, dict[int, FunctionAbi]] = {}
        self.constructor = FunctionAbi({"type": "constructor"})
        for entry in abi:
            if entry["type"] == "function":
                function = FunctionAbi(entry)
                overloads = self.functions.setdefault(function.name, {})
                overloads[len(function.inputs.types)] = function
            elif entry["type"] == "constructor":
                self.constructor = FunctionAbi(entry)


class Dictionary:
    """Everything that a set of artefacts declares."""

    def __init__(self, artefacts: Artefacts) -> None:
        self.artefacts = artefacts
        self.errors: dict[bytes, ErrorAbi] = {}
        self.events: dict[bytes, EventAbi] = {}
        self._interfaces: dict[str, Interface] = {}
        for entry in _BUILT_IN_ERRORS:
            self._add_error(entry)
        for artefact in artefacts.values():
            for entry in artefact.abi:
                if entry["type"] == "error":
                    self._add_error(entry)
                elif entry["type"] == "event":
                    event = EventAbi(entry)
                    self.events[event.topic] = event

    def _add_error(self, entry: dict[str, Any]) -> None:
        error = ErrorAbi(entry)
        self.errors[error.selector] = error

    def interface(self, name: str) -> Interface:
        if name not in self._interfaces:
            if name not in self.artefacts:
                raise KeyError(f"no contract {name} among the artefacts: run `make compile`?")
            self._interfaces[name] = Interface(self.artefacts[name].abi)
        return self._interfaces[name]

    def explain(self, data: bytes) -> Reverted:
        """The exception for the data of a revert."""
        error = self.errors.get(data[:4])
        if error is None:
            return Reverted("0x" + data[:4].hex(), (data[4:],)) if data else Reverted("")
        return Reverted(error.name, error.inputs.decode(data[4:]))


_dictionaries: dict[int, Dictionary] = {}


def _dictionary(artefacts: Artefacts) -> Dictionary:
    """One dictionary for each set of artefacts, however many EVMs there are."""
    known = _dictionaries.get(id(artefacts))
    if known is None or known.artefacts is not artefacts:
        known = _dictionaries[id(artefacts)] = Dictionary(artefacts)
    return known


class Method:
    """A function of a deployed contract; overloads are told apart by their number of arguments."""

    __slots__ = ("_address", "_evm", "_overloads", "name")

    def __init__(self, contract: RevmContract, name: str) -> None:
        self.name = name
        self._evm = contract.evm
        self._address = contract.address
        self._overloads = contract.interface.functions[name]

    def _function(self, args: tuple[Any, ...]) -> FunctionAbi:
        function = self._overloads.get(len(args))
        if function is None:
            raise TypeError(f"{self.name} takes {sorted(self._overloads)} values, not {len(args)}")
        return function

    def encode(self, *args: Any) -> bytes:
        """The calldata."""
        return self._function(args).encode(args)

    def __call__(self, *args: Any, sender: Any = DEPLOYER, value: int = 0) -> Any:
        function = self._function(args)
        data = self._evm.call(
            self._address, function.encode(args), sender, value, is_static=function.is_view
        )
        return function.decode(data)


class RevmContract:
    """A contract in the EVM; its functions are attributes."""

    def __init__(self, evm: Evm, name: str, address: str) -> None:
        self.evm = evm
        self.name = name
        self.address = address.lower()
        self.interface = evm.dictionary.interface(name)

    def __getattr__(self, name: str) -> Method:
        if name.startswith("__") or name not in self.interface.functions:
            raise AttributeError(f"{self.name} has no function {name}")
        method = Method(self, name)
        self.__dict__[name] = method
        return method

    def __repr__(self) -> str:
        return f"<{self.name} {self.address}>"


class Evm:
    """A chain in this process."""

    def __init__(
        self, artefacts: Artefacts | None = None, time: int = GENESIS, chain_id: int = 31337
    ) -> None:
        self.dictionary = _dictionary(load_ape() if artefacts is None else artefacts)
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id))
        self._evm = pyrevm.EVM(env=env, gas_limit=GAS_LIMIT, spec_id="CANCUN")
        self._evm.set_balance(DEPLOYER, RICH)
        self._snapshots: list[tuple[Any, int, int]] = []
        self._time = time
        self._number = 1
        self._set_block()

    # ---- Time ----

    @property
    def time(self) -> int:
        """The block's timestamp. Setting it begins a new block."""
        return self._time

    @time.setter
    def time(self, value: int) -> None:
        self._time = value
        self._number += 1
        self._set_block()

    @property
    def number(self) -> int:
        """The block's number. Setting it leaves the time alone."""
        return self._number

    @number.setter
    def number(self, value: int) -> None:
        self._number = value
        self._set_block()

    def advance(self, seconds: int) -> None:
        """Lets time pass, with a block every 12 seconds and at least one."""
        self._time += seconds
        self._number += max(1, seconds // BLOCK_SECONDS)
        self._set_block()

    def _set_block(self) -> None:
        block = pyrevm.BlockEnv(timestamp=self._time, number=self._number, gas_limit=GAS_LIMIT)
        self._evm.set_block_env(block)

    # ---- State ----

    def snapshot(self) -> int:
        """Marks the state; `revert` returns to it, any number of times."""
        self._snapshots.append((self._evm.snapshot(), self._time, self._number))
        return len(self._snapshots) - 1

    def revert(self, snapshot: int) -> None:
        """Returns to a marked state. Marks taken after it are gone."""
        checkpoint, self._time, self._number = self._snapshots[snapshot]
        del self._snapshots[snapshot + 1 :]
        self._evm.revert(checkpoint)
        self._snapshots[snapshot] = (self._evm.snapshot(), self._time, self._number)
        self._set_block()

    def actor(self, role: str) -> LocalAccount:
        """The account that plays a role: always the same key, rich in ether."""
        account = _account(role)
        if self._evm.get_balance(account.address) == 0:
            self._evm.set_balance(account.address, RICH)
        return account

    def balance(self, of: Any) -> int:
        return self._evm.get_balance(plain_address(of))

    def nonce(self, of: Any) -> int:
        return self._evm.basic(plain_address(of)).nonce

    def storage(self, of: Any, slot: int) -> int:
        return self._evm.storage(plain_address(of), slot)

    def code(self, of: Any) -> bytes:
        return bytes(self._evm.get_code(plain_address(of)) or b"")

    # ---- Calls ----

    def deploy(self, name: str, *args: Any, sender: Any = DEPLOYER, value: int = 0) -> RevmContract:
        """Deploys a contract by its name."""
        artefact = self.dictionary.artefacts.get(name)
        interface = self.dictionary.interface(name)
        if artefact is None or not artefact.bytecode:
            raise ValueError(f"{name} has no bytecode: it is abstract, or not linked")
        code = artefact.bytecode + interface.constructor.inputs.encode(args)
        self._evm.reset_transient_storage()
        try:
            address = self._evm.deploy(plain_address(sender), code, value)
        except RuntimeError as error:
            raise self._explain(error) from None
        return RevmContract(self, name, address)

    def at(self, name: str, address: Any) -> RevmContract:
        """The contract at an address, seen as `name`."""
        return RevmContract(self, name, plain_address(address))

    def call(
        self,
        to: str,
        data: bytes,
        sender: Any = DEPLOYER,
        value: int = 0,
        is_static: bool = False,
        *,
        gas: int | None = None,
    ) -> bytes:
        """A raw call; raises Reverted."""
        self._evm.reset_transient_storage()
        try:
            answer = self._evm.message_call(
                plain_address(sender), to, calldata=data, value=value, is_static=is_static, gas=gas
            )
        except RuntimeError as error:
            raise self._explain(error) from None
        return bytes(answer)

    def _explain(self, error: RuntimeError) -> Exception:
        text = str(error)
        if match := _REVERT.match(text):
            return self.dictionary.explain(bytes.fromhex(match[1]))
        if match := _HALT.match(text):
            return Reverted("Halt", (match[1],))
        return error

    @property
    def logs(self) -> list[Log]:
        """The events of the last call or deployment, decoded."""
        result = self._evm.result
        return [self._decode_log(log) for log in result.logs] if result else []

    def _decode_log(self, log: Any) -> Log:
        topics = [_raw(topic) for topic in log.topics]
        data = _raw(log.data[1] if isinstance(log.data, tuple) else log.data)
        event = self.dictionary.events.get(topics[0]) if topics else None
        if event is None:
            return Log(log.address.lower(), "", {"topics": topics, "data": data})
        return Log(log.address.lower(), event.name, event.decode(topics, data))


def _raw(value: Any) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)


@cache
def _account(role: str) -> LocalAccount:
    return Account.from_key(keccak(text=f"ballast test role: {role}"))
