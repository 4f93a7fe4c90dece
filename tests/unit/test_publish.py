"""What publishers read, say and write, and what the chain makes of it."""

from __future__ import annotations

import json

import pytest

from ballast.oracle.prices import (
    PriceRow,
    PricesError,
    Quoting,
    make_report,
    parse_prices,
    read_prices,
    schedule,
)
from ballast.oracle.reports import Domain, Report, pack_update, sign
from ballast.oracle.transport import expand, read_reports, shorten, write_reports
from ballast.units import WAD
from tests.support.revm import Evm
from tests.support.system import PUBLISHERS, deploy_system

KNOWN = ("USDC", "ETH", "BTC")
DOMAIN = Domain(31337, "0x" + "11" * 20)
KEY = "0x" + "22" * 32
OTHER_KEY = "0x" + "33" * 32


def rows(text: str) -> list[PriceRow]:
    return parse_prices(text.splitlines(), KNOWN, "prices.csv")


# ---- Files of prices ----


def test_rows():
    assert rows("time,BTC,ETH\n2024-01-01T00:00:00Z,42000.5,2300\n1704067300,42001,2301\n") == [
        PriceRow(1704067200, {"BTC": 42000_5 * WAD // 10, "ETH": 2300 * WAD}),
        PriceRow(1704067300, {"BTC": 42001 * WAD, "ETH": 2301 * WAD}),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the first column must be time, not []"),
        ("when,ETH\n1,2", "line 1: the first column must be time, not ['when']"),
        ("time\n1", "line 1: there is no column with prices"),
        ("time,DOGE\n1,2", "line 1, column 'DOGE': no underlying of USDC, ETH, BTC"),
        ("time,ETH,ETH\n1,2,3", "line 1, column 'ETH': is there twice"),
        ("time,ETH\n", "has no prices"),
        ("time,ETH\n1,2\n2", "line 3: 1 columns instead of 2"),
        ("time,ETH\n1,2\n2,3,4", "line 3: 3 columns instead of 2"),
        ("time,ETH\nnow,2", "line 2, column time: 'now' is no time"),
        ("time,ETH\n1,dear", "line 2, column ETH: 'dear' is not a number"),
        ("time,ETH\n1,", "line 2, column ETH: '' is not a number"),
        ("time,ETH\n1,nan", "line 2, column ETH: 'nan' is not finite"),
        ("time,ETH\n1,-2", "line 2, column ETH: '-2' is no price"),
        ("time,ETH\n1,0", "line 2, column ETH: '0' is no price"),
        ("time,ETH\n2,1\n2,1", "line 3, column time: '2' is not after the line before"),
    ],
)
def test_a_malformed_line_is_named(text, complaint):
    with pytest.raises(PricesError) as caught:
        rows(text)
    assert complaint in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PricesError, match=r"none\.csv cannot be read"):
        read_prices(tmp_path / "none.csv", KNOWN)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PricesError, match="is not a text file"):
        read_prices(tmp_path / "binary.csv", KNOWN)


def test_the_schedule_follows_the_file_or_the_interval():
    three = rows("time,ETH\n0,1\n10,2\n30,3")
    assert [wait for _, wait in schedule(three, None, 10)] == [0, 1, 2]
    assert [wait for _, wait in schedule(three, 5, 10)] == [0, 5, 5]


def test_a_report_quotes_around_the_price():
    plain = make_report(1, 2000 * WAD, 7, Quoting(spread=10))
    assert (plain.confidence, plain.impact_bid, plain.impact_ask) == (2 * WAD, 0, 0)
    dear = make_report(1, 2000 * WAD, 7, Quoting(spread=10, impact_premium=50))
    assert (dear.impact_bid, dear.impact_ask) == (2008 * WAD, 2012 * WAD)


# ---- Files of reports ----


def signed(price: int, time: int, key: str = KEY):
    return sign(Report(1, price * WAD, WAD, time), DOMAIN, key)


def test_the_newest_reports_of_every_signer_are_read(tmp_path):
    write_reports(tmp_path, DOMAIN, [signed(2000, 10)])
    write_reports(tmp_path, DOMAIN, [signed(2001, 11)])
    write_reports(tmp_path, DOMAIN, [signed(2002, 9, OTHER_KEY)])
    prices = sorted(one.report.price // WAD for one in read_reports(tmp_path, DOMAIN))
    assert prices == [2001, 2002]


def test_old_files_are_removed(tmp_path):
    for time in range(6):
        write_reports(tmp_path, DOMAIN, [signed(2000, time)])
    assert sorted(path.name[-6] for path in tmp_path.iterdir()) == ["3", "4", "5"]


@pytest.mark.parametrize("damage", ["rubbish", "price", "domain", "signature"])
def test_a_worthless_file_does_not_stop_the_reader(tmp_path, damage):
    write_reports(tmp_path, DOMAIN, [signed(2002, 9, OTHER_KEY)])
    path = write_reports(tmp_path, DOMAIN, [signed(2000, 10)])
    data = json.loads(path.read_text())
    if damage == "price":
        data["reports"][0]["price"] = str(5 * WAD)
    elif damage == "domain":
        data["chainId"] = 1
    elif damage == "signature":
        data["reports"][0]["signature"] = "0x" + "00" * 64
    path.write_text("rubbish" if damage == "rubbish" else json.dumps(data))
    assert [one.report.price // WAD for one in read_reports(tmp_path, DOMAIN)] == [2002]


def test_signatures_shrink_and_grow():
    for time in range(8):
        compact = signed(2000, time).signature
        assert shorten(expand(compact)) == compact


def test_published_files_move_the_price(tmp_path):
    system = deploy_system(Evm())
    system.evm.advance(60)
    domain = Domain(31337, system.quorum.address)
    for role in PUBLISHERS[:2]:
        report = make_report(1, 2510 * WAD, system.evm.time, Quoting(5, 3))
        write_reports(tmp_path, domain, [sign(report, domain, system.evm.actor(role).key)])
    update = pack_update(read_reports(tmp_path, domain))
    system.oracle.refresh([(1, [b"", update])])
    assert system.snapshot("ETH").time == system.evm.time
