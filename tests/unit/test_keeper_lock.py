"""Two processes with one key and one state: the second is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ballast.client.signers import KeySigner
from ballast.keeper.assembly import Options, open_keeper
from ballast.keeper.lock import sole_process
from ballast.keeper.loop import KeeperError
from tests.unit.test_keeper_loop import BOOK

HOLDER = """
import sys, time
from pathlib import Path
from ballast.keeper.lock import sole_process
with sole_process(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "31337.0xabc.lock"


def hold(file: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_process_is_told_who_holds_it_and_a_killed_one_lets_go(file: Path) -> None:
    with hold(file) as holder:
        with (
            pytest.raises(KeeperError, match=f"process {holder.pid} keeps with the same key"),
            sole_process(file),
        ):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with sole_process(file):
        assert file.read_text() == f"{os.getpid()}\n"


def test_it_is_free_again_afterwards(file: Path) -> None:
    for _ in range(2):
        with sole_process(file):
            pass


def test_another_key_is_another_lock(file: Path) -> None:
    with sole_process(file), sole_process(file.with_name("31337.0xdef.lock")):
        pass


def test_a_keeper_takes_the_lock_of_its_key_before_anything_else(tmp_path: Path) -> None:
    signer = KeySigner.from_key("0x" + "11" * 32)
    options = Options(
        dry_run=False,
        reports=None,
        interval=1,
        deviation_bps=25,
        heartbeat=None,
        min_profit="0",
        flag=False,
        gas_feed="ETH",
        gas_money=None,
        index=0,
        state=tmp_path / "31337.json",
        journal=None,
        rpcs=(),
        max_fee_gwei=None,
        pyth_url=None,
        pyth_folder=None,
        metrics_port=None,
        stall_seconds=300,
        webhook=None,
    )
    own = tmp_path / f"31337.{signer.address.lower()}.lock"
    with (
        sole_process(own),
        pytest.raises(KeeperError, match=f"process {os.getpid()} keeps with the same key"),
        open_keeper(BOOK, tmp_path, signer, options),
    ):
        pass
