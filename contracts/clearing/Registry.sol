// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Asset, IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";

/// @title Which assets and engines there are
/// @dev Storage: assets by id (0 is cash), engines by id. Nothing is ever unregistered; a cap of zero stops deposits.
abstract contract Registry is AccessManaged, IClearinghouse {
    IOracleAdapter public immutable ORACLE;

    uint16 internal constant CASH = 0;

    /// @notice Number of registered assets, cash included; their ids count from 0.
    uint256 public assetCount;
    /// @inheritdoc IClearinghouse
    uint256 public engineCount;

    mapping(uint16 id => Asset) private _assets;
    mapping(uint8 id => IRiskEngine) private _engines;

    /// @dev Thrown when an asset id is not registered.
    error Clearinghouse_UnknownAsset(uint16 asset);
    /// @dev Thrown when an engine id is not registered.
    error Clearinghouse_UnknownEngine(uint8 engine);
    /// @dev Thrown when a token has more than 18 decimals.
    error Clearinghouse_UnsupportedDecimals(address token, uint8 decimals);
    /// @dev Thrown when something would be held whose price was never accepted.
    error Clearinghouse_PriceNeverAccepted(uint16 underlying);
    /// @dev Thrown when a deposit would take an asset over its cap.
    error Clearinghouse_AssetCapExceeded(uint16 asset, uint256 total, uint256 cap);
    /// @dev Thrown when a cap is over 2^72 whole tokens, the bound of the risk engines' arithmetic.
    error Clearinghouse_AssetCapOutOfBounds(uint16 asset, uint256 cap, uint256 bound);
    /// @dev Thrown when an asset would be open for deposits that a registered engine cannot assess.
    error Clearinghouse_AssetUnknownToEngine(uint16 asset, uint256 engine);
    /// @dev Thrown when a token is registered twice.
    error Clearinghouse_TokenAlreadyRegistered(address token, uint16 asset);
    /// @dev Thrown when a registry is full.
    error Clearinghouse_RegistryFull(uint256 limit);
    /// @dev Thrown when an address that must be a contract has no code.
    error Clearinghouse_NotAContract(address target);

    constructor(address oracle, address cash, uint8 cashDecimals) {
        ORACLE = IOracleAdapter(oracle);
        _addAsset(cash, cashDecimals, 0);
        _assets[CASH].cap = type(uint128).max;
        emit AssetCapSet(CASH, type(uint128).max);
    }

    /// @notice Registers a token as collateral priced by `underlying`, with a cap of zero.
    function registerAsset(address token, uint16 underlying) external restricted returns (uint16 id) {
        _requirePriced(underlying);
        for (uint256 i; i < assetCount; ++i) {
            uint16 known = uint16(i);
            if (_assets[known].token == token) revert Clearinghouse_TokenAlreadyRegistered(token, known);
        }
        return _addAsset(token, _decimals(token), underlying);
    }

    /// @notice Sets the greatest recorded total, in smallest units, that a deposit of `id` may reach; of cash, the
    /// greatest amount of tokens held. Every engine must know the asset: an account holding one that its engine cannot
    /// assess could not be liquidated.
    function setAssetCap(uint16 id, uint128 cap) external restricted {
        uint256 bound = 10 ** _asset(id).decimals << 72;
        if (cap > bound) revert Clearinghouse_AssetCapOutOfBounds(id, cap, bound);
        for (uint256 i; i < engineCount; ++i) {
            _requireSupported(id, _engines[uint8(i)], i);
        }
        _assets[id].cap = cap;
        emit AssetCapSet(id, cap);
    }

    /// @notice Registers a risk engine that accounts may select; the first one is every account's default. It must
    /// know every asset that is open for deposits or held.
    function registerEngine(address engine_) external restricted returns (uint8 id) {
        if (engine_.code.length == 0) revert Clearinghouse_NotAContract(engine_);
        for (uint256 i = 1; i < assetCount; ++i) {
            Asset storage a = _assets[uint16(i)];
            if (a.cap != 0 || a.total != 0) _requireSupported(uint16(i), IRiskEngine(engine_), engineCount);
        }
        if (engineCount > type(uint8).max) revert Clearinghouse_RegistryFull(engineCount);
        id = uint8(engineCount++);
        _engines[id] = IRiskEngine(engine_);
        emit EngineRegistered(id, engine_);
    }

    /// @inheritdoc IClearinghouse
    function asset(uint16 id) external view returns (Asset memory) {
        return _asset(id);
    }

    /// @inheritdoc IClearinghouse
    function engine(uint8 id) external view returns (IRiskEngine) {
        return _engine(id);
    }

    function _asset(uint16 id) internal view returns (Asset storage registered) {
        registered = _assets[id];
        if (registered.token == address(0)) revert Clearinghouse_UnknownAsset(id);
    }

    function _cashCap() internal view returns (uint256) {
        return _assets[CASH].cap;
    }

    function _engine(uint8 id) internal view returns (IRiskEngine registered) {
        registered = _engines[id];
        if (address(registered) == address(0)) revert Clearinghouse_UnknownEngine(id);
    }

    function _requireSupported(uint16 id, IRiskEngine engine_, uint256 engineId) private view {
        if (id != CASH && !engine_.supportsAsset(id)) {
            revert Clearinghouse_AssetUnknownToEngine(id, engineId);
        }
    }

    function _requirePriced(uint16 underlying) internal view {
        if (ORACLE.snapshot(underlying).spot() == 0) revert Clearinghouse_PriceNeverAccepted(underlying);
    }

    function _addAsset(address token, uint8 decimals, uint16 underlying) private returns (uint16 id) {
        if (assetCount > type(uint16).max) revert Clearinghouse_RegistryFull(assetCount);
        id = uint16(assetCount++);
        _assets[id] = Asset({token: token, decimals: decimals, underlying: underlying, total: 0, cap: 0});
        emit AssetRegistered(id, token, decimals, underlying);
    }

    function _decimals(address token) internal view returns (uint8 decimals) {
        if (token.code.length == 0) revert Clearinghouse_NotAContract(token);
        decimals = IERC20Metadata(token).decimals();
        if (decimals > 18) revert Clearinghouse_UnsupportedDecimals(token, decimals);
    }
}
