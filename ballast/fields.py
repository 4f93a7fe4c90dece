"""Takes the fields of decoded JSON or YAML one by one; every complaint names path and value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ballast.codec import AccountId, CodecError

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_REQUIRED: Any = object()


class FieldError(ValueError):
    """A field that is missing, malformed or unknown."""


class Fields:
    """The fields of one object. `finish` refuses those that nobody asked for."""

    def __init__(self, path: str, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise FieldError(f"{path or 'the file'} must be an object, not {data!r}")
        self.path = path
        self.data = data
        self._used: set[str] = set()
        for key in data:
            if not isinstance(key, str):
                raise FieldError(f"{self.at(str(key))}: the name must be a text, not {key!r}")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        self._used.add(key)
        return self.data.get(key) is not None

    def refuse(self, key: str, wanted: str) -> FieldError:
        return FieldError(f"{self.at(key)} must be {wanted}, not {self.data.get(key)!r}")

    def integer(
        self, key: str, least: int = 0, greatest: int = 2**63, default: int = _REQUIRED
    ) -> int:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(key, "a whole number")
        if not least <= value <= greatest:
            raise self.refuse(key, f"a whole number from {least} to {greatest}")
        return value

    def decimal(
        self,
        key: str,
        least: Decimal | int = 0,
        greatest: Decimal | int | None = None,
        default: Decimal | int = _REQUIRED,
    ) -> Decimal:
        """A number, written with or without quotes."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise self.refuse(key, "a number")
        try:
            number = Decimal(str(value).replace("_", ""))
        except InvalidOperation:
            raise self.refuse(key, "a number") from None
        if not number.is_finite() or number < least or (greatest is not None and number > greatest):
            bound = f"≥ {least}" if greatest is None else f"from {least} to {greatest}"
            raise self.refuse(key, f"a number {bound}")
        return number

    def text(self, key: str, default: str = _REQUIRED) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise self.refuse(key, "a text")
        return value

    def texts(self, key: str) -> list[str]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.refuse(key, "a list of texts")
        return list(value)

    def choice(self, key: str, choices: Iterable[str], default: str = _REQUIRED) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.refuse(key, f"one of {', '.join(choices)}")
        return value

    def address(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise self.refuse(key, "an address in quotes")
        return value

    def addresses(self, key: str) -> list[str]:
        values = self._take(key)
        if not isinstance(values, list):
            raise self.refuse(key, "a list of addresses")
        for index, value in enumerate(values):
            if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
                raise FieldError(f"{self.at(key)}[{index}] must be an address, not {value!r}")
        return list(values)

    def account(self, key: str) -> AccountId:
        value = self.text(key)
        try:
            return AccountId.parse(value)
        except CodecError:
            raise self.refuse(key, "an account id") from None

    def boolean(self, key: str, default: bool = _REQUIRED) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def object(self, key: str) -> Fields:
        return Fields(self.at(key), self._take(key))

    def optional(self, key: str) -> Fields:
        """The object, or an empty one if it is not there."""
        return Fields(self.at(key), self._take(key, {}))

    def entries(self, key: str) -> list[tuple[str, Fields]]:
        """The members of an object whose keys are names."""
        parent = self.object(key)
        return [(name, Fields(parent.at(name), value)) for name, value in parent.data.items()]

    def finish(self) -> None:
        for key in self.data:
            if key not in self._used:
                known = ", ".join(sorted(self._used)) or "none"
                raise FieldError(f"{self.at(key)} is not a known field (known: {known})")

    def _take(self, key: str, default: Any = _REQUIRED) -> Any:
        self._used.add(key)
        if key in self.data:
            return self.data[key]
        if default is _REQUIRED:
            raise FieldError(f"{self.at(key)} is missing")
        return default
