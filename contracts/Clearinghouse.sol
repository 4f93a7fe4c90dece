// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {ClearinghouseExtension} from "./ClearinghouseExtension.sol";
import {Account} from "./clearing/Accounts.sol";
import {Cash} from "./clearing/Cash.sol";
import {Registry} from "./clearing/Registry.sol";
import {Slicing} from "./clearing/Slicing.sol";
import {Trading} from "./clearing/Trading.sol";
import {IClearinghouseCore} from "./interfaces/IClearinghouse.sol";
import {AccountId} from "./types/AccountId.sol";
import {LiquidationTerms, Margin} from "./types/Margin.sol";
import {MarketState} from "./types/MarketState.sol";

/// @title Ballast's Clearinghouse: custody, cash, positions and the margin gate
/// @notice The only contract with user money and the only one that writes accounts. An account is one short vector
/// of words; every change of it is a transfer between accounts or a token movement, so sums are kept by construction.
/// @dev Parts, one concern a file: Accounts (the vector), Cash (interest), Registry (assets, engines), Markets
/// (perpetuals), MarginGate (what a change must satisfy), Delegation, Custody, Trading, Slicing; and the extension, which
/// has the roads that are taken seldom (specification §8.3).
/// How to stop it: caps of zero stop deposits of an asset and growth of a market, a guardian stops new risk
/// (specification §7.6); exits have no switch.
contract Clearinghouse is Slicing {
    /// @notice Where calls go that this contract does not answer itself. Created with it and never changed.
    ClearinghouseExtension public immutable EXTENSION;

    /// @param authority AccessManager that governs the registries.
    /// @param oracle OracleAdapter with the accepted prices.
    /// @param exchange The only caller of `applyTrade`.
    /// @param liquidator The only caller of `transferSlice`.
    /// @param defaultEngine The only engine that can be registered as number 0.
    /// @param cash Token that is the unit of account; at most 18 decimals.
    /// @param feeAccount Account for trading fees and dust.
    /// @param insuranceAccount Account for the insurance share and the reserve of interest.
    constructor(
        address authority,
        address oracle,
        address exchange,
        address liquidator,
        address defaultEngine,
        address cash,
        AccountId feeAccount,
        AccountId insuranceAccount
    )
        AccessManaged(authority)
        Registry(oracle, defaultEngine)
        Cash(cash, _decimals(cash))
        Trading(exchange, feeAccount)
        Slicing(liquidator, insuranceAccount)
    {
        uint8 decimals = _decimals(cash);
        EXTENSION =
            new ClearinghouseExtension(oracle, exchange, defaultEngine, cash, decimals, insuranceAccount);
        _addAsset(cash, decimals, 0);
        _asset(CASH).cap = type(uint128).max;
        emit AssetCapSet(CASH, type(uint128).max);
        _startInterest();
    }

    /// @dev Everything else is the extension's, with this storage and the same caller.
    fallback(bytes calldata input) external returns (bytes memory) {
        return Address.functionDelegateCall(address(EXTENSION), input);
    }

    /// @inheritdoc IClearinghouseCore
    function setFundingRate(uint16 underlying, int256 ratePerSecond)
        external
        lock
        returns (uint256 openInterest)
    {
        return _setFundingRate(underlying, ratePerSecond);
    }

    /// @inheritdoc IClearinghouseCore
    function market(uint16 underlying)
        external
        view
        returns (uint256 openInterest, int256 funding, int256 ratePerSecond, uint256 cap)
    {
        MarketState state = _listed(underlying);
        return (state.openInterest(), state.fundingAt(block.timestamp), state.rate(), state.cap());
    }

    /// @inheritdoc IClearinghouseCore
    function margin(AccountId id, uint256 mode) external view whenUnlocked returns (Margin memory) {
        Account memory account = _load(_openCash(), id, 0);
        return _assess(account, mode);
    }

    /// @inheritdoc IClearinghouseCore
    function isLocked() external view returns (bool) {
        return _isLocked();
    }

    /// @inheritdoc IClearinghouseCore
    function isPermitted(AccountId id, address who, uint8 permission) external view returns (bool) {
        return _isPermitted(id, who, permission);
    }

    /// @inheritdoc IClearinghouseCore
    function liquidationTerms(AccountId id) external view returns (LiquidationTerms memory) {
        return _engine(_header(id).engine()).liquidationTerms();
    }
}
