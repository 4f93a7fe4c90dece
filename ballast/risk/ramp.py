"""A governed ratio on its way to another value: the mirror of `contracts/math/Ramp.sol`."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.units import div_ceil

STEP = 10**4  # the ends count 1e-4, what lies between 1e-8


@dataclass(frozen=True, slots=True)
class Ramp:
    """Values in 1e-4, times in unix seconds."""

    origin: int
    target: int
    start: int = 0
    end: int = 0

    @classmethod
    def level(cls, value: int) -> Ramp:
        """A ratio that does not move."""
        return cls(value, value)

    @classmethod
    def decode(cls, word: int) -> Ramp:
        """A ramp from its 96 bits."""
        origin, target = word >> 80, word >> 64 & 0xFFFF
        return cls(origin, target, word >> 32 & 0xFFFFFFFF, word & 0xFFFFFFFF)

    def encode(self) -> int:
        """The 96 bits of the contract."""
        return self.origin << 80 | self.target << 64 | self.start << 32 | self.end

    def at_down(self, now: int) -> int:
        """The value at a time in 1e-8, rounded down."""
        weighted, length = self._at(now)
        return weighted // length

    def at_up(self, now: int) -> int:
        """The value at a time in 1e-8, rounded up."""
        weighted, length = self._at(now)
        return div_ceil(weighted, length)

    def towards(self, value: int, now: int, duration: int, *, up: bool) -> Ramp:
        """A ramp to another value that begins where this one is, rounded up or down to 1e-4."""
        origin = div_ceil(self.at_up(now), STEP) if up else self.at_down(now) // STEP
        return Ramp(origin, value, now, now + duration)

    def _at(self, now: int) -> tuple[int, int]:
        if now >= self.end:
            return self.target * STEP, 1
        if now <= self.start:
            return self.origin * STEP, 1
        weighted = self.origin * (self.end - now) + self.target * (now - self.start)
        return weighted * STEP, self.end - self.start
