"""`account margin` on a node: the figures are those of the Clearinghouse."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.mirror import read_moment
from ballast.codec import AccountId, Instrument
from ballast.risk.explain import explain
from ballast.units import WAD
from ballast.volatility.reports import VolatilityDomain, VolatilityReport, build_updates, sign
from ballast.volatility.surface import model_slice
from scripts._margin import propose
from scripts._show import money
from tests.integration.conftest import Devnet, ScriptFailed
from tests.integration.people import DEPLOYER, PUBLISHERS, TRADER

WHO = str(TRADER.account)
DAY, EIGHT = 86_400, 8 * 3600
STRIKE = 2500 * WAD


@pytest.fixture(scope="module")
def client(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A deployment in which the trader is long ether against collateral."""
    devnet.ape("deploy", "--account", "TEST::0")
    devnet.ape("account", "deposit", "USDC", "100000", "--mint", "--account", "TEST::1")
    devnet.ape("account", "deposit", "WETH", "2", "--mint", "--account", "TEST::1")
    devnet.ape("account", "deposit", "USDC", "100000", "--mint", "--account", "TEST::2")
    trade(devnet, tmp_path_factory.mktemp("orders") / "order.json", "2500", "10")
    return Client.open(Chain.connect(devnet.url), devnet.deployments)


def trade(devnet: Devnet, path: Path, price: str, size: str, name: str = "ETH-PERP") -> None:
    maker = ("--out", str(path), "--account", "TEST::2")
    devnet.ape("account", "sign", name, "sell", size, price, *maker)
    devnet.ape("account", "fill", str(path), "--account", "TEST::1")


def test_the_margin_of_an_account_is_explained(devnet, client):
    shown = devnet.ape("account", "margin", WHO)
    margin = client.clearinghouse.margin(TRADER.account)
    for value in (margin.equity, margin.initial, margin.maintenance):
        assert money(value) in shown
    assert "the Clearinghouse says the same" in shown
    assert "-4/4 of the range" in shown
    assert "ETH-PERP" in shown and "WETH" in shown


@pytest.mark.parametrize("engine", [1, 0])
def test_either_engine_is_mirrored(client, engine):
    client.clearinghouse.select_engine(TRADER.signer, TRADER.account, engine)
    moment = read_moment(client, TRADER.account)
    found = explain(moment.engine, moment.account, moment.now)
    assert found.margin == moment.margin
    assert bool(found.scenarios) == (engine == 0)
    assert moment.margin.initial > 0


def test_an_account_with_nothing_has_nothing_to_explain(devnet, client):
    empty = AccountId.make(TRADER.signer.address, 9)
    assert "0.00" in devnet.ape("account", "margin", str(empty))
    with pytest.raises(ScriptFailed, match="no position to draw"):
        devnet.ape("account", "margin", str(empty), "--ascii")


def test_what_a_trade_would_do_is_what_it_does(devnet, client, tmp_path):
    before = read_moment(client, TRADER.account)
    proposal = propose(client, before, "buy 3 ETH-PERP @ 2500")
    foreseen = explain(before.engine, proposal.account, before.now).margin
    shown = devnet.ape("account", "margin", WHO, "--what-if", "buy 3 ETH-PERP @ 2500")
    assert money(foreseen.initial) in shown
    assert "The margin check: passes" in shown
    trade(devnet, tmp_path / "order.json", "2500", "3")
    done = client.clearinghouse.margin(TRADER.account)
    assert (done.initial, done.maintenance) == (foreseen.initial, foreseen.maintenance)
    assert abs(done.equity - foreseen.equity) <= 10**12  # a few seconds of interest


def test_a_trade_without_margin_is_refused(devnet, client):
    shown = devnet.ape("account", "margin", WHO, "--what-if", "sell 5000 ETH-PERP")
    assert "refused" in shown


def test_nonsense_is_answered_in_words(devnet, client, tmp_path):
    for text, reason in (
        ("hold 1 ETH-PERP", "is no trade"),
        ("buy 1 XYZ-PERP", "does not trade here"),
        ("buy 0 ETH-PERP", "is not over zero"),
    ):
        with pytest.raises(ScriptFailed, match=reason):
            devnet.ape("account", "margin", WHO, "--what-if", text)
    with pytest.raises(ScriptFailed, match="no SVG file"):
        devnet.ape("account", "margin", WHO, "--plot", str(tmp_path / "plot.png"))


def test_profit_over_spot_is_drawn(devnet, client, tmp_path):
    path = tmp_path / "plot.svg"
    shown = devnet.ape("account", "margin", WHO, "--ascii", "--plot", str(path), "--over", "ETH")
    assert shown.count("●") == 61
    picture = ElementTree.parse(path).getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}line")) == 2 + 60


def test_options_are_mirrored_until_they_expire(devnet, client, expiry):
    book = client.book
    name = book.instrument_name(Instrument.option(book.underlying("ETH").id, expiry, STRIKE, False))
    shown = devnet.ape("account", "margin", WHO, "--what-if", f"sell 2 {name}")
    assert f"If you sell 2 {name} at" in shown
    trade(devnet, devnet.deployments / "order.json", "80", "2", name)
    shown = devnet.ape("account", "margin", WHO)
    assert "roll of options, and short ones" in shown and name in shown
    client.chain.web3.provider.make_request("evm_setNextBlockTimestamp", [expiry - 600])
    client.chain.web3.provider.make_request("evm_mine", [])
    moment = read_moment(client, TRADER.account)
    assert moment.now == expiry - 600
    assert not moment.margin.fresh
    assert explain(moment.engine, moment.account, moment.now).margin == moment.margin
    assert 0 < moment.fair_price(book.instrument(name).key) < 1000 * WAD


@pytest.fixture
def expiry(client: Client) -> int:
    """An expiry of ether in some days, with a volatility that two publishers signed."""
    oracle = client.book.address("OracleAdapter")
    now = client.chain.time
    found = (now // DAY + 3) * DAY + EIGHT
    allow = Call("OracleAdapter", oracle, "allowExpiry", (1, found, 50 * 10**8))
    client.chain.send(DEPLOYER.signer, allow)
    domain = VolatilityDomain(client.book.chain_id, client.book.address("VolatilityQuorum"))
    report = VolatilityReport(1, found, model_slice(found, now))
    reports = [sign(report, domain, publisher.key) for publisher in PUBLISHERS]
    update = Call("OracleAdapter", oracle, "refreshVolatility", (build_updates(reports),))
    client.chain.send(DEPLOYER.signer, update)
    return found
