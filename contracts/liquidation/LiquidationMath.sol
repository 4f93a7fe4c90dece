// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {LiquidationTerms} from "../types/Margin.sol";

/// @title The algebra of a liquidation (specification §10.2)
/// @dev With E equity, MM maintenance, d discount, p = min(d·MM, E): taking the fraction x leaves E − x·p over
/// (1 − x)·MM, so health never falls, and x* = (β·MM − E)/(β·MM − p) brings it to β.
library LiquidationMath {
    uint256 private constant WAD = 1e18;

    /// @dev Below this maintenance margin an account is taken whole: the rest would be worth nobody's while.
    uint256 internal constant DUST = 50e18;
    uint256 private constant INSURANCE_SHARE = 0.2e18;

    /// @notice What a whole account is sold below its equity, WAD, rounded down: p = min(d·MM, E).
    function discountOf(LiquidationTerms memory terms, uint256 equity, uint256 maintenance)
        internal
        pure
        returns (uint256)
    {
        uint256 lowHealthEquity = Math.mulDiv(terms.discountMaxHealth, maintenance, WAD);
        uint256 discount = terms.discountMax;
        if (equity > lowHealthEquity) {
            // Linear in health from the greatest discount to the least at health 1.
            discount = terms.discountMin
                + Math.mulDiv(
                    terms.discountMax - terms.discountMin, maintenance - equity, maintenance - lowHealthEquity
                );
        }
        return Math.min(Math.mulDiv(discount, maintenance, WAD), equity);
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
        uint256 target = Math.mulDiv(terms.targetHealth, maintenance, WAD);
        return Math.mulDiv(target - equity, WAD, target - discount);
    }

    /// @notice What the liquidator pays for a fraction: to the account rounded down, to the insurance rounded up.
    function paymentFor(uint256 fraction, uint256 equity, uint256 discount)
        internal
        pure
        returns (uint256 payment, uint256 insurance, uint256 reward)
    {
        payment = Math.mulDiv(fraction, equity - discount, WAD);
        uint256 gain = Math.mulDiv(fraction, discount, WAD);
        insurance = Math.mulDiv(gain, INSURANCE_SHARE, WAD, Math.Rounding.Ceil);
        reward = gain - insurance;
    }
}
