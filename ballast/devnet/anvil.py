"""An anvil of our own: started on a free loopback port, stopped by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from ballast.client.errors import ChainError

CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
START_SECONDS = 30
STOP_SECONDS = 5


class AnvilError(ChainError):
    """An anvil that cannot be started, or that does not do as it is told."""


class Anvil:
    """A local chain that begins at a time of its own. Use it as a context manager."""

    def __init__(
        self,
        time: int,
        log: Path,
        accounts: int = 10,
        options: Sequence[str] = (),
        chain_id: int = CHAIN_ID,
    ) -> None:
        self._time = time
        self._log = log
        self._accounts = accounts
        self._options = options
        self._chain_id = chain_id
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.web3 = Web3()

    def __enter__(self) -> Anvil:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once the chain answers."""
        binary = shutil.which("anvil")
        if binary is None:
            raise AnvilError("anvil is not on the PATH: run `make setup`, and start with make")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [binary, "--host", "127.0.0.1", "--port", str(port)]
        command += ["--chain-id", str(self._chain_id), "--mnemonic", MNEMONIC]
        command += ["--hardfork", "cancun", *self._options]
        command += ["--accounts", str(self._accounts), "--timestamp", str(self._time)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the process that `start` began, and no other."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def advance_to(self, moment: int) -> None:
        """Mines a block at `moment`; the chain's clock runs on from there."""
        for method, values in (("evm_setNextBlockTimestamp", [moment]), ("evm_mine", [])):
            answer = self.web3.provider.make_request(RPCEndpoint(method), values)
            if "error" in answer:
                raise AnvilError(f"{method} {values}: {answer['error']}")

    def _wait(self) -> None:
        self.web3 = Web3(HTTPProvider(self.url, request_kwargs={"timeout": 30}))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise AnvilError(f"anvil ended at once; it said: {self._log.read_text()[-500:]}")
            if self.web3.is_connected():
                return
            time.sleep(0.05)
        raise AnvilError(f"anvil did not answer at {self.url} within {START_SECONDS} s")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dev_account(index: int) -> LocalAccount:
    """One of the accounts that every anvil with the well-known mnemonic begins with."""
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{index}"
    return Account.from_mnemonic(MNEMONIC, account_path=path)
