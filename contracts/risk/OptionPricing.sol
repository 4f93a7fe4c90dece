// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Logarithm} from "../math/Logarithm.sol";
import {OptionKernel} from "../math/OptionKernel.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Expiry, Strike} from "./OptionBook.sol";

/// @notice What the options of one expiry are priced with.
/// @param forward F, spot × ratio, 1e-12 of cash, at least 1.
/// @param open Part of the settlement price that is not known yet, 2^-64.
/// @param known The part that is known, over F, 2^-64: the settlement price is F·(known + open) if nothing moves.
/// @param time Seconds to expiry.
/// @param span Seconds of variance: `time`, less two thirds of the settlement window while it lies ahead, since the mean of
/// a window varies as a third of it.
/// @param divisor Seconds of `span` in which a year's variance accrues: a year, or three where the mean is under way.
/// @param up Factor on a deviation that shocks volatility up, WAD; down, likewise.
/// @param leastUp Least shocked deviation, WAD.
struct Term {
    VolatilitySlice slice;
    uint256 forward;
    uint256 open;
    uint256 known;
    uint256 time;
    uint256 span;
    uint256 divisor;
    uint256 up;
    uint256 down;
    uint256 leastUp;
}

/// @notice What the options of one expiry come to.
/// @param worth Value, 1e-36 of cash.
/// @param parity Exposure to the forward that puts keep besides the calls which they became, 1e-30 of cash.
/// @param delta Σ net × Φ(d1) − puts, WAD × 2^40, on the open part of the settlement price.
/// @param short Σ over strikes of the net short size, WAD.
struct ExpiryTotals {
    int256 worth;
    int256 parity;
    int256 delta;
    uint256 short;
}

