"""Volatility reports for both sides: what the board is sent, and what the model reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ballast.codec import VolatilitySlice
from ballast.deploy.names import VOLATILITY_QUORUM
from ballast.oracle.reports import compact
from ballast.volatility.reports import VolatilityReport
from tests.property.prices import publisher_keys
from tests.property.signing import VOLATILITY_TYPE, Domain, sign, words
from tests.property.stage import Stage

CALM = VolatilitySlice(a=500_000, b=6_000_000, rho=-200_000, mu=10_000, s=500_000)
"""About 55 % at the money."""


class SlicePublishers:
    """The publishers of a stage; two of them must sign."""

    def __init__(self, stage: Stage) -> None:
        quorum = stage.contract(VOLATILITY_QUORUM)
        self._domain = Domain("Ballast VolatilityQuorum", 31337, quorum.address)
        self._keys = publisher_keys(stage)

    def update(
        self, underlying: int, expiry: int, reports: Sequence[VolatilitySlice]
    ) -> tuple[tuple[int, int, bytes], tuple[int, int, Sequence[VolatilitySlice]]]:
        """Reports of an expiry by the first publishers, for the contracts and for the model."""
        parts = [
            self._signed(underlying, expiry, one, key)
            for one, key in zip(reports, self._keys, strict=False)
        ]
        return (underlying, expiry, b"".join(parts)), (underlying, expiry, reports)

    def _signed(self, underlying: int, expiry: int, one: VolatilitySlice, key: bytes) -> bytes:
        fields = (one.a, one.b, one.rho, one.mu, one.s, one.forward, one.time)
        digest = self._domain.digest(words(VOLATILITY_TYPE, underlying, expiry, *fields))
        return VolatilityReport(underlying, expiry, one).pack() + compact(*sign(digest, key))


def scaled(base: VolatilitySlice, factor: int) -> VolatilitySlice:
    """A slice with its volatilities multiplied, `factor` in 1e-4."""
    square = factor * factor
    return replace(base, a=base.a * square // 10**8, b=base.b * square // 10**8)
