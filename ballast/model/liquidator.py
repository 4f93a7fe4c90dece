"""The Liquidator: discount, fraction, payments (specification §10). WAD throughout."""

from __future__ import annotations

from dataclasses import dataclass

from ballast.codec import AccountId
from ballast.model.clearinghouse import Clearinghouse, Slice, owns
from ballast.model.margin import ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin
from ballast.model.refusal import require
from ballast.model.state import Flag, State, atomic
from ballast.units import WAD, mul_ceil, mul_floor

DUST = 50 * WAD
INSURANCE_SHARE = WAD // 5

PATIENCE = 15 * 60  # of proven time, in which the discount grows to a quarter
LIMIT = 2 * 60 * 60  # of proven time, in which it grows to all of MM
PATIENT_DISCOUNT = WAD // 4
MAX_STEP = 5 * 60  # counted between two proofs
LIFETIME = 60 * 60  # of a flag without proof


@dataclass(frozen=True, slots=True)
class Liquidation:
    """What a liquidation took and paid, WAD."""

    fraction: int
    payment: int
    insurance: int
    reward: int


def discount_rate(terms: LiquidationTerms, equity: int, maintenance: int, proven: int = 0) -> int:
    """The discount d on MM, rounded down: the greater of what health and proven time give."""
    health_part = _health_part(terms, equity, maintenance)
    return max(health_part, _time_part(equity, maintenance, proven))


def _health_part(terms: LiquidationTerms, equity: int, maintenance: int) -> int:
    low = mul_floor(terms.discount_max_health, maintenance)
    if equity <= low:
        return terms.discount_max
    span = terms.discount_max - terms.discount_min
    return terms.discount_min + span * (maintenance - equity) // (maintenance - low)


def _time_part(equity: int, maintenance: int, proven: int) -> int:
    if proven <= PATIENCE:
        return PATIENT_DISCOUNT * proven // PATIENCE
    if equity >= maintenance // 4:
        return PATIENT_DISCOUNT
    if proven >= LIMIT:
        return WAD
    rest = (WAD - PATIENT_DISCOUNT) * (proven - PATIENCE)
    return PATIENT_DISCOUNT + rest // (LIMIT - PATIENCE)


def mode_of(witness: int) -> int:
    """What is asked of the engine: of IM a bound will do."""
    return ASSESS_MAINTENANCE if witness == ASSESS_ALL else witness


def discount_of(terms: LiquidationTerms, equity: int, maintenance: int, proven: int = 0) -> int:
    """What a whole account is sold below its equity, rounded down: min(d·MM, E)."""
    rate = discount_rate(terms, equity, maintenance, proven)
    return min(mul_floor(rate, maintenance), equity)


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
        margin = house.margin(account, mode_of(witness))
        self._require_unhealthy(account, margin)
        require(margin.equity >= 0, "Liquidator_Bankrupt", account.value, margin.equity)
        terms = house.liquidation_terms(account)
        flag = self._proved(account) if self.is_flagged(account) else None
        proven = flag.proven if flag else 0
        discount = discount_of(terms, margin.equity, margin.maintenance, proven)
        full = witness == ASSESS_ALL
        best = fraction_to_target(terms, margin.equity, margin.maintenance, discount, full=full)
        taken = min(fraction, best)
        require(taken != 0, "Liquidator_ZeroFraction")
        deal = payment_for(taken, margin.equity, discount)
        enough = deal.reward >= min_value
        require(enough, "Liquidator_RewardBelowMinimum", deal.reward, min_value)
        if flag and full and taken == best:
            del self.state.flags[account]
        elif flag:
            self.state.flags[account] = flag
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

    # ---- Flags --------------------------------------------------------------------------------

    @atomic
    def flag(self, account: AccountId, *, witness: int = ASSESS_ALL) -> int:
        """Prove an account unhealthy; the seconds proven so far."""
        self._require_unhealthy(account, self.clearinghouse.margin(account, mode_of(witness)))
        flag = self.state.flags[account] = self._proved(account)
        return flag.proven

    @atomic
    def clear_flag(self, account: AccountId) -> None:
        """End the flag of an account that recovered."""
        self.check_flagged(account)
        margin = self.clearinghouse.margin(account, ASSESS_ALL)
        require(margin.fresh, "Liquidator_PriceNotFresh", account.value)
        values = (account.value, margin.equity, margin.margin_call)
        require(margin.equity >= margin.margin_call, "Liquidator_NotRecovered", *values)
        del self.state.flags[account]

    def discount_rate(self, account: AccountId, *, witness: int = ASSESS_ALL) -> int:
        """The discount on MM at which an account would be liquidated now."""
        house = self.clearinghouse
        margin = house.margin(account, mode_of(witness))
        self._require_unhealthy(account, margin)
        equity, proven = max(margin.equity, 0), self._proved(account).proven
        terms = house.liquidation_terms(account)
        return discount_rate(terms, equity, margin.maintenance, proven)

    def is_flagged(self, account: AccountId) -> bool:
        """Whether proven time counts: not if the last proof is over an hour old."""
        flag = self.state.flags.get(account)
        return flag is not None and self.clearinghouse.now - flag.last_proof <= LIFETIME

    def _proved(self, account: AccountId) -> Flag:
        """The flag after a proof now."""
        now, total = self.clearinghouse.now, 0
        if self.is_flagged(account):
            flag = self.state.flags[account]
            total = flag.proven + min(now - flag.last_proof, MAX_STEP)
        return Flag(now, total)

    def check_flagged(self, account: AccountId) -> None:
        """There is a flag: checked before prices are refreshed."""
        require(account in self.state.flags, "Liquidator_NotFlagged", account.value)

    def _require_unhealthy(self, account: AccountId, margin: Margin) -> None:
        healthy = margin.equity >= margin.maintenance
        values = (account.value, margin.equity, margin.maintenance)
        require(not healthy, "Liquidator_Healthy", *values)
        if margin.fresh:
            return
        house = self.clearinghouse
        until = house.prices.outage_until()
        require(house.now >= until, "Liquidator_SequencerOutage", until)
        credited = (account.value, margin.equity, margin.credit, margin.maintenance)
        require(margin.unhealthy, "Liquidator_Credited", *credited)
