// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Logarithm} from "./Logarithm.sol";

/// @notice What an option is worth and how that changes, for one unit of it, undiscounted.
/// @param price WAD of cash, rounded down.
/// @param delta Change with the forward, WAD.
/// @param gamma Change of delta with the forward, WAD a unit of cash.
/// @param vega Change with the volatility, WAD of cash for 1.00 of it.
/// @param theta Change with time, WAD of cash a year, never positive.
struct Greeks {
    uint256 price;
    int256 delta;
    uint256 gamma;
    uint256 vega;
    int256 theta;
}

/// @title Precise undiscounted Black-76 (specification §13.1)
/// @notice To 1e-12 of the forward for strikes within a factor of 64 of it. Prices are WAD of cash, volatilities and years
/// WAD; a deviation is σ·√τ. With none left the price is the intrinsic value.
/// @dev As F·φ(d1) = K·φ(d2), one exponential serves both tails: with e = exp(−d1²/2), F·(1 − N(d1)) = F·e·M(d1) and
/// K·(1 − N(d2)) = F·e·M(d2), where M(x) = (1 − N(x))/exp(−x²/2) is rational to 1e-15.
library Black76 {
    int256 private constant WAD = 1e18;
    uint256 private constant UNIT = 1e18;

    /// @dev 1/√(2π), WAD.
    uint256 private constant DENSITY = 398942280401432678;

    /// @dev From here on a tail is under 1e-170.
    uint256 private constant FARTHEST = 28e18;

    /// @dev Coefficients of the approximation of M, counts of 2^-96.
    uint256 private constant P6 = 2793782811274865708995792344;
    uint256 private constant P5 = 55490063251982985439325613973;
    uint256 private constant P4 = 504997313321183988772789751342;
    uint256 private constant P3 = 2686854064982610631744200026450;
    uint256 private constant P2 = 8879836321276928843208352153033;
    uint256 private constant P1 = 17526346747716136297837296789480;
    uint256 private constant P0 = 17446585517718866593419072006541;
    uint256 private constant Q7 = 7002846371848264277131140167;
    uint256 private constant Q6 = 139098283325591648216536793020;
    uint256 private constant Q5 = 1272735271903413669289948260020;
    uint256 private constant Q4 = 6875477954081866250299004168022;
    uint256 private constant Q3 = 23496240498236730931794024435253;
    uint256 private constant Q2 = 50494772681144588634273116487714;
    uint256 private constant Q1 = 62893415942062134000840181617016;
    uint256 private constant Q0 = 34893171035437733186838144013082;

    /// @notice Price of one unit, rounded down, within [intrinsic value, F], for a put up to K; and its delta.
    function price(uint256 forward, uint256 strike, uint256 deviation, bool isPut)
        internal
        pure
        returns (uint256 value, int256 delta)
    {
        (value, delta,) = _price(forward, strike, deviation, isPut);
    }

    /// @notice Price and Greeks of one unit.
    /// @dev Nothing overflows for F < 2^128, σ < 2^84 and less than 2^84 years, all WAD: a density is under 2^59.
    function greeks(uint256 forward, uint256 strike, uint256 volatility, uint256 time, bool isPut)
        internal
        pure
        returns (Greeks memory found)
    {
        unchecked {
            uint256 root = FixedPointMathLib.sqrt(time * UNIT);
            uint256 deviation = volatility * root / UNIT;
            uint256 e;
            (found.price, found.delta, e) = _price(forward, strike, deviation, isPut);
            if (deviation == 0 || forward == 0) return found;
            uint256 density = DENSITY * e / UNIT;
            uint256 vega = forward * density / UNIT * root / UNIT;
            found.gamma =
                FixedPointMathLib.rawDivWad(FixedPointMathLib.rawDivWad(density, deviation), forward);
            found.vega = vega;
            found.theta = -int256(FixedPointMathLib.rawDiv(vega * volatility, 2 * time));
        }
    }

    /// @dev Also e = exp(−d1²/2), WAD. Nothing overflows for F < 2^128, K < 2^128 and s < 2^100: a logarithm is under 2^67,
    /// so |d1| < 2^128 as s ≥ 1, and where d1² is large its exponential is zero.
    function _price(uint256 forward, uint256 strike, uint256 deviation, bool isPut)
        private
        pure
        returns (uint256 value, int256 delta, uint256 e)
    {
        unchecked {
            uint256 intrinsic = isPut
                ? FixedPointMathLib.zeroFloorSub(strike, forward)
                : FixedPointMathLib.zeroFloorSub(forward, strike);
            uint256 ratio = FixedPointMathLib.rawDivWad(strike, forward); // zero for a forward of zero
            if (deviation == 0 || ratio == 0) {
                if (intrinsic != 0) delta = isPut ? -WAD : WAD;
                return (intrinsic, delta, 0);
            }
            int256 call;
            (call, delta, e) = _call(int256(ratio), int256(deviation));
            if (isPut) {
                call += int256(ratio) - WAD;
                delta -= WAD;
            }
            value = call > 0 ? forward * uint256(call) / UNIT : 0;
            value = FixedPointMathLib.clamp(value, intrinsic, isPut ? strike : forward);
        }
    }

    /// @dev N(d1) − κ·N(d2) for κ = K/F and s > 0, WAD; N(d1); and exp(−d1²/2).
    function _call(int256 ratio, int256 s) private pure returns (int256 value, int256 delta, uint256 e) {
        unchecked {
            uint256 exact = FixedPointMathLib.min(uint256(ratio << 64) / UNIT, type(uint128).max);
            int256 d1 = s / 2 - FixedPointMathLib.rawSDivWad(Logarithm.ln(exact), s);
            int256 d2 = d1 - s;
            e = uint256(FixedPointMathLib.expWad(-(d1 * d1 / (2 * WAD))));
            int256 tail = int256(e * _mills(FixedPointMathLib.abs(d1)) >> 96);
            delta = d1 < 0 ? tail : WAD - tail;
            tail = int256(e * _mills(FixedPointMathLib.abs(d2)) >> 96);
            value = delta - (d2 < 0 ? tail : ratio - tail);
        }
    }

    /// @dev (1 − N(x))/exp(−x²/2) in counts of 2^-96 for x ≥ 0: approximation 5666 of Hart et al., Computer
    /// Approximations (1968).
    function _mills(uint256 x) private pure returns (uint256 y) {
        if (x >= FARTHEST) return 0;
        assembly ("memory-safe") {
            x := div(shl(96, x), 1000000000000000000)
            let p := P6
            p := add(shr(96, mul(p, x)), P5)
            p := add(shr(96, mul(p, x)), P4)
            p := add(shr(96, mul(p, x)), P3)
            p := add(shr(96, mul(p, x)), P2)
            p := add(shr(96, mul(p, x)), P1)
            p := add(shr(96, mul(p, x)), P0)
            let q := Q7
            q := add(shr(96, mul(q, x)), Q6)
            q := add(shr(96, mul(q, x)), Q5)
            q := add(shr(96, mul(q, x)), Q4)
            q := add(shr(96, mul(q, x)), Q3)
            q := add(shr(96, mul(q, x)), Q2)
            q := add(shr(96, mul(q, x)), Q1)
            q := add(shr(96, mul(q, x)), Q0)
            y := div(shl(96, p), q)
        }
    }
}
