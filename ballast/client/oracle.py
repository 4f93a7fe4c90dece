"""Typed calls of the OracleAdapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ballast.client.book import AddressBook
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.signers import Signer
from ballast.codec import Snapshot


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """A request to refresh one feed; `data` for its sources in their order."""

    underlying: int
    data: tuple[bytes, ...] = ()

    def as_tuple(self) -> tuple[int, list[bytes]]:
        return self.underlying, list(self.data)


class Oracle:
    """The accepted prices."""

    NAME = "OracleAdapter"

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        self._chain = chain
        self.address = book.address(self.NAME)

    def _call(self, function: str, *args: object) -> Call:
        return Call(self.NAME, self.address, function, args)

    def refresh_call(self, updates: Sequence[PriceUpdate]) -> Call:
        return self._call("refresh", [update.as_tuple() for update in updates])

    def refresh(self, signer: Signer, updates: Sequence[PriceUpdate]) -> Receipt:
        return self._chain.send(signer, self.refresh_call(updates))

    def snapshot(self, underlying: int) -> Snapshot:
        return Snapshot.decode(self._chain.view(self._call("snapshot", underlying)))

    def snapshots(self, underlyings: Sequence[int]) -> list[Snapshot]:
        words = self._chain.view(self._call("snapshots", list(underlyings)))
        return [Snapshot.decode(word) for word in words]
