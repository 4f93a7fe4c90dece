"""What a trader does: money in and out, orders, and how an account stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.book import AssetEntry
from ballast.client.chain import Call, Receipt
from ballast.client.client import Client
from ballast.client.entries import read_entries
from ballast.client.events import receipt_events
from ballast.client.history import read_history
from ballast.client.mirror import Moment, read_moment
from ballast.client.options import read_options
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
from ballast.client.standing import read_standing
from ballast.codec import AccountId, Instrument, instrument_of
from ballast.permissions import Permission
from ballast.risk.explain import Account, explain
from ballast.units import BPS, UnitsError, from_wad, to_units, to_wad
from scripts._json import (
    history_json,
    json_option,
    margin_json,
    options_json,
    print_json,
    proposal_json,
    standing_json,
)
from scripts._margin import checked, curve, propose, show_explanation, show_proposal
from scripts._plot import as_svg, as_text
from scripts._shared import (
    ApeSigner,
    console,
    deployments_option,
    open_client,
    readable,
    say,
)
from scripts._show import show_account, show_history, show_options

GRANTS = [one.name.lower() for one in Permission if one.name and one is not Permission.ALL]
PERMIT_SECONDS = 600
ENGINES = {"joint-scenario": "JointScenarioEngine", "rule": "RuleEngine"}

index_option = click.option(
    "--index", type=click.IntRange(0), default=0, help="Index of your account (0 is the default)."
)
whose_option = click.option(
    "--for", "whose", help="Account to act for as its delegate, OWNER or OWNER/INDEX."
)


@click.group()
def cli() -> None:
    """Deposit, withdraw, transfer, trade, and see how an account stands.

    Accounts are named OWNER or OWNER/INDEX; instruments ETH-PERP or WETH; amounts are in whole
    tokens, prices in cash.
    """


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that all commands share."""
    return account_option()(deployments_option(readable(command)))


# ---- Money ------------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("asset")
@click.argument("amount")
@click.option("--to", help="Account to credit; by default your own.")
@click.option("--mint", is_flag=True, help="Mint the tokens first (test tokens only).")
@click.option("--permit", is_flag=True, help="Sign the allowance (EIP-2612): one transaction.")
@index_option
@connected
def deposit(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    asset: str,
    amount: str,
    to: str | None,
    mint: bool,
    permit: bool,
    index: int,
) -> None:
    """Deposit AMOUNT of ASSET; approves the token where needed."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    entry = client.book.asset(asset)
    units = units_of(amount, entry, asset)
    target = AccountId.parse(to) if to else AccountId.make(signer.address, index)
    if mint:
        if not entry.test:
            raise click.UsageError(f"{asset} is no test token: it cannot be minted")
        client.chain.send(signer, Call("TestToken", entry.token, "mint", (signer.address, units)))
    house = client.clearinghouse
    if permit:
        deadline = client.chain.time + PERMIT_SECONDS
        receipt = house.deposit_with_permit(signer, target, entry, units, deadline)
    else:
        receipt = house.deposit(signer, target, entry, units)
    _done(receipt, f"deposited {amount} {asset} into {target}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("asset")
@click.argument("amount")
@click.option("--to", help="Address that gets the tokens; the owner's by default.")
@index_option
@whose_option
@connected
def withdraw(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    asset: str,
    amount: str,
    to: str | None,
    index: int,
    whose: str | None,
) -> None:
    """Withdraw AMOUNT of ASSET; what is left must cover the account's margin.

    A delegate can withdraw to the account's owner only.
    """
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    entry = client.book.asset(asset)
    source = _account(signer, index, whose)
    receiver = to or source.owner
    units = units_of(amount, entry, asset)
    receipt = client.clearinghouse.withdraw(signer, source, entry, units, receiver)
    _done(receipt, f"withdrew {amount} {asset} to {receiver}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("asset")
@click.argument("amount")
@click.argument("to")
@index_option
@whose_option
@connected
def transfer(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    asset: str,
    amount: str,
    to: str,
    index: int,
    whose: str | None,
) -> None:
    """Move AMOUNT of ASSET from your account to the account TO.

    A delegate can move it to accounts of the same owner only.
    """
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    entry = client.book.asset(asset)
    source, target = _account(signer, index, whose), AccountId.parse(to)
    units = units_of(amount, entry, asset)
    receipt = client.clearinghouse.transfer(signer, source, target, entry, units)
    _done(receipt, f"moved {amount} {asset} from {source} to {target}")


@cli.command(cls=ConnectedProviderCommand)
@index_option
@connected
def settle(account: Any, provider: Any, deployments: Path, *, index: int) -> None:
    """Turn the unrealised profit and loss of your perpetuals into cash."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    receipt = client.clearinghouse.settle(signer, AccountId.make(signer.address, index))
    _done(receipt, "settled to mark")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@click.option("--entries", "entered", is_flag=True, help="Read all events, for average entries.")
