"""Governance with delays, as its members run it, on a node."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from ballast.client.chain import Chain
from ballast.client.client import Client
from ballast.codec import Instrument
from ballast.deploy.config_file import config_path
from tests.integration.conftest import Devnet, ScriptFailed

DEPLOYER = ("--account", "TEST::0")
COUNCIL = ("--account", "TEST::1")
GUARD = ("--account", "TEST::2")
COUNCIL_ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GUARD_ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
GOVERNOR_ADDRESS = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
HOUR = 3600
FEES = ("Exchange", "setFees", "product=ETH-PERP", "makerFee=1", "takerFee=2")


@pytest.fixture(scope="module")
def deployed(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The devnet with a council whose changes wait an hour; what the deployment printed."""
    data = yaml.safe_load(config_path("devnet").read_text())
    data["roles"] = {
        "admin": GOVERNOR_ADDRESS,
        "admin_delay": 2 * HOUR,
        "target_admin_delay": HOUR,
        "parameters": {"members": [COUNCIL_ADDRESS], "delay": HOUR, "grant_delay": HOUR},
        "guardian": {"members": [GUARD_ADDRESS]},
    }
    path: Path = tmp_path_factory.mktemp("config") / "governed.yaml"
    path.write_text(yaml.safe_dump(data))
    printed = devnet.ape("deploy", "--config", str(path), *DEPLOYER)
    assert "Nothing to do" in devnet.ape("deploy", "--config", str(path), *DEPLOYER)
    return printed


@pytest.fixture(scope="module")
def client(devnet: Devnet, deployed: str) -> Client:
    return Client.open(Chain.connect(devnet.url), devnet.deployments)


def operation(printed: str) -> str:
    """The id of the operation in what was printed."""
    return next(word for word in printed.split() if word.startswith("0x"))


def test_the_table_of_roles_is_printed(deployed: str) -> None:
    assert f"{COUNCIL_ADDRESS.lower()}  waits {HOUR:,} s" in deployed
    assert f"{GOVERNOR_ADDRESS.lower()}  waits {2 * HOUR:,} s" in deployed


def test_a_change_is_scheduled_shown_and_executed(devnet: Devnet, client: Client) -> None:
    scheduled = devnet.ape("govern", "schedule", *FEES, *COUNCIL)
    assert "Exchange.setFees(" in scheduled and "to be executed from" in scheduled
    listed = devnet.ape("govern", "list")
    assert operation(scheduled) in listed and "waits" in listed
    with pytest.raises(ScriptFailed, match="is not ready: it waits"):
        devnet.ape("govern", "execute", operation(scheduled), *COUNCIL)
    web3 = Web3(HTTPProvider(devnet.url))
    for method, values in (("evm_increaseTime", [HOUR]), ("evm_mine", [])):
        web3.provider.make_request(RPCEndpoint(method), values)
    assert "executed" in devnet.ape("govern", "execute", operation(scheduled), *COUNCIL)
    assert client.exchange.fees(Instrument.perp(1)) == (1, 2)
    assert "nothing waits" in devnet.ape("govern", "list")


def test_the_guardian_cancels(devnet: Devnet, deployed: str) -> None:
    change = ("Exchange", "setFees", "product=BTC-PERP", "makerFee=3", "takerFee=4")
    scheduled = devnet.ape("govern", "schedule", *change, *COUNCIL)
    assert "cancelled" in devnet.ape("govern", "cancel", operation(scheduled), *GUARD)
    assert "nothing waits" in devnet.ape("govern", "list")


def test_a_stranger_and_a_mistake_are_answered_in_words(devnet: Devnet, deployed: str) -> None:
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("govern", "schedule", *FEES, *GUARD)
    assert "may not call Exchange.setFees" in str(caught.value)
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("govern", "schedule", *FEES[:-1], "takerFee=much", *COUNCIL)
    assert "takerFee must be a whole number, not 'much'" in str(caught.value)
    with pytest.raises(ScriptFailed) as caught:
        devnet.ape("govern", "execute", "0xabc", *COUNCIL)
    assert "0 waiting operations" in str(caught.value)
    assert "Traceback" not in str(caught.value)
