// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Snapshot} from "../types/Snapshot.sol";
import {IVolatilityBoard} from "./IVolatilityBoard.sol";

/// @notice A request to bring one feed up to date.
/// @param underlying Feed to refresh.
/// @param updates Data for the feed's sources in their configured order; a missing or empty entry gives none.
struct PriceUpdate {
    uint16 underlying;
    bytes[] updates;
}

/// @title The accepted prices and volatilities of the system
interface IOracleAdapter is IVolatilityBoard {
    /// @dev Thrown when prices would move while the Clearinghouse is changing accounts.
    error OracleAdapter_Locked();

    /// @notice Reads the sources of each named feed and accepts what passes the rules of specification §5.
    /// @dev A feed with nothing new is left as it is, without an error. Reverts while the Clearinghouse is locked: an
    /// account that is being changed is valued at one set of prices, before and after.
    function refresh(PriceUpdate[] calldata updates) external;

    /// @notice The accepted snapshot of a feed; its price is zero if none was ever accepted.
    /// @dev Marked halted, and so not fresh, while the sequencer is down or came up too recently.
    function snapshot(uint16 underlying) external view returns (Snapshot);

    /// @notice The accepted snapshots of several feeds.
    function snapshots(uint16[] calldata underlyings) external view returns (Snapshot[] memory);

    /// @notice Time until which an outage of the sequencer keeps everybody from being liquidated; over if it is past.
    function outageUntil() external view returns (uint256);

    /// @notice Words of snapshots and volatility slices in one call, for engines.
    /// @param keys Underlying << 32 | expiry; expiry 0 for the snapshot.
    function market(uint256[] calldata keys) external view returns (uint256[] memory words);
}
