"""Signed price reports: what publishers sign, and updates as the QuorumSource reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.address import to_checksum_address

from ballast.eip712 import ContractDomain

REPORT_SIZE = 132

_TYPES = {
    "Report": [
        {"name": "underlying", "type": "uint16"},
        {"name": "price", "type": "uint256"},
        {"name": "confidence", "type": "uint256"},
        {"name": "impactBid", "type": "uint256"},
        {"name": "impactAsk", "type": "uint256"},
        {"name": "time", "type": "uint256"},
    ]
}


class ReportError(ValueError):
    """Reports that the chain would refuse."""


class Domain(ContractDomain):
    """The QuorumSource that reports are signed for."""

    NAME = "Ballast QuorumSource"


@dataclass(frozen=True, slots=True)
class Report:
    """One publisher's view of one underlying. Prices in WAD dollars, time in unix seconds.

    The impact prices say at which price a sized order in the perpetual would fill; both zero if
    unknown.
    """

    underlying: int
    price: int
    confidence: int
    time: int
    impact_bid: int = 0
    impact_ask: int = 0

    def message(self, domain: Domain) -> SignableMessage:
        """What a publisher signs."""
        return encode_typed_data(
            domain.as_dict(),
            _TYPES,
            {
                "underlying": self.underlying,
                "price": self.price,
                "confidence": self.confidence,
                "impactBid": self.impact_bid,
                "impactAsk": self.impact_ask,
                "time": self.time,
            },
        )

    def pack(self) -> bytes:
        """The report as an update carries it, without the signature."""
        fields = (self.price, self.confidence, self.impact_bid, self.impact_ask)
        try:
            packed = b"".join(field.to_bytes(16, "big") for field in fields)
            return packed + self.time.to_bytes(4, "big")
        except OverflowError:
            raise ReportError(f"{self} does not fit an update") from None


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A report, who signed it, and the compact signature (ERC-2098)."""

    report: Report
    signer: str
    signature: bytes


def compact(r: int, s: int, v: int) -> bytes:
    """A signature in the 64 bytes of ERC-2098; `s` must be the lower of the two."""
    return r.to_bytes(32, "big") + (s | (v - 27) << 255).to_bytes(32, "big")


def sign(report: Report, domain: Domain, key: str | bytes) -> SignedReport:
    """Sign a report with a private key."""
    signed = Account.sign_message(report.message(domain), key)
    signer = to_checksum_address(Account.from_key(key).address)
    return SignedReport(report, str(signer), compact(signed.r, signed.s, signed.v))


def pack_update(reports: Iterable[SignedReport]) -> bytes:
    """One update of reports on one underlying by different publishers, in any order."""
    ordered = sorted(reports, key=lambda signed: int(signed.signer, 16))
    if len({signed.signer for signed in ordered}) != len(ordered):
        raise ReportError("a publisher signed twice")
    if len({signed.report.underlying for signed in ordered}) > 1:
        raise ReportError("the reports are on different underlyings")
    return b"".join(signed.report.pack() + signed.signature for signed in ordered)
