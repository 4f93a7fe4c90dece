// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A perpetual market in one word (specification §4.1).
///
/// | bits      | field                | unit                                        |
/// |-----------|----------------------|---------------------------------------------|
/// | 166 … 255 | open interest        | uint90, WAD: Σ of long sizes                |
/// |  76 … 165 | cumulative funding   | int90, WAD of cash for one unit             |
/// |  32 … 75  | funding rate         | int44, 1e-13 of cash for one unit a second  |
/// |   0 … 31  | time of the rate     | unix seconds; zero if the market is unknown |
///
/// Funding runs linearly from the time of the rate, so reading it costs no write.
type MarketState is uint256;

using MarketStateLib for MarketState global;

/// @dev Thrown when open interest does not fit its field.
error MarketState_OpenInterestOverflow(uint256 openInterest);

library MarketStateLib {
    /// @dev A rate speaks for at most this long: with no accepted price there is no index to charge on.
    uint256 internal constant RATE_LIFE = 1 hours;

    int256 private constant RATE_UNIT = 1e5; // 1e-13 of cash in WAD
    int256 private constant MAX_RATE = (1 << 43) - 1;
    int256 private constant MAX_FUNDING = (1 << 89) - 1;

    function isListed(MarketState self) internal pure returns (bool) {
        return uint32(MarketState.unwrap(self)) != 0;
    }

    /// @notice Σ of long sizes, which equals Σ of short sizes, WAD.
    function openInterest(MarketState self) internal pure returns (uint256) {
        return MarketState.unwrap(self) >> 166;
    }

    /// @notice Cash that one long unit pays a second, WAD.
    function rate(MarketState self) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(212, shl(180, self))
        }
        unchecked {
            value *= RATE_UNIT; // under 2^43 · 2^17
        }
    }

    function time(MarketState self) internal pure returns (uint256) {
        return uint32(MarketState.unwrap(self));
    }

    /// @notice Cumulative funding for one unit at `nowTime`, WAD. Saturates: a market never freezes on it.
    function fundingAt(MarketState self, uint256 nowTime) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(166, shl(90, self))
        }
        unchecked {
            uint256 elapsed = nowTime - time(self); // a state is never from the future
            if (elapsed > RATE_LIFE) elapsed = RATE_LIFE;
            value += rate(self) * int256(elapsed); // under 2^89 + 2^60 · 2^12
        }
        if (value > MAX_FUNDING) return MAX_FUNDING;
        if (value < -MAX_FUNDING) return -MAX_FUNDING;
    }

    /// @notice The state at `nowTime` with a new rate from then on; the rate saturates and rounds to zero.
    function withRate(MarketState self, int256 ratePerSecond, uint256 nowTime)
        internal
        pure
        returns (MarketState)
    {
        int256 scaled = ratePerSecond / RATE_UNIT;
        if (scaled > MAX_RATE) scaled = MAX_RATE;
        if (scaled < -MAX_RATE) scaled = -MAX_RATE;
        uint256 funding = uint256(fundingAt(self, nowTime)) & ((1 << 90) - 1);
        return MarketState.wrap(
            (openInterest(self) << 166) | (funding << 76) | ((uint256(scaled) & ((1 << 44) - 1)) << 32)
                | uint32(nowTime)
        );
    }

    function withOpenInterest(MarketState self, uint256 openInterest_) internal pure returns (MarketState) {
        if (openInterest_ >= 1 << 90) revert MarketState_OpenInterestOverflow(openInterest_);
        return MarketState.wrap((MarketState.unwrap(self) & ((1 << 166) - 1)) | (openInterest_ << 166));
    }
}
