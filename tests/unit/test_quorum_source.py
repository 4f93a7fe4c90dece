"""The QuorumSource: who may sign, what is signed, and what an update is worth."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from eth_account import Account

from ballast.oracle.mirror import FeedConfig
from ballast.oracle.reports import (
    REPORT_SIZE,
    Domain,
    Report,
    ReportError,
    SignedReport,
    pack_update,
    sign,
)
from ballast.units import WAD
from tests.support.oracle import CHAIN_ID, ETH, OracleWorld
from tests.support.revm import Reverted, reverts

KEYS = sorted(
    (bytes([number]) * 32 for number in range(1, 6)),
    key=lambda key: int(Account.from_key(key).address, 16),
)
ADDRESSES = [Account.from_key(key).address.lower() for key in KEYS]
FORGER = b"\x77" * 32
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def desk() -> SimpleNamespace:
    """Five publishers, of whom it takes three."""
    world = OracleWorld(sources=0)
    source = world.deploy("QuorumSource", world.manager.address, ADDRESSES, 3)
    return SimpleNamespace(world=world, source=source, domain=Domain(CHAIN_ID, source.address))


def report(desk: SimpleNamespace, price: float = 2000, age: int = 0) -> Report:
    wad = round(price * WAD)
    return Report(ETH, wad, wad // 1000, desk.world.now - age, wad - WAD, wad + WAD)


def signed(desk: SimpleNamespace, reports: list[Report]) -> list[SignedReport]:
    return [sign(one, desk.domain, key) for one, key in zip(reports, KEYS, strict=False)]


def observe(desk: SimpleNamespace, update: bytes, underlying: int = ETH) -> tuple:
    return tuple(desk.source.observe(underlying, update))


def refused(desk: SimpleNamespace, update: bytes, underlying: int = ETH) -> Reverted:
    with pytest.raises(Reverted) as failure:
        observe(desk, update, underlying)
    return failure.value


# ---- Medians ----------------------------------------------------------------------------------


def test_every_field_is_the_median_and_the_time_the_oldest(desk: SimpleNamespace) -> None:
    rows = [report(desk, 2000, age=5), report(desk, 1_000_000, age=0), report(desk, 2010, age=60)]
    seen = observe(desk, pack_update(signed(desk, rows)))
    assert seen == (2010 * WAD, 201 * WAD // 100, desk.world.now - 60, 2009 * WAD, 2011 * WAD)


def test_of_an_even_number_the_mean_and_the_outer_sides(desk: SimpleNamespace) -> None:
    rows = [report(desk, price) for price in (2000, 2010, 2020, 2030)]
    seen = observe(desk, pack_update(signed(desk, rows)))
    assert seen[0] == 2015 * WAD
    assert seen[1] == 202 * WAD // 100
    assert seen[3:] == (2009 * WAD, 2021 * WAD)


def test_an_unknown_impact_is_not_averaged(desk: SimpleNamespace) -> None:
    known, unknown = report(desk), replace(report(desk), impact_bid=0, impact_ask=0)
    assert observe(desk, pack_update(signed(desk, [known, unknown, known])))[3] == 1999 * WAD
    seen = observe(desk, pack_update(signed(desk, [known, unknown, unknown, known])))
    assert seen[3] == 0


def test_an_empty_update_is_an_empty_observation(desk: SimpleNamespace) -> None:
    assert observe(desk, b"") == (0, 0, 0, 0, 0)


def test_the_greatest_fields_do_not_overflow(desk: SimpleNamespace) -> None:
    most = 2**128 - 1
    rows = [Report(ETH, most, most, desk.world.now, most, most)] * 4
    assert observe(desk, pack_update(signed(desk, rows)))[0] == most


# ---- Signatures -------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(68))
def test_every_byte_of_a_report_is_signed(desk: SimpleNamespace, position: int) -> None:
    update = bytearray(pack_update(signed(desk, [report(desk)] * 3)))
    update[position] ^= 1
    with reverts("Publishers_UnknownSigner"):
        observe(desk, bytes(update))


@pytest.mark.parametrize(
    "field", ["underlying", "price", "confidence", "impact_bid", "impact_ask", "time"]
)
def test_every_field_of_a_report_is_signed(desk: SimpleNamespace, field: str) -> None:
    first, *others = signed(desk, [report(desk)] * 3)
    other = replace(first.report, **{field: getattr(first.report, field) - 1})
    forged = replace(first, report=other)
    update = b"".join(one.report.pack() + one.signature for one in [forged, *others])
    underlying = other.underlying if field == "underlying" else ETH
    with reverts("Publishers_UnknownSigner"):
        observe(desk, update, underlying)


@pytest.mark.parametrize("domain", ["chain", "contract"])
def test_the_domain_is_signed(desk: SimpleNamespace, domain: str) -> None:
    changed = {"chain": {"chain_id": CHAIN_ID + 1}, "contract": {"contract": "0x" + "12" * 20}}
    desk.domain = replace(desk.domain, **changed[domain])
    update = pack_update(signed(desk, [report(desk)] * 3))
    with reverts("Publishers_UnknownSigner"):
        observe(desk, update)


def test_a_stranger_is_no_publisher(desk: SimpleNamespace) -> None:
    rows = [*signed(desk, [report(desk)] * 2), sign(report(desk), desk.domain, FORGER)]
    with reverts("Publishers_UnknownSigner", Account.from_key(FORGER).address.lower()):
        observe(desk, pack_update(rows))


def test_the_same_publisher_counts_once(desk: SimpleNamespace) -> None:
    rows = signed(desk, [report(desk)] * 2)
    update = b"".join(one.report.pack() + one.signature for one in [rows[0], rows[1], rows[1]])
    with reverts("Publishers_NotAscending", ADDRESSES[1], ADDRESSES[1]):
        observe(desk, update)
    with pytest.raises(ReportError):
        pack_update([rows[0], rows[1], rows[1]])


def test_signers_ascend(desk: SimpleNamespace) -> None:
    rows = signed(desk, [report(desk)] * 3)
    update = b"".join(one.report.pack() + one.signature for one in [rows[1], rows[0], rows[2]])
    with reverts("Publishers_NotAscending", ADDRESSES[1], ADDRESSES[0]):
        observe(desk, update)


def test_a_signature_without_a_signer_is_refused(desk: SimpleNamespace) -> None:
    rows = signed(desk, [report(desk)] * 3)
    rows[0] = replace(rows[0], signature=bytes(64))
    update = b"".join(one.report.pack() + one.signature for one in rows)
    with reverts("ECDSAInvalidSignature"):
        observe(desk, update)


def test_the_mirrored_signature_is_another_signer_or_none(desk: SimpleNamespace) -> None:
    """(r, n − s) has the same signer in plain ECDSA; ERC-2098 has no room for it."""
    rows = signed(desk, [report(desk)] * 3)
    r, vs = rows[0].signature[:32], int.from_bytes(rows[0].signature[32:], "big")
    parity, s = vs >> 255, vs % 2**255
    mirrored = ((GROUP_ORDER - s) | (1 - parity) << 255) % 2**256
    rows[0] = replace(rows[0], signature=r + mirrored.to_bytes(32, "big"))
    update = b"".join(one.report.pack() + one.signature for one in rows)
    assert refused(desk, update).name in {
        "ECDSAInvalidSignature",
        "ECDSAInvalidSignatureS",
        "Publishers_UnknownSigner",
    }


def test_too_few_reports(desk: SimpleNamespace) -> None:
    with reverts("Publishers_TooFew", 2, 3):
        observe(desk, pack_update(signed(desk, [report(desk)] * 2)))


@pytest.mark.parametrize("length", [1, REPORT_SIZE - 1, 3 * REPORT_SIZE + 1, 17 * REPORT_SIZE])
def test_malformed_data(desk: SimpleNamespace, length: int) -> None:
    with reverts("Publishers_Malformed", length):
        observe(desk, bytes(length))


def test_a_report_on_another_underlying_is_forged_here(desk: SimpleNamespace) -> None:
    update = pack_update(signed(desk, [report(desk)] * 3))
    with reverts("Publishers_UnknownSigner"):
        observe(desk, update, ETH + 1)


# ---- Times ------------------------------------------------------------------------------------


def test_no_report_is_of_the_future(desk: SimpleNamespace) -> None:
    rows = [report(desk), report(desk, age=-1), report(desk)]
    now = desk.world.now
    with reverts("Publishers_FutureReport", now + 1, now):
        observe(desk, pack_update(signed(desk, rows)))


def test_reports_are_of_one_time(desk: SimpleNamespace) -> None:
    rows = [report(desk), report(desk, age=61), report(desk)]
    with reverts("Publishers_TimesApart", desk.world.now - 61, desk.world.now):
        observe(desk, pack_update(signed(desk, rows)))


def test_a_replay_in_the_adapter_changes_nothing(desk: SimpleNamespace) -> None:
    world = desk.world
    world.configure(ETH, FeedConfig(sources=(desk.source.address,)))
    first = pack_update(signed(desk, [report(desk)] * 3))
    world.adapter.refresh([(ETH, [first])])
    world.advance(12)
    world.adapter.refresh([(ETH, [pack_update(signed(desk, [report(desk, 2010)] * 3))])])
    word = world.snapshot_word(ETH)
    world.advance(12)
    world.adapter.refresh([(ETH, [first])])
    assert world.snapshot_word(ETH) == word
    assert world.snapshot(ETH).price == 2010 * WAD


def test_forged_data_fails_the_refresh(desk: SimpleNamespace) -> None:
    desk.world.configure(ETH, FeedConfig(sources=(desk.source.address,)))
    with reverts("Publishers_Malformed", 5):
        desk.world.adapter.refresh([(ETH, [bytes(5)])])


# ---- Publishers -------------------------------------------------------------------------------


def test_former_publishers_are_gone(desk: SimpleNamespace) -> None:
    desk.source.setPublishers(ADDRESSES[2:], 2)
    assert [one.lower() for one in desk.source.publishers()] == [
        one.lower() for one in ADDRESSES[2:]
    ]
    assert desk.source.threshold() == 2
    update = pack_update(signed(desk, [report(desk)] * 2))
    with reverts("Publishers_UnknownSigner", ADDRESSES[0]):
        observe(desk, update)


def test_no_more_than_sixteen_publishers(desk: SimpleNamespace) -> None:
    many = ["0x" + f"{number:040x}" for number in range(1, 18)]
    desk.source.setPublishers(many[:16], 9)
    with reverts("Publishers_Count", 17, 16):
        desk.source.setPublishers(many, 9)


@pytest.mark.parametrize(("count", "threshold"), [(0, 0), (1, 0), (4, 2), (5, 2), (5, 6)])
def test_a_threshold_is_a_majority(desk: SimpleNamespace, count: int, threshold: int) -> None:
    with reverts("Publishers_Threshold", threshold, count):
        desk.source.setPublishers(ADDRESSES[:count], threshold)


@pytest.mark.parametrize("pair", [(0, 0), (1, 0)])
def test_publishers_ascend(desk: SimpleNamespace, pair: tuple[int, int]) -> None:
    before, after = (ADDRESSES[index] for index in pair)
    with reverts("Publishers_NotAscending", before, after):
        desk.source.setPublishers([before, after], 2)


def test_zero_is_no_publisher(desk: SimpleNamespace) -> None:
    zero = "0x" + "00" * 20
    with reverts("Publishers_NotAscending", zero, zero):
        desk.source.setPublishers([zero], 1)


def test_a_stranger_names_nobody(desk: SimpleNamespace) -> None:
    with reverts("AccessManagedUnauthorized", desk.world.stranger):
        desk.source.setPublishers(ADDRESSES, 3, sender=desk.world.stranger)


# ---- Packing ----------------------------------------------------------------------------------


def test_a_report_that_does_not_fit_is_not_packed(desk: SimpleNamespace) -> None:
    with pytest.raises(ReportError):
        replace(report(desk), price=2**128).pack()
    with pytest.raises(ReportError):
        replace(report(desk), time=-1).pack()


def test_reports_on_different_underlyings_are_not_packed(desk: SimpleNamespace) -> None:
    rows = signed(desk, [report(desk), replace(report(desk), underlying=ETH + 1)])
    with pytest.raises(ReportError):
        pack_update(rows)
