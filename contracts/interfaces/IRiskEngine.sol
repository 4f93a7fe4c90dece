// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LiquidationTerms, Margin} from "../types/Margin.sol";
import {Instrument, Position} from "../types/Position.sol";

/// @title Answers what an account is worth and what it must hold
/// @dev Equity never depends on the engine; requirements do. Requirements are positively homogeneous: the
/// liquidation algebra rests on it.
interface IRiskEngine {
    /// @notice Assesses an account at the accepted prices.
    /// @param cash Cash of the account, WAD, debt negative.
    /// @param mode `ASSESS_ALL`; `ASSESS_MAINTENANCE`, where an upper bound of IM will do; or 1 + the index of one named
    /// scenario, for a lower bound of MM.
    /// @param words Its positions, with funding folded in: a perpetual is worth size × mark + quote.
    function assess(int256 cash, uint256 mode, Position[] calldata words)
        external
        view
        returns (Margin memory);

    /// @notice Assesses an account as if the accepted price of `underlying` were `spot`, all else as it is.
    function assessAt(int256 cash, Position[] calldata words, uint16 underlying, uint256 spot)
        external
        view
        returns (Margin memory);

    /// @notice Fair price of one unit of an option, WAD of cash, and its delta, signed WAD a unit.
    function fairPrice(Instrument series) external view returns (uint256 price, int256 delta);

    /// @notice Whether the engine has parameters for a collateral asset, which it then never loses.
    function supportsAsset(uint16 asset) external view returns (bool);

    /// @notice Terms on which accounts of this engine are liquidated.
    function liquidationTerms() external view returns (LiquidationTerms memory);
}
