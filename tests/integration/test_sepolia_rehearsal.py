"""The road to Sepolia, rehearsed: its configuration, its chain id, its addresses, our commands.

A local node stands in for the testnet. At the addresses of config/sepolia.yaml it has aggregators
of ours; everything else is done by the shipped commands, signed by a keyfile that Ape holds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3.types import RPCEndpoint

from ballast.client.artifacts import load_artifacts
from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.signers import KeySigner
from ballast.codec import AccountId
from ballast.devnet.anvil import Anvil, dev_account
from tests.integration.conftest import ROOT, ScriptFailed

CHAIN_ID = 11155111
CONFIG = ROOT / "config" / "sepolia.yaml"
PASSPHRASE = "correct horse"
FIRST_PRICES = {"USDC": 1, "ETH": 2_500, "BTC": 100_000}
PEOPLE = {"deployer": 0, "trader": 1, "maker": 2, "keeper": 3, "publisher": 4, "second": 5}
FEEDS_OWNER = KeySigner(dev_account(9))


@dataclass(frozen=True)
class Testnet:
    """A node that looks like Sepolia, and the home of a user."""

    __test__ = False

    anvil: Anvil
    home: Path

    @property
    def deployments(self) -> Path:
        return self.home / "deployments"

    def ape(self, command: str, *args: str, person: str = "", url: str = "") -> str:
        """Run a shipped command as a person; what it printed. Raises ScriptFailed."""
        words = [str(Path(sys.executable).parent / "ape"), "run", *command.split(), *args]
        words += ["--network", f"ethereum:sepolia:{url or self.anvil.url}"]
        words += ["--deployments", str(self.deployments)]
        words += ["--account", person] if person else []
        secrets = {f"APE_ACCOUNTS_{name}_PASSPHRASE": PASSPHRASE for name in PEOPLE}
        home = {"HOME": str(self.home), "COLUMNS": "120", "BALLAST_PASSPHRASE": PASSPHRASE}
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=os.environ | secrets | home,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        if done.returncode != 0:
            raise ScriptFailed(printed)
        return printed

    def tell(self, method: str, *values: object) -> None:
        answer = self.anvil.web3.provider.make_request(RPCEndpoint(method), list(values))
        assert "error" not in answer, answer

    def answer(self, name: str, dollars: int) -> None:
        """A new round of the aggregator that the configuration names."""
        call = Call("MockAggregator", aggregator(name), "setAnswer", (dollars * 10**8,))
        Chain(self.anvil.web3).send(FEEDS_OWNER, call)


def aggregator(name: str) -> str:
    config = yaml.safe_load(CONFIG.read_text())
    return str(config["underlyings"][name]["chainlink"]["address"])


def key_of(person: str) -> LocalAccount:
    return dev_account(PEOPLE[person])


def account_of(person: str) -> AccountId:
    return AccountId.make(key_of(person).address, 0)


def place_aggregator(testnet: Testnet, name: str, dollars: int) -> None:
    """The code of an aggregator at its address: owner and 8 decimals share the first slot."""
    runtime = "0x" + load_artifacts()["MockAggregator"].runtime.hex()
    slot = 8 << 160 | int(FEEDS_OWNER.address, 16)
    testnet.tell("anvil_setCode", aggregator(name), runtime)
    testnet.tell("anvil_setStorageAt", aggregator(name), "0x" + "0" * 64, f"0x{slot:064x}")
    testnet.answer(name, dollars)


@pytest.fixture(scope="module")
def testnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    home = tmp_path_factory.mktemp("home")
    accounts = home / ".ape" / "accounts"
    accounts.mkdir(parents=True)
    for person in PEOPLE:
        encrypted = Account.encrypt(key_of(person).key, PASSPHRASE, kdf="pbkdf2", iterations=1000)
        (accounts / f"{person}.json").write_text(json.dumps(encrypted))
    with Anvil(int(time.time()), home / "anvil.log", chain_id=CHAIN_ID) as anvil:
        testnet = Testnet(anvil, home)
        for name, dollars in FIRST_PRICES.items():
            place_aggregator(testnet, name, dollars)
        yield testnet


@pytest.fixture(scope="module")
def deployed(testnet: Testnet) -> Client:
    preview = testnet.ape("deploy", person="deployer")
    assert "3 addresses of the configuration answer as they should" in preview
    assert "nothing was sent: add --yes" in preview
    printed = testnet.ape("deploy", "--yes", person="deployer")
    assert "parameters as configured" in printed
    return Client.open(Chain.connect(testnet.anvil.url), testnet.deployments)


def test_an_address_without_code_is_refused_by_its_field(testnet: Testnet, tmp_path: Path):
    config = tmp_path / "sepolia.yaml"
    config.write_text(CONFIG.read_text().replace(aggregator("BTC"), "0x" + "12" * 20))
    with pytest.raises(ScriptFailed, match=r"underlyings\.BTC\.chainlink\.address: there is no"):
        testnet.ape("deploy", "--config", str(config), "--yes", person="deployer")
    assert testnet.anvil.web3.eth.get_transaction_count(key_of("deployer").address) == 0


def test_aggregators_that_are_mixed_up_are_refused(testnet: Testnet, tmp_path: Path):
    eth, btc = aggregator("ETH"), aggregator("USDC")
    text = CONFIG.read_text().replace(eth, "first").replace(btc, eth).replace("first", btc)
    config = tmp_path / "sepolia.yaml"
    config.write_text(text)
    with pytest.raises(ScriptFailed) as caught:
        testnet.ape("deploy", "--config", str(config), "--yes", person="deployer")
    assert "underlyings.USDC.chainlink.address" in str(caught.value)
    assert "answers 2500, not 0.8 to 1.2" in str(caught.value)
    assert "underlyings.ETH.chainlink.address" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_node_of_another_chain_is_refused(testnet: Testnet, tmp_path: Path):
    with (
        Anvil(int(time.time()), tmp_path / "log", chain_id=1) as other,
        pytest.raises(ScriptFailed, match="11155111"),
    ):
        testnet.ape("deploy", "--yes", person="deployer", url=other.url)


def test_the_whole_road(testnet: Testnet, deployed: Client, tmp_path: Path):
    """Deposits, a trade, publishers, a fall, a keeper, a liquidation."""
    for person, dollars in (("trader", 7_000), ("maker", 200_000), ("keeper", 50_000)):
        testnet.ape("account deposit", "USDC", str(dollars), "--mint", person=person)
    order = tmp_path / "order.json"
    testnet.ape(
        "account sign", "ETH-PERP", "sell", "10", "2500", "--out", str(order), person="maker"
    )
    filled = testnet.ape("account fill", str(order), "--size", "10", person="trader")
    assert "buys 10 ETH-PERP at 2500" in filled

    with_publishers(testnet, tmp_path)
    reports = tmp_path / "reports"
    keeper = ["--reports", str(reports), "--once", "--state", str(tmp_path / "state.json")]
    keeper += ["--journal", str(tmp_path / "journal.jsonl"), "--log-format", "json"]
    keeper += ["--max-fee-gwei", "100", "--keyfile", str(keyfile_of(testnet, "keeper"))]
    idle = testnet.ape("keeper", *keeper)
    assert "0 liquidated" in idle

    testnet.answer("ETH", 2_140)
    prices = tmp_path / "prices.csv"
    prices.write_text("time,ETH\n2024-01-01T00:00:00Z,2140\n")
    for person in ("publisher", "second"):
        said = testnet.ape(
            "publish", "--csv", str(prices), "--out", str(reports), "--once", person=person
        )
        assert "ETH 2,140.00" in said
    align_clock(testnet)
    assert "would refresh ETH (moved 1440 bps)" in testnet.ape("keeper", *keeper, "--dry-run")
    done = testnet.ape("keeper", *keeper)
    lines = [json.loads(line)["message"] for line in done.splitlines() if line.startswith("{")]
    assert any(line.startswith("refreshed ETH (moved 1440 bps)") for line in lines), done
    assert "1 liquidated" in lines[-1]
    margin = deployed.clearinghouse.margin(account_of("trader"))
    assert margin.equity > margin.maintenance
    shown = testnet.ape("account status", key_of("keeper").address)
    assert "ETH-PERP" in shown


def keyfile_of(testnet: Testnet, person: str) -> Path:
    return testnet.home / ".ape" / "accounts" / f"{person}.json"


def with_publishers(testnet: Testnet, folder: Path) -> None:
    """The configuration plus a quorum of two, applied to the deployment that runs."""
    config = yaml.safe_load(CONFIG.read_text())
    signers = sorted((key_of(p).address for p in ("publisher", "second")), key=str.lower)
    config["quorum"] = {"threshold": 2, "signers": signers}
    config["underlyings"]["ETH"]["sources"] = ["chainlink", "quorum"]
    path = folder / "sepolia.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    printed = testnet.ape("deploy", "--config", str(path), "--yes", person="deployer")
    assert "deploy QuorumSource" in printed
    assert "parameters as configured" in printed


def align_clock(testnet: Testnet) -> None:
    """Publishers date their reports by the clock of the machine; the chain must not be behind."""
    chain_time = int(testnet.anvil.web3.eth.get_block("latest")["timestamp"])
    if chain_time < time.time():
        testnet.anvil.advance_to(int(time.time()) + 1)
