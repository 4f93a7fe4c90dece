"""Price reports for both sides: what the contracts are sent, and what the model observes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ballast.deploy.config import CHAINLINK
from ballast.oracle.mirror import Observation
from ballast.oracle.reports import compact
from ballast.units import BPS, WAD
from tests.property.signing import REPORT_TYPE, Domain, sign, words
from tests.property.stage import Stage, aggregators
from tests.support.system import PUBLISHERS

NOTHING = Observation()
CENTS = 10**10  # a unit of an aggregator of 8 decimals, in WAD


@dataclass(frozen=True)
class Reported:
    """A report of the quorum."""

    update: bytes
    seen: Observation


SILENT = Reported(b"", NOTHING)


class PriceFeeds:
    """The aggregators and the publishers of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._aggregators = aggregators(stage)
        self._configs = {one.id: one for one in stage.config.underlyings}
        quorum = stage.contract("QuorumSource")
        self._domain = Domain("Ballast QuorumSource", 31337, quorum.address)
        self._keys = publisher_keys(stage)
        self.answers = {u: self._latest(u) for u in self._configs}

    def _latest(self, underlying: int) -> tuple[int, int]:
        answer = self._aggregators[underlying].latestRoundData()
        return answer[1], answer[3]

    def price(self, underlying: int) -> int:
        """What the aggregator says, WAD dollars."""
        return self.answers[underlying][0] * CENTS

    def answer(self, underlying: int, price: int) -> None:
        """Let the aggregator answer a price (WAD dollars) as of now."""
        self._stage.begin_call()
        value, now = max(price // CENTS, 1), self._stage.time
        self._aggregators[underlying].setRound(value, now, now, sender=self._stage.deployer)
        self.answers[underlying] = value, now

    def observed(self, underlying: int, now: int) -> Observation:
        """What the ChainlinkSource makes of it."""
        answer, time = self.answers[underlying]
        config = self._configs[underlying].chainlink
        if now - time > config.heartbeat:
            return NOTHING
        price = answer * CENTS
        return Observation(price, price * config.deviation_bps // BPS, time)

    def report(self, underlying: int, price: int, spread: int, premium: int) -> Reported:
        """Two publishers report a price each, `spread` (1e-4) apart; the impact prices stand
        `premium` (1e-5, signed) off and one of the publishers sees them a little wider."""
        now = self._stage.time
        parts, seen = [], []
        for index in range(2):
            mine = price + index * (price * spread // BPS)
            edge = price + price * premium // 10**5
            bid, ask = edge - index * 10**9, edge + (1 + index) * 10**9
            one = Observation(mine, mine * 2 // BPS, now - index, bid, ask)
            parts.append(self._signed(underlying, one, self._keys[index]))
            seen.append(one)
        a, b = seen
        joined = Observation(
            (a.price + b.price) // 2,
            max(a.confidence, b.confidence),
            min(a.time, b.time),
            min(a.impact_bid, b.impact_bid),
            max(a.impact_ask, b.impact_ask),
        )
        return Reported(b"".join(parts), joined)

    def _signed(self, underlying: int, one: Observation, key: bytes) -> bytes:
        fields = (one.price, one.confidence, one.impact_bid, one.impact_ask)
        digest = self._domain.digest(words(REPORT_TYPE, underlying, *fields, one.time))
        packed = b"".join(field.to_bytes(16, "big") for field in fields)
        return packed + one.time.to_bytes(4, "big") + compact(*sign(digest, key))

    def update(
        self, underlying: int, reported: Reported, now: int
    ) -> tuple[tuple[int, list[bytes]], tuple[int, list[Observation]]]:
        """An update of one feed for the contracts and for the model, its sources in order."""
        data, seen = [], []
        for source in self._configs[underlying].sources:
            pushed = source == CHAINLINK
            data.append(b"" if pushed else reported.update)
            seen.append(self.observed(underlying, now) if pushed else reported.seen)
        return (underlying, data), (underlying, seen)


def publisher_keys(stage: Stage) -> list[bytes]:
    """The keys of the publishers, ascending by address."""
    actors = sorted((stage.actor(role) for role in PUBLISHERS), key=_number)
    return [bytes(actor.key) for actor in actors]


def _number(actor: Any) -> int:
    return int(actor.address, 16)


def dollars(value: int) -> int:
    return value * WAD
