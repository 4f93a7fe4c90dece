// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Logarithm} from "../math/Logarithm.sol";
import {OptionKernel} from "../math/OptionKernel.sol";
import {Wad} from "../math/Wad.sol";
import {Exposure} from "./Exposure.sol";
import {Expiry, Strike} from "./OptionBook.sol";
import {OptionPricing} from "./OptionPricing.sol";
import {Scenarios} from "./Scenarios.sol";

/// @notice Nodes to value at: [up, upEnd) with volatility up and [down, downEnd) with volatility down.
struct Nodes {
    uint256 up;
    uint256 upEnd;
    uint256 down;
    uint256 downEnd;
}

/// @notice The scenarios of one underlying as nodes of the kernel, volatility up in 0 … 13 and down in 14 … 22: the moves of
/// the core (0 … 7), none (8), the tails (9 … 13), none (14), the moves of the core (15 … 22). A place in memory.
type Grid is uint256;

using OptionScenarios for Grid global;

/// @title Options in every scenario (specification §6.1, §13.4)
library OptionScenarios {
    uint256 internal constant NODES = 23;

    /// @dev Core nodes at which the price moves, by −4 … −1 and 1 … 4 quarters of the range.
    uint256 private constant MOVES = 8;
    uint256 private constant TAILS = 9;

    /// @dev Nodes from here on have volatility down.
    uint256 private constant DOWN = 14;
    uint256 private constant MOVES_DOWN = 15;

    /// @dev The nodes at which the price stays.
    uint256 private constant STILL_UP = 8;
    uint256 private constant STILL_DOWN = 14;

    uint256 private constant BYTES = 0x8a0; // 23 nodes of 0x60
    uint256 private constant ONE = 1 << 64;
    uint256 private constant WAD = 1e18;

    /// @dev A quarter of a range of 1e-8, WAD.
    int256 private constant QUARTER = 25e8;

    /// @notice Counts of 2^-40 · 1e-30 of cash in a loss of 1e-8 quarters of WAD.
    int256 internal constant LOSS_COUNTS = 2500 << 40;

    /// @dev Of a strike within which prices are near enough to bound their slope, see `slackOf`.
    uint256 private constant NEAR = 64 * ONE;
    uint256 private constant LEAST_FAR_DEVIATION = 2.5e18;
    uint256 private constant SLOPE = 2749; // a quarter of 1e-8 in counts of 2^-40, rounded up
    uint256 private constant LEAST_SLACK = 1024;
    int256 private constant SLACK_FAR = 1 << 42;

    function make() internal pure returns (Grid grid) {
        assembly ("memory-safe") {
            grid := mload(0x40)
            mstore(0x40, add(grid, BYTES))
        }
    }

    /// @notice A grid of an underlying without options: every sum is zero.
    function makeEmpty() internal pure returns (Grid grid) {
        grid = make();
        assembly ("memory-safe") {
            calldatacopy(grid, calldatasize(), BYTES)
        }
    }

    /// @notice The node of a column.
    function nodeOf(uint256 column) internal pure returns (uint256) {
        unchecked {
            if (column >= Scenarios.CORE_COLUMNS) return column - Scenarios.CORE_COLUMNS + TAILS;
            uint256 core = column >> 1;
            if (core == 4) return column & 1 == 0 ? STILL_UP : STILL_DOWN;
            return (core < 4 ? core : core - 1) + (column & 1) * MOVES_DOWN;
        }
    }

    /// @notice Sets every node for a scan range (1e-8), nothing summed yet.
    function fill(Grid grid, uint256 range) internal pure {
        grid.move(range);
        _set(grid, STILL_UP, 0, WAD);
        _set(grid, STILL_DOWN, 0, WAD);
        for (uint256 i; i < Scenarios.TAILS; ++i) {
            (int256 log, uint256 factor) = Scenarios.tailFactor(i);
            _set(grid, i + TAILS, log, factor);
        }
    }

    /// @notice Sets the nodes that depend on the scan range (1e-8), nothing summed yet.
    function move(Grid grid, uint256 range) internal pure {
        unchecked {
            int256 quarter = int256(range) * QUARTER;
            int256 factor = int256(WAD) - 4 * quarter;
            for (uint256 i; i < MOVES; ++i) {
                if (i == MOVES / 2) factor += quarter; // not where the price stays
                int256 log = Logarithm.ln((uint256(factor) << 64) / WAD);
                _set(grid, i, log, uint256(factor));
                _set(grid, i + MOVES_DOWN, log, uint256(factor));
                factor += quarter;
            }
        }
    }

    /// @notice Sets one node for a scan range (1e-8), nothing summed yet.
    function set(Grid grid, uint256 node, uint256 range) internal pure {
        (int256 log, uint256 factor) = _isTail(node) ? Scenarios.tailFactor(node - TAILS) : _core(node, range);
        _set(grid, node, log, factor);
    }

    function _isTail(uint256 node) private pure returns (bool) {
        return node >= TAILS && node < DOWN;
    }

    /// @dev Quarters of the range by which a core node moves the price.
    function _quarters(uint256 node) private pure returns (int256) {
        unchecked {
            if (node == STILL_UP || node == STILL_DOWN) return 0;
            int256 place = int256(node < MOVES ? node : node - MOVES_DOWN);
            return place < 4 ? place - 4 : place - 3;
        }
    }

    /// @dev 1 + move of a core node and its logarithm, WAD.
    function _core(uint256 node, uint256 range) private pure returns (int256 log, uint256 factor) {
        unchecked {
            factor = uint256(int256(WAD) + _quarters(node) * int256(range) * QUARTER);
            log = Logarithm.ln((factor << 64) / WAD);
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
            if (_isTail(node)) {
                (uint256 size, bool isDown) = Scenarios.tail(node - TAILS);
                uint256 change = Scenarios.weightedMove(size, range);
                int256 gain = isDown ? -e.moneyCeil() : e.moneyFloor();
                return
                    Wad.divCeil(options, int256(size)) * int256(change) - 4 * gain * int256(change)
                        * LOSS_COUNTS;
            }
            int256 quarters = _quarters(node);
            int256 money = quarters < 0 ? e.moneyCeil() : e.moneyFloor();
            return options - quarters * money * int256(range) * LOSS_COUNTS;
        }
    }

    /// @notice Adds an underlying's losses, as `lossAt` has them, to those of all, and says its own worst with correlation
    /// broken: the worst among moves of up to κ of the range, or κ of the worst of all, in counts.
    /// @param slack What options may lose besides for each quarter of the range, if their grid is of another range.
    function addLosses(Exposure e, uint256 range, int256 slack, int256[23] memory losses)
        internal
        pure
        returns (int256)
    {
        Grid grid = e.grid();
        int256 value = e.optionValue();
        unchecked {
            int256 kappa = int256(e.risk().kappaQuarters());
            int256 fall = e.moneyCeil() * int256(range) * LOSS_COUNTS + slack;
            int256 rise = slack - e.moneyFloor() * int256(range) * LOSS_COUNTS;
            int256 any = FixedPointMathLib.max(0, _addPair(grid, losses, STILL_UP, STILL_DOWN, value));
            int256 near = any;
            for (int256 quarters = 1; quarters <= 4; ++quarters) {
                uint256 node = uint256(4 - quarters);
                any = FixedPointMathLib.max(
                    any, _addPair(grid, losses, node, node + MOVES_DOWN, value + quarters * fall)
                );
                node = 7 - node;
                any = FixedPointMathLib.max(
                    any, _addPair(grid, losses, node, node + MOVES_DOWN, value + quarters * rise)
                );
                if (quarters <= kappa) near = any;
            }
            for (uint256 node = TAILS; node < DOWN; ++node) {
                int256 loss = lossAt(e, range, value - grid.sumAt(node), node);
                _add(losses, node, loss);
                any = FixedPointMathLib.max(any, loss);
            }
            return FixedPointMathLib.max(near, (kappa * any + 3) / 4);
        }
    }

    /// @dev Adds what is lost at the two nodes of a move, where `value` is what is lost besides the options' worth there; the
    /// greater of both.
    function _addPair(Grid grid, int256[23] memory losses, uint256 nodeUp, uint256 nodeDown, int256 value)
        private
        pure
        returns (int256)
    {
        unchecked {
            int256 up = value - grid.sumAt(nodeUp);
            int256 down = value - grid.sumAt(nodeDown);
            _add(losses, nodeUp, up);
            _add(losses, nodeDown, down);
            return FixedPointMathLib.max(up, down);
        }
    }

    /// @notice The greatest of all and `least`.
    function greatest(int256[23] memory losses, int256 least) internal pure returns (int256 worst) {
        worst = least;
        assembly ("memory-safe") {
            let end := add(losses, 0x2e0)
            for { let at := losses } lt(at, end) { at := add(at, 0x20) } {
                let loss := mload(at)
                if sgt(loss, worst) { worst := loss }
            }
        }
    }

    function _add(int256[23] memory losses, uint256 node, int256 loss) private pure {
        assembly ("memory-safe") {
            let place := add(losses, shl(5, node))
            mstore(place, add(mload(place), loss))
        }
    }

    /// @notice What the options of an underlying may lose besides, for each quarter of the range, if the range is not the
    /// one of their grid but differs from it by `change`, in counts.
    /// @dev The slope of a call's price in f is Φ(d1) ≤ 1; while its settlement price is partly known, up to 0.4·s more for
    /// a deviation s; so within 2 for s < 2.5, and the error of the kernel and of least deviations is under 1e-6 for κ < 64.
    /// Farther strikes count as if they could lose all that a call is ever worth.
    function slackOf(Exposure e, uint256 change) internal pure returns (int256 slack) {
        unchecked {
            int256 near = int256((2 * change + LEAST_SLACK) * SLOPE);
            for (Expiry expiry = e.expiries(); !expiry.isEnd(); expiry = expiry.next()) {
                for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
                    bool isNear = strike.kappa() < NEAR && strike.deviationUp() < LEAST_FAR_DEVIATION;
                    int256 amount = int256(FixedPointMathLib.abs(strike.amount()));
                    slack += amount * (isNear ? near : SLACK_FAR);
                }
            }
        }
    }

    /// @notice Sum of amount × price at a node, counts of 2^-40 · 1e-30 of cash.
    function sumAt(Grid grid, uint256 node) internal pure returns (int256) {
        return int256(_load(grid, node, 0x40));
    }

    /// @notice Adds the options of an expiry to every node, and says the lesser of its values at which the price stays.
    function scan(Grid grid, Expiry expiry, uint256 base) internal pure returns (int256 still) {
        unchecked {
            int256 up = grid.sumAt(STILL_UP);
            int256 down = grid.sumAt(STILL_DOWN);
            _scan(grid, expiry, base, Nodes(0, DOWN, DOWN, NODES));
            up = grid.sumAt(STILL_UP) - up;
            down = grid.sumAt(STILL_DOWN) - down;
            return FixedPointMathLib.min(up, down);
        }
    }

    /// @notice Adds the options of an expiry to the nodes that `move` sets.
    function scanMoves(Grid grid, Expiry expiry, uint256 base) internal pure {
        _scan(grid, expiry, base, Nodes(0, MOVES, MOVES_DOWN, NODES));
    }

    /// @notice Adds the options of an expiry to one node.
    function scanNode(Grid grid, Expiry expiry, uint256 base, uint256 node) internal pure {
        bool isDown = node >= DOWN;
        _scan(grid, expiry, base, isDown ? Nodes(0, 0, node, node + 1) : Nodes(node, node + 1, 0, 0));
    }

    function _scan(Grid grid, Expiry expiry, uint256 base, Nodes memory nodes) private pure {
        uint256 up = _place(grid, nodes.up);
        uint256 upEnd = _place(grid, nodes.upEnd);
        uint256 down = _place(grid, nodes.down);
        uint256 downEnd = _place(grid, nodes.downEnd);
        if (expiry.open() == ONE) _scanWhole(expiry, base, up, upEnd, down, downEnd);
        else _scanOpen(expiry, base, up, upEnd, down, downEnd);
    }

    /// @dev An expiry of which nothing is known yet.
    function _scanWhole(Expiry expiry, uint256 base, uint256 up, uint256 upEnd, uint256 down, uint256 downEnd)
        private
        pure
    {
        for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
            int256 amount = strike.amount();
            if (amount == 0) continue;
            int256 logKappa = strike.logKappa();
            uint256 kappa = strike.kappa();
            OptionKernel.scan(base, up, upEnd, strike.deviationUp(), logKappa, kappa, amount);
            OptionKernel.scan(base, down, downEnd, strike.deviationDown(), logKappa, kappa, amount);
        }
    }

    /// @dev An expiry whose settlement price is partly known: each node has its own factor and deviations.
    function _scanOpen(Expiry expiry, uint256 base, uint256 up, uint256 upEnd, uint256 down, uint256 downEnd)
        private
        pure
    {
        unchecked {
            for (; up < upEnd; up += OptionKernel.NODE) {
                _scanOpenNode(expiry, base, up, false);
            }
            for (; down < downEnd; down += OptionKernel.NODE) {
                _scanOpenNode(expiry, base, down, true);
            }
        }
    }

    /// @dev Sets the node to what the expiry makes of it, and back.
    function _scanOpenNode(Expiry expiry, uint256 base, uint256 place, bool isDown) private pure {
        uint256 open = expiry.open();
        (uint256 log, uint256 f) = _node(place);
        unchecked {
            uint256 factor = expiry.known() + (open * f >> 64);
            _setNode(place, uint256(Logarithm.ln(factor) << OptionKernel.LOG_SHIFT), factor);
            for (Strike strike = expiry.strikes(); !strike.isEnd(); strike = strike.next()) {
                uint256 s = isDown ? strike.deviationDown() : strike.deviationUp();
                OptionKernel.scan(
                    base,
                    place,
                    place + OptionKernel.NODE,
                    OptionPricing.usable(OptionPricing.damped(s, open, f, factor)),
                    strike.logKappa(),
                    strike.kappa(),
                    strike.amount()
                );
            }
        }
        _setNode(place, log, f);
    }

    function _node(uint256 place) private pure returns (uint256 log, uint256 f) {
        assembly ("memory-safe") {
            log := mload(place)
            f := mload(add(place, 0x20))
        }
    }

    function _setNode(uint256 place, uint256 log, uint256 f) private pure {
        assembly ("memory-safe") {
            mstore(place, log)
            mstore(add(place, 0x20), f)
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
}
