"""Average entry prices, which no contract keeps: they are read from the events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ballast.client.book import AddressBook
from ballast.client.chain import Chain
from ballast.client.events import Event, scan
from ballast.codec import AccountId, Instrument, Kind, Snapshot
from ballast.units import WAD


@dataclass(frozen=True, slots=True)
class Held:
    """A perpetual or an option, and the average price that its size was entered at, WAD; None if a
    part of an option came by a slice, which has no price."""

    size: int
    entry: int | None


class Entries:
    """Follows the fills and slices of all accounts, in the order of the chain.

    Adding averages, reducing keeps, and turning begins at the price of the fill. A slice of a
    perpetual is entered at the mark that was accepted last.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._held: dict[tuple[bytes, Instrument], Held] = {}
        self._marks: dict[int, int] = {}
        for event in events:
            self.take(event)

    def of(self, account: AccountId, instrument: Instrument) -> Held | None:
        """What an account holds of a perpetual or an option; None for nothing."""
        return self._held.get((bytes(account), instrument))

    def take(self, event: Event) -> None:
        """Follow one event; those of other kinds are passed over."""
        args = event.args
        if event.name == "PriceAccepted":
            self._marks[args["underlying"]] = Snapshot.decode(args["snapshot"]).mark
        elif event.name == "SliceTransferred":
            self._slice(bytes(args["from"]), bytes(args["into"]), args["fraction"])
        elif event.name == "Traded":
            instrument = Instrument(args["instrument"])
            if instrument.kind != Kind.COLLATERAL:
                self._fill(bytes(args["taker"]), instrument, args["size"], args["price"])
                self._fill(bytes(args["maker"]), instrument, -args["size"], args["price"])
        elif event.name == "OptionSettled":
            self._held.pop((bytes(args["account"]), Instrument(args["series"])), None)

    def _slice(self, giver: bytes, taker: bytes, fraction: int) -> None:
        for (account, instrument), held in list(self._held.items()):
            if account == giver:
                part = abs(held.size) * fraction // WAD  # rounds towards zero, as the chain does
                moved = part if held.size > 0 else -part
                price = self._marks[instrument.id] if instrument.kind == Kind.PERP else None
                self._fill(giver, instrument, -moved, price)
                self._fill(taker, instrument, moved, price)

    def _fill(self, account: bytes, instrument: Instrument, size: int, price: int | None) -> None:
        if size == 0:
            return
        before = self._held.pop((account, instrument), Held(0, 0))
        after = before.size + size
        if after == 0:
            return
        entry = before.entry
        if before.size * size >= 0:
            entry = _average(before, size, price)
        elif before.size * after < 0:
            entry = price
        self._held[account, instrument] = Held(after, entry)


def _average(before: Held, size: int, price: int | None) -> int | None:
    if before.entry is None or price is None:
        return None
    value = abs(before.size) * before.entry + abs(size) * price
    return value // (abs(before.size) + abs(size))


def read_entries(chain: Chain, book: AddressBook) -> Entries:
    """Entry prices from all events of a deployment."""
    return Entries(_events(chain, book))


def _events(chain: Chain, book: AddressBook) -> Iterator[Event]:
    sources = (
        ("Clearinghouse", ("Traded", "SliceTransferred", "OptionSettled")),
        ("OracleAdapter", ("PriceAccepted",)),
    )
    last = chain.block_number
    found = [
        event
        for name, wanted in sources
        for event in scan(chain, name, book.address(name), book.block, last=last, names=wanted)
    ]
    yield from sorted(found, key=lambda event: (event.block, event.index))
