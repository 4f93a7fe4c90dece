// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice What one word keeps of the prices that settle an expiry.
///
/// | bits      | field                                              | unit              |
/// |-----------|----------------------------------------------------|-------------------|
/// | 208 … 255 | strike tick, never zero of an allowed expiry       | 1e-8 of cash      |
/// | 140 … 207 | last observed price                                | 1e-12 of cash     |
/// | 108 … 139 | its time, zero if none was observed                | unix seconds      |
/// |  29 … 107 | sum of price × seconds, of the phase               | 1e-12 of cash · s |
/// |  17 … 28  | longest gap between observations before expiry     | seconds           |
/// |   9 … 16  | observations in the last 30 minutes before expiry  | 255 at most       |
/// |   0 … 8   | phase                                              |                   |
///
/// @dev A sum and not a ring of observations: the times between which the mean is wanted are known beforehand.
struct Fixing {
    uint256 strikeTick;
    uint256 price;
    uint256 time;
    uint256 sum;
    uint256 gap;
    uint256 count;
    uint256 phase;
}

/// @title Time-weighted means for settlement, specification §5.8
library FixingWindow {
    uint256 internal constant TICK_SHIFT = 208;
    uint256 internal constant WINDOW = 30 minutes;
    uint256 internal constant LEAD = 35 minutes; // observed from here on, for the price that holds as the window opens
    uint256 internal constant LATE_WINDOW = 60 seconds;

    uint256 internal constant BEFORE = 0; // the window before expiry
    uint256 internal constant SETTLED = 1; // its mean is known
    uint256 internal constant AFTER = 2; // it had too few observations: the window after expiry
    uint256 internal constant SETTLED_LATE = 3; // the mean of that one is known

    uint256 private constant SPACING = 15 seconds;
    uint256 private constant LEAST_COUNT = 10;
    uint256 private constant MAX_GAP = 5 minutes;
    uint256 private constant PRICE_UNIT = 1e6; // 1e-12 of cash in WAD

    /// @notice Takes in an accepted price.
    /// @param price 1e-12 of cash.
    /// @param time Time of the report, later than that of every price taken in before.
    function observe(Fixing memory self, uint256 expiry, uint256 price, uint256 time) internal pure {
        if (self.phase == BEFORE) {
            if (time < expiry) return _observeBefore(self, expiry, price, time);
            _extend(self, expiry - WINDOW, expiry);
            if (_isEnough(self)) {
                self.phase = SETTLED;
                return;
            }
            (self.phase, self.sum, self.time, self.price) = (AFTER, 0, expiry, price);
        }
        if (self.phase == AFTER) _observeAfter(self, expiry, price, time);
    }

    /// @notice The settlement price once its window is closed, WAD of cash, rounded down; else zero.
    function settlement(Fixing memory self) internal pure returns (uint256) {
        if (self.phase == SETTLED) return self.sum * PRICE_UNIT / WINDOW;
        if (self.phase == SETTLED_LATE) return self.sum * PRICE_UNIT / LATE_WINDOW;
        return 0;
    }

    /// @notice The settlement price if nothing more is observed: the last price holds to the end of the window. WAD of
    /// cash, rounded down; zero if nothing was observed.
    function settlementAsIs(Fixing memory self, uint256 expiry) internal pure returns (uint256) {
        if (self.phase == AFTER) {
            _observeAfter(self, expiry, self.price, expiry + LATE_WINDOW);
        } else if (self.phase == BEFORE && self.time != 0) {
            _extend(self, expiry - WINDOW, expiry);
            self.phase = SETTLED;
        }
        return settlement(self);
    }

    /// @notice Elapsed seconds of the window before expiry and the mean over them, WAD of cash, rounded down.
    /// @dev Both zero before the window, without an observation, and as soon as a gap rules this window out.
    function meanSoFar(Fixing memory self, uint256 expiry, uint256 nowTime)
        internal
        pure
        returns (uint256 elapsed, uint256 mean)
    {
        if (self.phase == SETTLED) return (WINDOW, settlement(self));
        uint256 start = expiry - WINDOW;
        uint256 end = FixedPointMathLib.min(nowTime, expiry);
        if (self.phase != BEFORE || self.time == 0 || end <= start) return (0, 0);
        _extend(self, start, end);
        if (self.gap > MAX_GAP) return (0, 0);
        elapsed = end - start;
        mean = self.sum * PRICE_UNIT / elapsed;
    }

    function unpack(uint256 word) internal pure returns (Fixing memory) {
        return Fixing({
            strikeTick: word >> TICK_SHIFT,
            price: (word >> 140) & ((1 << 68) - 1),
            time: uint32(word >> 108),
            sum: (word >> 29) & ((1 << 79) - 1),
            gap: (word >> 17) & 0xfff,
            count: uint8(word >> 9),
            phase: word & 0x1ff
        });
    }

    /// @dev Prices are under 2^68 and a window under 2^11 seconds, so the sum is under 2^79.
    function pack(Fixing memory self) internal pure returns (uint256) {
        return (self.strikeTick << TICK_SHIFT) | (self.price << 140) | (self.time << 108) | (self.sum << 29)
            | (self.gap << 17) | (self.count << 9) | self.phase;
    }

    /// @dev The first price counts from the start of the window on, and the delay as a gap.
    function _observeBefore(Fixing memory self, uint256 expiry, uint256 price, uint256 time) private pure {
        uint256 start = expiry - WINDOW;
        if (self.time == 0) {
            (self.price, self.time) = (price, FixedPointMathLib.min(time, start));
        } else if (time < self.time + SPACING) {
            return;
        }
        _extend(self, start, time);
        if (time >= start) self.count = FixedPointMathLib.min(self.count + 1, type(uint8).max);
        (self.price, self.time) = (price, time);
    }

    /// @dev The price that held since the last observation counts up to the end of the window.
    function _observeAfter(Fixing memory self, uint256 expiry, uint256 price, uint256 time) private pure {
        uint256 end = FixedPointMathLib.min(time, expiry + LATE_WINDOW);
        self.sum += self.price * (end - self.time);
        (self.price, self.time) = (price, end);
        if (time >= expiry + LATE_WINDOW) self.phase = SETTLED_LATE;
    }

    /// @dev Lets the last price hold up to `end`.
    function _extend(Fixing memory self, uint256 start, uint256 end) private pure {
        if (self.time == 0 || end <= start) return;
        self.gap = FixedPointMathLib.min(FixedPointMathLib.max(self.gap, end - self.time), 0xfff);
        self.sum += self.price * (end - FixedPointMathLib.max(self.time, start));
    }

    function _isEnough(Fixing memory self) private pure returns (bool) {
        return self.time != 0 && self.count >= LEAST_COUNT && self.gap <= MAX_GAP;
    }
}
