"""Custom errors of the contracts in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from ballast.client.artifacts import Abi, Artifact
from ballast.codec import AccountId, CodecError, Instrument, Kind
from ballast.units import INT256_MAX, UINT256_MAX, from_wad

_BUILT_IN: Abi = [
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
]
_LOOKS_LIKE_WAD = range(10**12, 10**45)


class ChainError(Exception):
    """The node cannot be used, or a transaction was lost."""


class ContractError(Exception):
    """A call that a contract refused. `name` is that of the custom error, empty if unknown."""

    def __init__(self, message: str, name: str = "", values: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.values = values


class TransactionReverted(ContractError):  # noqa: N818 (what happened, and it was paid for)
    """A transaction that a contract refused in its block. `cost` is what its gas cost, wei."""

    def __init__(self, reason: ContractError, transaction: str, gas_used: int, cost: int) -> None:
        super().__init__(str(reason), reason.name, reason.values)
        self.transaction = transaction
        self.gas_used = gas_used
        self.cost = cost


class ErrorDecoder:
    """Turns the data of a revert into an exception, for the errors of all given contracts."""

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self._errors: dict[bytes, dict[str, Any]] = {}
        for entry in _entries(artifacts):
            types = ",".join(_types(entry))
            self._errors[bytes(keccak(text=f"{entry['name']}({types})")[:4])] = entry

    def explain(self, data: bytes) -> ContractError:
        """The exception for the data of a revert."""
        if not data:
            return ContractError("the call failed without a reason (out of gas, or not a contract)")
        entry = self._errors.get(data[:4])
        if entry is None:
            return ContractError(f"the call failed with an unknown error, data 0x{data.hex()}")
        try:
            values = decode(_types(entry), data[4:])
        except DecodingError:
            return ContractError(f"{entry['name']} with data that does not decode", entry["name"])
        shown = ", ".join(
            f"{part['name']}={show(value, part.get('internalType', ''))}"
            for part, value in zip(entry["inputs"], values, strict=True)
        )
        return ContractError(f"{entry['name']}({shown})", entry["name"], values)


def _entries(artifacts: Iterable[Artifact]) -> Iterator[dict[str, Any]]:
    yield from _BUILT_IN
    for artifact in artifacts:
        yield from (entry for entry in artifact.abi if entry["type"] == "error")


def _types(entry: dict[str, Any]) -> list[str]:
    return [str(collapse_if_tuple(part)) for part in entry["inputs"]]


def show(value: Any, internal_type: str = "") -> str:
    """A value of an error for people: accounts, instruments and WAD numbers are recognised."""
    if internal_type == "AccountId":
        return str(AccountId(value))
    if internal_type == "Instrument":
        return show_instrument(value)
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return text.decode() if text.isascii() and text.decode().isalnum() else "0x" + value.hex()
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    if value in (UINT256_MAX, INT256_MAX):
        return "unlimited"
    return f"{value} ({from_wad(value):f} WAD)" if abs(value) in _LOOKS_LIKE_WAD else str(value)


def show_instrument(key: int) -> str:
    try:
        instrument = Instrument(key)
    except CodecError:
        return hex(key)
    if instrument.kind == Kind.PERP:
        return f"perpetual on underlying {instrument.id}"
    return f"{instrument.kind.name.lower()} {instrument.id}"
