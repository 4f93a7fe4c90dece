// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Account} from "./clearing/Accounts.sol";
import {Cash, CashFlow} from "./clearing/Cash.sol";
import {Registry} from "./clearing/Registry.sol";
import {Slicing} from "./clearing/Slicing.sol";
import {Trading} from "./clearing/Trading.sol";
import {IClearinghouse} from "./interfaces/IClearinghouse.sol";
import {AccountId} from "./types/AccountId.sol";
import {Header} from "./types/Header.sol";
import {LiquidationTerms, Margin} from "./types/Margin.sol";
import {Position} from "./types/Position.sol";

/// @title Ballast's Clearinghouse: custody, cash, positions and the margin gate
/// @notice The only contract with user money and the only one that writes accounts. An account is one short vector
/// of words; every change of it is a transfer between accounts or a token movement, so sums are kept by construction.
/// @dev Parts, one concern a file: Accounts (the vector), Cash (interest), Registry (assets, engines), Markets
/// (perpetuals), MarginGate (what a change must satisfy), Custody, Trading, Slicing.
/// How to stop it: caps of zero stop deposits of an asset and growth of a market; exits have no switch.
contract Clearinghouse is Slicing {
    /// @param authority AccessManager that governs the registries.
    /// @param oracle OracleAdapter with the accepted prices.
    /// @param exchange The only caller of `applyTrade`.
    /// @param liquidator The only caller of `transferSlice`.
    /// @param cash Token that is the unit of account; at most 18 decimals.
    /// @param feeAccount Account for trading fees and dust.
    /// @param insuranceAccount Account for the insurance share and the reserve of interest.
    constructor(
        address authority,
        address oracle,
        address exchange,
        address liquidator,
        address cash,
        AccountId feeAccount,
        AccountId insuranceAccount
    )
        AccessManaged(authority)
        Registry(oracle, cash, _decimals(cash))
        Cash(cash, _decimals(cash))
        Trading(exchange, feeAccount)
        Slicing(liquidator, insuranceAccount)
    {}

    /// @inheritdoc IClearinghouse
    function settle(AccountId id) external lock {
        CashFlow memory flow = _openCash();
        Account memory account = _load(flow, id, 0);
        int256 realised = _settlePerps(account);
        _save(flow, account);
        _closeCash(flow, 0, false);
        emit Settled(id, realised);
    }

    /// @inheritdoc IClearinghouse
    function selectEngine(AccountId id, uint8 engineId) external lock onlyOwner(id) {
        _engine(engineId);
        CashFlow memory flow = _openCash();
        Account memory account = _load(flow, id, 0);
        account.header = account.header.withEngine(engineId);
        _checkInitial(account, true);
        _save(flow, account);
        emit EngineSelected(id, engineId);
    }

    /// @inheritdoc IClearinghouse
    function setFundingRate(uint16 underlying, int256 ratePerSecond)
        external
        lock
        returns (uint256 openInterest)
    {
        return _setFundingRate(underlying, ratePerSecond);
    }

    /// @inheritdoc IClearinghouse
    function margin(AccountId id, uint256 mode) external view whenUnlocked returns (Margin memory) {
        Account memory account = _load(_openCash(), id, 0);
        return _assess(account, account.cash, account.words, mode);
    }

    /// @inheritdoc IClearinghouse
    function portfolio(AccountId id)
        external
        view
        whenUnlocked
        returns (int256 cash, Position[] memory words)
    {
        Account memory account = _load(_openCash(), id, 0);
        return (account.cash, _foldFunding(account.words));
    }

    /// @inheritdoc IClearinghouse
    function isLocked() external view returns (bool) {
        return _isLocked();
    }

    /// @inheritdoc IClearinghouse
    function engineOf(AccountId id) external view returns (uint8) {
        return _header(id).engine();
    }

    /// @inheritdoc IClearinghouse
    function liquidationTerms(AccountId id) external view returns (LiquidationTerms memory) {
        return _engine(_header(id).engine()).liquidationTerms();
    }

    /// @inheritdoc IClearinghouse
    function accountWords(AccountId id) external view returns (Header header, Position[] memory words) {
        header = _header(id);
        (words,) = _loadWords(id, header.count(), 0);
    }
}
