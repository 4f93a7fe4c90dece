"""The demonstration, shortened."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import ROOT

CRASH = """time,BTC,ETH
2026-01-01T00:00:00Z,60000,3000
2026-01-01T01:00:00Z,58000,2880
2026-01-01T02:00:00Z,52000,2560
2026-01-01T03:00:00Z,46500,2270
2026-01-01T04:00:00Z,47000,2300
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
    assert re.search(r"46,500.00 .*\d×", done.stdout)
    assert re.search(r"│ outright .* [12] × │", done.stdout)
    assert re.search(r"covered sells [\d.]+ ETH-2026\d{4}-3300-C at", done.stdout)
    assert re.search(r"straddle sells [\d.]+ ETH-2026\d{4}-3000-P at", done.stdout)
    saved = re.findall(r"│ all +│ +([\d,.]+) │ +([\d,.]+) │ +\d+% │", done.stdout)
    assert len(saved) == 2
    for alone, netted in saved:
        assert float(netted.replace(",", "")) < float(alone.replace(",", ""))
    assert re.search(r"│ (covered|straddle) .* – │", done.stdout)
    assert "The books balance to the wei" in done.stdout
    assert re.search(r"│ hedger .* – │", done.stdout)


def test_a_bad_file_is_answered_in_words(tmp_path: Path):
    path = tmp_path / "crash.csv"
    path.write_text(CRASH.replace("2560", "cheap"))
    done = demo("--prices", str(path))
    assert done.returncode == 1
    assert "line 4, column ETH" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_seed_and_a_file_are_refused_together(tmp_path: Path):
    done = demo("--prices", str(tmp_path / "any.csv"), "--seed", "3")
    assert done.returncode == 2
    assert "name one of them" in done.stderr
