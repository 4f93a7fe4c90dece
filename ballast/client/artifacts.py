"""The compiled contracts: what Ape wrote to `.build`, without needing Ape to read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "__local__.json"

Abi = list[dict[str, Any]]

EXTENDED = {"Clearinghouse": "ClearinghouseExtension"}
"""Contracts that hand the calls they do not know to another one's code."""


class ArtifactError(Exception):
    """Compiled contracts that are not there or cannot be read."""


@dataclass(frozen=True)
class Artifact:
    """One compiled contract; `bytecode` is empty for interfaces and abstract contracts."""

    name: str
    abi: Abi
    bytecode: bytes
    runtime: bytes
    source: str

    def matches(self, code: bytes) -> bool:
        """Whether deployed code is this contract's, whatever its immutables are.

        The compiler leaves zeros where immutables go, so bytes may differ only where it has zeros.
        """
        return len(code) == len(self.runtime) and all(
            mine in (0, theirs) for mine, theirs in zip(self.runtime, code, strict=True)
        )


class Artifacts(Mapping[str, Artifact]):
    """Every compiled contract by its name."""

    def __init__(self, artifacts: Mapping[str, Artifact]) -> None:
        self._artifacts = dict(artifacts)

    def __getitem__(self, name: str) -> Artifact:
        if name not in self._artifacts:
            raise ArtifactError(f"no compiled contract is called {name}: run `make compile`")
        return self._artifacts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._artifacts

    def __iter__(self) -> Any:
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)


def load_artifacts(path: Path = BUILD) -> Artifacts:
    """Read what `make compile` built."""
    if not path.is_file():
        raise ArtifactError(f"{path} is missing: run `make compile` first")
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load(path: Path, _modified: int) -> Artifacts:
    try:
        types = json.loads(path.read_text())["contractTypes"]
    except (json.JSONDecodeError, KeyError):
        raise ArtifactError(f"{path} is damaged: run `make compile` again") from None
    return Artifacts(
        {name: _artifact(name, data, abi_of(name, types)) for name, data in types.items()}
    )


def abi_of(name: str, types: Mapping[str, Mapping[str, Any]]) -> Abi:
    """Everything that can be called at a contract's address, its extension's functions included."""
    own: Abi = types[name]["abi"]
    extension = types.get(EXTENDED.get(name, ""))
    if extension is None:
        return own
    return own + [e for e in extension["abi"] if e["type"] != "constructor" and e not in own]


def _artifact(name: str, data: dict[str, Any], abi: Abi) -> Artifact:
    def code(key: str) -> bytes:
        return bytes.fromhex(((data.get(key) or {}).get("bytecode") or "").removeprefix("0x"))

    return Artifact(
        name=name,
        abi=abi,
        bytecode=code("deploymentBytecode"),
        runtime=code("runtimeBytecode"),
        source=data.get("sourceId", ""),
    )
