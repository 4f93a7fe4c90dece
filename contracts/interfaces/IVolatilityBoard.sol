// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {VolatilitySlice} from "../types/VolatilitySlice.sol";

/// @notice How the volatility of one underlying is published.
/// @param source Joins the reports of publishers to one slice.
/// @param maxAge Seconds for which an accepted slice counts as fresh, counted in steps of 2.
/// @param jumpLimitBps Greatest move of the at-the-money volatility from one slice to the next, 1e-4 of the last; it
/// grows by itself with every hour between the reports.
/// @param forwardJumpBps The same for the ratio of forward to spot.
/// @param maxLive Greatest number of expiries that are allowed and not settled.
struct VolatilityConfig {
    IVolatilitySource source;
    uint32 maxAge;
    uint16 jumpLimitBps;
    uint16 forwardJumpBps;
    uint8 maxLive;
}

/// @notice A request to bring one slice up to date.
/// @param underlying Feed of the underlying.
/// @param expiry Allowed expiry, unix seconds.
/// @param reports Data for the underlying's volatility source.
struct VolatilityUpdate {
    uint16 underlying;
    uint32 expiry;
    bytes reports;
}

/// @notice Why a slice was not accepted; specification §5.7 has the rules.
enum Refusal {
    None,
    Disagreement,
    Parameters,
    Forward,
    Volatility,
    Wings,
    NegativeVariance,
    Butterfly,
    Calendar,
    VolatilityJump,
    ForwardJump
}

/// @title Where slices come from
interface IVolatilitySource {
    /// @notice What publishers say of one expiry.
    /// @param reports As the source documents it.
    /// @return slice The joined slice without its greatest fresh age; zero if there are no reports.
    /// @return agreed Whether enough publishers mean about the same.
    function observe(uint16 underlying, uint32 expiry, bytes calldata reports)
        external
        view
        returns (VolatilitySlice slice, bool agreed);
}

/// @title Volatility slices, allowed expiries and their settlement
interface IVolatilityBoard {
    /// @notice The volatility of an underlying is published in another way from now on.
    event VolatilityConfigured(uint16 indexed underlying, VolatilityConfig config);

    /// @notice Options of an expiry may be traded, at strikes that are multiples of `strikeTick` (1e-8 of cash).
    event ExpiryAllowed(uint16 indexed underlying, uint32 indexed expiry, uint256 strikeTick);

    /// @notice A slice was accepted: the whole new word of the expiry.
    event VolatilityAccepted(uint16 indexed underlying, uint32 indexed expiry, VolatilitySlice slice);

    /// @notice A slice was not accepted, and the old one stays.
    event VolatilityRefused(
        uint16 indexed underlying, uint32 indexed expiry, VolatilitySlice slice, Refusal reason
    );

    /// @notice A price was taken into the settlement of an expiry: the whole new word, as `FixingWindow.sol` packs it.
    event SettlementObserved(uint16 indexed underlying, uint32 indexed expiry, uint256 window);

    /// @notice An expiry was settled for good, at `price` (WAD of cash).
    event ExpiryFixed(uint16 indexed underlying, uint32 indexed expiry, uint256 price);

    /// @notice Thrown when the volatility of an underlying was never configured.
    error ExpiryRegistry_UnknownVolatility(uint16 underlying);

    /// @notice Thrown when an expiry was never allowed.
    error ExpiryRegistry_UnknownExpiry(uint16 underlying, uint256 expiry);

    /// @notice Thrown when an expiry was allowed before.
    error ExpiryRegistry_AlreadyAllowed(uint16 underlying, uint256 expiry);

    /// @notice Thrown when an expiry is not at 08:00 UTC.
    error ExpiryRegistry_TimeOfDay(uint256 expiry);

    /// @notice Thrown when as many expiries are live as may be.
    error ExpiryRegistry_TooMany(uint256 greatest);

    /// @notice Thrown when a source has no code.
    error ExpiryRegistry_SourceWithoutCode(address source);

    /// @notice Thrown when a parameter leaves its hard bounds.
    error ExpiryRegistry_OutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice Thrown when an expiry is settled that lies in the future, unix seconds.
    error ExpiryFixing_NotExpired(uint256 expiry, uint256 nowTime);

    /// @notice Thrown when an expiry is settled twice.
    error ExpiryFixing_AlreadyFixed(uint16 underlying, uint256 expiry);

    /// @notice Thrown when the prices that settle an expiry are not there yet, and 24 hours have not passed.
    error ExpiryFixing_Waiting(uint16 underlying, uint256 expiry);

    /// @notice Thrown when the underlying never had a price.
    error ExpiryFixing_NoPrice(uint16 underlying);

    /// @notice Says how the volatility of an underlying is published.
    /// @dev Restricted. Errors: `ExpiryRegistry_OutOfBounds`, `ExpiryRegistry_SourceWithoutCode`.
    function configureVolatility(uint16 underlying, VolatilityConfig calldata config) external;

    /// @notice Allows an expiry and its grid of strikes, both for good.
    /// @dev Restricted. Errors: `ExpiryRegistry_UnknownVolatility`, `_AlreadyAllowed`, `_TimeOfDay`, `_TooMany`,
    /// `_OutOfBounds`.
    /// @param expiry 08:00 UTC of a day, one hour to 400 days ahead.
    /// @param strikeTick Strikes are its multiples, 1e-8 of cash.
    function allowExpiry(uint16 underlying, uint32 expiry, uint256 strikeTick) external;

    /// @notice Verifies reports and accepts the slices that pass the rules of specification §5.7.
    /// @dev One with nothing new is left as it is, and a refused one too, with an event. Errors:
    /// `OracleAdapter_Locked`, `ExpiryRegistry_UnknownExpiry`, and those of the source for malformed or forged data.
    function refreshVolatility(VolatilityUpdate[] calldata updates) external;

    /// @notice Settles an expiry once and for all, by the rules of specification §5.8.
    /// @dev Anybody may. Errors: `OracleAdapter_Locked`, `ExpiryRegistry_UnknownExpiry`, `ExpiryFixing_AlreadyFixed`,
    /// `ExpiryFixing_NotExpired`, `ExpiryFixing_Waiting`, `ExpiryFixing_NoPrice`.
    /// @return price WAD of cash, rounded down.
    function fixExpiry(uint16 underlying, uint32 expiry) external returns (uint256 price);

    /// @notice Whether options of this expiry and strike (1e-8 of cash) may be opened now.
    function isListed(uint16 underlying, uint32 expiry, uint256 strike) external view returns (bool);

    /// @notice The expiries of an underlying that are allowed and not settled, ascending.
    function liveExpiries(uint16 underlying) external view returns (uint256[] memory);

    /// @notice How the volatility of an underlying is published; all zero if it is not.
    function volatilityConfig(uint16 underlying) external view returns (VolatilityConfig memory);

    /// @notice The word of an expiry; zero if it has none, price and time of the settlement once it is settled.
    function slice(uint16 underlying, uint32 expiry) external view returns (VolatilitySlice);

    /// @notice What is known of the settlement mean so far.
    /// @return elapsed Seconds of the last 30 minutes before expiry that have passed; zero while nothing can be said.
    /// @return mean Time-weighted mean over them, WAD of cash, rounded down.
    function settlementMean(uint16 underlying, uint32 expiry)
        external
        view
        returns (uint256 elapsed, uint256 mean);

    /// @notice The word of the settlement window of an expiry, as `FixingWindow.sol` packs it; zero if not allowed.
    function settlementWindow(uint16 underlying, uint32 expiry) external view returns (uint256);
}
