// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What an account's owner lets somebody else do, and until when (specification §8.2).
///
/// | bits     | field       | meaning                                    |
/// |----------|-------------|--------------------------------------------|
/// |  0 …  7  | permissions | sum of the constants below                 |
/// |  8 … 71  | expiry      | last second at which they hold, unix time  |
type Mandate is uint256;

using MandateLib for Mandate global;

/// @dev Sign orders of the account and cancel them.
uint8 constant PERMISSION_TRADE = 1;
/// @dev Make the account hold an asset that it did not hold.
uint8 constant PERMISSION_DEPOSIT = 2;
/// @dev Transfer to another account of the same owner.
uint8 constant PERMISSION_TRANSFER = 4;
/// @dev Withdraw to the owner's own address.
uint8 constant PERMISSION_WITHDRAW = 8;
/// @dev Select the account's risk engine.
uint8 constant PERMISSION_MANAGE = 16;
/// @dev All of them.
uint8 constant PERMISSION_ALL = 31;

library MandateLib {
    function make(uint8 permissions_, uint64 expiry_) internal pure returns (Mandate) {
        return Mandate.wrap((uint256(expiry_) << 8) | permissions_);
    }

    function permissions(Mandate self) internal pure returns (uint8) {
        return uint8(Mandate.unwrap(self));
    }

    function expiry(Mandate self) internal pure returns (uint64) {
        return uint64(Mandate.unwrap(self) >> 8);
    }

    /// @notice Whether every bit of `wanted` is permitted at `time`.
    function allows(Mandate self, uint8 wanted, uint256 time) internal pure returns (bool) {
        return time <= self.expiry() && self.permissions() & wanted == wanted;
    }
}
