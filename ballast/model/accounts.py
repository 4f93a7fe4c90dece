"""Accounts: as stored, and in memory between loading and saving (`Accounts.sol`)."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.codec import AccountId
from ballast.model.refusal import require
from ballast.model.words import (
    KIND_COLLATERAL,
    amount_of,
    collateral_word,
    find,
    ident,
    instrument_of,
    kind,
    option_size,
    option_word,
    perp_word,
)

MAX_POSITIONS = 64


@dataclass(frozen=True, slots=True)
class Stored:
    """An account as stored: scaled cash, engine, time of the last check passed, and words."""

    scaled: int = 0
    engine: int = 0
    checked_at: int = 0
    words: tuple[int, ...] = ()

    @property
    def header(self) -> int:
        """The header word."""
        low = self.scaled & ((1 << 128) - 1)
        return low | len(self.words) << 128 | self.engine << 136 | self.checked_at << 176


@dataclass(slots=True)
class Account:
    """An account in memory. Cash in WAD, debt negative."""

    id: AccountId
    scaled: int
    engine: int
    checked_at: int
    cash: int
    loaded_cash: int
    words: list[int]
    loaded: tuple[int, ...]
    capacity: int

    def append(self, word: int) -> None:
        """Add a position at the end."""
        fits = len(self.words) < self.capacity
        require(fits, "Clearinghouse_TooManyPositions", self.id.value, MAX_POSITIONS)
        self.words.append(word)

    def remove(self, index: int) -> None:
        """Put the last word in the place of the removed one."""
        self.words[index] = self.words[-1]
        self.words.pop()

    def find_perp(self, underlying: int) -> int:
        """Index of the perpetual; an empty word is appended if there is none."""
        empty = perp_word(underlying, 0, 0)
        index = find(self.words, instrument_of(empty))
        if index == len(self.words):
            self.append(empty)
        return index

    def owes_nothing(self) -> bool:
        """Whether the account can owe nothing, whatever prices do."""
        return self.cash >= 0 and all(kind(word) == KIND_COLLATERAL for word in self.words)

    def add_option(self, series: int, size: int) -> int:
        """Add to an option, or append one; the change of the account's long size."""
        index = find(self.words, series)
        if index == len(self.words):
            self.append(option_word(series, 0))
        return self.set_option(index, option_size(self.words[index]) + size)

    def set_option(self, index: int, size: int) -> int:
        """Give an option another size, zero removes it; the change of the account's long size."""
        word = self.words[index]
        if size == 0:
            self.remove(index)
        else:
            self.words[index] = option_word(instrument_of(word), size)
        return max(size, 0) - max(option_size(word), 0)

    def add_collateral(self, asset: int, amount: int) -> None:
        """Add to a collateral word, or append one."""
        index = find(self.words, collateral_word(asset, 0))
        if index == len(self.words):
            self.append(collateral_word(asset, amount))
        else:
            self.words[index] = collateral_word(asset, amount_of(self.words[index]) + amount)

    def remove_collateral(self, asset: int, amount: int) -> None:
        """Take from a collateral word; an empty one is removed."""
        index = find(self.words, collateral_word(asset, 0))
        held = amount_of(self.words[index]) if index < len(self.words) else 0
        error = "Clearinghouse_InsufficientBalance"
        require(amount <= held, error, self.id.value, asset, held, amount)
        if amount == held:
            self.remove(index)
        else:
            self.words[index] = collateral_word(ident(self.words[index]), held - amount)
