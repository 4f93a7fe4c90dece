// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPriceSource, Observation} from "../../interfaces/IPriceSource.sol";
import {IAggregatorV3} from "./IAggregatorV3.sol";

/// @notice How one feed is read from an aggregator, in one word.
/// @param aggregator Chainlink price feed in dollars.
/// @param heartbeat Seconds after which an answer says nothing any more.
/// @param deviationBps Deviation below which the aggregator does not answer anew, 1e-4: the answer's half-width.
/// @param decimals Decimals of the aggregator, read when it is set.
struct ChainlinkFeed {
    address aggregator;
    uint32 heartbeat;
    uint16 deviationBps;
    uint8 decimals;
}

/// @title Prices from Chainlink aggregators
/// @dev Storage: one word a feed. An aggregator is not trusted to behave: whatever it does gives an empty
/// observation at worst. How to stop it: set the feed's aggregator to zero.
contract ChainlinkSource is IPriceSource, AccessManaged {
    /// @notice A feed got an aggregator, or lost it (zero).
    event AggregatorSet(
        uint16 indexed underlying,
        address aggregator,
        uint256 heartbeat,
        uint256 deviationBps,
        uint256 decimals
    );

    /// @notice Thrown when an aggregator has no code.
    error ChainlinkSource_NoCode(address aggregator);

    /// @notice Thrown when an aggregator gives no usable answer while it is set.
    error ChainlinkSource_NoAnswer(address aggregator);

    /// @notice Thrown when an aggregator does not name its decimals, or more of them than 18.
    error ChainlinkSource_Decimals(address aggregator, uint256 decimals);

    /// @notice Thrown when the heartbeat leaves its bounds, seconds.
    error ChainlinkSource_Heartbeat(uint256 have, uint256 least, uint256 greatest);

    /// @notice Thrown when the deviation is over its bound, 1e-4.
    error ChainlinkSource_Deviation(uint256 have, uint256 greatest);

    uint256 private constant MIN_HEARTBEAT = 10;
    uint256 private constant MAX_HEARTBEAT = 36 hours;
    uint256 private constant MAX_DEVIATION_BPS = 500;
    uint256 private constant MAX_DECIMALS = 18;
    uint256 private constant BPS = 1e4;
    uint256 private constant GAS = 500_000; // far above a real feed: an endless aggregator costs no more
    uint256 private constant ROUND_SIZE = 160;

    mapping(uint16 underlying => ChainlinkFeed) private _feeds;

    /// @param authority_ Access manager that governs the aggregators.
    constructor(address authority_) AccessManaged(authority_) {}

    /// @notice Sets where a feed is read; aggregator zero ends it.
    /// @dev Restricted. The aggregator must have code, name its decimals and answer now. Errors: all of this contract.
    /// @param heartbeat Seconds after which its answer is stale, with some slack over what it promises.
    /// @param deviationBps Its deviation threshold, 1e-4.
    function setAggregator(uint16 underlying, address aggregator, uint32 heartbeat, uint16 deviationBps)
        external
        restricted
    {
        uint8 decimals;
        if (aggregator == address(0)) {
            delete _feeds[underlying];
        } else {
            decimals = _check(aggregator, heartbeat, deviationBps);
            _feeds[underlying] = ChainlinkFeed(aggregator, heartbeat, deviationBps, decimals);
        }
        emit AggregatorSet(underlying, aggregator, heartbeat, deviationBps, decimals);
    }

    /// @inheritdoc IPriceSource
    /// @dev Takes no data and never reverts. Empty when there is no aggregator, or its call fails, answers too
    /// little, zero, a negative or an absurd price, an unfinished round, or one older than the heartbeat.
    function observe(uint16 underlying, bytes calldata) external view returns (Observation memory seen) {
        ChainlinkFeed memory config = _feeds[underlying];
        (uint256 answer, uint256 updatedAt) = _latest(config.aggregator);
        if (answer == 0 || updatedAt == 0) return seen;
        if (updatedAt < block.timestamp && block.timestamp - updatedAt > config.heartbeat) return seen;
        seen.price = answer * 10 ** (MAX_DECIMALS - config.decimals);
        seen.confidence = seen.price * config.deviationBps / BPS;
        seen.time = updatedAt;
    }

    /// @notice Where a feed is read; zero if nowhere.
    function feed(uint16 underlying) external view returns (ChainlinkFeed memory) {
        return _feeds[underlying];
    }

    /// @dev Newest answer and its time; zero for an answer that is no price. A price that 128 bits do not hold is
    /// none: scaling it could overflow.
    function _latest(address aggregator) private view returns (uint256 price, uint256 updatedAt) {
        (bool ok, uint256[5] memory round) =
            _read(aggregator, IAggregatorV3.latestRoundData.selector, ROUND_SIZE);
        if (!ok || int256(round[1]) <= 0 || round[1] > type(uint128).max) return (0, 0);
        return (round[1], round[3]);
    }

    function _check(address aggregator, uint256 heartbeat, uint256 deviationBps)
        private
        view
        returns (uint8)
    {
        if (heartbeat < MIN_HEARTBEAT || heartbeat > MAX_HEARTBEAT) {
            revert ChainlinkSource_Heartbeat(heartbeat, MIN_HEARTBEAT, MAX_HEARTBEAT);
        }
        if (deviationBps > MAX_DEVIATION_BPS) {
            revert ChainlinkSource_Deviation(deviationBps, MAX_DEVIATION_BPS);
        }
        if (aggregator.code.length == 0) revert ChainlinkSource_NoCode(aggregator);
        (bool ok, uint256[5] memory words) = _read(aggregator, IAggregatorV3.decimals.selector, 32);
        if (!ok || words[0] > MAX_DECIMALS) revert ChainlinkSource_Decimals(aggregator, words[0]);
        (uint256 price, uint256 updatedAt) = _latest(aggregator);
        if (price == 0 || updatedAt == 0) revert ChainlinkSource_NoAnswer(aggregator);
        return uint8(words[0]);
    }

    /// @dev Copies `size` bytes of the answer and no more; not ok if the call fails or answers less.
    function _read(address target, bytes4 selector, uint256 size)
        private
        view
        returns (bool ok, uint256[5] memory words)
    {
        assembly ("memory-safe") {
            mstore(0x00, selector)
            ok := staticcall(GAS, target, 0x00, 0x04, words, size)
            ok := and(ok, iszero(lt(returndatasize(), size)))
        }
    }
}
