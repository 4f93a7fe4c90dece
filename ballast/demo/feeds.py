"""Prices of the demonstration: two kinds of sources, dated at the moment of a tick.

Rounds and reports are dated at the tick's own moment, which the chain has not reached yet: nobody
can use them before, and all become usable in the block of that moment, together.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.demo.cast import DEPLOYER, PUBLISHERS, USDC
from ballast.oracle.mirror import Observation
from ballast.oracle.prices import PriceRow, Quoting, make_report
from ballast.oracle.reports import Domain, Report, sign
from ballast.oracle.transport import write_reports
from ballast.units import BPS, WAD

NOISE, NOISE_ONE = 5 * 100, BPS * 100  # five basis points by which a publisher is off the path
SPREAD_BPS = 3  # half-width that a publisher states
LEAN_BPS = 6  # greatest lean of the perpetual against the index, with the last move


class Feeds:
    """The aggregators' owner and the publishers, in one place."""

    def __init__(self, client: Client, folder: Path, seed: int) -> None:
        self._client = client
        self._folder = folder
        self._random = random.Random(seed)
        self._last: dict[str, int] = {}
        quorum = client.book.address("QuorumSource")
        self._domain = Domain(client.book.chain_id, quorum)

    def offer(self, row: PriceRow) -> dict[int, tuple[Observation, ...]]:
        """Publishes a row; what the sources of each feed will say when its moment comes."""
        reports = self._publish(row)
        offered = {}
        for name, price in {USDC: WAD, **row.prices}.items():
            entry = self._client.book.underlying(name)
            said = {"chainlink": self._answer(name, price, row.time)}
            if entry.id in reports:
                said["quorum"] = joined(reports[entry.id])
            offered[entry.id] = tuple(said[source] for source in entry.sources)
        self._last = row.prices
        return offered

    # ---- Aggregators ----

    def _answer(self, name: str, price: int, moment: int) -> Observation:
        """The owner lets an aggregator answer; what the source makes of it."""
        entry = self._client.book.underlying(name)
        source = self._client.book.address("ChainlinkSource")
        config = self._client.chain.view(Call("ChainlinkSource", source, "feed", (entry.id,)))
        unit = 10 ** (18 - config.decimals)
        answer = price // unit
        call = Call("MockAggregator", config.aggregator, "setRound", (answer, moment, moment))
        self._client.chain.send(DEPLOYER.signer, call)
        return Observation(answer * unit, answer * unit * config.deviationBps // BPS, moment)

    # ---- Publishers ----

    def _report(self, row: PriceRow, lean: Mapping[str, int]) -> list[Report]:
        """One publisher's view of a row: the path with a little noise."""
        reports = []
        for name, price in row.prices.items():
            noisy = price * (NOISE_ONE + self._random.randint(-NOISE, NOISE)) // NOISE_ONE
            underlying = self._client.book.underlying(name).id
            quoting = Quoting(SPREAD_BPS, lean[name])
            reports.append(make_report(underlying, noisy, row.time, quoting))
        return reports

    def _publish(self, row: PriceRow) -> dict[int, list[Report]]:
        """Every publisher signs its reports and puts them into the folder; by underlying."""
        lean = {name: self._lean(name, price) for name, price in row.prices.items()}
        found: dict[int, list[Report]] = {}
        for publisher in PUBLISHERS:
            reports = self._report(row, lean)
            signed = [sign(report, self._domain, publisher.key.key) for report in reports]
            write_reports(self._folder, self._domain, signed)
            for report in reports:
                found.setdefault(report.underlying, []).append(report)
        return found

    def _lean(self, name: str, price: int) -> int:
        """Basis points by which the perpetual trades off the index: after a fall, below it."""
        last = self._last.get(name, price)
        return max(-LEAN_BPS, min(LEAN_BPS, (price - last) * 1000 // last))


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
