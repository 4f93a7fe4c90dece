"""What the demonstration looks like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ballast.demo.run import Result, Row
from ballast.oracle.prices import PriceRow
from ballast.units import WAD


class Screen:
    """Lines that scroll by, over a bar that tells how far the path is."""

    def __init__(self, console: Console, ticks: int) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self.progress.add_task("price path", total=ticks)

    def say(self, line: str) -> None:
        self.console.print(
            f"      {line}",
            style="dim",
            highlight=False,
            markup=False,
            no_wrap=True,
            overflow="ellipsis",
        )

    def tick(self, number: int, tick: PriceRow, liquidated: Sequence[str]) -> None:
        moment = datetime.fromtimestamp(tick.time, UTC).strftime("%d %b %H:%M")
        prices = "  ".join(f"{name} {price / WAD:>9,.2f}" for name, price in tick.prices.items())
        line = f"[{number:>3}] {moment}  {prices}"
        if liquidated:
            line += "  liquidated: " + ", ".join(liquidated)
        style = "bold red" if liquidated else ""
        self.console.print(line, style=style, highlight=False, markup=False)
        self.progress.update(self._task, completed=number + 1)


def show_result(console: Console, result: Result) -> None:
    """The table, the earnings, and what is wrong if anything is."""
    console.print()
    console.print(_table(result.rows))
    console.print(
        f"{result.liquidations} liquidations of {result.accounts} accounts: "
        f"the keeper earned {_money(result.reward)} USDC by them, the insurance account has "
        f"{_money(result.insurance)}, the fee account {_money(result.fees)}",
        highlight=False,
    )
    for problem in result.problems:
        console.print(f"wrong: {problem}", style="bold red", highlight=False, markup=False)
    if not result.problems:
        console.print(
            "The books balance to the wei, and exactly the accounts that the mirror predicted "
            "were liquidated.",
            style="bold green",
        )


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Who was worth what, in USDC, account and wallet together")
    table.add_column("participant")
    for column in ("before", "after", "change", "liquidated"):
        table.add_column(column, justify="right")
    for row in rows:
        change = row.after - row.before
        table.add_row(
            row.name,
            _money(row.before),
            _money(row.after),
            f"{change / WAD:+,.2f}",
            f"{row.liquidations} ×" if row.liquidations else "–",
            style="red" if row.liquidations else "",
        )
    return table


def _money(value: int) -> str:
    return f"{value / WAD:,.2f}"
