// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {LiquidationTerms} from "../types/Margin.sol";

/// @title The algebra of a liquidation (specification §10.2)
/// @dev With E equity, MM maintenance, d discount, p = min(d·MM, E): taking the fraction x leaves E − x·p over
/// (1 − x)·MM, so health never falls, and x* = (β·MM − E)/(β·MM − p) brings it to β. Products stay under 2^230: an
/// account's money is under 2^168 (§6.7), ratios are at most 2^61.
library LiquidationMath {
    uint256 private constant WAD = 1e18;

    /// @dev Below this maintenance margin an account is taken whole: the rest would be worth nobody's while.
    uint256 internal constant DUST = 50e18;
    uint256 private constant INSURANCE_SHARE = 0.2e18;

    /// @dev The time part: a quarter within the patience, and all of it at the limit for those that are nearly bankrupt.
    uint256 private constant PATIENCE = 15 minutes;
    uint256 private constant LIMIT = 2 hours;
    uint256 private constant PATIENT_DISCOUNT = 0.25e18;

    /// @notice The discount d on MM, WAD, rounded down: the greater of the parts that health and proven time give.
    /// @param proven Seconds for which the account is proven to be under its maintenance margin.
    function discountRate(LiquidationTerms memory terms, uint256 equity, uint256 maintenance, uint256 proven)
        internal
        pure
        returns (uint256 rate)
    {
        rate = _healthPart(terms, equity, maintenance);
        if (proven != 0) rate = FixedPointMathLib.max(rate, _timePart(equity, maintenance, proven));
    }

    /// @notice What a whole account is sold below its equity, WAD, rounded down: p = min(d·MM, E).
    function discountOf(uint256 rate, uint256 equity, uint256 maintenance) internal pure returns (uint256) {
        return FixedPointMathLib.min(FixedPointMathLib.mulWad(rate, maintenance), equity);
    }

    /// @notice The fraction that restores the account to its target health, WAD, rounded down; one for dust.
    /// @param full Whether `maintenance` is the whole MM: a witness may be small where the account is not.
    function fractionToTarget(
        LiquidationTerms memory terms,
        uint256 equity,
        uint256 maintenance,
        uint256 discount,
        bool full
    ) internal pure returns (uint256) {
        if (full && maintenance < DUST) return WAD;
        uint256 target = FixedPointMathLib.mulWad(terms.targetHealth, maintenance);
        unchecked {
            // discount ≤ equity < maintenance ≤ target
            return FixedPointMathLib.mulDiv(target - equity, WAD, target - discount);
        }
    }

    /// @notice What the liquidator pays for a fraction: to the account rounded down, to the insurance rounded up.
    function paymentFor(uint256 fraction, uint256 equity, uint256 discount)
        internal
        pure
        returns (uint256 payment, uint256 insurance, uint256 reward)
    {
        unchecked {
            // discount ≤ equity, and a fifth rounded up is at most the whole
            payment = FixedPointMathLib.mulWad(fraction, equity - discount);
            uint256 gain = FixedPointMathLib.mulWad(fraction, discount);
            insurance = FixedPointMathLib.mulWadUp(gain, INSURANCE_SHARE);
            reward = gain - insurance;
        }
    }

    /// @dev Linear in health from the greatest discount to the least at health 1.
    function _healthPart(LiquidationTerms memory terms, uint256 equity, uint256 maintenance)
        private
        pure
        returns (uint256)
    {
        uint256 lowEquity = FixedPointMathLib.mulWad(terms.discountMaxHealth, maintenance);
        if (equity <= lowEquity) return terms.discountMax;
        unchecked {
            // lowEquity < equity < maintenance, and an engine's discounts are ordered
            uint256 span = terms.discountMax - terms.discountMin;
            uint256 part = FixedPointMathLib.mulDiv(span, maintenance - equity, maintenance - lowEquity);
            return terms.discountMin + part;
        }
    }

    /// @dev Linear in proven time; beyond the patience only while E < MM/4.
    function _timePart(uint256 equity, uint256 maintenance, uint256 proven) private pure returns (uint256) {
        if (proven <= PATIENCE) return PATIENT_DISCOUNT * proven / PATIENCE;
        if (equity >= maintenance / 4) return PATIENT_DISCOUNT;
        if (proven >= LIMIT) return WAD;
        return PATIENT_DISCOUNT + (WAD - PATIENT_DISCOUNT) * (proven - PATIENCE) / (LIMIT - PATIENCE);
    }
}
