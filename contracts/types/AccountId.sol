// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Names an account: its owner's address in the high 20 bytes, the owner's own index in the low 12.
/// Index 0 is the owner's default account; every other index is an isolated one. Accounts need no registration.
type AccountId is bytes32;

using AccountIdLib for AccountId global;
using {equals as ==, differs as !=} for AccountId global;

function equals(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) == AccountId.unwrap(b);
}

function differs(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) != AccountId.unwrap(b);
}

library AccountIdLib {
    /// @notice The account `index` of `holder`.
    function make(address holder, uint96 index) internal pure returns (AccountId) {
        return AccountId.wrap(bytes32((uint256(uint160(holder)) << 96) | index));
    }

    /// @notice The only address that may withdraw from the account and sign for it.
    function owner(AccountId self) internal pure returns (address) {
        return address(bytes20(AccountId.unwrap(self)));
    }
}
