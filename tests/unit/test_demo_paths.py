from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.demo.paths import LEAST_APART, SHIPPED, SYMBOLS, make, read, render, with_window
from ballast.oracle.fixing import SETTLED, Fixing
from ballast.oracle.prices import PriceRow, PricesError, parse_prices
from ballast.units import WAD


def test_the_path_that_ships_is_made_from_its_seed():
    assert SHIPPED.read_text(encoding="utf-8") == render(make())
    assert SHIPPED.stat().st_size < 200_000


def test_the_path_that_ships_has_its_crash_in_steps():
    btc = [row.prices["BTC"] for row in read(SHIPPED)]
    assert min(btc) < max(btc) * 67 // 100
    assert min(b / a for a, b in pairwise(btc)) > 0.9


@given(st.integers())
def test_a_path_is_the_same_for_the_same_seed_and_survives_its_file(seed: int):
    rows = make(seed)
    assert rows == make(seed)
    assert rows == parse_prices(render(rows).splitlines(), SYMBOLS, "path")


def test_two_seeds_make_two_paths():
    assert make(1) != make(2)


@pytest.mark.parametrize("step", [1700, 3600, 5000])
def test_a_path_with_a_window_settles_its_expiry(step: int):
    """Whatever the step of the path: the fixing has observations enough, on the lines between."""
    expiry = 1_773_129_600
    moments = range(expiry - 10_000, expiry + 10_000, step)
    rows = [
        PriceRow(t, {"BTC": 7 * WAD, "ETH": (t - expiry + 20_000) * WAD // 10}) for t in moments
    ]
    found = with_window(rows, expiry)
    assert [row for row in found if row in rows] == rows
    assert min(b.time - a.time for a, b in pairwise(found)) >= min(step, LEAST_APART)
    fixing = Fixing(strike_tick=1)
    for row in found:
        if row.time >= expiry - 2100:
            fixing = fixing.observe(expiry, row.prices["ETH"] // 10**6, row.time)
    assert fixing.phase == SETTLED
    assert abs(fixing.settlement() - 1910 * WAD) < 10 * WAD


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "history.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_window_is_cut_out(tmp_path: Path):
    file = write(tmp_path, render(make()))
    rows = make()
    assert read(file, rows[3].time, rows[9].time) == rows[3:10]
    assert read(file, since=rows[-2].time) == rows[-2:]
    assert read(file, until=rows[1].time) == rows[:2]


def test_a_window_without_two_rows_is_refused(tmp_path: Path):
    file = write(tmp_path, "time,BTC,ETH\n1,2,3\n2,2,3\n")
    with pytest.raises(PricesError, match="1 of 2 rows"):
        read(file, since=2)


def test_a_file_without_ether_is_refused(tmp_path: Path):
    with pytest.raises(PricesError, match="no column ETH"):
        read(write(tmp_path, "time,BTC\n1,2\n2,2\n"))
