"""The two halves of the Clearinghouse: one storage, no function twice, and nothing by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.abi import FunctionAbi
from tests.support.artefacts import Artefact
from tests.support.clearing import ETH, ClearingWorld, artefacts
from tests.support.revm import Reverted, reverts

CORE, EXTENSION = "Clearinghouse", "ClearinghouseExtension"
SHARED = {"authority", "setAuthority", "isConsumingScheduledOp", "ORACLE", "DEFAULT_ENGINE"}
"""What a common base brings into both: the Clearinghouse answers these itself."""


def functions(abi: list[dict[str, Any]]) -> list[FunctionAbi]:
    return [FunctionAbi(entry) for entry in abi if entry["type"] == "function"]


def own_functions() -> list[FunctionAbi]:
    return [f for f in functions(artefacts()[EXTENSION].abi) if f.name not in SHARED]


@pytest.fixture(scope="module")
def world() -> ClearingWorld:
    return ClearingWorld()


@pytest.fixture(scope="module")
def extension(world: ClearingWorld) -> str:
    return str(world.house.EXTENSION())


def test_both_have_one_storage_layout() -> None:
    def layout(artefact: Artefact) -> list[tuple[Any, ...]]:
        return [(s["label"], s["slot"], s["offset"], s["type"]) for s in artefact.storage]

    assert layout(artefacts()[CORE]) == layout(artefacts()[EXTENSION])
    assert len(layout(artefacts()[CORE])) > 5


def test_no_function_of_the_extension_is_hidden() -> None:
    """The core's own ABI is all entries before those that the merge appended."""
    names = {f.name for f in functions(artefacts()[CORE].abi)}
    assert {f.name for f in own_functions()} <= names
    runtime = artefacts()[CORE].runtime
    hidden = [f.name for f in own_functions() if b"\x63" + f.selector in runtime]
    assert hidden == []
    reached = [f for f in functions(artefacts()[CORE].abi) if b"\x63" + f.selector in runtime]
    assert len(reached) > 10


@pytest.mark.parametrize("function", own_functions(), ids=lambda f: str(f.name))
def test_by_itself_it_does_nothing(
    world: ClearingWorld, extension: str, function: FunctionAbi
) -> None:
    data = function.selector + bytes(32 * 32)
    with reverts("Clearinghouse_NotDelegated"):
        world.evm.call(extension, data)


def test_nobody_governs_it_by_itself(world: ClearingWorld, extension: str) -> None:
    itself = world.evm.at(EXTENSION, extension)
    assert int(itself.authority(), 16) == 0
    with reverts("AccessManagedUnauthorized"):
        itself.setAuthority(world.manager)
    assert not any(world.evm.storage(extension, slot) for slot in range(16))


def test_calls_that_neither_knows_fail(world: ClearingWorld) -> None:
    with reverts("FailedCall"):
        world.evm.call(world.house.address, b"\x12\x34\x56\x78")
    with reverts("FailedCall"):
        world.evm.call(world.house.address, b"")


def test_ether_is_refused_on_every_road(world: ClearingWorld) -> None:
    account = world.account("trader")
    for call in (world.house.settle.encode(account), world.house.margin.encode(account, 0), b""):
        with pytest.raises(Reverted):
            world.evm.call(world.house.address, call, world.owner("trader"), 1)


def test_the_caller_stays_the_caller(world: ClearingWorld) -> None:
    """Governed functions of the extension ask the authority about the Clearinghouse."""
    stranger = world.owner("stranger")
    with reverts("AccessManagedUnauthorized", stranger):
        world.house.setMarketCap(ETH, 0, sender=stranger)
    assert world.house.market(ETH)[3] > 0
