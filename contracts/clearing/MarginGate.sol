// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {AccountId} from "../types/AccountId.sol";
import {Header} from "../types/Header.sol";
import {ASSESS_ALL, ASSESS_MAINTENANCE, Margin} from "../types/Margin.sol";
import {Position} from "../types/Position.sol";
import {Account} from "./Accounts.sol";
import {Cash, CashFlow} from "./Cash.sol";
import {EngineCall} from "./EngineCall.sol";
import {Lock} from "./Lock.sol";
import {Markets} from "./Markets.sol";
import {Options} from "./Options.sol";
import {WAIT_INITIAL, WAIT_TAKE, WAIT_TRADE, Wait, Waiting} from "./Waiting.sol";

/// @title What every account must satisfy before a change of it is kept (specification §7)
/// @dev Loads accounts, checks them, saves them. No storage of its own. While a batch is open, checks wait for its end.
abstract contract MarginGate is Markets, Options, Cash, Lock {
    using SafeCast for uint256;

    /// @dev Opening risk needs at least this much equity, so that a position is worth a keeper's while.
    int256 internal constant MIN_EQUITY = 50e18;

    /// @dev Thrown when an account is under its initial margin and the change does not only reduce its risk.
    error Clearinghouse_InsufficientMargin(AccountId account, int256 equity, uint256 required);
    /// @dev Thrown when new risk is asked for on a price that is not fresh.
    error Clearinghouse_PriceNotFresh(AccountId account);
    /// @dev Thrown when an account would take new risk while the guardian has stopped that.
    error Clearinghouse_NewRiskStopped(AccountId account);
    /// @dev Thrown when a trade leaves less health (E/MM, WAD) than the order asks for.
    error Clearinghouse_HealthBelowMinimum(
        AccountId account, int256 equity, uint256 maintenance, uint256 minimum
    );

    /// @dev Reads an account into memory with room for `extra` more positions.
    function _load(CashFlow memory flow, AccountId id, uint256 extra)
        internal
        view
        returns (Account memory account)
    {
        account.id = id;
        (account.header, account.words, account.capacity) = _loadWords(id, extra);
        account.cash = account.loadedCash = _toCash(flow, account.header.scaledCash());
    }

    /// @dev Writes an account back. Cash that did not move keeps its scaled balance to the last digit.
    function _save(CashFlow memory flow, Account memory account) internal {
        if (account.cash != account.loadedCash) {
            int256 scaled = _rescale(flow, account.header.scaledCash(), account.cash);
            account.header = account.header.withScaledCash(scaled);
        }
        _saveWords(account);
    }

    /// @dev Adds cash to an account of which nothing else changes.
    function _credit(CashFlow memory flow, AccountId id, int256 amount) internal {
        if (amount == 0) return;
        Header header = _header(id);
        int256 scaled = header.scaledCash();
        _setHeader(id, header.withScaledCash(_rescale(flow, scaled, _toCash(flow, scaled) + amount)));
    }

    /// @dev The margin of an account as it is in memory.
    function _assess(Account memory account, uint256 mode) internal view returns (Margin memory margin) {
        IRiskEngine engine = _engine(account.header.engine());
        EngineCall.assess(engine, account.cash, mode, _foldFunding(account.words), margin);
    }

    /// @dev After a trade: E ≥ max(IM, 50) at fresh prices, or the trade only reduced risk. An account that can owe
    /// nothing needs no prices. Marks the account as checked if it passed the initial margin. The bound of IM is asked
    /// for first: most accounts pass it, and it needs one valuation where IM itself needs two.
    function _checkTrade(CashFlow memory flow, Account memory account, uint256 minHealth) internal {
        if (_isBatchOpen()) return _defer(account, WAIT_TRADE, minHealth);
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account, ASSESS_MAINTENANCE);
        if (_isOpen(flow, margin) || _isOpen(flow, margin = _assess(account, ASSESS_ALL))) {
            _markChecked(account);
        } else {
            _requireReduced(flow, account, margin, _assessStored(account));
        }
        _requireHealth(account, margin, minHealth);
    }

    /// @dev After taking something out: E ≥ max(IM, 10 % of perp notional, 50) at fresh prices, unless the account can
    /// owe nothing. Without the 50, debts too small to liquidate could be left behind.
    function _checkWithdrawal(CashFlow memory flow, Account memory account) internal {
        if (_isBatchOpen()) return _defer(account, WAIT_TAKE, 0);
        if (_owesNothing(account)) return;
        if (flow.stopped) _requireNotBorrowing(account, account.loadedCash);
        Margin memory margin = _assess(account, ASSESS_ALL);
        _requireInitial(account, margin, margin.perpNotional / 10);
    }

    /// @dev For accounts that choose their engine: E ≥ max(IM, 50) at fresh prices, nothing less.
    function _checkInitial(Account memory account) internal {
        if (_isBatchOpen()) return _defer(account, WAIT_INITIAL, 0);
        if (_owesNothing(account)) return;
        _requireInitial(account, _assess(account, ASSESS_ALL), 0);
    }

    /// @dev For accounts that take over a slice: E ≥ max(IM, 50). A slice comes at the last prices, and IM widens with
    /// their age.
    function _checkTakeover(Account memory account) internal view {
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account, ASSESS_ALL);
        _requireEquity(account, margin.equity, _initialOr(margin, 0));
    }

    /// @dev The check of an account that waited for the end of a batch, as strict as its strictest change.
    function _checkWaiting(CashFlow memory flow, AccountId id, Wait memory wait) internal {
        Account memory account = _load(flow, id, 0);
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account, ASSESS_ALL);
        Margin memory before = Margin({
            equity: wait.equity,
            initial: wait.initial,
            maintenance: wait.maintenance,
            perpNotional: 0,
            fresh: false,
            credit: 0
        });
        if (wait.demands == WAIT_TRADE) {
            if (_isOpen(flow, margin)) _markChecked(account);
            else _requireReduced(flow, account, margin, before);
        } else {
            if (flow.stopped) _requireNoNewRisk(account, wait, margin, before);
            _requireInitial(account, margin, wait.demands & WAIT_TAKE != 0 ? margin.perpNotional / 10 : 0);
        }
        _requireHealth(account, margin, wait.minHealth);
        _setHeader(id, account.header);
    }

    /// @dev Something was added to an account that waits: compared with the state before, a trade would look like a
    /// reduction that is none. So the reduce-only test is closed to it.
    function _noteAddition(AccountId id) internal {
        if (!_isBatchOpen()) return;
        Wait memory wait = Waiting.get(id);
        if (wait.demands == 0) return;
        wait.demands |= WAIT_INITIAL;
        Waiting.put(id, wait);
    }

    /// @dev Leaves the check to the end of the batch. Records what the account was before: its cash at the first change,
    /// its margin at the first trade, which comes before it is saved.
    function _defer(Account memory account, uint256 demand, uint256 minHealth) private {
        Wait memory wait = Waiting.get(account.id);
        if (wait.demands == 0) wait.cash = account.loadedCash;
        if (demand == WAIT_TRADE && wait.demands & WAIT_TRADE == 0 && account.header.count() != 0) {
            Margin memory before = _assessStored(account);
            (wait.equity, wait.initial, wait.maintenance) =
            (before.equity, before.initial, before.maintenance);
        }
        wait.demands |= demand;
        wait.minHealth = Math.max(wait.minHealth, minHealth);
        Waiting.put(account.id, wait);
    }

    /// @dev The account as it is stored: saving comes last.
    function _assessStored(Account memory account) private view returns (Margin memory margin) {
        (, Position[] memory words,) = _loadWords(account.id, 0);
        IRiskEngine engine = _engine(account.header.engine());
        EngineCall.assess(engine, account.loadedCash, ASSESS_ALL, _foldFunding(words), margin);
    }

    function _isOpen(CashFlow memory flow, Margin memory margin) private pure returns (bool) {
        return !flow.stopped && margin.fresh && _coversInitial(margin);
    }

    function _coversInitial(Margin memory margin) private pure returns (bool) {
        return margin.equity >= MIN_EQUITY && margin.equity >= int256(margin.initial);
    }

    /// @dev The reduce-only test: both states solvent, the distance to IM no smaller, health no worse. Without the
    /// last two an owner of both sides of a trade could walk a loss into a hole.
    function _isReduction(Margin memory before, Margin memory margin) private pure returns (bool) {
        return before.maintenance != 0 && before.equity >= 0 && margin.equity >= 0
            && margin.equity - int256(margin.initial) >= before.equity - int256(before.initial)
            && margin.equity * int256(before.maintenance) >= before.equity * int256(margin.maintenance);
    }

    function _requireReduced(
        CashFlow memory flow,
        Account memory account,
        Margin memory margin,
        Margin memory before
    ) private pure {
        if (_isReduction(before, margin)) return;
        if (flow.stopped) revert Clearinghouse_NewRiskStopped(account.id);
        if (_coversInitial(margin)) revert Clearinghouse_PriceNotFresh(account.id);
        revert Clearinghouse_InsufficientMargin(account.id, margin.equity, _initialOr(margin, 0));
    }

    /// @dev While new risk is stopped: whoever takes something out may not owe more cash than before.
    function _requireNotBorrowing(Account memory account, int256 cashBefore) private pure {
        if (account.cash < 0 && account.cash < cashBefore) revert Clearinghouse_NewRiskStopped(account.id);
    }

    function _requireNoNewRisk(
        Account memory account,
        Wait memory wait,
        Margin memory margin,
        Margin memory before
    ) private pure {
        if (wait.demands & WAIT_TAKE != 0) _requireNotBorrowing(account, wait.cash);
        bool comparable = wait.demands & WAIT_INITIAL == 0 && _isReduction(before, margin);
        if (wait.demands & WAIT_TRADE != 0 && !comparable) revert Clearinghouse_NewRiskStopped(account.id);
    }

    function _requireHealth(Account memory account, Margin memory margin, uint256 minHealth) private pure {
        if (minHealth != 0 && margin.equity < Math.mulDiv(minHealth, margin.maintenance, 1e18).toInt256()) {
            revert Clearinghouse_HealthBelowMinimum(account.id, margin.equity, margin.maintenance, minHealth);
        }
    }

    function _requireInitial(Account memory account, Margin memory margin, uint256 other) private view {
        if (!margin.fresh) revert Clearinghouse_PriceNotFresh(account.id);
        _requireEquity(account, margin.equity, _initialOr(margin, other));
    }

    /// @dev The greatest of IM, another requirement, and the least equity that risk needs.
    function _initialOr(Margin memory margin, uint256 other) private pure returns (uint256) {
        return Math.max(Math.max(margin.initial, other), uint256(MIN_EQUITY));
    }

    /// @dev Marks the account as checked, or reverts.
    function _requireEquity(Account memory account, int256 equity, uint256 required) internal view {
        if (equity < int256(required)) revert Clearinghouse_InsufficientMargin(account.id, equity, required);
        _markChecked(account);
    }

    function _markChecked(Account memory account) internal view {
        account.header = account.header.withCheckedAt(block.timestamp);
    }
}
