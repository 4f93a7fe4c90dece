"""Where the gas of a call goes, from the steps that the node traced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CALLS = ("CALL", "STATICCALL", "DELEGATECALL", "EXTCODESIZE")


def execution_gas(trace: Mapping[str, Any]) -> int:
    """Gas of the execution alone, without the intrinsic gas and the refund."""
    steps = trace["structLogs"]
    return int(steps[0]["gas"] - steps[-1]["gas"])


def profile(trace: Mapping[str, Any], total: int | None = None) -> dict[str, int]:
    """Gas by kind; of a whole transaction, the rest is intrinsic: calldata, less refunds."""
    steps: Sequence[Mapping[str, Any]] = trace["structLogs"]
    parts = {"storage": 0, "calls": 0, "events": 0, "computation": 0}
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        parts[_kind(step["op"])] += _own_cost(step, following)
    if total is not None:
        parts["intrinsic"] = total - sum(parts.values())
    return parts


def _kind(op: str) -> str:
    if op in ("SLOAD", "SSTORE"):
        return "storage"
    if op in CALLS:
        return "calls"
    return "events" if op.startswith("LOG") else "computation"


def _own_cost(step: Mapping[str, Any], following: Mapping[str, Any] | None) -> int:
    """What a step costs without what it hands on to the call that it makes."""
    cost = int(step["gasCost"])
    if step["op"] not in CALLS or following is None:
        return cost
    if following["depth"] > step["depth"]:
        return cost - int(following["gas"])
    return int(step["gas"]) - int(following["gas"])
