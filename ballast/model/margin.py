"""What the model needs of prices and of risk engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ballast.codec import Snapshot
from ballast.units import div_ceil

ASSESS_ALL = 0
ASSESS_MAINTENANCE = 2**256 - 1  # MM, and an upper bound of IM


@dataclass(frozen=True, slots=True)
class Margin:
    """What an engine says of an account. WAD of cash; equity rounds down, requirements up."""

    equity: int
    initial: int
    maintenance: int
    perp_notional: int
    fresh: bool
    credit: int = 0
    """By how much prices that are not fresh may have moved in the account's favour."""

    @property
    def margin_call(self) -> int:
        """Equity below which the account is called."""
        return min(div_ceil(self.maintenance * 11, 10), self.initial)

    @property
    def unhealthy(self) -> bool:
        """Whether it is under its maintenance margin, whatever its stale prices did unseen."""
        return self.equity + self.credit < self.maintenance


@dataclass(frozen=True, slots=True)
class LiquidationTerms:
    """Terms on which an engine lets accounts be liquidated, WAD ratios."""

    target_health: int
    discount_min: int
    discount_max: int
    discount_max_health: int


class Engine(Protocol):
    """A risk engine."""

    @property
    def terms(self) -> LiquidationTerms:
        """Terms of liquidation."""
        ...

    def supports_asset(self, asset: int) -> bool:
        """Whether it has parameters for a collateral asset."""
        ...

    def assess(self, cash: int, mode: int, words: Sequence[int], now: int) -> Margin:
        """Assess an account; funding is folded into the words."""
        ...

    def fair_price(self, series: int, now: int) -> tuple[int, int]:
        """Price of one unit of an option and its delta, WAD."""
        ...


class Prices(Protocol):
    """The accepted prices."""

    def snapshot(self, underlying: int) -> Snapshot:
        """The accepted snapshot of a feed; empty if none ever was."""
        ...

    def outage_until(self) -> int:
        """Time until which an outage of the sequencer keeps everybody from being liquidated."""
        ...

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry: its volatility, or its settlement."""
        ...

    def is_listed(self, underlying: int, expiry: int, strike: int) -> bool:
        """Whether options of the strike (WAD) may be opened now."""
        ...
