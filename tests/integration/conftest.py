"""A node of our own, and scripts run as a user runs them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

ROOT = Path(__file__).resolve().parents[2]
Ape = Callable[..., str]


class ScriptFailed(AssertionError):  # noqa: N818 (what a user sees, not a fault of ours)
    """A script ended with an error; the text is what it printed."""


@dataclass(frozen=True)
class Devnet:
    """An anvil with the deployments made on it."""

    url: str
    deployments: Path

    def ape(self, *args: str, env: dict[str, str] | None = None) -> str:
        """Run a script of ours; what it printed. Raises ScriptFailed."""
        options = ["--network", f"ethereum:devnet:{self.url}"]
        command = [str(Path(sys.executable).parent / "ape"), "run", *args, *options]
        done = subprocess.run(
            [*command, "--deployments", str(self.deployments)],
            cwd=ROOT,
            env=os.environ | {"COLUMNS": "120"} | (env or {}),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        if done.returncode != 0:
            raise ScriptFailed(printed)
        return printed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    web3 = Web3(HTTPProvider(url))
    for _ in range(100):
        if web3.is_connected():
            return
        time.sleep(0.1)
    raise RuntimeError(f"anvil does not answer at {url}")


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A fresh node for one file of tests."""
    port = free_port()
    node = subprocess.Popen(["anvil", "--port", str(port), "--silent"])
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield Devnet(url, tmp_path_factory.mktemp("deployments"))
    finally:
        node.terminate()
        node.wait(10)
