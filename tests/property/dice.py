"""Choices made of bytes: a whole step of a campaign hangs on one short string that shrinks well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

STEP_BYTES = 64


class Dice:
    """Reads choices off a string of bytes; zeros after its end. Zero is the plain choice: the first
    option, the least number, nothing out of the ordinary."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, count: int) -> int:
        taken = self._data[self._at : self._at + count].ljust(count, b"\0")
        self._at += count
        return int.from_bytes(taken, "big")

    def integer(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both possible."""
        return low + (self._take(3) * (high - low + 1) >> 24)

    def pick(self, options: Sequence[T]) -> T:
        return options[self._take(1) * len(options) >> 8]

    def chance(self, percent: int) -> bool:
        return self._take(1) * 100 >= (100 - percent) * 256

    def part(self, amount: int, low: int = 0, high: int = 100) -> int:
        """A part of an amount, between two percentages."""
        return amount * self.integer(low * 1000, high * 1000) // 100_000
