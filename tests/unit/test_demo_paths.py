from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.demo.paths import SHIPPED, PathError, Tick, make, parse, parse_time, read, render

HEAD = "time,BTC,ETH"


def test_the_path_that_ships_is_made_from_its_seed():
    assert SHIPPED.read_text(encoding="utf-8") == render(make())
    assert SHIPPED.stat().st_size < 200_000


def test_the_path_that_ships_has_its_crash():
    btc = [tick.prices["BTC"] for tick in read(SHIPPED)]
    assert min(btc) < max(btc) * Decimal("0.67")
    assert min(b / a for a, b in pairwise(btc)) > Decimal("0.9")


@given(st.integers())
def test_a_path_is_the_same_for_the_same_seed_and_survives_its_file(seed: int):
    ticks = make(seed)
    assert ticks == make(seed) == parse(render(ticks).splitlines())
    assert all(price > 0 for tick in ticks for price in tick.prices.values())


def test_two_seeds_make_two_paths():
    assert make(1) != make(2)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1600000000", datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        ("2020-10-23T09:00:00Z", datetime(2020, 10, 23, 9, tzinfo=UTC)),
        ("2020-10-23 09:00", datetime(2020, 10, 23, 9, tzinfo=UTC)),
        ("2020-10-23T11:00:00+02:00", datetime(2020, 10, 23, 9, tzinfo=UTC)),
        ("2020-10-23", datetime(2020, 10, 23, tzinfo=UTC)),
    ],
)
def test_times_are_seconds_or_dates(text: str, moment: datetime):
    assert parse_time(text) == moment.timestamp()


def test_a_row_becomes_a_tick():
    assert parse([HEAD, "1600000000,10500.5,370", ""]) == [
        Tick(1600000000, {"BTC": Decimal("10500.5"), "ETH": Decimal(370)})
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line must be time,BTC,ETH"),
        (["time,ETH,BTC"], "the first line must be time,BTC,ETH"),
        ([HEAD, "1,2"], "line 2: expected the columns"),
        ([HEAD, "1,2,3", "2,2,3,4"], "line 3: expected the columns"),
        ([HEAD, "soon,2,3"], "line 2: 'soon' is neither"),
        ([HEAD, "1,two,3"], "line 2: BTC 'two' is not a number"),
        ([HEAD, "1,2,0"], "line 2: ETH '0' is not a positive price"),
        ([HEAD, "1,2,-3"], "line 2: ETH '-3' is not a positive price"),
        ([HEAD, "1,NaN,3"], "line 2: BTC 'NaN' is not a positive price"),
        ([HEAD, "1,inf,3"], "line 2: BTC 'inf' is not a positive price"),
        ([HEAD, "5,2,3", "5,2,3"], "line 3: time 5 is not after the line before"),
    ],
)
def test_a_bad_line_is_named(lines: list[str], message: str):
    with pytest.raises(PathError, match=message):
        parse(lines, "history.csv")


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "history.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_window_is_cut_out(tmp_path: Path):
    file = write(tmp_path, render(make()))
    ticks = make()
    assert read(file, ticks[3].time, ticks[9].time) == ticks[3:10]
    assert read(file, since=ticks[-2].time) == ticks[-2:]
    assert read(file, until=ticks[1].time) == ticks[:2]


def test_a_window_without_two_ticks_is_refused(tmp_path: Path):
    file = write(tmp_path, f"{HEAD}\n1,2,3\n2,2,3\n")
    with pytest.raises(PathError, match="1 of 2 ticks"):
        read(file, since=2)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(PathError, match=r"nothing\.csv"):
        read(tmp_path / "nothing.csv")
    file = tmp_path / "binary.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PathError, match=r"binary\.csv"):
        read(file)
