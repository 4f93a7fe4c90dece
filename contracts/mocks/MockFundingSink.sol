// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The part of a Clearinghouse that the OracleAdapter talks to, for tests
contract MockFundingSink {
    event RateSet(uint16 indexed underlying, int256 ratePerSecond);

    uint256 public openInterest;
    bool public isLocked;
    mapping(uint16 underlying => int256) public rate;
    uint256 public calls;

    /// @notice Sets what every market answers, WAD.
    function setOpenInterest(uint256 openInterest_) external {
        openInterest = openInterest_;
    }

    /// @notice Makes the sink refuse, as a locked Clearinghouse does, or accept again.
    function setLocked(bool isLocked_) external {
        isLocked = isLocked_;
    }

    /// @notice As `IClearinghouse.setFundingRate`.
    function setFundingRate(uint16 underlying, int256 ratePerSecond) external returns (uint256) {
        rate[underlying] = ratePerSecond;
        ++calls;
        emit RateSet(underlying, ratePerSecond);
        return openInterest;
    }
}
