// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {AccountId} from "../types/AccountId.sol";
import {Header} from "../types/Header.sol";
import {ASSESS_ALL, Margin} from "../types/Margin.sol";
import {Position} from "../types/Position.sol";
import {Account} from "./Accounts.sol";
import {Cash, CashFlow} from "./Cash.sol";
import {Markets} from "./Markets.sol";
import {Options} from "./Options.sol";

/// @title What every account must satisfy before a change of it is kept (specification §7)
/// @dev Loads accounts, checks them, saves them. No storage of its own.
abstract contract MarginGate is Markets, Options, Cash {
    using SafeCast for uint256;

    /// @dev Opening risk needs at least this much equity, so that a position is worth a keeper's while.
    int256 internal constant MIN_EQUITY = 50e18;

    /// @dev Thrown when an account is under its initial margin and the change does not only reduce its risk.
    error Clearinghouse_InsufficientMargin(AccountId account, int256 equity, uint256 required);
    /// @dev Thrown when new risk is asked for on a price that is not fresh.
    error Clearinghouse_PriceNotFresh(AccountId account);
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
        account.header = _header(id);
        account.cash = account.loadedCash = _toCash(flow, account.header.scaledCash());
        (account.words, account.capacity) = _loadWords(id, account.header.count(), extra);
    }

    /// @dev Writes an account back. Cash that did not move keeps its scaled balance to the last digit.
    function _save(CashFlow memory flow, Account memory account) internal {
        account.header = _saveWords(account);
        if (account.cash != account.loadedCash) {
            int256 scaled = _rescale(flow, account.header.scaledCash(), account.cash);
            account.header = account.header.withScaledCash(scaled);
        }
        _setHeader(account.id, account.header);
    }

    /// @dev Adds cash to an account of which nothing else changes.
    function _credit(CashFlow memory flow, AccountId id, int256 amount) internal {
        if (amount == 0) return;
        Header header = _header(id);
        int256 scaled = header.scaledCash();
        _setHeader(id, header.withScaledCash(_rescale(flow, scaled, _toCash(flow, scaled) + amount)));
    }

    function _assess(Account memory account) internal view returns (Margin memory) {
        return _assess(account, account.cash, account.words, ASSESS_ALL);
    }

    function _assess(Account memory account, int256 cash, Position[] memory words, uint256 mode)
        internal
        view
        returns (Margin memory)
    {
        return _engine(account.header.engine()).assess(cash, mode, _foldFunding(words));
    }

    /// @dev After a trade: E ≥ max(IM, 50) at fresh prices, or the trade only reduced risk. An account that can owe
    /// nothing needs no prices. Marks the account as checked if it passed the initial margin.
    function _checkTrade(Account memory account, uint256 minHealth) internal view {
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account);
        bool open = margin.equity >= MIN_EQUITY && margin.equity >= int256(margin.initial);
        if (open && margin.fresh) account.header = account.header.withCheckedAt(block.timestamp);
        else _checkReduced(account, margin, open);
        if (minHealth != 0 && margin.equity < Math.mulDiv(minHealth, margin.maintenance, 1e18).toInt256()) {
            revert Clearinghouse_HealthBelowMinimum(account.id, margin.equity, margin.maintenance, minHealth);
        }
    }

    /// @dev The reduce-only test: both states solvent, the distance to IM no smaller, health no worse. Without the
    /// last two an owner of both sides of a trade could walk a loss into a hole.
    function _checkReduced(Account memory account, Margin memory margin, bool open) private view {
        (Position[] memory words,) = _loadWords(account.id, account.header.count(), 0); // as stored: saving comes last
        Margin memory before = _assess(account, account.loadedCash, words, ASSESS_ALL);
        bool reduced = before.maintenance != 0 && before.equity >= 0 && margin.equity >= 0
            && margin.equity - int256(margin.initial) >= before.equity - int256(before.initial)
            && margin.equity * int256(before.maintenance) >= before.equity * int256(margin.maintenance);
        if (reduced) return;
        if (open) revert Clearinghouse_PriceNotFresh(account.id);
        revert Clearinghouse_InsufficientMargin(account.id, margin.equity, _initialOr(margin, 0));
    }

    /// @dev After taking something out: E ≥ max(IM, 10 % of perp notional, 50) at fresh prices, unless the account can
    /// owe nothing. Without the 50, debts too small to liquidate could be left behind.
    function _checkWithdrawal(Account memory account) internal view {
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account);
        if (!margin.fresh) revert Clearinghouse_PriceNotFresh(account.id);
        _requireEquity(account, margin.equity, _initialOr(margin, margin.perpNotional / 10));
    }

    /// @dev For accounts that take over risk: E ≥ max(IM, 50) at fresh prices, nothing less.
    function _checkInitial(Account memory account) internal view {
        if (_owesNothing(account)) return;
        Margin memory margin = _assess(account);
        if (!margin.fresh) revert Clearinghouse_PriceNotFresh(account.id);
        _requireEquity(account, margin.equity, _initialOr(margin, 0));
    }

    /// @dev The greatest of IM, another requirement, and the least equity that risk needs.
    function _initialOr(Margin memory margin, uint256 other) private pure returns (uint256) {
        return Math.max(Math.max(margin.initial, other), uint256(MIN_EQUITY));
    }

    /// @dev Marks the account as checked, or reverts.
    function _requireEquity(Account memory account, int256 equity, uint256 required) internal view {
        if (equity < int256(required)) revert Clearinghouse_InsufficientMargin(account.id, equity, required);
        account.header = account.header.withCheckedAt(block.timestamp);
    }
}
