"""What the demonstration looks like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ballast.demo.run import Result, Row, Standing
from ballast.demo.stage import Netting
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

    def tick(self, number: int, tick: PriceRow, standings: Sequence[Standing]) -> None:
        """One line: prices, and the health of every trader before the keeper acted; × if it was
        liquidated."""
        if number == 1:
            self._head(tick, standings)
        moment = datetime.fromtimestamp(tick.time, UTC).strftime("%m-%d %H:%M")
        prices = "".join(f"{price / WAD:>10,.2f}" for price in tick.prices.values())
        line = Text(f"{number:>3} {moment}{prices}")
        for standing in standings:
            line.append(f"{_health(standing):>9}", _style(standing))
        self.console.print(line, no_wrap=True)
        self.progress.update(self._task, completed=number + 1)

    def netting(self, accounts: Sequence[Netting]) -> None:
        """What accounts with options need, and what they would need without netting."""
        table = Table(title="Initial margin of the options book, in USDC")
        table.add_column("participant")
        table.add_column("position")
        for column in ("alone", "netted", "saved"):
            table.add_column(column, justify="right")
        for one in accounts:
            for position, margin in zip(one.positions, one.alone, strict=True):
                table.add_row(one.name, position, _money(margin))
            apart = sum(one.alone)
            saved = f"{1 - one.together / apart:.0%}"
            table.add_row("", "all", _money(apart), _money(one.together), saved, style="bold")
            table.add_section()
        self.console.print(table)

    def _head(self, tick: PriceRow, standings: Sequence[Standing]) -> None:
        symbols = "".join(f"{symbol:>10}" for symbol in tick.prices)
        names = "".join(f"{standing.name:>9}" for standing in standings)
        self.console.print(f"{'':>15}{symbols}{names}", style="bold", no_wrap=True)


def _health(standing: Standing) -> str:
    if standing.health is None:
        return "–"
    return f"{standing.health / WAD:.2f}{'×' if standing.liquidated else ''}"


def _style(standing: Standing) -> str:
    if standing.liquidated:
        return "bold red"
    near = standing.health is not None and standing.health < WAD * 5 // 4
    return "yellow" if near else ""


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
