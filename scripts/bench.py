"""Measures the figures that matter and writes them to reports/."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
from rich.table import Table

from ballast.bench.gas import Measured, measure
from ballast.bench.report import GAS_REPORT, gas_report, sizes_report
from ballast.bench.scan import SCAN_REPORT, TARGET, Timings, measure_scan, scan_report
from ballast.client.artifacts import ROOT, load_artifacts
from scripts._shared import console, readable


@click.command()
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "reports",
    help="Folder of the reports.",
)
@click.option(
    "--only", type=click.Choice(["gas", "scan"]), help="Measure this alone.", default=None
)
@readable
def cli(reports: Path, only: str | None) -> None:
    """Measure gas on a local chain of its own, the sizes of the contracts, the keeper's scan.

    Prints tables and writes gas.json, sizes.json and scan.json. Gas repeats exactly: the tests
    compare it.
    """
    reports.mkdir(exist_ok=True)
    if only != "scan":
        _measure_gas(reports)
    if only != "gas":
        with console.status("scanning accounts"):
            timings = measure_scan()
        _show_scan(timings)
        write(reports / SCAN_REPORT, scan_report(timings))


def _measure_gas(reports: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, console.status("deploying") as status:
        measured = measure(Path(folder), lambda key: status.update(f"measured {key}"))
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


def _show_scan(timings: Timings) -> None:
    machine = timings.machine
    table = Table(
        title=f"Scan of {timings.accounts:,} accounts of {timings.positions} positions,"
        f" {timings.option_accounts:,} of them in options",
        caption=f"{machine.cores} × {machine.cpu}, Python {machine.python}, numpy {machine.numpy}",
    )
    met = timings.seconds < TARGET
    table.add_column("what")
    table.add_column("seconds", justify="right")
    table.add_column("")
    verdict = f"[green]under {TARGET:g}[/]" if met else f"[red]over {TARGET:g}[/]"
    doubts = f"{timings.candidates:,} candidates, {timings.missed:,} missed"
    table.add_row("scan", f"{timings.seconds:.3f}", f"{verdict}; {doubts}")
    confirmed = f"{timings.liquidatable:,} liquidatable"
    table.add_row("confirm", f"{timings.confirm_seconds:.3f}", confirmed)
    updated = f"{timings.updated_accounts:,} accounts changed"
    table.add_row("update", f"{timings.update_seconds:.4f}", updated)
    table.add_row("build", f"{timings.build_seconds:.2f}", "once")
    exact = f"{timings.checked:,} accounts, for comparison"
    table.add_row("exact mirror", f"{timings.exact_seconds:.1f}", exact)
    console.print(table)
