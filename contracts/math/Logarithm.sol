// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title The natural logarithm of a ratio, at half the gas of one that is exact to a wei (specification §13.3)
/// @dev x = 2^k·m with m in [1, 2): ln m = ln √2 + 2·atanh z with z = (m − √2)/(m + √2), which is at most 0.172, and
/// atanh z = z·P(z²); and likewise for an x near one with 1 in the place of √2. The error of P is under 1e-14; its
/// constants are those that `tools/logarithm.py` prints. Prices do not feel it: F·φ(d1) = K·φ(d2), so an error of the
/// logarithm moves them in its square only.
library Logarithm {
    /// @dev Within a factor of √2 of one.
    uint256 private constant LEAST_NEAR = 13043817825332782213;
    uint256 private constant GREATEST_NEAR = 26087635650665564424;

    uint256 private constant ROOT_2 = 240615969168004511545033772477625056927;
    int256 private constant LN_2 = 235865763225513294137944142764154484399253711888205176847;
    int256 private constant OFFSET = 14977475964820094177759453065523809759352610704901028729767;
    int256 private constant P0 = 8589934591999773174455852671;
    int256 private constant P1 = 2863311531221257988659790134;
    int256 private constant P2 = 1717986699005871413981336992;
    int256 private constant P3 = 1227165191724146044543816351;
    int256 private constant P4 = 952376781771137594515584204;
    int256 private constant P5 = 842161295095795594154362464;

    /// @notice ln(x / 2^64) in WAD, rounded down, for x in [1, 2^128); of zero as of one.
    function ln(uint256 x) internal pure returns (int256 result) {
        uint256 middle = 1 << 64;
        unchecked {
            if (x - LEAST_NEAR >= GREATEST_NEAR - LEAST_NEAR) {
                uint256 k = FixedPointMathLib.log2(x);
                x = (x == 0 ? 1 : x) << (127 - k);
                middle = ROOT_2;
                result = int256(k) * LN_2 - OFFSET;
            }
        }
        assembly ("memory-safe") {
            let z := sdiv(shl(96, sub(x, middle)), add(x, middle))
            let w := shr(96, mul(z, z))
            let p := add(shr(96, mul(P5, w)), P4)
            p := add(shr(96, mul(p, w)), P3)
            p := add(shr(96, mul(p, w)), P2)
            p := add(shr(96, mul(p, w)), P1)
            p := add(shr(96, mul(p, w)), P0)
            result := sar(128, add(mul(z, p), result))
        }
    }
}
