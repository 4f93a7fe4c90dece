// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {Margin} from "../types/Margin.sol";
import {Position} from "../types/Position.sol";

/// @notice Prices of one underlying, the others fixed, at which equity meets IM, the margin call and MM: the nearest
/// below and above the accepted price, WAD; zero where there is none between 1/1024 and 16 times of it.
struct Thresholds {
    uint16 underlying;
    uint256 initialBelow;
    uint256 initialAbove;
    uint256 marginCallBelow;
    uint256 marginCallAbove;
    uint256 maintenanceBelow;
    uint256 maintenanceAbove;
}

/// @title Finds threshold prices by bisection through the engine (specification §7.5)
library ThresholdSearch {
    uint256 private constant INITIAL = 0;
    uint256 private constant MARGIN_CALL = 1;
    uint256 private constant MAINTENANCE = 2;

    /// @dev The greatest price that a snapshot holds, WAD.
    uint256 private constant GREATEST_PRICE = ((1 << 68) - 1) * 1e6;

    /// @dev Halvings of the bracket: the result is exact to 16 × 2^-34 of the price.
    uint256 private constant STEPS = 34;

    /// @dev What the search keeps fixed.
    struct Book {
        IRiskEngine engine;
        int256 cash;
        Position[] words;
        uint16 underlying;
    }

    /// @notice Threshold prices of an account along `underlying`, whose accepted price is `spot`.
    function find(IRiskEngine engine, int256 cash, Position[] memory words, uint16 underlying, uint256 spot)
        internal
        view
        returns (Thresholds memory found)
    {
        Book memory book = Book({engine: engine, cash: cash, words: words, underlying: underlying});
        (uint256 low, uint256 high) = (spot / 1024, Math.min(spot * 16, GREATEST_PRICE));
        found.underlying = underlying;
        found.initialBelow = _root(book, INITIAL, spot, low);
        found.initialAbove = _root(book, INITIAL, spot, high);
        found.marginCallBelow = _root(book, MARGIN_CALL, spot, low);
        found.marginCallAbove = _root(book, MARGIN_CALL, spot, high);
        found.maintenanceBelow = _root(book, MAINTENANCE, spot, low);
        found.maintenanceAbove = _root(book, MAINTENANCE, spot, high);
    }

    /// @dev Bisects between `near`, the accepted price, and `far`; zero if the sign is the same at both.
    function _root(Book memory book, uint256 level, uint256 near, uint256 far)
        private
        view
        returns (uint256)
    {
        bool met = _meets(book, level, near);
        if (_meets(book, level, far) == met) return 0;
        for (uint256 i; i < STEPS; ++i) {
            uint256 middle = (near + far) / 2;
            if (_meets(book, level, middle) == met) near = middle;
            else far = middle;
        }
        return near;
    }

    function _meets(Book memory book, uint256 level, uint256 price) private view returns (bool) {
        Margin memory margin = book.engine.assessAt(book.cash, book.words, book.underlying, price);
        uint256 required = level == INITIAL
            ? margin.initial
            : level == MARGIN_CALL ? margin.marginCall() : margin.maintenance;
        return margin.equity >= int256(required);
    }
}
