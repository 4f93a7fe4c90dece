"""The harness itself: calls, refusals, time, state, events, patched sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from ballast.codec import Instrument
from ballast.units import WAD
from tests.support.artefacts import ROOT, CompileError, compile_standard_json, load_ape
from tests.support.revm import DEPLOYER, Evm, Reverted, reverts
from tests.support.risk import ETH, RiskWorld, artefacts, fresh

BOARD = "contracts/mocks/MockPriceBoard.sol"


@pytest.fixture
def evm() -> Evm:
    return Evm(artefacts())


def test_a_transaction_and_a_view(evm: Evm) -> None:
    board = evm.deploy("MockPriceBoard")
    assert board.setSnapshot(1, 7) is None
    assert board.snapshot(1) == 7
    assert evm.at("MockPriceBoard", board.address).snapshot(1) == 7


def test_structs_have_names(evm: Evm) -> None:
    board = evm.deploy("MockPriceBoard")
    board.setAsset(3, 6, 9)
    asset = board.asset(3)
    assert (asset.decimals, asset.underlying, asset.cap) == (6, 9, 0)


def test_state_returns_to_a_mark_again_and_again(evm: Evm) -> None:
    board = evm.deploy("MockPriceBoard")
    start, number = evm.time, evm.number
    mark = evm.snapshot()
    for _ in range(3):
        evm.advance(120)
        board.setSnapshot(1, 7)
        assert (evm.time, evm.number, board.snapshot(1)) == (start + 120, number + 10, 7)
        evm.revert(mark)
        assert (evm.time, evm.number, board.snapshot(1)) == (start, number, 0)


def test_contracts_see_the_time() -> None:
    world = RiskWorld()
    world.price(ETH, fresh(world.now, 2000, max_age=60))
    words = [Instrument.perp(ETH).key]
    assert world.engine.assess(0, 0, words).fresh
    world.evm.time += 61
    assert not world.engine.assess(0, 0, words).fresh


def test_refusals_are_decoded(evm: Evm) -> None:
    manager = evm.deploy("AccessManager", DEPLOYER)
    stranger = evm.actor("stranger")
    with reverts("AccessManagerUnauthorizedAccount", stranger.address.lower(), 0):
        manager.grantRole(1, stranger, 0, sender=stranger)
    with pytest.raises(Reverted) as refusal:
        evm.call(manager.address, b"\x12\x34\x56\x78")
    assert refusal.value.name == ""
    with pytest.raises(AssertionError, match="no revert"), reverts("Anything"):
        manager.getAccess(0, stranger)
    with pytest.raises(AssertionError, match="instead of"), reverts("Anything"):
        manager.grantRole(1, stranger, 0, sender=stranger)


def test_events_are_decoded(evm: Evm) -> None:
    manager = evm.deploy("AccessManager", DEPLOYER)
    keeper = evm.actor("keeper")
    manager.grantRole(7, keeper, 0)
    (log,) = [one for one in evm.logs if one.name == "RoleGranted"]
    assert (log.address, log.args["roleId"]) == (manager.address, 7)
    assert log.args["account"] == keeper.address.lower()
    assert log.args["newMember"] is True


def test_what_does_not_exist(evm: Evm) -> None:
    with pytest.raises(KeyError, match="no contract Nothing"):
        evm.deploy("Nothing")
    board = evm.deploy("MockPriceBoard")
    with pytest.raises(AttributeError, match="no function nothing"):
        board.nothing()
    with pytest.raises(TypeError, match="takes"):
        board.snapshot(1, 2)


def test_a_patched_source_behaves_as_patched() -> None:
    text = (ROOT / BOARD).read_text()
    patch = text.replace("snapshot[underlying] = word", "snapshot[underlying + 1] = word")
    built = compile_standard_json(targets=[BOARD], patches={BOARD: patch})
    board = Evm(built).deploy("MockPriceBoard")
    board.setSnapshot(1, WAD)
    assert (board.snapshot(1), board.snapshot(2)) == (0, WAD)


def test_sources_that_do_not_compile() -> None:
    with pytest.raises(CompileError, match="ParserError"):
        compile_standard_json(targets=[BOARD], patches={BOARD: "contract {"})
    with pytest.raises(CompileError, match="not part"):
        compile_standard_json(targets=[BOARD], patches={"contracts/Nothing.sol": ""})


def test_a_build_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make compile"):
        load_ape(tmp_path / "none.json")
