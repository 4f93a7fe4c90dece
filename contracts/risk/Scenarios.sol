// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The joint scenarios and their names (specification §6.1)
/// @dev 23 columns. 0 … 17: core node `i` of 9, moving every underlying by (i − 4)/4 of its scan range, with implied
/// volatility up (column 2·i) or down (2·i + 1). 18 … 22: tail moves of −66 %, −33 %, +50 %, +100 % and +300 %, weighted
/// by min(1, θ·R/|move|). Nodes are addressed by index, never by comparing rounded moves.
library Scenarios {
    uint256 internal constant COLUMNS = 23;
    uint256 internal constant CORE_COLUMNS = 18;
    uint256 internal constant TAILS = 5;

    /// @dev θ of the tail weights, WAD.
    uint256 internal constant THETA = 0.9e18;

    /// @dev Smallest |move| of a tail, WAD: while θ·R stays at or under it, every tail of a linear book is θ times a
    /// core node.
    uint256 internal constant SMALLEST_TAIL = 0.33e18;

    /// @notice Quarters of the scan range by which a core column moves prices, −4 … 4.
    function quarters(uint256 column) internal pure returns (int256) {
        return int256(column / 2) - 4;
    }

    /// @notice Move of a tail, WAD.
    function tailMove(uint256 tail) internal pure returns (int256) {
        if (tail == 0) return -0.66e18;
        if (tail == 1) return -0.33e18;
        if (tail == 2) return 0.5e18;
        if (tail == 3) return 1e18;
        return 3e18;
    }

    /// @notice Weight × move of a tail at a scan range, WAD: the move, cut to θ·R in size.
    function weightedTailMove(uint256 tail, uint256 range) internal pure returns (int256) {
        int256 move = tailMove(tail);
        int256 cut = int256(THETA * range / 1e18);
        if (move < 0) return move < -cut ? -cut : move;
        return move > cut ? cut : move;
    }
}
