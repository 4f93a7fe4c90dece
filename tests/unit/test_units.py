"""Numbers into WAD and back, and which way they round."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast import units
from ballast.units import WAD, UnitsError, from_units, from_wad, to_units, to_wad

ANY = st.integers(-(2**255), 2**255 - 1)
POSITIVE = st.integers(1, 2**128)


@given(a=ANY, b=ANY, c=POSITIVE)
def test_names_say_which_way_it_rounds(a: int, b: int, c: int) -> None:
    product, quotient = Fraction(a * b, WAD), Fraction(a, c)
    assert (units.mul_floor(a, b), units.mul_ceil(a, b)) == (floor(product), ceil(product))
    assert (units.div_floor(a, c), units.div_ceil(a, c)) == (floor(quotient), ceil(quotient))
    scaled, both = quotient * WAD, Fraction(a * b, c)
    assert (units.wad_div_floor(a, c), units.wad_div_ceil(a, c)) == (floor(scaled), ceil(scaled))
    assert (units.mul_div_floor(a, b, c), units.mul_div_ceil(a, b, c)) == (floor(both), ceil(both))


@given(value=ANY, decimals=st.integers(0, 18))
def test_out_and_in_again(value: int, decimals: int) -> None:
    assert to_units(from_units(value, decimals), decimals) == value
    assert to_wad(str(from_wad(value))) == value


@pytest.mark.parametrize(("rounding", "expected"), [("floor", -2), ("ceil", -1), ("truncate", -1)])
def test_a_named_rounding(rounding: units.Rounding, expected: int) -> None:
    assert to_units(Decimal("-0.015"), 2, rounding) == expected


@pytest.mark.parametrize("wrong", [0.1, True, "", "one", "nan", "inf", "1e-19", Decimal("1e-19")])
def test_what_is_no_exact_number(wrong: object) -> None:
    with pytest.raises(UnitsError):
        to_wad(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0.1, True, "1"])
def test_what_is_no_integer(wrong: object) -> None:
    with pytest.raises(UnitsError):
        from_wad(wrong)  # type: ignore[arg-type]


def test_readable_numbers() -> None:
    assert to_wad("1_000.5") == 1000 * WAD + WAD // 2
    assert to_units(3, 6) == 3_000_000
    assert from_wad(15 * WAD // 10) == Decimal("1.5")
