// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {VolatilitySlice} from "../types/VolatilitySlice.sol";

/// @title Volatility slices, allowed expiries and their settlement
interface IVolatilityBoard {
    /// @notice Whether options of this expiry and strike (1e-8 of cash) may be opened now.
    function isListed(uint16 underlying, uint32 expiry, uint256 strike) external view returns (bool);

    /// @notice The word of an expiry; zero if it has none, the settlement price once it is settled.
    function slice(uint16 underlying, uint32 expiry) external view returns (VolatilitySlice);
}
