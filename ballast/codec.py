"""The words of the contracts: account ids, position words, instruments and price snapshots.

The layouts are those of `contracts/types`. Encoding refuses what does not fit its field; decoding
refuses a word that no contract can have written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")

PRICE_UNIT = 10**6  # 1e-12 of cash in WAD
PREMIUM_ONE = 10**8
STRIKE_UNIT = 10**10  # 1e-8 of cash in WAD
MAX_PRICE = (2**68 - 1) * PRICE_UNIT


class CodecError(ValueError):
    """A value that does not fit its field, or a word that means nothing."""


def _unsigned(name: str, value: int, bits: int) -> int:
    if not 0 <= value < 1 << bits:
        raise CodecError(f"{name} {value} does not fit uint{bits}")
    return value


def _signed(name: str, value: int, bits: int) -> int:
    """The two's complement of a signed value."""
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise CodecError(f"{name} {value} does not fit int{bits}")
    return value & ((1 << bits) - 1)


def _field(word: int, shift: int, bits: int) -> int:
    return (word >> shift) & ((1 << bits) - 1)


def _signed_field(word: int, shift: int, bits: int) -> int:
    value = _field(word, shift, bits)
    return value - (1 << bits) if value >> (bits - 1) else value


def _in_units(name: str, value: int, unit: int, bits: int) -> int:
    if value % unit:
        raise CodecError(f"{name} {value} is not a multiple of {unit}")
    return _unsigned(name, value // unit, bits)


# ---- Accounts ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class AccountId:
    """An account: its owner's address in the high 20 bytes, the owner's index in the low 12."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 32:
            raise CodecError(f"an account id has 32 bytes, not {len(self.value)}")

    @classmethod
    def make(cls, owner: str, index: int = 0) -> AccountId:
        """The account `index` of `owner` (an address in hex)."""
        if not _ADDRESS.fullmatch(owner):
            raise CodecError(f"{owner!r} is not an address")
        return cls(bytes.fromhex(owner[2:]) + _unsigned("index", index, 96).to_bytes(12, "big"))

    @classmethod
    def parse(cls, text: str) -> AccountId:
        """Read "0xowner", "0xowner/index" or the 32 bytes in hex."""
        if _HASH.fullmatch(text):
            return cls(bytes.fromhex(text[2:]))
        owner, slash, index = text.partition("/")
        if slash and not re.fullmatch(r"[0-9]{1,29}", index):
            raise CodecError(f"{text!r}: the index after the slash must be a decimal number")
        return cls.make(owner, int(index) if slash else 0)

    @property
    def owner(self) -> str:
        """The owner's address with its checksum."""
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 (slow to import)

        return str(to_checksum_address(self.value[:20]))

    @property
    def index(self) -> int:
        return int.from_bytes(self.value[20:], "big")

    @property
    def hex(self) -> str:
        return "0x" + self.value.hex()

    def __bytes__(self) -> bytes:
        return self.value

    def __str__(self) -> str:
        return f"{self.owner}/{self.index}" if self.index else self.owner


# ---- Instruments ------------------------------------------------------------------------------


class Kind(IntEnum):
    """What a position word is."""

    PERP = 1
    OPTION = 2
    COLLATERAL = 3


@dataclass(frozen=True, slots=True, order=True)
class Instrument:
    """What is held, without how much. Order is the order of the words."""

    key: int

    def __post_init__(self) -> None:
        _unsigned("instrument", self.key, 256)
        if self.key >> 248 not in Kind.__members__.values():
            raise CodecError(f"instrument {self.key:#x} has no known kind")
        if self.key & ((1 << self._shift) - 1):
            raise CodecError(f"instrument {self.key:#x} carries a quantity")

    @classmethod
    def perp(cls, underlying: int) -> Instrument:
        return cls(Kind.PERP << 248 | _unsigned("underlying", underlying, 16) << 232)

    @classmethod
    def collateral(cls, asset: int) -> Instrument:
        return cls(Kind.COLLATERAL << 248 | _unsigned("asset", asset, 16) << 232)

    @classmethod
    def option(cls, underlying: int, expiry: int, strike: int, is_put: bool) -> Instrument:
        """A series; `strike` in WAD of cash, a multiple of 1e-8 of cash."""
        return cls(
            Kind.OPTION << 248
            | _unsigned("underlying", underlying, 16) << 232
            | _unsigned("expiry", expiry, 32) << 200
            | _in_units("strike", strike, STRIKE_UNIT, 71) << 129
            | int(is_put) << 128
        )

    @classmethod
    def options(cls, underlying: int) -> Instrument:
        """All series on an underlying: the product whose fees they share. It does not trade."""
        return cls.option(underlying, 0, 0, False)

    @property
    def _shift(self) -> int:
        return 128 if self.key >> 248 == Kind.OPTION else 232

    @property
    def kind(self) -> Kind:
        return Kind(self.key >> 248)

    @property
    def expiry(self) -> int:
        """When an option expires, unix seconds."""
        return _field(self.key, 200, 32)

    @property
    def strike(self) -> int:
        """Strike of an option, WAD of cash."""
        return _field(self.key, 129, 71) * STRIKE_UNIT

    @property
    def is_put(self) -> bool:
        """Whether an option is a put."""
        return bool(_field(self.key, 128, 1))

    @property
    def id(self) -> int:
        """The underlying of a perpetual or an option, the asset of collateral."""
        return _field(self.key, 232, 16)


# ---- Positions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Perp:
    """A perpetual: worth size × (mark − funding) + quote. WAD."""

    underlying: int
    size: int
    quote: int

    @property
    def instrument(self) -> Instrument:
        return Instrument.perp(self.underlying)

    def encode(self) -> int:
        return (
            self.instrument.key
            | _signed("size", self.size, 104) << 128
            | _signed("quote", self.quote, 128)
        )


@dataclass(frozen=True, slots=True)
class Option:
    """An option: size in WAD, expiry in unix seconds, strike in WAD of cash."""

    underlying: int
    expiry: int
    strike: int
    is_put: bool
    size: int

    @property
    def instrument(self) -> Instrument:
        return Instrument.option(self.underlying, self.expiry, self.strike, self.is_put)

    def encode(self) -> int:
        return self.instrument.key | _signed("size", self.size, 128)


@dataclass(frozen=True, slots=True)
class Collateral:
    """Collateral: an amount in the token's own smallest units."""

    asset: int
    amount: int

    @property
    def instrument(self) -> Instrument:
        return Instrument.collateral(self.asset)

    def encode(self) -> int:
        return self.instrument.key | _unsigned("amount", self.amount, 128)


Position = Perp | Option | Collateral


def decode_position(word: int) -> Position:
    """The position that a word holds."""
    kind = _unsigned("word", word, 256) >> 248
    identity = _field(word, 232, 16)
    if kind == Kind.PERP:
        return Perp(identity, _signed_field(word, 128, 104), _signed_field(word, 0, 128))
    if kind == Kind.OPTION:
        return Option(
            underlying=identity,
            expiry=_field(word, 200, 32),
            strike=_field(word, 129, 71) * STRIKE_UNIT,
            is_put=bool(_field(word, 128, 1)),
            size=_signed_field(word, 0, 128),
        )
    if kind == Kind.COLLATERAL:
        if _field(word, 128, 104):
            raise CodecError(f"collateral word {word:#x} has bits outside of its fields")
        return Collateral(identity, _field(word, 0, 128))
    raise CodecError(f"word {word:#x} has no known kind")


def decode_positions(words: list[int] | tuple[int, ...]) -> list[Position]:
    return [decode_position(word) for word in words]


def instrument_of(word: int) -> Instrument:
    """The instrument of a position word."""
    return decode_position(word).instrument


# ---- Price snapshots --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The accepted state of one price feed. Prices and ratios in WAD, times in seconds."""

    price: int = 0
    stable: int = 0
    time: int = 0
    max_age: int = 0
    confidence: int = 0
    range_maintenance: int = 0
    range_initial: int = 0
    premium: int = 0  # 1e-8 of the price, signed
    block_tag: int = 0
    wide: bool = False
    suspect: bool = False
    halted: bool = False

    @classmethod
    def decode(cls, word: int) -> Snapshot:
        """Read a word; bit 3, which has no meaning, must be zero."""
        _unsigned("snapshot", word, 256)
        if _field(word, 3, 1):
            raise CodecError(f"snapshot {word:#x} has bits outside of its fields")
        return cls(
            price=_field(word, 188, 68) * PRICE_UNIT,
            stable=_field(word, 120, 68) * PRICE_UNIT,
            time=_field(word, 88, 32),
            max_age=_field(word, 72, 16) * 2,
            confidence=_field(word, 60, 12) * 10**13,
            range_maintenance=_field(word, 47, 13) * 10**14,
            range_initial=_field(word, 34, 13) * 10**14,
            premium=_signed_field(word, 12, 22),
            block_tag=_field(word, 4, 8),
            wide=bool(_field(word, 1, 1)),
            suspect=bool(_field(word, 0, 1)),
            halted=bool(_field(word, 2, 1)),
        )

    def encode(self) -> int:
        return (
            _in_units("price", self.price, PRICE_UNIT, 68) << 188
            | _in_units("stable price", self.stable, PRICE_UNIT, 68) << 120
            | _unsigned("time", self.time, 32) << 88
            | _in_units("greatest fresh age", self.max_age, 2, 16) << 72
            | _in_units("confidence", self.confidence, 10**13, 12) << 60
            | _in_units("range for MM", self.range_maintenance, 10**14, 13) << 47
            | _in_units("range for IM", self.range_initial, 10**14, 13) << 34
            | _signed("premium", self.premium, 22) << 12
            | _unsigned("block tag", self.block_tag, 8) << 4
            | int(self.wide) << 1
            | int(self.suspect)
            | int(self.halted) << 2
        )

    @property
    def mark(self) -> int:
        """Mark of the perpetual, WAD of cash, rounded down."""
        return self.price * (PREMIUM_ONE + self.premium) // PREMIUM_ONE

    def age(self, now: int) -> int:
        """Seconds since the report, zero if it is dated ahead of `now`."""
        return max(0, now - self.time)

    def is_fresh(self, now: int) -> bool:
        """Whether new risk may be opened on the price."""
        marked = self.wide or self.suspect or self.halted
        return not marked and self.age(now) <= self.max_age


# ---- Volatility slices ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VolatilitySlice:
    """Volatility and forward of one expiry, in the word's own units.

    a counts 1e-8 of variance a year, b 1e-7, ρ, μ and s 1e-6, the forward 1e-8 of spot. Times are
    seconds.
    """

    a: int = 0
    b: int = 0
    rho: int = 0
    mu: int = 0
    s: int = 0
    forward: int = 10**8
    time: int = 0
    max_age: int = 0

    @classmethod
    def decode(cls, word: int) -> VolatilitySlice:
        """Read the word of an expiry that is not settled."""
        return cls(
            a=_signed_field(word, 200, 32),
            b=_field(word, 168, 32),
            rho=_signed_field(word, 144, 24),
            mu=_signed_field(word, 120, 24),
            s=_field(word, 96, 24),
            forward=_field(word, 64, 32),
            time=_field(word, 32, 32),
            max_age=_field(word, 16, 16) * 2,
        )

    def encode(self) -> int:
        return (
            _signed("a", self.a, 32) << 200
            | _unsigned("b", self.b, 32) << 168
            | _signed("rho", self.rho, 24) << 144
            | _signed("mu", self.mu, 24) << 120
            | _unsigned("s", self.s, 24) << 96
            | _unsigned("forward", self.forward, 32) << 64
            | _unsigned("time", self.time, 32) << 32
            | _in_units("greatest fresh age", self.max_age, 2, 16) << 16
        )

    @property
    def fits(self) -> bool:
        """Whether every field has room in the word."""
        try:
            self.encode()
        except CodecError:
            return False
        return True

    def is_fresh(self, now: int) -> bool:
        """Whether it is no older than its greatest fresh age."""
        return not self.overdue(now)

    def overdue(self, now: int) -> int:
        """Seconds by which the slice is older than a fresh one; zero while it is fresh."""
        return max(0, now - self.time - self.max_age)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the word of a settled expiry says: WAD of cash, and the time at which it was fixed."""

    price: int
    time: int = 0

    @classmethod
    def decode(cls, word: int) -> Settlement | None:
        """Read the word of an expiry; None if it is not settled."""
        return cls(_field(word, 0, 128), _field(word, 128, 32)) if word >> 255 else None

    def encode(self) -> int:
        return (
            1 << 255
            | _unsigned("time of fixing", self.time, 32) << 128
            | _unsigned("settlement price", self.price, 128)
        )
