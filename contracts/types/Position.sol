// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice One whole position in one word (specification §2.2).
///
/// | bits      | perpetual        | option           | collateral      |
/// |-----------|------------------|------------------|-----------------|
/// | 248 … 255 | kind = 1         | kind = 2         | kind = 3        |
/// | 232 … 247 | underlying       | underlying       | asset           |
/// | 200 … 231 | size, int104     | expiry, uint32   | zero            |
/// | 129 … 199 | size             | strike, uint71   | zero            |
/// | 128       | size             | 1 for a put      | zero            |
/// |   0 … 127 | quote, int128    | size, int128     | amount, uint128 |
///
/// Sizes and quotes are WAD; a strike counts 1e-8 of cash; an amount counts the token's own smallest units.
/// The word with its quantities zeroed is the instrument, so words of one kind order by underlying, expiry, strike.
type Position is uint256;

using PositionLib for Position global;

/// @notice The part of a position word that says what is held, all quantities zero.
type Instrument is uint256;

using InstrumentLib for Instrument global;
using {sameInstrument as ==} for Instrument global;

function sameInstrument(Instrument a, Instrument b) pure returns (bool) {
    return Instrument.unwrap(a) == Instrument.unwrap(b);
}

uint256 constant KIND_PERP = 1;
uint256 constant KIND_OPTION = 2;
uint256 constant KIND_COLLATERAL = 3;

/// @dev Thrown when a quantity does not fit its field of the word.
error Position_Overflow(int256 value);

library PositionLib {
    uint256 private constant LOW_128 = type(uint128).max;

    function perp(uint16 underlying, int256 size_, int256 quote_) internal pure returns (Position) {
        if (size_ != int256(int104(size_))) revert Position_Overflow(size_);
        if (quote_ != int256(int128(quote_))) revert Position_Overflow(quote_);
        return Position.wrap(
            (KIND_PERP << 248) | (uint256(underlying) << 232) | (uint256(uint104(int104(size_))) << 128)
                | uint128(int128(quote_))
        );
    }

    /// @notice A position of `size_` (WAD) in an option series.
    function option(Instrument series, int256 size_) internal pure returns (Position) {
        if (size_ != int256(int128(size_))) revert Position_Overflow(size_);
        return Position.wrap(Instrument.unwrap(series) | uint128(int128(size_)));
    }

    function collateral(uint16 asset_, uint256 amount_) internal pure returns (Position) {
        if (amount_ > LOW_128) revert Position_Overflow(int256(amount_ >> 1));
        return Position.wrap((KIND_COLLATERAL << 248) | (uint256(asset_) << 232) | amount_);
    }

    function kind(Position self) internal pure returns (uint256) {
        return Position.unwrap(self) >> 248;
    }

    /// @notice The underlying of a perpetual or an option, the asset of collateral.
    function id(Position self) internal pure returns (uint16) {
        return uint16(Position.unwrap(self) >> 232);
    }

    /// @notice Size of a perpetual, WAD.
    function perpSize(Position self) internal pure returns (int256) {
        return int104(uint104(Position.unwrap(self) >> 128));
    }

    /// @notice Quote of a perpetual, WAD of cash: its value is size × (mark − funding) + quote.
    function perpQuote(Position self) internal pure returns (int256) {
        return int128(uint128(Position.unwrap(self)));
    }

    /// @notice The same perpetual with another quote, WAD.
    function withPerpQuote(Position self, int256 quote_) internal pure returns (Position) {
        if (quote_ != int256(int128(quote_))) revert Position_Overflow(quote_);
        return Position.wrap((Position.unwrap(self) & ~LOW_128) | uint128(int128(quote_)));
    }

    /// @notice Expiry of an option, unix seconds.
    function expiry(Position self) internal pure returns (uint256) {
        return uint32(Position.unwrap(self) >> 200);
    }

    /// @notice Strike of an option, 1e-8 of cash.
    function strike(Position self) internal pure returns (uint256) {
        return (Position.unwrap(self) >> 129) & ((1 << 71) - 1);
    }

    function isPut(Position self) internal pure returns (bool) {
        return (Position.unwrap(self) >> 128) & 1 != 0;
    }

    /// @notice Size of an option, WAD.
    function optionSize(Position self) internal pure returns (int256) {
        return int128(uint128(Position.unwrap(self)));
    }

    /// @notice Amount of collateral in the token's own smallest units.
    function amount(Position self) internal pure returns (uint256) {
        return Position.unwrap(self) & LOW_128;
    }

    function instrument(Position self) internal pure returns (Instrument) {
        uint256 shift = kind(self) == KIND_OPTION ? 128 : 232;
        return Instrument.wrap((Position.unwrap(self) >> shift) << shift);
    }

    /// @notice Whether the word is a position in `what`.
    function isIn(Position self, Instrument what) internal pure returns (bool) {
        uint256 shift = what.kind() == KIND_OPTION ? 128 : 232;
        return (Position.unwrap(self) ^ Instrument.unwrap(what)) >> shift == 0;
    }
}

library InstrumentLib {
    function perp(uint16 underlying) internal pure returns (Instrument) {
        return Instrument.wrap((KIND_PERP << 248) | (uint256(underlying) << 232));
    }

    function collateral(uint16 asset) internal pure returns (Instrument) {
        return Instrument.wrap((KIND_COLLATERAL << 248) | (uint256(asset) << 232));
    }

    function kind(Instrument self) internal pure returns (uint256) {
        return Instrument.unwrap(self) >> 248;
    }

    function id(Instrument self) internal pure returns (uint16) {
        return uint16(Instrument.unwrap(self) >> 232);
    }

    /// @notice Kind and underlying (of collateral, kind and asset), all else zero: what every series of options on an
    /// underlying shares, and of anything else the instrument itself.
    function product(Instrument self) internal pure returns (Instrument) {
        return Instrument.wrap((Instrument.unwrap(self) >> 232) << 232);
    }

    /// @notice When an option expires, unix seconds.
    function expiry(Instrument self) internal pure returns (uint32) {
        return uint32(Instrument.unwrap(self) >> 200);
    }

    /// @notice Strike of an option, 1e-8 of cash.
    function strike(Instrument self) internal pure returns (uint256) {
        return (Instrument.unwrap(self) >> 129) & ((1 << 71) - 1);
    }

    /// @notice Whether an option is a put.
    function isPut(Instrument self) internal pure returns (bool) {
        return (Instrument.unwrap(self) >> 128) & 1 != 0;
    }

    /// @notice Whether every bit that a position's quantities use is zero.
    function isCanonical(Instrument self) internal pure returns (bool) {
        uint256 shift = kind(self) == KIND_OPTION ? 128 : 232;
        return (Instrument.unwrap(self) >> shift) << shift == Instrument.unwrap(self);
    }
}
