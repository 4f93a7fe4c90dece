"""What `account margin` shows: an explanation as tables, and a proposed trade beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Group
from rich.table import Table

from ballast.client.client import Client
from ballast.client.errors import ChainError
from ballast.client.mirror import Moment
from ballast.codec import Instrument, Kind, instrument_of
from ballast.risk.explain import (
    Account,
    Contribution,
    Explanation,
    Part,
    Point,
    Scenario,
    Verdict,
    after_trade,
    explain,
    judge,
    profile,
    size_of,
)
from ballast.units import WAD, from_wad, mul_ceil, to_wad
from scripts._show import STATES, money

TRADE = re.compile(r"(?P<side>buy|sell) +(?P<size>\S+) +(?P<name>\S+)( +@ *(?P<price>\S+))?")
STEPS = 61
_VERDICTS = {
    Verdict.PASSES: "[green]passes[/green]",
    Verdict.REDUCES: "[yellow]passes, as it reduces risk[/yellow]",
    Verdict.REFUSED: "[red]refused: too little margin, or prices that are not fresh[/red]",
}


@dataclass(frozen=True)
class Proposal:
    """A trade that was not signed. WAD of cash; `size` is negative if it sells."""

    instrument: Instrument
    size: int
    price: int
    fee: int
    account: Account


def checked(moment: Moment) -> Explanation:
    """The explanation of an account, which must say what the Clearinghouse says."""
    found = explain(moment.engine, moment.account, moment.now)
    if found.margin != moment.margin:
        raise ChainError(
            f"the mirror disagrees with the Clearinghouse in block {moment.block}: "
            f"{found.margin} is not {moment.margin}"
        )
    return found


def propose(client: Client, moment: Moment, text: str) -> Proposal:
    """Carry out "buy 1 ETH-PERP" or "sell 2 WETH @ 2500" on paper, as a taker.

    Without a price it trades at the mark, the spot or the fair price.
    """
    words = TRADE.fullmatch(text.strip())
    if words is None:
        raise click.UsageError(
            f"{text!r} is no trade: say 'buy 1 ETH-PERP' or 'sell 2 WETH @ 2500'"
        )
    instrument = client.book.instrument(words["name"])
    size = to_wad(words["size"])
    if size <= 0:
        raise click.UsageError(f"{words['size']!r} is not over zero")
    fair = _fair(client, moment, instrument)
    price = to_wad(words["price"]) if words["price"] else fair
    fee = mul_ceil(mul_ceil(size, price), client.exchange.fees(instrument)[1])
    signed = size if words["side"] == "buy" else -size
    unit = unit_of(client, instrument)
    account = after_trade(moment.account, instrument, signed, price, fee, fair=fair, unit=unit)
    return Proposal(instrument, signed, price, fee, account)


def unit_of(client: Client, instrument: Instrument) -> int:
    """One whole token of an instrument, in its smallest units."""
    if instrument.kind != Kind.COLLATERAL:
        return WAD
    return 10 ** client.book.asset(client.book.asset_name(instrument.id)).decimals


def curve(moment: Moment, account: Account, underlying: int) -> list[Point]:
    """Profit of an account from half the spot to half more."""
    spot = moment.market.snapshot(underlying).price
    spots = [spot * (STEPS - 1 + 2 * step) // (2 * (STEPS - 1)) for step in range(STEPS)]
    return profile(moment.engine, account, underlying, spots, moment.now)


def show_explanation(client: Client, moment: Moment, found: Explanation) -> Group:
    """All tables of an account."""
    tables = [_summary(client, moment, found), _parts(found.parts)]
    if found.scenarios:
        tables.append(_scenarios(found.scenarios))
    if found.contributions:
        tables.append(_contributions(client, found.contributions))
    return Group(*tables)


def show_proposal(client: Client, moment: Moment, before: Explanation, proposal: Proposal) -> Group:
    """The account after a trade beside the account before it."""
    after = explain(moment.engine, proposal.account, moment.now)
    side = "buy" if proposal.size > 0 else "sell"
    size = f"{from_wad(abs(proposal.size)):f}"
    name = client.book.instrument_name(proposal.instrument)
    title = f"If you {side} {size} {name} at {money(proposal.price)}, fee {money(proposal.fee)}"
    table = _table(title, "", "before", "after", "change")
    for label, was, is_ in (
        ("cash", moment.account.cash, proposal.account.cash),
        ("equity", before.margin.equity, after.margin.equity),
        ("initial margin", before.margin.initial, after.margin.initial),
        ("maintenance margin", before.margin.maintenance, after.margin.maintenance),
    ):
        table.add_row(label, money(was), money(is_), _change(is_ - was))
    table.add_row("state", STATES[before.state], STATES[after.state])
    binding = (_binding(found.scenarios) for found in (before, after))
    table.add_row("binds initial margin", *binding)
    verdict = _VERDICTS[judge(proposal.account, before.margin, after.margin)]
    return Group(table, f"The margin check: {verdict}")


# ---- Tables -----------------------------------------------------------------------------------


def _summary(client: Client, moment: Moment, found: Explanation) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(justify="right")
    cash, margin = client.book.cash_name, found.margin
    table.add_row("state", STATES[found.state])
    table.add_row("cash", f"{money(moment.account.cash)} {cash}")
    table.add_row("equity", f"{money(margin.equity)} {cash}")
    table.add_row("initial margin", f"{money(margin.initial)} {cash}")
    table.add_row("maintenance margin", f"{money(margin.maintenance)} {cash}")
    table.add_row("prices", "fresh" if margin.fresh else "[yellow]not fresh[/yellow]")
    table.add_row("block", f"{moment.block}, the Clearinghouse says the same")
    return table


def _parts(parts: Sequence[Part]) -> Table:
    table = _table("What the requirements are made of", "part", "maintenance", "initial")
    for part in parts:
        table.add_row(part.name, money(part.maintenance), money(part.initial))
    return table


def _scenarios(scenarios: Sequence[Scenario]) -> Table:
    table = _table("Profit in every scenario", "scenario", "at the range of MM", "of IM", "binds")
    for one in scenarios:
        names = [
            n for n, binds in (("MM", one.binds_maintenance), ("IM", one.binds_initial)) if binds
        ]
        style = "bold red" if names else None
        row = one.name, money(one.maintenance), money(one.initial), " ".join(names)
        table.add_row(*row, style=style)
    return table


def _contributions(client: Client, contributions: Sequence[Contribution]) -> Table:
    table = _table(
        "What every position adds",
        *("position", "size", "value", "IM alone", "in the worst move"),
        *("closing frees of IM", "of MM"),
    )
    for one in contributions:
        instrument = instrument_of(one.position.encode())
        table.add_row(
            client.book.instrument_name(instrument),
            f"{from_wad(size_of(one.position, unit_of(client, instrument))):+,f}",
            money(one.value),
            money(one.alone),
            "–" if one.in_worst is None else money(one.in_worst),
            money(one.frees_initial),
            money(one.frees_maintenance),
        )
    return table


def _binding(scenarios: Sequence[Scenario]) -> str:
    return next((one.name for one in scenarios if one.binds_initial), "–")


def _fair(client: Client, moment: Moment, instrument: Instrument) -> int:
    if instrument.kind == Kind.OPTION:
        return moment.fair_price(instrument.key)
    snapshot = moment.market.snapshot(client.book.underlying_of(instrument))
    return snapshot.mark if instrument.kind == Kind.PERP else snapshot.price


def _change(value: int) -> str:
    return f"{from_wad(value):+,.2f}"


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(names):
        table.add_column(name, justify="right" if index else "left", no_wrap=not index)
    return table
