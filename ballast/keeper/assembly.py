"""A keeper put together from what its operator asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from web3 import Web3

from ballast.client.artifacts import ROOT
from ballast.client.book import AddressBook
from ballast.client.chain import Chain
from ballast.client.client import Client
from ballast.client.nodes import Nodes
from ballast.client.sender import FeePolicy, Outbox, Sender
from ballast.client.signers import Signer
from ballast.codec import AccountId
from ballast.keeper.accounts import AccountScanner
from ballast.keeper.board_chain import QUORUM, ChainBoards, ChainHands, open_volatility
from ballast.keeper.chain import Eyes, Hands, Logs, open_reports, require_lens, start_cursor
from ballast.keeper.decide import Policy
from ballast.keeper.desk import Desk
from ballast.keeper.journal import Journal
from ballast.keeper.lock import sole_process
from ballast.keeper.logs import LOGGER
from ballast.keeper.loop import Everyone, Keeper, KeeperError, Observer
from ballast.keeper.metrics import Metrics, MetricsServer
from ballast.keeper.notices import Courier, Notices, Receiver
from ballast.keeper.pyth import PythUpdates, from_folder, from_hermes, read_price_ids
from ballast.keeper.ramps import Ramps
from ballast.keeper.watch import ChainSource, Watch
from ballast.units import to_wad

STATE = ROOT / ".keeper"
SECRET_VARIABLE = "BALLAST_WEBHOOK_SECRET"
GWEI = 10**9

say = LOGGER.info
warn = LOGGER.warning


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator may ask for: the options of `ape run keeper`, whose help says what they are.

    `rpcs` are the URLs of nodes, best first.
    """

    dry_run: bool
    reports: Path | None
    interval: float
    deviation_bps: int
    heartbeat: int | None
    min_profit: str
    flag: bool
    gas_feed: str
    gas_money: str | None
    index: int
    state: Path | None
    journal: Path | None
    rpcs: tuple[str, ...]
    max_fee_gwei: float | None
    pyth_url: str | None
    pyth_folder: Path | None
    metrics_port: int | None
    stall_seconds: float
    webhook: str | None

    @property
    def policy(self) -> Policy:
        return Policy(self.deviation_bps, self.heartbeat, to_wad(self.min_profit), flag=self.flag)

    @property
    def native(self) -> str | int:
        return self.gas_feed if self.gas_money is None else to_wad(self.gas_money)

    @property
    def fees(self) -> FeePolicy:
        return FeePolicy(None if self.max_fee_gwei is None else int(self.max_fee_gwei * GWEI))


@contextmanager
def open_keeper(
    book: AddressBook, deployments: Path, signer: Signer, options: Options
) -> Iterator[Keeper]:
    """A keeper with everything around it that runs beside it."""
    state = options.state or STATE / f"{book.chain_id}.json"
    with ExitStack() as stack:
        if not options.dry_run:
            stack.enter_context(sole_process(_own(state, signer, "lock")))
        notices, observers = _notices(options, state, book.chain_id, stack)
        waiting = notices.waiting if notices else lambda: 0
        metrics = Metrics(book, options.stall_seconds, waiting=waiting)
        if options.metrics_port is not None:
            server = stack.enter_context(MetricsServer(metrics, options.metrics_port))
            say(f"metrics on http://127.0.0.1:{server.port}/metrics")
        chain = _chain(book.chain_id, signer, state, metrics, options)
        client = Client.open(chain, deployments)
        require_lens(client)
        yield make_keeper(client, signer, state, [metrics, *observers], options)


def make_keeper(
    client: Client,
    signer: Signer,
    state: Path,
    observers: Sequence[Observer],
    options: Options,
) -> Keeper:
    """A keeper with eyes and hands on a deployment. Notices need to see everyone."""
    into = AccountId.make(signer.address, options.index)
    book = client.book
    reports, pyth = open_reports(client, options.reports), _pyth(client, options)
    kept = [AccountId.parse(one) for one in (book.fee_account, book.insurance_account)]
    journal = Journal(options.journal or STATE / f"{book.chain_id}.jsonl")
    return Keeper(
        Eyes(client, into, reports, options.native, pyth=pyth, log=warn),
        Hands(client, signer, into),
        AccountScanner(Logs(client), start_cursor(client), state, log=say),
        options.policy,
        book,
        triage=Everyone() if options.webhook else Watch(ChainSource(client), always=[into, *kept]),
        desk=_desk(client, signer, journal, options),
        ramps=Ramps(client),
        observers=observers,
        dry_run=options.dry_run,
        journal=journal,
        log=say,
        warn=warn,
    )


def _desk(client: Client, signer: Signer, journal: Journal, options: Options) -> Desk | None:
    """The desk for options, where volatility is published."""
    if QUORUM not in client.book.contracts:
        return None
    return Desk(
        ChainBoards(client, open_volatility(client, options.reports)),
        ChainHands(client, signer),
        client.book,
        options.policy.variance_bps,
        dry_run=options.dry_run,
        journal=journal,
        log=say,
    )


def _chain(chain_id: int, signer: Signer, state: Path, metrics: Metrics, options: Options) -> Chain:
    """The chain over all nodes, with its outstanding transaction on the disk."""

    def trouble(node: str, why: str) -> None:
        metrics.rpc_error(node, why)
        warn(f"node {node}: {why}")

    web3 = Web3(Nodes(options.rpcs, chain_id, trouble=trouble))
    outbox = Outbox(_own(state, signer, "outbox.json"))
    return Chain(web3, sender=Sender(web3, options.fees, outbox, warn))


def _own(state: Path, signer: Signer, kind: str) -> Path:
    """A file beside the state that belongs to one key."""
    return state.with_name(f"{state.stem}.{signer.address.lower()}.{kind}")


def _pyth(client: Client, options: Options) -> PythUpdates | None:
    if options.pyth_url is None and options.pyth_folder is None:
        return None
    folder, url = options.pyth_folder, options.pyth_url
    fetch = from_folder(folder) if folder is not None else from_hermes(url or "")
    price_ids = read_price_ids(client)
    return PythUpdates(fetch, lambda: price_ids, log=warn)


def _notices(
    options: Options, state: Path, chain_id: int, stack: ExitStack
) -> tuple[Notices | None, list[Observer]]:
    if options.webhook is None:
        return None, []
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise KeeperError(f"--webhook needs a secret in {SECRET_VARIABLE}")
    notices = Notices(state.with_name(f"{state.stem}.notices.db"), chain_id)
    stack.enter_context(Courier(notices, Receiver(options.webhook, secret.encode()), log=warn))
    return notices, [notices]
