"""Metrics, health and log lines of a keeper."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace

import pytest
import requests

from ballast.client.book import AddressBook, UnderlyingEntry
from ballast.codec import AccountId, Snapshot, VolatilitySlice
from ballast.keeper.boards import Boards, BoardView
from ballast.keeper.decide import AccountView, FeedView, World
from ballast.keeper.logs import LOGGER, open_log
from ballast.keeper.loop import Step
from ballast.keeper.metrics import Metrics, MetricsServer
from ballast.oracle.mirror import FeedConfig, FeedState
from ballast.oracle.volatility import Board, VolatilityConfig
from ballast.units import WAD

NOW = 1_773_000_000
BOOK = AddressBook(
    chain_id=31337,
    network="test",
    deployer="0x" + "00" * 20,
    block=1,
    fee_account="0x" + "00" * 32,
    insurance_account="0x" + "01" * 32,
    underlyings={"ETH": UnderlyingEntry(1, [])},
)
FEED = FeedView(1, FeedState(FeedConfig(), Snapshot(price=2500 * WAD, time=NOW - 40)), ())
OWN = AccountView(AccountId.make("0x" + "ee" * 20), 10_000 * WAD, 0, 0)
SHORT = AccountView(AccountId.make("0x" + "11" * 20), 9 * WAD, 20 * WAD, 10 * WAD)
WORLD = World(
    now=NOW,
    block=7,
    keeper=OWN,
    feeds=(FEED,),
    accounts=(SHORT, replace(SHORT, equity=30 * WAD)),
    gas_money=WAD // 2,
)
BOARD = Board(VolatilityConfig(), (NOW - 5, NOW + 500), {NOW + 500: VolatilitySlice(time=NOW - 70)})
STEP = Step(
    accounts=9,
    refreshed=2,
    liquidated=1,
    lost=3,
    reward=5 * WAD // 2,
    gas_money=WAD // 4,
    slices=7,
    fixed=1,
    settled=2,
    boards=Boards(NOW, (BoardView(1, BOARD),)),
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW + 10.0

    def __call__(self) -> float:
        return self.now


def values(text: str) -> dict[str, float]:
    """The samples of an exposition, by name with labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(BOOK, 60, clock, waiting=lambda: 4)


def test_everything_that_is_known_is_told(metrics: Metrics):
    metrics.stepped(WORLD, STEP)
    metrics.stepped(WORLD, STEP)
    metrics.troubled()
    metrics.rpc_error("node", "down")
    found = {n.removeprefix("ballast_keeper_"): v for n, v in values(metrics.render()).items()}
    assert found == {
        "up": 1,
        "last_step_timestamp_seconds": NOW + 10,
        "steps_total": 2,
        "troubles_total": 1,
        "head_block": 7,
        "head_age_seconds": 10,
        "accounts": 9,
        "accounts_seen": 2,
        "accounts_liquidatable": 1,
        "liquidations_total": 2,
        "liquidations_lost_total": 6,
        "reward_cash_total": 5,
        "refreshes_total": 4,
        "gas_money_spent_total": 0.5,
        "gas_money": 0.5,
        "equity_cash": 10_000,
        'price_age_seconds{feed="ETH"}': 40,
        f'slice_age_seconds{{feed="ETH",expiry="{NOW + 500}"}}': 70,
        'expiries_unfixed{feed="ETH"}': 1,
        "slices_total": 14,
        "expiries_fixed_total": 2,
        "accounts_settled_total": 4,
        'rpc_errors_total{node="node"}': 1,
        "notices_waiting": 4,
    }


def test_every_metric_has_help_and_a_type(metrics: Metrics):
    metrics.stepped(WORLD, STEP)
    text = metrics.render()
    names = {name.partition("{")[0] for name in values(text)}
    assert names <= set(re.findall(r"^# HELP (\S+) .+$", text, re.MULTILINE))
    assert names <= set(re.findall(r"^# TYPE (\S+) (?:counter|gauge)$", text, re.MULTILINE))


def test_labels_are_escaped(metrics: Metrics):
    metrics.rpc_error('a"b\\c\nd', "down")
    assert 'rpc_errors_total{node="a\\"b\\\\c\\nd"} 1' in metrics.render()


def test_health_ends_when_steps_do(metrics: Metrics, clock: Clock):
    assert metrics.health() == {"healthy": True, "seconds_since_step": None}
    clock.now += 61
    assert not metrics.healthy
    metrics.stepped(WORLD, STEP)
    assert metrics.healthy
    clock.now += 60
    metrics.troubled()
    assert metrics.health() == {"healthy": True, "seconds_since_step": 60}
    clock.now += 1
    assert not metrics.healthy
    assert values(metrics.render())["ballast_keeper_up"] == 0


def test_it_is_served_on_the_loopback_interface(metrics: Metrics, clock: Clock):
    with MetricsServer(metrics, 0) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert "ballast_keeper_steps_total 0" in requests.get(url + "/metrics", timeout=5).text
        assert requests.get(url + "/healthz", timeout=5).status_code == 200
        clock.now += 100
        answer = requests.get(url + "/healthz", timeout=5)
        assert (answer.status_code, answer.json()["healthy"]) == (503, False)
        assert requests.get(url + "/else", timeout=5).status_code == 404


def test_log_lines_are_json_for_machines(capsys: pytest.CaptureFixture[str]):
    log = open_log("json")
    log.info("a line")
    log.warning("trouble: “lost”")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["level"], first["message"]) == ("info", "a line")
    assert (second["level"], second["message"]) == ("warning", "trouble: “lost”")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])


def test_log_lines_are_text_for_people(capsys: pytest.CaptureFixture[str]):
    open_log("text").info("a line of %s", "text")
    assert re.fullmatch(r"\d\d:\d\d:\d\d a line of text\n", capsys.readouterr().out)
    assert LOGGER is logging.getLogger("ballast.keeper")
