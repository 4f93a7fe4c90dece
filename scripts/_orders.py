"""The commands of `ape run account` for orders: sign, fill, cancel, recall."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from ballast.client.chain import Receipt
from ballast.client.client import Client
from ballast.client.events import receipt_events
from ballast.client.oracle import PriceUpdate
from ballast.client.orders import (
    RECALLABLE,
    Order,
    SignedOrder,
    allocate,
    is_recallable,
    load_order,
    make_nonce,
    parse_duration,
    random_lane,
    save_order,
    sign_order,
    split_nonce,
)
from ballast.codec import AccountId, Instrument
from ballast.units import BPS, from_wad, to_wad
from scripts._shared import (
    ApeSigner,
    account_of,
    connected,
    done,
    index_option,
    open_client,
    say,
    whose_option,
)


@click.command(cls=ConnectedProviderCommand)
@click.argument("instrument")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("size")
@click.argument("price")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File for the signed order.",
)
@click.option(
    "--expires",
    default="1h",
    show_default=True,
    help="How long the order lives: 90s, 15m, 1h, 7d.",
)
@click.option("--lane", type=int, help="Lane to use; a new one by default.")
@click.option("--sequence", type=int, help="Sequence in the lane; by default one that replaces.")
@click.option(
    "--max-fee-bps",
    default="10",
    show_default=True,
    help="Greatest fee, 1e-4 of the value traded.",
)
@click.option(
    "--min-health",
    default="0",
    show_default=True,
    help="Equity over maintenance margin that you must have after a fill: 1.5.",
)
@click.option("--reduce-only", is_flag=True, help="Only shrink the position.")
@click.option("--post-only", is_flag=True, help="Only be a maker: wait for others to take.")
@click.option(
    "--recallable", is_flag=True, help="Let `recall` cancel it: the sequence is the time."
)
@index_option
@whose_option
@connected
def sign(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    instrument: str,
    side: str,
    size: str,
    price: str,
    out: Path,
    expires: str,
    lane: int | None,
    sequence: int | None,
    max_fee_bps: str,
    min_health: str,
    reduce_only: bool,
    post_only: bool,
    recallable: bool,
    index: int,
    whose: str | None,
) -> None:
    """Sign an order to buy or sell SIZE of INSTRUMENT at PRICE or better, and write it to a file.

    Signing costs nothing. An order in a lane that is used replaces the order before in it. With
    --recallable the order goes to a lane that obeys `recall`, under the moment of signing in
    milliseconds; a fill of it costs 2,100 gas more.
    """
    if recallable and (lane, sequence) != (None, None):
        raise click.UsageError("--recallable chooses lane and sequence: leave those out")
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    source = account_of(signer, index, whose)
    order = Order(
        account=source,
        instrument=client.book.instrument(instrument),
        size=to_wad(size) if side == "buy" else -to_wad(size),
        limit_price=to_wad(price),
        nonce=_recallable(client, source) if recallable else _nonce(client, source, lane, sequence),
        expiry=client.chain.time + parse_duration(expires),
        max_fee=to_wad(max_fee_bps) // BPS,
        min_health=to_wad(min_health),
        reduce_only=reduce_only,
        post_only=post_only,
    )
    signed = sign_order(order, client.exchange.domain, signer, client.clearinghouse.may_trade)
    save_order(out, signed, client.exchange.domain, client.book)
    say(f"{side} {size} {instrument} at {price} by {source}: {out}")


@click.command(cls=ConnectedProviderCommand)
@click.argument("orders", nargs=-1, type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--size", help="Size to fill; by default as much as both sides allow.")
@click.option("--dry-run", is_flag=True, help="Only say whether it would pass, and its gas.")
@index_option
@whose_option
@connected
def fill(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    orders: Sequence[Path],
    size: str | None,
    dry_run: bool,
    index: int,
    whose: str | None,
) -> None:
    """Fill orders against each other: ORDERS is the taker's file and then the makers'.

    With one file you are the taker yourself, at that order's price.
    """
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    loaded = [_load(client, path) for path in orders]
    wanted = to_wad(size) if size else None
    if len(loaded) == 1:
        mine = account_of(signer, index, whose)
        loaded.insert(0, _opposite(client, signer, loaded[0], wanted, mine))
    taker, makers = loaded[0], loaded[1:]
    sizes = allocate(
        [_left(client, maker.order) for maker in makers], _left(client, taker.order), wanted
    )
    updates = _stale(client, taker.order.instrument)
    call = client.exchange.settle_call(taker, makers, sizes, updates)
    if dry_run:
        gas = client.chain.simulate(call, signer.address)
        say(f"would fill {from_wad(sum(sizes)):f} for {gas:,} gas; nothing was sent")
        return
    receipt = client.chain.send(signer, call)
    done(receipt, f"filled {from_wad(sum(sizes)):f}")
    _show_fills(client, receipt)


@click.command(cls=ConnectedProviderCommand)
@click.argument("orders", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--lane", type=int, help="Lane to cancel, instead of an order file.")
@click.option("--sequence", type=int, help="Last sequence to cancel; by default the lane's own.")
@index_option
@whose_option
@connected
def cancel(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    orders: Sequence[Path],
    lane: int | None,
    sequence: int | None,
    index: int,
    whose: str | None,
) -> None:
    """Cancel the orders of files, or what a lane holds."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    if bool(orders) == (lane is not None):
        raise click.UsageError("name order files or --lane, and not both")
    if lane is not None:
        owner = account_of(signer, index, whose)
        current = client.exchange.lane(owner, lane).sequence if sequence is None else sequence
        receipt = client.exchange.cancel(signer, owner, make_nonce(lane, current))
        done(receipt, f"cancelled lane {lane} up to sequence {current}")
        return
    loaded = [_load(client, path).order for path in orders]
    owner = loaded[0].account
    if any(order.account != owner for order in loaded):
        raise click.UsageError("the orders are of different accounts: cancel each account's alone")
    receipt = client.exchange.cancel_many(signer, owner, [order.nonce for order in loaded])
    done(receipt, f"cancelled {len(loaded)} orders of {owner}")


