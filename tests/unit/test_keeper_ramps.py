"""When parameters of risk are behind their ramp by more than a day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ballast.keeper.ramps import DAY, is_behind
from ballast.risk.governed import RiskRamp
from ballast.risk.parameters import AssetRisk, UnderlyingRisk

START = 1_750_000_000
OLD = UnderlyingRisk(kappa_quarters=2, perp_maintenance=300, perp_initial=600)
NEW = replace(OLD, perp_maintenance=600, perp_initial=300)
RAMP = RiskRamp(OLD, NEW, START, START + 3 * DAY)


@pytest.mark.parametrize("age", [0, DAY - 1, DAY])
def test_a_day_is_not_behind(age: int) -> None:
    assert not is_behind(RAMP, OLD, START + age)


@pytest.mark.parametrize("age", [DAY + 864, 2 * DAY, 9 * DAY])
def test_more_than_a_day_is_behind(age: int) -> None:
    assert is_behind(RAMP, OLD, START + age)


@pytest.mark.parametrize("age", [DAY + 864, 2 * DAY, 3 * DAY, 9 * DAY])
def test_what_advanced_within_a_day_is_not_behind(age: int) -> None:
    assert not is_behind(RAMP, RAMP.at(START + age - DAY // 2), START + age)


def test_what_has_arrived_is_never_behind() -> None:
    assert not is_behind(RAMP, NEW, START + 9 * DAY)


def test_haircuts_are_ramps_as_well() -> None:
    ramp = RiskRamp(AssetRisk(1, 18, 100, 500), AssetRisk(1, 18, 100, 100), START, START + DAY)
    assert is_behind(ramp, ramp.origin, START + 2 * DAY)
    assert not is_behind(ramp, ramp.target, START + 2 * DAY)
