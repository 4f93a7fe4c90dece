// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice A ratio that moves linearly from one value to another, so that a change of it surprises nobody. Two of them
/// and 64 bits more fill one word of storage.
///
/// | bits      | field | unit         |
/// |-----------|-------|--------------|
/// |  80 … 95  | from  | 1e-4         |
/// |  64 … 79  | to    | 1e-4         |
/// |  32 … 63  | start | unix seconds |
/// |   0 … 31  | end   | unix seconds |
type Ramp is uint96;

using RampLib for Ramp global;

library RampLib {
    /// @dev The ends count 1e-4, what lies between 1e-8.
    uint256 private constant STEP = 1e4;

    /// @notice A ratio that does not move, 1e-4.
    function level(uint16 value) internal pure returns (Ramp) {
        return _pack(value, value, 0, 0);
    }

    /// @notice The value at `time` in 1e-8, rounded down.
    function atDown(Ramp self, uint256 time) internal pure returns (uint256) {
        (uint256 weighted, uint256 length) = _at(self, time);
        unchecked {
            return weighted / length;
        }
    }

    /// @notice The value at `time` in 1e-8, rounded up.
    function atUp(Ramp self, uint256 time) internal pure returns (uint256) {
        (uint256 weighted, uint256 length) = _at(self, time);
        return FixedPointMathLib.divUp(weighted, length);
    }

    /// @notice A ramp to another value that begins where this one is at `time`, to 1e-4.
    /// @param up Whether that beginning is rounded up or down: a beginning that asks for less than before is no jump.
    function towards(Ramp self, uint16 value, uint256 time, uint256 duration, bool up)
        internal
        pure
        returns (Ramp)
    {
        uint256 now_ = up ? FixedPointMathLib.divUp(atUp(self, time), STEP) : atDown(self, time) / STEP;
        return _pack(now_, value, time, time + duration);
    }

    /// @notice The value that it ends at, 1e-4.
    function target(Ramp self) internal pure returns (uint16) {
        return uint16(Ramp.unwrap(self) >> 64);
    }

    /// @dev The value is `weighted / length`, in 1e-8. A mean of two values of 16 bits: nothing overflows.
    function _at(Ramp self, uint256 time) private pure returns (uint256 weighted, uint256 length) {
        uint256 word = Ramp.unwrap(self);
        uint256 start = uint32(word >> 32);
        uint256 end = uint32(word);
        uint256 to = uint16(word >> 64);
        unchecked {
            if (time >= end) return (to * STEP, 1);
            uint256 from = word >> 80;
            if (time <= start) return (from * STEP, 1);
            return ((from * (end - time) + to * (time - start)) * STEP, end - start);
        }
    }

    /// @dev Unix seconds fit 32 bits until 2106, and a value that `_at` answers fits 16 as its ends do.
    function _pack(uint256 from, uint256 to, uint256 start, uint256 end) private pure returns (Ramp) {
        return Ramp.wrap(uint96((from << 80) | (to << 64) | (uint256(uint32(start)) << 32) | uint32(end)));
    }
}
