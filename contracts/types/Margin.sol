// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice What a risk engine says of an account. All in WAD of cash.
/// @param equity Value of everything in the account, rounded down; no haircut.
/// @param initial Initial margin (IM), rounded up; at least that when only MM was asked for; zero for a witness.
/// @param maintenance Maintenance margin (MM), rounded up; a lower bound of it for a witness.
/// @param perpNotional Σ |size| × mark over the perpetuals, rounded up.
/// @param fresh Whether every price that the account rests on is fresh.
/// @param credit By how much prices that are not fresh may have moved in the account's favour, rounded down: what it
/// must lack besides to be liquidated (specification §6.10). Zero if all are fresh.
struct Margin {
    int256 equity;
    uint256 initial;
    uint256 maintenance;
    uint256 perpNotional;
    bool fresh;
    uint256 credit;
}

using MarginLib for Margin global;

library MarginLib {
    /// @notice Equity below which an account is called: min(1.1 × MM, IM), rounded up.
    function marginCall(Margin memory self) internal pure returns (uint256) {
        return Math.min(Math.ceilDiv(self.maintenance * 11, 10), self.initial);
    }
}

/// @notice Terms on which an engine lets an account be liquidated (specification §7). WAD ratios.
/// @param targetHealth Health at which a liquidation stops (β).
/// @param discountMin Discount on MM at health 1.
/// @param discountMax Discount on MM at `discountMaxHealth` and below; linear between.
/// @param discountMaxHealth Health at which the discount is greatest.
struct LiquidationTerms {
    uint256 targetHealth;
    uint256 discountMin;
    uint256 discountMax;
    uint256 discountMaxHealth;
}

/// @dev Assessment modes: everything; MM, with an upper bound of IM that costs no second valuation; or MM from one named
/// scenario (mode = 1 + index of the scenario).
uint256 constant ASSESS_ALL = 0;
uint256 constant ASSESS_MAINTENANCE = type(uint256).max;
