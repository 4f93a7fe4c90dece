"""People on a node of our own, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.events import Event, scan
from ballast.client.orders import Order, SignedOrder, sign_order
from ballast.codec import AccountId
from ballast.demo.cast import Actor
from ballast.devnet.anvil import dev_account
from ballast.oracle.prices import Quoting, make_report
from ballast.oracle.reports import Domain, sign
from ballast.oracle.transport import write_reports
from ballast.units import BPS, WAD

DEPLOYER = Actor("deployer", dev_account(0))
TRADER = Actor("trader", dev_account(1))
CAREFUL = Actor("careful trader", dev_account(2))
MAKER = Actor("market maker", dev_account(3))
KEEPER = Actor("keeper", dev_account(4), index=1)
PUBLISHERS = [dev_account(n) for n in (5, 6, 7)]


def fund(client: Client, actor: Actor, dollars: int) -> None:
    asset = client.book.asset("USDC")
    amount = dollars * 10**asset.decimals
    mint = Call("TestToken", asset.token, "mint", (actor.signer.address, amount))
    client.chain.send(DEPLOYER.signer, mint)
    client.clearinghouse.deposit(actor.signer, actor.account, asset, amount)


def buy(client: Client, taker: Actor, size: int) -> None:
    price = client.oracle.snapshot(client.book.underlying("ETH").id).mark
    orders = [signed(client, taker, size, price), signed(client, MAKER, -size, price)]
    client.exchange.settle(DEPLOYER.signer, orders[0], [orders[1]], [size])


def signed(client: Client, actor: Actor, size: int, price: int) -> SignedOrder:
    order = Order(
        account=actor.account,
        instrument=client.book.instrument("ETH-PERP"),
        size=size,
        limit_price=price,
        nonce=client.chain.nonce(DEPLOYER.signer.address),
        expiry=client.chain.time + 600,
        max_fee=WAD // 1000,
    )
    return sign_order(order, client.exchange.domain, actor.signer)


def let_ether_cost(client: Client, dollars: int, reports: Path) -> None:
    """The aggregator answers and three publishers sign."""
    entry = client.book.underlying("ETH")
    answer = Call("MockAggregator", entry.aggregator or "", "setAnswer", (dollars * 10**8,))
    client.chain.send(DEPLOYER.signer, answer)
    domain = Domain(client.book.chain_id, client.book.address("QuorumSource"))
    report = make_report(entry.id, dollars * WAD, client.chain.time, Quoting())
    for key in PUBLISHERS:
        write_reports(reports, domain, [sign(report, domain, key.key)])


def liquidated(client: Client) -> list[Event]:
    address = client.book.address("Liquidator")
    return list(scan(client.chain, "Liquidator", address, client.book.block, names=["Liquidated"]))


def health(client: Client, accounts: Sequence[AccountId]) -> list[int]:
    """E/MM in 1e-4."""
    margins = [client.clearinghouse.margin(account) for account in accounts]
    return [margin.equity * BPS // margin.maintenance for margin in margins]
