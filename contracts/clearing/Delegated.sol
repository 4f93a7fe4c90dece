// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Code that runs for another contract
/// @dev Called by itself it has no accounts, no money and no authority, and so it answers nothing at all.
abstract contract Delegated {
    address private immutable _SELF = address(this);

    /// @dev Thrown when the extension is called at its own address.
    error Clearinghouse_NotDelegated();

    modifier viaClearinghouse() {
        _requireDelegated();
        _;
    }

    function _requireDelegated() private view {
        if (address(this) == _SELF) revert Clearinghouse_NotDelegated();
    }
}
