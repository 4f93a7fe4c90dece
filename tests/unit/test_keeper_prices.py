from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ballast.keeper.prices import MAX_SPREAD, Quorum, ReportFolder, choose
from ballast.oracle.reports import Domain, Report, SignedReport, pack_update, sign
from ballast.oracle.transport import write_reports
from ballast.units import WAD

NOW = 1_773_000_000
DOMAIN = Domain(31337, "0x" + "0f" * 20)
KEYS = [Account.from_key(keccak(text=f"keeper test publisher {n}")) for n in range(4)]
NAMES = [str(key.address) for key in KEYS]
QUORUM = Quorum(frozenset(name.lower() for name in NAMES[:3]), 2)
ETH, BTC = 1, 2


def said(publisher: int, time: int, underlying: int = ETH) -> SignedReport:
    """A report whose signature nobody looks at."""
    return SignedReport(Report(underlying, WAD, 0, time), NAMES[publisher], bytes(64))


def chosen(*reports: SignedReport, quorum: Quorum = QUORUM, max_age: int = 600) -> set[int]:
    found = choose(reports, quorum, NOW, max_age)
    assert found == sorted(found, key=lambda signed: int(signed.signer, 16))
    return {NAMES.index(signed.signer) for signed in found}


def test_all_publishers_of_one_moment_are_taken():
    assert chosen(said(0, NOW), said(1, NOW), said(2, NOW)) == {0, 1, 2}


def test_too_few_publishers_make_no_update():
    assert chosen(said(0, NOW)) == set()
    assert chosen() == set()


def test_strangers_do_not_count():
    assert chosen(said(0, NOW), said(3, NOW)) == set()


def test_one_publisher_twice_is_not_two():
    assert chosen(said(0, NOW), said(0, NOW - 1)) == set()


def test_each_publishers_newest_report_counts():
    reports = [said(0, NOW - 9), said(0, NOW - 1), said(1, NOW - 2), said(1, NOW - 8)]
    assert {signed.report.time for signed in choose(reports, QUORUM, NOW, 600)} == {
        NOW - 1,
        NOW - 2,
    }


def test_reports_dated_ahead_are_left_for_later():
    assert chosen(said(0, NOW + 1), said(1, NOW), said(2, NOW)) == {1, 2}
    assert chosen(said(0, NOW + 1), said(0, NOW), said(1, NOW)) == {0, 1}


def test_old_reports_do_not_count():
    assert chosen(said(0, NOW - 601), said(1, NOW)) == set()
    assert chosen(said(0, NOW - 600), said(1, NOW - 600)) == {0, 1}


def test_a_publisher_whose_clock_is_wrong_is_left_out():
    assert chosen(said(0, NOW), said(1, NOW - 61), said(2, NOW - 61)) == {1, 2}
    assert chosen(said(0, NOW), said(1, NOW), said(2, NOW - 61)) == {0, 1}


def test_nobody_is_chosen_where_no_two_agree_on_the_time():
    assert chosen(said(0, NOW), said(1, NOW - 100), said(2, NOW - 200)) == set()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-700, 5))), st.integers(1, 3))
def test_an_update_is_always_one_that_the_source_takes(
    times: list[tuple[int, int]], threshold: int
):
    quorum = Quorum(QUORUM.publishers, threshold)
    found = choose([said(who, NOW + t) for who, t in times], quorum, NOW, 600)
    if not found:
        return
    moments = [signed.report.time for signed in found]
    assert len({signed.signer for signed in found}) == len(found) >= threshold
    assert max(moments) - min(moments) <= MAX_SPREAD
    assert max(moments) <= NOW
    assert min(moments) >= NOW - 600


# ---- Folders ----------------------------------------------------------------------------------


def publish(folder: Path, publisher: int, time: int) -> list[SignedReport]:
    signed = [
        sign(Report(u, (publisher + 1) * WAD, 0, time), DOMAIN, KEYS[publisher].key)
        for u in (ETH, BTC)
    ]
    write_reports(folder, DOMAIN, signed)
    return signed


@pytest.fixture
def folder(tmp_path: Path) -> ReportFolder:
    return ReportFolder(tmp_path, DOMAIN, lambda: QUORUM)


def test_an_update_has_the_reports_of_one_feed(tmp_path: Path, folder: ReportFolder):
    first, second = publish(tmp_path, 0, NOW), publish(tmp_path, 1, NOW - 3)
    assert folder.update(ETH, NOW, 600) == pack_update([first[0], second[0]])
    assert folder.update(BTC, NOW, 600) == pack_update([first[1], second[1]])
    assert folder.update(9, NOW, 600) == b""


def test_new_files_are_seen(tmp_path: Path, folder: ReportFolder):
    publish(tmp_path, 0, NOW)
    assert folder.update(ETH, NOW, 600) == b""
    publish(tmp_path, 1, NOW)
    assert len(folder.update(ETH, NOW, 600)) == 2 * 132


def test_a_file_dated_ahead_waits_for_its_moment(tmp_path: Path, folder: ReportFolder):
    for publisher in (0, 1):
        publish(tmp_path, publisher, NOW)
        publish(tmp_path, publisher, NOW + 10)
    before, after = folder.update(ETH, NOW + 9, 600), folder.update(ETH, NOW + 10, 600)
    assert int.from_bytes(before[64:68], "big") == NOW
    assert int.from_bytes(after[64:68], "big") == NOW + 10


def test_a_folder_that_is_not_there_yet_gives_nothing(tmp_path: Path):
    folder = ReportFolder(tmp_path / "later", DOMAIN, lambda: QUORUM)
    assert folder.update(ETH, NOW, 600) == b""


def test_forged_and_broken_files_do_no_harm(tmp_path: Path, folder: ReportFolder):
    publish(tmp_path, 0, NOW)
    publish(tmp_path, 1, NOW)
    good = folder.update(ETH, NOW, 600)
    (tmp_path / f"{NAMES[0]}-{NOW + 1}.json").write_text("{")
    forged = (tmp_path / f"{NAMES[1]}-{NOW}.json").read_text().replace(f'"{2 * WAD}"', '"7"')
    (tmp_path / f"{NAMES[1]}-{NOW + 1}.json").write_text(forged)
    assert folder.update(ETH, NOW + 1, 600) == good
