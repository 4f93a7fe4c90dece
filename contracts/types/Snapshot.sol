// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice The accepted state of one price feed in one word (specification §5).
///
/// | bits      | field                | unit                                            |
/// |-----------|----------------------|-------------------------------------------------|
/// | 188 … 255 | price                | 1e-12 of cash                                   |
/// | 120 … 187 | stable price         | 1e-12 of cash                                   |
/// |  88 … 119 | time of the report   | unix seconds                                    |
/// |  72 … 87  | greatest fresh age   | 2 seconds                                       |
/// |  60 … 71  | confidence           | 1e-5 of the price, rounded up                   |
/// |  47 … 59  | range for MM         | 1e-4, rounded up                                |
/// |  34 … 46  | range for IM         | 1e-4, rounded up, concentration included        |
/// |  12 … 33  | premium of the mark  | 1e-8, signed, within the clamp of the market    |
/// |   4 … 11  | block of acceptance  | low 8 bits of the block number                  |
/// |   2       | halted               | 1 while the sequencer is down or hardly up, see Sequencer.sol |
/// |   1       | wide                 | 1 while the confidence is over its limit        |
/// |   0       | suspect              | 1 while an unconfirmed jump waits               |
type Snapshot is uint256;

using SnapshotLib for Snapshot global;

library SnapshotLib {
    uint256 private constant PRICE_UNIT = 1e6; // 1e-12 of cash in WAD

    /// @notice Accepted price in 1e-12 of cash.
    function spotUnits(Snapshot self) internal pure returns (uint256) {
        return Snapshot.unwrap(self) >> 188;
    }

    /// @notice The slow stable price in 1e-12 of cash.
    function stableUnits(Snapshot self) internal pure returns (uint256) {
        return (Snapshot.unwrap(self) >> 120) & 0xfffffffffffffffff;
    }

    /// @notice Accepted price in WAD of cash; zero if none was ever accepted.
    function spot(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return (Snapshot.unwrap(self) >> 188) * PRICE_UNIT; // under 2^68 · 2^20
        }
    }

    /// @notice The slow stable price in WAD of cash.
    function stable(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return ((Snapshot.unwrap(self) >> 120) & 0xfffffffffffffffff) * PRICE_UNIT; // under 2^68 · 2^20
        }
    }

    /// @notice Mark of the perpetual, WAD of cash, rounded down: spot × (1 + premium).
    function mark(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return spot(self) * uint256(1e8 + premium(self)) / 1e8; // |premium| < 2^21 < 1e8
        }
    }

    /// @notice Clamped premium of the perpetual over the index in 1e-8.
    function premium(Snapshot self) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(234, shl(222, self))
        }
    }

    /// @notice When the newest report in the price was made, unix seconds.
    function time(Snapshot self) internal pure returns (uint256) {
        return uint32(Snapshot.unwrap(self) >> 88);
    }

    /// @notice Seconds for which the price counts as fresh.
    function maxAge(Snapshot self) internal pure returns (uint256) {
        return uint256(uint16(Snapshot.unwrap(self) >> 72)) << 1;
    }

    /// @notice Half-width of the price as a WAD ratio of it.
    function confidence(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return ((Snapshot.unwrap(self) >> 60) & 0xfff) * 1e13;
        }
    }

    /// @notice Scan range for the maintenance margin as a WAD ratio.
    function rangeMaintenance(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return ((Snapshot.unwrap(self) >> 47) & 0x1fff) * 1e14;
        }
    }

    /// @notice Scan range for the initial margin as a WAD ratio, the concentration of the market included.
    function rangeInitial(Snapshot self) internal pure returns (uint256) {
        unchecked {
            return ((Snapshot.unwrap(self) >> 34) & 0x1fff) * 1e14;
        }
    }

    /// @notice The same snapshot at another price, WAD rounded down to 1e-12; the stable price stays.
    function withSpot(Snapshot self, uint256 price) internal pure returns (Snapshot) {
        uint256 rest = Snapshot.unwrap(self) & ((1 << 188) - 1);
        return Snapshot.wrap((price / PRICE_UNIT) << 188 | rest);
    }

    /// @notice Low 8 bits of the block in which the snapshot was accepted.
    function blockTag(Snapshot self) internal pure returns (uint256) {
        return uint8(Snapshot.unwrap(self) >> 4);
    }

    function isSuspect(Snapshot self) internal pure returns (bool) {
        return Snapshot.unwrap(self) & 1 != 0;
    }

    function isWide(Snapshot self) internal pure returns (bool) {
        return Snapshot.unwrap(self) & 2 != 0;
    }

    function isHalted(Snapshot self) internal pure returns (bool) {
        return Snapshot.unwrap(self) & 4 != 0;
    }

    /// @notice Seconds since the report, zero if it is dated ahead of `nowTime`.
    function age(Snapshot self, uint256 nowTime) internal pure returns (uint256) {
        uint256 reported = time(self);
        unchecked {
            return nowTime > reported ? nowTime - reported : 0;
        }
    }

    /// @notice Whether new risk may be opened on the price: young enough, and neither suspect nor wide nor halted.
    function isFresh(Snapshot self, uint256 nowTime) internal pure returns (bool) {
        return Snapshot.unwrap(self) & 7 == 0 && age(self, nowTime) <= maxAge(self);
    }
}
