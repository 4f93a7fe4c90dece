// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Interest on cash in one word (specification §3).
///
/// | bits      | field           | unit                                   |
/// |-----------|-----------------|----------------------------------------|
/// | 192 … 255 | supply index    | 1e-17, rounded down                    |
/// | 128 … 191 | debt index      | 1e-17, rounded up                      |
/// |  96 … 127 | supply rate     | 1e-9 a year                            |
/// |  64 … 95  | debt rate       | 1e-9 a year                            |
/// |  32 … 63  | time            | unix seconds at which the indices stood |
/// |   8 … 31  | rebase sequence | number of rebases so far               |
/// |   0       | stopped         | whether the guardian stopped new risk (specification §7.6) |
///
/// Indices run linearly between changes of utilisation, so reading them costs no write.
type InterestState is uint256;

using InterestStateLib for InterestState global;

/// @dev One in an index.
uint256 constant INDEX_ONE = 1e17;

library InterestStateLib {
    uint256 private constant RATE_YEAR = 1e9 * 365 days;

    function make(
        uint256 supplyIndex,
        uint256 debtIndex,
        uint256 supplyRate_,
        uint256 debtRate_,
        uint256 nowTime
    ) internal pure returns (InterestState) {
        return InterestState.wrap(
            (supplyIndex << 192) | (debtIndex << 128) | (supplyRate_ << 96) | (debtRate_ << 64)
                | (uint256(uint32(nowTime)) << 32)
        );
    }

    function supplyRate(InterestState self) internal pure returns (uint256) {
        return uint32(InterestState.unwrap(self) >> 96);
    }

    function debtRate(InterestState self) internal pure returns (uint256) {
        return uint32(InterestState.unwrap(self) >> 64);
    }

    function time(InterestState self) internal pure returns (uint256) {
        return uint32(InterestState.unwrap(self) >> 32);
    }

    function stopped(InterestState self) internal pure returns (bool) {
        return InterestState.unwrap(self) & 1 != 0;
    }

    function withStopped(InterestState self, bool stopped_) internal pure returns (InterestState) {
        return InterestState.wrap((InterestState.unwrap(self) >> 1 << 1) | (stopped_ ? 1 : 0));
    }

    /// @notice Both indices at `nowTime`. They saturate at the width of their fields, where interest stops.
    function indicesAt(InterestState self, uint256 nowTime)
        internal
        pure
        returns (uint256 supplyIndex, uint256 debtIndex)
    {
        supplyIndex = InterestState.unwrap(self) >> 192;
        debtIndex = uint64(InterestState.unwrap(self) >> 128);
        uint256 elapsed = nowTime - time(self);
        if (elapsed == 0) return (supplyIndex, debtIndex);
        // Products stay under 2^64 · 2^32 · 2^32.
        unchecked {
            supplyIndex += supplyIndex * supplyRate(self) * elapsed / RATE_YEAR;
            debtIndex += (debtIndex * debtRate(self) * elapsed + RATE_YEAR - 1) / RATE_YEAR;
        }
        if (supplyIndex > type(uint64).max) supplyIndex = type(uint64).max;
        if (debtIndex > type(uint64).max) debtIndex = type(uint64).max;
    }
}
