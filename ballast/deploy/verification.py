"""What a block explorer needs to verify a contract: the compiler's standard JSON input.

Each input holds only the sources that the contract imports. Contracts that others create are in the
index as well; the NormalTable's code is what its constructor returns, so explorers must compare the
code that creates it. For a full match the contracts must
have been compiled all at once with the settings of the project: `ape compile -f`.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple

from ballast.client.artifacts import ROOT, Artifact

MAX_BYTES = 1_000_000
_IMPORT = re.compile(r'^\s*(?:import|\}\s*from)\b[^"\';]*["\']([^"\']+)["\']', re.MULTILINE)


class VerificationError(Exception):
    """An input that explorers would refuse."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The compiler and its settings, of ape-config.yaml."""

    version: str
    remappings: tuple[tuple[str, str], ...]
    settings: Mapping[str, Any]


def read_settings(root: Path = ROOT) -> Settings:
    config = yaml.safe_load((root / "ape-config.yaml").read_text())["solidity"]
    remappings = tuple(tuple(line.split("=")) for line in config["import_remapping"])
    return Settings(
        version=str(config["version"]),
        remappings=remappings,
        settings={
            "remappings": sorted(config["import_remapping"]),
            "optimizer": {"enabled": config["optimize"], "runs": config["optimization_runs"]},
            "evmVersion": config["evm_version"],
            "viaIR": config["via_ir"],
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode", "evm.deployedBytecode"]}},
        },
    )


def standard_input(source: str, settings: Settings, root: Path = ROOT) -> dict[str, Any]:
    """The compiler's input for one source file and everything that it imports."""
    sources: dict[str, dict[str, str]] = {}
    waiting = [source]
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        text = (root / name).read_text()
        sources[name] = {"content": text}
        waiting.extend(_target(found, name, settings) for found in _IMPORT.findall(text))
    return {
        "language": "Solidity",
        "sources": dict(sorted(sources.items())),
        "settings": dict(settings.settings),
    }


def _target(imported: str, importer: str, settings: Settings) -> str:
    """The source unit that an import in `importer` means."""
    if imported.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(importer), imported))
    for prefix, path in settings.remappings:
        if imported.startswith(prefix + "/"):
            return path + imported.removeprefix(prefix)
    return imported


def encode_constructor(artifact: Artifact, args: Sequence[Any]) -> str:
    """Constructor arguments as explorers want them: hex without 0x."""
    found = (entry for entry in artifact.abi if entry["type"] == "constructor")
    inputs = next(found, {}).get("inputs", [])
    types = [str(collapse_if_tuple(part)) for part in inputs]
    return str(encode(types, list(args)).hex())


def write_inputs(
    folder: Path, contracts: Sequence[tuple[str, str, Artifact, Sequence[Any]]], root: Path = ROOT
) -> Path:
    """Write one input a source and an index of all contracts (name, address, artifact, args)."""
    settings = read_settings(root)
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for name, address, artifact, args in contracts:
        path = folder / f"{artifact.name}.json"
        text = json.dumps(standard_input(artifact.source, settings, root))
        if len(text.encode()) >= MAX_BYTES:
            raise VerificationError(f"the input of {artifact.name} has {len(text)} bytes")
        path.write_text(text + "\n")
        index.append(
            {
                "name": name,
                "address": address,
                "contract": f"{artifact.source}:{artifact.name}",
                "compiler": settings.version,
                "input": path.name,
                "constructorArguments": encode_constructor(artifact, args),
            }
        )
    overview = folder / "index.json"
    overview.write_text(json.dumps(index, indent=2) + "\n")
    return overview