@json_option
@deployments_option
@readable
def status(provider: Any, deployments: Path, *, who: str, entered: bool, as_json: bool) -> None:
    """Show how the account WHO (OWNER or OWNER/INDEX) stands.

    Delta, gamma, vega (for 1.00 of volatility) and theta (a day) are those of whole positions.
    """
    client = open_client(provider, deployments)
    entries = read_entries(client.chain, client.book) if entered else None
    standing = read_standing(client, AccountId.parse(who))
    if as_json:
        print_json(standing_json(client, standing, entries))
    else:
        console.print(show_account(client, standing, entries))


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@json_option
@deployments_option
@readable
def history(provider: Any, deployments: Path, *, who: str, as_json: bool) -> None:
    """List what happened to the account WHO (OWNER or OWNER/INDEX), oldest first."""
    client, account = open_client(provider, deployments), AccountId.parse(who)
    entries = read_history(client, account)
    if as_json:
        print_json(history_json(account, entries))
    else:
        for line in show_history(account, entries):
            say(line)


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@click.option("--what-if", "trade", help="A trade to try: 'buy 1 ETH-PERP', 'sell 2 WETH @ 2500'.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw profit over spot into an SVG file.",
)
@click.option("--ascii", "drawn", is_flag=True, help="Draw profit over spot here.")
@click.option("--over", help="Underlying to draw over; by default that of the first position.")
@json_option
@deployments_option
@readable
def margin(
    provider: Any,
    deployments: Path,
    *,
    who: str,
    trade: str | None,
    plot: Path | None,
    drawn: bool,
    over: str | None,
    as_json: bool,
) -> None:
    """Explain the margin of the account WHO: scenarios, what binds, what every position adds.

    With --what-if also how it would stand after a trade, and the plot is of the account after it.
    Everything is computed here, and compared with the Clearinghouse first; nothing is sent.
    """
    if plot and plot.suffix != ".svg":
        raise click.UsageError(f"{plot} is no SVG file: name it .svg")
    if as_json and drawn:
        raise click.UsageError("--json and --ascii both print: name one of them")
    client, account = open_client(provider, deployments), AccountId.parse(who)
    moment = read_moment(client, account)
    found = checked(moment)
    options = read_options(client, account, moment.block)
    proposal = propose(client, moment, trade) if trade else None
    if as_json:
        data = margin_json(client, account, moment, found)
        data["options"] = options_json(client, options)
        if proposal:
            after = explain(moment.engine, proposal.account, moment.now)
            data["whatIf"] = proposal_json(client, proposal, after)
        print_json(data)
    else:
        console.print(show_explanation(client, moment, found))
        if options:
            console.print(show_options(client, options))
        if proposal:
            console.print(show_proposal(client, moment, found, proposal))
    drawing = proposal.account if proposal else moment.account
    if plot or drawn:
        _draw(client, moment, drawing, over, plot, drawn=drawn)


@cli.command(cls=ConnectedProviderCommand)
@click.argument("name", type=click.Choice(list(ENGINES)), metavar="ENGINE")
@whose_option
@index_option
@connected
def engine(
    account: Any, provider: Any, deployments: Path, *, name: str, whose: str | None, index: int
) -> None:
    """Put your account under another risk ENGINE, joint-scenario or rule; it must meet its IM.

    joint-scenario: the worst joint loss over scenarios, where hedges count. rule: rates that add
    up, without offsets.
    """
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    wanted, registered = client.book.address(ENGINES[name]), client.clearinghouse.engines()
    if wanted not in registered:
        raise click.ClickException(f"the Clearinghouse has no {name} engine")
    source, number = _account(signer, index, whose), registered.index(wanted)
    if client.clearinghouse.engine_of(source) == number:
        say(f"{source} has the {name} engine already; nothing was sent")
        return
    receipt = client.clearinghouse.select_engine(signer, source, number)
    _done(receipt, f"{source} has the {name} engine now")


