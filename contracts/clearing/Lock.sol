// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one lock of the system, and the mark of an open batch (specification §7.7)
/// @dev One transient word: it costs 200 gas and cannot stay shut. It is released explicitly, so that several calls of
/// one transaction may pass one after the other. The actions of a batch take the lock one by one; between them no code
/// but ours runs, save for the static calls by which the Exchange asks wallets.
abstract contract Lock {
    uint256 private constant LOCKED = 1;
    uint256 private constant BATCH = 2;

    uint256 private transient _state;

    /// @dev Thrown when a call arrives while another one is under way, or one that no batch may contain.
    error Clearinghouse_Locked();

    modifier lock() {
        uint256 before = _state;
        if (before & LOCKED != 0) revert Clearinghouse_Locked();
        _state = before | LOCKED;
        _;
        _state = before;
    }

    /// @dev For a whole batch; none may be opened within another or within a call.
    modifier batch() {
        _requireIdle();
        _state = BATCH;
        _;
        _state = 0;
    }

    /// @dev For views that value accounts: half-way through a change there is nothing true to say.
    modifier whenUnlocked() {
        _requireIdle();
        _;
    }

    function _isLocked() internal view returns (bool) {
        return _state != 0;
    }

    function _isBatchOpen() internal view returns (bool) {
        return _state & BATCH != 0;
    }

    function _requireIdle() private view {
        if (_isLocked()) revert Clearinghouse_Locked();
    }
}
