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

    /// @notice An account was proven to be under its maintenance margin, now and for `proven` seconds so far.
    event Flagged(AccountId indexed account, uint256 proven);

    /// @notice An account recovered, and its proven time counts no more.
    event FlagCleared(AccountId indexed account);

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

    /// @notice Proves that an account is under its maintenance margin. The discount grows with the time so proven, of
    /// which at most 5 minutes count between two proofs; an hour without one, and the time begins anew.
    /// @param witness As for `liquidate`.
    /// @param updates Prices to refresh first.
    /// @return proven Seconds proven so far.
    function flag(AccountId account, uint256 witness, PriceUpdate[] calldata updates)
        external
        returns (uint256 proven);

    /// @notice Ends the flag of an account that is at or above its margin-call level, min(1.1·MM, IM), at fresh prices.
    /// @param updates Prices to refresh first.
    function clearFlag(AccountId account, PriceUpdate[] calldata updates) external;

    /// @notice The flag as stored; zero for an account that is not flagged.
    /// @return lastProof Time of the last proof, unix seconds. After an hour the flag means nothing.
    /// @return proven Seconds proven by then.
    function flagOf(AccountId account) external view returns (uint256 lastProof, uint256 proven);

    /// @notice The discount on MM, WAD, at which an account would be liquidated now. Fails as `liquidate` would for one
    /// that is not liquidatable; a bankrupt one counts as one without equity.
    /// @param witness As for `liquidate`.
    function discountRate(AccountId account, uint256 witness) external view returns (uint256);
}
