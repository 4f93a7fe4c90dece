"""The campaign finds bugs: each patch in `mutants/` plants one, and one of the seeds must meet it.

Those in `mutants/roads/` are met on the roads that are taken seldom, and need the rules of those;
those in `mutants/options/` need all rules.
A patch names what it breaks in its first line. It is applied to a copy of the source, so a change
of that source that makes it void fails here: renew the patch then.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.property.driver import Failed, play
from tests.property.tally import CORE, ROADS, WEIGHTS, Tally
from tests.property.world import Mismatch
from tests.support.artefacts import ROOT, Artefacts, compile_standard_json, load_ape

PATCHES = sorted((Path(__file__).parent / "mutants").rglob("*.patch"))
SEED = 7
STEPS = 4000
LEAST_PATCHES = 50

# By directory: a rule that is added for one kind of bugs shifts the dice of no other.
RULES_FOR = {"roads": {**CORE, **ROADS}, "options": WEIGHTS}

CLEARINGHOUSE = "contracts/Clearinghouse.sol"
DEPLOYED = (
    CLEARINGHOUSE,
    "contracts/exchange/Exchange.sol",
    "contracts/liquidation/Liquidator.sol",
    "contracts/oracle/OracleAdapter.sol",
    "contracts/risk/JointScenarioEngine.sol",
)
EXTENSION = "contracts/ClearinghouseExtension.sol"  # part of the Clearinghouse's ABI
_TARGET = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)


class Void(AssertionError):  # noqa: N818 (a fact about the patch)
    """A patch that does not fit the sources any more."""


def patched(patch: Path, directory: Path) -> dict[str, str]:
    """The files that a patch changes, changed."""
    names = _TARGET.findall(patch.read_text())
    for name in names:
        copy = directory / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / name).read_text())
    done = subprocess.run(
        ["git", "apply", "-p1", str(patch)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Void(f"{patch.name} does not fit {', '.join(names)} any more: {done.stderr}")
    return {name: (directory / name).read_text() for name in names}


def compile_mutant(files: dict[str, str]) -> Artefacts:
    """All contracts, those that are made of the changed files compiled anew."""
    targets = [name for name in DEPLOYED if any(_reaches(name, changed) for changed in files)]
    assert targets, f"nothing that is deployed is made of {', '.join(files)}"
    others = [EXTENSION] if CLEARINGHOUSE in targets else []
    made = compile_standard_json(targets=[*targets, *others], patches=files)
    wanted = {Path(name).stem for name in targets}
    return {**load_ape(), **{name: one for name, one in made.items() if name in wanted}}


_IMPORT = re.compile(r'from "(\.[^"]+)"|^import "(\.[^"]+)"', re.MULTILINE)


def _reaches(name: str, wanted: str) -> bool:
    """Whether a source is made of another: the same file, or one that it imports."""
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current == wanted:
            return True
        if current in seen:
            continue
        seen.add(current)
        for groups in _IMPORT.findall((ROOT / current).read_text()):
            target = (ROOT / current).parent / (groups[0] or groups[1])
            waiting.append(str(target.resolve().relative_to(ROOT)))
    return False


def rules_for(patch: Path) -> Mapping[str, int]:
    """The rules that a patch is sought with."""
    return RULES_FOR.get(patch.parent.name, CORE)


# Each is compiled anew: a quarter of them with every change, all of them in the long campaigns.
OFTEN = 4


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(patch, id=patch.stem, marks=[pytest.mark.fuzz] if index % OFTEN else [])
        for index, patch in enumerate(PATCHES)
    ],
)
def test_a_planted_bug_is_found(patch: Path, tmp_path: Path) -> None:
    artefacts = compile_mutant(patched(patch, tmp_path))
    with pytest.raises(Failed) as found:
        play(SEED, STEPS, Tally(), artefacts, rules_for(patch))
    assert isinstance(found.value.__cause__, Mismatch), "the mutant breaks the campaign itself"
    print(f"\n{patch.stem}: {found.value}")


@pytest.mark.parametrize("weights", [CORE, WEIGHTS], ids=["core", "all"])
def test_without_a_bug_the_same_campaign_passes(weights: Mapping[str, int]) -> None:
    tally = Tally()
    play(SEED, STEPS, tally, weights=weights)
    assert tally.steps == STEPS


def test_there_are_enough_bugs() -> None:
    assert len(PATCHES) >= LEAST_PATCHES
