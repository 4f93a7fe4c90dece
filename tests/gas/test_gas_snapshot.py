"""Gas repeats to the unit, so a change of it is a change that somebody must have meant."""

from __future__ import annotations

import json

import pytest

from ballast.bench.gas import Measured, measure
from ballast.bench.report import gas_report, sizes_report
from ballast.client.artifacts import ROOT, load_artifacts

LIMIT = 22_000


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    return measure(tmp_path_factory.mktemp("gas"))


def test_gas_is_as_reported(measured: list[Measured]) -> None:
    reported = json.loads((ROOT / "reports" / "gas.json").read_text())
    assert gas_report(measured) == reported, "run `make bench` and look at the change"


def test_profiles_add_up(measured: list[Measured]) -> None:
    for one in measured:
        assert sum(one.parts.values()) == one.gas, one.row.key
        assert min(one.parts.values()) >= 0, one.row.key


def test_contracts_leave_room_to_mend() -> None:
    for name, size in sizes_report(load_artifacts()).items():
        assert size <= LIMIT, f"{name} has {size} bytes of {LIMIT}"
