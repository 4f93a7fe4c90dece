// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice The volatility and the forward of one expiry of an underlying, in one word; zero if none was ever published
/// (specification §13.2).
///
/// | bits      | field                    | unit                      |
/// |-----------|--------------------------|---------------------------|
/// | 255       | fixed                    | 1 once settled, see below |
/// | 200 … 231 | a for a year             | 1e-8, signed              |
/// | 168 … 199 | b for a year             | 1e-7                      |
/// | 144 … 167 | ρ                        | 1e-6, signed              |
/// | 120 … 143 | μ                        | 1e-6, signed              |
/// |  96 … 119 | s                        | 1e-6                      |
/// |  64 … 95  | forward, ratio to spot   | 1e-8                      |
/// |  32 … 63  | time of the report       | unix seconds              |
/// |  16 … 31  | greatest fresh age       | 2 seconds                 |
///
/// Of a settled expiry, bits 0 … 127 are the settlement price, WAD of cash, bits 128 … 159 the time at which it was
/// fixed, and all others but the highest are zero.
/// a and b are those of a raw SVI slice of total variance, divided by the years to expiry at the time of the report: so
/// the implied volatility of a strike does not change between reports.
type VolatilitySlice is uint256;

using VolatilitySliceLib for VolatilitySlice global;

library VolatilitySliceLib {
    /// @notice Least variance a year, WAD: a volatility of 0.1 %, so that a total variance is never zero.
    uint256 internal constant LEAST_VARIANCE = 1e12;

    /// @notice Whether anything was ever published for the expiry.
    function isKnown(VolatilitySlice self) internal pure returns (bool) {
        return VolatilitySlice.unwrap(self) != 0;
    }

    /// @notice Whether the expiry is settled.
    function isFixed(VolatilitySlice self) internal pure returns (bool) {
        return VolatilitySlice.unwrap(self) >> 255 != 0;
    }

    /// @notice Settlement price of a settled expiry, WAD of cash.
    function settlementPrice(VolatilitySlice self) internal pure returns (uint256) {
        return uint128(VolatilitySlice.unwrap(self));
    }

    /// @notice When a settled expiry was fixed, unix seconds.
    function fixedAt(VolatilitySlice self) internal pure returns (uint256) {
        return uint32(VolatilitySlice.unwrap(self) >> 128);
    }

    /// @notice Forward over spot, 1e-8.
    function forwardRatio(VolatilitySlice self) internal pure returns (uint256) {
        return uint32(VolatilitySlice.unwrap(self) >> 64);
    }

    /// @notice When the newest report was made, unix seconds.
    function time(VolatilitySlice self) internal pure returns (uint256) {
        return uint32(VolatilitySlice.unwrap(self) >> 32);
    }

    /// @notice Seconds for which the slice counts as fresh.
    function maxAge(VolatilitySlice self) internal pure returns (uint256) {
        return uint256(uint16(VolatilitySlice.unwrap(self) >> 16)) << 1;
    }

    /// @notice Seconds by which the slice is older than a fresh one; zero while it is fresh.
    function overdue(VolatilitySlice self, uint256 nowTime) internal pure returns (uint256) {
        unchecked {
            uint256 due = time(self) + maxAge(self); // under 2^32 + 2^17
            return nowTime > due ? nowTime - due : 0;
        }
    }

    /// @notice Variance a year at the log-moneyness k = ln(K/F) (WAD), WAD, rounded down, at least `LEAST_VARIANCE`:
    /// a + b·(ρ·(k − μ) + √((k − μ)² + s²)).
    /// @dev |k| is under 2^67, so the root is under 2^68 and the product with b and ρ under 2^122.
    function annualVariance(VolatilitySlice self, int256 k) internal pure returns (uint256) {
        int256 a;
        int256 rho;
        int256 z;
        uint256 s;
        uint256 b;
        assembly ("memory-safe") {
            a := mul(signextend(3, shr(200, self)), 10000000000)
            b := and(shr(168, self), 0xffffffff)
            rho := signextend(2, shr(144, self))
            z := sub(k, mul(signextend(2, shr(120, self)), 1000000000000))
            s := mul(and(shr(96, self), 0xffffff), 1000000000000)
        }
        unchecked {
            int256 wing = rho * z + int256(_length(z, s)) * 1e6;
            int256 variance = a + int256(b) * wing / 1e13;
            return variance > int256(LEAST_VARIANCE) ? uint256(variance) : LEAST_VARIANCE;
        }
    }

    /// @dev √(z² + s²), rounded down, for a root under 2^68. Newton's method starts at the greater plus 3/8 of the lesser,
    /// which is within 7 %: so four steps come within 2^-77 of the root, that is less than one off, and the fifth tells.
    function _length(int256 z, uint256 s) private pure returns (uint256 root) {
        assembly ("memory-safe") {
            let square := add(mul(z, z), mul(s, s))
            let size := xor(z, mul(xor(z, sub(0, z)), slt(z, 0)))
            let lesser := xor(size, mul(xor(size, s), lt(s, size)))
            root := add(xor(xor(size, s), lesser), shr(3, mul(3, lesser)))
            root := shr(1, add(root, div(square, root)))
            root := shr(1, add(root, div(square, root)))
            root := shr(1, add(root, div(square, root)))
            root := shr(1, add(root, div(square, root)))
            root := sub(root, lt(div(square, root), root))
        }
    }
}
