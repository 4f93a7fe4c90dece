"""Signed volatility reports: what publishers sign, and updates as the VolatilityQuorum reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.address import to_checksum_address

from ballast.codec import VolatilitySlice
from ballast.eip712 import ContractDomain
from ballast.oracle.reports import ReportError, compact

REPORT_SIZE = 89

_TYPES = {
    "VolatilityReport": [
        {"name": "underlying", "type": "uint16"},
        {"name": "expiry", "type": "uint32"},
        {"name": "a", "type": "int32"},
        {"name": "b", "type": "uint32"},
        {"name": "rho", "type": "int24"},
        {"name": "mu", "type": "int24"},
        {"name": "s", "type": "uint24"},
        {"name": "forward", "type": "uint32"},
        {"name": "time", "type": "uint32"},
    ]
}


class VolatilityDomain(ContractDomain):
    """The VolatilityQuorum that reports are signed for."""

    NAME = "Ballast VolatilityQuorum"


@dataclass(frozen=True, slots=True)
class VolatilityReport:
    """One publisher's view of one expiry; the slice carries the time of the report."""

    underlying: int
    expiry: int
    slice: VolatilitySlice

    @property
    def time(self) -> int:
        """When it was made, unix seconds."""
        return self.slice.time

    def message(self, domain: VolatilityDomain) -> SignableMessage:
        """What a publisher signs."""
        names = ("a", "b", "rho", "mu", "s", "forward", "time")
        values = {name: getattr(self.slice, name) for name in names}
        identity = {"underlying": self.underlying, "expiry": self.expiry}
        return encode_typed_data(domain.as_dict(), _TYPES, identity | values)

    def pack(self) -> bytes:
        """The report as an update carries it, without the signature."""
        if not self.slice.fits:
            raise ReportError(f"{self} does not fit an update")
        word: int = self.slice.encode() >> 32
        return word.to_bytes(25, "big")


@dataclass(frozen=True, slots=True)
class SignedVolatility:
    """A report, who signed it, and the compact signature (ERC-2098)."""

    report: VolatilityReport
    signer: str
    signature: bytes


def sign(report: VolatilityReport, domain: VolatilityDomain, key: str | bytes) -> SignedVolatility:
    """Sign a report with a private key."""
    report.pack()
    signed = Account.sign_message(report.message(domain), key)
    signer = to_checksum_address(Account.from_key(key).address)
    return SignedVolatility(report, str(signer), compact(signed.r, signed.s, signed.v))


def pack_update(reports: Iterable[SignedVolatility]) -> bytes:
    """One update of reports on one expiry by different publishers, in any order."""
    ordered = sorted(reports, key=lambda signed: int(signed.signer, 16))
    if len({signed.signer for signed in ordered}) != len(ordered):
        raise ReportError("a publisher signed twice")
    if len({(signed.report.underlying, signed.report.expiry) for signed in ordered}) > 1:
        raise ReportError("the reports are on different expiries")
    return b"".join(signed.report.pack() + signed.signature for signed in ordered)


def build_updates(reports: Iterable[SignedVolatility]) -> list[tuple[int, int, bytes]]:
    """Arguments of `refreshVolatility`: expiries ascending, then, but for the last, descending.

    A surface that falls must be taken in from the near expiries on and one that rises from the far
    ones on, or a slice crosses its old neighbour; a slice that was accepted once is left alone the
    second time.
    """
    groups: dict[tuple[int, int], list[SignedVolatility]] = {}
    for signed in reports:
        key = (signed.report.underlying, signed.report.expiry)
        groups.setdefault(key, []).append(signed)
    ascending = [(*key, pack_update(groups[key])) for key in sorted(groups)]
    return ascending + ascending[-2::-1]
