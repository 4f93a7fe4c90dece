// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Signed fixed-point products and quotients whose names say which way they round
/// @dev Products are not checked: |a·b| < 2^255 is the caller's to know. Every caller multiplies a size or an amount
/// (under 2^128) by a price, a band or a funding (under 2^92).
library Wad {
    int256 internal constant ONE = 1e18;

    /// @notice a × b in WAD, rounded towards minus infinity.
    function mulFloor(int256 a, int256 b) internal pure returns (int256) {
        unchecked {
            return divFloor(a * b, ONE);
        }
    }

    /// @notice a × b in WAD, rounded towards plus infinity.
    function mulCeil(int256 a, int256 b) internal pure returns (int256) {
        unchecked {
            return divCeil(a * b, ONE);
        }
    }

    /// @notice a / b rounded towards minus infinity, for b > 0.
    function divFloor(int256 a, int256 b) internal pure returns (int256 quotient) {
        unchecked {
            quotient = a / b; // b > 0, so no overflow
            if (a % b < 0) --quotient;
        }
    }

    /// @notice a / b rounded towards plus infinity, for b > 0.
    function divCeil(int256 a, int256 b) internal pure returns (int256 quotient) {
        unchecked {
            quotient = a / b; // b > 0, so no overflow
            if (a % b > 0) ++quotient;
        }
    }

    /// @notice |a| for any a but the least integer, which reverts.
    function abs(int256 a) internal pure returns (uint256) {
        return uint256(a < 0 ? -a : a);
    }
}
