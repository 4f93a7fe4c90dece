"""Measures the figures that matter and writes them to reports/."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
from rich.table import Table

from ballast.bench.gas import Measured, measure
from ballast.bench.report import GAS_REPORT, gas_report, sizes_report
from ballast.bench.stage import GENESIS, Stage
from ballast.client.artifacts import ROOT, load_artifacts
from ballast.demo.anvil import Anvil
from scripts._shared import console, readable


@click.command()
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "reports",
    help="Folder of the reports.",
)
@readable
def cli(reports: Path) -> None:
    """Measure gas on a local chain of its own, and the sizes of the contracts.

    Prints tables and writes gas.json and sizes.json. Gas repeats exactly: the tests compare it.
    """
    reports.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        anvil = Anvil(GENESIS, Path(folder) / "anvil.log", options=["--steps-tracing"])
        with anvil, console.status("deploying") as status:
            stage = Stage(anvil)
            measured = measure(stage, lambda key: status.update(f"measured {key}"))
    _show(measured)
    write(reports / GAS_REPORT, gas_report(measured))
    write(reports / "sizes.json", sizes_report(load_artifacts()))


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
    console.print(f"wrote {path}")


def _show(measured: list[Measured]) -> None:
    table = Table(title="Gas (cancun, anvil receipts)")
    for name in ("key", "gas", "target", "", "closest peer", "where it goes"):
        table.add_column(name, justify="right" if name in ("gas", "target") else "left")
    for one in measured:
        met = one.gas <= one.row.target
        parts = ", ".join(f"{name} {gas:,}" for name, gas in one.parts.items())
        mark = "[green]met[/]" if met else f"[red]+{one.gas / one.row.target - 1:.1%}[/]"
        table.add_row(one.row.key, f"{one.gas:,}", f"{one.row.target:,}", mark, one.row.peer, parts)
    console.print(table)
