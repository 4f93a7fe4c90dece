"""Volatility reports on their way to keepers: files beside those of prices."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError as EthValidationError

from ballast.codec import VolatilitySlice
from ballast.fields import FieldError, Fields
from ballast.oracle.transport import KEPT_FILES, expand
from ballast.volatility.reports import SignedVolatility, VolatilityDomain, VolatilityReport

_NAME = re.compile(r"volatility-(0x[0-9a-fA-F]{40})-([0-9]{1,10})\.json")
_WORD = re.compile(r"[0-9a-f]{50}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


def write_volatility(
    folder: Path, domain: VolatilityDomain, reports: Sequence[SignedVolatility]
) -> Path:
    """Write the reports of one signer at one time in one step, and remove its oldest files."""
    signer, time = reports[0].signer, reports[0].report.slice.time
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"volatility-{signer}-{time}.json"
    data = {
        "chainId": domain.chain_id,
        "source": domain.contract,
        "signer": signer,
        "reports": [
            {
                "underlying": one.report.underlying,
                "expiry": one.report.expiry,
                "slice": one.report.pack().hex(),
                "signature": one.signature.hex(),
            }
            for one in reports
        ],
    }
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(data, indent=1) + "\n")
    partial.replace(path)
    for old in _files(folder, None).get(signer.lower(), [])[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return path


def read_volatility(
    folder: Path, domain: VolatilityDomain, now: int | None = None
) -> list[SignedVolatility]:
    """The newest reports of every signer up to a time, signatures checked; files that mean nothing
    are skipped."""
    found: list[SignedVolatility] = []
    for files in _files(folder, now).values():
        for path in reversed(files):
            try:
                found.extend(_parse(json.loads(path.read_text()), domain))
            except (OSError, ValueError):
                continue
            break
    return found


def newest_files(folder: Path, now: int) -> list[Path]:
    """The newest file of every signer up to a time."""
    return sorted(files[-1] for files in _files(folder, now).values())


def _files(folder: Path, now: int | None) -> dict[str, list[Path]]:
    """The files of each signer up to a time, oldest first."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("volatility-0x*.json"):
        match = _NAME.fullmatch(path.name)
        if match and (now is None or int(match[2]) <= now):
            found.setdefault(match[1].lower(), []).append((int(match[2]), path))
    return {signer: [path for _, path in sorted(files)] for signer, files in found.items()}


def _parse(data: object, domain: VolatilityDomain) -> list[SignedVolatility]:
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


def _report(fields: Fields, signer: str, domain: VolatilityDomain) -> SignedVolatility:
    word, text = fields.text("slice"), fields.text("signature")
    if not _WORD.fullmatch(word):
        raise fields.refuse("slice", "25 bytes in hex")
    if not _SIGNATURE.fullmatch(text):
        raise fields.refuse("signature", "64 bytes in hex")
    report = VolatilityReport(
        underlying=fields.integer("underlying", greatest=0xFFFF),
        expiry=fields.integer("expiry", greatest=2**32 - 1),
        slice=VolatilitySlice.decode(int(word, 16) << 32),
    )
    signature = bytes.fromhex(text)
    if _recover(report, domain, signature) != signer.lower():
        raise fields.refuse("signature", f"made by {signer}")
    return SignedVolatility(report, signer, signature)


def _recover(report: VolatilityReport, domain: VolatilityDomain, signature: bytes) -> str:
    """Who signed a report, in small letters; empty if nobody can have."""
    try:
        found = Account.recover_message(report.message(domain), signature=expand(signature))
    except (BadSignature, EthValidationError):
        return ""
    return str(found).lower()
