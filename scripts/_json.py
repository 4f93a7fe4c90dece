"""What the reading commands print with --json.

Amounts, prices and ratios are decimal numbers as text, exact; times are unix seconds. What is
infinite or unknown is null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from ballast.client.client import Client
from ballast.client.entries import Entries
from ballast.client.history import Entry
from ballast.client.mirror import Moment
from ballast.client.options import OptionHolding
from ballast.client.standing import Standing
from ballast.codec import AccountId, Instrument, instrument_of
from ballast.risk.explain import Explanation, size_of
from ballast.units import INT256_MAX, UINT256_MAX, from_wad
from scripts._margin import Proposal, unit_of
from scripts._show import STATES, THRESHOLDS

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(data: object) -> None:
    """Print it to standard output, without colours or line breaks of a terminal's width."""
    click.echo(json.dumps(data, indent=2))


def standing_json(client: Client, one: Standing, entries: Entries | None) -> dict[str, Any]:
    """What `account status` shows."""
    view, margin = one.view, one.view.margin
    return {
        "account": str(one.account),
        "block": one.block,
        "engine": view.engine,
        "state": STATES[view.state],
        "cash": _wad(view.cash),
        "equity": _wad(margin.equity),
        "initialMargin": _wad(margin.initial),
        "marginCall": _wad(view.marginCall),
        "maintenanceMargin": _wad(margin.maintenance),
        "health": _wad(view.health),
        "leverage": _wad(view.leverage),
        "fresh": margin.fresh,
        "positions": [_position(client, one.account, p, entries) for p in view.positions],
        "options": options_json(client, one.options),
        "thresholds": [
            {"underlying": client.book.underlying_name(t.underlying)}
            | {name: _wad(getattr(t, name)) for name, _ in THRESHOLDS if getattr(t, name)}
            for t in view.thresholds
        ],
    }


def options_json(client: Client, options: Sequence[OptionHolding]) -> list[dict[str, Any]]:
    """Options with the Greeks of whole positions: vega for 1.00 of volatility, theta a day."""
    names = ("size", "price", "value", "delta", "gamma", "vega", "theta")
    return [
        {"series": client.book.instrument_name(one.instrument)}
        | {name: _wad(getattr(one, name)) for name in names}
        | {
            "expiry": one.instrument.expiry,
            "secondsLeft": one.seconds,
            "stage": one.stage.name.lower(),
            "settlementPrice": _wad(one.settlement.price) if one.settlement else None,
            "fixedAt": one.settlement.time if one.settlement else None,
        }
        for one in options
    ]


def margin_json(
    client: Client, account: AccountId, moment: Moment, found: Explanation
) -> dict[str, Any]:
    """What `account margin` shows of an account."""
    return {
        "account": str(account),
        "block": moment.block,
        "state": STATES[found.state],
        "cash": _wad(moment.account.cash),
        **_margins(found),
        "parts": [
            {"name": one.name, "maintenance": _wad(one.maintenance), "initial": _wad(one.initial)}
            for one in found.parts
        ],
        "scenarios": [
            {
                "name": one.name,
                "maintenance": _wad(one.maintenance),
                "initial": _wad(one.initial),
                "bindsMaintenance": one.binds_maintenance,
                "bindsInitial": one.binds_initial,
            }
            for one in found.scenarios
        ],
        "positions": [
            {
                "instrument": client.book.instrument_name(what),
                "size": _wad(size_of(one.position, unit_of(client, what))),
                "value": _wad(one.value),
                "alone": _wad(one.alone),
                "inWorst": None if one.in_worst is None else _wad(one.in_worst),
                "freesInitial": _wad(one.frees_initial),
                "freesMaintenance": _wad(one.frees_maintenance),
            }
            for one in found.contributions
            for what in (instrument_of(one.position.encode()),)
        ],
    }


def proposal_json(client: Client, proposal: Proposal, after: Explanation) -> dict[str, Any]:
    """The account after a proposed trade."""
    return {
        "instrument": client.book.instrument_name(proposal.instrument),
        "size": _wad(proposal.size),
        "price": _wad(proposal.price),
        "fee": _wad(proposal.fee),
        "cash": _wad(proposal.account.cash),
        "state": STATES[after.state],
        **_margins(after),
    }


def history_json(account: AccountId, entries: Sequence[Entry]) -> dict[str, Any]:
    """What `account history` shows."""
    return {
        "account": str(account),
        "events": [
            {
                "block": one.block,
                "time": one.time,
                "transaction": one.transaction,
                "name": one.name,
                **one.what,
            }
            for one in entries
        ],
    }


def _position(
    client: Client, account: AccountId, one: Any, entries: Entries | None
) -> dict[str, Any]:
    instrument = Instrument(one.instrument)
    held = entries.of(account, instrument) if entries else None
    return {
        "instrument": client.book.instrument_name(instrument),
        "underlying": client.book.underlying_name(one.underlying),
        "size": _wad(one.size),
        "price": _wad(one.price),
        "value": _wad(one.value),
        "delta": _wad(one.delta),
        "fundingPerDay": _wad(one.fundingPerDay),
        "entry": _wad(held.entry) if held and held.entry is not None else None,
    }


def _margins(found: Explanation) -> dict[str, Any]:
    margin = found.margin
    return {
        "equity": _wad(margin.equity),
        "initialMargin": _wad(margin.initial),
        "maintenanceMargin": _wad(margin.maintenance),
        "fresh": margin.fresh,
    }


def _wad(value: int) -> str | None:
    return None if value in (INT256_MAX, UINT256_MAX) else f"{from_wad(value):f}"
