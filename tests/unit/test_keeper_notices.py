"""Notices of margin: one a crossing, signed, in order, neither lost nor made twice."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId
from ballast.keeper.decide import AccountView, World
from ballast.keeper.loop import Step
from ballast.keeper.notices import (
    ID_HEADER,
    SIGNATURE_HEADER,
    Courier,
    Notices,
    Receiver,
    State,
    state_of,
)
from ballast.units import WAD
from tests.support.receiver import WebServer

CHAIN_ID = 31337
SECRET = b"a secret"
ONE = AccountId.make("0x" + "11" * 20)
OTHER = AccountId.make("0x" + "22" * 20)
OWN = AccountView(AccountId.make("0x" + "ee" * 20), 10_000 * WAD, 0, 0)


def account(equity: int, who: AccountId = ONE, known: bool = True) -> AccountView:
    return AccountView(who, equity * WAD, 1250 * WAD, 1000 * WAD, known=known)


def told(notices: Notices) -> list[dict[str, object]]:
    """What waits, taken out in order."""
    found = []
    while (notice := notices.first()) is not None:
        found.append(json.loads(notice[1]))
        notices.delivered(notice[0])
    return found


@dataclass
class Inbox:
    """Takes notices after so many refusals."""

    refusals: int = 0
    status: int = 500
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    asked: int = 0

    def __call__(self, _path, _query, headers, body):
        self.asked += 1
        if self.asked <= self.refusals:
            return self.status, b""
        self.received.append((headers[ID_HEADER], headers[SIGNATURE_HEADER], body))
        return 200, b""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "notices.db"


@pytest.mark.parametrize(
    ("equity", "state"),
    [
        (1250, State.OPEN),
        (1249, State.REDUCE_ONLY),
        (1100, State.REDUCE_ONLY),
        (1099, State.MARGIN_CALL),
        (1000, State.MARGIN_CALL),
        (999, State.LIQUIDATION),
        (0, State.LIQUIDATION),
        (-1, State.BANKRUPT),
    ],
)
def test_states_are_those_of_the_specification(equity: int, state: State):
    assert state_of(account(equity)) is state


def test_the_margin_call_is_rounded_up_as_on_the_chain():
    assert state_of(AccountView(ONE, 11, 20, 10)) is State.REDUCE_ONLY
    assert state_of(AccountView(ONE, 12, 20, 11)) is State.MARGIN_CALL


@given(st.lists(st.sampled_from([1300, 1200, 1050, 900, -5]), max_size=12))
def test_there_is_one_notice_for_each_crossing(tmp_path_factory, equities: list[int]):
    notices = Notices(tmp_path_factory.mktemp("notices") / "db", CHAIN_ID)
    for block, equity in enumerate(equities):
        notices.note([account(equity)], block, 100 + block)
    states = [state_of(account(equity)).value for equity in equities]
    before = ["open", *states]
    expected = [(a, b) for a, b in zip(before, states, strict=False) if b not in (a, "open")]
    assert [(body["before"], body["state"]) for body in told(notices)] == expected


def test_a_notice_says_what_is_needed(file: Path):
    notices = Notices(file, CHAIN_ID)
    world = World(now=77, block=5, keeper=OWN, accounts=(account(900),))
    notices.stepped(world, Step())
    notices.troubled()
    assert told(notices) == [
        {
            "chain_id": CHAIN_ID,
            "account": ONE.hex,
            "state": "liquidation",
            "before": "open",
            "equity": str(900 * WAD),
            "initial": str(1250 * WAD),
            "maintenance": str(1000 * WAD),
            "block": 5,
            "time": 77,
        }
    ]


def test_a_restart_neither_forgets_nor_repeats(file: Path):
    Notices(file, CHAIN_ID).note([account(900)], 1, 1)
    again = Notices(file, CHAIN_ID)
    again.note([account(900)], 2, 2)
    assert again.waiting() == 1


def test_an_account_that_cannot_be_valued_keeps_its_state(file: Path):
    notices = Notices(file, CHAIN_ID)
    notices.note([account(900)], 1, 1)
    notices.note([account(5000, known=False)], 2, 2)
    notices.note([account(900)], 3, 3)
    assert notices.waiting() == 1


def test_notices_are_delivered_signed_and_in_order(file: Path):
    notices, inbox = Notices(file, CHAIN_ID), Inbox()
    notices.note([account(1200), account(900, OTHER)], 1, 1)
    notices.note([account(1050)], 2, 2)
    with (
        WebServer(inbox) as server,
        Courier(notices, Receiver(server.url, SECRET), first_pause=0.01) as courier,
    ):
        assert courier.flush(5)
    bodies = [json.loads(body) for _, _, body in inbox.received]
    assert [(body["id"], body["state"]) for body in bodies] == [
        (1, "reduce-only"),
        (2, "liquidation"),
        (3, "margin call"),
    ]
    for notice, signature, body in inbox.received:
        assert notice == str(json.loads(body)["id"])
        assert signature == "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status", [500, 429, 404, 302])
def test_a_receiver_that_refuses_is_asked_again(file: Path, status: int):
    notices, inbox, said = Notices(file, CHAIN_ID), Inbox(refusals=3, status=status), []
    notices.note([account(900)], 1, 1)
    with (
        WebServer(inbox) as server,
        Courier(notices, Receiver(server.url, SECRET), said.append, 0.01) as courier,
    ):
        assert courier.flush(5)
    assert len(inbox.received) == 1
    assert said == [f"notice 1 waits: the receiver answers {status}"] * 3


def test_what_could_not_be_delivered_is_delivered_after_a_restart(file: Path):
    notices, said = Notices(file, CHAIN_ID), []
    notices.note([account(900)], 1, 1)
    nowhere = Receiver("http://127.0.0.1:9", SECRET)
    with Courier(notices, nowhere, said.append, 0.01) as courier:
        assert not courier.flush(0.2)
    assert said[0] == "notice 1 waits: ConnectionError"
    inbox = Inbox()
    with (
        WebServer(inbox) as server,
        Courier(Notices(file, CHAIN_ID), Receiver(server.url, SECRET), first_pause=0.01) as courier,
    ):
        assert courier.flush(5)
    assert len(inbox.received) == 1


def test_a_file_that_cannot_be_read_for_a_while_stops_nothing(file: Path):
    notices, said, inbox = Notices(file, CHAIN_ID), [], Inbox()
    notices.note([account(900)], 1, 1)
    good = file.read_bytes()
    file.write_bytes(b"no database at all, for now" * 100)
    with (
        WebServer(inbox) as server,
        Courier(notices, Receiver(server.url, SECRET), said.append, 0.01) as courier,
    ):
        while not said:
            time.sleep(0.01)
        file.write_bytes(good)
        assert courier.flush(5)
    assert said[0].startswith("notices wait: ")
    assert len(inbox.received) == 1
