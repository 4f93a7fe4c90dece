"""Keepers under bad nodes, kills, competition and reorganisations."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from web3 import Web3
from web3.types import RPCEndpoint

from ballast.client.chain import Chain
from ballast.client.client import Client
from ballast.client.nodes import Nodes, Patience
from ballast.client.sender import Outbox, Sender
from ballast.codec import AccountId
from ballast.demo.cast import Actor
from ballast.demo.process import write_keyfile
from ballast.devnet.anvil import CHAIN_ID, dev_account, free_port
from ballast.keeper.accounts import AccountScanner
from ballast.keeper.chain import Eyes, Hands, Logs, open_reports, start_cursor
from ballast.keeper.decide import Policy
from ballast.keeper.journal import Journal
from ballast.keeper.loop import TROUBLE, Everyone, Keeper, Step
from ballast.keeper.notices import Notices
from ballast.keeper.watch import ChainSource, Watch
from tests.integration.conftest import ROOT, Devnet
from tests.integration.people import (
    CAREFUL,
    KEEPER,
    MAKER,
    TRADER,
    WAD,
    buy,
    fund,
    health,
    let_ether_cost,
    liquidated,
)
from tests.support.flaky_rpc import FlakyRpc, evenly
from tests.support.receiver import WebServer

RIVAL = Actor("rival keeper", dev_account(8))
PASSPHRASE = "correct horse"
SECRETS = {"BALLAST_PASSPHRASE": PASSPHRASE, "BALLAST_WEBHOOK_SECRET": "a secret"}
QUICK = Patience(tries=8, first_pause=0.005, longest_pause=0.05)
FAULTS = 0.15
EAGER = Policy()
PATIENT = Policy(min_profit=10**6 * WAD)  # refreshes prices, and liquidates nobody


def tell(client: Client, method: str, *values: object) -> Any:
    answer = client.chain.web3.provider.make_request(RPCEndpoint(method), list(values))
    assert "error" not in answer, answer
    return answer["result"]


@pytest.fixture(scope="module")
def stage(devnet: Devnet) -> Client:
    """One trader close to liquidation, one not, and two keepers with collateral."""
    devnet.ape("deploy", "--account", "TEST::0")
    client = Client.open(Chain.connect(devnet.url), devnet.deployments)
    for actor, dollars in (
        (TRADER, 7_000),
        (CAREFUL, 20_000),
        (MAKER, 200_000),
        (KEEPER, 50_000),
        (RIVAL, 50_000),
    ):
        fund(client, actor, dollars)
    buy(client, TRADER, 10 * WAD)
    buy(client, CAREFUL, 10 * WAD)
    return client


@pytest.fixture
def client(stage: Client) -> Iterator[Client]:
    """The stage as it was, for every test."""
    saved = tell(stage, "evm_snapshot")
    yield stage
    tell(stage, "evm_revert", saved)


def crash(client: Client, folder: Path) -> None:
    """A fall after which the one trader is liquidatable, and the other is not.

    Not within the second of their trades: nobody is liquidated then.
    """
    tell(client, "evm_increaseTime", 5)
    tell(client, "evm_mine")
    let_ether_cost(client, 2_140, folder / "reports")


def make_keeper(
    devnet: Devnet,
    folder: Path,
    actor: Actor = KEEPER,
    urls: Sequence[str] = (),
    policy: Policy = EAGER,
    **options: Any,
) -> Keeper:
    """A keeper as the command puts it together, over nodes of the test."""
    web3 = Web3(Nodes(urls or [devnet.url], CHAIN_ID, patience=QUICK, timeout=5))
    outbox = Outbox(folder / f"{actor.name}.outbox.json")
    client = Client.open(Chain(web3, sender=Sender(web3, outbox=outbox)), devnet.deployments)
    said: list[str] = []
    reports = open_reports(client, folder / "reports")
    given = {
        "triage": Watch(ChainSource(client), always=[actor.account]),
        "log": lambda _line: None,
    }
    return Keeper(
        Eyes(client, actor.account, reports, "ETH", log=said.append),
        Hands(client, actor.signer, actor.account),
        AccountScanner(Logs(client), start_cursor(client), folder / f"{actor.name}.json"),
        policy,
        client.book,
        journal=Journal(folder / f"{actor.name}.jsonl"),
        **(given | options),
    )


def steps(keeper: Keeper, count: int) -> list[Step]:
    """Steps as the loop takes them: trouble is waited out."""
    done = []
    for _ in range(count):
        try:
            done.append(keeper.step())
        except TROUBLE:
            continue
    return done


def require_one_liquidation(client: Client) -> None:
    (event,) = liquidated(client)
    assert AccountId(bytes(event.args["account"])) == TRADER.account
    assert health(client, [TRADER.account])[0] > 11_000


def test_the_book_agrees_with_the_chain_to_the_wei(client: Client, tmp_path: Path):
    """Prices, parameters, funding, indices and words, all read at one block."""
    crash(client, tmp_path)
    source = ChainSource(client)
    block = source.head()
    moment = source.moment(block)
    actors = [TRADER.account, CAREFUL.account, MAKER.account, KEEPER.account]
    for account, stored in source.stored(actors, block).items():
        mine, theirs = moment.margin(stored), client.clearinghouse.margin(account)
        assert (mine.equity, mine.maintenance) == (theirs.equity, theirs.maintenance)


# ---- Bad nodes --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_node_delays_a_liquidation_and_does_not_repeat_it(
    devnet: Devnet, client: Client, tmp_path: Path, seed: int
):
    crash(client, tmp_path)
    with FlakyRpc(devnet.url, evenly(FAULTS), seed) as flaky:
        done = steps(make_keeper(devnet, tmp_path, urls=[flaky.url]), 6)
    assert sum(step.liquidated for step in done) == 1
    require_one_liquidation(client)
    lines = (tmp_path / f"{KEEPER.name}.jsonl").read_text().splitlines()
    (entry,) = [json.loads(line) for line in lines if json.loads(line)["action"] == "liquidate"]
    assert entry["account"] == str(TRADER.account)


def test_a_node_that_lags_and_one_of_another_chain_do_no_harm(
    devnet: Devnet, client: Client, tmp_path: Path
):
    crash(client, tmp_path)
    late = {"eth_blockNumber": lambda head: hex(int(head, 16) - 30)}
    other = {"eth_chainId": lambda _: "0x1"}
    with (
        FlakyRpc(devnet.url, lies=late) as lagging,
        FlakyRpc(devnet.url, lies=other) as foreign,
    ):
        urls = [foreign.url, lagging.url, devnet.url]
        done = steps(make_keeper(devnet, tmp_path, urls=urls), 3)
        assert foreign.counts["eth_call"] == lagging.counts["eth_call"] == 0
    assert sum(step.liquidated for step in done) == 1
    require_one_liquidation(client)


def test_wrong_nonces_are_survived(devnet: Devnet, client: Client, tmp_path: Path):
    crash(client, tmp_path)
    lies = {"eth_getTransactionCount": lambda nonce: hex(max(0, int(nonce, 16) - 1))}
    with FlakyRpc(devnet.url, lies=lies, lie_every=4) as liar:
        done = steps(make_keeper(devnet, tmp_path, urls=[liar.url]), 4)
        assert liar.counts["lies"] > 0
    assert sum(step.liquidated for step in done) == 1
    require_one_liquidation(client)


# ---- Competition ------------------------------------------------------------------------------


def test_two_keepers_liquidate_one_account_once(devnet: Devnet, client: Client, tmp_path: Path):
    crash(client, tmp_path)
    keepers = [make_keeper(devnet, tmp_path, actor) for actor in (KEEPER, RIVAL)]
    done = [step for keeper in keepers for step in steps(keeper, 2)]
    assert sum(step.liquidated for step in done) == 1
    assert sum(step.failed for step in done) == 0
    require_one_liquidation(client)


def test_who_comes_second_in_a_block_is_told_and_pays_one_transaction(
    devnet: Devnet, client: Client, tmp_path: Path
):
    """Both have simulated, and both transactions are in one block."""
    crash(client, tmp_path)
    said: list[str] = []
    first = make_keeper(devnet, tmp_path, RIVAL)
    second = make_keeper(devnet, tmp_path, KEEPER, log=said.append)
    steps(make_keeper(devnet, tmp_path, RIVAL, policy=PATIENT), 1)
    tell(client, "evm_setAutomine", False)
    tell(client, "evm_setIntervalMining", 2)
    try:
        results: list[list[Step]] = [[], []]
        threads = [
            threading.Thread(target=lambda: results[0].extend(steps(first, 1))),
            threading.Thread(target=lambda: results[1].extend(steps(second, 1))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        tell(client, "evm_setIntervalMining", 0)
        tell(client, "evm_setAutomine", True)
    (winner,) = [step for done in results for step in done if step.liquidated]
    (loser,) = [step for done in results for step in done if not step.liquidated]
    assert (winner.lost, loser.lost, loser.failed) == (0, 1, 0)
    assert loser.gas_money <= winner.gas_money
    require_one_liquidation(client)


# ---- Reorganisations --------------------------------------------------------------------------


def test_a_reorganisation_takes_back_what_the_keeper_knows(
    devnet: Devnet, client: Client, tmp_path: Path
):
    """The account was restored by a deposit that never was: the keeper liquidates it after all."""
    crash(client, tmp_path)
    steps(make_keeper(devnet, tmp_path, policy=PATIENT), 1)
    keeper = make_keeper(devnet, tmp_path)
    saved = tell(client, "evm_snapshot")
    fund(client, TRADER, 50_000)
    assert sum(step.liquidated for step in steps(keeper, 1)) == 0
    tell(client, "evm_revert", saved)
    tell(client, "anvil_mine", hex(3))
    assert sum(step.liquidated for step in steps(keeper, 2)) == 1
    require_one_liquidation(client)


def test_notices_and_cursor_recover_from_a_reorganisation(
    devnet: Devnet, client: Client, tmp_path: Path
):
    notices = Notices(tmp_path / "notices.db", CHAIN_ID)
    saved = tell(client, "evm_snapshot")
    crash(client, tmp_path)
    seen = {"observers": [notices], "triage": Everyone()}
    keeper = make_keeper(devnet, tmp_path, policy=PATIENT, **seen)
    steps(keeper, 1)
    assert notices.waiting() == 1
    tell(client, "evm_revert", saved)
    tell(client, "anvil_mine", hex(1))
    steps(keeper, 1)
    crash(client, tmp_path)
    steps(keeper, 2)
    bodies = []
    while (found := notices.first()) is not None:
        bodies.append(json.loads(found[1]))
        notices.delivered(found[0])
    assert [body["account"] for body in bodies] == [TRADER.account.hex] * 2
    assert all(body["state"] == "liquidation" for body in bodies)


# ---- Operations -------------------------------------------------------------------------------


def test_the_process_serves_metrics_and_delivers_notices(
    devnet: Devnet, client: Client, tmp_path: Path
):
    received: list[dict[str, Any]] = []

    def take(_path: str, _query: Any, _headers: Any, body: bytes) -> tuple[int, bytes]:
        received.append(json.loads(body))
        return 200, b""

    crash(client, tmp_path)
    port = free_port()
    metrics = f"http://127.0.0.1:{port}/metrics"
    with WebServer(take) as server:
        options = ["--webhook", server.url, "--metrics-port", str(port), "--rpc", devnet.url]
        with process(devnet, tmp_path, *options):
            wait_until_watching(tmp_path, 1)
            deadline = time.monotonic() + 60
            while not liquidated(client) or not received:
                assert time.monotonic() < deadline, (tmp_path / "keeper.log").read_text()
                time.sleep(0.1)
            while "liquidations_total 1" not in requests.get(metrics, timeout=5).text:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert requests.get(metrics.replace("metrics", "healthz"), timeout=5).status_code == 200
    assert [received[0][key] for key in ("account", "state")] == [
        TRADER.account.hex,
        "liquidation",
    ]


# ---- Kills ------------------------------------------------------------------------------------


@contextmanager
def process(devnet: Devnet, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`ape run keeper` with a keyfile, ended at the latest when the test ends."""
    write_keyfile(KEEPER, folder / "key.json", PASSPHRASE)
    command = [str(Path(sys.executable).parent / "ape"), "run", "keeper"]
    command += ["--network", f"ethereum:devnet:{devnet.url}"]
    command += ["--deployments", str(devnet.deployments), "--reports", str(folder / "reports")]
    command += ["--keyfile", str(folder / "key.json"), "--index", str(KEEPER.index)]
    command += ["--state", str(folder / "state.json"), "--journal", str(folder / "journal.jsonl")]
    with (folder / "keeper.log").open("ab") as log:
        child = subprocess.Popen(
            [*command, "--interval", "0.1", *options],
            cwd=ROOT,
            env=os.environ | SECRETS,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def wait_until_watching(folder: Path, started: int) -> None:
    """Returns once a keeper, the so-manieth, begins its first step."""
    deadline = time.monotonic() + 60
    while (folder / "keeper.log").read_text().count("watching") < started:
        assert time.monotonic() < deadline, (folder / "keeper.log").read_text()
        time.sleep(0.02)


def test_a_keeper_that_is_killed_at_any_moment_ends_its_work(
    devnet: Devnet, client: Client, tmp_path: Path
):
    """Blocks come once a second, so that kills fall between sending and receipt, too."""
    dice = random.Random(5)
    crash(client, tmp_path)
    tell(client, "evm_setAutomine", False)
    tell(client, "evm_setIntervalMining", 1)
    try:
        for started in range(1, 4):
            with process(devnet, tmp_path) as child:
                wait_until_watching(tmp_path, started)
                time.sleep(2 * dice.random())
                child.send_signal(signal.SIGKILL)
        with process(devnet, tmp_path):
            deadline = time.monotonic() + 60
            while not liquidated(client) and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(2)
    finally:
        tell(client, "evm_setIntervalMining", 0)
        tell(client, "evm_setAutomine", True)
    require_one_liquidation(client)
    nonce = client.chain.nonce(KEEPER.signer.address)
    blocks = range(client.chain.block_number, 0, -1)
    sent = sum(
        1
        for block in blocks
        for one in client.chain.web3.eth.get_block(block, full_transactions=True)["transactions"]
        if one["from"] == KEEPER.signer.address
    )
    assert sent == nonce
    assert not list(tmp_path.glob("*.outbox.json"))
