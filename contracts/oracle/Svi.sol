// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";

/// @notice A raw SVI slice of the variance a year, WAD: a + b·(ρ·(k − μ) + √((k − μ)² + s²)).
struct Svi {
    int256 a;
    int256 b;
    int256 rho;
    int256 mu;
    int256 s;
}

/// @title Values and derivatives of a slice
/// @dev Quotients are rounded towards zero and roots down. Parameters are those that a word can hold and s is not
/// zero: variances are under 2^105, and no product reaches 2^255 while |k| < 2^70.
library SviLib {
    int256 private constant WAD = 1e18;

    function unpack(VolatilitySlice slice) internal pure returns (Svi memory) {
        uint256 word = VolatilitySlice.unwrap(slice);
        return Svi({
            a: int256(int32(uint32(word >> 200))) * 1e10,
            b: int256(uint256(uint32(word >> 168))) * 1e11,
            rho: int256(int24(uint24(word >> 144))) * 1e12,
            mu: int256(int24(uint24(word >> 120))) * 1e12,
            s: int256(uint256(uint24(word >> 96))) * 1e12
        });
    }

    /// @notice Variance a year at the log-moneyness k, WAD; a bad slice has negative ones.
    function variance(Svi memory self, int256 k) internal pure returns (int256) {
        return _variance(self, k - self.mu, root(self, k));
    }

    /// @notice Variance a year at k and its two derivatives, WAD.
    function derivatives(Svi memory self, int256 k)
        internal
        pure
        returns (int256 value, int256 slope, int256 curvature)
    {
        int256 y = k - self.mu;
        int256 r = root(self, k);
        int256 q = self.s * WAD / r;
        value = _variance(self, y, r);
        slope = self.b * (self.rho + y * WAD / r) / WAD;
        curvature = self.b * q / WAD * q / r;
    }

    /// @notice Least variance a year of the slice, WAD: a + b·s·√(1 − ρ²), for |ρ| ≤ 1.
    function least(Svi memory self) internal pure returns (int256) {
        int256 width = int256(FixedPointMathLib.sqrt(uint256(WAD * WAD - self.rho * self.rho)));
        return self.a + self.b * self.s / WAD * width / WAD;
    }

    /// @notice √((k − μ)² + s²), WAD.
    function root(Svi memory self, int256 k) internal pure returns (int256) {
        int256 y = k - self.mu;
        return int256(FixedPointMathLib.sqrt(uint256(y * y + self.s * self.s)));
    }

    function _variance(Svi memory self, int256 y, int256 r) private pure returns (int256) {
        return self.a + self.b * (self.rho * y / WAD + r) / WAD;
    }
}
