// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouse, Slice} from "../interfaces/IClearinghouse.sol";
import {ILiquidator} from "../interfaces/ILiquidator.sol";
import {IOracleAdapter, PriceUpdate} from "../interfaces/IOracleAdapter.sol";
import {AccountId} from "../types/AccountId.sol";
import {ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin} from "../types/Margin.sol";
import {Flag} from "./Flag.sol";
import {LiquidationMath} from "./LiquidationMath.sol";

/// @title Ballast's Liquidator: the vertical slice
/// @notice Any keeper may take the same fraction of everything that an unhealthy account holds, hedges included, at a
/// discount measured on its maintenance margin, and no more than restores it.
/// @dev Holds no money. Storage: one word an account that was flagged. How to stop it: nothing stops liquidations but an
/// outage of the sequencer, for a day.
contract Liquidator is ILiquidator {
    IClearinghouse public immutable CLEARINGHOUSE;
    IOracleAdapter public immutable ORACLE;

    mapping(AccountId account => Flag) private _flags;

    /// @dev Thrown when the receiving account is not the caller's.
    error Liquidator_NotOwner(AccountId into, address caller);
    /// @dev Thrown when an account is at or above its maintenance margin (that of the witness, if one is named).
    error Liquidator_Healthy(AccountId account, int256 equity, uint256 maintenance);
    /// @dev Thrown when an account could be healthy if prices that are not fresh had moved its way unseen.
    error Liquidator_Credited(AccountId account, int256 equity, uint256 credit, uint256 maintenance);
    /// @dev Thrown while the sequencer is down or came up too recently.
    error Liquidator_SequencerOutage(uint256 until);
    /// @dev Thrown when an account owes more than it holds.
    error Liquidator_Bankrupt(AccountId account, int256 equity);
    /// @dev Thrown when nothing would be taken.
    error Liquidator_ZeroFraction();
    /// @dev Thrown when the reward is less than the caller asks for.
    error Liquidator_RewardBelowMinimum(uint256 reward, uint256 minimum);
    /// @dev Thrown when a flag would be cleared that is not there.
    error Liquidator_NotFlagged(AccountId account);
    /// @dev Thrown when a flag would be cleared on a price that is not fresh.
    error Liquidator_PriceNotFresh(AccountId account);
    /// @dev Thrown when a flag would be cleared of an account under its margin-call level.
    error Liquidator_NotRecovered(AccountId account, int256 equity, uint256 marginCall);

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
        Margin memory margin = _proveUnhealthy(account, witness, updates);
        if (margin.equity < 0) revert Liquidator_Bankrupt(account, margin.equity);
        bool full = witness == ASSESS_ALL;
        Flag proof = _flags[account];
        bool flagged = proof.isAlive(block.timestamp);
        if (flagged) proof = proof.prove(block.timestamp);
        (uint256 discount, uint256 best) = _sale(account, margin, flagged ? proof.proven() : 0, full);
        taken = FixedPointMathLib.min(fraction, best);
        if (taken == 0) revert Liquidator_ZeroFraction();
        (uint256 payment, uint256 insurance, uint256 reward) =
            LiquidationMath.paymentFor(taken, uint256(margin.equity), discount);
        if (reward < minValue) revert Liquidator_RewardBelowMinimum(reward, minValue);
        if (flagged) {
            // A witness may be small where the account is not, so what restores its health need not restore the account's.
            if (full && taken == best) _clear(account);
            else _record(account, proof);
        }
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

    /// @inheritdoc ILiquidator
    function flag(AccountId account, uint256 witness, PriceUpdate[] calldata updates)
        external
        returns (uint256 proven)
    {
        _proveUnhealthy(account, witness, updates);
        Flag proof = _flags[account].prove(block.timestamp);
        _record(account, proof);
        return proof.proven();
    }

    /// @inheritdoc ILiquidator
    function clearFlag(AccountId account, PriceUpdate[] calldata updates) external {
        if (Flag.unwrap(_flags[account]) == 0) revert Liquidator_NotFlagged(account);
        if (updates.length != 0) ORACLE.refresh(updates);
        Margin memory margin = CLEARINGHOUSE.margin(account, ASSESS_ALL);
        if (!margin.fresh) revert Liquidator_PriceNotFresh(account);
        uint256 marginCall = margin.marginCall();
        if (margin.equity < int256(marginCall)) {
            revert Liquidator_NotRecovered(account, margin.equity, marginCall);
        }
        _clear(account);
    }

    /// @inheritdoc ILiquidator
    function flagOf(AccountId account) external view returns (uint256 lastProof, uint256 proven) {
        Flag proof = _flags[account];
        return (proof.lastProof(), proof.proven());
    }

    /// @inheritdoc ILiquidator
    function discountRate(AccountId account, uint256 witness) external view returns (uint256) {
        Margin memory margin = CLEARINGHOUSE.margin(account, _mode(witness));
        _requireUnhealthy(account, margin);
        Flag proof = _flags[account].prove(block.timestamp);
        LiquidationTerms memory terms = CLEARINGHOUSE.liquidationTerms(account);
        uint256 equity = margin.equity < 0 ? 0 : uint256(margin.equity);
        return LiquidationMath.discountRate(terms, equity, margin.maintenance, proof.proven());
    }

    function _proveUnhealthy(AccountId account, uint256 witness, PriceUpdate[] calldata updates)
        private
        returns (Margin memory margin)
    {
        if (updates.length != 0) ORACLE.refresh(updates);
        margin = CLEARINGHOUSE.margin(account, _mode(witness));
        _requireUnhealthy(account, margin);
    }

    /// @dev Who is liquidated is judged by MM: of IM a bound will do, for whoever takes a slice and nothing else.
    function _mode(uint256 witness) private pure returns (uint256) {
        return witness == ASSESS_ALL ? ASSESS_MAINTENANCE : witness;
    }

    /// @dev Health under 1 at the last accepted prices; where these are not fresh, even after the credit, and not within
    /// an outage of the sequencer.
    function _requireUnhealthy(AccountId account, Margin memory margin) private view {
        if (margin.equity >= int256(margin.maintenance)) {
            revert Liquidator_Healthy(account, margin.equity, margin.maintenance);
        }
        if (margin.fresh) return;
        uint256 until = ORACLE.outageUntil();
        if (block.timestamp < until) revert Liquidator_SequencerOutage(until);
        if (margin.equity + int256(margin.credit) >= int256(margin.maintenance)) {
            revert Liquidator_Credited(account, margin.equity, margin.credit, margin.maintenance);
        }
    }

    /// @dev What the whole account is sold below its equity, and the fraction that restores it. The credit has no part
    /// in either: the price is the last accepted one.
    function _sale(AccountId account, Margin memory margin, uint256 proven, bool full)
        private
        view
        returns (uint256 discount, uint256 best)
    {
        LiquidationTerms memory terms = CLEARINGHOUSE.liquidationTerms(account);
        (uint256 equity, uint256 maintenance) = (uint256(margin.equity), margin.maintenance);
        uint256 rate = LiquidationMath.discountRate(terms, equity, maintenance, proven);
        discount = LiquidationMath.discountOf(rate, equity, maintenance);
        best = LiquidationMath.fractionToTarget(terms, equity, maintenance, discount, full);
    }

    function _record(AccountId account, Flag proof) private {
        _flags[account] = proof;
        emit Flagged(account, proof.proven());
    }

    function _clear(AccountId account) private {
        _flags[account] = Flag.wrap(0);
        emit FlagCleared(account);
    }
}
