// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Records} from "./Records.sol";

/// @notice The options of one expiry in an account: a record in memory, linked like `Exposure`. Zero is the end.
///
/// | offset | field                                                                                     |
/// |--------|-------------------------------------------------------------------------------------------|
/// | 0x00   | next record                                                                               |
/// | 0x20   | date, unix seconds                                                                        |
/// | 0x40   | strikes                                                                                   |
/// | 0x60   | value of its calls, after parity, in counts of 2^-40 · 1e-30 of cash                      |
/// | 0x80   | open: the part of the settlement price that is not known yet, 2^-64; zero once it is fixed |
/// | 0xa0   | known: the part that is, over the forward, 2^-64                                          |
/// | 0xc0   | surcharge on its vol risk in IM because its slice is overdue, 1e-8                        |
///
/// @dev Why no structs: see `Exposure`.
type Expiry is uint256;

/// @notice What an account holds at one strike of an expiry, puts turned into calls by parity. Zero is the end.
///
/// | offset | field                                                               |
/// |--------|---------------------------------------------------------------------|
/// | 0x00   | next record                                                         |
/// | 0x20   | strike, 1e-8 of cash                                                |
/// | 0x40   | net: Σ sizes of calls and puts, WAD                                 |
/// | 0x60   | Σ sizes of puts, WAD                                                |
/// | 0x80   | ln κ, WAD × 2^69, κ = strike over forward                           |
/// | 0xa0   | κ, 2^-64                                                            |
/// | 0xc0   | deviation σ·√τ with volatility shocked up, WAD                      |
/// | 0xe0   | the same, shocked down                                              |
/// | 0x100  | amount: net × forward, 1e-30 of cash; zero where nothing is at risk |
type Strike is uint256;

using OptionBook for Expiry global;
using OptionBook for Strike global;

library OptionBook {
    function makeExpiry(Expiry next_, uint256 date_) internal pure returns (Expiry self) {
        assembly ("memory-safe") {
            self := mload(0x40)
            mstore(0x40, add(self, 0xe0))
            mstore(self, next_)
            mstore(add(self, 0x20), date_)
            mstore(add(self, 0x40), 0)
            mstore(add(self, 0x60), 0)
            mstore(add(self, 0x80), 0)
            mstore(add(self, 0xa0), 0)
            mstore(add(self, 0xc0), 0)
        }
    }

    /// @notice Adds a position to the strike's record, or makes one.
    /// @dev At most 64 sizes of 128 bits: the sums are under 2^133.
    function add(Expiry self, uint256 price, int256 size, bool isPut) internal pure {
        uint256 strike = Records.find(Strike.unwrap(self.strikes()), price);
        assembly ("memory-safe") {
            if iszero(strike) {
                strike := mload(0x40)
                mstore(0x40, add(strike, 0x120))
                mstore(strike, mload(add(self, 0x40)))
                mstore(add(self, 0x40), strike)
                mstore(add(strike, 0x20), price)
                mstore(add(strike, 0x40), 0)
                mstore(add(strike, 0x60), 0)
                mstore(add(strike, 0x100), 0)
            }
            mstore(add(strike, 0x40), add(mload(add(strike, 0x40)), size))
            mstore(add(strike, 0x60), add(mload(add(strike, 0x60)), mul(isPut, size)))
        }
    }

    /// @notice The expiry of a date, the end if the list has none.
    function find(Expiry self, uint256 date_) internal pure returns (Expiry) {
        return Expiry.wrap(Records.find(Expiry.unwrap(self), date_));
    }

    function isEnd(Expiry self) internal pure returns (bool) {
        return Expiry.unwrap(self) == 0;
    }

    function next(Expiry self) internal pure returns (Expiry) {
        return Expiry.wrap(_load(Expiry.unwrap(self), 0));
    }

    function date(Expiry self) internal pure returns (uint256) {
        return _load(Expiry.unwrap(self), 0x20);
    }

    function strikes(Expiry self) internal pure returns (Strike) {
        return Strike.wrap(_load(Expiry.unwrap(self), 0x40));
    }

    function value(Expiry self) internal pure returns (int256) {
        return int256(_load(Expiry.unwrap(self), 0x60));
    }

    function open(Expiry self) internal pure returns (uint256) {
        return _load(Expiry.unwrap(self), 0x80);
    }

    function known(Expiry self) internal pure returns (uint256) {
        return _load(Expiry.unwrap(self), 0xa0);
    }

    function surcharge(Expiry self) internal pure returns (uint256) {
        return _load(Expiry.unwrap(self), 0xc0);
    }

    function setSurcharge(Expiry self, uint256 surcharge_) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0xc0), surcharge_)
        }
    }

    function setQuote(Expiry self, int256 value_, uint256 open_, uint256 known_) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0x60), value_)
            mstore(add(self, 0x80), open_)
            mstore(add(self, 0xa0), known_)
        }
    }

    function isEnd(Strike self) internal pure returns (bool) {
        return Strike.unwrap(self) == 0;
    }

    function next(Strike self) internal pure returns (Strike) {
        return Strike.wrap(_load(Strike.unwrap(self), 0));
    }

    function price(Strike self) internal pure returns (uint256) {
        return _load(Strike.unwrap(self), 0x20);
    }

    function net(Strike self) internal pure returns (int256) {
        return int256(_load(Strike.unwrap(self), 0x40));
    }

    function puts(Strike self) internal pure returns (int256) {
        return int256(_load(Strike.unwrap(self), 0x60));
    }

    function logKappa(Strike self) internal pure returns (int256) {
        return int256(_load(Strike.unwrap(self), 0x80));
    }

    function kappa(Strike self) internal pure returns (uint256) {
        return _load(Strike.unwrap(self), 0xa0);
    }

    function deviationUp(Strike self) internal pure returns (uint256) {
        return _load(Strike.unwrap(self), 0xc0);
    }

    function deviationDown(Strike self) internal pure returns (uint256) {
        return _load(Strike.unwrap(self), 0xe0);
    }

    function amount(Strike self) internal pure returns (int256) {
        return int256(_load(Strike.unwrap(self), 0x100));
    }

    function setQuote(
        Strike self,
        int256 logKappa_,
        uint256 kappa_,
        uint256 deviationUp_,
        uint256 deviationDown_,
        int256 amount_
    ) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0x80), logKappa_)
            mstore(add(self, 0xa0), kappa_)
            mstore(add(self, 0xc0), deviationUp_)
            mstore(add(self, 0xe0), deviationDown_)
            mstore(add(self, 0x100), amount_)
        }
    }

    function _load(uint256 self, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(self, offset))
        }
    }
}
