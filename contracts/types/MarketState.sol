// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A perpetual market in one word (specification §4.1).
///
/// | bits      | field                | unit                                        |
/// |-----------|----------------------|---------------------------------------------|
/// | 166 … 255 | open interest        | uint90, WAD: Σ of long sizes                |
/// | 154 … 165 | cap, digits          | uint12, times the power of ten below        |
/// | 150 … 153 | cap, exponent        | of ten, 1e-9                                |
/// |  76 … 149 | cumulative funding   | int74, 1e-13 of cash for one unit           |
/// |  32 … 75  | funding rate         | int44, 1e-13 of cash for one unit a second  |
/// |   0 … 31  | time of the rate     | unix seconds; zero if the market is unknown |
///
/// Funding runs linearly from the time of the rate, so reading it costs no write. The cap is in the word so that growth
/// reads nothing else; what three or four decimal digits can say is enough for it.
type MarketState is uint256;

using MarketStateLib for MarketState global;

/// @dev Thrown when open interest does not fit its field.
error MarketState_OpenInterestOverflow(uint256 openInterest);
/// @dev Thrown when a cap is not 0 … 4095 times a power of ten from 1e-9 to 1e6 units.
error MarketState_InexactCap(uint256 cap);

library MarketStateLib {
    /// @dev A rate speaks for at most this long: with no accepted price there is no index to charge on.
    uint256 internal constant RATE_LIFE = 1 hours;

    int256 private constant RATE_UNIT = 1e5; // 1e-13 of cash in WAD
    int256 private constant MAX_RATE = (1 << 43) - 1;
    int256 private constant MAX_FUNDING = (1 << 73) - 1;
    uint256 private constant FUNDING_MASK = ((1 << 74) - 1) << 76;

    uint256 private constant CAP_UNIT = 1e9; // 1e-9 in WAD
    uint256 private constant CAP_DIGITS = 1 << 12;
    uint256 private constant CAP_EXPONENTS = 1 << 4;
    uint256 private constant CAP_MASK = 0xffff << 150;

    function isListed(MarketState self) internal pure returns (bool) {
        return uint32(MarketState.unwrap(self)) != 0;
    }

    /// @notice Σ of long sizes, which equals Σ of short sizes, WAD.
    function openInterest(MarketState self) internal pure returns (uint256) {
        return MarketState.unwrap(self) >> 166;
    }

    /// @notice Greatest open interest that a trade may reach, WAD.
    function cap(MarketState self) internal pure returns (uint256) {
        unchecked {
            uint256 exponent = (MarketState.unwrap(self) >> 150) & (CAP_EXPONENTS - 1);
            return ((MarketState.unwrap(self) >> 154) & (CAP_DIGITS - 1)) * 10 ** exponent * CAP_UNIT;
        }
    }

    /// @notice Cash that one long unit pays a second, WAD.
    function rate(MarketState self) internal pure returns (int256) {
        unchecked {
            return _rateCount(self) * RATE_UNIT; // under 2^43 · 2^17
        }
    }

    function time(MarketState self) internal pure returns (uint256) {
        return uint32(MarketState.unwrap(self));
    }

    /// @notice Cumulative funding for one unit at `nowTime`, WAD. Saturates: a market never freezes on it.
    function fundingAt(MarketState self, uint256 nowTime) internal pure returns (int256) {
        unchecked {
            return _fundingCount(self, nowTime) * RATE_UNIT; // under 2^73 · 2^17
        }
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
        uint256 funding = (uint256(_fundingCount(self, nowTime)) << 76) & FUNDING_MASK;
        return MarketState.wrap(
            (MarketState.unwrap(self) >> 150 << 150) | funding | ((uint256(scaled) & ((1 << 44) - 1)) << 32)
                | uint32(nowTime)
        );
    }

    function withOpenInterest(MarketState self, uint256 openInterest_) internal pure returns (MarketState) {
        if (openInterest_ >= 1 << 90) revert MarketState_OpenInterestOverflow(openInterest_);
        return MarketState.wrap((MarketState.unwrap(self) & ((1 << 166) - 1)) | (openInterest_ << 166));
    }

    /// @notice The state with another cap, WAD, which must be representable.
    function withCap(MarketState self, uint256 cap_) internal pure returns (MarketState) {
        uint256 digits = cap_ / CAP_UNIT;
        uint256 exponent;
        while (digits >= CAP_DIGITS && exponent < CAP_EXPONENTS - 1) {
            digits /= 10;
            ++exponent;
        }
        MarketState next = MarketState.wrap(
            (MarketState.unwrap(self) & ~CAP_MASK) | (digits & (CAP_DIGITS - 1)) << 154 | exponent << 150
        );
        if (cap(next) != cap_) revert MarketState_InexactCap(cap_);
        return next;
    }

    /// @dev The rate in 1e-13 a second.
    function _rateCount(MarketState self) private pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(212, shl(180, self))
        }
    }

    /// @dev Cumulative funding in 1e-13.
    function _fundingCount(MarketState self, uint256 nowTime) private pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(182, shl(106, self))
        }
        unchecked {
            uint256 elapsed = nowTime - time(self); // a state is never from the future
            if (elapsed > RATE_LIFE) elapsed = RATE_LIFE;
            value += _rateCount(self) * int256(elapsed); // under 2^73 + 2^43 · 2^12
        }
        if (value > MAX_FUNDING) return MAX_FUNDING;
        if (value < -MAX_FUNDING) return -MAX_FUNDING;
    }
}
