// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FeedConfig, IFeedRegistry} from "../interfaces/IFeedRegistry.sol";

/// @dev The feed of the cash token's own dollar price.
uint16 constant CASH_FEED = 0;

/// @title Configuration of the feeds
/// @dev Storage: one configuration a feed, in 3 words and one a source.
abstract contract FeedRegistry is IFeedRegistry, AccessManaged {
    uint256 private constant MAX_SOURCES = 4;
    uint256 private constant MAX_AGE = 36 hours; // 2-second steps in 16 bits
    uint256 private constant MAX_WIDE_LIMIT = 4094; // a saturated confidence is always wide
    uint256 private constant MAX_RANGE_BPS = 6000;
    uint256 private constant MAX_PREMIUM_BPS = 200; // 1e-8 steps in 22 signed bits
    uint256 private constant MIN_PRICE = 1e16;
    uint256 private constant MAX_PRICE = 1e26; // at a cash price ≥ 0.5 it fits 68 bits of 1e-12
    uint256 private constant MIN_CASH_PRICE = 0.5e18;
    uint256 private constant MAX_CASH_PRICE = 2e18;

    mapping(uint16 underlying => FeedConfig) private _feeds;

    /// @inheritdoc IFeedRegistry
    function configureFeed(uint16 underlying, FeedConfig calldata config) external restricted {
        _checkSources(config);
        _checkReports(config);
        _checkRanges(config);
        _checkMarket(underlying, config);
        _checkPrices(underlying, config);
        _feeds[underlying] = config;
        emit FeedConfigured(underlying, config);
    }

    /// @inheritdoc IFeedRegistry
    function feed(uint16 underlying) external view returns (FeedConfig memory) {
        return _feeds[underlying];
    }

    /// @inheritdoc IFeedRegistry
    function premiumClampBps(uint16 underlying) external view returns (uint256) {
        if (!_isConfigured(underlying)) revert FeedRegistry_UnknownFeed(underlying);
        return _feeds[underlying].premiumClampBps;
    }

    function _config(uint16 underlying) internal view returns (FeedConfig memory config) {
        config = _feeds[underlying];
        if (config.sources.length == 0) revert FeedRegistry_UnknownFeed(underlying);
    }

    function _isConfigured(uint16 underlying) internal view returns (bool) {
        return _feeds[underlying].sources.length != 0;
    }

    function _checkSources(FeedConfig calldata config) private view {
        uint256 count = config.sources.length;
        if (count == 0 || count > MAX_SOURCES) revert FeedRegistry_SourceCount(count, MAX_SOURCES);
        for (uint256 i; i < count; ++i) {
            address source = config.sources[i];
            if (source.code.length == 0) revert FeedRegistry_SourceWithoutCode(source);
            for (uint256 j; j < i; ++j) {
                if (config.sources[j] == source) revert FeedRegistry_DuplicateSource(source);
            }
        }
        _checkBounds("minSources", config.minSources, 1, count);
    }

    function _checkReports(FeedConfig calldata config) private pure {
        _checkBounds("maxAge", config.maxAge, 10, MAX_AGE);
        _checkBounds("sourceMaxAge", config.sourceMaxAge, 1, MAX_AGE);
        _checkBounds("jumpLimitBps", config.jumpLimitBps, 10, 5000);
        _checkBounds("maxSourceConfidenceBps", config.maxSourceConfidenceBps, 1, 1000);
        _checkBounds("wideLimit", config.wideLimit, 1, MAX_WIDE_LIMIT);
    }

    function _checkRanges(FeedConfig calldata config) private pure {
        _checkBounds("maxRangeBps", config.maxRangeBps, 100, MAX_RANGE_BPS);
        _checkBounds("minRangeBps", config.minRangeBps, 100, config.maxRangeBps);
        _checkBounds("baseRangeBps", config.baseRangeBps, config.minRangeBps, config.maxRangeBps);
    }

    function _checkMarket(uint16 underlying, FeedConfig calldata config) private view {
        _checkBounds("premiumClampBps", config.premiumClampBps, 0, MAX_PREMIUM_BPS);
        _checkBounds("fundingCapBps", config.fundingCapBps, 0, MAX_PREMIUM_BPS);
        if (underlying == CASH_FEED && config.hasMarket) revert FeedRegistry_MarketOfCash();
        if (!_isConfigured(underlying)) return;
        FeedConfig storage old = _feeds[underlying];
        if (config.premiumClampBps > old.premiumClampBps) {
            revert FeedRegistry_PremiumClampRaised(old.premiumClampBps, config.premiumClampBps);
        }
        if (old.hasMarket && !config.hasMarket) revert FeedRegistry_MarketRemoved(underlying);
    }

    function _checkPrices(uint16 underlying, FeedConfig calldata config) private pure {
        bool isCash = underlying == CASH_FEED;
        uint256 greatest = isCash ? MAX_CASH_PRICE : MAX_PRICE;
        _checkBounds("maxPrice", config.maxPrice, MIN_PRICE, greatest);
        _checkBounds("minPrice", config.minPrice, isCash ? MIN_CASH_PRICE : MIN_PRICE, config.maxPrice);
    }

    function _checkBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest) private pure {
        if (value < least || value > greatest) {
            revert FeedRegistry_OutOfBounds(parameter, value, least, greatest);
        }
    }
}
