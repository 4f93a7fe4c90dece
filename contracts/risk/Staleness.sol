// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title What a price that is not fresh costs a position, and what it may be worth to it (specification §6.2, §6.10)
library Staleness {
    uint256 private constant RATIO = 1e8;
    uint256 private constant STEP = 4 hours;
    uint256 private constant MAX_CREDITED_AGE = 1 hours;
    uint256 private constant MOST_SURCHARGE = 2e8;

    /// @notice √(1 + age/4 h) in 1e-8, rounded up. Under 2^36, for an age has 32 bits.
    function widening(uint256 age) internal pure returns (uint256 root) {
        uint256 square = RATIO * RATIO * (STEP + age);
        assembly ("memory-safe") {
            square := div(add(square, sub(STEP, 1)), STEP) // under 2^54 · 2^33, rounded up
        }
        root = FixedPointMathLib.sqrt(square);
        if (root * root < square) ++root;
    }

    /// @notice What a volatility slice that is overdue adds to the vol risk of its expiry in IM: its widening less one, at
    /// most two, 1e-8.
    function surcharge(uint256 overdue) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.min(widening(overdue) - RATIO, MOST_SURCHARGE);
        }
    }

    /// @notice The part of a price by which it may have moved unseen: range · age/4 h, rounded down; none after an hour.
    /// @dev At most a quarter of the range, so an exposure is never credited with more than its own part of MM, 0.80 of
    /// the range and add-ons.
    function shift(uint256 range, uint256 age) internal pure returns (uint256) {
        if (age > MAX_CREDITED_AGE) return 0;
        unchecked {
            return range * age / STEP; // a range is under 2^27
        }
    }
}
