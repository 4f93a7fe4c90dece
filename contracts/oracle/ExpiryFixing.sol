// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IVolatilityBoard} from "../interfaces/IVolatilityBoard.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Fixing, FixingWindow} from "./FixingWindow.sol";
import {VolatilityBoard} from "./VolatilityBoard.sol";

/// @title Settlement prices of expiries: specification §5.8
/// @dev The accepted prices near an expiry are added up as they come; most refreshes are of other times and read
/// nothing here, since every expiry is at the same time of day.
abstract contract ExpiryFixing is VolatilityBoard {
    using FixingWindow for Fixing;

    uint256 private constant TIME_OF_DAY = 8 hours;
    uint256 private constant PATIENCE = 24 hours;
    uint256 private constant FIXED = 1 << 255;

    /// @inheritdoc IVolatilityBoard
    function fixExpiry(uint16 underlying, uint32 expiry) external returns (uint256 price) {
        _checkUnlocked();
        Fixing memory window = FixingWindow.unpack(_allowedWindow(underlying, expiry));
        uint256 key = _key(underlying, expiry);
        if (_slice(key).isFixed()) revert ExpiryFixing_AlreadyFixed(underlying, expiry);
        if (block.timestamp < expiry) revert ExpiryFixing_NotExpired(expiry, block.timestamp);
        price = window.settlement();
        if (price == 0) {
            if (block.timestamp < expiry + PATIENCE) revert ExpiryFixing_Waiting(underlying, expiry);
            price = window.settlementAsIs(expiry);
            if (price == 0) price = _spot(underlying);
            if (price == 0) revert ExpiryFixing_NoPrice(underlying);
        }
        _setSlice(key, VolatilitySlice.wrap(FIXED | (block.timestamp << 128) | price));
        _retire(underlying, expiry);
        emit ExpiryFixed(underlying, expiry, price);
    }

    /// @inheritdoc IVolatilityBoard
    function settlementMean(uint16 underlying, uint32 expiry)
        external
        view
        returns (uint256 elapsed, uint256 mean)
    {
        Fixing memory window = FixingWindow.unpack(_allowedWindow(underlying, expiry));
        return window.meanSoFar(expiry, block.timestamp);
    }

    /// @dev Accepted price of an underlying, WAD of cash.
    function _spot(uint16 underlying) internal view virtual returns (uint256);

    /// @dev Takes in a price that was accepted: `price` in 1e-12 of cash, reported at `time`, after one of `before`.
    /// A price can count for the expiry whose late window is open or ahead, and one that is the first since the last
    /// late window closed, for that expiry too.
    function _observeSettlement(uint16 underlying, uint256 before, uint256 time, uint256 price) internal {
        uint256 shift = TIME_OF_DAY + FixingWindow.LATE_WINDOW;
        uint256 next = ((time - shift) / 1 days + 1) * 1 days + TIME_OF_DAY;
        if (before < next - 1 days + FixingWindow.LATE_WINDOW) {
            _observeWindow(underlying, next - 1 days, time, price);
        }
        if (time + FixingWindow.LEAD >= next) _observeWindow(underlying, next, time, price);
    }

    function _observeWindow(uint16 underlying, uint256 expiry, uint256 time, uint256 price) private {
        uint256 key = _key(underlying, expiry);
        uint256 word = _window(key);
        if (word == 0) return;
        Fixing memory window = FixingWindow.unpack(word);
        window.observe(expiry, price, time);
        uint256 next = window.pack();
        if (next == word) return;
        _setWindow(key, next);
        emit SettlementObserved(underlying, uint32(expiry), next);
    }
}
