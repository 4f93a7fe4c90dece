// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Asset, IClearinghouseCore} from "../interfaces/IClearinghouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {PERMISSION_DEPOSIT, PERMISSION_TRANSFER, PERMISSION_WITHDRAW} from "../types/Permission.sol";
import {Instrument, InstrumentLib, PositionLib} from "../types/Position.sol";
import {Account} from "./Accounts.sol";
import {CashFlow} from "./Cash.sol";
import {Delegation} from "./Delegation.sol";
import {MarginGate} from "./MarginGate.sol";

/// @title Money in, money out, money across (specification §8)
/// @dev No storage of its own. Tokens come in before the books change, because the measured difference is what is
/// credited, and go out after; the lock covers both.
abstract contract Custody is MarginGate, Delegation, IClearinghouseCore {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @dev Thrown when an amount is zero, or nothing arrived.
    error Clearinghouse_ZeroAmount();
    /// @dev Thrown when an account has no owner, so that nobody could ever withdraw from it.
    error Clearinghouse_InvalidAccount(AccountId account);
    /// @dev Thrown when a stranger would add a position to an account.
    error Clearinghouse_StrangerCannotAdd(AccountId account, uint16 asset);
    /// @dev Thrown when an account holds less of an asset than is asked for.
    error Clearinghouse_InsufficientBalance(AccountId account, uint16 asset, uint256 balance, uint256 amount);
    /// @dev Thrown when cash is lent out so far that the contract cannot pay, in the token's smallest units.
    error Clearinghouse_InsufficientTokens(uint256 available, uint256 amount);
    /// @dev Thrown when an account would transfer to itself.
    error Clearinghouse_SameAccount(AccountId account);
    /// @dev Thrown when tokens would be paid to nobody or to this contract.
    error Clearinghouse_InvalidRecipient(address recipient);

    /// @inheritdoc IClearinghouseCore
    function deposit(AccountId to, uint16 assetId, uint256 amount) external lock returns (uint256 received) {
        if (amount == 0) revert Clearinghouse_ZeroAmount();
        if (to.owner() == address(0)) revert Clearinghouse_InvalidAccount(to);
        CashFlow memory flow = _openCash();
        if (assetId == CASH) {
            uint256 held;
            (received, held) = _pull(CASH_TOKEN, amount);
            if (held > _cashCap()) revert Clearinghouse_AssetCapExceeded(CASH, held, _cashCap());
            _credit(flow, to, (received * CASH_UNIT).toInt256());
        } else {
            received = _depositCollateral(flow, to, assetId, amount);
        }
        _noteAddition(to);
        _closeCash(flow, 0, assetId == CASH);
        emit Deposited(to, assetId, received, msg.sender);
    }

    /// @inheritdoc IClearinghouseCore
    function withdraw(AccountId from, uint16 assetId, uint256 amount, address to) external lock {
        if (to == from.owner()) _requirePermitted(from, PERMISSION_WITHDRAW);
        else _requireOwner(from);
        if (to == address(0) || to == address(this)) revert Clearinghouse_InvalidRecipient(to);
        Asset storage a = _asset(assetId);
        CashFlow memory flow = _openCash();
        _take(flow, from, assetId, amount);
        if (assetId != CASH) a.total -= uint128(amount); // recorded balances of an asset sum to its total
        _closeCash(flow, assetId == CASH ? amount * CASH_UNIT : 0, assetId == CASH);
        emit Withdrawn(from, assetId, amount, to);
        IERC20(a.token).safeTransfer(to, amount);
    }

    /// @inheritdoc IClearinghouseCore
    function transfer(AccountId from, AccountId to, uint16 assetId, uint256 amount) external lock {
        if (to.owner() == from.owner()) _requirePermitted(from, PERMISSION_TRANSFER);
        else _requireOwner(from);
        if (from == to) revert Clearinghouse_SameAccount(from);
        if (to.owner() == address(0)) revert Clearinghouse_InvalidAccount(to);
        _asset(assetId);
        CashFlow memory flow = _openCash();
        _take(flow, from, assetId, amount);
        if (assetId == CASH) {
            _credit(flow, to, (amount * CASH_UNIT).toInt256());
        } else {
            Account memory receiver = _load(flow, to, 1);
            _addFromCaller(receiver, assetId, amount);
            _save(flow, receiver);
        }
        _noteAddition(to);
        _closeCash(flow, 0, false);
        emit Transferred(from, to, assetId, amount);
    }

    function _depositCollateral(CashFlow memory flow, AccountId to, uint16 assetId, uint256 amount)
        private
        returns (uint256 received)
    {
        Asset storage a = _asset(assetId);
        (received,) = _pull(a.token, amount);
        uint256 total = a.total + received;
        if (total > a.cap) revert Clearinghouse_AssetCapExceeded(assetId, total, a.cap);
        a.total = uint128(total); // at most the cap
        Account memory account = _load(flow, to, 1);
        _addFromCaller(account, assetId, received);
        _save(flow, account);
    }

    /// @dev Takes an asset out of an account and checks what is left.
    function _take(CashFlow memory flow, AccountId from, uint16 assetId, uint256 amount) private {
        if (amount == 0) revert Clearinghouse_ZeroAmount();
        Account memory account = _load(flow, from, 0);
        if (assetId == CASH) {
            uint256 available = IERC20(CASH_TOKEN).balanceOf(address(this));
            if (amount > available) revert Clearinghouse_InsufficientTokens(available, amount);
            account.cash -= (amount * CASH_UNIT).toInt256();
        } else {
            _removeCollateral(account, assetId, amount);
        }
        _checkWithdrawal(flow, account);
        _save(flow, account);
    }

    /// @dev Adds collateral. A stranger cannot make the account hold an asset that it did not hold.
    function _addFromCaller(Account memory account, uint16 assetId, uint256 amount) private view {
        uint256 count = account.words.length;
        _addCollateral(account, assetId, amount);
        if (account.words.length != count && !_isPermitted(account.id, msg.sender, PERMISSION_DEPOSIT)) {
            revert Clearinghouse_StrangerCannotAdd(account.id, assetId);
        }
    }

    function _addCollateral(Account memory account, uint16 assetId, uint256 amount) internal pure {
        Instrument instrument = InstrumentLib.collateral(assetId);
        uint256 index = _find(account.words, instrument);
        if (index == account.words.length) _append(account, PositionLib.collateral(assetId, amount));
        else account.words[index] = PositionLib.collateral(assetId, account.words[index].amount() + amount);
    }

    /// @dev Takes collateral away; a word that becomes empty is removed.
    function _removeCollateral(Account memory account, uint16 assetId, uint256 amount) internal pure {
        uint256 index = _find(account.words, InstrumentLib.collateral(assetId));
        uint256 held = index == account.words.length ? 0 : account.words[index].amount();
        if (amount > held) revert Clearinghouse_InsufficientBalance(account.id, assetId, held, amount);
        if (amount == held) _remove(account, index);
        else account.words[index] = PositionLib.collateral(assetId, held - amount);
    }

    /// @dev Takes tokens from the caller; returns what arrived, which a fee on transfer makes less than `amount`, and
    /// what is held now.
    function _pull(address token, uint256 amount) private returns (uint256 received, uint256 held) {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        held = IERC20(token).balanceOf(address(this));
        received = held - before;
        if (received == 0) revert Clearinghouse_ZeroAmount();
    }
}
