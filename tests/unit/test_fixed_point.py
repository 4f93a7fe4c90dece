"""The ports of solady's fixed-point functions against exact arithmetic."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.fixed_point import (
    FixedPointOverflowError,
    clamp,
    div_towards_zero,
    exp_wad,
    half_life,
    sqrt,
)
from ballast.units import WAD


@given(st.integers(-(41 * WAD), 40 * WAD))
def test_exp_is_near_the_exact_value(x: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal(x) / WAD).exp() * WAD
    assert abs(Decimal(exp_wad(x)) - exact) <= 1 + exact * Decimal("1e-18")


@pytest.mark.parametrize(
    ("x", "value"),
    [
        (0, WAD),
        (WAD, 2718281828459045235),
        (-WAD, 367879441171442321),
        (-41446531673892822313, 0),
        (-(2**255), 0),
    ],
)
def test_exp_at_known_points(x: int, value: int) -> None:
    assert exp_wad(x) == value


def test_exp_overflows_where_the_contract_does() -> None:
    assert exp_wad(135305999368893231588) < 2**255
    with pytest.raises(FixedPointOverflowError):
        exp_wad(135305999368893231589)


def test_half_life() -> None:
    assert half_life(0, 3600) == WAD
    assert half_life(3600, 3600) == pytest.approx(WAD // 2, abs=2)
    assert half_life(10**9, 3600) == 0


@given(st.integers(0, 2**256 - 1))
def test_sqrt_is_rounded_down(value: int) -> None:
    root = sqrt(value)
    assert root**2 <= value < (root + 1) ** 2


@pytest.mark.parametrize(("a", "b", "c"), [(7, 2, 3), (-7, 2, -3), (7, -2, -3), (-7, -2, 3)])
def test_division_truncates(a: int, b: int, c: int) -> None:
    assert div_towards_zero(a, b) == c


def test_clamp() -> None:
    assert [clamp(value, -1, 2) for value in (-5, 0, 5)] == [-1, 0, 2]
