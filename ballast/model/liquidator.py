"""The Liquidator: discount, fraction, payments (specification §10). WAD throughout."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.codec import AccountId
from ballast.model.clearinghouse import Clearinghouse, Slice, owns
from ballast.model.margin import ASSESS_ALL, LiquidationTerms, Margin
from ballast.model.refusal import require
from ballast.model.state import State, atomic
from ballast.units import WAD, mul_ceil, mul_floor

DUST = 50 * WAD
INSURANCE_SHARE = WAD // 5


@dataclass(frozen=True, slots=True)
class Liquidation:
    """What a liquidation took and paid, WAD."""

    fraction: int
    payment: int
    insurance: int
    reward: int


def discount_of(terms: LiquidationTerms, equity: int, maintenance: int) -> int:
    """What a whole account is sold below its equity, rounded down: min(d·MM, E)."""
    low = mul_floor(terms.discount_max_health, maintenance)
    discount = terms.discount_max
    if equity > low:
        span = terms.discount_max - terms.discount_min
        discount = terms.discount_min + span * (maintenance - equity) // (maintenance - low)
    return min(mul_floor(discount, maintenance), equity)


def fraction_to_target(
    terms: LiquidationTerms, equity: int, maintenance: int, discount: int, *, full: bool = True
) -> int:
    """The fraction that restores the target health, rounded down; one for dust.

    `full` says that `maintenance` is the whole MM: a witness may be small where the account is not.
    """
    if full and maintenance < DUST:
        return WAD
    target = mul_floor(terms.target_health, maintenance)
    return (target - equity) * WAD // (target - discount)


def payment_for(fraction: int, equity: int, discount: int) -> Liquidation:
    """What the liquidator pays: to the account rounded down, to the insurance rounded up."""
    payment = mul_floor(fraction, equity - discount)
    gain = mul_floor(fraction, discount)
    insurance = mul_ceil(gain, INSURANCE_SHARE)
    return Liquidation(fraction, payment, insurance, gain - insurance)


class Liquidator:
    """Liquidates accounts of a model Clearinghouse."""

    def __init__(self, clearinghouse: Clearinghouse) -> None:
        self.clearinghouse = clearinghouse

    @property
    def state(self) -> State:
        """The state that the Clearinghouse keeps."""
        return self.clearinghouse.state

    @atomic
    def liquidate(
        self,
        caller: str,
        account: AccountId,
        into: AccountId,
        *,
        fraction: int,
        min_value: int = 0,
        witness: int = 0,
    ) -> Liquidation:
        """Take at most a fraction of an account into the caller's."""
        self.check_owner(caller, into)
        house = self.clearinghouse
        margin = house.margin(account, witness)
        self._require_liquidatable(account, margin)
        terms = house.liquidation_terms(account)
        discount = discount_of(terms, margin.equity, margin.maintenance)
        full = witness == ASSESS_ALL
        best = fraction_to_target(terms, margin.equity, margin.maintenance, discount, full=full)
        taken = min(fraction, best)
        require(taken != 0, "Liquidator_ZeroFraction")
        deal = payment_for(taken, margin.equity, discount)
        enough = deal.reward >= min_value
        require(enough, "Liquidator_RewardBelowMinimum", deal.reward, min_value)
        module = house.addresses.liquidator
        house.transfer_slice(
            module,
            Slice(
                account, into, taken, deal.payment, deal.insurance, margin.equity, margin.initial
            ),
        )
        return deal

    @staticmethod
    def check_owner(caller: str, into: AccountId) -> None:
        """The receiving account is the caller's: checked before prices are refreshed."""
        require(owns(into, caller), "Liquidator_NotOwner", into.value, caller.lower())

    @staticmethod
    def _require_liquidatable(account: AccountId, margin: Margin) -> None:
        healthy = margin.equity >= margin.maintenance
        values = (account.value, margin.equity, margin.maintenance)
        require(not healthy, "Liquidator_Healthy", *values)
        require(margin.fresh, "Liquidator_PriceNotFresh", account.value)
        require(margin.equity >= 0, "Liquidator_Bankrupt", account.value, margin.equity)
