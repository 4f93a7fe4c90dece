// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What pricing options needs of the oracle
interface IOptionOracle {
    /// @notice Words of snapshots and volatility slices in one call.
    /// @param keys Underlying << 32 | expiry; expiry 0 for the snapshot.
    function market(uint256[] calldata keys) external view returns (uint256[] memory words);

    /// @notice What is known of the settlement mean of an expiry so far.
    /// @return elapsed Seconds of the last 30 minutes before expiry that have passed; zero while nothing can be said.
    /// @return mean Time-weighted mean over them, WAD of cash, rounded down.
    function settlementMean(uint16 underlying, uint32 expiry)
        external
        view
        returns (uint256 elapsed, uint256 mean);
}
