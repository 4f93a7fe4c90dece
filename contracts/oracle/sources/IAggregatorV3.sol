// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The part of a Chainlink price feed that Ballast reads
interface IAggregatorV3 {
    /// @notice Decimals of every answer.
    function decimals() external view returns (uint8);

    /// @notice The newest answer. `answeredInRound` is deprecated and carries nothing that `roundId` does not.
    /// @return roundId Round of the answer.
    /// @return answer Price in units of 10^−decimals.
    /// @return startedAt When the round began, unix seconds.
    /// @return updatedAt When it was answered, unix seconds; zero while it is not.
    /// @return answeredInRound Round in which the answer was made.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
