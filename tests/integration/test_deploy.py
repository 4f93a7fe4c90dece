"""The scripts, as a user runs them, on a node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ballast.client.artifacts import ROOT, Artifact
from ballast.client.book import AddressBook
from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.entries import Held, read_entries
from ballast.client.events import scan
from ballast.client.signers import KeySigner
from ballast.codec import AccountId, Instrument
from ballast.devnet.anvil import dev_account
from ballast.oracle.reports import Domain
from ballast.oracle.transport import read_reports
from ballast.permissions import Permission
from ballast.units import WAD
from tests.integration.conftest import Devnet, ScriptFailed

DEPLOYER = ("--account", "TEST::0")
TAKER = ("--account", "TEST::1")
MAKER = ("--account", "TEST::2")
PUBLISHER = ("--account", "TEST::5")
KEY = ("--account", "TEST::6")
NOWHERE = "0x" + "11" * 20
TAKER_ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MAKER_ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
KEY_ADDRESS = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"
FOR_MAKER = ("--for", MAKER_ADDRESS, *KEY)


@pytest.fixture(scope="module")
def deployed(devnet: Devnet) -> str:
    """What the first deployment printed."""
    return devnet.ape("deploy", *DEPLOYER)


@pytest.fixture(scope="module")
def client(devnet: Devnet, deployed: str) -> Client:
    return Client.open(Chain.connect(devnet.url), devnet.deployments)


@pytest.fixture(scope="module")
def funded(devnet: Devnet, deployed: str) -> None:
    devnet.ape("account", "deposit", "USDC", "100000", "--mint", *TAKER)
    devnet.ape("account", "deposit", "USDC", "50000", "--mint", *MAKER)
    devnet.ape("account", "deposit", "WETH", "2", "--mint", *MAKER)


@pytest.fixture
def order(devnet: Devnet, funded: None, tmp_path: Path) -> Path:
    path = tmp_path / "order.json"
    devnet.ape("account", "sign", "ETH-PERP", "sell", "10", "2500", "--out", str(path), *MAKER)
    return path


def test_a_deployment_is_read_back(deployed):
    assert "deploy Clearinghouse 0x" in deployed
    assert "parameters as configured" in deployed
    assert "Address book:" in deployed


def test_a_second_deployment_changes_nothing(devnet, deployed):
    path = devnet.deployments / "31337.json"
    before = path.read_text()
    printed = devnet.ape("deploy", *DEPLOYER)
    assert "Nothing to do" in printed
    assert path.read_text() == before


def test_inputs_for_explorers_are_written(devnet, deployed):
    folder = devnet.deployments / "31337" / "verification"
    index = json.loads((folder / "index.json").read_text())
    entry = next(one for one in index if one["name"] == "Clearinghouse")
    assert entry["contract"] == "contracts/Clearinghouse.sol:Clearinghouse"
    assert len(entry["constructorArguments"]) == 8 * 64
    task = json.loads((folder / entry["input"]).read_text())
    assert "contracts/clearing/Cash.sol" in task["sources"]
    assert "contracts/oracle/OracleAdapter.sol" not in task["sources"]


def test_every_contract_is_in_the_index_those_that_others_create_too(devnet, client):
    folder = devnet.deployments / "31337" / "verification"
    index = {one["name"]: one for one in json.loads((folder / "index.json").read_text())}
    house, engine = client.book.address("Clearinghouse"), client.book.address("RuleEngine")
    extension = index["Clearinghouse.EXTENSION"]
    assert extension["address"] == client.chain.view(Call("Clearinghouse", house, "EXTENSION"))
    cash = client.book.asset("USDC").token.lower().removeprefix("0x")
    assert extension["constructorArguments"][3 * 64 : 5 * 64] == f"{cash:0>64}{6:064x}"
    assert index["RuleEngine.TABLE"]["address"] == client.chain.view(
        Call("RuleEngine", engine, "TABLE")
    )
    assert {"OracleAdapter.CHECKS", "JointScenarioEngine.NORMAL_TABLE"} < set(index)
    assert set(client.book.contracts) < set(index)
    for one in index.values():
        assert client.chain.code(one["address"])
        assert (folder / one["input"]).is_file()


@pytest.mark.parametrize("name", ["Clearinghouse.EXTENSION", "OracleAdapter.CHECKS", "RiskLens"])
def test_an_input_alone_compiles_to_what_is_deployed(devnet, client, name):
    """Apart from immutables, which the compiler leaves at zero."""
    entry, compiled = compiled_alone(devnet, name)
    runtime = bytes.fromhex(compiled["evm"]["deployedBytecode"]["object"])
    code = client.chain.code(entry["address"])
    artifact = Artifact(name, [], b"", runtime, "")
    assert len(runtime) > 1_000
    assert artifact.matches(code)


def test_the_table_that_an_engine_creates_is_what_its_input_returns(devnet, client):
    """Its constructor answers the code: run what was compiled, and compare that."""
    entry, compiled = compiled_alone(devnet, "JointScenarioEngine.NORMAL_TABLE")
    creation = compiled["evm"]["bytecode"]["object"] + entry["constructorArguments"]
    assert client.chain.web3.eth.call({"data": "0x" + creation}) == client.chain.code(
        entry["address"]
    )


def compiled_alone(devnet: Devnet, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A contract's entry in the index, and what the compiler makes of its input."""
    folder = devnet.deployments / "31337" / "verification"
    entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
    compiler = ROOT / ".venv" / ".solcx" / f"solc-v{entry['compiler']}"
    done = subprocess.run(
        [str(compiler), "--standard-json"],
        input=(folder / entry["input"]).read_bytes(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    answer = json.loads(done.stdout)
    assert not [e for e in answer.get("errors", []) if e["severity"] == "error"]
    source, contract = entry["contract"].split(":")
    return entry, answer["contracts"][source][contract]


def test_the_client_reads_the_deployment(client):
    assert client.clearinghouse.market(1).cap == 50_000 * WAD
    assert client.clearinghouse.asset(1).token == client.book.asset("WETH").token
    assert client.clearinghouse.interest().supply_index == 10**17
    assert client.oracle.snapshots([0, 1])[1].price == 2500 * WAD


def test_money_goes_in_and_out(devnet, client, funded):
    spare = AccountId.make(TAKER_ADDRESS, 3)
    devnet.ape("account", "transfer", "USDC", "500", str(spare), *TAKER)
    assert client.clearinghouse.margin(spare).equity == 500 * WAD
    devnet.ape("account", "withdraw", "USDC", "500", "--index", "3", *TAKER)
    assert client.clearinghouse.margin(spare).equity == 0
    assert client.token_balance(client.book.asset("USDC").token, TAKER_ADDRESS) == 500 * 10**6


def test_a_deposit_by_permit_is_one_transaction(devnet, client, funded):
    spare = AccountId.make(TAKER_ADDRESS, 4)
    call = ("deposit", "USDC", "250", "--mint", "--permit", "--index", "4")
    assert "deposited 250 USDC" in devnet.ape("account", *call, *TAKER)
    assert client.clearinghouse.margin(spare).equity == 250 * WAD
    allowance = client.chain.contract("TestToken", client.book.asset("USDC").token).functions
    house = client.clearinghouse.address
    assert allowance.allowance(TAKER_ADDRESS, house).call() == 0


def test_delegates_come_and_go(devnet, client, funded):
    owner = AccountId.make(TAKER_ADDRESS, 0)
    printed = devnet.ape("account", "delegate", NOWHERE, "trade", "manage", *TAKER)
    assert f"{NOWHERE} may manage, trade for {owner} for 30d" in printed
    held, expiry = client.clearinghouse.delegate_of(owner, NOWHERE)
    assert held == Permission.TRADE | Permission.MANAGE
    assert expiry > client.chain.time
    assert "may do nothing" in devnet.ape("account", "revoke", NOWHERE, *TAKER)
    assert client.clearinghouse.delegate_of(owner, NOWHERE) == (Permission.NONE, 0)
    assert "nothing was sent" in devnet.ape("account", "revoke", NOWHERE, *TAKER)


def test_an_order_is_signed_tried_filled_and_shown(devnet, client, order):
    tried = devnet.ape("account", "fill", str(order), "--size", "3", "--dry-run", *TAKER)
    assert "would fill 3" in tried
    assert client.clearinghouse.market(1).open_interest == 0
    filled = devnet.ape("account", "fill", str(order), "--size", "3", *TAKER)
    assert f"{TAKER_ADDRESS} buys 3 ETH-PERP at 2500" in filled
    assert client.clearinghouse.market(1).open_interest == 3 * WAD
    shown = devnet.ape("account", "status", TAKER_ADDRESS)
    assert "ETH-PERP" in shown and "+3" in shown and "open" in shown
    assert "entry" not in shown
    assert "entry" in devnet.ape("account", "status", TAKER_ADDRESS, "--entries")
    held = read_entries(client.chain, client.book).of(
        AccountId.make(TAKER_ADDRESS, 0), Instrument.perp(1)
    )
    assert held == Held(3 * WAD, 2500 * WAD)

    names = [event.name for event in scan_clearinghouse(client)]
    assert names.count("Traded") == 1


def scan_clearinghouse(client: Client):
    book = client.book
    return scan(client.chain, "Clearinghouse", book.address("Clearinghouse"), book.block, chunk=7)


def test_two_files_fill_each_other(devnet, order, tmp_path):
    taker = tmp_path / "taker.json"
    devnet.ape("account", "sign", "ETH-PERP", "buy", "1", "2510", "--out", str(taker), *TAKER)
    filled = devnet.ape("account", "fill", str(taker), str(order), *DEPLOYER)
    assert "filled 1 " in filled


def test_a_cancelled_order_is_refused_in_words(devnet, order):
    devnet.ape("account", "cancel", str(order), *MAKER)
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("account", "fill", str(order), "--size", "1", *TAKER)
    assert "nothing is left to fill of one of the orders" in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.fixture
def trading_key(devnet: Devnet, funded: None) -> Iterator[None]:
    """The key may trade, transfer and withdraw for the maker."""
    devnet.ape("account", "delegate", KEY_ADDRESS, "trade", "transfer", "withdraw", *MAKER)
    yield
    devnet.ape("account", "revoke", KEY_ADDRESS, *MAKER)


def test_a_trading_key_signs_recalls_and_cancels(devnet, client, trading_key, tmp_path):
    orders = [tmp_path / f"{number}.json" for number in range(2)]
    for path, more in zip(orders, (["--recallable"], []), strict=True):
        sale = ("sign", "ETH-PERP", "sell", "2", "2500", "--out", str(path), *more)
        assert f"by {MAKER_ADDRESS}:" in devnet.ape("account", *sale, *FOR_MAKER)
    before = client.clearinghouse.market(1).open_interest
    for path in orders:
        devnet.ape("account", "fill", str(path), "--size", "1", *TAKER)
    assert client.clearinghouse.market(1).open_interest == before + 2 * WAD
    devnet.ape("account", "recall", *FOR_MAKER)
    devnet.ape("account", "cancel", str(orders[1]), *KEY)
    for path in orders:
        with pytest.raises(ScriptFailed, match="nothing is left to fill"):
            devnet.ape("account", "fill", str(path), "--size", "1", *TAKER)


def test_after_a_recall_ahead_of_the_clock_signing_says_so(devnet, client, funded, tmp_path):
    """As a delegate can leave an account: other lanes still serve."""
    spent = AccountId.make(TAKER_ADDRESS, 8)
    client.exchange.recall(KeySigner(dev_account(1)), spent, 2**64 - 1)
    out = ("--out", str(tmp_path / "order.json"), "--index", "8", *TAKER)
    with pytest.raises(ScriptFailed, match="ahead of the time in milliseconds"):
        devnet.ape("account", "sign", "ETH-PERP", "sell", "1", "2500", "--recallable", *out)
    assert f"by {spent}:" in devnet.ape("account", "sign", "ETH-PERP", "sell", "1", "2500", *out)


def test_a_trading_key_moves_money_to_its_owner_alone(devnet, client, trading_key):
    def held() -> int:
        return client.token_balance(client.book.asset("USDC").token, MAKER_ADDRESS)

    before = held()
    devnet.ape("account", "transfer", "USDC", "30", f"{MAKER_ADDRESS}/5", *FOR_MAKER)
    devnet.ape("account", "withdraw", "USDC", "20", "--for", f"{MAKER_ADDRESS}/0", *KEY)
    assert held() == before + 20 * 10**6
    assert client.clearinghouse.margin(AccountId.make(MAKER_ADDRESS, 5)).equity == 30 * WAD
    with pytest.raises(ScriptFailed, match="Clearinghouse_NotOwner"):
        devnet.ape("account", "withdraw", "USDC", "20", "--to", KEY_ADDRESS, *FOR_MAKER)


def test_without_a_permission_nothing_is_signed_for_another(devnet, funded, tmp_path):
    out = ("--out", str(tmp_path / "order.json"))
    with pytest.raises(ScriptFailed, match="may not trade for it"):
        devnet.ape("account", "sign", "ETH-PERP", "sell", "1", "2500", *out, *FOR_MAKER)
    with pytest.raises(ScriptFailed, match="leave --index out"):
        devnet.ape("account", "recall", "--index", "1", *FOR_MAKER)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("deposit", "DOGE", "1", *TAKER), "'DOGE' is no asset: there are USDC, WETH, WBTC"),
        (("deposit", "USDC", "1.1234567", *TAKER), "is no amount of USDC: 6 decimals"),
        (("withdraw", "USDC", "10000000", *TAKER), "Clearinghouse_InsufficientTokens(available="),
        (("status", "nobody"), "'nobody' is not an address"),
    ],
)
def test_mistakes_are_answered_in_words(devnet, funded, args, complaint):
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("account", *args)
    assert complaint in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_publisher_writes_reports_that_keepers_read(devnet, client, tmp_path):
    prices = tmp_path / "prices.csv"
    prices.write_text("time,ETH,BTC\n2024-01-01T00:00:00Z,2510,100500\n")
    out = tmp_path / "reports"
    devnet.ape("publish", "--csv", str(prices), "--out", str(out), "--once", *PUBLISHER)
    domain = Domain(31337, client.book.address("QuorumSource"))
    found = read_reports(out, domain)
    assert sorted(one.report.price // WAD for one in found) == [2510, 100500]


def test_a_book_of_a_chain_that_is_gone_is_said(devnet, client, tmp_path):
    AddressBook.load(devnet.deployments / "31337.json").save(tmp_path / "31337.json")
    path = tmp_path / "31337.json"
    path.write_text(path.read_text().replace(client.book.address("Clearinghouse"), NOWHERE))
    elsewhere = Devnet(devnet.url, tmp_path)
    with pytest.raises(ScriptFailed, match="is of another chain"):
        elsewhere.ape("account", "status", TAKER_ADDRESS)
