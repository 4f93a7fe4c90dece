// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice How one feed is made.
/// @param sources Up to four price sources, in the order in which a refresh brings their data.
/// @param minSources How many usable observations a price needs.
/// @param hasMarket Whether the underlying has a perpetual market, whose funding the adapter then sets.
/// @param maxAge Seconds for which an accepted price counts as fresh, counted in steps of 2.
/// @param sourceMaxAge Seconds after which a source's report is dropped.
/// @param jumpLimitBps Greatest move from the last accepted price that needs no second source, 1e-4 of that price.
/// @param maxSourceConfidenceBps Half-width over which a report is dropped, 1e-4 of its price.
/// @param wideLimit Half-width over which the accepted price is marked wide, 1e-5 of the price.
/// @param baseRangeBps First scan range, a quarter of which is the constant part of later ones, 1e-4.
/// @param minRangeBps Least scan range, 1e-4.
/// @param maxRangeBps Greatest scan range, 1e-4, before concentration.
/// @param premiumClampBps Greatest premium of the mark over the index, 1e-4; it can only ever fall.
/// @param fundingCapBps Greatest funding rate for eight hours, 1e-4 of the price.
/// @param minPrice Dollars for one unit below which a report is dropped, WAD.
/// @param maxPrice Dollars for one unit above which a report is dropped, WAD.
/// @param depth Open interest above which the range for the initial margin grows, whole units; zero for never.
struct FeedConfig {
    address[] sources;
    uint8 minSources;
    bool hasMarket;
    uint32 maxAge;
    uint32 sourceMaxAge;
    uint16 jumpLimitBps;
    uint16 maxSourceConfidenceBps;
    uint16 wideLimit;
    uint16 baseRangeBps;
    uint16 minRangeBps;
    uint16 maxRangeBps;
    uint16 premiumClampBps;
    uint16 fundingCapBps;
    uint96 minPrice;
    uint96 maxPrice;
    uint64 depth;
}

/// @title How the feeds are configured
interface IFeedRegistry {
    /// @notice A feed was created or replaced.
    event FeedConfigured(uint16 indexed underlying, FeedConfig config);

    /// @notice Thrown when a feed was never configured.
    error FeedRegistry_UnknownFeed(uint16 underlying);

    /// @notice Thrown when a feed would have no source, or more than four.
    error FeedRegistry_SourceCount(uint256 have, uint256 greatest);

    /// @notice Thrown when a source has no code.
    error FeedRegistry_SourceWithoutCode(address source);

    /// @notice Thrown when a source is named twice: it would be a quorum of its own.
    error FeedRegistry_DuplicateSource(address source);

    /// @notice Thrown when a parameter leaves its hard bounds.
    error FeedRegistry_OutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice Thrown when the premium clamp would rise: the margin parameters rest on it.
    error FeedRegistry_PremiumClampRaised(uint256 have, uint256 want);

    /// @notice Thrown when a market would be taken from a feed, which would freeze its funding rate.
    error FeedRegistry_MarketRemoved(uint16 underlying);

    /// @notice Thrown when the feed of the cash token itself would get a market.
    error FeedRegistry_MarketOfCash();

    /// @notice Creates a feed or replaces its configuration, from its next accepted price on.
    /// @dev Restricted. The premium clamp of an existing feed may only fall, and its market may not go.
    /// Errors: every one of this interface but `FeedRegistry_UnknownFeed`.
    /// @param underlying Feed; 0 is the dollar price of the cash token.
    /// @param config The whole new configuration.
    function configureFeed(uint16 underlying, FeedConfig calldata config) external;

    /// @notice The configuration of a feed; no sources if it was never configured.
    function feed(uint16 underlying) external view returns (FeedConfig memory);

    /// @notice Greatest premium of the mark over the index, 1e-4: it will never be more.
    /// @dev Error: `FeedRegistry_UnknownFeed`, so that nobody rests on the clamp of a feed to come.
    function premiumClampBps(uint16 underlying) external view returns (uint256);
}
