"""Volatility from the publishers to the settlement of an expiry, by the commands of an operator."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from web3.types import RPCEndpoint

from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.events import scan
from ballast.client.orders import Order, sign_order
from ballast.codec import Instrument, Settlement, VolatilitySlice, instrument_of
from ballast.demo.cast import Actor
from ballast.demo.process import write_keyfile
from ballast.deploy.config_file import config_path
from ballast.units import WAD
from tests.integration.conftest import Devnet
from tests.integration.people import KEEPER, MAKER, TRADER, fund

DEPLOYER = ("--account", "TEST::0")
PASSPHRASE = {"KEEPER_PASSPHRASE": "correct horse"}
DAY = 86_400


@pytest.fixture(scope="module")
def deployed(devnet: Devnet) -> str:
    return devnet.ape("deploy", *DEPLOYER)


@pytest.fixture(scope="module")
def client(devnet: Devnet, deployed: str) -> Client:
    client = Client.open(Chain.connect(devnet.url), devnet.deployments)
    fund(client, KEEPER, 50_000)
    return client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keeper")


@pytest.fixture(scope="module")
def options(folder: Path) -> list[str]:
    write_keyfile(KEEPER, folder / "key.json", PASSPHRASE["KEEPER_PASSPHRASE"])
    return [
        *("--keyfile", str(folder / "key.json"), "--passphrase-env", "KEEPER_PASSPHRASE"),
        *("--index", "1", "--reports", str(folder / "reports")),
        *("--state", str(folder / "state.json"), "--journal", str(folder / "journal.jsonl")),
        "--once",
    ]


def board(client: Client, function: str, *args: Any) -> Any:
    return client.chain.view(
        Call("OracleAdapter", client.book.address("OracleAdapter"), function, args)
    )


def live(client: Client, name: str) -> list[int]:
    return list(board(client, "liveExpiries", client.book.underlying(name).id))


def publish(devnet: Devnet, folder: Path) -> None:
    """Two of the publishers, prices and slices, once."""
    (folder / "prices.csv").write_text("time,BTC,ETH\n0,100000,2500\n")
    for n in (5, 6):
        files = ("--csv", str(folder / "prices.csv"), "--out", str(folder / "reports"))
        model = ("--model", "ETH", "--model", "BTC")
        devnet.ape("publish", "--once", *files, *model, "--account", f"TEST::{n}")


def held(client: Client, actor: Actor) -> int:
    """How many positions an account has."""
    house = client.book.address("Clearinghouse")
    words = Call("Clearinghouse", house, "accountWords", (bytes(actor.account),))
    return len(client.chain.view(words)[1])


def wait(client: Client, seconds: int) -> None:
    for method, args in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
        client.chain.web3.provider.make_request(RPCEndpoint(method), args)


def test_a_deployment_allows_the_expiries_of_its_rule(client: Client, deployed: str):
    assert live(client, "ETH") == live(client, "BTC")
    assert 5 <= len(live(client, "ETH")) <= 7
    assert all(one % DAY == 8 * 3600 and one > client.chain.time for one in live(client, "ETH"))
    assert deployed.count("  expiry ") == 2 * len(live(client, "ETH"))


def test_a_second_deployment_and_the_governor_find_nothing_missing(devnet: Devnet, client: Client):
    assert "Nothing to do" in devnet.ape("deploy", *DEPLOYER)
    assert "nothing is missing" in devnet.ape("govern", "expiries", *DEPLOYER)


def test_the_governor_allows_what_another_rule_wants(
    devnet: Devnet, client: Client, tmp_path: Path
):
    data = yaml.safe_load(config_path("devnet").read_text())
    data["underlyings"]["ETH"]["options"]["expiries"]["daily"] = 5
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(data))
    before = live(client, "ETH")
    args = ("govern", "expiries", "--config", str(tmp_path / "more.yaml"))
    assert ": allowed" in devnet.ape(*args, *DEPLOYER)
    assert set(before) < set(live(client, "ETH"))
    assert "nothing is missing" in devnet.ape(*args, *DEPLOYER)


def test_a_keeper_takes_published_slices_in(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    publish(devnet, folder)
    while client.chain.time < time.time():
        wait(client, 1)
    expiries = live(client, "ETH")
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert f"refreshed {len(expiries)} slices of ETH (first slice)" in printed
    eth = client.book.underlying("ETH").id
    slices = [VolatilitySlice.decode(board(client, "slice", eth, one)) for one in expiries]
    assert all(one.is_fresh(client.chain.time) for one in slices)
    assert "slices" not in devnet.ape("keeper", *options, env=PASSPHRASE)


def test_somebody_buys_a_call(client: Client):
    fund(client, TRADER, 10_000)
    fund(client, MAKER, 100_000)
    eth, expiry = client.book.underlying("ETH").id, live(client, "ETH")[0]
    series = Instrument.option(eth, expiry, 2_000 * WAD, is_put=False)
    engine = client.book.address("JointScenarioEngine")
    fair = Call("JointScenarioEngine", engine, "fairPrice", (series.key,))
    price = client.chain.view(fair)[0]
    orders = [
        sign_order(
            Order(
                account=actor.account,
                instrument=series,
                size=size,
                limit_price=price,
                nonce=1,
                expiry=client.chain.time + 600,
                max_fee=WAD // 1000,
            ),
            client.exchange.domain,
            actor.signer,
        )
        for actor, size in ((TRADER, WAD), (MAKER, -WAD))
    ]
    client.exchange.settle(KEEPER.signer, orders[0], [orders[1]], [WAD])
    assert held(client, TRADER) == 1


def printed_json(devnet: Devnet, *args: str) -> Any:
    """What a reading command prints with --json; Ape's own lines come before it."""
    printed = devnet.ape("account", *args, "--json")
    return json.loads(printed[printed.index("{\n") : printed.rindex("}") + 1])


