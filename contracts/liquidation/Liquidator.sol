// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IClearinghouse, Slice} from "../interfaces/IClearinghouse.sol";
import {ILiquidator} from "../interfaces/ILiquidator.sol";
import {IOracleAdapter, PriceUpdate} from "../interfaces/IOracleAdapter.sol";
import {AccountId} from "../types/AccountId.sol";
import {ASSESS_ALL, LiquidationTerms, Margin} from "../types/Margin.sol";
import {LiquidationMath} from "./LiquidationMath.sol";

/// @title Ballast's Liquidator: the vertical slice
/// @notice Any keeper may take the same fraction of everything that an unhealthy account holds, hedges included, at a
/// discount measured on its maintenance margin, and no more than restores it.
/// @dev No storage and no money. How to stop it: nothing stops liquidations.
contract Liquidator is ILiquidator {
    IClearinghouse public immutable CLEARINGHOUSE;
    IOracleAdapter public immutable ORACLE;

    /// @dev Thrown when the receiving account is not the caller's.
    error Liquidator_NotOwner(AccountId into, address caller);
    /// @dev Thrown when an account is at or above its maintenance margin (that of the witness, if one is named).
    error Liquidator_Healthy(AccountId account, int256 equity, uint256 maintenance);
    /// @dev Thrown when an account owes more than it holds.
    error Liquidator_Bankrupt(AccountId account, int256 equity);
    /// @dev Thrown when a price that the account rests on is not fresh.
    error Liquidator_PriceNotFresh(AccountId account);
    /// @dev Thrown when nothing would be taken.
    error Liquidator_ZeroFraction();
    /// @dev Thrown when the reward is less than the caller asks for.
    error Liquidator_RewardBelowMinimum(uint256 reward, uint256 minimum);

    constructor(IClearinghouse clearinghouse, IOracleAdapter oracle) {
        CLEARINGHOUSE = clearinghouse;
        ORACLE = oracle;
    }

    /// @inheritdoc ILiquidator
    function liquidate(
        AccountId account,
        AccountId into,
        uint256 fraction,
        uint256 minValue,
        uint256 witness,
        PriceUpdate[] calldata updates
    ) external returns (uint256 taken) {
        if (into.owner() != msg.sender) revert Liquidator_NotOwner(into, msg.sender);
        if (updates.length != 0) ORACLE.refresh(updates);
        Margin memory margin = CLEARINGHOUSE.margin(account, witness);
        uint256 equity = _requireLiquidatable(account, margin);
        LiquidationTerms memory terms = CLEARINGHOUSE.liquidationTerms(account);
        uint256 discount = LiquidationMath.discountOf(terms, equity, margin.maintenance);
        uint256 best = LiquidationMath.fractionToTarget(
            terms, equity, margin.maintenance, discount, witness == ASSESS_ALL
        );
        taken = Math.min(fraction, best);
        if (taken == 0) revert Liquidator_ZeroFraction();
        (uint256 payment, uint256 insurance, uint256 reward) =
            LiquidationMath.paymentFor(taken, equity, discount);
        if (reward < minValue) revert Liquidator_RewardBelowMinimum(reward, minValue);
        CLEARINGHOUSE.transferSlice(
            Slice({
                from: account,
                into: into,
                fraction: taken,
                payment: payment,
                insurance: insurance,
                equity: margin.equity,
                initial: margin.initial
            })
        );
        emit Liquidated(account, into, margin.equity, margin.maintenance, taken, reward, insurance);
    }

    function _requireLiquidatable(AccountId account, Margin memory margin)
        private
        pure
        returns (uint256 equity)
    {
        if (margin.equity >= int256(margin.maintenance)) {
            revert Liquidator_Healthy(account, margin.equity, margin.maintenance);
        }
        if (!margin.fresh) revert Liquidator_PriceNotFresh(account);
        if (margin.equity < 0) revert Liquidator_Bankrupt(account, margin.equity);
        return uint256(margin.equity);
    }
}
