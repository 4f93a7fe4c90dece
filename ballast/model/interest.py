"""Interest on cash: the mirror of `InterestState.sol` and the arithmetic of `Cash.sol`.

Indices count 1e-17, rates 1e-9 a year; cash is WAD. Claims round down, debts up.
"""

from __future__ import annotations

from dataclasses import dataclass

from ballast.units import WAD, YEAR, div_ceil

INDEX_ONE = 10**17
MAX_INDEX = 2**64 - 1
RATE_YEAR = 10**9 * YEAR

RATE_BASE = 20_000_000
RATE_SLOPE = 80_000_000
RATE_STEEP = 900_000_000
KINK = 85 * 10**16
LENDERS_SHARE_PERCENT = 80


@dataclass(frozen=True, slots=True)
class InterestState:
    """The indices as they stood at `time`, and the rates that hold from then."""

    supply_index: int
    debt_index: int
    supply_rate: int
    debt_rate: int
    time: int

    @classmethod
    def start(cls, now: int) -> InterestState:
        """Both indices at one, no rates."""
        return cls(INDEX_ONE, INDEX_ONE, 0, 0, now)

    def indices_at(self, now: int) -> tuple[int, int]:
        """Supply index (rounded down) and debt index (rounded up) at `now`; they saturate."""
        elapsed = now - self.time
        supply = self.supply_index + self.supply_index * self.supply_rate * elapsed // RATE_YEAR
        debt = self.debt_index + div_ceil(self.debt_index * self.debt_rate * elapsed, RATE_YEAR)
        return min(supply, MAX_INDEX), min(debt, MAX_INDEX)


@dataclass(frozen=True, slots=True)
class Totals:
    """Σ of scaled positive balances and Σ of scaled debts."""

    supply: int = 0
    debt: int = 0


@dataclass(slots=True)
class CashFlow:
    """The indices that one call runs at and what it did to the totals so far."""

    supply_index: int
    debt_index: int
    supply_delta: int = 0
    debt_delta: int = 0

    def to_cash(self, scaled: int) -> int:
        """Cash behind a scaled balance, WAD, rounded against the account."""
        if scaled >= 0:
            return scaled * self.supply_index // INDEX_ONE
        return -div_ceil(-scaled * self.debt_index, INDEX_ONE)

    def to_scaled(self, cash: int) -> int:
        """Scaled balance of an amount of cash, rounded against the account."""
        if cash >= 0:
            return cash * INDEX_ONE // self.supply_index
        return -div_ceil(-cash * INDEX_ONE, self.debt_index)

    def rescale(self, scaled_before: int, cash: int) -> int:
        """Scale an account's new cash and take the change of the totals in."""
        scaled = self.to_scaled(cash)
        self.supply_delta += max(scaled, 0) - max(scaled_before, 0)
        self.debt_delta += max(-scaled, 0) - max(-scaled_before, 0)
        return scaled


def rates(supply: int, debt: int, tokens: int) -> tuple[int, int]:
    """Yearly supply and debt rate for cash lent, cash owed and tokens held, WAD; rounded down."""
    if debt == 0:
        return 0, 0
    utilisation = debt * WAD // (debt + tokens)
    if utilisation <= KINK:
        debt_rate = RATE_BASE + RATE_SLOPE * utilisation // KINK
    else:
        debt_rate = RATE_BASE + RATE_SLOPE + RATE_STEEP * (utilisation - KINK) // (WAD - KINK)
    base = max(supply, debt + tokens)
    return debt_rate * LENDERS_SHARE_PERCENT * debt // (100 * base), debt_rate


def kept_back(state: InterestState, totals: Totals, flow: CashFlow) -> int:
    """What debtors paid since the state stood and lenders do not get, WAD, rounded down."""
    paid = totals.debt * (flow.debt_index - state.debt_index) // INDEX_ONE
    earned = div_ceil(totals.supply * (flow.supply_index - state.supply_index), INDEX_ONE)
    return max(paid - earned, 0)