def test_its_owner_sees_the_call_with_its_greeks(devnet: Devnet, client: Client):
    who, series = str(TRADER.account), client.book.instrument_name(series_of(client))
    status = printed_json(devnet, "status", who, "--entries")
    (option,) = status["options"]
    assert (option["series"], option["size"], option["stage"]) == (series, "1", "trading")
    assert 0.9 < float(option["delta"]) <= 1.01
    assert float(option["theta"]) < 0 < float(option["gamma"])
    assert 0 < option["secondsLeft"] < 3 * DAY
    (position,) = status["positions"]
    assert position["entry"] == position["price"] == option["price"]
    margin = printed_json(devnet, "margin", who, "--what-if", f"sell 1 {series}")
    assert margin["options"][0]["series"] == margin["positions"][0]["instrument"] == series
    assert margin["whatIf"]["initialMargin"] == "0"
    shown = devnet.ape("account", "status", who), devnet.ape("account", "margin", who)
    assert all(series in text and "trading" in text for text in shown)


def series_of(client: Client) -> Instrument:
    house = client.book.address("Clearinghouse")
    words = Call("Clearinghouse", house, "accountWords", (bytes(TRADER.account),))
    return instrument_of(client.chain.view(words)[1][0])


def test_a_keeper_fixes_what_is_over(
    devnet: Devnet, client: Client, options: list[str], folder: Path
):
    """The feed was silent over the expiry: the window waits a day, then the last price counts."""
    eth, first = client.book.underlying("ETH").id, live(client, "ETH")[0]
    wait(client, first - client.chain.time + 3600)
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert "fixed" not in printed
    assert "fixing" not in printed
    wait(client, DAY)
    assert f"fixed ETH {first}" in devnet.ape("keeper", *options, env=PASSPHRASE)
    settlement = Settlement.decode(board(client, "slice", eth, first))
    assert settlement is not None
    assert settlement.price == client.oracle.snapshot(eth).price
    assert first not in live(client, "ETH")
    (option,) = printed_json(devnet, "status", str(TRADER.account))["options"]
    assert (option["stage"], option["fixedAt"]) == ("fixed", settlement.time)
    assert "cash from" in devnet.ape("account", "status", str(TRADER.account))
    address = client.book.address("OracleAdapter")
    events = scan(client.chain, "OracleAdapter", address, client.book.block, names=["ExpiryFixed"])
    assert (eth, first) in {(event.args["underlying"], event.args["expiry"]) for event in events}
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert "fixed" in {entry["action"] for entry in journal}


def test_a_keeper_settles_who_held_it_an_hour_later(
    devnet: Devnet, client: Client, options: list[str]
):
    assert "settled" not in devnet.ape("keeper", *options, env=PASSPHRASE)
    assert held(client, TRADER) == held(client, MAKER) == 1
    wait(client, 3600)
    printed = devnet.ape("keeper", *options, env=PASSPHRASE)
    assert f"settled {TRADER.account}" in printed
    assert f"settled {MAKER.account}" in printed
    assert held(client, TRADER) == held(client, MAKER) == 0
    events = printed_json(devnet, "history", str(TRADER.account))["events"]
    assert [event["name"] for event in events] == [
        *("Deposited", "Traded", "OptionSettled", "Settled")
    ]
    assert events[2]["series"] == events[1]["instrument"]
    assert "OptionSettled: " in devnet.ape("account", "history", str(TRADER.account))
    assert "settled" not in devnet.ape("keeper", *options, env=PASSPHRASE)
