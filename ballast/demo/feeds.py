"""Prices of the demonstration: two kinds of sources, dated at the moment of a tick.

Rounds and reports are dated at the tick's own moment, which the chain has not reached yet: nobody
can use them before, and all become usable in the block of that moment, together.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.demo.cast import DEPLOYER, PUBLISHERS, USDC
from ballast.demo.paths import Tick
from ballast.oracle.mirror import Observation
from ballast.oracle.reports import Domain, Report
from ballast.units import BPS, to_units, to_wad

NOISE_BPS = 5  # how far a publisher is from the path
WIDTH_BPS = 3  # half-width that a publisher states
IMPACT_BPS = 4  # half of the spread of a sized order
LEAN_BPS = 6  # greatest lean of the perpetual against the index, with the last move


class Feeds:
    """The aggregators' owner and the publishers, in one place."""

    def __init__(self, client: Client, folder: Path, seed: int) -> None:
        self._client = client
        self._folder = folder
        self._random = random.Random(seed)
        self._last: dict[str, Decimal] = {}
        quorum = client.book.address("QuorumSource")
        self._domain = Domain(client.book.chain_id, quorum)

    def offer(self, tick: Tick) -> dict[int, tuple[Observation, ...]]:
        """Publishes a tick; what the sources of each feed will say when its moment comes."""
        prices = {USDC: Decimal(1), **tick.prices}
        offered = {}
        for name, price in prices.items():
            entry = self._client.book.underlying(name)
            reports = self._reports(entry.id, name, price, tick.time)
            said = {"chainlink": self._answer(name, price, tick.time)}
            if "quorum" in entry.sources:
                self._publish(reports)
                said["quorum"] = joined(reports)
            offered[entry.id] = tuple(said[source] for source in entry.sources)
        self._last = prices
        return offered

    # ---- Aggregators ----

    def _answer(self, name: str, price: Decimal, moment: int) -> Observation:
        """The owner lets an aggregator answer; what the source makes of it."""
        entry = self._client.book.underlying(name)
        source = self._client.book.address("ChainlinkSource")
        config = self._client.chain.view(Call("ChainlinkSource", source, "feed", (entry.id,)))
        answer = to_units(price, config.decimals, "floor")
        call = Call("MockAggregator", config.aggregator, "setRound", (answer, moment, moment))
        self._client.chain.send(DEPLOYER.signer, call)
        wad = answer * 10 ** (18 - config.decimals)
        return Observation(wad, wad * config.deviationBps // BPS, moment)

    # ---- Publishers ----

    def _reports(self, underlying: int, name: str, price: Decimal, moment: int) -> list[Report]:
        """One report a publisher: the path with a little noise, the perpetual leaning along."""
        lean = self._lean(name, price)
        return [self._report(underlying, to_wad(price, "floor"), lean, moment) for _ in PUBLISHERS]

    def _report(self, underlying: int, price: int, lean: int, moment: int) -> Report:
        noisy = price * (BPS * 100 + self._random.randint(-NOISE_BPS * 100, NOISE_BPS * 100))
        seen = noisy // (BPS * 100)
        return Report(
            underlying=underlying,
            price=seen,
            confidence=seen * WIDTH_BPS // BPS,
            time=moment,
            impact_bid=seen * (BPS + lean - IMPACT_BPS) // BPS,
            impact_ask=seen * (BPS + lean + IMPACT_BPS) // BPS,
        )

    def _lean(self, name: str, price: Decimal) -> int:
        """Basis points by which the perpetual trades off the index: after a fall, below it."""
        last = self._last.get(name, price)
        move = int((price / last - 1) * 1000)
        return max(-LEAN_BPS, min(LEAN_BPS, move))

    def _publish(self, reports: Sequence[Report]) -> None:
        raise NotImplementedError


def joined(reports: Sequence[Report]) -> Observation:
    """What the QuorumSource makes of an odd number of reports of one moment: the medians."""
    middle = len(reports) // 2

    def median(field: str) -> int:
        return int(sorted(getattr(report, field) for report in reports)[middle])

    return Observation(
        price=median("price"),
        confidence=median("confidence"),
        time=min(report.time for report in reports),
        impact_bid=median("impact_bid"),
        impact_ask=median("impact_ask"),
    )