# ---- Delegates --------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@click.argument("permissions", nargs=-1, required=True, type=click.Choice(GRANTS))
@click.option("--expires", default="30d", help="How long it holds: 1h, 7d.")
@index_option
@connected
def delegate(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    who: str,
    permissions: Sequence[str],
    expires: str,
    index: int,
) -> None:
    """Let the address WHO act for your account, instead of what it could do before.

    trade: sign and cancel orders. deposit: add new assets. transfer: move to your other accounts.
    withdraw: pay out to your own address. manage: select the risk engine.
    """
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    source = AccountId.make(signer.address, index)
    granted = Permission(sum(Permission[name.upper()] for name in set(permissions)))
    expiry = client.chain.time + parse_duration(expires)
    receipt = client.clearinghouse.set_delegate(signer, source, who, granted, expiry)
    _done(receipt, f"{who} may {', '.join(sorted(set(permissions)))} for {source} for {expires}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@index_option
@connected
def revoke(account: Any, provider: Any, deployments: Path, *, who: str, index: int) -> None:
    """Take all permissions for your account from the address WHO."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    source = AccountId.make(signer.address, index)
    held, _ = client.clearinghouse.delegate_of(source, who)
    if not held:
        say(f"{who} has no permissions for {source}; nothing was sent")
        return
    receipt = client.clearinghouse.set_delegate(signer, source, who, Permission.NONE, 0)
    _done(receipt, f"{who} may do nothing for {source} any more")


# ---- Orders -----------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("instrument")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("size")
@click.argument("price")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--expires", default="1h", help="How long the order lives: 90s, 15m, 1h, 7d.")
@click.option("--lane", type=int, help="Lane to use; a new one by default.")
@click.option("--sequence", type=int, help="Sequence in the lane; by default one that replaces.")
@click.option("--max-fee-bps", default="10", help="Greatest fee, 1e-4 of the value traded.")
@click.option("--min-health", default="0", help="E/MM that you must have after a fill.")
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
    source = _account(signer, index, whose)
    order = Order(
        account=source,
        instrument=client.book.instrument(instrument),
        size=to_wad(size) if side == "buy" else -to_wad(size),
        limit_price=to_wad(price),
        nonce=_recallable() if recallable else _nonce(client, source, lane, sequence),
        expiry=client.chain.time + parse_duration(expires),
        max_fee=to_wad(max_fee_bps) // BPS,
        min_health=to_wad(min_health),
        reduce_only=reduce_only,
        post_only=post_only,
    )
    signed = sign_order(order, client.exchange.domain, signer, client.clearinghouse.may_trade)
    save_order(out, signed, client.exchange.domain, client.book)
    say(f"{side} {size} {instrument} at {price} by {source}: {out}")


@cli.command(cls=ConnectedProviderCommand)
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
        mine = _account(signer, index, whose)
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
    _done(receipt, f"filled {from_wad(sum(sizes)):f}")
    _show_fills(client, receipt)


@cli.command(cls=ConnectedProviderCommand)
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
        owner = _account(signer, index, whose)
        current = client.exchange.lane(owner, lane).sequence if sequence is None else sequence
        receipt = client.exchange.cancel(signer, owner, make_nonce(lane, current))
        _done(receipt, f"cancelled lane {lane} up to sequence {current}")
        return
    loaded = [_load(client, path).order for path in orders]
    owner = loaded[0].account
    if any(order.account != owner for order in loaded):
        raise click.UsageError("the orders are of different accounts: cancel each account's alone")
    receipt = client.exchange.cancel_many(signer, owner, [order.nonce for order in loaded])
    _done(receipt, f"cancelled {len(loaded)} orders of {owner}")


@cli.command(cls=ConnectedProviderCommand)
@index_option
@whose_option
@connected
def recall(
    account: Any, provider: Any, deployments: Path, *, index: int, whose: str | None
) -> None:
    """Cancel every recallable order that was signed until now, all with one transaction."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    owner = _account(signer, index, whose)
    receipt = client.exchange.recall(signer, owner, _milliseconds() + 1)
    _done(receipt, f"recalled the orders of {owner}")


# ---- Helpers ----------------------------------------------------------------------------------


def _draw(
    client: Client,
    moment: Moment,
    account: Account,
    over: str | None,
    plot: Path | None,
    *,
    drawn: bool,
) -> None:
    """Draw profit over spot, here or into a file."""
    if over is None and not account.words:
        raise click.UsageError("there is no position to draw")
    if over is None:
        underlying = client.book.underlying_of(instrument_of(account.words[0]))
    else:
        underlying = client.book.underlying(over).id
    title = f"Profit over the price of {client.book.underlying_name(underlying)}"
    points = curve(moment, account, underlying)
    if drawn:
        console.print(title, as_text(points), sep="\n")
    if plot:
        plot.write_text(as_svg(points, moment.market.snapshot(underlying).price, title))
        say(f"{title}: {plot}")


def units_of(amount: str, entry: AssetEntry, name: str) -> int:
    """Smallest units of an amount that somebody typed."""
    try:
        units = to_units(amount, entry.decimals)
    except UnitsError:
        decimals = entry.decimals
        raise click.UsageError(f"{amount!r} is no amount of {name}: {decimals} decimals") from None
    if units <= 0:
        raise click.UsageError(f"{amount!r} is not over zero")
    return units


def _account(signer: ApeSigner, index: int, whose: str | None) -> AccountId:
    """The account to act for: that of somebody else, or the signer's own."""
    if whose is None:
        return AccountId.make(signer.address, index)
    if index:
        raise click.UsageError("--for names an account with its index: leave --index out")
    return AccountId.parse(whose)


def _load(client: Client, path: Path) -> SignedOrder:
    """An order of a file, signed by somebody who may sign it at this moment."""
    return load_order(path, client.exchange.domain, client.book, client.clearinghouse.may_trade)


def _nonce(client: Client, owner: AccountId, lane: int | None, sequence: int | None) -> int:
    chosen = random_lane() if lane is None else lane
    if sequence is not None or lane is None:
        return make_nonce(chosen, sequence or 0)
    return make_nonce(chosen, client.exchange.lane(owner, chosen).next_sequence)


def _recallable() -> int:
    """A nonce in a new recallable lane, its sequence the moment of signing."""
    return make_nonce(RECALLABLE | random_lane(), _milliseconds())


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


def _done(receipt: Receipt, what: str) -> None:
    say(f"{what} (block {receipt.block}, {receipt.gas_used:,} gas)")
