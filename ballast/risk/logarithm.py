"""The logarithm of a ratio in exact integers: the mirror of `contracts/math/Logarithm.sol`."""

from __future__ import annotations

from ballast.fixed_point import div_towards_zero

RATIO_SHIFT = 64

_LEAST_NEAR = 13043817825332782213  # within a factor of √2 of one
_GREATEST_NEAR = 26087635650665564424
_ROOT_2 = 240615969168004511545033772477625056927
_LN_2 = 235865763225513294137944142764154484399253711888205176847
_OFFSET = 14977475964820094177759453065523809759352610704901028729767
_P = (
    842161295095795594154362464,
    952376781771137594515584204,
    1227165191724146044543816351,
    1717986699005871413981336992,
    2863311531221257988659790134,
    8589934591999773174455852671,
)


def ln(x: int) -> int:
    """ln(x / 2^64) in WAD, rounded down, for x in [1, 2^128); of zero as of one."""
    if _LEAST_NEAR <= x < _GREATEST_NEAR:
        rest, middle = 0, 1 << RATIO_SHIFT
    else:
        x = x or 1
        k = x.bit_length() - 1
        x <<= 127 - k
        rest, middle = k * _LN_2 - _OFFSET, _ROOT_2
    z = div_towards_zero((x - middle) << 96, x + middle)
    w = z * z >> 96
    p = 0
    for coefficient in _P:
        p = (p * w >> 96) + coefficient
    return (z * p + rest) >> 128
