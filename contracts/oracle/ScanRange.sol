// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {FeedConfig} from "../interfaces/IFeedRegistry.sol";

/// @notice Variances and scan ranges of one feed in one word, sampled once a bucket of 15 minutes.
///
/// | bits      | field                          | unit               |
/// |-----------|--------------------------------|--------------------|
/// | 196 … 255 | variance, half-life 11 h       | WAD an hour        |
/// | 136 … 195 | variance, half-life 10 d       | WAD an hour        |
/// |  68 … 135 | price of the last sample       | 1e-12 of cash      |
/// |  44 … 67  | bucket of the last sample      | unix time / 900 s  |
/// |  22 … 43  | range for IM, no concentration | 1e-6               |
/// |   0 … 21  | range for MM                   | 1e-6               |
type ScanRange is uint256;

using ScanRangeLib for ScanRange global;

library ScanRangeLib {
    uint256 internal constant BUCKET = 15 minutes;

    uint256 private constant WAD = 1e18;
    uint256 private constant LN_2 = 693147180559945309;
    uint256 private constant FAST_HALF_LIFE = 11 hours;
    uint256 private constant SLOW_HALF_LIFE = 10 days;
    uint256 private constant DECAY_HALF_LIFE = 3 days;
    uint256 private constant BUCKETS_AN_HOUR = 4;
    uint256 private constant DEVIATIONS = 9; // 0.75 of six deviations over four hours: 0.75 · 6 · √4
    uint256 private constant MAINTENANCE_STEP = 2500; // one point an hour, a bucket's part of it in 1e-6
    uint256 private constant BPS = 100; // 1e-4 in 1e-6
    uint256 private constant UNIT = 1e12; // 1e-6 in WAD
    uint256 private constant MAX_RANGE_BPS = 6000;
    uint256 private constant MAX_VARIANCE = (1 << 60) - 1;

    /// @notice State of a feed at its first accepted price: no variance, both ranges at their base.
    function begin(FeedConfig memory config, uint256 price, uint256 time) internal pure returns (ScanRange) {
        uint256 range = uint256(config.baseRangeBps) * BPS;
        return _pack(0, 0, price, time / BUCKET, range, range);
    }

    /// @notice Takes in the first accepted price of a later bucket.
    /// @dev Variances are rounded up; an increase counts at once for IM, a point an hour for MM.
    function next(ScanRange self, FeedConfig memory config, uint256 price, uint256 time)
        internal
        pure
        returns (ScanRange)
    {
        uint256 elapsed = time / BUCKET - bucket(self);
        uint256 sample = _variance(samplePrice(self), price, elapsed);
        uint256 fast = _blend(varianceFast(self), sample, elapsed, FAST_HALF_LIFE);
        uint256 slow = _blend(varianceSlow(self), sample, elapsed, SLOW_HALF_LIFE);
        uint256 target = _target(config, FixedPointMathLib.max(fast, slow));
        uint256 initial = target;
        uint256 old = baseInitial(self);
        if (target < old) {
            uint256 kept = (old - target) * _keep(elapsed, DECAY_HALF_LIFE);
            initial += FixedPointMathLib.divUp(kept, WAD);
        }
        uint256 maintenance =
            FixedPointMathLib.min(initial, baseMaintenance(self) + elapsed * MAINTENANCE_STEP);
        return _pack(fast, slow, price, time / BUCKET, initial, maintenance);
    }

    /// @notice Range for the initial margin in 1e-4, rounded up, grown by up to twice with the open interest.
    /// @param openInterest WAD units.
    /// @param depth Whole units; zero for no growth.
    function initialBps(ScanRange self, uint256 openInterest, uint256 depth) internal pure returns (uint256) {
        uint256 factor = WAD;
        if (depth != 0 && openInterest > depth * WAD) {
            factor += FixedPointMathLib.min((openInterest - depth * WAD) / depth, WAD);
        }
        uint256 range = FixedPointMathLib.divUp(baseInitial(self) * factor, BPS * WAD);
        return FixedPointMathLib.min(range, MAX_RANGE_BPS);
    }

    /// @notice Range for the maintenance margin in 1e-4, rounded up.
    function maintenanceBps(ScanRange self) internal pure returns (uint256) {
        return FixedPointMathLib.divUp(baseMaintenance(self), BPS);
    }

    function varianceFast(ScanRange self) internal pure returns (uint256) {
        return ScanRange.unwrap(self) >> 196;
    }

    function varianceSlow(ScanRange self) internal pure returns (uint256) {
        return (ScanRange.unwrap(self) >> 136) & MAX_VARIANCE;
    }

    function samplePrice(ScanRange self) internal pure returns (uint256) {
        return (ScanRange.unwrap(self) >> 68) & 0xfffffffffffffffff;
    }

    function bucket(ScanRange self) internal pure returns (uint256) {
        return uint24(ScanRange.unwrap(self) >> 44);
    }

    function baseInitial(ScanRange self) internal pure returns (uint256) {
        return (ScanRange.unwrap(self) >> 22) & 0x3fffff;
    }

    function baseMaintenance(ScanRange self) internal pure returns (uint256) {
        return ScanRange.unwrap(self) & 0x3fffff;
    }

    /// @dev Squared return an hour, WAD. Prices are between 2^32 and 2^68 (bounds of `FeedRegistry`): no overflow.
    function _variance(uint256 from, uint256 to, uint256 elapsed) private pure returns (uint256) {
        uint256 change = FixedPointMathLib.dist(from, to) * WAD / from;
        return FixedPointMathLib.divUp(change * change * BUCKETS_AN_HOUR, elapsed * WAD);
    }

    function _blend(uint256 old, uint256 sample, uint256 elapsed, uint256 halfLife)
        private
        pure
        returns (uint256)
    {
        uint256 keep = _keep(elapsed, halfLife);
        sample = FixedPointMathLib.min(sample, MAX_VARIANCE);
        return FixedPointMathLib.divUp(old * keep + sample * (WAD - keep), WAD);
    }

    /// @dev 2^(−elapsed/halfLife), WAD.
    function _keep(uint256 elapsed, uint256 halfLife) private pure returns (uint256) {
        return uint256(FixedPointMathLib.expWad(-int256(LN_2 * elapsed * BUCKET / halfLife)));
    }

    /// @dev 1e-6, rounded up.
    function _target(FeedConfig memory config, uint256 variance) private pure returns (uint256) {
        uint256 deviation = FixedPointMathLib.sqrt(variance * WAD);
        uint256 range =
            uint256(config.baseRangeBps) * BPS / 4 + FixedPointMathLib.divUp(DEVIATIONS * deviation, UNIT);
        return
            FixedPointMathLib.clamp(
                range, uint256(config.minRangeBps) * BPS, uint256(config.maxRangeBps) * BPS
            );
    }

    /// @dev A blend of two variances of 60 bits has 60 bits; every other field is bounded by what it is made of.
    function _pack(
        uint256 fast,
        uint256 slow,
        uint256 price,
        uint256 bucket_,
        uint256 initial,
        uint256 maintenance
    ) private pure returns (ScanRange) {
        return ScanRange.wrap(
            (fast << 196) | (slow << 136) | (price << 68) | (bucket_ << 44) | (initial << 22) | maintenance
        );
    }
}
