"""The demonstration, shortened."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import ROOT

CRASH = """time,BTC,ETH
2026-01-01T05:00:00Z,60000,3000
2026-01-01T06:00:00Z,55000,2720
2026-01-01T07:00:00Z,50500,2480
2026-01-01T08:00:00Z,46500,2270
2026-01-01T09:00:00Z,42500,2050
2026-01-01T10:00:00Z,39500,1890
2026-01-01T11:00:00Z,40000,1920
"""


def demo(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "ape"), "run", "demo", *args],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_crash_ends_with_balanced_books_and_the_predicted_liquidations(tmp_path: Path):
    path = tmp_path / "crash.csv"
    path.write_text(CRASH)
    done = demo("--prices", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"42,500.00 .*\d×", done.stdout)
    for liquidated in ("outright", "straddle"):
        assert re.search(rf"keeper: liquidated \d+\.\d% of {liquidated}", done.stdout)
        assert re.search(rf"│ {liquidated} .* \d × │", done.stdout)
    assert re.search(r"covered sells [\d.]+ ETH-2026\d{4}-3300-C at", done.stdout)
    assert re.search(r"straddle sells [\d.]+ ETH-2026\d{4}-3000-P at", done.stdout)
    saved = re.findall(r"│ all +│ +([\d,.]+) │ +([\d,.]+) │ +\d+% │", done.stdout)
    assert len(saved) == 2
    for alone, netted in saved:
        assert float(netted.replace(",", "")) < float(alone.replace(",", ""))
    assert re.search(r"│ covered .* – │", done.stdout)
    assert "covered buys" in done.stdout and "ETH-20260101-2850-P" in done.stdout
    assert len(re.findall(r"01-01 07:\d\d ", done.stdout)) >= 11
    assert "keeper: fixed ETH 1767254400" in done.stdout
    assert "keeper: settled covered" in done.stdout
    assert "The books balance to the wei" in done.stdout
    assert re.search(r"│ hedger .* – │", done.stdout)


def test_a_bad_file_is_answered_in_words(tmp_path: Path):
    path = tmp_path / "crash.csv"
    path.write_text(CRASH.replace("2480", "cheap"))
    done = demo("--prices", str(path))
    assert done.returncode == 1
    assert "line 4, column ETH" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_seed_and_a_file_are_refused_together(tmp_path: Path):
    done = demo("--prices", str(tmp_path / "any.csv"), "--seed", "3")
    assert done.returncode == 2
    assert "name one of them" in done.stderr
