#!/usr/bin/env python3
"""Install the Solidity compiler into the virtual environment.

The version is the one that ape-config.yaml names. It ends up in
``.venv/.solc-select/artifacts/solc-X/solc-X``, where solc-select and foundry.toml look for it,
and is linked as ``.venv/.solcx/solc-vX`` for py-solc-x and Ape (``SOLCX_BINARY_PATH``).

``BALLAST_SOLC`` chooses the build: ``native`` downloads it through solc-select, ``npm`` takes the
WebAssembly build that ``npm ci`` brought (same bytecode, slower), ``auto`` (the default) tries
the first and falls back to the second.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import requests
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOWNLOAD_SECONDS = int(os.environ.get("BALLAST_SOLC_TIMEOUT", "20"))
PROBE_SECONDS = min(5, DOWNLOAD_SECONDS)
NPM_WRAPPER = ROOT / "tools" / "solc-npm"


class InstallError(Exception):
    """One way of getting the compiler failed; the message says why."""


def wanted_version() -> str:
    """The compiler version that the project is pinned to."""
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    version = str(config["solidity"]["version"])
    pinned = (ROOT / "foundry.toml").read_text()
    if f"solc-{version}/solc-{version}" not in pinned:
        raise SystemExit(f"foundry.toml does not point to solc {version}, ape-config.yaml does.")
    return version


def reported_version(executable: Path) -> str:
    """What the executable answers to ``--version``."""
    try:
        answer = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise InstallError(f"it does not run here: {error}") from error
    match = re.search(r"Version: (\S+)", answer)
    if match is None:
        raise InstallError("it does not tell its version")
    return match.group(1)


def remove(path: Path) -> None:
    """Remove a file, link or directory, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def probe_downloads(version: str) -> None:
    """Fail at once where the downloads are out of reach: solc-select would retry for 30 s."""
    from solc_select.solc_select import get_url  # noqa: PLC0415  (reads VIRTUAL_ENV, makes folders)

    _, listing = get_url(version)
    try:
        requests.head(listing, timeout=PROBE_SECONDS).raise_for_status()
    except requests.RequestException as error:
        raise InstallError(f"cannot reach {listing} ({type(error).__name__})") from error


def install_native(version: str, executable: Path) -> None:
    """Download the native build, checked by solc-select against the published checksums."""
    probe_downloads(version)
    remove(executable.parent)
    command = [str(Path(sys.executable).with_name("solc-select")), "install", version]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"no answer within {DOWNLOAD_SECONDS} s") from error
    if done.returncode != 0 or not executable.is_file():
        lines = (done.stderr + done.stdout).strip().splitlines() or ["solc-select gave no reason"]
        raise InstallError(lines[-1][:200])


def install_npm(version: str, executable: Path) -> None:
    """Put the wrapper of the npm build where the native one would be."""
    package = ROOT / "node_modules" / "solc" / "package.json"
    if not package.is_file():
        raise InstallError("node_modules/solc is missing: run 'npm ci' first")
    if f'"version": "{version}"' not in package.read_text():
        raise InstallError(f"node_modules/solc is not version {version}: align package.json")
    remove(executable.parent)
    executable.parent.mkdir(parents=True)
    executable.symlink_to(os.path.relpath(NPM_WRAPPER, executable.parent))


INSTALLERS = {"native": install_native, "npm": install_npm}
ADVICE = {
    "native": "Check the network, raise BALLAST_SOLC_TIMEOUT, or use BALLAST_SOLC=npm.",
    "npm": "Run 'npm ci' in the checkout, or use BALLAST_SOLC=native.",
}


def main() -> int:
    """Install the compiler by the first way that works."""
    choice = os.environ.get("BALLAST_SOLC", "auto")
    if choice not in ("auto", *INSTALLERS):
        print(f"BALLAST_SOLC={choice}: choose auto, native or npm.", file=sys.stderr)
        return 2
    environment = Path(os.environ.setdefault("VIRTUAL_ENV", sys.prefix))
    version = wanted_version()
    executable = environment / ".solc-select" / "artifacts" / f"solc-{version}" / f"solc-{version}"

    for build in ("native", "npm") if choice == "auto" else (choice,):
        try:
            INSTALLERS[build](version, executable)
            answer = reported_version(executable)
            if answer.partition("+")[0] != version:
                raise InstallError(f"it is version {answer}")
        except InstallError as error:
            last = choice != "auto" or build == "npm"
            print(f"solc {version}, {build} build: {error}", file=sys.stderr)
            print(ADVICE[build] if last else "Falling back to the npm build.", file=sys.stderr)
            continue
        link = environment / ".solcx" / f"solc-v{version}"
        remove(link.parent)
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(executable, link.parent))
        print(f"solc {answer} ({build} build) is installed.")
        return 0
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
