// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The part of a Clearinghouse that the OracleAdapter talks to, for tests
contract MockFundingSink {
    event RateSet(uint16 indexed underlying, int256 ratePerSecond);

    /// @notice Thrown while the sink plays a locked Clearinghouse.
    error MockFundingSink_Locked(uint16 underlying);

    uint256 public openInterest;
    bool public locked;
    mapping(uint16 underlying => int256) public rate;
    uint256 public calls;

    /// @notice Sets what every market answers, WAD.
    function setOpenInterest(uint256 openInterest_) external {
        openInterest = openInterest_;
    }

    /// @notice Makes the sink refuse, as a locked Clearinghouse does, or accept again.
    function setLocked(bool locked_) external {
        locked = locked_;
    }

    /// @notice As `IClearinghouse.setFundingRate`.
    function setFundingRate(uint16 underlying, int256 ratePerSecond) external returns (uint256) {
        if (locked) revert MockFundingSink_Locked(underlying);
        rate[underlying] = ratePerSecond;
        ++calls;
        emit RateSet(underlying, ratePerSecond);
        return openInterest;
    }
}
