// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Signed fixed-point products and quotients whose names say which way they round
library Wad {
    int256 internal constant ONE = 1e18;

    /// @notice a × b in WAD, rounded towards minus infinity.
    function mulFloor(int256 a, int256 b) internal pure returns (int256) {
        return divFloor(a * b, ONE);
    }

    /// @notice a × b in WAD, rounded towards plus infinity.
    function mulCeil(int256 a, int256 b) internal pure returns (int256) {
        return divCeil(a * b, ONE);
    }

    /// @notice a / b rounded towards minus infinity, for b > 0.
    function divFloor(int256 a, int256 b) internal pure returns (int256 quotient) {
        quotient = a / b;
        if (a % b < 0) quotient -= 1;
    }

    /// @notice a / b rounded towards plus infinity, for b > 0.
    function divCeil(int256 a, int256 b) internal pure returns (int256 quotient) {
        quotient = a / b;
        if (a % b > 0) quotient += 1;
    }

    /// @notice |a| for any a but the least integer, which reverts.
    function abs(int256 a) internal pure returns (uint256) {
        return uint256(a < 0 ? -a : a);
    }
}
