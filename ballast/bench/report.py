"""The reports that the measurements are written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ballast.bench.gas import Measured
from ballast.client.artifacts import Artifacts

GAS_REPORT = "gas.json"
LIBRARY_STUB = 100  # what is left of a library whose functions were all inlined


def gas_report(measured: Sequence[Measured]) -> Mapping[str, object]:
    """Gas by key, with target, peer, preconditions and parts."""
    return {
        one.row.key: {
            "gas": one.gas,
            "target": one.row.target,
            "met": one.gas <= one.row.target,
            "peer": one.row.peer,
            "preconditions": one.row.preconditions,
            "parts": one.parts,
        }
        for one in measured
    }


def sizes_report(artifacts: Artifacts) -> Mapping[str, int]:
    """Runtime bytes of our contracts that are deployed, the largest first; the limit is 24,576."""
    sizes = {
        one.name: len(one.runtime)
        for one in artifacts.values()
        if len(one.runtime) > LIBRARY_STUB
        and one.source.startswith("contracts/")
        and not one.source.startswith("contracts/mocks/")
    }
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))
