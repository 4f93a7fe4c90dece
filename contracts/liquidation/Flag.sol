// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice For how long an account is proven to be under its maintenance margin, in one word; zero if it is not flagged.
///
/// | bits     | field                                    |
/// |----------|------------------------------------------|
/// | 64 … 127 | seconds proven so far                    |
/// |  0 … 63  | time of the last proof, unix seconds     |
///
/// @dev Only proven time counts: a proof adds the time since the one before, and no more than a keeper who watches can
/// be away. An hour without proof and the flag means nothing.
type Flag is uint256;

using FlagLib for Flag global;

library FlagLib {
    uint256 private constant MAX_STEP = 5 minutes;
    uint256 private constant LIFETIME = 1 hours;

    /// @notice The flag after a proof: a new one if it was not alive.
    function prove(Flag self, uint256 nowTime) internal pure returns (Flag) {
        uint256 total;
        if (isAlive(self, nowTime)) {
            uint256 elapsed = nowTime - lastProof(self);
            total = proven(self) + (elapsed < MAX_STEP ? elapsed : MAX_STEP);
        }
        return Flag.wrap(total << 64 | nowTime);
    }

    function isAlive(Flag self, uint256 nowTime) internal pure returns (bool) {
        return Flag.unwrap(self) != 0 && nowTime - lastProof(self) <= LIFETIME;
    }

    function lastProof(Flag self) internal pure returns (uint256) {
        return uint64(Flag.unwrap(self));
    }

    function proven(Flag self) internal pure returns (uint256) {
        return Flag.unwrap(self) >> 64;
    }
}
