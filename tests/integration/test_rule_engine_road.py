"""An account under the rule engine, from its choice over a trade to its liquidation by a keeper."""

from __future__ import annotations

from pathlib import Path

import pytest
from web3.types import RPCEndpoint

from ballast.client.chain import Chain
from ballast.client.client import Client
from ballast.codec import AccountId
from ballast.demo.process import write_keyfile
from ballast.keeper.accounts import SAFE_BLOCKS
from ballast.units import BPS, WAD
from tests.integration.conftest import Devnet, ScriptFailed
from tests.integration.people import (
    CAREFUL,
    KEEPER,
    MAKER,
    TRADER,
    buy,
    fund,
    health,
    let_ether_cost,
    liquidated,
)

PASSPHRASE = {"KEEPER_PASSPHRASE": "correct horse"}
RULE = 1


@pytest.fixture(scope="module")
def client(devnet: Devnet) -> Client:
    """Both traders hold the same; only one of them chose the rule engine."""
    devnet.ape("deploy", "--account", "TEST::0")
    client = Client.open(Chain.connect(devnet.url), devnet.deployments)
    for actor, dollars in ((TRADER, 5_000), (CAREFUL, 20_000), (MAKER, 200_000), (KEEPER, 50_000)):
        fund(client, actor, dollars)
    return client


def test_an_account_chooses_its_engine(devnet: Devnet, client: Client):
    choose = ("account", "engine", "rule", "--account", "TEST::1")
    assert "has the rule engine now" in devnet.ape(*choose)
    assert client.clearinghouse.engine_of(TRADER.account) == RULE
    assert "already; nothing was sent" in devnet.ape(*choose)
    with pytest.raises(ScriptFailed, match="joint-scenario"):
        devnet.ape("account", "engine", "other", "--account", "TEST::1")


def test_it_trades_with_an_account_of_the_other_engine(client: Client):
    buy(client, TRADER, 10 * WAD)
    margin = client.clearinghouse.margin(TRADER.account)
    mark = client.oracle.snapshot(client.book.underlying("ETH").id).mark
    assert margin.maintenance == 10 * mark // 20
    assert margin.initial >= 10 * mark // 10
    assert client.clearinghouse.engine_of(MAKER.account) == 0


def test_a_keeper_liquidates_it_on_its_engines_terms(
    devnet: Devnet, client: Client, tmp_path: Path
):
    client.chain.web3.provider.make_request(RPCEndpoint("anvil_mine"), [hex(SAFE_BLOCKS)])
    write_keyfile(KEEPER, tmp_path / "key.json", PASSPHRASE["KEEPER_PASSPHRASE"])
    let_ether_cost(client, 2_100, tmp_path / "reports")
    printed = devnet.ape(
        *("keeper", "--once", "--index", "1", "--reports", str(tmp_path / "reports")),
        *("--keyfile", str(tmp_path / "key.json"), "--passphrase-env", "KEEPER_PASSPHRASE"),
        *("--state", str(tmp_path / "state.json"), "--journal", str(tmp_path / "journal.jsonl")),
        env=PASSPHRASE,
    )
    assert f"of {TRADER.account}: reward" in printed
    (event,) = liquidated(client)
    assert AccountId(bytes(event.args["account"])) == TRADER.account
    assert health(client, [TRADER.account])[0] > BPS
