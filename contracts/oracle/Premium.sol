// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Observation} from "../interfaces/IPriceSource.sol";

/// @title Premium of the perpetual over the index, and the funding rate that follows from it
/// @dev Premiums and rates count 1e-8; every quotient is rounded towards zero.
library Premium {
    int256 private constant ONE = 1e8;
    int256 private constant BPS = 1e4; // 1e-4 in 1e-8
    int256 private constant INTEREST = 1e4; // 0.01 % for eight hours
    int256 private constant INTEREST_BAND = 5e4; // 0.05 %
    int256 private constant FUNDING_PERIOD = 8 hours;
    uint256 private constant HALF_LIFE = 30 minutes;
    uint256 private constant SAMPLE_SECONDS = 60;
    int256 private constant WAD = 1e18;
    uint256 private constant LN_2 = 693147180559945309;
    int256 private constant PRICE_AND_RATE = 100; // 1e-12 of cash times 1e-8, in WAD

    /// @notice Premium after `elapsed` seconds with, or without, a new sample.
    /// @dev A sample weighs at most 60 seconds, so one after a silence cannot own the average.
    function next(int256 premium, uint256 elapsed, bool sampled, int256 sample, int256 clampBps)
        internal
        pure
        returns (int256)
    {
        int256 sum = premium * _keep(elapsed);
        if (sampled) sum += sample * (WAD - _keep(FixedPointMathLib.min(elapsed, SAMPLE_SECONDS)));
        return FixedPointMathLib.clamp(sum / WAD, -clampBps * BPS, clampBps * BPS);
    }

    /// @notice The sample of the freshest observation that knows both impact prices and is newer than `after_`.
    /// @param index Price that they are compared with, dollars.
    /// @return sampled Whether there is one.
    /// @return sample Its premium, within the clamp.
    function sampleOf(Observation[] memory seen, uint256 index, uint256 after_, int256 clampBps)
        internal
        pure
        returns (bool sampled, int256 sample)
    {
        uint256 newest = after_;
        for (uint256 i; i < seen.length; ++i) {
            if (seen[i].time <= newest || !_hasImpact(seen[i])) continue;
            newest = seen[i].time;
            sampled = true;
            sample = _sample(seen[i], int256(index));
        }
        sample = FixedPointMathLib.clamp(sample, -clampBps * BPS, clampBps * BPS);
    }

    /// @notice Cash that one long unit pays a second, WAD.
    /// @param price Index in 1e-12 of cash.
    function ratePerSecond(int256 premium, int256 capBps, uint256 price) internal pure returns (int256) {
        int256 rate = premium + FixedPointMathLib.clamp(INTEREST - premium, -INTEREST_BAND, INTEREST_BAND);
        rate = FixedPointMathLib.clamp(rate, -capBps * BPS, capBps * BPS);
        return rate * int256(price) / (FUNDING_PERIOD * PRICE_AND_RATE);
    }

    /// @dev The bound keeps the products below 2^255.
    function _hasImpact(Observation memory seen) private pure returns (bool) {
        return seen.impactBid != 0 && seen.impactBid <= seen.impactAsk && seen.impactAsk <= type(uint128).max;
    }

    function _sample(Observation memory seen, int256 index) private pure returns (int256) {
        int256 above = FixedPointMathLib.max(0, int256(seen.impactBid) - index);
        int256 below = FixedPointMathLib.max(0, index - int256(seen.impactAsk));
        return (above - below) * ONE / index;
    }

    /// @dev 2^(−elapsed/30 min), WAD.
    function _keep(uint256 elapsed) private pure returns (int256) {
        return FixedPointMathLib.expWad(-int256(LN_2 * elapsed / HALF_LIFE));
    }
}
