"""Compiled contracts: those that Ape built, or sources compiled here with the same settings."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ballast.client.artifacts import Abi, abi_of

ROOT = Path(__file__).resolve().parents[2]
APE_BUILD = ROOT / ".build" / "__local__.json"
CACHE = ROOT / ".build" / "standard-json"

_IMPORT = re.compile(r'^\s*(?:import|\}\s*from)\b[^"\';]*["\']([^"\']+)["\']', re.MULTILINE)


@dataclass(frozen=True)
class Artefact:
    """One compiled contract; `storage` is its layout, which Ape does not keep."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes
    storage: tuple[dict[str, Any], ...] = ()


Artefacts = Mapping[str, Artefact]


class CompileError(Exception):
    """The compiler refused the sources; the message holds its errors."""


def load_ape(path: Path = APE_BUILD) -> Artefacts:
    """The contracts that `make compile` built."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make compile` first")
    return _load_ape(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load_ape(path: Path, _modified: int) -> Artefacts:
    types = json.loads(path.read_text())["contractTypes"]
    return {name: _from_ape(name, data, abi_of(name, types)) for name, data in types.items()}


def _from_ape(name: str, data: dict[str, Any], abi: Abi) -> Artefact:
    def code(key: str) -> bytes:
        return _bytes((data.get(key) or {}).get("bytecode") or "")

    return Artefact(name, abi, code("deploymentBytecode"), code("runtimeBytecode"))


def _bytes(text: str) -> bytes:
    """Hex with or without 0x; a contract that still has to be linked counts as abstract."""
    return b"" if "__$" in text else bytes.fromhex(text.removeprefix("0x"))


def compile_standard_json(
    sources_root: Path = ROOT,
    targets: Iterable[str] = (),
    patches: Mapping[str, str] | None = None,
) -> Artefacts:
    """Compile with the compiler and settings of the project.

    `targets` are files relative to `sources_root` (all of `contracts/` if none is named); what
    they import is found there and, through the remappings, in the project's node_modules.
    `patches` replaces the text of files. The answer is cached by the hash of the whole input.
    """
    patches = patches or {}
    files = sorted(targets) or sorted(
        str(path.relative_to(sources_root)) for path in (sources_root / "contracts").rglob("*.sol")
    )
    settings, version = _settings()
    sources = _closure(sources_root, files, patches, settings["remappings"])
    for name in patches:
        if name not in sources:
            raise CompileError(f"the patched file {name} is not part of the compilation")
    wanted = ["abi", "evm.bytecode", "evm.deployedBytecode", "storageLayout"]
    selection = {name: {"*": wanted} for name in files}
    task = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {**settings, "outputSelection": selection},
    }
    return _from_standard_json(_cached_compile(json.dumps(task, sort_keys=True), version))


def _settings() -> tuple[dict[str, Any], str]:
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]
    remappings = [
        f"{name}/={target}/"
        for name, target in (line.split("=") for line in config["import_remapping"])
    ]
    settings = {
        "remappings": remappings,
        "optimizer": {"enabled": config["optimize"], "runs": config["optimization_runs"]},
        "evmVersion": config["evm_version"],
        "viaIR": config["via_ir"],
    }
    return settings, str(config["version"])


def _closure(
    root: Path, files: Iterable[str], patches: Mapping[str, str], remappings: Iterable[str]
) -> dict[str, str]:
    """The files and everything that they import, by source unit name."""
    prefixes = [line.split("=") for line in remappings]
    sources: dict[str, str] = {}
    waiting = list(files)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        base = ROOT if name.startswith("node_modules/") else root
        sources[name] = patches[name] if name in patches else (base / name).read_text()
        for target in _IMPORT.findall(sources[name]):
            if target.startswith("."):
                waiting.append(os.path.normpath(os.path.join(os.path.dirname(name), target)))
            else:
                matches = [
                    to + target.removeprefix(at) for at, to in prefixes if target.startswith(at)
                ]
                waiting.extend(matches or [target])
    return sources


def _cached_compile(task: str, version: str) -> dict[str, Any]:
    entry = CACHE / f"{hashlib.sha256((version + task).encode()).hexdigest()}.json"
    if entry.is_file():
        return json.loads(entry.read_text())
    compiler = ROOT / ".venv" / ".solcx" / f"solc-v{version}"
    done = subprocess.run(
        [compiler, "--standard-json"], input=task, capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    errors = [e["formattedMessage"] for e in answer.get("errors", []) if e["severity"] == "error"]
    if errors:
        raise CompileError("\n".join(errors))
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = entry.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(answer))
    partial.replace(entry)
    return answer


def _from_standard_json(answer: dict[str, Any]) -> Artefacts:
    contracts = {name: data for unit in answer["contracts"].values() for name, data in unit.items()}
    return {
        name: Artefact(
            name,
            abi_of(name, contracts),
            _bytes(data["evm"]["bytecode"]["object"]),
            _bytes(data["evm"]["deployedBytecode"]["object"]),
            tuple(data["storageLayout"]["storage"]),
        )
        for name, data in contracts.items()
    }
