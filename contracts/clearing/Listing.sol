// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Asset, IClearinghouseExtension} from "../interfaces/IClearinghouse.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {MarketState} from "../types/MarketState.sol";
import {Delegated} from "./Delegated.sol";
import {Markets} from "./Markets.sol";
import {Options} from "./Options.sol";

/// @title What governance adds: assets, engines, markets and their caps (specification §12)
/// @dev No storage of its own. Part of the extension.
abstract contract Listing is Markets, Options, Delegated, IClearinghouseExtension {
    /// @dev Thrown when something would be held whose price was never accepted.
    error Clearinghouse_PriceNeverAccepted(uint16 underlying);
    /// @dev Thrown when a cap is over 2^72 whole tokens, the bound of the risk engines' arithmetic.
    error Clearinghouse_AssetCapOutOfBounds(uint16 asset, uint256 cap, uint256 bound);
    /// @dev Thrown when an asset would be open for deposits that a registered engine cannot assess.
    error Clearinghouse_AssetUnknownToEngine(uint16 asset, uint256 engine);
    /// @dev Thrown when a token is registered twice.
    error Clearinghouse_TokenAlreadyRegistered(address token, uint16 asset);
    /// @dev Thrown when a market is listed twice.
    error Clearinghouse_MarketAlreadyListed(uint16 underlying);
    /// @dev Thrown when a cap on options is over 2^90, the bound of the risk engines' arithmetic.
    error Clearinghouse_OptionCapOutOfBounds(uint16 underlying, uint256 cap, uint256 bound);

    uint256 private constant MAX_OPTION_CAP = 1 << 90;

    /// @inheritdoc IClearinghouseExtension
    function registerAsset(address token, uint16 underlying)
        external
        viaClearinghouse
        restricted
        returns (uint16 id)
    {
        _requirePriced(underlying);
        for (uint256 i; i < _assetCount; ++i) {
            uint16 known = uint16(i);
            if (_asset(known).token == token) revert Clearinghouse_TokenAlreadyRegistered(token, known);
        }
        return _addAsset(token, _decimals(token), underlying);
    }

    /// @inheritdoc IClearinghouseExtension
    function setAssetCap(uint16 id, uint128 cap) external viaClearinghouse restricted {
        uint256 bound = 10 ** _asset(id).decimals << 72;
        if (cap > bound) revert Clearinghouse_AssetCapOutOfBounds(id, cap, bound);
        if (_engineCount == 0) revert Clearinghouse_UnknownEngine(DEFAULT_ENGINE_ID);
        for (uint256 i; i < _engineCount; ++i) {
            _requireSupported(id, _engine(uint8(i)), i);
        }
        _asset(id).cap = cap;
        emit AssetCapSet(id, cap);
    }

    /// @inheritdoc IClearinghouseExtension
    function registerEngine(address engine_) external viaClearinghouse restricted returns (uint8 id) {
        if (engine_.code.length == 0) revert Clearinghouse_NotAContract(engine_);
        for (uint256 i = 1; i < _assetCount; ++i) {
            Asset storage a = _asset(uint16(i));
            if (a.cap != 0 || a.total != 0) _requireSupported(uint16(i), IRiskEngine(engine_), _engineCount);
        }
        return _addEngine(engine_);
    }

    /// @inheritdoc IClearinghouseExtension
    function listMarket(uint16 underlying) external viaClearinghouse restricted {
        _requirePriced(underlying);
        if (_isListed(underlying)) revert Clearinghouse_MarketAlreadyListed(underlying);
        _setMarket(underlying, MarketState.wrap(block.timestamp));
        emit MarketListed(underlying);
    }

    /// @inheritdoc IClearinghouseExtension
    function setMarketCap(uint16 underlying, uint256 cap) external viaClearinghouse restricted {
        _setMarket(underlying, _listed(underlying).withCap(cap));
        emit MarketCapSet(underlying, cap);
    }

    /// @inheritdoc IClearinghouseExtension
    function setOptionCap(uint16 underlying, uint256 cap) external viaClearinghouse restricted {
        _requirePriced(underlying);
        if (cap > MAX_OPTION_CAP) {
            revert Clearinghouse_OptionCapOutOfBounds(underlying, cap, MAX_OPTION_CAP);
        }
        _optionMarket(underlying).cap = uint128(cap);
        emit OptionCapSet(underlying, cap);
    }

    function _requireSupported(uint16 id, IRiskEngine engine_, uint256 engineId) private view {
        if (id != CASH && !engine_.supportsAsset(id)) {
            revert Clearinghouse_AssetUnknownToEngine(id, engineId);
        }
    }

    function _requirePriced(uint16 underlying) private view {
        if (ORACLE.snapshot(underlying).spot() == 0) revert Clearinghouse_PriceNeverAccepted(underlying);
    }
}
