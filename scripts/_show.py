"""An account as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table

from ballast.client.client import Client
from ballast.client.entries import Entries
from ballast.codec import AccountId, Collateral, Instrument, Kind, Option, Perp
from ballast.units import INT256_MAX, UINT256_MAX, from_units, from_wad

STATES = ("open", "reduce only", "margin call", "in liquidation", "bankrupt")
_STYLES = ("green", "yellow", "yellow", "red", "bold red")
_THRESHOLDS = (
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


def show_account(client: Client, account: AccountId, entries: Entries | None = None) -> Group:
    """Everything about an account, by the Lens where there is one."""
    if client.has_lens:
        view = client.account_view(account)
        positions = _positions(client, account, view, entries)
        parts = (f"Account {account}", _summary(client, view), positions)
        thresholds = _thresholds(client, view)
        return Group(*parts, thresholds) if thresholds.row_count else Group(*parts)
    return _plain(client, account)


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


def _positions(client: Client, account: AccountId, view: Any, entries: Entries | None) -> Table:
    table = Table(title="Positions", title_justify="left")
    names = ["instrument", "size", "price", "value", "funding a day"]
    for name in [*names, "entry"] if entries else names:
        table.add_column(name, justify="left" if name == "instrument" else "right")
    for one in view.positions:
        is_perp = one.kind == Kind.PERP
        make = Instrument.perp if is_perp else Instrument.collateral
        held = entries.of(account, one.id) if entries and is_perp else None
        table.add_row(
            client.book.instrument_name(make(one.id)),
            size(one.size),
            money(one.price),
            money(one.value),
            money(one.fundingPerDay) if is_perp else "",
            *([money(held.entry) if held else ""] if entries else []),
        )
    if not view.positions:
        table.add_row("none")
    return table


def _thresholds(client: Client, view: Any) -> Table:
    table = Table(title="Threshold prices", title_justify="left")
    for name in ("underlying", "state", "price"):
        table.add_column(name, justify="right" if name == "price" else "left")
    for one in view.thresholds:
        for field, label in _THRESHOLDS:
            if price := getattr(one, field):
                table.add_row(client.book.underlying_name(one.underlying), label, money(price))
    return table


def _plain(client: Client, account: AccountId) -> Group:
    """Without a Lens: margin and positions as the Clearinghouse gives them."""
    margin = client.clearinghouse.margin(account)
    portfolio = client.clearinghouse.portfolio(account)
    table = _grid()
    table.add_row("cash", money(portfolio.cash))
    table.add_row("equity", money(margin.equity))
    table.add_row("initial margin", money(margin.initial))
    table.add_row("maintenance margin", money(margin.maintenance))
    for one in portfolio.positions:
        name = client.book.instrument_name(one.instrument)
        if isinstance(one, Perp | Option):
            table.add_row(name, size(one.size))
        elif isinstance(one, Collateral):
            decimals = client.book.asset(name).decimals
            table.add_row(name, f"{from_units(one.amount, decimals):,f}")
    return Group(f"Account {account}", table)
