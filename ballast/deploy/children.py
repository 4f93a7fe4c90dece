"""Contracts that our contracts create in their constructors: where they are, and from what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ballast.client.chain import Call, Chain
from ballast.deploy.names import CLEARINGHOUSE, JOINT_ENGINE, ORACLE, RULE_ENGINE

Arguments = Sequence[Any]


def _nothing(_given: Arguments, _decimals: int) -> Arguments:
    return ()


def _extension(given: Arguments, decimals: int) -> Arguments:
    """oracle, exchange, cash, decimals of cash, insurance account."""
    _, oracle, exchange, _, cash, _, insurance = given
    return oracle, exchange, cash, decimals, insurance


@dataclass(frozen=True, slots=True)
class Child:
    """A contract, the view of its parent that has its address, and its constructor's arguments from
    those of the parent and the decimals of cash."""

    contract: str
    view: str
    arguments: Callable[[Arguments, int], Arguments] = _nothing


CHILDREN: Mapping[str, Child] = {
    CLEARINGHOUSE: Child("ClearinghouseExtension", "EXTENSION", _extension),
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
    decimals = int(chain.view(Call(CLEARINGHOUSE, house, "asset", (0,))).decimals)
    for parent, child in CHILDREN.items():
        if parent in parents:
            address, given = parents[parent]
            found = str(chain.view(Call(parent, address, child.view)))
            name = f"{parent}.{child.view}"
            yield name, found, child.contract, child.arguments(given, decimals)
