// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearinghouse} from "../interfaces/IClearinghouse.sol";

/// @title How long a change of an engine's parameters takes (specification §6.11)
/// @dev Storage: the time that changes take from now on.
abstract contract RampTime is AccessManaged {
    /// @dev A day is long enough for an owner to see a change and to act on it; a month, short enough to matter.
    uint256 private constant MIN_RAMP_TIME = 1 days;
    uint256 private constant MAX_RAMP_TIME = 30 days;

    IClearinghouse public immutable CLEARINGHOUSE;

    /// @notice Seconds in which a change takes effect.
    uint32 public rampTime = 3 days;

    event RampTimeSet(uint32 rampTime);

    /// @dev Thrown when changes would take effect too fast or too slowly.
    error RampTime_OutOfBounds(uint256 rampTime, uint256 least, uint256 greatest);

    constructor(IClearinghouse clearinghouse) {
        CLEARINGHOUSE = clearinghouse;
    }

    /// @notice Sets the time that changes take from now on; those under way keep theirs.
    function setRampTime(uint32 seconds_) external restricted {
        if (seconds_ < MIN_RAMP_TIME || seconds_ > MAX_RAMP_TIME) {
            revert RampTime_OutOfBounds(seconds_, MIN_RAMP_TIME, MAX_RAMP_TIME);
        }
        rampTime = seconds_;
        emit RampTimeSet(seconds_);
    }

    /// @dev Whether accounts may select this engine: whatever is opened from then on begins at nothing lent.
    function _isSelectable() internal view returns (bool) {
        uint256 count = CLEARINGHOUSE.engineCount();
        for (uint256 i; i < count; ++i) {
            if (address(CLEARINGHOUSE.engine(uint8(i))) == address(this)) return true;
        }
        return false;
    }
}
