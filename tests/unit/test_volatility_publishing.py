"""From a surface to the chain: expiries, slices, files of reports, updates."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ballast.oracle.volatility import Neighbour, Refusal, VolatilityConfig, verdict
from ballast.volatility.expiries import ExpiryRule, missing, wanted
from ballast.volatility.reports import VolatilityReport, build_updates, sign
from ballast.volatility.surface import QuotesError, fit_quotes, model_slice, read_quotes
from ballast.volatility.transport import read_volatility, write_volatility
from tests.support.oracle import ETH
from tests.support.volatility import DAY, KEYS, VolatilityWorld

NOW = 1_750_000_000  # Sunday 2025-06-15, 15:06 UTC
HEADER = "expiry,strike,volatility,forward,spot\n"


def test_daily_weekly_and_monthly_expiries():
    dates = [datetime.fromtimestamp(one, UTC) for one in wanted(ExpiryRule(2, 2, 2), NOW)]
    assert {date.hour for date in dates} == {8}
    assert [(date.month, date.day) for date in dates] == [
        (6, 16),
        (6, 17),
        (6, 20),
        (6, 27),
        (7, 25),
    ]


def test_only_missing_expiries_are_added_while_there_is_room():
    rule = ExpiryRule(2, 2, 2)
    every = wanted(rule, NOW)
    assert missing(rule, every[:2], NOW, 8) == every[2:]
    assert missing(rule, every[:2], NOW, 3) == every[2:3]
    assert missing(rule, every, NOW, 5) == []


def test_the_model_is_free_of_arbitrage():
    before = None
    for days in (0.1, 1, 2, 7, 30, 90, 365):
        expiry = NOW + round(days * DAY)
        found = model_slice(expiry, NOW)
        assert verdict(found, expiry, VolatilityConfig(), before=before) is Refusal.NONE
        before = Neighbour(found, expiry)


def test_a_published_surface_is_accepted(tmp_path):
    world = VolatilityWorld()
    expiries = wanted(ExpiryRule(), world.now)
    world.allow(*expiries)
    for key in KEYS[:2]:
        rows = [VolatilityReport(ETH, one, model_slice(one, world.now)) for one in expiries]
        write_volatility(tmp_path, world.domain, [sign(row, world.domain, key) for row in rows])
    updates = build_updates(read_volatility(tmp_path, world.domain, world.now))
    world.adapter.refreshVolatility(updates)
    assert [log.name for log in world.evm.logs] == ["VolatilityAccepted"] * len(expiries)
    assert world.slice(expiries[0]).forward == model_slice(expiries[0], world.now).forward


@pytest.mark.parametrize("damage", ["rubbish", "slice", "chainId", "signature"])
def test_worthless_files_are_skipped(tmp_path, damage):
    world = VolatilityWorld()
    expiry = world.expiry(3)
    report = VolatilityReport(ETH, expiry, model_slice(expiry, world.now))
    path = write_volatility(tmp_path, world.domain, [sign(report, world.domain, KEYS[0])])
    write_volatility(tmp_path, world.domain, [sign(report, world.domain, KEYS[1])])
    data = json.loads(path.read_text())
    changes = {"slice": "00" * 25, "signature": "00" * 64}
    if damage in changes:
        data["reports"][0][damage] = changes[damage]
    data["chainId"] += damage == "chainId"
    path.write_text("rubbish" if damage == "rubbish" else json.dumps(data))
    (found,) = read_volatility(tmp_path, world.domain)
    assert found.report == report


def test_quotes_become_slices():
    lines = [HEADER]
    for day, level in (("2025-06-27", 0.6), ("2025-07-25", 0.62)):
        lines += [
            f"{day}T08:00:00Z,{strike},{level + abs(strike - 2000) / 8000},2005,2000\n"
            for strike in range(1600, 2500, 100)
        ]
    found = fit_quotes(lines, NOW, "quotes.csv")
    assert len(found) == 2
    for expiry, one in found.items():
        assert verdict(one, expiry, VolatilityConfig()) is Refusal.NONE
        assert one.forward == 100_250_000
    with pytest.raises(QuotesError, match=r"quotes\.csv has no quotes of an expiry"):
        fit_quotes(lines, NOW + 400 * DAY, "quotes.csv")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("strike,expiry\n", "line 1: the columns"),
        (HEADER + "soon,1,1,1,1\n", "line 2, column expiry: 'soon' is no time"),
        (
            HEADER + "2025-06-27T08:00:00Z,dear,1,1,1\n",
            "column strike: 'dear' is not a number",
        ),
        (HEADER + "2025-06-27T08:00:00,1,1,1,1\n", "line 2, column expiry: .* names no time zone"),
        (HEADER + "2025-06-27T08:00:00Z,1,-1,1,1\n", "line 2, column volatility: '-1' is not over"),
        (HEADER + "2025-06-27T08:00:00Z,1,1,nan,1\n", "line 2, column forward: 'nan' is not over"),
        (HEADER + "2025-06-27T08:00:00Z,1,1,1\n", "line 2, column spot: None is not a number"),
        (HEADER + "2025-06-27T08:00:00Z,1,1,1,1\n", r"expiry 2025-06-27T08:00:00\+00:00: 1 quotes"),
        ("", r"quotes\.csv, line 1: the columns"),
    ],
)
def test_malformed_quotes_are_named(text, complaint):
    with pytest.raises(QuotesError, match=complaint):
        fit_quotes(text.splitlines(), NOW, "quotes.csv")


def test_a_file_of_quotes_that_is_missing_is_named(tmp_path):
    with pytest.raises(QuotesError, match="cannot be read"):
        read_quotes(tmp_path / "none.csv", NOW)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(QuotesError, match="is not a text file"):
        read_quotes(tmp_path / "binary.csv", NOW)
