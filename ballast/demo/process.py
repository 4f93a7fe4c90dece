"""The keeper in its own process: started, watched, stopped by its process id."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from eth_account import Account

from ballast.client.signers import PASSPHRASE_VARIABLE
from ballast.demo.cast import Actor
from ballast.keeper.loop import KeeperError

START_SECONDS = 60
STOP_SECONDS = 10
READY = "watching"


class KeeperFailedError(KeeperError):
    """A keeper that ended, or never began; the message has its last words."""


def write_keyfile(actor: Actor, file: Path, passphrase: str) -> None:
    """An encrypted keyfile of an actor, light to decrypt."""
    encrypted = Account.encrypt(actor.key.key, passphrase, kdf="pbkdf2", iterations=10_000)
    file.touch(mode=0o600)
    file.write_text(json.dumps(encrypted))


class KeeperProcess:
    """`ape run keeper`, as anybody would start it. Use it as a context manager."""

    def __init__(self, actor: Actor, folder: Path, options: Sequence[str]) -> None:
        self._actor = actor
        self._keyfile = folder / "keeper.json"
        self._output = folder / "keeper.log"
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def __enter__(self) -> KeeperProcess:
        passphrase = secrets.token_hex(16)
        write_keyfile(self._actor, self._keyfile, passphrase)
        command = ["ape", "run", "keeper", "--keyfile", str(self._keyfile)]
        command += ["--index", str(self._actor.index), *self._options]
        environment = {**os.environ, PASSPHRASE_VARIABLE: passphrase, "PYTHONUNBUFFERED": "1"}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_ready(self) -> None:
        """Returns once the keeper says that it is watching."""
        deadline = time.monotonic() + START_SECONDS
        while READY not in self.output:
            self.require_alive()
            if time.monotonic() > deadline:
                raise KeeperFailedError(f"the keeper is not ready after {START_SECONDS} s")
            time.sleep(0.1)

    def require_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise KeeperFailedError(f"the keeper ended; it said:\n{self.output[-2000:]}")

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def new_lines(self) -> list[str]:
        """Whole lines that it printed since the last time."""
        text = self.output[self._read :]
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        return whole.splitlines()
