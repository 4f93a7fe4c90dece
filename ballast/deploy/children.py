"""Contracts that our contracts create in their constructors: where they are, and from what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ballast.client.artifacts import Artifact
from ballast.client.chain import Call, Chain
from ballast.deploy.names import CLEARINGHOUSE, JOINT_ENGINE, ORACLE, RULE_ENGINE

Arguments = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Child:
    """A contract, and the view of its parent that has its address. What its constructor is given
    the parent was given under the same name; besides, there are the decimals of cash."""

    contract: str
    view: str


CHILDREN: Mapping[str, Child] = {
    CLEARINGHOUSE: Child("ClearinghouseExtension", "EXTENSION"),
    ORACLE: Child("VolatilityChecks", "CHECKS"),
    JOINT_ENGINE: Child("NormalTable", "NORMAL_TABLE"),
    RULE_ENGINE: Child("NormalTable", "TABLE"),
}


def children(
    chain: Chain, parents: Mapping[str, tuple[str, Arguments]]
) -> Iterator[tuple[str, str, str, Arguments]]:
    """Name, address, contract and arguments of every child of deployed parents (address and
    arguments by name)."""
    house = parents[CLEARINGHOUSE][0]
    cash = chain.view(Call(CLEARINGHOUSE, house, "asset", (0,)))
    for parent, child in CHILDREN.items():
        if parent in parents:
            address, given = parents[parent]
            names = _parameters(chain.artifacts[parent])
            named = dict(zip(names, given, strict=True)) | {"cashDecimals": cash.decimals}
            wanted = _parameters(chain.artifacts[child.contract])
            found = str(chain.view(Call(parent, address, child.view)))
            name = f"{parent}.{child.view}"
            yield name, found, child.contract, [named[one] for one in wanted]


def _parameters(artifact: Artifact) -> list[str]:
    """Names of the constructor's parameters."""
    found = (entry for entry in artifact.abi if entry["type"] == "constructor")
    return [str(part["name"]) for part in next(found, {}).get("inputs", [])]
