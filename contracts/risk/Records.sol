// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Lists of records in memory: the next record at 0x00, its key at 0x20; zero is the end
library Records {
    /// @notice The record of a key, zero if the list has none.
    /// @dev The end of a list is a place too, the scratch space: with the key at 0x20 there, the search stops by itself.
    function find(uint256 record, uint256 key) internal pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(0x20, key)
            for {} xor(mload(add(record, 0x20)), key) {} { record := mload(record) }
        }
        return record;
    }
}
