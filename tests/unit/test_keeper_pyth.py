"""Updates of Pyth, from a service and from a folder, until the contract takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ballast.keeper.pyth import PATH, Fetch, PythUpdates, from_folder, from_hermes
from ballast.units import WAD
from tests.support.oracle import ETH, OracleWorld
from tests.support.pyth import FEE, PRICE_ID, PythDesk, blob, dollars
from tests.support.receiver import WebServer

BTC = ETH + 1


def hermes(*updates: bytes) -> bytes:
    data = [update.hex() for update in updates]
    return json.dumps({"binary": {"encoding": "hex", "data": data}, "parsed": []}).encode()


def updates(fetch: Fetch, said: list[str] | None = None) -> PythUpdates:
    log = [].append if said is None else said.append
    return PythUpdates(fetch, lambda: {ETH: PRICE_ID}, log)


def test_the_service_is_asked_for_the_price_of_the_feed():
    asked = []

    def answer(path, query, _headers, _body):
        asked.append((path, query["ids[]"], query["encoding"]))
        return 200, hermes(b"update")

    with WebServer(answer) as server:
        source = updates(from_hermes(server.url + "/"))
        assert source.update(ETH, 0, 0) == b"update"
        assert source.update(BTC, 0, 0) == b""
    assert asked == [(PATH, ["0x" + PRICE_ID.hex()], ["hex"])]


def test_a_folder_holds_an_answer_for_each_price(tmp_path: Path):
    (tmp_path / f"0x{PRICE_ID.hex()}.json").write_bytes(hermes(b"update"))
    assert updates(from_folder(tmp_path)).update(ETH, 0, 0) == b"update"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (404, b"{}"),
        (200, b"{"),
        (200, b"[]"),
        (200, b'{"binary": {"encoding": "base64", "data": ["00"]}}'),
        (200, b'{"binary": {"encoding": "hex", "data": []}}'),
        (200, b'{"binary": {"encoding": "hex", "data": ["xy"]}}'),
    ],
)
def test_a_service_without_an_answer_is_said_and_left_out(status: int, body: bytes):
    said: list[str] = []
    with WebServer(lambda *_: (status, body)) as server:
        assert updates(from_hermes(server.url), said).update(ETH, 0, 0) == b""
    assert said[0].startswith("prices: no update of Pyth on 0xe7e7e7e7…: ")


def test_a_folder_without_an_answer_is_said_and_left_out(tmp_path: Path):
    said: list[str] = []
    assert updates(from_folder(tmp_path), said).update(ETH, 0, 0) == b""
    assert "No such file" in said[0]


def test_an_update_is_taken_and_paid_from_the_balance_of_the_source():
    desk = PythDesk.open(OracleWorld(0))
    desk.world.advance(30)
    fresh = blob(dollars(2100, desk.now))
    with WebServer(lambda *_: (200, hermes(fresh))) as server:
        update = updates(from_hermes(server.url)).update(ETH, desk.now, 60)
    before = desk.balance
    price, _, time, *_ = desk.observe(update)
    assert (price, time) == (2100 * WAD, desk.now)
    assert desk.balance == before - FEE
