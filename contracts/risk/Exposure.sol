// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Snapshot} from "../types/Snapshot.sol";
import {Expiry} from "./OptionBook.sol";
import {Grid, OptionScenarios} from "./OptionScenarios.sol";
import {Records} from "./Records.sol";
import {UnderlyingWord} from "./RiskWords.sol";

/// @notice What an account holds of one underlying, with its price and parameters: a record in memory, linked to the
/// one that was made before it. Zero is the end of the list.
///
/// | offset | field                                                                                        |
/// |--------|----------------------------------------------------------------------------------------------|
/// | 0x00   | next record                                                                                  |
/// | 0x20   | underlying                                                                                   |
/// | 0x40   | snapshot                                                                                     |
/// | 0x60   | parameters                                                                                   |
/// | 0x80   | scan range for MM, cap included, 1e-8                                                        |
/// | 0xa0   | scan range for IM, likewise, staleness included                                              |
/// | 0xc0   | Σ size × mark + Σ amount × spot, each term rounded down, WAD of cash: the gain of a unit move |
/// | 0xe0   | the same, each term rounded up, so that either direction can be charged against the account  |
/// | 0x100  | the same in units of the underlying, WAD, exact but for the deltas of options                |
/// | 0x120  | expiries of its options                                                                      |
/// | 0x140  | grid on which the options were valued, in every scenario                                     |
/// | 0x160  | what they are worth before, in counts of 2^-40 · 1e-30 of cash                               |
/// | 0x180  | its own worst loss at the range for MM, likewise, of an account with options                  |
///
/// @dev A Solidity struct would be zeroed whenever a function returns one, and checked whenever a list of them is
/// indexed, which is a third of a small assessment's gas.
type Exposure is uint256;

using ExposureLib for Exposure global;
using {OptionScenarios.addLosses, OptionScenarios.slackOf} for Exposure global;

library ExposureLib {
    Exposure internal constant END = Exposure.wrap(0);

    function make(
        Exposure next_,
        uint16 underlying_,
        Snapshot snapshot_,
        UnderlyingWord risk_,
        uint256 rangeMaintenance_,
        uint256 rangeInitial_
    ) internal pure returns (Exposure self) {
        assembly ("memory-safe") {
            self := mload(0x40)
            mstore(0x40, add(self, 0x1a0))
            mstore(self, next_)
            mstore(add(self, 0x20), underlying_)
            mstore(add(self, 0x40), snapshot_)
            mstore(add(self, 0x60), risk_)
            mstore(add(self, 0x80), rangeMaintenance_)
            mstore(add(self, 0xa0), rangeInitial_)
            mstore(add(self, 0xc0), 0)
            mstore(add(self, 0xe0), 0)
            mstore(add(self, 0x100), 0)
            mstore(add(self, 0x120), 0)
        }
    }

    /// @notice The exposure to an underlying, the end if the list has none.
    function find(Exposure self, uint256 underlying_) internal pure returns (Exposure) {
        return Exposure.wrap(Records.find(Exposure.unwrap(self), underlying_));
    }

    function isEnd(Exposure self) internal pure returns (bool) {
        return Exposure.unwrap(self) == 0;
    }

    function next(Exposure self) internal pure returns (Exposure) {
        return Exposure.wrap(_load(self, 0));
    }

    function underlying(Exposure self) internal pure returns (uint256) {
        return _load(self, 0x20);
    }

    function snapshot(Exposure self) internal pure returns (Snapshot) {
        return Snapshot.wrap(_load(self, 0x40));
    }

    function risk(Exposure self) internal pure returns (UnderlyingWord) {
        return UnderlyingWord.wrap(_load(self, 0x60));
    }

    function rangeMaintenance(Exposure self) internal pure returns (uint256) {
        return _load(self, 0x80);
    }

    function rangeInitial(Exposure self) internal pure returns (uint256) {
        return _load(self, 0xa0);
    }

    function moneyFloor(Exposure self) internal pure returns (int256) {
        return int256(_load(self, 0xc0));
    }

    function moneyCeil(Exposure self) internal pure returns (int256) {
        return int256(_load(self, 0xe0));
    }

    function units(Exposure self) internal pure returns (int256) {
        return int256(_load(self, 0x100));
    }

    function expiries(Exposure self) internal pure returns (Expiry) {
        return Expiry.wrap(_load(self, 0x120));
    }

    function grid(Exposure self) internal pure returns (Grid) {
        return Grid.wrap(_load(self, 0x140));
    }

    function optionValue(Exposure self) internal pure returns (int256) {
        return int256(_load(self, 0x160));
    }

    function ownWorst(Exposure self) internal pure returns (int256) {
        return int256(_load(self, 0x180));
    }

    function setOwnWorst(Exposure self, int256 loss) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0x180), loss)
        }
    }

    function setExpiries(Exposure self, Expiry newest) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0x120), newest)
        }
    }

    function setValued(Exposure self, Grid grid_, int256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, 0x140), grid_)
            mstore(add(self, 0x160), value)
        }
    }

    /// @dev Adds a position. The caller bounds the sums.
    function add(Exposure self, int256 floor, int256 ceil, int256 units_) internal pure {
        assembly ("memory-safe") {
            function addTo(at, value) {
                mstore(at, add(mload(at), value))
            }
            addTo(add(self, 0xc0), floor)
            addTo(add(self, 0xe0), ceil)
            addTo(add(self, 0x100), units_)
        }
    }

    function _load(Exposure self, uint256 offset) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(self, offset))
        }
    }
}
