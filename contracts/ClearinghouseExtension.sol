// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Account} from "./clearing/Accounts.sol";
import {Cash, CashFlow, CashTotals} from "./clearing/Cash.sol";
import {Delegation} from "./clearing/Delegation.sol";
import {Listing} from "./clearing/Listing.sol";
import {MarginGate} from "./clearing/MarginGate.sol";
import {Registry} from "./clearing/Registry.sol";
import {Wait, Waiting} from "./clearing/Waiting.sol";
import {Asset, IClearinghouseExtension} from "./interfaces/IClearinghouse.sol";
import {IExchange, SignedOrder} from "./interfaces/IExchange.sol";
import {PriceUpdate} from "./interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "./interfaces/IRiskEngine.sol";
import {AccountId} from "./types/AccountId.sol";
import {Header} from "./types/Header.sol";
import {InterestState} from "./types/InterestState.sol";
import {Mandate, MandateLib, PERMISSION_ALL, PERMISSION_MANAGE} from "./types/Permission.sol";
import {Instrument, Position} from "./types/Position.sol";

/// @title The roads of the Clearinghouse that are taken seldom
/// @notice The Clearinghouse hands every call that it does not know to this code, which runs on its storage.
/// @dev Has the storage layout of the Clearinghouse, and none of the functions that it answers itself. The Clearinghouse
/// creates it, so that what both know (oracle, cash, accounts) cannot differ. Its own storage stays empty.
contract ClearinghouseExtension is MarginGate, Delegation, Listing {
    using SafeCast for uint256;

    AccountId private immutable _INSURANCE_ACCOUNT;
    IExchange private immutable _EXCHANGE;

    /// @dev Thrown when a permission is granted that does not exist.
    error Clearinghouse_UnknownPermission(uint8 permissions);

    constructor(
        address oracle,
        address exchange,
        address defaultEngine,
        address cash,
        uint8 cashDecimals,
        AccountId insuranceAccount
    ) AccessManaged(address(0)) Registry(oracle, defaultEngine) Cash(cash, cashDecimals) {
        _EXCHANGE = IExchange(exchange);
        _INSURANCE_ACCOUNT = insuranceAccount;
    }

    /// @inheritdoc IClearinghouseExtension
    function multicall(PriceUpdate[] calldata updates, bytes[] calldata calls)
        external
        viaClearinghouse
        returns (bytes[] memory results)
    {
        if (updates.length != 0) ORACLE.refresh(updates);
        return _runBatch(calls);
    }

    /// @inheritdoc IClearinghouseExtension
    function settleOrders(SignedOrder calldata taker, SignedOrder[] calldata makers, uint256[] calldata sizes)
        external
        viaClearinghouse
    {
        _EXCHANGE.settle(taker, makers, sizes, new PriceUpdate[](0));
    }

    /// @inheritdoc IClearinghouseExtension
    function permit(uint16 assetId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        viaClearinghouse
        lock
    {
        // Whoever saw the signature may have used it first: the allowance decides, when something is deposited.
        try IERC20Permit(_asset(assetId).token)
            .permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
    }

    /// @inheritdoc IClearinghouseExtension
    function stopNewRisk() external viaClearinghouse lock restricted {
        _setStopped(true);
        emit NewRiskStopped(msg.sender);
    }

    /// @inheritdoc IClearinghouseExtension
    function resumeNewRisk() external viaClearinghouse lock restricted {
        _setStopped(false);
        emit NewRiskResumed(msg.sender);
    }

    /// @inheritdoc IClearinghouseExtension
    function isNewRiskStopped() external view viaClearinghouse returns (bool) {
        return _openCash().stopped;
    }

    /// @inheritdoc IClearinghouseExtension
    function settle(AccountId id) external viaClearinghouse lock {
        CashFlow memory flow = _openCash();
        Account memory account = _load(flow, id, 0);
        int256 realised = _settlePerps(account) + _settleOptions(account);
        _save(flow, account);
        _closeCash(flow, 0, false);
        emit Settled(id, realised);
    }

    /// @inheritdoc IClearinghouseExtension
    function selectEngine(AccountId id, uint8 engineId)
        external
        viaClearinghouse
        lock
        onlyPermitted(id, PERMISSION_MANAGE)
    {
        _engine(engineId);
        CashFlow memory flow = _openCash();
        Account memory account = _load(flow, id, 0);
        if (flow.stopped && !_owesNothing(account)) revert Clearinghouse_NewRiskStopped(id);
        account.header = account.header.withEngine(engineId);
        _checkInitial(account);
        _save(flow, account);
        emit EngineSelected(id, engineId);
    }

    /// @inheritdoc IClearinghouseExtension
    function setDelegate(AccountId id, address delegate, uint8 permissions, uint64 expiry)
        external
        viaClearinghouse
        lock
    {
        _requireOwner(id);
        if (permissions > PERMISSION_ALL) revert Clearinghouse_UnknownPermission(permissions);
        _setMandate(id, delegate, MandateLib.make(permissions, expiry));
        emit DelegateSet(id, delegate, permissions, expiry);
    }

    /// @inheritdoc IClearinghouseExtension
    function delegateOf(AccountId id, address delegate)
        external
        view
        viaClearinghouse
        returns (uint8 permissions, uint64 expiry)
    {
        Mandate mandate = _mandate(id, delegate);
        return (mandate.permissions(), mandate.expiry());
    }

    /// @inheritdoc IClearinghouseExtension
    function collectReserve() external viaClearinghouse lock returns (uint256 amount) {
        amount = _takeReserve();
        CashFlow memory flow = _openCash();
        _credit(flow, _INSURANCE_ACCOUNT, amount.toInt256());
        _closeCash(flow, 0, false);
        emit ReserveCollected(amount);
    }

    /// @inheritdoc IClearinghouseExtension
    function optionMarket(uint16 underlying)
        external
        view
        viaClearinghouse
        returns (uint256 openInterest, uint256 cap)
    {
        OptionMarket storage options = _optionMarket(underlying);
        return (options.openInterest, options.cap);
    }

    /// @inheritdoc IClearinghouseExtension
    function seriesInterest(Instrument series)
        external
        view
        viaClearinghouse
        returns (uint256 long, uint256 short)
    {
        SeriesInterest storage interest_ = _seriesInterest(series);
        return (interest_.long, interest_.short);
    }

    /// @inheritdoc IClearinghouseExtension
    function asset(uint16 id) external view viaClearinghouse returns (Asset memory) {
        return _asset(id);
    }

    /// @inheritdoc IClearinghouseExtension
    function assetCount() external view viaClearinghouse returns (uint256) {
        return _assetCount;
    }

    /// @inheritdoc IClearinghouseExtension
    function engine(uint8 id) external view viaClearinghouse returns (IRiskEngine) {
        if (id >= _engineCount) revert Clearinghouse_UnknownEngine(id);
        return _engine(id);
    }

    /// @inheritdoc IClearinghouseExtension
    function engineCount() external view viaClearinghouse returns (uint256) {
        return _engineCount;
    }

    /// @inheritdoc IClearinghouseExtension
    function engineOf(AccountId id) external view viaClearinghouse returns (uint8) {
        return _header(id).engine();
    }

    /// @inheritdoc IClearinghouseExtension
    function portfolio(AccountId id)
        external
        view
        viaClearinghouse
        whenUnlocked
        returns (int256 cash, Position[] memory words)
    {
        Account memory account = _load(_openCash(), id, 0);
        return (account.cash, _foldFunding(account.words));
    }

    /// @inheritdoc IClearinghouseExtension
    function accountWords(AccountId id)
        external
        view
        viaClearinghouse
        returns (Header header, Position[] memory words)
    {
        (header, words,) = _loadWords(id, 0);
    }

    /// @inheritdoc IClearinghouseExtension
    function interest()
        external
        view
        viaClearinghouse
        returns (
            uint256 supplyIndex,
            uint256 debtIndex,
            uint256 supplyRate,
            uint256 debtRate,
            uint256 scaledSupply,
            uint256 scaledDebt,
            uint256 reserve
        )
    {
        InterestState state;
        CashTotals memory totals;
        (state, totals, reserve) = _interestState();
        (supplyIndex, debtIndex) = state.indicesAt(block.timestamp);
        return
            (
                supplyIndex,
                debtIndex,
                state.supplyRate(),
                state.debtRate(),
                totals.supply,
                totals.debt,
                reserve
            );
    }

    /// @dev Each call runs as one of the same caller's to this contract; then every account that waits is checked.
    function _runBatch(bytes[] calldata calls) private batch returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            results[i] = Address.functionDelegateCall(address(this), calls[i]);
        }
        CashFlow memory flow = _openCash();
        while (Waiting.count() != 0) {
            (AccountId id, Wait memory wait) = Waiting.pop();
            _checkWaiting(flow, id, wait);
        }
    }
}
