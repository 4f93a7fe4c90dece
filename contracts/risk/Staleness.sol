// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title How much more is asked of positions on a price that is not fresh (specification §6.2)
library Staleness {
    uint256 private constant RATIO = 1e8;
    uint256 private constant STEP = 4 hours;

    /// @notice √(1 + age/4 h) in 1e-8, rounded up. Under 2^36, for an age has 32 bits.
    function widening(uint256 age) internal pure returns (uint256 root) {
        uint256 square = RATIO * RATIO * (STEP + age);
        assembly ("memory-safe") {
            square := div(add(square, sub(STEP, 1)), STEP) // under 2^54 · 2^33, rounded up
        }
        root = FixedPointMathLib.sqrt(square);
        if (root * root < square) ++root;
    }
}
