// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice The first word of an account (specification §2.1).
///
/// | bits      | field         | meaning                                                                 |
/// |-----------|---------------|-------------------------------------------------------------------------|
/// |   0 … 127 | scaled cash   | int128 WAD: times the supply index if positive, the debt index if not   |
/// | 128 … 135 | count         | number of position words that mean something                            |
/// | 136 … 143 | engine        | risk engine that the account has selected                               |
/// | 144 … 175 | rebase cursor | last rebase that the words have seen                                    |
/// | 176 … 207 | checked at    | time of the last initial-margin check that passed                       |
type Header is uint256;

using HeaderLib for Header global;

/// @dev Thrown when scaled cash does not fit 128 bits.
error Header_CashOverflow(int256 scaled);

library HeaderLib {
    function scaledCash(Header self) internal pure returns (int256) {
        return int128(uint128(Header.unwrap(self)));
    }

    function count(Header self) internal pure returns (uint256) {
        return uint8(Header.unwrap(self) >> 128);
    }

    function engine(Header self) internal pure returns (uint8) {
        return uint8(Header.unwrap(self) >> 136);
    }

    function checkedAt(Header self) internal pure returns (uint256) {
        return uint32(Header.unwrap(self) >> 176);
    }

    /// @notice The same header with other cash, which the caller has checked to fit.
    function withScaledCash(Header self, int256 scaled) internal pure returns (Header) {
        return Header.wrap(((Header.unwrap(self) >> 128) << 128) | uint128(int128(scaled)));
    }

    function withCount(Header self, uint256 count_) internal pure returns (Header) {
        return Header.wrap((Header.unwrap(self) & ~(uint256(0xff) << 128)) | (count_ << 128));
    }

    function withEngine(Header self, uint8 engine_) internal pure returns (Header) {
        return Header.wrap((Header.unwrap(self) & ~(uint256(0xff) << 136)) | (uint256(engine_) << 136));
    }

    function withCheckedAt(Header self, uint256 time) internal pure returns (Header) {
        return
            Header.wrap(
                (Header.unwrap(self) & ~(uint256(0xffffffff) << 176)) | (uint256(uint32(time)) << 176)
            );
    }
}
