// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice At most eight expiries in one word, ascending from the lowest 32 bits, zeros above them.
type ExpiryList is uint256;

using ExpiryListLib for ExpiryList global;

library ExpiryListLib {
    uint256 internal constant CAPACITY = 8;

    function count(ExpiryList self) internal pure returns (uint256 n) {
        while (n < CAPACITY && at(self, n) != 0) ++n;
    }

    /// @notice The expiry at a place; zero beyond the last one.
    function at(ExpiryList self, uint256 index) internal pure returns (uint256) {
        return uint32(ExpiryList.unwrap(self) >> (32 * index));
    }

    /// @notice The list with `expiry`, which it has not, for at most seven others.
    function insert(ExpiryList self, uint256 expiry) internal pure returns (ExpiryList) {
        uint256 index;
        while (at(self, index) != 0 && at(self, index) < expiry) ++index;
        (uint256 low, uint256 high) = _split(self, index);
        return ExpiryList.wrap(low | (expiry << (32 * index)) | (high << (32 * index + 32)));
    }

    /// @notice The list without `expiry`, which it has.
    function remove(ExpiryList self, uint256 expiry) internal pure returns (ExpiryList) {
        uint256 index;
        while (at(self, index) != expiry) ++index;
        (uint256 low, uint256 high) = _split(self, index);
        return ExpiryList.wrap(low | ((high >> 32) << (32 * index)));
    }

    /// @notice The expiries next to `expiry`; zero where there is none.
    function neighbours(ExpiryList self, uint256 expiry)
        internal
        pure
        returns (uint256 before, uint256 next)
    {
        for (uint256 i; i < CAPACITY; ++i) {
            uint256 one = at(self, i);
            if (one == 0) break;
            if (one < expiry) before = one;
            if (one > expiry) return (before, one);
        }
    }

    function _split(ExpiryList self, uint256 index) private pure returns (uint256 low, uint256 high) {
        uint256 word = ExpiryList.unwrap(self);
        return (word & ((1 << (32 * index)) - 1), word >> (32 * index));
    }
}
