"""The keeper, as its operator runs it, on a node."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from web3.types import RPCEndpoint

from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.codec import AccountId
from ballast.demo.process import write_keyfile
from ballast.keeper.accounts import SAFE_BLOCKS, Cursor
from ballast.risk.parameters import UnderlyingRisk
from ballast.units import BPS, WAD
from tests.integration.conftest import Devnet, ScriptFailed
from tests.integration.people import (
    CAREFUL,
    DEPLOYER,
    KEEPER,
    MAKER,
    TRADER,
    buy,
    fund,
    health,
    let_ether_cost,
    liquidated,
)

DAY = 86_400
PASSPHRASE = {"KEEPER_PASSPHRASE": "correct horse"}


@pytest.fixture(scope="module")
def client(devnet: Devnet) -> Client:
    """A deployment where one trader is close to liquidation and one is not."""
    devnet.ape("deploy", "--account", "TEST::0")
    client = Client.open(Chain.connect(devnet.url), devnet.deployments)
    fund(client, TRADER, 7_000)
    fund(client, CAREFUL, 20_000)
    fund(client, MAKER, 200_000)
    fund(client, KEEPER, 50_000)
    buy(client, TRADER, 10 * WAD)
    buy(client, CAREFUL, 10 * WAD)
    client.chain.web3.provider.make_request(RPCEndpoint("anvil_mine"), [hex(SAFE_BLOCKS)])
    return client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keeper")


@pytest.fixture(scope="module")
def options(folder: Path) -> list[str]:
    """The keeper by its keyfile."""
    write_keyfile(KEEPER, folder / "key.json", PASSPHRASE["KEEPER_PASSPHRASE"])
    return [
        *("--keyfile", str(folder / "key.json"), "--passphrase-env", "KEEPER_PASSPHRASE"),
        *("--index", "1", "--reports", str(folder / "reports")),
        *("--state", str(folder / "state.json"), "--journal", str(folder / "journal.jsonl")),
        "--once",
    ]


def test_a_keeper_without_collateral_is_refused(devnet: Devnet, client: Client):
    with pytest.raises(ScriptFailed, match="deposit first") as caught:
        devnet.ape("keeper", "--once", "--account", "TEST::9")
    assert "Traceback" not in str(caught.value)


def test_a_dry_run_sends_nothing(devnet: Devnet, client: Client, options: list[str], folder: Path):
    let_ether_cost(client, 2_140, folder / "reports")
    block = client.chain.block_number
    printed = devnet.ape("keeper", "--dry-run", *options, env=PASSPHRASE)
    assert "would refresh ETH (moved 1440 bps)" in printed
    assert client.chain.block_number == block
    assert not (folder / "journal.jsonl").exists()


def test_one_step_refreshes_and_liquidates_the_one_account(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert "refreshed ETH (moved 1440 bps)" in printed
    assert f"of {TRADER.account}: reward" in printed
    assert "done: 4 accounts, 1 prices refreshed, 1 liquidated" in printed
    (event,) = liquidated(client)
    assert AccountId(bytes(event.args["account"])) == TRADER.account
    assert AccountId(bytes(event.args["into"])) == KEEPER.account
    assert 11_490 < health(client, [TRADER.account])[0] <= 11_510
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [entry["action"] for entry in journal] == ["refresh", "liquidate"]
    assert journal[1]["account"] == str(TRADER.account)
    assert journal[1]["reward"] == str(event.args["reward"])


def test_the_accounts_found_are_remembered(folder: Path, client: Client):
    cursor = Cursor.from_json((folder / "state.json").read_text())
    assert cursor.clearinghouse == client.book.address("Clearinghouse")
    assert client.book.block < cursor.block <= client.chain.block_number - SAFE_BLOCKS


def test_the_next_step_finds_nothing_to_do(devnet: Devnet, client: Client, options: list[str]):
    block = client.chain.block_number
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert "done: 4 accounts, 0 prices refreshed, 0 liquidated, reward 0.00" in printed
    assert client.chain.block_number == block


def test_a_dry_run_says_what_it_would_liquidate_and_for_how_much(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    let_ether_cost(client, 2_000, folder / "reports")
    devnet.ape("keeper", "--min-profit", "100000", *options, env=PASSPHRASE)
    block = client.chain.block_number
    printed = devnet.ape("keeper", "--dry-run", *options, env=PASSPHRASE)
    assert f"would liquidate {TRADER.account}: reward" in printed
    assert client.chain.block_number == block
    assert len(liquidated(client)) == 1


def test_what_does_not_pay_is_skipped_by_name(devnet: Devnet, client: Client, options: list[str]):
    printed = devnet.ape("keeper", "--min-profit", "100000", *options, env=PASSPHRASE)
    assert f"skipped {TRADER.account}: does not pay: reward" in printed
    printed = devnet.ape("keeper", "--gas-money", "99999999", *options, env=PASSPHRASE)
    assert f"skipped {TRADER.account}: does not pay: reward" in printed
    assert len(liquidated(client)) == 1
    assert health(client, [CAREFUL.account])[0] > BPS


def wait(client: Client, seconds: int) -> None:
    for method, args in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
        client.chain.web3.provider.make_request(RPCEndpoint(method), args)


def test_what_is_not_taken_is_flagged_and_proven_for_longer(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    """Only with --flag, and of an account that could be liquidated."""
    dear = ("--min-profit", "100000")
    assert client.flag_of(TRADER.account) == (0, 0)
    printed = devnet.ape("keeper", "--flag", "--dry-run", *dear, *options, env=PASSPHRASE)
    assert f"would flag {TRADER.account}: gas" in printed
    assert client.flag_of(TRADER.account) == (0, 0)
    printed = devnet.ape("keeper", "--flag", *dear, *options, env=PASSPHRASE)
    assert f"flagged {TRADER.account}" in printed
    assert str(CAREFUL.account) not in printed
    first, proven = client.flag_of(TRADER.account)
    assert first > 0
    assert proven == 0
    wait(client, 300)
    devnet.ape("keeper", "--flag", *dear, *options, env=PASSPHRASE)
    second, proven = client.flag_of(TRADER.account)
    assert second - first >= proven == 300
    assert client.flag_of(CAREFUL.account) == (0, 0)
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [one["account"] for one in journal if one["action"] == "flag"] == (
        [str(TRADER.account)] * 2
    )


def test_a_ramp_that_nobody_advanced_for_a_day_is_advanced(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    eth, engine = client.book.underlying("ETH").id, client.book.address("JointScenarioEngine")

    def held() -> UnderlyingRisk:
        call = Call("JointScenarioEngine", engine, "underlyingRisk", (eth,))
        return UnderlyingRisk(*client.chain.view(call))

    before = held()
    target = replace(before, perp_initial=before.perp_initial + 100)
    change = Call("JointScenarioEngine", engine, "setUnderlying", (eth, target.as_tuple()))
    client.chain.send(DEPLOYER.signer, change)
    wait(client, DAY - 3600)
    assert "advanc" not in devnet.ape("keeper", *options, env=PASSPHRASE)
    assert held() == before
    wait(client, DAY)
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert f"advanceUnderlying({eth})" in printed
    passed = held()
    assert before.perp_initial < passed.perp_initial < target.perp_initial
    assert replace(passed, perp_initial=0) == replace(before, perp_initial=0)
    assert "advanc" not in devnet.ape("keeper", *options, env=PASSPHRASE)
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [one["id"] for one in journal if one["action"] == "advance"] == [str(eth)]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("--once",), "name an Ape account with --account, or a file with --keyfile"),
        (("--once", "--account", "TEST::4", "--gas-feed", "DOGE"), "'DOGE' is no underlying"),
        (("--once", "--account", "TEST::4", "--min-profit", "much"), "'much' is not a number"),
        (("--once", "--keyfile", "/nowhere.json"), "/nowhere.json cannot be read"),
        (("--webhook", "http://127.0.0.1", "--account", "TEST::4"), "needs a secret in BALLAST"),
        (("--rpc", "http://127.0.0.1:9", "--account", "TEST::4"), "no node gives an answer"),
    ],
)
def test_mistakes_are_answered_in_words(
    devnet: Devnet, client: Client, args: tuple[str, ...], complaint: str
):
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("keeper", *args)
    assert complaint in str(caught.value)
    assert "Traceback" not in str(caught.value)
