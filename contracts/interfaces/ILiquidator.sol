// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {PriceUpdate} from "./IOracleAdapter.sol";

/// @title Sells a fraction of an account that is under its maintenance margin
interface ILiquidator {
    /// @param equity E of the account before, WAD.
    /// @param maintenance MM that the liquidation was priced on, WAD.
    /// @param fraction Fraction that was taken, WAD.
    /// @param reward What the liquidator gained at accepted prices, WAD.
    /// @param insurance What the insurance account gained, WAD.
    event Liquidated(
        AccountId indexed account,
        AccountId indexed into,
        int256 equity,
        uint256 maintenance,
        uint256 fraction,
        uint256 reward,
        uint256 insurance
    );

    /// @notice Takes a fraction of every balance of `account` into the caller's account and pays for it.
    /// @param into Account of the caller that takes over; it must meet its initial margin afterwards.
    /// @param fraction Greatest fraction to take, WAD; more than restores the account is cut down to that.
    /// @param minValue Least reward, WAD of cash at accepted prices, for which the caller still wants it.
    /// @param witness Zero to assess the account in full, or 1 + the index of one scenario that proves it
    /// liquidatable for less gas; the milder margin of that scenario then sets the terms.
    /// @param updates Prices to refresh first.
    /// @return taken Fraction that was taken, WAD.
    function liquidate(
        AccountId account,
        AccountId into,
        uint256 fraction,
        uint256 minValue,
        uint256 witness,
        PriceUpdate[] calldata updates
    ) external returns (uint256 taken);
}
