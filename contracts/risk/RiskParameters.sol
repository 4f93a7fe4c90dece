// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Asset, IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IFeedRegistry} from "../interfaces/IFeedRegistry.sol";
import {AssetWord, UnderlyingWord} from "./RiskWords.sol";

/// @notice Risk parameters of an underlying, one word. Rates are in 1e-4.
/// @param kappaQuarters κ × 4: how far correlation is trusted to break, 1 … 4.
/// @param perpMaintenance Add-on on |size| × mark in MM.
/// @param perpInitial The same in IM.
/// @param shortOptionMaintenance Add-on on spot for each net short option in MM.
/// @param shortOptionInitial The same in IM.
/// @param rollRate Add-on a year of time to expiry on an expiry's delta.
/// @param rollFloor Least such add-on.
/// @param rangeCap Greatest scan range after every multiplier.
/// @param haircutMax Greatest h + δh of the assets priced by the underlying; kept by `setAsset`.
struct UnderlyingRisk {
    uint8 kappaQuarters;
    uint16 perpMaintenance;
    uint16 perpInitial;
    uint16 shortOptionMaintenance;
    uint16 shortOptionInitial;
    uint16 rollRate;
    uint16 rollFloor;
    uint16 rangeCap;
    uint16 haircutMax;
}

/// @notice Risk parameters of a collateral asset, one word.
/// @param underlying Feed that prices it; copied from the Clearinghouse, where it never changes.
/// @param decimals Decimals of the token; copied likewise.
/// @param haircut h: part of the value required in MM, 1e-4.
/// @param extraHaircut δh: further part required in IM, 1e-4.
/// @param known Whether the parameters were set.
struct AssetRisk {
    uint16 underlying;
    uint8 decimals;
    uint16 haircut;
    uint16 extraHaircut;
    bool known;
}

