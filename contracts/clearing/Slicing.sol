// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouseCore, Slice} from "../interfaces/IClearinghouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {
    Instrument,
    KIND_COLLATERAL,
    KIND_OPTION,
    KIND_PERP,
    Position,
    PositionLib
} from "../types/Position.sol";
import {Wad} from "../math/Wad.sol";
import {Account} from "./Accounts.sol";
import {CashFlow} from "./Cash.sol";
import {Trading} from "./Trading.sol";

/// @title Moving a fraction of an account (specification §10)
/// @dev No storage of its own. Every balance moves by the same fraction, rounded towards zero, so hedges stay whole
/// and what leaves one account is to the wei what arrives in the other.
abstract contract Slicing is Trading {
    using SafeCast for uint256;

    /// @notice The account that receives the insurance share of liquidations and the reserve of interest.
    AccountId public immutable INSURANCE_ACCOUNT;
    /// @notice The only address that may move slices.
    address public immutable LIQUIDATOR;

    /// @dev What rounding can do to the value of a word, WAD: a wei of size at the greatest mark, or of a put at the
    /// greatest strike that opens, moved by the widest scenario; and a wei or two.
    uint256 private constant SLICE_DUST = 1e11;

    /// @dev Thrown when anybody but the Liquidator asks for a slice.
    error Clearinghouse_NotLiquidator(address caller);
    /// @dev Thrown when an account that passed an initial-margin check in this block would be liquidated in it.
    error Clearinghouse_CheckedInThisBlock(AccountId account);
    /// @dev Thrown when a fraction is over one.
    error Clearinghouse_InvalidFraction(uint256 fraction);

    constructor(address liquidator, AccountId insuranceAccount) {
        LIQUIDATOR = liquidator;
        INSURANCE_ACCOUNT = insuranceAccount;
    }

    /// @inheritdoc IClearinghouseCore
    /// @dev Not within a batch: an account whose check is still to come cannot be judged.
    function transferSlice(Slice calldata slice) external lock {
        if (msg.sender != LIQUIDATOR) revert Clearinghouse_NotLiquidator(msg.sender);
        if (slice.fraction > 1e18) revert Clearinghouse_InvalidFraction(slice.fraction);
        if (_isBatchOpen()) revert Clearinghouse_Locked();
        if (slice.from == slice.into) revert Clearinghouse_SameAccount(slice.from);
        CashFlow memory flow = _openCash();
        Account memory from = _load(flow, slice.from, 0);
        if (from.header.checkedAt() == block.timestamp) revert Clearinghouse_CheckedInThisBlock(slice.from);
        Account memory into = _load(flow, slice.into, from.words.length);
        int256 cash = from.cash * int256(slice.fraction) / 1e18;
        int256 movedValue = Wad.mulFloor(slice.equity - from.cash, int256(slice.fraction));
        bool known = slice.initial != 0 && into.words.length == 0
            && into.header.engine() == from.header.engine() && _onlyDerivatives(from.words);
        uint256 count = from.words.length;
        _moveWords(from, into, int256(slice.fraction));
        from.cash += slice.payment.toInt256() - cash;
        into.cash += cash - (slice.payment + slice.insurance).toInt256();
        if (known && _coversSlice(into, slice, movedValue, count)) _markChecked(into);
        else _checkTakeover(into);
        _save(flow, from);
        _save(flow, into);
        _credit(flow, INSURANCE_ACCOUNT, slice.insurance.toInt256());
        _closeCash(flow, 0, false);
        emit SliceTransferred(slice.from, slice.into, slice.fraction, slice.payment, slice.insurance);
    }

    /// @dev Whether an account that holds nothing but a slice of derivatives meets its IM. It needs no assessment for that:
    /// requirements are homogeneous, so its IM is at most the fraction of the bound just found, and its equity is its cash
    /// and the fraction of the other's value. Not so with collateral, whose smallest unit can be worth anything.
    /// @param movedValue Value of the slice before its words were rounded, WAD.
    /// @param count Number of words, each of which rounding may have moved by a wei of its size.
    function _coversSlice(Account memory into, Slice calldata slice, int256 movedValue, uint256 count)
        private
        pure
        returns (bool)
    {
        uint256 dust = SLICE_DUST * count;
        uint256 required = FixedPointMathLib.mulWad(slice.initial, slice.fraction) + dust;
        return
            into.cash + movedValue - int256(dust)
                >= int256(FixedPointMathLib.max(required, uint256(MIN_EQUITY)));
    }

    /// @dev Walks backwards, so that a word removed from `from` only disturbs words already done. The words of `from`
    /// are of different instruments, so only what `into` held before can be in the one that moves.
    function _moveWords(Account memory from, Account memory into, int256 fraction) private {
        uint256 searched = into.words.length;
        uint256 i = from.words.length;
        while (i > 0) {
            unchecked {
                --i;
            }
            if (searched > into.words.length) searched = into.words.length;
            uint256 kind = _at(from.words, i).kind();
            if (kind == KIND_OPTION) _moveOption(from, into, i, fraction, searched);
            else if (kind == KIND_PERP) _movePerp(from, into, i, fraction, searched);
            else if (kind == KIND_COLLATERAL) _moveCollateral(from, into, i, fraction);
        }
    }

    /// @dev Series that are expired or fixed move like any other.
    function _moveOption(
        Account memory from,
        Account memory into,
        uint256 index,
        int256 fraction,
        uint256 searched
    ) private {
        Position word = _at(from.words, index);
        unchecked {
            int256 size = _part(word.optionSize(), fraction);
            if (size == 0) return;
            Instrument series = word.instrument();
            int256 delta = _changeOption(from, index, series, -size);
            delta += _addOption(into, series, size, searched); // changes of int128
            _moveSeries(series, delta, delta);
        }
    }

    function _movePerp(
        Account memory from,
        Account memory into,
        uint256 index,
        int256 fraction,
        uint256 searched
    ) private {
        Position word = _at(from.words, index);
        int256 size = _part(word.perpSize(), fraction);
        int256 quote = _part(word.perpQuote(), fraction);
        // A size too small to split leaves its quote behind otherwise, and with it a debt that nobody takes over.
        if (size == 0) {
            from.words[index] = PositionLib.perp(word.id(), word.perpSize(), word.perpQuote() - quote);
            into.cash += quote;
            return;
        }
        int256 longDelta = _mergePerp(into, word.id(), size, quote, searched);
        longDelta += _mergePerp(from, word.id(), -size, -quote, from.words.length);
        _moveOpenInterest(word.id(), longDelta);
    }

    function _moveCollateral(Account memory from, Account memory into, uint256 index, int256 fraction)
        private
        pure
    {
        Position word = from.words[index];
        uint256 amount = word.amount() * uint256(fraction) / 1e18;
        if (amount == 0) return;
        _addCollateral(into, word.id(), amount);
        if (amount == word.amount()) _remove(from, index);
        else from.words[index] = PositionLib.collateral(word.id(), word.amount() - amount);
    }

    /// @dev A fraction of an int128, rounded towards zero; a fraction is at most one.
    function _part(int256 quantity, int256 fraction) private pure returns (int256) {
        unchecked {
            return quantity * fraction / 1e18;
        }
    }

    function _onlyDerivatives(Position[] memory words) private pure returns (bool) {
        unchecked {
            for (uint256 i; i < words.length; ++i) {
                if (_at(words, i).kind() == KIND_COLLATERAL) return false;
            }
        }
        return true;
    }
}
