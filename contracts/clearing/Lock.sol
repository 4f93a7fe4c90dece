// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one lock of the system
/// @dev Transient: it costs 200 gas and cannot stay shut. It is released explicitly, so that several calls of one
/// transaction may pass one after the other.
abstract contract Lock {
    bool private transient _locked;

    /// @dev Thrown when a call arrives while another one is under way.
    error Clearinghouse_Locked();

    modifier lock() {
        if (_locked) revert Clearinghouse_Locked();
        _locked = true;
        _;
        _locked = false;
    }

    function _isLocked() internal view returns (bool) {
        return _locked;
    }

    /// @dev For views that value accounts: half-way through a change there is nothing true to say.
    modifier whenUnlocked() {
        if (_locked) revert Clearinghouse_Locked();
        _;
    }
}
