// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {Header} from "../types/Header.sol";
import {Instrument, KIND_COLLATERAL, Position} from "../types/Position.sol";

/// @notice An account in memory, between loading and saving.
/// @param id Which account.
/// @param header Its header as stored; the cash in it is out of date once `cash` moves.
/// @param cash Cash, WAD, debt negative.
/// @param loadedCash `cash` as loaded.
/// @param words Its positions; the array has room for `capacity`.
/// @param capacity Number of words that fit into `words`.
struct Account {
    AccountId id;
    Header header;
    int256 cash;
    int256 loadedCash;
    Position[] words;
    uint256 capacity;
}

/// @title The vector of words that an account is
/// @dev Storage: one header and 64 contiguous words an account. Words beyond the header's count mean nothing and are
/// never zeroed: reopening a position then writes to a used slot.
abstract contract Accounts {
    uint256 internal constant MAX_POSITIONS = 64;

    /// @dev The words lie behind the header, in the slots that follow its own.
    struct AccountStorage {
        Header header;
        Position[MAX_POSITIONS] words;
    }

    mapping(AccountId id => AccountStorage account) private _accounts;

    /// @dev Thrown when an account would hold more positions than it has words.
    error Clearinghouse_TooManyPositions(AccountId account, uint256 limit);

    function _header(AccountId id) internal view returns (Header) {
        return _accounts[id].header;
    }

    function _setHeader(AccountId id, Header header) internal {
        _accounts[id].header = header;
    }

    /// @dev Reads an account, its words into an array with room for `extra` more, up to the limit.
    function _loadWords(AccountId id, uint256 extra)
        internal
        view
        returns (Header header, Position[] memory words, uint256 capacity)
    {
        AccountStorage storage account = _accounts[id];
        header = account.header;
        uint256 count = header.count();
        unchecked {
            capacity = count + extra;
            if (capacity > MAX_POSITIONS) capacity = MAX_POSITIONS;
            // A plain index into storage would be checked, and a write would read first.
            assembly ("memory-safe") {
                words := mload(0x40)
                mstore(words, count)
                let at := add(words, 0x20)
                mstore(0x40, add(at, shl(5, capacity)))
                let slot := add(account.slot, 1)
                for { let end := add(slot, count) } lt(slot, end) { slot := add(slot, 1) } {
                    mstore(at, sload(slot))
                    at := add(at, 0x20)
                }
            }
        }
    }

    /// @dev Writes back the header with the count of the words, and all words, those that did not change for the price of
    /// a comparison.
    function _saveWords(Account memory account) internal {
        AccountStorage storage stored = _accounts[account.id];
        Position[] memory words = account.words;
        uint256 count = words.length;
        stored.header = account.header.withCount(count);
        assembly ("memory-safe") {
            let slot := add(stored.slot, 1)
            let at := add(words, 0x20)
            for { let end := add(slot, count) } lt(slot, end) { slot := add(slot, 1) } {
                sstore(slot, mload(at))
                at := add(at, 0x20)
            }
        }
    }

    /// @dev Index of the position in `instrument`, or the number of words if there is none.
    function _find(Position[] memory words, Instrument instrument) internal pure returns (uint256) {
        return _findAmong(words, instrument, words.length);
    }

    /// @dev The same, where only the first `count` words can be in `instrument`.
    function _findAmong(Position[] memory words, Instrument instrument, uint256 count)
        internal
        pure
        returns (uint256 index)
    {
        unchecked {
            while (index < count && !_at(words, index).isIn(instrument)) ++index;
        }
        return index == count ? words.length : index;
    }

    function _append(Account memory account, Position word) internal pure {
        uint256 count = account.words.length;
        if (count == account.capacity) revert Clearinghouse_TooManyPositions(account.id, MAX_POSITIONS);
        _setLength(account.words, count + 1);
        _put(account.words, count, word);
    }

    /// @dev Puts the last word in the place of the removed one.
    function _remove(Account memory account, uint256 index) internal pure {
        uint256 last = account.words.length - 1;
        _put(account.words, index, _at(account.words, last));
        _setLength(account.words, last);
    }

    /// @dev Whether the account can owe nothing, whatever prices do: no debt, and nothing but collateral.
    function _owesNothing(Account memory account) internal pure returns (bool) {
        if (account.cash < 0) return false;
        Position[] memory words = account.words;
        unchecked {
            for (uint256 i; i < words.length; ++i) {
                if (_at(words, i).kind() != KIND_COLLATERAL) return false;
            }
        }
        return true;
    }

    /// @dev Reads a word below the array's length without checking it again.
    function _at(Position[] memory words, uint256 index) internal pure returns (Position word) {
        assembly ("memory-safe") {
            word := mload(add(add(words, 0x20), shl(5, index)))
        }
    }

    /// @dev Writes a word below the array's capacity without checking it again.
    function _put(Position[] memory words, uint256 index, Position word) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(words, 0x20), shl(5, index)), word)
        }
    }

    function _setLength(Position[] memory words, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(words, length)
        }
    }
}
