// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IAggregatorV3} from "../oracle/sources/IAggregatorV3.sol";

/// @title A price feed of Chainlink's shape whose answers its owner sets, for devnets and tests
/// @dev Never deploy it where money is real.
contract MockAggregator is IAggregatorV3, Ownable {
    struct Round {
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
    }

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    /// @notice Thrown when a round was never answered.
    error MockAggregator_NoData(uint80 roundId);

    uint8 public decimals;
    string public description;
    uint80 public latestRound;

    mapping(uint80 roundId => Round) private _rounds;

    /// @param decimals_ Decimals of the answers.
    /// @param description_ What is priced, such as "ETH / USD".
    /// @param answer First answer, in units of 10^−decimals.
    constructor(uint8 decimals_, string memory description_, int256 answer) Ownable(msg.sender) {
        decimals = decimals_;
        description = description_;
        _push(answer, block.timestamp, block.timestamp);
    }

    /// @notice Version of the shape.
    function version() external pure returns (uint256) {
        return 4;
    }

    /// @notice Answers a new round, now.
    function setAnswer(int256 answer) external onlyOwner {
        _push(answer, block.timestamp, block.timestamp);
    }

    /// @notice Answers a new round with times of the caller's choice; `updatedAt` 0 leaves it unfinished.
    function setRound(int256 answer, uint256 startedAt, uint256 updatedAt) external onlyOwner {
        _push(answer, startedAt, updatedAt);
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(latestRound);
    }

    /// @notice The answer of one round, in the shape of `latestRoundData`.
    function getRoundData(uint80 roundId) public view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = _rounds[roundId];
        if (round.startedAt == 0) revert MockAggregator_NoData(roundId);
        return (roundId, round.answer, round.startedAt, round.updatedAt, roundId);
    }

    function _push(int256 answer, uint256 startedAt, uint256 updatedAt) private {
        _rounds[++latestRound] = Round(answer, startedAt, updatedAt);
        emit AnswerUpdated(answer, latestRound, updatedAt);
    }
}
