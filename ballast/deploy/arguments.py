"""Arguments of a function from what a person writes; every complaint names the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from eth_utils.address import is_address

from ballast.client.artifacts import Artifact
from ballast.client.book import AddressBook, BookError
from ballast.fields import FieldError

Part = Mapping[str, Any]

_INTEGER = re.compile(r"-?[0-9][0-9_]*")
_INTEGER_TYPE = re.compile(r"(u?)int([0-9]+)")
_BYTES_TYPE = re.compile(r"bytes([0-9]*)")


class ArgumentError(FieldError):
    """An argument that a function does not take."""


def function_entry(artifact: Artifact, function: str) -> Part:
    """The entry of a function that changes something."""
    found = {
        entry["name"]: entry
        for entry in artifact.abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    if function not in found:
        raise ArgumentError(
            f"{artifact.name} has no function {function}: there are {', '.join(sorted(found))}"
        )
    return found[function]


def parse_arguments(entry: Part, given: Sequence[str], book: AddressBook) -> tuple[Any, ...]:
    """Values of NAME=VALUE for every parameter; structs and lists are JSON.

    Names stand for what they name: underlyings, assets, instruments, and contracts for addresses.
    """
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ArgumentError(f"{text!r} must be NAME=VALUE")
        values[name] = value
    parts = entry["inputs"]
    for part in parts:
        name = part["name"]
        if name in values and (part["type"] == "tuple" or part["type"].endswith("]")):
            values[name] = _json(name, values[name])
    return _members(parts, values, "", book)


def _members(
    parts: Sequence[Part], values: Mapping[str, Any], path: str, book: AddressBook
) -> tuple[Any, ...]:
    """The members of a struct, or all parameters of a function."""
    names = [part["name"] for part in parts]
    prefix = f"{path}." if path else ""
    for name in values:
        if name not in names:
            known = ", ".join(names) or "none"
            raise ArgumentError(f"{prefix}{name} is not a known field (known: {known})")
    for name in names:
        if name not in values:
            raise ArgumentError(f"{prefix}{name} is missing")
    return tuple(_value(part, values[part["name"]], prefix + part["name"], book) for part in parts)


def _value(part: Part, value: Any, path: str, book: AddressBook) -> Any:
    kind = part["type"]
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise ArgumentError(f"{path} must be a list, not {value!r}")
        element = {**part, "type": kind[:-2]}
        return [_value(element, one, f"{path}[{i}]", book) for i, one in enumerate(value)]
    if kind == "tuple":
        if not isinstance(value, Mapping):
            raise ArgumentError(f"{path} must be an object, not {value!r}")
        return _members(part["components"], value, path, book)
    if kind == "bool":
        return _bool(value, path)
    if kind == "address":
        return _address(value, path, book)
    if match := _INTEGER_TYPE.fullmatch(kind):
        return _integer(part, value, path, book, bits=int(match[2]), signed=not match[1])
    if match := _BYTES_TYPE.fullmatch(kind):
        return _bytes(value, path, int(match[1]) if match[1] else None)
    raise ArgumentError(f"{path} is of the type {kind}, which cannot be written here")


def _integer(
    part: Part, value: Any, path: str, book: AddressBook, *, bits: int, signed: bool
) -> int:
    number = value
    if isinstance(value, str):
        number = int(value) if _INTEGER.fullmatch(value) else _named(part, value, path, book)
    if isinstance(number, bool) or not isinstance(number, int):
        raise ArgumentError(f"{path} must be a whole number, not {value!r}")
    least, end = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not least <= number < end:
        raise ArgumentError(f"{path} must fit {part['type']}, and {value} does not")
    return number


def _named(part: Part, value: str, path: str, book: AddressBook) -> int:
    """What a name stands for, where the parameter is of a kind that has names."""
    try:
        if part.get("internalType") == "Instrument":
            find = book.product if part["name"] == "product" else book.instrument
            return find(value).key
        if part["name"] == "underlying":
            return book.underlying(value).id
        if part["name"] in ("asset", "id"):
            return book.asset(value).id
    except BookError as error:
        raise ArgumentError(f"{path}: {error}") from None
    raise ArgumentError(f"{path} must be a whole number, not {value!r}")


def _bool(value: Any, path: str) -> bool:
    known = {"true": True, "false": False, True: True, False: False}
    if not isinstance(value, str | bool) or value not in known:
        raise ArgumentError(f"{path} must be true or false, not {value!r}")
    return known[value]


def _address(value: Any, path: str, book: AddressBook) -> str:
    if isinstance(value, str) and value in book.contracts:
        return book.contracts[value]
    if not isinstance(value, str) or not is_address(value):
        raise ArgumentError(f"{path} must be an address or the name of a contract, not {value!r}")
    return value


def _bytes(value: Any, path: str, length: int | None) -> bytes:
    try:
        data = bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise ArgumentError(f"{path} must be bytes in hex, not {value!r}") from None
    if length is not None and len(data) != length:
        raise ArgumentError(f"{path} must be {length} bytes, not {len(data)}")
    return data


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentError(f"{name} must be JSON: {error}") from None
