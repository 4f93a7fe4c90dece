"""Updates of Pyth for the keeper: from a Hermes service, or from a folder with its answers.

Pyth's signatures are checked by Pyth's contract, so whoever carries an update need not be trusted.
The PythSource pays the fees from its own balance (specification §5.2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import requests

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.errors import ContractError

PATH = "/v2/updates/price/latest"
TIMEOUT_SECONDS = 5.0
NO_FEED = bytes(32)


class Fetch(Protocol):
    """Where the newest update on a price comes from."""

    def __call__(self, price_id: bytes) -> Any:
        """An answer of Hermes. OSError or ValueError if there is none."""
        ...


def from_hermes(url: str) -> Fetch:
    """Asks a Hermes service; `url` is its root."""

    def fetch(price_id: bytes) -> Any:
        query = {"ids[]": "0x" + price_id.hex(), "encoding": "hex", "parsed": "false"}
        answer = requests.get(url.rstrip("/") + PATH, params=query, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json()

    return fetch


def from_folder(folder: Path) -> Fetch:
    """Reads `<price id>.json` of a folder, which somebody keeps up to date."""

    def fetch(price_id: bytes) -> Any:
        return json.loads((folder / f"0x{price_id.hex()}.json").read_text(encoding="utf-8"))

    return fetch


def read_price_ids(client: Client) -> dict[int, bytes]:
    """The price of each underlying that the PythSource reads."""
    address = client.book.address("PythSource")
    names = sorted(entry.id for entry in client.book.underlyings.values())
    calls = [Call("PythSource", address, "feed", (name,)) for name in names]
    found = zip(names, client.chain.batch(calls), strict=True)
    ids = {name: bytes(a[0]) for name, a in found if not isinstance(a, ContractError)}
    return {name: price_id for name, price_id in ids.items() if price_id != NO_FEED}


class PythUpdates:
    """The newest update on each feed. One that cannot be had is said, and left out."""

    def __init__(
        self,
        fetch: Fetch,
        price_ids: Callable[[], Mapping[int, bytes]],
        log: Callable[[str], None] = print,
    ) -> None:
        self._fetch = fetch
        self._price_ids = price_ids
        self._log = log

    def update(self, underlying: int, _now: int, _max_age: int) -> bytes:
        """One blob as the PythSource takes it; empty if there is none."""
        price_id = self._price_ids().get(underlying)
        if price_id is None:
            return b""
        try:
            return _blob(self._fetch(price_id))
        except requests.RequestException as error:  # its message repeats the URL, and keys in it
            return self._without(price_id, type(error).__name__)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            return self._without(price_id, str(error))

    def _without(self, price_id: bytes, why: str) -> bytes:
        self._log(f"prices: no update of Pyth on 0x{price_id.hex()[:8]}…: {why}")
        return b""


def _blob(answer: Any) -> bytes:
    """The first update of an answer of Hermes."""
    binary = answer["binary"]
    if binary["encoding"] != "hex":
        raise ValueError(f"encoding {binary['encoding']!r}, not hex")
    return bytes.fromhex(str(binary["data"][0]).removeprefix("0x"))
