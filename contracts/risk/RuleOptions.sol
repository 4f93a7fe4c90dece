// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice A short option in money, WAD of cash, each rounded against the account.
/// @param notional |size| × spot.
/// @param distance |size| × how far the option is out of the money.
/// @param mark |size| × price of the option.
/// @param bound The most that options of this size can be worth at this spot: the underlying for calls, the strike for
/// puts.
struct ShortOption {
    bool isPut;
    uint256 notional;
    uint256 distance;
    uint256 mark;
    uint256 bound;
}

/// @title What the rule engine requires of a short option (specification §6.9)
/// @dev Money is under 2^182: a size is under 2^128, a spot under 2^88, a strike under 2^105, a price under 2^108. Rates
/// count 1e-8 and are under 2^27, a widening is under 2^46.
library RuleOptions {
    uint256 private constant WAD = 1e18;
    uint256 private constant RATIO = 1e8;

    /// @notice A short option of |size| `amount` WAD.
    /// @param strike WAD of cash.
    /// @param mark |size| × price, WAD of cash, rounded up.
    function make(uint256 amount, uint256 spot, uint256 strike, bool isPut, uint256 mark)
        internal
        pure
        returns (ShortOption memory)
    {
        unchecked {
            uint256 notional = FixedPointMathLib.divUp(amount * spot, WAD);
            uint256 distance = isPut
                ? FixedPointMathLib.zeroFloorSub(spot, strike)
                : FixedPointMathLib.zeroFloorSub(strike, spot);
            return ShortOption({
                isPut: isPut,
                notional: notional,
                distance: amount * distance / WAD,
                mark: mark,
                bound: isPut ? FixedPointMathLib.divUp(amount * strike, WAD) : notional
            });
        }
    }

    /// @notice Part of MM, 1e-8 of WAD: rate × notional, for a put at least rate × mark; never over the bound, and the
    /// bound if the rate is over one.
    function maintenance(ShortOption memory self, uint256 rate) internal pure returns (uint256) {
        unchecked {
            if (rate > RATIO) return self.bound * RATIO;
            uint256 base = self.isPut ? FixedPointMathLib.max(self.notional, self.mark) : self.notional;
            return FixedPointMathLib.min(base * rate, self.bound * RATIO);
        }
    }

    /// @notice Part of IM, 1e-8 of WAD: max(rate × notional − distance, floor × notional), widened, rounded up; never over
    /// the bound.
    function initial(ShortOption memory self, uint256 rate, uint256 floor, uint256 widening)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 near = FixedPointMathLib.zeroFloorSub(self.notional * rate, self.distance * RATIO);
            uint256 base = FixedPointMathLib.max(near, self.notional * floor);
            uint256 bound = self.bound * RATIO;
            if (base >= bound) return bound;
            return FixedPointMathLib.min(FixedPointMathLib.divUp(base * widening, RATIO), bound);
        }
    }
}
