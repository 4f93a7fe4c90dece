// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {Mandate} from "../types/Permission.sol";

/// @title Who may act for an account (specification §8.2)
/// @dev Storage: one word for each account and delegate. Owners are permitted everything and need no word.
abstract contract Delegation {
    mapping(AccountId account => mapping(address delegate => Mandate)) private _mandates;

    /// @dev Thrown when the caller does not own the account.
    error Clearinghouse_NotOwner(AccountId account, address caller);
    /// @dev Thrown when the caller is neither the account's owner nor a delegate with this permission.
    error Clearinghouse_NotPermitted(AccountId account, address caller, uint8 permission);

    modifier onlyPermitted(AccountId account, uint8 permission) {
        _requirePermitted(account, permission);
        _;
    }

    function _requireOwner(AccountId account) internal view {
        if (account.owner() != msg.sender) revert Clearinghouse_NotOwner(account, msg.sender);
    }

    function _requirePermitted(AccountId account, uint8 permission) internal view {
        if (!_isPermitted(account, msg.sender, permission)) {
            revert Clearinghouse_NotPermitted(account, msg.sender, permission);
        }
    }

    function _isPermitted(AccountId account, address who, uint8 permission) internal view returns (bool) {
        return account.owner() == who || _mandates[account][who].allows(permission, block.timestamp);
    }

    function _mandate(AccountId account, address delegate) internal view returns (Mandate) {
        return _mandates[account][delegate];
    }

    function _setMandate(AccountId account, address delegate, Mandate mandate) internal {
        _mandates[account][delegate] = mandate;
    }
}
