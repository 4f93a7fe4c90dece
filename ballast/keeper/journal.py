"""What a keeper did, one JSON object a line: for its books, and for whoever looks after it."""

from __future__ import annotations

import json
from pathlib import Path

from ballast.client.chain import Receipt


class Journal:
    """Appends to a file; without one, nothing is kept."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def write(self, action: str, receipt: Receipt, **values: object) -> None:
        """One transaction. Amounts are WAD integers, written as texts so that nothing rounds."""
        if self._file is None:
            return
        entry = {
            "action": action,
            "transaction": receipt.hash,
            "block": receipt.block,
            "gas": receipt.gas_used,
            **{name: _plain(value) for name, value in values.items()},
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")


def _plain(value: object) -> object:
    return value if isinstance(value, list) else str(value)
