// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Refusal} from "../interfaces/IVolatilityBoard.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Svi, SviLib} from "./Svi.sol";

/// @notice What decides whether a slice is accepted.
/// @param slice The new one.
/// @param expiry Its expiry, later than its report.
/// @param last The slice that it would replace; zero if none.
/// @param jumpLimitBps Greatest move of the at-the-money volatility, 1e-4.
/// @param forwardJumpBps Greatest move of the forward ratio, 1e-4.
/// @param before Slice of the expiry before, zero if it does not count.
/// @param beforeExpiry Its expiry, later than the report of the new slice.
/// @param next Slice of the expiry after, zero if it does not count.
/// @param nextExpiry Its expiry.
struct Candidate {
    VolatilitySlice slice;
    uint256 expiry;
    VolatilitySlice last;
    uint256 jumpLimitBps;
    uint256 forwardJumpBps;
    VolatilitySlice before;
    uint256 beforeExpiry;
    VolatilitySlice next;
    uint256 nextExpiry;
}

/// @title Whether a slice is free of arbitrage and near the last one: specification §5.7
/// @notice A contract of its own, which the adapter deploys, to keep the adapter small. It has no state.
contract VolatilityChecks {
    using SviLib for Svi;

    int256 private constant WAD = 1e18;
    int256 private constant YEAR = 365 days;
    int256 private constant LEAST_WIDTH = 1e15; // s of 0.001
    int256 private constant LEAST_VARIANCE = 1e14; // a volatility of 1 %
    int256 private constant GREATEST_VARIANCE = 25e18; // at the money: a volatility of 500 %
    int256 private constant GREATEST_WING = 2e18; // of b·(1 + |ρ|), total variance
    uint256 private constant LEAST_FORWARD = 0.5e8;
    uint256 private constant GREATEST_FORWARD = 2e8;
    uint256 private constant BPS = 1e4;

    // Strikes at which a slice is sampled, in quarters of the unit: around μ by its width s, and around the forward
    // by the standard deviation at the money. The first shows where SVI bends, the second where options trade.
    uint256 private constant WIDTHS = 8;
    uint256 private constant DEVIATIONS = 4;
    bytes private constant QUARTERS = hex"000204060810203001040810"; // 0 ½ 1 1½ 2 4 8 12; ¼ 1 2 4

    /// @notice The first rule that a slice breaks, or `Refusal.None`.
    function verdict(Candidate calldata given) external pure returns (Refusal) {
        Svi memory svi = SviLib.unpack(given.slice);
        if (svi.rho >= WAD || svi.rho <= -WAD || svi.s < LEAST_WIDTH) return Refusal.Parameters;
        uint256 ratio = given.slice.forwardRatio();
        if (ratio < LEAST_FORWARD || ratio > GREATEST_FORWARD) return Refusal.Forward;
        int256 middle = svi.variance(0);
        if (middle < LEAST_VARIANCE || middle > GREATEST_VARIANCE) return Refusal.Volatility;
        int256 tau = int256(given.expiry - given.slice.time()) * WAD / YEAR;
        int256 wing = svi.b * (WAD + (svi.rho < 0 ? -svi.rho : svi.rho)) / WAD * tau / WAD;
        if (wing > GREATEST_WING) return Refusal.Wings;
        if (svi.least() < 0) return Refusal.NegativeVariance;
        Refusal found = _sample(given, svi, middle, tau);
        return found == Refusal.None ? _jump(given, middle) : found;
    }

    function _sample(Candidate calldata given, Svi memory svi, int256 middle, int256 tau)
        private
        pure
        returns (Refusal)
    {
        int256 deviation = int256(FixedPointMathLib.sqrt(uint256(middle * tau)));
        bytes memory quarters = QUARTERS;
        Svi memory before = SviLib.unpack(given.before);
        Svi memory next = SviLib.unpack(given.next);
        for (uint256 i; i < WIDTHS + DEVIATIONS; ++i) {
            int256 step = int256(uint256(uint8(quarters[i])));
            int256 centre = i < WIDTHS ? svi.mu : int256(0);
            int256 away = (i < WIDTHS ? svi.s : deviation) * step / 4;
            for (uint256 side; side < 2; ++side) {
                int256 k = side == 0 ? centre - away : centre + away;
                (int256 value, int256 density) = _density(svi, k, tau);
                if (value < LEAST_VARIANCE) return Refusal.NegativeVariance;
                if (density < 0) return Refusal.Butterfly;
                if (_crosses(given, before, next, k, value)) return Refusal.Calendar;
            }
        }
        return Refusal.None;
    }

    /// @dev Variance a year v, and Durrleman's g with w = τ·v:
    /// (1 − k·w'/2w)² − (w'²/4)·(1/w + 1/4) + w''/2. The first quotient has no τ; with the others it only falls as τ
    /// does, g being concave in τ and not negative at τ = 0: a slice without butterflies has none until expiry.
    function _density(Svi memory svi, int256 k, int256 tau) private pure returns (int256 value, int256 g) {
        int256 slope;
        int256 curvature;
        (value, slope, curvature) = svi.derivatives(k);
        if (value < LEAST_VARIANCE) return (value, 0);
        int256 base = WAD - k * slope / (2 * value);
        int256 total = tau * slope / WAD;
        g = base * base / WAD - tau * (slope * slope / value) / (4 * WAD) - total * total / (16 * WAD) + tau
            * curvature / (2 * WAD);
    }

    /// @dev Total variance at equal moneyness may not fall from one expiry to the next. All are taken at the time of
    /// the new report; later the difference only grows.
    function _crosses(Candidate calldata given, Svi memory before, Svi memory next, int256 k, int256 value)
        private
        pure
        returns (bool)
    {
        uint256 time = given.slice.time();
        int256 total = value * int256(given.expiry - time);
        if (given.before.isKnown() && before.variance(k) * int256(given.beforeExpiry - time) > total) {
            return true;
        }
        return given.next.isKnown() && next.variance(k) * int256(given.nextExpiry - time) < total;
    }

    /// @dev The limits grow by themselves with every hour between the reports.
    function _jump(Candidate calldata given, int256 middle) private pure returns (Refusal) {
        if (!given.last.isKnown()) return Refusal.None;
        uint256 elapsed = given.slice.time() - given.last.time();
        uint256 old = FixedPointMathLib.sqrt(uint256(SviLib.unpack(given.last).variance(0) * WAD));
        uint256 volatility = FixedPointMathLib.sqrt(uint256(middle * WAD));
        if (!_isNear(old, volatility, given.jumpLimitBps, elapsed)) return Refusal.VolatilityJump;
        bool near =
            _isNear(given.last.forwardRatio(), given.slice.forwardRatio(), given.forwardJumpBps, elapsed);
        return near ? Refusal.None : Refusal.ForwardJump;
    }

    function _isNear(uint256 base, uint256 value, uint256 limitBps, uint256 elapsed)
        private
        pure
        returns (bool)
    {
        return FixedPointMathLib.dist(base, value) * BPS * 1 hours <= base * limitBps * (1 hours + elapsed);
    }
}
