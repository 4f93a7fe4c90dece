// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Asset, IClearinghouseBase} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";

/// @title Which assets and engines there are
/// @dev Storage: assets by id (0 is cash), engines by id. Nothing is ever unregistered; a cap of zero stops deposits.
/// Engine 0, which nearly every account has, is fixed at construction, so that an assessment need not look it up.
abstract contract Registry is AccessManaged, IClearinghouseBase {
    IOracleAdapter public immutable ORACLE;
    IRiskEngine public immutable DEFAULT_ENGINE;

    /// @dev The engine of accounts that never selected one.
    uint8 internal constant DEFAULT_ENGINE_ID = 0;

    uint16 internal constant CASH = 0;

    uint256 internal _assetCount;
    uint256 internal _engineCount;

    mapping(uint16 id => Asset) private _assets;
    mapping(uint8 id => IRiskEngine) private _engines;

    /// @dev Thrown when an asset id is not registered.
    error Clearinghouse_UnknownAsset(uint16 asset);
    /// @dev Thrown when an engine id is not registered.
    error Clearinghouse_UnknownEngine(uint8 engine);
    /// @dev Thrown when a token has more than 18 decimals.
    error Clearinghouse_UnsupportedDecimals(address token, uint8 decimals);
    /// @dev Thrown when a deposit would take an asset over its cap.
    error Clearinghouse_AssetCapExceeded(uint16 asset, uint256 total, uint256 cap);
    /// @dev Thrown when a registry is full.
    error Clearinghouse_RegistryFull(uint256 limit);
    /// @dev Thrown when an address that must be a contract has no code.
    error Clearinghouse_NotAContract(address target);

    /// @dev Thrown when the first engine to be registered is another one than was fixed at construction.
    error Clearinghouse_NotDefaultEngine(address engine, address expected);

    constructor(address oracle, address defaultEngine) {
        ORACLE = IOracleAdapter(oracle);
        DEFAULT_ENGINE = IRiskEngine(defaultEngine);
    }

    function _asset(uint16 id) internal view returns (Asset storage registered) {
        registered = _assets[id];
        if (registered.token == address(0)) revert Clearinghouse_UnknownAsset(id);
    }

    function _addEngine(address engine_) internal returns (uint8 id) {
        if (_engineCount > type(uint8).max) revert Clearinghouse_RegistryFull(_engineCount);
        if (_engineCount == DEFAULT_ENGINE_ID && engine_ != address(DEFAULT_ENGINE)) {
            revert Clearinghouse_NotDefaultEngine(engine_, address(DEFAULT_ENGINE));
        }
        id = uint8(_engineCount++);
        _engines[id] = IRiskEngine(engine_);
        emit EngineRegistered(id, engine_);
    }

    function _cashCap() internal view returns (uint256) {
        return _assets[CASH].cap;
    }

    /// @dev The default engine answers before it is registered too; no asset opens before that.
    function _engine(uint8 id) internal view returns (IRiskEngine registered) {
        if (id == DEFAULT_ENGINE_ID) return DEFAULT_ENGINE;
        registered = _engines[id];
        if (address(registered) == address(0)) revert Clearinghouse_UnknownEngine(id);
    }

    function _addAsset(address token, uint8 decimals, uint16 underlying) internal returns (uint16 id) {
        if (_assetCount > type(uint16).max) revert Clearinghouse_RegistryFull(_assetCount);
        id = uint16(_assetCount++);
        _assets[id] = Asset({token: token, decimals: decimals, underlying: underlying, total: 0, cap: 0});
        emit AssetRegistered(id, token, decimals, underlying);
    }

    function _decimals(address token) internal view returns (uint8 decimals) {
        if (token.code.length == 0) revert Clearinghouse_NotAContract(token);
        decimals = IERC20Metadata(token).decimals();
        if (decimals > 18) revert Clearinghouse_UnsupportedDecimals(token, decimals);
    }
}
