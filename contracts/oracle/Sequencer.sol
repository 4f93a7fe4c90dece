// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IAggregatorV3} from "./sources/IAggregatorV3.sol";

/// @title Whether the chain's sequencer is up, by a feed that says so (specification §5.9)
/// @dev While it is down nobody but who can force transactions gets any in, so prices of that time must not open risk,
/// and owners need a while afterwards before they are liquidated. A feed that is broken opens nothing, but shields
/// nobody either; one that says "down" shields for a day. No storage.
abstract contract Sequencer is IOracleAdapter {
    /// @dev Long enough to see that the chain is back and to act; any longer and accounts fall further than margins.
    uint256 private constant MAX_GRACE = 1 hours;
    uint256 private constant MAX_OUTAGE = 24 hours;

    /// @dev Far above a real feed, behind its proxy.
    uint256 private constant GAS = 100_000;
    uint256 private constant ROUND_SIZE = 160;

    /// @notice Answers 0 while the sequencer is up and 1 while it is down, since `startedAt`. Zero if there is none.
    IAggregatorV3 public immutable SEQUENCER_FEED;
    /// @notice Seconds after an outage in which prices count as not fresh and nobody is liquidated.
    uint256 public immutable SEQUENCER_GRACE;

    /// @dev Thrown when the grace is over its bound.
    error Sequencer_GraceOutOfBounds(uint256 grace, uint256 greatest);
    /// @dev Thrown when a feed gives no usable answer while it is set.
    error Sequencer_NoAnswer(IAggregatorV3 feed);
    /// @dev Thrown when a call brings too little gas to hear the feed, whose silence would mean something.
    error Sequencer_OutOfGas();

    constructor(IAggregatorV3 feed, uint256 grace) {
        if (grace > MAX_GRACE) revert Sequencer_GraceOutOfBounds(grace, MAX_GRACE);
        SEQUENCER_FEED = feed;
        SEQUENCER_GRACE = grace;
        if (address(feed) == address(0)) return;
        (bool valid,,) = _status(feed);
        if (!valid) revert Sequencer_NoAnswer(feed);
    }

    /// @inheritdoc IOracleAdapter
    function outageUntil() external view returns (uint256 until) {
        if (address(SEQUENCER_FEED) != address(0)) (, until) = _outage();
    }

    /// @dev Whether prices count as not fresh.
    function _isHalted() internal view returns (bool) {
        if (address(SEQUENCER_FEED) == address(0)) return false;
        (bool halted,) = _outage();
        return halted;
    }

    /// @dev Whether prices count as not fresh, and until when nobody is liquidated. Only where there is a feed.
    function _outage() private view returns (bool halted, uint256 until) {
        (bool valid, bool down, uint256 since) = _status(SEQUENCER_FEED);
        if (!valid) return (true, 0);
        until = since + (down ? MAX_OUTAGE : SEQUENCER_GRACE);
        halted = down || block.timestamp < until;
    }

    /// @dev Not valid if the call fails, answers too little, neither 0 nor 1, or a time that is none.
    function _status(IAggregatorV3 feed) private view returns (bool valid, bool down, uint256 since) {
        bytes4 selector = IAggregatorV3.latestRoundData.selector;
        uint256[5] memory round;
        assembly ("memory-safe") {
            mstore(0x00, selector)
            valid := staticcall(GAS, feed, 0x00, 0x04, round, ROUND_SIZE)
            valid := and(valid, iszero(lt(returndatasize(), ROUND_SIZE)))
        }
        // A call gets 63/64 of what is left: with this much over, the feed had all of GAS.
        if (!valid && gasleft() < GAS / 63) revert Sequencer_OutOfGas();
        (down, since) = (round[1] == 1, round[2]);
        valid = valid && round[1] < 2 && since != 0 && since <= block.timestamp;
    }
}
