"""Precise undiscounted Black-76 in exact integers: the mirror of `contracts/math/Black76.sol`."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.fixed_point import clamp, div_towards_zero, exp_wad, sqrt
from ballast.risk.logarithm import ln
from ballast.units import WAD

DENSITY = 398942280401432678  # 1/√(2π)

_FARTHEST = 28 * WAD
_P = (
    2793782811274865708995792344,
    55490063251982985439325613973,
    504997313321183988772789751342,
    2686854064982610631744200026450,
    8879836321276928843208352153033,
    17526346747716136297837296789480,
    17446585517718866593419072006541,
)
_Q = (
    7002846371848264277131140167,
    139098283325591648216536793020,
    1272735271903413669289948260020,
    6875477954081866250299004168022,
    23496240498236730931794024435253,
    50494772681144588634273116487714,
    62893415942062134000840181617016,
    34893171035437733186838144013082,
)


@dataclass(frozen=True, slots=True)
class Greeks:
    """What one unit of an option is worth and how that changes; units as in the contract."""

    price: int
    delta: int
    gamma: int = 0
    vega: int = 0
    theta: int = 0


def price(forward: int, strike: int, deviation: int, is_put: bool) -> tuple[int, int]:
    """Price of one unit in WAD of cash, rounded down, and its delta."""
    return _price(forward, strike, deviation, is_put)[:2]


def greeks(forward: int, strike: int, volatility: int, time: int, is_put: bool) -> Greeks:
    """Price and Greeks of one unit."""
    root = sqrt(time * WAD)
    deviation = volatility * root // WAD
    value, delta, e = _price(forward, strike, deviation, is_put)
    if deviation == 0 or forward == 0:
        return Greeks(value, delta)
    density = DENSITY * e // WAD
    vega = forward * density // WAD * root // WAD
    return Greeks(
        price=value,
        delta=delta,
        gamma=density * WAD // deviation * WAD // forward,
        vega=vega,
        theta=-(vega * volatility // (2 * time)),
    )


def _price(forward: int, strike: int, deviation: int, is_put: bool) -> tuple[int, int, int]:
    intrinsic = max(strike - forward if is_put else forward - strike, 0)
    ratio = strike * WAD // forward if forward else 0
    if deviation == 0 or ratio == 0:
        delta = -WAD if is_put else WAD
        return intrinsic, delta if intrinsic else 0, 0
    call, delta, e = _call(ratio, deviation)
    if is_put:
        call += ratio - WAD
        delta -= WAD
    value = forward * call // WAD if call > 0 else 0
    return clamp(value, intrinsic, strike if is_put else forward), delta, e


def _call(ratio: int, s: int) -> tuple[int, int, int]:
    """N(d1) − κ·N(d2), N(d1), exp(−d1²/2)."""
    d1 = s // 2 - div_towards_zero(ln(min((ratio << 64) // WAD, 2**128 - 1)) * WAD, s)
    d2 = d1 - s
    e = exp_wad(-(d1 * d1 // (2 * WAD)))
    tail = e * _mills(abs(d1)) >> 96
    delta = tail if d1 < 0 else WAD - tail
    tail = e * _mills(abs(d2)) >> 96
    return delta - (tail if d2 < 0 else ratio - tail), delta, e


def _mills(x: int) -> int:
    """(1 − N(x))/exp(−x²/2) in counts of 2^-96."""
    if x >= _FARTHEST:
        return 0
    x = (x << 96) // WAD
    return (_polynomial(_P, x) << 96) // _polynomial(_Q, x)


def _polynomial(coefficients: tuple[int, ...], x: int) -> int:
    value = 0
    for coefficient in coefficients:
        value = (value * x >> 96) + coefficient
    return value
