// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Header_CashOverflow} from "../types/Header.sol";
import {IClearinghouseBase} from "../interfaces/IClearinghouse.sol";
import {INDEX_ONE, InterestState, InterestStateLib} from "../types/InterestState.sol";

/// @notice The cash side of one call: the indices it runs at, what it has done to the totals so far, and, since it is in
/// the same word, whether new risk is stopped.
struct CashFlow {
    uint256 supplyIndex;
    uint256 debtIndex;
    bool stopped;
    int256 supplyDelta;
    int256 debtDelta;
}

/// @notice Σ of the positive and Σ of the negative scaled balances.
struct CashTotals {
    uint128 supply;
    uint128 debt;
}

/// @title Cash: positive balances are lent to negative ones (specification §3)
/// @dev Storage: one word of indices, one of scaled totals, one of the reserve. Balances are stored scaled, by the
/// supply index when positive and the debt index when negative, and every conversion rounds against the account, so
/// that what accounts can claim never exceeds what the contract holds.
abstract contract Cash {
    using SafeCast for uint256;

    uint256 private constant YEAR_RATE_BASE = 0.02e9;
    uint256 private constant YEAR_RATE_SLOPE = 0.08e9;
    uint256 private constant YEAR_RATE_STEEP = 0.9e9;
    uint256 private constant KINK = 0.85e18;
    uint256 private constant LENDERS_SHARE_PERCENT = 80;

    address internal immutable CASH_TOKEN;
    /// @dev WAD for one smallest unit of the cash token.
    uint256 internal immutable CASH_UNIT;

    InterestState private _interest;
    CashTotals private _totals;
    /// @dev Interest kept back from lenders and not yet handed to the insurance account, WAD.
    uint256 private _reserve;

    constructor(address token, uint8 decimals) {
        CASH_TOKEN = token;
        CASH_UNIT = 10 ** (18 - decimals);
    }

    function _startInterest() internal {
        _interest = InterestStateLib.make(INDEX_ONE, INDEX_ONE, 0, 0, block.timestamp);
    }

    function _setStopped(bool stopped) internal {
        _interest = _interest.withStopped(stopped);
    }

    function _openCash() internal view returns (CashFlow memory flow) {
        InterestState state = _interest;
        (flow.supplyIndex, flow.debtIndex) = state.indicesAt(block.timestamp);
        flow.stopped = state.stopped();
    }

    /// @dev Cash behind a scaled balance: claims round down, debts up.
    function _toCash(CashFlow memory flow, int256 scaled) internal pure returns (int256) {
        unchecked {
            // A scaled balance is an int128 and an index a uint64.
            if (scaled >= 0) return int256(uint256(scaled) * flow.supplyIndex / INDEX_ONE);
            return -int256((uint256(-scaled) * flow.debtIndex + INDEX_ONE - 1) / INDEX_ONE);
        }
    }

    /// @dev Scaled balance of an amount of cash: claims round down, debts up.
    function _toScaled(CashFlow memory flow, int256 cash) private pure returns (int256) {
        return cash >= 0
            ? int256(uint256(cash) * INDEX_ONE / flow.supplyIndex)
            : -int256(Math.ceilDiv(uint256(-cash) * INDEX_ONE, flow.debtIndex));
    }

    /// @dev Scales an account's new cash and takes the change of the totals into `flow`.
    function _rescale(CashFlow memory flow, int256 scaledBefore, int256 cash)
        internal
        pure
        returns (int256 scaled)
    {
        scaled = _toScaled(flow, cash);
        if (scaled != int128(scaled)) revert Header_CashOverflow(scaled);
        unchecked {
            // Both are int128, and a call touches far fewer than 2^100 accounts.
            if (scaled >= 0 && scaledBefore >= 0) {
                flow.supplyDelta += scaled - scaledBefore;
            } else {
                flow.supplyDelta += _positive(scaled) - _positive(scaledBefore);
                flow.debtDelta += _positive(-scaled) - _positive(-scaledBefore);
            }
        }
    }

    /// @dev Writes what changed. While anybody is in debt, accrues to now and sets the rates that hold from here.
    /// @param tokensLeaving Cash tokens that this call has still to pay out, WAD.
    function _closeCash(CashFlow memory flow, uint256 tokensLeaving, bool tokensMoved) internal {
        bool totalsMoved = flow.supplyDelta != 0 || flow.debtDelta != 0;
        if (!totalsMoved && !tokensMoved) return;
        CashTotals memory before = _totals;
        CashTotals memory totals = before;
        if (totalsMoved) {
            totals = CashTotals({
                supply: uint256(int256(uint256(before.supply)) + flow.supplyDelta).toUint128(),
                debt: uint256(int256(uint256(before.debt)) + flow.debtDelta).toUint128()
            });
            _totals = totals;
        }
        if (before.debt != 0 || totals.debt != 0) _accrue(flow, before, totals, tokensLeaving);
    }

    function _accrue(
        CashFlow memory flow,
        CashTotals memory before,
        CashTotals memory totals,
        uint256 tokensLeaving
    ) private {
        (uint256 supplyBefore, uint256 debtBefore) = _interest.indicesAt(_interest.time());
        // Rounded down, and never negative: the supply rate leaves lenders at most 80 % of what debtors pay.
        uint256 paid = uint256(before.debt) * (flow.debtIndex - debtBefore) / INDEX_ONE;
        uint256 earned = Math.ceilDiv(uint256(before.supply) * (flow.supplyIndex - supplyBefore), INDEX_ONE);
        if (paid > earned) _reserve += paid - earned;

        uint256 tokens = IERC20(CASH_TOKEN).balanceOf(address(this)) * CASH_UNIT - tokensLeaving;
        (uint256 supplyRate, uint256 debtRate) = _rates(
            uint256(totals.supply) * flow.supplyIndex / INDEX_ONE,
            uint256(totals.debt) * flow.debtIndex / INDEX_ONE,
            tokens
        );
        _interest = InterestStateLib.make(
                flow.supplyIndex, flow.debtIndex, supplyRate, debtRate, block.timestamp
            ).withStopped(flow.stopped);
        emit IClearinghouseBase.InterestUpdated(flow.supplyIndex, flow.debtIndex, supplyRate, debtRate);
    }

    /// @dev Yearly rates in 1e-9 (specification §3.2). Lenders share 80 % of what debtors pay among all supply,
    /// which unsettled losses can make larger than debt and tokens together.
    function _rates(uint256 supply, uint256 debt, uint256 tokens)
        private
        pure
        returns (uint256 supplyRate, uint256 debtRate)
    {
        if (debt == 0) return (0, 0);
        uint256 utilisation = debt * 1e18 / (debt + tokens);
        debtRate = utilisation <= KINK
            ? YEAR_RATE_BASE + YEAR_RATE_SLOPE * utilisation / KINK
            : YEAR_RATE_BASE + YEAR_RATE_SLOPE + YEAR_RATE_STEEP * (utilisation - KINK) / (1e18 - KINK);
        supplyRate = debtRate * LENDERS_SHARE_PERCENT * debt / (100 * Math.max(supply, debt + tokens));
    }

    /// @dev Hands out the reserve, which is zero afterwards.
    function _takeReserve() internal returns (uint256 amount) {
        amount = _reserve;
        _reserve = 0;
    }

    function _positive(int256 value) private pure returns (int256) {
        return value > 0 ? value : int256(0);
    }

    function _interestState() internal view returns (InterestState, CashTotals memory, uint256 reserve) {
        return (_interest, _totals, _reserve);
    }
}