/// @title Quotes of the options in an account (specification §13)
/// @dev A size is under 2^127 and at most 64 add up: 2^133. A forward is under 2^74 (1e-12), a ratio to it under 2^42 in
/// counts of 2^-40; so an expiry's value is under 2^249 in counts of 2^-40 · 1e-30. A strike is under 2^71 (1e-8).
library OptionPricing {
    uint256 internal constant WINDOW = 30 minutes;

    uint256 private constant WAD = 1e18;
    uint256 private constant RATIO = 1e8;
    uint256 private constant YEAR = 365 days;
    uint256 private constant ONE = 1 << 64;

    /// @dev Prices count 1e-12 of cash, strikes 1e-8.
    uint256 private constant PRICE_UNIT = 1e6;
    uint256 private constant STRIKE_UNIT = 1e4;

    /// @dev Vol shocks: σ up by 50 %·g, at least to 40 %; down by 30 %·g; g = (30 d / max(DTE, 1 d))^p.
    uint256 private constant SHOCK_UP = 0.5e18;
    uint256 private constant SHOCK_DOWN = 0.3e18;
    uint256 private constant LEAST_UP_SQUARED = 0.16e18;
    int256 private constant POWER_SHORT = 0.3e18;
    int256 private constant POWER_LONG = 0.13e18;
    uint256 private constant SHOCK_TERM = 30 days;
    uint256 private constant SHOCK_LEAST_TERM = 1 days;

    /// @notice The term of an expiry that is not settled. In the last 30 minutes, and after them until it is settled, a
    /// part of the settlement price is known: `elapsed` seconds of them, of mean `mean` (WAD).
    function term(
        Snapshot snapshot,
        VolatilitySlice slice,
        uint256 date,
        uint256 nowTime,
        uint256 elapsed,
        uint256 mean
    ) internal pure returns (Term memory found) {
        unchecked {
            uint256 forward = snapshot.spotUnits() * slice.forwardRatio() / RATIO;
            found.forward = forward = FixedPointMathLib.max(forward, 1);
            found.slice = slice;
            uint256 time = FixedPointMathLib.zeroFloorSub(date, nowTime);
            bool settling = time < WINDOW;
            found.time = time;
            found.span = settling ? time : time - WINDOW * 2 / 3;
            found.divisor = settling ? 3 * YEAR : YEAR;
            elapsed = FixedPointMathLib.min(elapsed, WINDOW);
            found.open = (WINDOW - elapsed) * ONE / WINDOW;
            found.known = mean / PRICE_UNIT * elapsed * ONE / (WINDOW * forward);
            _setShocks(found);
        }
    }

    /// @dev One power an expiry.
    function _setShocks(Term memory found) private pure {
        unchecked {
            uint256 term_ = FixedPointMathLib.max(found.time, SHOCK_LEAST_TERM);
            int256 log = Logarithm.ln(SHOCK_TERM * ONE / term_);
            log = log * (term_ < SHOCK_TERM ? POWER_SHORT : POWER_LONG) / int256(WAD);
            uint256 g = uint256(FixedPointMathLib.expWad(log));
            found.up = WAD + SHOCK_UP * g / WAD;
            found.down = FixedPointMathLib.zeroFloorSub(WAD, SHOCK_DOWN * g / WAD);
            found.leastUp = FixedPointMathLib.sqrt(LEAST_UP_SQUARED * found.span * WAD / found.divisor);
        }
    }

    /// @notice The settlement price if nothing moves, over the forward, 2^-64.
    function factor(Term memory self) internal pure returns (uint256) {
        unchecked {
            return self.known + self.open;
        }
    }

    /// @notice Strike (1e-8) over forward, and its logarithm (WAD).
    function moneyness(Term memory self, uint256 strike)
        internal
        pure
        returns (uint256 kappa, int256 logKappa)
    {
        unchecked {
            uint256 ratio = FixedPointMathLib.rawDiv(strike * STRIKE_UNIT * ONE, self.forward);
            kappa = FixedPointMathLib.min(ratio, OptionKernel.GREATEST_RATIO);
            logKappa = Logarithm.ln(kappa);
        }
    }

    /// @notice σ·√τ at a log-moneyness, WAD, before the known part of the settlement price damps it.
    function deviation(Term memory self, int256 logKappa) internal pure returns (uint256) {
        unchecked {
            uint256 variance = self.slice.annualVariance(logKappa); // under 2^84
            return FixedPointMathLib.sqrt(FixedPointMathLib.rawDivWad(variance * self.span, self.divisor));
        }
    }

    /// @notice A deviation of the settlement price, of which `open` is left and which is now `factor_` forwards, after the
    /// forward moved to f of itself: σ·√τ·open·f/factor.
    function damped(uint256 deviation_, uint256 open, uint256 f, uint256 factor_)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            return FixedPointMathLib.rawDiv(deviation_ * (open * f >> 64), factor_); // zero for a factor of zero
        }
    }

    /// @notice A deviation that the kernel takes: a count of 1e-18 prices at the intrinsic value.
    function usable(uint256 deviation_) internal pure returns (uint256) {
        if (deviation_ >= OptionKernel.LEAST_DEVIATION) return deviation_;
        return deviation_ == 0 ? 1 : OptionKernel.LEAST_DEVIATION;
    }

    /// @notice Values the options of an expiry, and prepares their records for scenarios.
    /// @param base The kernel's table.
    function quote(Expiry expiry, Term memory self, uint256 base)
        internal
        pure
        returns (ExpiryTotals memory totals)
    {
        unchecked {
            uint256 factor_ = factor(self);
            int256 settlement = int256(self.forward * PRICE_UNIT * factor_ >> 64);
            int256 value;
            for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
                int256 puts = strike.puts();
                if (puts != 0) {
                    totals.worth -= puts * (settlement - int256(strike.price() * 1e10));
                    totals.parity -= puts;
                    totals.delta -= puts << 40;
                }
                int256 net = strike.net();
                if (net == 0) continue;
                if (net < 0) totals.short += uint256(-net);
                (int256 v, uint256 delta) = _quoteStrike(strike, self, net, factor_, base);
                value += v * strike.amount();
                totals.worth += net * _priceOf(v, self.forward);
                totals.delta += net * int256(delta);
            }
            totals.parity *= int256(self.forward * self.open >> 64);
            expiry.setQuote(value, self.open, self.known);
        }
    }

    /// @dev Price of one unit, WAD, rounded up, so that a put is worth no less than nothing.
    function _priceOf(int256 v, uint256 forward) private pure returns (int256) {
        unchecked {
            return int256((uint256(v) * forward * PRICE_UNIT + ((1 << 40) - 1)) >> 40);
        }
    }

    function _quoteStrike(Strike strike, Term memory self, int256 net, uint256 factor_, uint256 base)
        private
        pure
        returns (int256 v, uint256 delta)
    {
        unchecked {
            (uint256 kappa, int256 logKappa) = moneyness(self, strike.price());
            uint256 s = deviation(self, logKappa);
            strike.setQuote(
                logKappa << OptionKernel.LOG_SHIFT,
                kappa,
                usable(FixedPointMathLib.max(s * self.up / WAD, self.leastUp)),
                usable(s * self.down / WAD),
                net * int256(self.forward)
            );
            if (factor_ == ONE && self.open == ONE) {
                return OptionKernel.price(base, 0, ONE, usable(s), strike.logKappa(), kappa);
            }
            s = usable(damped(s, self.open, ONE, factor_));
            return OptionKernel.price(
                base, Logarithm.ln(factor_) << OptionKernel.LOG_SHIFT, factor_, s, strike.logKappa(), kappa
            );
        }
    }

    /// @notice Value of the options of a settled expiry, 1e-36 of cash.
    function payoffs(Expiry expiry, uint256 settlementPrice) internal pure returns (int256 worth) {
        unchecked {
            for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
                int256 exercised = int256(settlementPrice) - int256(strike.price() * 1e10);
                worth += strike.net() * FixedPointMathLib.max(exercised, 0) - strike.puts() * exercised;
            }
        }
    }
}
