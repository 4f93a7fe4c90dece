// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {OptionKernel} from "../math/OptionKernel.sol";
import {Wad} from "../math/Wad.sol";
import {Exposure} from "./Exposure.sol";
import {Expiry, Strike} from "./OptionBook.sol";
import {OptionPricing} from "./OptionPricing.sol";
import {Scenarios} from "./Scenarios.sol";

/// @notice The scenarios of one underlying as nodes of the kernel: 0 … 8 the core and 9 … 13 the tails with volatility up,
/// 14 … 22 the core with volatility down. A place in memory.
type Grid is uint256;

using OptionScenarios for Grid global;

/// @title Options in every scenario (specification §6.1, §13.4)
library OptionScenarios {
    uint256 internal constant NODES = 23;

    /// @dev Nodes from here on have volatility down.
    uint256 private constant DOWN = 14;
    uint256 private constant TAILS = 9;

    /// @dev The nodes at which the price stays.
    uint256 private constant STILL_UP = 4;
    uint256 private constant STILL_DOWN = 18;

    uint256 private constant ONE = 1 << 64;
    uint256 private constant WAD = 1e18;

    /// @dev A quarter of a range of 1e-8, WAD.
    int256 private constant QUARTER = 25e8;

    /// @notice Counts of 2^-40 · 1e-30 of cash in a loss of 1e-8 quarters of WAD.
    int256 internal constant LOSS_COUNTS = 2500 << 40;

    function make() internal pure returns (Grid grid) {
        assembly ("memory-safe") {
            grid := mload(0x40)
            mstore(0x40, add(grid, 0x8a0)) // 23 nodes of 0x60
        }
    }

    /// @notice The node of a column.
    function nodeOf(uint256 column) internal pure returns (uint256) {
        unchecked {
            if (column >= Scenarios.CORE_COLUMNS) return column - Scenarios.CORE_COLUMNS + TAILS;
            return (column >> 1) + (column & 1) * DOWN;
        }
    }

    /// @notice Sets every node for a scan range (1e-8), nothing summed yet.
    function fill(Grid grid, uint256 range) internal pure {
        unchecked {
            for (uint256 i; i < TAILS; ++i) {
                (int256 log, uint256 factor) = i == STILL_UP ? (int256(0), WAD) : _core(i, range);
                _set(grid, i, log, factor);
                _set(grid, i + DOWN, log, factor);
            }
            for (uint256 i; i < Scenarios.TAILS; ++i) {
                (int256 log, uint256 factor) = Scenarios.tailFactor(i);
                _set(grid, i + TAILS, log, factor);
            }
        }
    }

    /// @notice Sets one node for a scan range (1e-8), nothing summed yet.
    function set(Grid grid, uint256 node, uint256 range) internal pure {
        unchecked {
            bool isTail = node >= TAILS && node < DOWN;
            (int256 log, uint256 factor) =
                isTail ? Scenarios.tailFactor(node - TAILS) : _core(node < TAILS ? node : node - DOWN, range);
            _set(grid, node, log, factor);
        }
    }

    /// @notice Sets every sum to zero, for an underlying without options.
    function clear(Grid grid) internal pure {
        for (uint256 i; i < NODES; ++i) {
            _store(grid, i, 0x40, 0);
        }
    }

    /// @dev 1 + move of a core node and its logarithm, WAD.
    function _core(uint256 node, uint256 range) private pure returns (int256 log, uint256 factor) {
        unchecked {
            factor = uint256(int256(WAD) + (int256(node) - 4) * int256(range) * QUARTER);
            log = FixedPointMathLib.lnWad(int256(factor));
        }
    }

    function _set(Grid grid, uint256 node, int256 log, uint256 factor) private pure {
        uint256 place = _place(grid, node);
        assembly ("memory-safe") {
            mstore(place, shl(69, log))
            mstore(add(place, 0x20), div(shl(64, factor), 1000000000000000000))
            mstore(add(place, 0x40), 0)
        }
    }

    /// @notice Loss of an underlying at a node, weighted if it is a tail, in counts; `options` is what its options lose there
    /// without a weight.
    function lossAt(Exposure e, uint256 range, int256 options, uint256 node) internal pure returns (int256) {
        unchecked {
            if (node >= TAILS && node < DOWN) {
                (uint256 size, bool isDown) = Scenarios.tail(node - TAILS);
                uint256 move = Scenarios.weightedMove(size, range);
                int256 gain = isDown ? -e.moneyCeil() : e.moneyFloor();
                return
                    Wad.divCeil(options, int256(size)) * int256(move) - 4 * gain * int256(move) * LOSS_COUNTS;
            }
            int256 quarters = int256(node < TAILS ? node : node - DOWN) - 4;
            int256 money = quarters < 0 ? e.moneyCeil() : e.moneyFloor();
            return options - quarters * money * int256(range) * LOSS_COUNTS;
        }
    }

    /// @notice Adds an underlying's losses, as `lossAt` has them, to those of all, and says its own worst with correlation
    /// broken: the worst among moves of up to κ of the range, or κ of the worst of all, in counts.
    function addLosses(Grid grid, Exposure e, uint256 range, int256 value, int256[23] memory losses)
        internal
        pure
        returns (int256)
    {
        int256 kappa = int256(e.risk().kappaQuarters());
        int256 near;
        int256 any;
        unchecked {
            for (int256 quarters = -4; quarters <= 4; ++quarters) {
                uint256 node = uint256(quarters + 4);
                int256 money = quarters < 0 ? e.moneyCeil() : e.moneyFloor();
                money = value - quarters * money * int256(range) * LOSS_COUNTS;
                int256 up = money - grid.sumAt(node);
                int256 down = money - grid.sumAt(node + DOWN);
                _add(losses, node, up);
                _add(losses, node + DOWN, down);
                if (up < down) up = down;
                if (any < up) any = up;
                if (near < up && quarters <= kappa && -quarters <= kappa) near = up;
            }
            for (uint256 node = TAILS; node < DOWN; ++node) {
                int256 loss = lossAt(e, range, value - grid.sumAt(node), node);
                _add(losses, node, loss);
                if (any < loss) any = loss;
            }
            return FixedPointMathLib.max(near, (kappa * any + 3) / 4);
        }
    }

    function _add(int256[23] memory losses, uint256 node, int256 loss) private pure {
        assembly ("memory-safe") {
            let place := add(losses, shl(5, node))
            mstore(place, add(mload(place), loss))
        }
    }

    /// @notice Sum of amount × price at a node, counts of 2^-40 · 1e-30 of cash.
    function sumAt(Grid grid, uint256 node) internal pure returns (int256) {
        return int256(_load(grid, node, 0x40));
    }

    /// @notice Adds the options of an expiry to the nodes [from, to), and says the lesser of its values at which the price
    /// stays, zero if those are not among the nodes.
    function scan(Grid grid, Expiry expiry, uint256 base, uint256 from, uint256 to)
        internal
        pure
        returns (int256 still)
    {
        int256 up = grid.sumAt(STILL_UP);
        int256 down = grid.sumAt(STILL_DOWN);
        if (expiry.open() == ONE) _scanWhole(grid, expiry, base, from, to);
        else _scanOpen(grid, expiry, base, from, to);
        unchecked {
            up = grid.sumAt(STILL_UP) - up;
            down = grid.sumAt(STILL_DOWN) - down;
        }
        still = FixedPointMathLib.min(up, down);
    }

    /// @dev An expiry of which nothing is known yet.
    function _scanWhole(Grid grid, Expiry expiry, uint256 base, uint256 from, uint256 to) private pure {
        uint256 start = _place(grid, from);
        uint256 middle = _place(grid, FixedPointMathLib.clamp(DOWN, from, to));
        uint256 end = _place(grid, to);
        for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
            int256 amount = strike.amount();
            if (amount == 0) continue;
            int256 logKappa = strike.logKappa();
            uint256 kappa = strike.kappa();
            OptionKernel.scan(base, start, middle, strike.deviationUp(), logKappa, kappa, amount);
            OptionKernel.scan(base, middle, end, strike.deviationDown(), logKappa, kappa, amount);
        }
    }

    /// @dev An expiry whose settlement price is partly known: each node has its own factor and deviations.
    function _scanOpen(Grid grid, Expiry expiry, uint256 base, uint256 from, uint256 to) private pure {
        uint256 open = expiry.open();
        unchecked {
            for (uint256 i = from; i < to; ++i) {
                uint256 f = _load(grid, i, 0x20);
                uint256 log = _load(grid, i, 0);
                uint256 factor = expiry.known() + (open * f >> 64);
                int256 logFactor =
                    FixedPointMathLib.lnWad(int256(FixedPointMathLib.max(factor * WAD >> 64, 1)));
                _store(grid, i, 0, uint256(logFactor << OptionKernel.LOG_SHIFT));
                _store(grid, i, 0x20, factor);
                for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
                    uint256 s = i < DOWN ? strike.deviationUp() : strike.deviationDown();
                    OptionKernel.scan(
                        base,
                        _place(grid, i),
                        _place(grid, i + 1),
                        OptionPricing.usable(OptionPricing.damped(s, open, f, factor)),
                        strike.logKappa(),
                        strike.kappa(),
                        strike.amount()
                    );
                }
                _store(grid, i, 0, log);
                _store(grid, i, 0x20, f);
            }
        }
    }

    function _place(Grid grid, uint256 node) private pure returns (uint256) {
        unchecked {
            return Grid.unwrap(grid) + node * OptionKernel.NODE;
        }
    }

    function _load(Grid grid, uint256 node, uint256 offset) private pure returns (uint256 word) {
        uint256 place = _place(grid, node);
        assembly ("memory-safe") {
            word := mload(add(place, offset))
        }
    }

    function _store(Grid grid, uint256 node, uint256 offset, uint256 word) private pure {
        uint256 place = _place(grid, node);
        assembly ("memory-safe") {
            mstore(add(place, offset), word)
        }
    }
}
