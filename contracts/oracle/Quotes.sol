// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibSort} from "solady/utils/LibSort.sol";
import {FeedConfig} from "../interfaces/IFeedRegistry.sol";
import {Observation} from "../interfaces/IPriceSource.sol";

/// @notice What the usable observations of one feed say together, in dollars.
/// @param price Median, WAD, rounded down.
/// @param time Newest time of an observation, unix seconds.
/// @param confidence Half-width in 1e-5 of the price, rounded up, 4095 at most.
/// @param agreed Whether two observations beside the median lie within the jump limit of each other.
/// @param count How many observations there are.
struct Quote {
    uint256 price;
    uint256 time;
    uint256 confidence;
    bool agreed;
    uint256 count;
}

/// @title From the observations of one feed to one quote
library Quotes {
    uint256 private constant BPS = 1e4;
    uint256 private constant CONFIDENCE_ONE = 1e5;
    uint256 private constant MAX_CONFIDENCE = 4095; // 12 bits

    /// @notice Whether an observation may take part in a price.
    /// @dev Prices are at most `maxPrice` < 2^96, so no later product overflows.
    function isUsable(Observation memory seen, FeedConfig memory config, uint256 nowTime)
        internal
        pure
        returns (bool)
    {
        if (seen.price < config.minPrice || seen.price > config.maxPrice) return false;
        if (seen.time > nowTime || nowTime - seen.time > config.sourceMaxAge) return false;
        return seen.confidence <= seen.price * config.maxSourceConfidenceBps / BPS;
    }

    /// @notice Joins one observation or more; `limitBps` is the jump limit.
    function join(Observation[] memory seen, uint256 limitBps) internal pure returns (Quote memory quote) {
        uint256 count = seen.length;
        uint256[] memory prices = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            prices[i] = seen[i].price;
            quote.time = FixedPointMathLib.max(quote.time, seen[i].time);
            uint256 width = FixedPointMathLib.divUp(seen[i].confidence * CONFIDENCE_ONE, seen[i].price);
            quote.confidence = FixedPointMathLib.max(quote.confidence, width);
        }
        LibSort.insertionSort(prices);
        uint256 spread = prices[count - 1] - prices[0];
        quote.count = count;
        quote.price = (prices[(count - 1) / 2] + prices[count / 2]) / 2;
        quote.agreed = _agree(prices, limitBps);
        spread = FixedPointMathLib.divUp(spread * CONFIDENCE_ONE, 2 * quote.price);
        quote.confidence =
            FixedPointMathLib.min(FixedPointMathLib.max(quote.confidence, spread), MAX_CONFIDENCE);
    }

    /// @notice Whether two prices differ by at most `limitBps` of `base`.
    function isWithin(uint256 base, uint256 price, uint256 limitBps) internal pure returns (bool) {
        return FixedPointMathLib.dist(base, price) * BPS <= base * limitBps;
    }

    /// @dev The pair has the median between its two prices, so a median that no two sources stand by is not agreed.
    function _agree(uint256[] memory prices, uint256 limitBps) private pure returns (bool) {
        uint256 count = prices.length;
        uint256 middle = count / 2;
        if (count < 2) return false;
        if (isWithin(prices[middle - 1], prices[middle], limitBps)) return true;
        return count % 2 == 1 && isWithin(prices[middle], prices[middle + 1], limitBps);
    }
}
