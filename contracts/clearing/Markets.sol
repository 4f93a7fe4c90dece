// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarketState} from "../types/MarketState.sol";
import {KIND_PERP, Position, PositionLib, Position_Overflow} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {Wad} from "../math/Wad.sol";
import {Account, Accounts} from "./Accounts.sol";
import {EngineCall} from "./EngineCall.sol";
import {Registry} from "./Registry.sol";

/// @title Perpetual markets: open interest, cumulative funding, settlement to mark (specification §4)
/// @dev Storage: one word a market. A position's quote carries the funding: value = size × (mark − cumulative funding) +
/// quote, so funding needs no write an account.
abstract contract Markets is Accounts, Registry {
    MarketState[65536] private _markets; // an array, since a key of 16 bits needs no hash

    /// @dev Thrown when an underlying has no perpetual market.
    error Clearinghouse_UnknownMarket(uint16 underlying);
    /// @dev Thrown when a trade would take open interest over the market's cap.
    error Clearinghouse_OpenInterestCapExceeded(uint16 underlying, uint256 openInterest, uint256 cap);
    /// @dev Thrown when anybody but the OracleAdapter sets a funding rate.
    error Clearinghouse_NotOracle(address caller);

    /// @dev Accrues the elapsed interval at the rate that held during it, then sets the new one. An unlisted market
    /// has no funding: the adapter may price an underlying before its perpetual exists.
    function _setFundingRate(uint16 underlying, int256 ratePerSecond)
        internal
        returns (uint256 openInterest)
    {
        if (msg.sender != address(ORACLE)) {
            revert Clearinghouse_NotOracle(msg.sender);
        }
        MarketState state = _markets[underlying];
        if (!state.isListed()) return 0;
        state = state.withRate(ratePerSecond, block.timestamp);
        _markets[underlying] = state;
        emit FundingUpdated(underlying, state.fundingAt(block.timestamp), state.rate());
        return state.openInterest();
    }

    function _setMarket(uint16 underlying, MarketState state) internal {
        _markets[underlying] = state;
    }

    function _isListed(uint16 underlying) internal view returns (bool) {
        return _markets[underlying].isListed();
    }

    function _listed(uint16 underlying) internal view returns (MarketState state) {
        state = _markets[underlying];
        if (!state.isListed()) revert Clearinghouse_UnknownMarket(underlying);
    }

    /// @dev Mark less cumulative funding: a position's value is size × basis + quote.
    function _basis(uint16 underlying, Snapshot snapshot) internal view returns (int256) {
        return int256(snapshot.mark()) - _listed(underlying).fundingAt(block.timestamp);
    }

    /// @dev Takes a change of Σ long sizes into the market's word; growth must stay under the cap.
    function _moveOpenInterest(uint16 underlying, int256 longDelta) internal {
        _changeMarket(underlying, _markets[underlying], longDelta);
    }

    /// @dev The same, of a market whose stored state is known.
    function _changeMarket(uint16 underlying, MarketState state, int256 longDelta) internal {
        if (longDelta == 0) return;
        uint256 openInterest = uint256(int256(state.openInterest()) + longDelta);
        if (longDelta > 0 && openInterest > state.cap()) {
            revert Clearinghouse_OpenInterestCapExceeded(underlying, openInterest, state.cap());
        }
        _markets[underlying] = state.withOpenInterest(openInterest);
    }

    /// @dev Settles the account's perpetual to mark, then fills `size`. Every product rounds against the account.
    /// @param premium Price of the fill less mark.
    /// @return longDelta Change of the account's long size.
    /// @return claimDelta Change of its cash and quote together: what the other accounts of the trade receive.
    function _fillPerp(Account memory account, uint16 underlying, int256 size, int256 premium, int256 basis)
        internal
        pure
        returns (int256 longDelta, int256 claimDelta)
    {
        uint256 index = _findPerp(account, underlying, account.words.length);
        Position word = _at(account.words, index);
        int256 sizeBefore = word.perpSize();
        unchecked {
            int256 sizeAfter = sizeBefore + size; // what wraps is no int104 either
            if (sizeAfter != int104(sizeAfter)) revert Position_Overflow(sizeAfter);
            // Sizes are int104 and their change thus under 2^104; a basis is under 2^91, a premium in the band 2^88.
            int256 cashDelta = word.perpQuote() + Wad.mulFloor(sizeBefore, basis) - Wad.mulCeil(size, premium);
            int256 quoteAfter = -Wad.mulCeil(sizeAfter, basis);
            account.cash += cashDelta;
            if (sizeAfter == 0) _remove(account, index);
            else _put(account.words, index, PositionLib.perp(underlying, sizeAfter, quoteAfter));
            return (_long(sizeAfter) - _long(sizeBefore), cashDelta + quoteAfter - word.perpQuote());
        }
    }

    /// @dev Turns the unrealised profit and loss of every perpetual into cash. Returns their sum.
    function _settlePerps(Account memory account) internal view returns (int256 realised) {
        for (uint256 i; i < account.words.length; ++i) {
            Position word = account.words[i];
            if (word.kind() != KIND_PERP) continue;
            int256 settled = Wad.mulFloor(word.perpSize(), _basis(word.id(), ORACLE.snapshot(word.id())));
            realised += settled + word.perpQuote();
            account.words[i] = PositionLib.perp(word.id(), word.perpSize(), -settled);
        }
        account.cash += realised;
    }

    /// @dev Adds a perpetual from another account as it is, unsettled, to the account's own, which is among its first
    /// `searched` words if it has one. Returns the change of the long size.
    function _mergePerp(
        Account memory account,
        uint16 underlying,
        int256 size,
        int256 quote,
        uint256 searched
    ) internal pure returns (int256 longDelta) {
        uint256 index = _findPerp(account, underlying, searched);
        Position word = _at(account.words, index);
        unchecked {
            // Both positions were words: sizes are int104, quotes int128.
            int256 sizeAfter = word.perpSize() + size;
            int256 quoteAfter = word.perpQuote() + quote;
            longDelta = _long(sizeAfter) - _long(word.perpSize());
            if (sizeAfter == 0) {
                account.cash += quoteAfter;
                _remove(account, index);
            } else {
                _put(account.words, index, PositionLib.perp(underlying, sizeAfter, quoteAfter));
            }
        }
    }

    /// @dev A copy of the words in which each perpetual's funding is part of its quote, rounded against the account:
    /// what a risk engine gets, placed for the call to it.
    function _foldFunding(Position[] memory words) internal view returns (Position[] memory folded) {
        uint256 count = words.length;
        folded = EngineCall.allocate(count);
        unchecked {
            for (uint256 i; i < count; ++i) {
                Position word = _at(words, i);
                if (word.kind() == KIND_PERP) {
                    int256 funding = _markets[word.id()].fundingAt(block.timestamp);
                    word = word.withPerpQuote(word.perpQuote() - Wad.mulCeil(word.perpSize(), funding));
                }
                _put(folded, i, word);
            }
        }
    }

    function _long(int256 size) private pure returns (int256) {
        return size > 0 ? size : int256(0);
    }

    /// @dev Index of the account's perpetual on `underlying`; an empty word is appended if there is none among its
    /// first `searched` words.
    function _findPerp(Account memory account, uint16 underlying, uint256 searched)
        private
        pure
        returns (uint256 index)
    {
        Position empty = PositionLib.perp(underlying, 0, 0);
        index = _findAmong(account.words, empty.instrument(), searched);
        if (index == account.words.length) _append(account, empty);
    }
}
