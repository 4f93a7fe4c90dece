"""Solady's fixed-point functions, bit for bit: the ones that the contracts use.

Ported from `FixedPointMathLib` of solady 0.1.26 (MIT). Shifts of negative integers round down in
both languages; Solidity's division of negative integers rounds towards zero.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

LN_2 = 693147180559945309  # WAD

_EXP_ZERO = -41446531673892822313  # up to here the result rounds to zero
_EXP_OVERFLOW = 135305999368893231589
_LN_2_96 = 54916777467707473351141471128  # ln 2 in units of 2^-96


class FixedPointOverflowError(ArithmeticError):
    """A result that 256 bits do not hold; the contract reverts."""


def div_towards_zero(a: int, b: int) -> int:
    """Solidity's a / b of signed integers."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def clamp(value: int, least: int, greatest: int) -> int:
    """`value` brought into [least, greatest]."""
    return min(max(value, least), greatest)


def sqrt(value: int) -> int:
    """The square root rounded down, as `FixedPointMathLib.sqrt` gives it."""
    return isqrt(value)


def exp_wad(x: int) -> int:
    """e^x in WAD, as `FixedPointMathLib.expWad` approximates it."""
    if x <= _EXP_ZERO:
        return 0
    if x >= _EXP_OVERFLOW:
        raise FixedPointOverflowError(f"exp({x}) does not fit 256 bits")
    x = div_towards_zero(x << 78, 5**18)
    k = (div_towards_zero(x << 96, _LN_2_96) + 2**95) >> 96
    x -= k * _LN_2_96
    y = x + 1346386616545796478920950773328
    y = ((y * x) >> 96) + 57155421227552351082224309758442
    p = y + x - 94201549194550492254356042504812
    p = ((p * y) >> 96) + 28719021644029726153956944680412240
    p = p * x + (4385272521454847904659076985693276 << 96)
    q = x - 2855989394907223263936484059900
    q = ((q * x) >> 96) + 50020603652535783019961831881945
    q = ((q * x) >> 96) - 533845033583426703283633433725380
    q = ((q * x) >> 96) + 3604857256930695427073651918091429
    q = ((q * x) >> 96) - 14423608567350463180887372962807573
    q = ((q * x) >> 96) + 26449188498355588339934803723976023
    r = div_towards_zero(p, q)
    return (r * 3822833074963236453042738258902158003155416615667) >> (195 - k)


@lru_cache(maxsize=1 << 14)  # the nodes of a range are asked for again and again
def ln_wad(x: int) -> int:
    """ln x in WAD, as `FixedPointMathLib.lnWad` approximates it, for x > 0."""
    if x <= 0:
        raise FixedPointOverflowError(f"ln({x}) is undefined")
    log2 = x.bit_length() - 1
    y = (x << 255 - log2) % 2**256 >> 159
    p = y + 3273285459638523848632254066296
    p = ((p * y) >> 96) + 24828157081833163892658089445524
    p = ((p * y) >> 96) + 43456485725739037958740375743393
    p = ((p * y) >> 96) - 11111509109440967052023855526967
    p = ((p * y) >> 96) - 45023709667254063763336534515857
    p = ((p * y) >> 96) - 14706773417378608786704636184526
    p = p * y - (795164235651350426258249787498 << 96)
    q = y + 5573035233440673466300451813936
    q = ((q * y) >> 96) + 71694874799317883764090561454958
    q = ((q * y) >> 96) + 283447036172924575727196451306956
    q = ((q * y) >> 96) + 401686690394027663651624208769553
    q = ((q * y) >> 96) + 204048457590392012362485061816622
    q = ((q * y) >> 96) + 31853899698501571402653359427138
    q = ((q * y) >> 96) + 909429971244387300277376558375
    r = div_towards_zero(p, q) * 1677202110996718588342820967067443963516166
    r += 16597577552685614221487285958193947469193820559219878177908093499208371 * (log2 - 96)
    r += 600920179829731861736702779321621459595472258049074101567377883020018308
    return r >> 174


def half_life(elapsed: int, seconds: int) -> int:
    """2^(−elapsed/seconds) in WAD."""
    return exp_wad(-(LN_2 * elapsed // seconds))
