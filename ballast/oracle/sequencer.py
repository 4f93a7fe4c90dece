"""Whether the chain's sequencer is up: the mirror of `Sequencer.sol` (specification §5.9)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_OUTAGE = 24 * 3600
UP, DOWN = 0, 1


@dataclass(frozen=True, slots=True)
class Sequencer:
    """What the feed of the uptime answers, since when, and the grace after an outage; seconds."""

    grace: int
    answer: int = UP
    since: int = 1

    def is_halted(self, now: int) -> bool:
        """Whether prices count as not fresh."""
        return not self._is_valid(now) or self.answer == DOWN or now < self.since + self.grace

    def outage_until(self, now: int) -> int:
        """Time until which nobody is liquidated; a feed that is broken shields nobody."""
        if not self._is_valid(now):
            return 0
        return self.since + (MAX_OUTAGE if self.answer == DOWN else self.grace)

    def _is_valid(self, now: int) -> bool:
        return self.answer in (UP, DOWN) and 0 < self.since <= now
