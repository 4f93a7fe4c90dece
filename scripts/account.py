"""What a trader does: money in and out, delegates, orders, and how an account stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from ballast.client.book import AssetEntry
from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.entries import read_entries
from ballast.client.history import read_history
from ballast.client.mirror import Moment, read_moment
from ballast.client.options import read_options
from ballast.client.orders import (
    parse_duration,
)
from ballast.client.standing import read_standing
from ballast.codec import AccountId, instrument_of
from ballast.permissions import Permission
from ballast.risk.explain import Account, explain
from ballast.units import UnitsError, to_units
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
from scripts._orders import cancel, fill, recall, sign
from scripts._plot import as_svg, as_text
from scripts._shared import (
    ApeSigner,
    account_of,
    connected,
    console,
    deployments_option,
    done,
    index_option,
    open_client,
    readable,
    say,
    whose_option,
)
from scripts._show import show_account, show_history, show_options

GRANTS = [one.name.lower() for one in Permission if one.name and one is not Permission.ALL]
PERMIT_SECONDS = 600
ENGINES = {"joint-scenario": "JointScenarioEngine", "rule": "RuleEngine"}


@click.group()
def cli() -> None:
    """Deposit, withdraw, transfer, trade, and see how an account stands.

    Accounts are named OWNER or OWNER/INDEX; instruments ETH-PERP, WETH or ETH-20261225-2500-C (a
    call; P for a put); amounts are in whole tokens, prices in cash.
    """


for command in (sign, fill, cancel, recall):
    cli.add_command(command)


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
    done(receipt, f"deposited {amount} {asset} into {target}")


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
    source = account_of(signer, index, whose)
    receiver = to or source.owner
    units = units_of(amount, entry, asset)
    receipt = client.clearinghouse.withdraw(signer, source, entry, units, receiver)
    done(receipt, f"withdrew {amount} {asset} to {receiver}")


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
    source, target = account_of(signer, index, whose), AccountId.parse(to)
    units = units_of(amount, entry, asset)
    receipt = client.clearinghouse.transfer(signer, source, target, entry, units)
    done(receipt, f"moved {amount} {asset} from {source} to {target}")


@cli.command(cls=ConnectedProviderCommand)
@index_option
@connected
def settle(account: Any, provider: Any, deployments: Path, *, index: int) -> None:
    """Turn the unrealised profit and loss of your perpetuals into cash, and options an hour after
    their expiry was fixed."""
    client, signer = open_client(provider, deployments), ApeSigner(account, provider)
    receipt = client.clearinghouse.settle(signer, AccountId.make(signer.address, index))
    done(receipt, "settled to mark")


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
@click.option(
    "--what-if",
    "trade",
    help="A trade to try, at a price or at the fair one: 'sell 2 WETH @ 2500', 'buy 1 ETH-PERP'.",
)
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
    source, number = account_of(signer, index, whose), registered.index(wanted)
    if client.clearinghouse.engine_of(source) == number:
        say(f"{source} has the {name} engine already; nothing was sent")
        return
    receipt = client.clearinghouse.select_engine(signer, source, number)
    done(receipt, f"{source} has the {name} engine now")


# ---- Delegates --------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("who")
@click.argument("permissions", nargs=-1, required=True, type=click.Choice(GRANTS))
@click.option("--expires", default="30d", show_default=True, help="How long it holds: 1h, 7d.")
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
    done(receipt, f"{who} may {', '.join(sorted(set(permissions)))} for {source} for {expires}")


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
    done(receipt, f"{who} may do nothing for {source} any more")


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
