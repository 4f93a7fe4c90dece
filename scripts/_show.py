"""An account as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table

from ballast.client.client import Client
from ballast.client.entries import Entries
from ballast.client.history import Entry
from ballast.client.options import SETTLEMENT_DELAY, OptionHolding, Stage
from ballast.client.standing import Standing
from ballast.codec import AccountId, Instrument, Kind
from ballast.units import INT256_MAX, UINT256_MAX, from_wad

STATES = ("open", "reduce only", "margin call", "in liquidation", "bankrupt")
_STYLES = ("green", "yellow", "yellow", "red", "bold red")
THRESHOLDS = (
    ("initialBelow", "reduce only below"),
    ("initialAbove", "reduce only above"),
    ("marginCallBelow", "margin call below"),
    ("marginCallAbove", "margin call above"),
    ("maintenanceBelow", "liquidation below"),
    ("maintenanceAbove", "liquidation above"),
)


def money(value: int, digits: int = 2) -> str:
    """A WAD number with thousands separated."""
    return f"{from_wad(value):,.{digits}f}"


def ratio(value: int) -> str:
    return "–" if value in (INT256_MAX, UINT256_MAX) else f"{from_wad(value):,.2f}"


def size(value: int) -> str:
    return f"{from_wad(value):+,f}"


def show_account(client: Client, standing: Standing, entries: Entries | None = None) -> Group:
    """Everything about an account."""
    parts: list[RenderableType] = [f"Account {standing.account}", _summary(client, standing.view)]
    parts.append(_positions(client, standing, entries))
    if standing.options:
        parts.append(show_options(client, standing.options))
    thresholds = _thresholds(client, standing.view)
    return Group(*parts, thresholds) if thresholds.row_count else Group(*parts)


def show_options(client: Client, options: Sequence[OptionHolding]) -> Table:
    """Greeks of whole positions, time left, and how far settlement is."""
    table = Table(title="Options", title_justify="left", box=SIMPLE)
    table.add_column("series", no_wrap=True)
    for name in ("delta", "gamma", "vega", "theta a day", "time left"):
        table.add_column(name, justify="right")
    table.add_column("settlement")
    for one in options:
        table.add_row(
            client.book.instrument_name(one.instrument),
            *(money(one.delta, 2), money(one.gamma, 6), money(one.vega), money(one.theta)),
            duration(one.seconds),
            settlement(one),
        )
    return table


def duration(seconds: int) -> str:
    """Days and hours, or hours and minutes; nothing once it is over."""
    if seconds <= 0:
        return "–"
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    return f"{days}d {hours}h" if days else f"{hours}h {minutes}m"


def settlement(one: OptionHolding) -> str:
    """The stage of an option in words, with the price at which it was fixed."""
    if one.settlement is None:
        return str(one.stage)
    fixed = f"fixed at {money(one.settlement.price)}"
    if one.stage is Stage.DUE:
        return f"{fixed}, cash by `settle`"
    moment = datetime.fromtimestamp(one.settlement.time + SETTLEMENT_DELAY, UTC)
    return f"{fixed}, cash from {moment:%H:%M} UTC"


def show_history(account: AccountId, entries: Sequence[Entry]) -> list[str]:
    """One line an event, without repeating the account."""
    lines = []
    for one in entries:
        moment = datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        what = (f"{k} {'this' if v == str(account) else v}" for k, v in one.what.items())
        named = ", ".join(what).removeprefix("account this, ")
        lines.append(f"{moment}  block {one.block}  {one.name}: {named}")
    return lines or ["nothing happened"]


def _grid() -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(justify="right")
    return table


def _summary(client: Client, view: Any) -> Table:
    table = _grid()
    cash = client.book.cash_name
    style = _STYLES[view.state]
    table.add_row("state", f"[{style}]{STATES[view.state]}[/{style}]")
    table.add_row("cash", f"{money(view.cash)} {cash}")
    table.add_row("equity", f"{money(view.margin.equity)} {cash}")
    table.add_row("initial margin", f"{money(view.margin.initial)} {cash}")
    table.add_row("margin call", f"{money(view.marginCall)} {cash}")
    table.add_row("maintenance margin", f"{money(view.margin.maintenance)} {cash}")
    table.add_row("health", ratio(view.health))
    table.add_row("leverage", ratio(view.leverage))
    table.add_row("prices", "fresh" if view.margin.fresh else "[yellow]not fresh[/yellow]")
    return table


def _positions(client: Client, standing: Standing, entries: Entries | None) -> Table:
    table = Table(title="Positions", title_justify="left")
    names = ["instrument", "size", "price", "value", "delta", "funding a day"]
    for name in [*names, "entry"] if entries else names:
        is_name = name == "instrument"
        table.add_column(name, justify="left" if is_name else "right", no_wrap=is_name)
    for one in standing.view.positions:
        instrument = Instrument(one.instrument)
        table.add_row(
            client.book.instrument_name(instrument),
            size(one.size),
            money(one.price),
            money(one.value),
            money(one.delta, 4),
            money(one.fundingPerDay) if instrument.kind == Kind.PERP else "",
            *([_entry(entries, standing.account, instrument)] if entries else []),
        )
    if not standing.view.positions:
        table.add_row("none")
    return table


def _entry(entries: Entries, account: AccountId, instrument: Instrument) -> str:
    held = entries.of(account, instrument)
    return money(held.entry) if held and held.entry is not None else ""


def _thresholds(client: Client, view: Any) -> Table:
    table = Table(title="Threshold prices", title_justify="left")
    for name in ("underlying", "state", "price"):
        table.add_column(name, justify="right" if name == "price" else "left")
    for one in view.thresholds:
        for field, label in THRESHOLDS:
            if price := getattr(one, field):
                table.add_row(client.book.underlying_name(one.underlying), label, money(price))
    return table
