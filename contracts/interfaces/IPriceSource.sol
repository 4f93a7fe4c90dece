// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice One report of a source, in dollars.
/// @param price WAD dollars for one unit of the underlying; zero if the source has nothing to say.
/// @param confidence Half-width of the price, WAD dollars.
/// @param time When the report was made, unix seconds.
/// @param impactBid Price at which a sized sale of the perpetual would fill, WAD dollars; zero if unknown.
/// @param impactAsk Price at which a sized purchase of the perpetual would fill, WAD dollars; zero if unknown.
struct Observation {
    uint256 price;
    uint256 confidence;
    uint256 time;
    uint256 impactBid;
    uint256 impactAsk;
}

/// @title One place that prices come from
interface IPriceSource {
    /// @notice Reads the source's newest report on `underlying`.
    /// @dev A failure of the upstream gives an empty observation; only caller data that is malformed or forged
    /// reverts. Whether the report is too old, too wide or out of bounds is the adapter's business, apart from a
    /// staleness that belongs to the source itself.
    /// @param underlying Feed to read.
    /// @param update Signed data of a pull source; empty for a push source, or when there is none.
    function observe(uint16 underlying, bytes calldata update) external returns (Observation memory);
}
