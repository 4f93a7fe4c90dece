// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The joint scenarios and their names (specification §6.1)
/// @dev 23 columns. 0 … 17: core node `i` of 9, moving every underlying by (i − 4)/4 of its scan range, with implied
/// volatility up (column 2·i) or down (2·i + 1). 18 … 22: tail moves of −66 %, −33 %, +50 %, +100 % and +300 %, weighted
/// by min(1, θ·R/|move|). Nodes are addressed by index, never by comparing rounded moves. Ratios count 1e-8.
library Scenarios {
    uint256 internal constant COLUMNS = 23;
    uint256 internal constant CORE_COLUMNS = 18;
    uint256 internal constant TAILS = 5;

    /// @dev κ_v: the part of an expiry's worst vol shock that no other expiry offsets, 1e-4.
    uint256 internal constant TERM_RATE = 4000;

    /// @dev Greatest scan range at which θ·R is within the smallest tail move, 33 %.
    uint256 internal constant WIDEST_WITHOUT_TAILS = 36_666_666;

    /// @notice Quarters of the scan range by which a core column moves prices, −4 … 4.
    function quarters(uint256 column) internal pure returns (int256) {
        return int256(column >> 1) - 4;
    }

    /// @notice Size and direction of a tail move.
    function tail(uint256 index) internal pure returns (uint256 size, bool down) {
        if (index == 0) return (0.66e8, true);
        if (index == 1) return (0.33e8, true);
        if (index == 2) return (0.5e8, false);
        return (index == 3 ? 1e8 : 3e8, false);
    }

    /// @notice 1 + move of a tail and its logarithm as `Logarithm` has it, WAD.
    function tailFactor(uint256 index) internal pure returns (int256 log, uint256 factor) {
        if (index == 0) return (-1078809661371929773, 0.34e18);
        if (index == 1) return (-400477566597125759, 0.67e18);
        if (index == 2) return (405465108108165125, 1.5e18);
        return index == 3 ? (int256(693147180559954608), 2e18) : (int256(1386294361119899917), 4e18);
    }

    /// @notice Weight × |move| of a tail at a scan range: min(|move|, θ·R) with θ = 0.9, rounded up.
    function weightedMove(uint256 size, uint256 range) internal pure returns (uint256 move) {
        unchecked {
            // A range is at most 0.6e8.
            move = (range * 9 + 9) / 10;
            if (move > size) move = size;
        }
    }
}
