"""How the model refuses a call: with the contracts' own error names and values."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 (it is the contracts' error, by their name)
    """A call that the contracts revert; `name` and `values` are those of the custom error.

    Account ids are 32 bytes, instruments and numbers ints, addresses lower-case hex.
    """

    def __init__(self, name: str, *values: object) -> None:
        super().__init__(f"{name}{values}")
        self.name = name
        self.values = values


def require(condition: bool, name: str, *values: object) -> None:
    """Refuse with an error unless the condition holds."""
    if not condition:
        raise Refused(name, *values)
