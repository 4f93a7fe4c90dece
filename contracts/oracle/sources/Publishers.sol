// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice What is known of the reports of one update that were read so far.
/// @param before Signer of the last one.
/// @param oldest Oldest time of a report, unix seconds.
/// @param newest Newest time of a report, unix seconds.
struct Roll {
    address before;
    uint256 oldest;
    uint256 newest;
}

/// @title Publishers, of whom a majority must sign
/// @dev Storage: the publishers and how many of them it takes. How to stop it: name other publishers.
abstract contract Publishers is AccessManaged {
    /// @notice The publishers and the threshold were replaced.
    event PublishersSet(address[] publishers, uint256 threshold);

    /// @notice Thrown when an update is not a whole number of reports, or has more of them than there may be publishers.
    error Publishers_Malformed(uint256 length);

    /// @notice Thrown when an update has fewer reports than the threshold.
    error Publishers_TooFew(uint256 have, uint256 threshold);

    /// @notice Thrown when a signature is no publisher's, which is what a changed report looks like.
    error Publishers_UnknownSigner(address signer);

    /// @notice Thrown when signers do not ascend strictly; the same one twice does not.
    error Publishers_NotAscending(address before, address signer);

    /// @notice Thrown when a report is dated after the block.
    error Publishers_FutureReport(uint256 time, uint256 nowTime);

    /// @notice Thrown when reports of one update were made too far apart, unix seconds.
    error Publishers_TimesApart(uint256 oldest, uint256 newest);

    /// @notice Thrown when there would be too many publishers.
    error Publishers_Count(uint256 have, uint256 greatest);

    /// @notice Thrown when a threshold is not more than half of the publishers, or is more than all.
    error Publishers_Threshold(uint256 have, uint256 publishers);

    uint256 private constant MAX_PUBLISHERS = 16;
    uint256 private constant MAX_SPREAD = 60 seconds;

    mapping(address publisher => bool) private _isPublisher;
    address[] private _publishers;

    /// @notice How many publishers an update needs.
    uint256 public threshold;

    constructor(address[] memory publishers_, uint256 threshold_) {
        _setPublishers(publishers_, threshold_);
    }

    /// @notice Replaces all publishers.
    /// @dev Restricted. Errors: `Publishers_Count`, `Publishers_Threshold`, `Publishers_NotAscending`.
    /// @param publishers_ At most 16 addresses, strictly ascending.
    /// @param threshold_ More than half of them.
    function setPublishers(address[] calldata publishers_, uint256 threshold_) external restricted {
        _setPublishers(publishers_, threshold_);
    }

    /// @notice The publishers, ascending.
    function publishers() external view returns (address[] memory) {
        return _publishers;
    }

    /// @dev Number of reports of `size` bytes in an update. Errors: `Publishers_Malformed`, `Publishers_TooFew`.
    function _countReports(uint256 length, uint256 size) internal view returns (uint256 count) {
        count = length / size;
        if (count * size != length || count > MAX_PUBLISHERS) revert Publishers_Malformed(length);
        if (count < threshold) revert Publishers_TooFew(count, threshold);
    }

    /// @dev Takes the next report in. Errors: `Publishers_UnknownSigner`, `Publishers_NotAscending`,
    /// `Publishers_FutureReport`.
    function _enrol(Roll memory roll, address signer, uint256 time) internal view {
        if (!_isPublisher[signer]) revert Publishers_UnknownSigner(signer);
        if (signer <= roll.before) revert Publishers_NotAscending(roll.before, signer);
        if (time > block.timestamp) revert Publishers_FutureReport(time, block.timestamp);
        roll.oldest = roll.before == address(0) ? time : FixedPointMathLib.min(roll.oldest, time);
        roll.before = signer;
        roll.newest = FixedPointMathLib.max(roll.newest, time);
    }

    /// @dev Error: `Publishers_TimesApart`.
    function _checkSpread(Roll memory roll) internal pure {
        if (roll.newest - roll.oldest > MAX_SPREAD) revert Publishers_TimesApart(roll.oldest, roll.newest);
    }

    function _setPublishers(address[] memory publishers_, uint256 threshold_) private {
        uint256 count = publishers_.length;
        if (count > MAX_PUBLISHERS) revert Publishers_Count(count, MAX_PUBLISHERS);
        if (threshold_ * 2 <= count || threshold_ > count) revert Publishers_Threshold(threshold_, count);
        for (uint256 i; i < _publishers.length; ++i) {
            _isPublisher[_publishers[i]] = false;
        }
        address before;
        for (uint256 i; i < count; ++i) {
            if (publishers_[i] <= before) revert Publishers_NotAscending(before, publishers_[i]);
            before = publishers_[i];
            _isPublisher[before] = true;
        }
        _publishers = publishers_;
        threshold = threshold_;
        emit PublishersSet(publishers_, threshold_);
    }
}
