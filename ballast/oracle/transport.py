"""How reports get from publishers to keepers: a folder that both can see.

A publisher writes one file a tick, `<signer>-<time>.json`, in one step; a keeper takes the newest
file of each signer whose signatures hold. The folder may be synchronised or served by anything: a
report is worth its signature, not its place.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError as EthValidationError

from ballast.fields import FieldError, Fields
from ballast.oracle.reports import Domain, Report, SignedReport

KEPT_FILES = 3
_NAME = re.compile(r"(0x[0-9a-fA-F]{40})-([0-9]{1,10})\.json")
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{128}")


def write_reports(folder: Path, domain: Domain, reports: Sequence[SignedReport]) -> Path:
    """Write the reports of one signer at one time, and remove its oldest files."""
    signer, time = reports[0].signer, reports[0].report.time
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{signer}-{time}.json"
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(_to_json(domain, reports), indent=1) + "\n")
    partial.replace(path)
    for old in _files(folder).get(signer.lower(), [])[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return path


def read_reports(folder: Path, domain: Domain, now: int | None = None) -> list[SignedReport]:
    """The newest reports of every signer, signatures checked; none that is dated after `now`, which
    a chain would refuse. Files that mean nothing are skipped: a stranger's rubbish must not stop a
    keeper."""
    found: list[SignedReport] = []
    for files in _files(folder, now).values():
        for path in reversed(files):
            try:
                reports = _from_json(json.loads(path.read_text()), domain)
            except (OSError, ValueError):
                continue
            found.extend(reports)
            break
    return found


def _files(folder: Path, now: int | None = None) -> dict[str, list[Path]]:
    """The files of each signer up to a time, oldest first."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("0x*.json"):
        match = _NAME.fullmatch(path.name)
        if match and (now is None or int(match[2]) <= now):
            found.setdefault(match[1].lower(), []).append((int(match[2]), path))
    return {signer: [path for _, path in sorted(files)] for signer, files in found.items()}


def _to_json(domain: Domain, reports: Sequence[SignedReport]) -> dict[str, object]:
    return {
        "chainId": domain.chain_id,
        "source": domain.contract,
        "signer": reports[0].signer,
        "reports": [
            {
                "underlying": signed.report.underlying,
                "price": str(signed.report.price),
                "confidence": str(signed.report.confidence),
                "impactBid": str(signed.report.impact_bid),
                "impactAsk": str(signed.report.impact_ask),
                "time": signed.report.time,
                "signature": "0x" + signed.signature.hex(),
            }
            for signed in reports
        ],
    }


def _from_json(data: object, domain: Domain) -> list[SignedReport]:
    top = Fields("", data)
    if top.integer("chainId") != domain.chain_id:
        raise top.refuse("chainId", str(domain.chain_id))
    if top.address("source").lower() != domain.contract.lower():
        raise top.refuse("source", domain.contract)
    signer = top.address("signer")
    items = top.data.get("reports")
    if not isinstance(items, list):
        raise FieldError("reports must be a list")
    return [_report(Fields(f"reports[{i}]", one), signer, domain) for i, one in enumerate(items)]


def _report(fields: Fields, signer: str, domain: Domain) -> SignedReport:
    numbers = (int(fields.text(key)) for key in ("price", "confidence", "impactBid", "impactAsk"))
    price, confidence, bid, ask = numbers
    report = Report(
        underlying=fields.integer("underlying", greatest=0xFFFF),
        price=price,
        confidence=confidence,
        time=fields.integer("time", greatest=2**32 - 1),
        impact_bid=bid,
        impact_ask=ask,
    )
    text = fields.text("signature")
    if not _SIGNATURE.fullmatch(text):
        raise fields.refuse("signature", "64 bytes in hex")
    signature = bytes.fromhex(text[2:])
    if _recover(report, domain, signature) != signer.lower():
        raise fields.refuse("signature", f"made by {signer}")
    report.pack()
    return SignedReport(report, signer, signature)


def _recover(report: Report, domain: Domain, signature: bytes) -> str:
    """Who signed a report, in small letters; empty if nobody can have."""
    try:
        found = Account.recover_message(report.message(domain), signature=expand(signature))
    except (BadSignature, EthValidationError):
        return ""
    return str(found).lower()


def expand(signature: bytes) -> bytes:
    """The 65 bytes r ‖ s ‖ v of a compact signature (ERC-2098)."""
    vs = int.from_bytes(signature[32:], "big")
    v, s = 27 + (vs >> 255), vs & ((1 << 255) - 1)
    return signature[:32] + s.to_bytes(32, "big") + bytes([v])


def shorten(signature: bytes) -> bytes:
    """The compact form (ERC-2098) of the 65 bytes r ‖ s ‖ v."""
    vs = int.from_bytes(signature[32:64], "big") | (signature[64] - 27) << 255
    return signature[:32] + vs.to_bytes(32, "big")
