"""ABI encoding with everything that depends on the types alone worked out once.

Structs come back as named tuples. They may go in as tuples, mappings or dataclasses; an address
may be given by anything with an `address`, and bytes by anything with `__bytes__`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from eth_abi.decoding import ContextFramesBytesIO
from eth_abi.registry import registry
from eth_utils.crypto import keccak

Parameter = Mapping[str, Any]
Convert = Callable[[Any], Any]


def type_string(parameter: Parameter) -> str:
    """The canonical type, structs written out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_string(part) for part in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


class Codec:
    """Encodes and decodes one list of parameters."""

    def __init__(self, parameters: list[Parameter]) -> None:
        self.types = [type_string(parameter) for parameter in parameters]
        self.signature = f"({','.join(self.types)})"
        self.names = [parameter.get("name", "") for parameter in parameters]
        self._inward = [_inward(parameter) for parameter in parameters]
        self._outward = [_outward(parameter) for parameter in parameters]
        self._encode = registry.get_encoder(self.signature) if self.types else None
        self._decode = registry.get_decoder(self.signature) if self.types else None

    def encode(self, values: tuple[Any, ...]) -> bytes:
        if len(values) != len(self.types):
            raise TypeError(f"{self.signature} takes {len(self.types)} values, not {len(values)}")
        if not values:
            return b""
        plain = [f(v) if f else v for f, v in zip(self._inward, values, strict=True)]
        return self._encode(plain)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        if not self.types:
            return ()
        values = self._decode(ContextFramesBytesIO(data))
        return tuple([f(v) if f else v for f, v in zip(self._outward, values, strict=True)])


def _item(parameter: Parameter) -> Parameter:
    """The parameter of an array's elements."""
    return {**parameter, "type": parameter["type"].rpartition("[")[0]}


def _inward(parameter: Parameter) -> Convert | None:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        item = _inward(_item(parameter))
        return (lambda values: [item(value) for value in values]) if item else None
    if kind == "tuple":
        return _struct_inward(parameter["components"])
    if kind == "address":
        return plain_address
    if kind.startswith("bytes"):
        return lambda value: bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)
    return None


def _struct_inward(components: list[Parameter]) -> Convert:
    names = [part["name"] for part in components]
    converts = [_inward(part) for part in components]

    def convert(value: Any) -> list[Any]:
        if isinstance(value, Mapping):
            value = [value[name] for name in names]
        elif not isinstance(value, tuple | list):
            value = [getattr(value, name) for name in names]
        return [f(v) if f else v for f, v in zip(converts, value, strict=True)]

    return convert


def _outward(parameter: Parameter) -> Convert | None:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        item = _outward(_item(parameter))
        return (lambda values: [item(value) for value in values]) if item else list
    if kind == "tuple":
        return _struct_outward(parameter)
    return None


def _struct_outward(parameter: Parameter) -> Convert:
    internal = parameter.get("internalType", "").removeprefix("struct ")
    name = internal.rpartition(".")[2].partition("[")[0] or "Struct"
    struct = namedtuple(name, [part["name"] for part in parameter["components"]], rename=True)
    converts = [_outward(part) for part in parameter["components"]]
    if not any(converts):
        return struct._make
    return lambda values: struct._make(
        [f(v) if f else v for f, v in zip(converts, values, strict=True)]
    )


def plain_address(value: Any) -> str:
    """An address in small letters, of an account, a contract or text."""
    return getattr(value, "address", value).lower()


class FunctionAbi:
    """One function of a contract, the constructor included."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry.get("name", "constructor")
        self.inputs = Codec(entry.get("inputs", []))
        self.outputs = Codec(entry.get("outputs", []))
        self.is_view = entry.get("stateMutability") in ("view", "pure")
        self.selector = selector(self.name + self.inputs.signature)

    def encode(self, args: tuple[Any, ...]) -> bytes:
        return self.selector + self.inputs.encode(args)

    def decode(self, data: bytes) -> Any:
        values = self.outputs.decode(data)
        if len(values) == 1:
            return values[0]
        return values or None


class ErrorAbi:
    """A custom error."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.inputs = Codec(entry["inputs"])
        self.selector = selector(self.name + self.inputs.signature)


class EventAbi:
    """An event."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        inputs = entry["inputs"]
        self.topic = keccak(text=self.name + Codec(inputs).signature)
        self._order = [part["name"] for part in inputs]
        self._topics = Codec([_as_topic(part) for part in inputs if part["indexed"]])
        self._data = Codec([part for part in inputs if not part["indexed"]])

    def decode(self, topics: list[bytes], data: bytes) -> dict[str, Any]:
        indexed = self._topics.decode(b"".join(topics[1:]))
        values = dict(zip(self._topics.names, indexed, strict=True))
        values |= zip(self._data.names, self._data.decode(data), strict=True)
        return {name: values[name] for name in self._order}


def _as_topic(parameter: Parameter) -> Parameter:
    """What a topic holds: the value if it fits one word, its hash otherwise."""
    kind: str = parameter["type"]
    fits = not (kind.endswith("]") or kind in ("string", "bytes", "tuple"))
    return parameter if fits else {**parameter, "type": "bytes32"}


@cache
def selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])
