// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AssetRisk, UnderlyingRisk} from "./RiskParameters.sol";

/// @notice Risk parameters of an underlying as they lie in storage: the struct `UnderlyingRisk` in 120 bits, first
/// field lowest. Reading a field from the word costs a shift; decoding the struct would cost ten memory writes.
type UnderlyingWord is uint256;

/// @notice Risk parameters of an asset: the struct `AssetRisk` in the low 56 bits, first field lowest, and above them one
/// bit that says that they were ever set.
type AssetWord is uint256;

using RiskWords for UnderlyingWord global;
using {sameUnderlyingWord as ==} for UnderlyingWord global;
using RiskWords for AssetWord global;

function sameUnderlyingWord(UnderlyingWord a, UnderlyingWord b) pure returns (bool) {
    return UnderlyingWord.unwrap(a) == UnderlyingWord.unwrap(b);
}

library RiskWords {
    uint256 private constant KNOWN = 1 << 56;
    uint256 private constant KAPPA_BITS = 8;
    uint256 private constant RATE_BITS = 16;
    uint256 private constant WORD_BITS = 120;

    /// @notice The weighted mean of every field of two words, rounded down: all that an underlying's word holds is κ in
    /// its low byte and rates of 16 bits above.
    /// @dev A weight is a number of seconds under 2^32: nothing overflows.
    function mean(UnderlyingWord a, uint256 weightA, UnderlyingWord b, uint256 weightB)
        internal
        pure
        returns (UnderlyingWord)
    {
        (uint256 x, uint256 y) = (UnderlyingWord.unwrap(a), UnderlyingWord.unwrap(b));
        unchecked {
            uint256 word = (uint8(x) * weightA + uint8(y) * weightB) / (weightA + weightB);
            for (uint256 shift = KAPPA_BITS; shift < WORD_BITS; shift += RATE_BITS) {
                uint256 sum = uint16(x >> shift) * weightA + uint16(y >> shift) * weightB;
                word |= sum / (weightA + weightB) << shift;
            }
            return UnderlyingWord.wrap(word);
        }
    }

    /// @notice The parameters of an underlying as their word.
    function pack(UnderlyingRisk calldata risk) internal pure returns (UnderlyingWord) {
        uint256 high = uint256(risk.rangeCap) << 48 | uint256(risk.rollFloor) << 32 | uint256(risk.rollRate)
            << 16 | risk.shortOptionInitial;
        uint256 low = uint256(risk.shortOptionMaintenance) << 32 | uint256(risk.perpInitial) << 16
            | risk.perpMaintenance;
        return UnderlyingWord.wrap((high << 48 | low) << KAPPA_BITS | risk.kappaQuarters);
    }

    /// @notice The parameters of an underlying from their word.
    function unpack(UnderlyingWord self) internal pure returns (UnderlyingRisk memory) {
        return UnderlyingRisk({
            kappaQuarters: uint8(self.kappaQuarters()),
            perpMaintenance: uint16(self.perpMaintenance()),
            perpInitial: uint16(self.perpInitial()),
            shortOptionMaintenance: uint16(self.shortOptionMaintenance()),
            shortOptionInitial: uint16(self.shortOptionInitial()),
            rollRate: uint16(self.rollRate()),
            rollFloor: uint16(self.rollFloor()),
            rangeCap: uint16(self.rangeCap())
        });
    }

    /// @notice The parameters of an asset as its word, which says that they were set.
    function pack(AssetRisk memory risk) internal pure returns (AssetWord) {
        return AssetWord.wrap(
            KNOWN | (uint256(risk.extraHaircut) << 40) | (uint256(risk.haircut) << 24)
                | (uint256(risk.decimals) << 16) | risk.underlying
        );
    }

    /// @notice The parameters of an asset from its word.
    function unpack(AssetWord self) internal pure returns (AssetRisk memory) {
        return AssetRisk({
            underlying: self.underlying(),
            decimals: uint8(AssetWord.unwrap(self) >> 16),
            haircut: uint16(self.haircut()),
            extraHaircut: uint16(AssetWord.unwrap(self) >> 40)
        });
    }

    /// @notice κ × 4; zero if the parameters were never set.
    function kappaQuarters(UnderlyingWord self) internal pure returns (uint256) {
        return uint8(UnderlyingWord.unwrap(self));
    }

    /// @notice Add-on on |size| × mark in MM, 1e-4.
    function perpMaintenance(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 8);
    }

    /// @notice Add-on on |size| × mark in IM, 1e-4.
    function perpInitial(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 24);
    }

    /// @notice Add-on on spot for each net short option in MM, 1e-4.
    function shortOptionMaintenance(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 40);
    }

    /// @notice The same in IM, 1e-4.
    function shortOptionInitial(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 56);
    }

    /// @notice Add-on a year of time to expiry on an expiry's delta, 1e-4.
    function rollRate(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 72);
    }

    /// @notice Least such add-on, 1e-4.
    function rollFloor(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 88);
    }

    /// @notice Greatest scan range after every multiplier, 1e-4.
    function rangeCap(UnderlyingWord self) internal pure returns (uint256) {
        return uint16(UnderlyingWord.unwrap(self) >> 104);
    }

    /// @notice Feed that prices the asset.
    function underlying(AssetWord self) internal pure returns (uint16) {
        return uint16(AssetWord.unwrap(self));
    }

    /// @notice Smallest units in one whole token; the Clearinghouse registers none of more than 18 decimals.
    function unit(AssetWord self) internal pure returns (uint256) {
        unchecked {
            return 10 ** uint8(AssetWord.unwrap(self) >> 16);
        }
    }

    /// @notice Part of the value required in MM, 1e-4.
    function haircut(AssetWord self) internal pure returns (uint256) {
        return uint16(AssetWord.unwrap(self) >> 24);
    }

    /// @notice Part of the value required in IM, h + δh, 1e-4.
    function initialHaircut(AssetWord self) internal pure returns (uint256) {
        unchecked {
            return haircut(self) + uint16(AssetWord.unwrap(self) >> 40);
        }
    }

    /// @notice Whether the parameters were ever set.
    function isKnown(AssetWord self) internal pure returns (bool) {
        return AssetWord.unwrap(self) >> 56 != 0;
    }
}