/// @title Governed parameters of a risk engine, each with its bound (specification §6.4)
/// @dev Storage: one word an underlying, one word an asset.
abstract contract RiskParameters is AccessManaged {
    uint256 private constant ONE = 1e4;
    uint256 private constant RANGE_CAP_LIMIT = 6000;

    IClearinghouse public immutable CLEARINGHOUSE;

    mapping(uint16 underlying => UnderlyingRisk) private _underlyings;
    mapping(uint16 asset => AssetRisk) private _assets;

    event UnderlyingRiskSet(uint16 indexed underlying, UnderlyingRisk risk);
    event AssetRiskSet(uint16 indexed asset, AssetRisk risk);

    /// @dev Thrown when a position rests on an underlying without parameters.
    error RiskParameters_UnknownUnderlying(uint16 underlying);
    /// @dev Thrown when a position is in an asset without parameters.
    error RiskParameters_UnknownAsset(uint16 asset);
    /// @dev Thrown when κ × 4 is not 1, 2, 3 or 4.
    error RiskParameters_KappaOutOfBounds(uint8 kappaQuarters);
    /// @dev Thrown when a rate for IM is below the one for MM, or over one.
    error RiskParameters_InitialOutOfBounds(uint256 maintenance, uint256 initial);
    /// @dev Thrown when the floor of the roll charge is over its rate, or that over one.
    error RiskParameters_RollOutOfBounds(uint256 rate, uint256 floor);
    /// @dev Thrown when the perpetual's add-ons do not cover the premium of its mark: b ≤ mm and 2·b ≤ im.
    error RiskParameters_PremiumNotCovered(uint256 premiumClamp, uint256 maintenance, uint256 initial);
    /// @dev Thrown when a range cap is zero or over min(60 %, 1 − h − δh).
    error RiskParameters_RangeCapOutOfBounds(uint256 rangeCap, uint256 bound);
    /// @dev Thrown when h + δh leaves less than the range cap of the underlying.
    error RiskParameters_HaircutOutOfBounds(uint256 haircut, uint256 bound);

    constructor(IClearinghouse clearinghouse) {
        CLEARINGHOUSE = clearinghouse;
    }

    /// @notice Sets the parameters of an underlying; `haircutMax` is ignored and kept.
    function setUnderlying(uint16 underlying, UnderlyingRisk calldata given) external restricted {
        UnderlyingRisk memory risk = given;
        risk.haircutMax = _underlyings[underlying].haircutMax;
        if (risk.kappaQuarters == 0 || risk.kappaQuarters > 4) {
            revert RiskParameters_KappaOutOfBounds(risk.kappaQuarters);
        }
        _requireInitialAbove(risk.perpMaintenance, risk.perpInitial);
        _requireInitialAbove(risk.shortOptionMaintenance, risk.shortOptionInitial);
        if (risk.rollFloor > risk.rollRate || risk.rollRate > ONE) {
            revert RiskParameters_RollOutOfBounds(risk.rollRate, risk.rollFloor);
        }
        uint256 clamp = IFeedRegistry(address(CLEARINGHOUSE.ORACLE())).premiumClampBps(underlying);
        if (clamp > risk.perpMaintenance || 2 * clamp > risk.perpInitial) {
            revert RiskParameters_PremiumNotCovered(clamp, risk.perpMaintenance, risk.perpInitial);
        }
        uint256 bound = ONE - risk.haircutMax < RANGE_CAP_LIMIT ? ONE - risk.haircutMax : RANGE_CAP_LIMIT;
        if (risk.rangeCap == 0 || risk.rangeCap > bound) {
            revert RiskParameters_RangeCapOutOfBounds(risk.rangeCap, bound);
        }
        _underlyings[underlying] = risk;
        emit UnderlyingRiskSet(underlying, risk);
    }

    /// @notice Sets the haircuts of a collateral asset whose underlying has its parameters already.
    function setAsset(uint16 asset, uint16 haircut, uint16 extraHaircut) external restricted {
        Asset memory registered = CLEARINGHOUSE.asset(asset);
        UnderlyingRisk memory risk = _underlyingRisk(registered.underlying);
        uint256 total = uint256(haircut) + extraHaircut;
        if (total + risk.rangeCap > ONE) {
            revert RiskParameters_HaircutOutOfBounds(total, ONE - risk.rangeCap);
        }
        if (total > risk.haircutMax) {
            risk.haircutMax = uint16(total);
            _underlyings[registered.underlying] = risk;
            emit UnderlyingRiskSet(registered.underlying, risk);
        }
        _assets[asset] = AssetRisk({
            underlying: registered.underlying,
            decimals: registered.decimals,
            haircut: haircut,
            extraHaircut: extraHaircut,
            known: true
        });
        emit AssetRiskSet(asset, _assets[asset]);
    }

    /// @notice Parameters of an underlying. Reverts if they were never set.
    function underlyingRisk(uint16 underlying) external view returns (UnderlyingRisk memory) {
        return _underlyingRisk(underlying);
    }

    /// @notice Parameters of an asset. Reverts if they were never set.
    function assetRisk(uint16 asset) external view returns (AssetRisk memory) {
        _assetWord(asset);
        return _assets[asset];
    }

    function _knowsAsset(uint16 asset) internal view returns (bool) {
        return _assets[asset].known;
    }

    /// @dev The parameters of an underlying in one storage read.
    function _underlyingWord(uint16 underlying) internal view returns (UnderlyingWord word) {
        UnderlyingRisk storage risk = _underlyings[underlying];
        assembly ("memory-safe") {
            word := sload(risk.slot)
        }
        if (word.kappaQuarters() == 0) revert RiskParameters_UnknownUnderlying(underlying);
    }

    /// @dev The parameters of an asset in one storage read.
    function _assetWord(uint16 asset) internal view returns (AssetWord word) {
        AssetRisk storage risk = _assets[asset];
        assembly ("memory-safe") {
            word := sload(risk.slot)
        }
        if (!word.isKnown()) revert RiskParameters_UnknownAsset(asset);
    }

    function _underlyingRisk(uint16 underlying) private view returns (UnderlyingRisk memory risk) {
        risk = _underlyings[underlying];
        if (risk.kappaQuarters == 0) revert RiskParameters_UnknownUnderlying(underlying);
    }

    function _requireInitialAbove(uint256 maintenance, uint256 initial) private pure {
        if (initial < maintenance || initial > ONE) {
            revert RiskParameters_InitialOutOfBounds(maintenance, initial);
        }
    }
}