@click.command(cls=ConnectedProviderCommand)
@index_option
@whose_option
@connected
def recall(
    account: Any, provider: Any, deployments: Path, *, index: int, whose: str | None
) -> None:
    """Cancel every recallable order that was signed until now, all with one transaction."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    owner = account_of(signer, index, whose)
    receipt = client.exchange.recall(signer, owner, _milliseconds() + 1)
    done(receipt, f"recalled the orders of {owner}")


# ---- Helpers ----------------------------------------------------------------------------------


def _load(client: Client, path: Path) -> SignedOrder:
    """An order of a file, signed by somebody who may sign it at this moment."""
    return load_order(path, client.exchange.domain, client.book, client.clearinghouse.may_trade)


def _nonce(client: Client, owner: AccountId, lane: int | None, sequence: int | None) -> int:
    chosen = random_lane() if lane is None else lane
    if sequence is not None or lane is None:
        return make_nonce(chosen, sequence or 0)
    return make_nonce(chosen, client.exchange.lane(owner, chosen).next_sequence)


def _recallable(client: Client, owner: AccountId) -> int:
    """A nonce in a new recallable lane, its sequence the moment of signing."""
    now, floor = _milliseconds(), client.exchange.floor_of(owner)
    if now < floor:
        raise click.ClickException(
            f"{owner} recalled its orders up to sequence {floor}, which is ahead of the time in "
            "milliseconds: sign without --recallable, or for another index"
        )
    return make_nonce(RECALLABLE | random_lane(), now)


def _milliseconds() -> int:
    return time.time_ns() // 10**6


def _left(client: Client, order: Order) -> int:
    """What is left of an order."""
    lane, sequence = split_nonce(order.nonce)
    if is_recallable(lane) and sequence < client.exchange.floor_of(order.account):
        return 0
    stored = client.exchange.lane(order.account, lane)
    filled = stored.filled if stored.sequence == sequence else 0
    return max(0, abs(order.size) - filled)


def _opposite(
    client: Client, signer: ApeSigner, maker: SignedOrder, wanted: int | None, account: AccountId
) -> SignedOrder:
    """An order of an account that takes all of a maker's order, or a part of it."""
    size = wanted or _left(client, maker.order)
    order = replace(
        maker.order,
        account=account,
        size=-size if maker.order.size > 0 else size,
        nonce=make_nonce(random_lane(), 0),
        max_fee=client.exchange.fees(maker.order.instrument)[1],
        min_health=0,
        reduce_only=False,
        post_only=False,
    )
    return sign_order(order, client.exchange.domain, signer, client.clearinghouse.may_trade)


def _stale(client: Client, instrument: Instrument) -> list[PriceUpdate]:
    """Requests to refresh the cash feed and the instrument's, where their prices are not fresh."""
    needed = [0, client.book.underlying_of(instrument)]
    known = {entry.id for entry in client.book.underlyings.values()}
    feeds = [feed for feed in needed if feed in known]
    now = client.chain.time
    words = zip(feeds, client.oracle.snapshots(feeds), strict=True)
    return [PriceUpdate(feed) for feed, snapshot in words if not snapshot.is_fresh(now)]


def _show_fills(client: Client, receipt: Receipt) -> None:
    for event in receipt_events(
        client.chain, "Clearinghouse", client.clearinghouse.address, receipt
    ):
        if event.name == "Traded":
            args = event.args
            name = client.book.instrument_name(Instrument(args["instrument"]))
            say(
                f"  {AccountId(args['taker'])} {'buys' if args['size'] > 0 else 'sells'} "
                f"{from_wad(abs(args['size'])):f} {name} at {from_wad(args['price']):f}, "
                f"fees {from_wad(args['takerFee']):f} and {from_wad(args['makerFee']):f}"
            )
