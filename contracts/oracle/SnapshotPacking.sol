// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {FeedConfig} from "../interfaces/IFeedRegistry.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {Quote} from "./Quotes.sol";
import {ScanRange} from "./ScanRange.sol";

/// @title Makes and changes the words of `types/Snapshot.sol`
library SnapshotPacking {
    uint256 private constant MAX_PRICE_BITS = 68;
    uint256 private constant SUSPECT = 1;
    uint256 private constant HALTED = 4;
    uint256 private constant WIDE = 2;
    uint256 private constant STABLE_SPEED = 60_000; // seconds in which the stable price could double: 6 % an hour

    /// @notice The word of an accepted quote.
    /// @param price Accepted price, 1e-12 of cash.
    /// @param stable Stable price, 1e-12 of cash.
    /// @param premium Premium of the mark, 1e-8.
    /// @param openInterest Open interest of the market, WAD.
    function pack(
        FeedConfig memory config,
        Quote memory quote,
        ScanRange range,
        uint256 price,
        uint256 stable,
        int256 premium,
        uint256 openInterest
    ) internal view returns (Snapshot) {
        uint256 word = (price << 188) | (stable << 120) | (quote.time << 88);
        word |= (uint256(config.maxAge / 2) << 72) | (quote.confidence << 60);
        word |= range.maintenanceBps() << 47;
        word |= range.initialBps(openInterest, config.depth) << 34;
        word |= (uint256(premium) & 0x3fffff) << 12;
        word |= (block.number & 0xff) << 4;
        if (quote.confidence > config.wideLimit) word |= WIDE;
        return Snapshot.wrap(word);
    }

    /// @notice Whether `price`, in 1e-12 of cash, fits its field and is not zero.
    function isPrice(uint256 price) internal pure returns (bool) {
        return price != 0 && price >> MAX_PRICE_BITS == 0;
    }

    /// @notice Accepted price in 1e-12 of cash.
    function rawSpot(Snapshot self) internal pure returns (uint256) {
        return Snapshot.unwrap(self) >> 188;
    }

    /// @dev For views only: no word with this mark is ever stored.
    function markHalted(Snapshot self) internal pure returns (Snapshot) {
        return Snapshot.wrap(Snapshot.unwrap(self) | HALTED);
    }

    function markSuspect(Snapshot self) internal pure returns (Snapshot) {
        return Snapshot.wrap(Snapshot.unwrap(self) | SUSPECT);
    }

    /// @notice The stable price at `time`, 1e-12 of cash: it went towards the price that held since the snapshot.
    /// @dev At most 6 % of itself an hour. The new price has no part in it: it has held for no time yet.
    function stableAt(Snapshot self, uint256 time) internal pure returns (uint256) {
        uint256 stable = (Snapshot.unwrap(self) >> 120) & ((1 << MAX_PRICE_BITS) - 1);
        uint256 price = rawSpot(self);
        uint256 reach = stable * (time - self.time()) / STABLE_SPEED;
        uint256 step = FixedPointMathLib.min(FixedPointMathLib.dist(stable, price), reach);
        return price > stable ? stable + step : stable - step;
    }
}
