"""WAD integers: the numbers of the contracts, and the way in and out of them.

Money, prices, sizes, rates and ratios are integers in units of 1e-18. Every operation that can
lose a part of a unit names the direction in which it rounds.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import Literal

WAD_DECIMALS = 18
WAD = 10**WAD_DECIMALS
BPS = 10**4
YEAR = 365 * 24 * 60 * 60

INT256_MIN = -(2**255)
INT256_MAX = 2**255 - 1
UINT256_MAX = 2**256 - 1

Rounding = Literal["exact", "floor", "ceil", "truncate"]

# Wide enough for any 256-bit integer with as many decimals again.
_CONTEXT = Context(prec=200)
_MODES = {"floor": ROUND_FLOOR, "ceil": ROUND_CEILING, "truncate": ROUND_DOWN}


class UnitsError(ValueError):
    """A number that cannot be turned into the wanted unit."""


def div_floor(a: int, b: int) -> int:
    """a / b rounded towards minus infinity."""
    return a // b


def div_ceil(a: int, b: int) -> int:
    """a / b rounded towards plus infinity."""
    return -(-a // b)


def mul_floor(a: int, b: int) -> int:
    """The WAD product a × b rounded towards minus infinity."""
    return a * b // WAD


def mul_ceil(a: int, b: int) -> int:
    """The WAD product a × b rounded towards plus infinity."""
    return -(-a * b // WAD)


def wad_div_floor(a: int, b: int) -> int:
    """The WAD quotient a / b rounded towards minus infinity."""
    return a * WAD // b


def wad_div_ceil(a: int, b: int) -> int:
    """The WAD quotient a / b rounded towards plus infinity."""
    return -(-a * WAD // b)


def mul_div_floor(a: int, b: int, c: int) -> int:
    """a × b / c rounded towards minus infinity."""
    return a * b // c


def mul_div_ceil(a: int, b: int, c: int) -> int:
    """a × b / c rounded towards plus infinity."""
    return -(-a * b // c)


def to_units(
    value: Decimal | int | str, decimals: int = WAD_DECIMALS, rounding: Rounding = "exact"
) -> int:
    """Turn a decimal number into an integer count of 10^-decimals.

    Raises UnitsError for a float, for anything that is not a finite number, and, unless a
    rounding is named, for a number with more decimals than the unit has.
    """
    if isinstance(value, bool | float):
        raise UnitsError(f"{value!r} is a {type(value).__name__}: pass a Decimal, int or string")
    try:
        number = Decimal(value.replace("_", "") if isinstance(value, str) else value)
    except InvalidOperation:
        raise UnitsError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise UnitsError(f"{value!r} is not finite")
    scaled = number.scaleb(decimals, _CONTEXT)
    whole = scaled.to_integral_value(_MODES.get(rounding, ROUND_DOWN), _CONTEXT)
    if rounding == "exact" and whole != scaled:
        raise UnitsError(f"{value} has more than {decimals} decimals: name a rounding")
    return int(whole)


def from_units(value: int, decimals: int = WAD_DECIMALS) -> Decimal:
    """The exact decimal number of an integer count of 10^-decimals."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnitsError(f"{value!r} is a {type(value).__name__}: pass an int")
    return Decimal(value).scaleb(-decimals, _CONTEXT).normalize(_CONTEXT)


def to_wad(value: Decimal | int | str, rounding: Rounding = "exact") -> int:
    """Turn a decimal number into WAD; see `to_units` for the errors."""
    return to_units(value, WAD_DECIMALS, rounding)


def from_wad(value: int) -> Decimal:
    """The exact decimal number of a WAD integer."""
    return from_units(value, WAD_DECIMALS)
