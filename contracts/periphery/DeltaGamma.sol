// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title Value at risk and expected shortfall of a quadratic profit (specification §15.2)
/// @notice With correlated standard normal factors x, any two of which have correlation ρ ≥ 0, the profit is
/// Σ a·x + ½·Σ g·x². Its first four cumulants are exact; Cornish and Fisher's expansion of them gives the 1 % quantile, and
/// the mean of the quantiles below it.
/// @dev With C = (1 − ρ)·I + ρ·11ᵀ and G = diag(g), the traces of (G·C)ⁿ are polynomials in the power sums of g, so that
/// nothing here is worse than linear in the number of factors. Everything is divided by the sum of all |a| and |g| first,
/// and counts 1e-27: no product overflows. Divisions round towards zero.
library DeltaGamma {
    int256 private constant ONE = 1e27;

    /// @dev The 1 % quantile of the normal distribution, and the mean of all below it, 1e-27.
    int256 private constant QUANTILE = -2326347874040841100885606163;
    int256 private constant TAIL_MEAN = -2665214220345804813216300809;

    /// @dev Cumulants, 1e-27 of powers of the scale.
    struct Cumulants {
        int256 first;
        int256 second;
        int256 third;
        int256 fourth;
    }

    /// @notice Loss that is exceeded with a probability of 1 %, and the mean of those losses; never negative. In the unit of
    /// `a` and `g`.
    /// @param a Change of the profit with one standard deviation of a factor.
    /// @param g Second derivative likewise.
    /// @param correlation ρ, 1e-27, from zero to one.
    function lossesAt99(int256[] memory a, int256[] memory g, int256 correlation)
        internal
        pure
        returns (uint256 valueAtRisk, uint256 expectedShortfall)
    {
        int256 scale = _scale(a, g);
        if (scale == 0) return (0, 0);
        Cumulants memory c = _cumulants(a, g, correlation, scale);
        int256 deviation = int256(FixedPointMathLib.sqrt(uint256(c.second * ONE)));
        (int256 quantile, int256 tail) = _expand(c, deviation);
        quantile = c.first + _mul(deviation, quantile);
        tail = FixedPointMathLib.min(c.first + _mul(deviation, tail), quantile);
        valueAtRisk = _loss(quantile, scale);
        expectedShortfall = _loss(tail, scale);
    }

    function _loss(int256 profit, int256 scale) private pure returns (uint256) {
        return profit < 0 ? uint256(-profit * scale / ONE) : 0;
    }

    function _scale(int256[] memory a, int256[] memory g) private pure returns (int256 sum) {
        for (uint256 i; i < a.length; ++i) {
            sum += int256(FixedPointMathLib.abs(a[i]) + FixedPointMathLib.abs(g[i]));
        }
    }

    /// @dev κ₁ = ½·tr GC; κ₂ = a'Ca + ½·tr (GC)²; κ₃ = 3·(Ca)'G(Ca) + tr (GC)³; κ₄ = 12·y'Cy + 3·tr (GC)⁴ for y = G·C·a.
    function _cumulants(int256[] memory a, int256[] memory g, int256 rho, int256 scale)
        private
        pure
        returns (Cumulants memory c)
    {
        int256 sum;
        int256 own = ONE - rho;
        for (uint256 i; i < a.length; ++i) {
            sum += a[i] * ONE / scale;
        }
        int256[4] memory powers;
        int256[4] memory forms; // Σ a², Σ g·(Ca)², Σ y, Σ y²
        for (uint256 i; i < a.length; ++i) {
            int256 linear = a[i] * ONE / scale;
            int256 curve = g[i] * ONE / scale;
            int256 square = _mul(curve, curve);
            powers[0] += curve;
            powers[1] += square;
            powers[2] += _mul(square, curve);
            powers[3] += _mul(square, square);
            int256 mixed = _mul(own, linear) + _mul(rho, sum);
            int256 y = _mul(curve, mixed);
            forms[0] += _mul(linear, linear);
            forms[1] += _mul(y, mixed);
            forms[2] += y;
            forms[3] += _mul(y, y);
        }
        c.first = powers[0] / 2;
        c.second = _form(own, forms[0], rho, sum) + _trace2(own, rho, powers) / 2;
        c.third = 3 * forms[1] + _trace3(own, rho, powers);
        c.fourth = 12 * _form(own, forms[3], rho, forms[2]) + 3 * _trace4(own, rho, powers);
    }

    /// @dev v'Cv from Σ v² and Σ v.
    function _form(int256 own, int256 squares, int256 rho, int256 sum) private pure returns (int256) {
        return _mul(own, squares) + _mul(rho, _mul(sum, sum));
    }

    function _trace2(int256 own, int256 rho, int256[4] memory p) private pure returns (int256) {
        return _mul(_mul(own, own) + 2 * _mul(own, rho), p[1]) + _mul(_mul(rho, rho), _mul(p[0], p[0]));
    }

    function _trace3(int256 own, int256 rho, int256[4] memory p) private pure returns (int256) {
        int256 own2 = _mul(own, own);
        int256 rho2 = _mul(rho, rho);
        return _mul(_mul(own2, own) + 3 * _mul(own2, rho), p[2]) + 3 * _mul(_mul(own, rho2), _mul(p[0], p[1]))
            + _mul(_mul(rho2, rho), _mul(p[0], _mul(p[0], p[0])));
    }

    function _trace4(int256 own, int256 rho, int256[4] memory p) private pure returns (int256) {
        int256 own2 = _mul(own, own);
        int256 rho2 = _mul(rho, rho);
        int256 first2 = _mul(p[0], p[0]);
        return _mul(_mul(own2, own2) + 4 * _mul(_mul(own2, own), rho), p[3])
            + _mul(_mul(own2, rho2), 4 * _mul(p[0], p[2]) + 2 * _mul(p[1], p[1])) + 4
            * _mul(_mul(own, _mul(rho2, rho)), _mul(p[1], first2))
            + _mul(_mul(rho2, rho2), _mul(first2, first2));
    }

    /// @dev Quantile and mean of the tail in standard deviations. With He₂(z) = z² − 1 and so on, the expansion is
    /// z + He₂·s/6 + He₃·k/24 − (2·He₃ + He₁)·s²/36, and the integral of Heₙ·φ up to z is −Heₙ₋₁(z)·φ(z).
    function _expand(Cumulants memory c, int256 deviation)
        private
        pure
        returns (int256 quantile, int256 tail)
    {
        if (deviation == 0) return (0, 0);
        int256 cube = _mul(c.second, deviation);
        int256 square = _mul(c.second, c.second);
        int256 skew = cube == 0 ? int256(0) : c.third * ONE / cube;
        int256 excess = square == 0 ? int256(0) : c.fourth * ONE / square;
        int256 skew2 = _mul(skew, skew);
        int256 z2 = _mul(QUANTILE, QUANTILE);
        int256 he3 = _mul(QUANTILE, z2) - 3 * QUANTILE;
        quantile = QUANTILE + _mul(z2 - ONE, skew) / 6 + _mul(he3, excess) / 24
            - _mul(2 * he3 + QUANTILE, skew2) / 36;
        tail = ONE + _mul(QUANTILE, skew) / 6 + _mul(z2 - ONE, excess) / 24 - _mul(2 * z2 - ONE, skew2) / 36;
        tail = _mul(TAIL_MEAN, tail);
    }

    function _mul(int256 x, int256 y) private pure returns (int256) {
        return x * y / ONE;
    }
}
