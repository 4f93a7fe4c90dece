"""Position words as plain ints, for speed; the layout is that of `contracts/types/Position.sol`."""

from __future__ import annotations

from ballast.codec import STRIKE_UNIT
from ballast.model.refusal import require

KIND_PERP = 1
KIND_OPTION = 2
KIND_COLLATERAL = 3

_LOW_128 = (1 << 128) - 1


def trunc_div(a: int, b: int) -> int:
    """a / b rounded towards zero, as Solidity's signed division."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def signed(value: int, bits: int) -> int:
    """Read the low `bits` of a word as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def fits_signed(value: int, bits: int) -> bool:
    """Whether a number fits int`bits`."""
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


def perp_word(underlying: int, size: int, quote: int) -> int:
    """A perpetual; size and quote in WAD."""
    require(fits_signed(size, 104), "Position_Overflow", size)
    require(fits_signed(quote, 128), "Position_Overflow", quote)
    key = KIND_PERP << 248 | underlying << 232
    return key | (size & ((1 << 104) - 1)) << 128 | (quote & _LOW_128)


def collateral_word(asset: int, amount: int) -> int:
    """Collateral; amount in the token's smallest units."""
    require(amount <= _LOW_128, "Position_Overflow", amount >> 1)
    return KIND_COLLATERAL << 248 | asset << 232 | amount


def option_word(series: int, size: int) -> int:
    """A position in an option series; size in WAD."""
    require(fits_signed(size, 128), "Position_Overflow", size)
    return series | (size & _LOW_128)


def kind(word: int) -> int:
    """What a word or an instrument is."""
    return word >> 248


def ident(word: int) -> int:
    """The underlying of a perpetual or an option, the asset of collateral."""
    return word >> 232 & 0xFFFF


def perp_size(word: int) -> int:
    """Size of a perpetual, WAD."""
    return signed(word >> 128, 104)


def perp_quote(word: int) -> int:
    """Quote of a perpetual, WAD: its value is size × (mark − funding) + quote."""
    return signed(word, 128)


def option_size(word: int) -> int:
    """Size of an option, WAD."""
    return signed(word, 128)


def expiry_of(series: int) -> int:
    """When an option expires, unix seconds."""
    return series >> 200 & 0xFFFF_FFFF


def strike_of(series: int) -> int:
    """Strike of an option, WAD."""
    return (series >> 129 & ((1 << 71) - 1)) * STRIKE_UNIT


def is_put(series: int) -> bool:
    """Whether an option is a put."""
    return bool(series >> 128 & 1)


def amount_of(word: int) -> int:
    """Amount of collateral in the token's smallest units."""
    return word & _LOW_128


def _shift(word: int) -> int:
    return 128 if kind(word) == KIND_OPTION else 232


def instrument_of(word: int) -> int:
    """The word with its quantities zeroed."""
    return word >> _shift(word) << _shift(word)


def is_canonical(instrument: int) -> bool:
    """Whether an instrument carries no quantity."""
    return instrument_of(instrument) == instrument


def find(words: list[int], instrument: int) -> int:
    """Index of the position in an instrument, or the number of words if there is none."""
    shift = _shift(instrument)
    for index, word in enumerate(words):
        if (word ^ instrument) >> shift == 0:
            return index
    return len(words)
