// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IVolatilityBoard, VolatilityConfig} from "../interfaces/IVolatilityBoard.sol";
import {ExpiryList, ExpiryListLib} from "./ExpiryList.sol";
import {FixingWindow} from "./FixingWindow.sol";

/// @title Which options there are
/// @dev A series is named by its fields alone. Storage: a configuration and a list of live expiries an underlying, and
/// a word an expiry, which holds its grid of strikes and the prices that settle it: not zero if it is allowed.
abstract contract ExpiryRegistry is IVolatilityBoard, AccessManaged {
    uint256 private constant TIME_OF_DAY = 8 hours;
    uint256 private constant LEAST_LEAD = 1 hours; // the whole window of the settlement lies ahead
    uint256 private constant GREATEST_LEAD = 400 days;
    uint256 private constant MAX_AGE = 36 hours; // 2-second steps in 16 bits
    uint256 private constant MAX_TICK = 1e14; // a million of cash

    mapping(uint16 underlying => VolatilityConfig) private _configs;
    mapping(uint16 underlying => ExpiryList) private _live;
    mapping(uint256 key => uint256) private _windows;

    /// @inheritdoc IVolatilityBoard
    function configureVolatility(uint16 underlying, VolatilityConfig calldata config) external restricted {
        address source = address(config.source);
        if (source.code.length == 0) revert ExpiryRegistry_SourceWithoutCode(source);
        _checkRange("maxAge", config.maxAge, 10, MAX_AGE);
        _checkRange("jumpLimitBps", config.jumpLimitBps, 10, 5000);
        _checkRange("forwardJumpBps", config.forwardJumpBps, 1, 1000);
        _checkRange("maxLive", config.maxLive, 1, ExpiryListLib.CAPACITY);
        _configs[underlying] = config;
        emit VolatilityConfigured(underlying, config);
    }

    /// @inheritdoc IVolatilityBoard
    function allowExpiry(uint16 underlying, uint32 expiry, uint256 strikeTick) external restricted {
        uint256 greatest = _volatility(underlying).maxLive;
        uint256 key = _key(underlying, expiry);
        if (_windows[key] != 0) revert ExpiryRegistry_AlreadyAllowed(underlying, expiry);
        _checkRange("expiry", expiry, block.timestamp + LEAST_LEAD, block.timestamp + GREATEST_LEAD);
        if (expiry % 1 days != TIME_OF_DAY) revert ExpiryRegistry_TimeOfDay(expiry);
        _checkRange("strikeTick", strikeTick, 1, MAX_TICK);
        ExpiryList live = _live[underlying];
        if (live.count() >= greatest) revert ExpiryRegistry_TooMany(greatest);
        _live[underlying] = live.insert(expiry);
        _windows[key] = strikeTick << FixingWindow.TICK_SHIFT;
        emit ExpiryAllowed(underlying, expiry, strikeTick);
    }

    /// @inheritdoc IVolatilityBoard
    function isListed(uint16 underlying, uint32 expiry, uint256 strike) external view returns (bool) {
        uint256 tick = _windows[_key(underlying, expiry)] >> FixingWindow.TICK_SHIFT;
        return tick != 0 && strike != 0 && strike % tick == 0 && block.timestamp < expiry;
    }

    /// @inheritdoc IVolatilityBoard
    function liveExpiries(uint16 underlying) external view returns (uint256[] memory expiries) {
        ExpiryList live = _live[underlying];
        expiries = new uint256[](live.count());
        for (uint256 i; i < expiries.length; ++i) {
            expiries[i] = live.at(i);
        }
    }

    /// @inheritdoc IVolatilityBoard
    function volatilityConfig(uint16 underlying) external view returns (VolatilityConfig memory) {
        return _configs[underlying];
    }

    /// @inheritdoc IVolatilityBoard
    function settlementWindow(uint16 underlying, uint32 expiry) external view returns (uint256) {
        return _windows[_key(underlying, expiry)];
    }

    /// @dev Nothing that values accounts may change while the Clearinghouse changes them.
    function _checkUnlocked() internal view virtual;

    function _setWindow(uint256 key, uint256 word) internal {
        _windows[key] = word;
    }

    function _retire(uint16 underlying, uint256 expiry) internal {
        _live[underlying] = _live[underlying].remove(expiry);
    }

    function _volatility(uint16 underlying) internal view returns (VolatilityConfig memory config) {
        config = _configs[underlying];
        if (config.maxLive == 0) revert ExpiryRegistry_UnknownVolatility(underlying);
    }

    function _window(uint256 key) internal view returns (uint256) {
        return _windows[key];
    }

    /// @dev Error: `ExpiryRegistry_UnknownExpiry`.
    function _allowedWindow(uint16 underlying, uint32 expiry) internal view returns (uint256 word) {
        word = _windows[_key(underlying, expiry)];
        if (word == 0) revert ExpiryRegistry_UnknownExpiry(underlying, expiry);
    }

    function _neighbours(uint16 underlying, uint256 expiry) internal view returns (uint256, uint256) {
        return _live[underlying].neighbours(expiry);
    }

    function _key(uint256 underlying, uint256 expiry) internal pure returns (uint256) {
        return (underlying << 32) | expiry;
    }

    function _checkRange(bytes32 parameter, uint256 value, uint256 least, uint256 greatest) private pure {
        if (value < least || value > greatest) {
            revert ExpiryRegistry_OutOfBounds(parameter, value, least, greatest);
        }
    }
}
