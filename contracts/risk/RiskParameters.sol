// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Asset} from "../interfaces/IClearinghouse.sol";
import {IFeedRegistry} from "../interfaces/IFeedRegistry.sol";
import {RampTime} from "./RampTime.sol";
import {AssetWord, RiskWords, UnderlyingWord} from "./RiskWords.sol";

/// @notice Risk parameters of an underlying, one word. Rates are in 1e-4.
/// @param kappaQuarters κ × 4: how far correlation is trusted to break, 1 … 4.
/// @param perpMaintenance Add-on on |size| × mark in MM.
/// @param perpInitial The same in IM.
/// @param shortOptionMaintenance Add-on on spot for each net short option in MM.
/// @param shortOptionInitial The same in IM.
/// @param rollRate Add-on a year of time to expiry on an expiry's delta.
/// @param rollFloor Least such add-on.
/// @param rangeCap Greatest scan range after every multiplier.
struct UnderlyingRisk {
    uint8 kappaQuarters;
    uint16 perpMaintenance;
    uint16 perpInitial;
    uint16 shortOptionMaintenance;
    uint16 shortOptionInitial;
    uint16 rollRate;
    uint16 rollFloor;
    uint16 rangeCap;
}

/// @notice Risk parameters of a collateral asset; four of them fill a word.
/// @param underlying Feed that prices it; copied from the Clearinghouse, where it never changes.
/// @param decimals Decimals of the token; copied likewise.
/// @param haircut h: part of the value required in MM, 1e-4.
/// @param extraHaircut δh: further part required in IM, 1e-4.
struct AssetRisk {
    uint16 underlying;
    uint8 decimals;
    uint16 haircut;
    uint16 extraHaircut;
}

/// @notice Where the parameters of an underlying are going.
struct UnderlyingRamp {
    UnderlyingRisk from;
    UnderlyingRisk to;
    uint32 start;
    uint32 end;
}

/// @notice The same as it lies in storage.
struct WordRamp {
    UnderlyingWord from;
    UnderlyingWord to;
    uint32 start;
    uint32 end;
}

/// @notice Where the haircuts of an asset are going, one word.
struct AssetRamp {
    uint16 fromHaircut;
    uint16 fromExtra;
    uint16 toHaircut;
    uint16 toExtra;
    uint32 start;
    uint32 end;
}

/// @title Governed parameters of a risk engine, each with its bound (specification §6.4, §6.11)
/// @dev Storage: half a word an underlying and a quarter of one an asset, which is all that an assessment reads; and their
/// ramps, which only a change reads. Parameters go linearly from where they are to where they were set; the words that
/// are read follow that line whenever anybody calls `advance…`, and never run ahead of it.
abstract contract RiskParameters is RampTime {
    uint256 private constant ONE = 1e4;
    uint256 private constant MIN_RANGE_CAP = 500;
    uint256 private constant MAX_RANGE_CAP = 6000;
    uint256 private constant MAX_PERP_INITIAL = 5000;
    uint256 private constant MAX_SHORT_OPTION_INITIAL = 2000;
    uint256 private constant MAX_ROLL_FLOOR = 500;

    /// @dev Underlyings 2n − 1 and 2n share word n, the even one in its high half: 1 and 2 are read together.
    mapping(uint256 pair => uint256 words) private _underlyings;
    mapping(uint16 underlying => WordRamp) private _underlyingRamps;
    mapping(uint16 underlying => uint16[] assets) private _assetsOf;

    /// @dev Asset `id` has the bits from 64·(id mod 4) on of word id / 4.
    mapping(uint256 group => uint256 words) private _assets;
    mapping(uint16 asset => AssetRamp) private _assetRamps;

    /// @param risk What holds now; it goes to `target` until `end`.
    event UnderlyingRiskSet(
        uint16 indexed underlying, UnderlyingRisk risk, UnderlyingRisk target, uint32 end
    );
    event UnderlyingRiskAdvanced(uint16 indexed underlying, UnderlyingRisk risk);
    /// @param ramp Haircuts that hold now, those that they go to, and until when.
    event AssetRiskSet(uint16 indexed asset, AssetRisk risk, AssetRamp ramp);
    event AssetRiskAdvanced(uint16 indexed asset, AssetRisk risk);

    /// @dev Thrown when a position rests on an underlying without parameters.
    error RiskParameters_UnknownUnderlying(uint16 underlying);
    /// @dev Thrown when a position is in an asset without parameters.
    error RiskParameters_UnknownAsset(uint16 asset);
    /// @dev Thrown when a parameter is outside of its bounds; some rest on another parameter.
    error RiskParameters_OutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice Sets where the parameters of an underlying go within the ramp time. Its first ones hold at once.
    function setUnderlying(uint16 underlying, UnderlyingRisk calldata target) external restricted {
        _checkUnderlying(underlying, target);
        WordRamp storage ramp = _underlyingRamps[underlying];
        UnderlyingWord to = RiskWords.pack(target);
        bool first = _half(underlying).kappaQuarters() == 0;
        UnderlyingWord from = first ? to : _between(ramp);
        uint32 end = uint32(block.timestamp + (first ? 0 : rampTime));
        (ramp.from, ramp.to, ramp.start, ramp.end) = (from, to, uint32(block.timestamp), end);
        _storeUnderlying(underlying, from);
        emit UnderlyingRiskSet(underlying, from.unpack(), to.unpack(), end);
    }

    /// @notice Sets where the haircuts of a collateral asset go within the ramp time. Its underlying has its parameters
    /// already. The first haircuts hold at once while accounts cannot select this engine; after that, a new asset
    /// begins with the greatest δh that its underlying leaves room for.
    function setAsset(uint16 asset, uint16 haircut, uint16 extraHaircut) external restricted {
        AssetRisk memory risk = _lane(asset).unpack();
        bool known = _lane(asset).isKnown();
        if (known) {
            (risk.haircut, risk.extraHaircut) = _haircuts(_assetRamps[asset]);
        } else {
            Asset memory registered = CLEARINGHOUSE.asset(asset);
            (risk.underlying, risk.decimals) = (registered.underlying, registered.decimals);
        }
        uint256 bound = ONE - _greatestRangeCap(risk.underlying);
        _checkBounds("haircut", uint256(haircut) + extraHaircut, 0, bound);
        uint256 time = rampTime;
        if (!known) {
            _assetsOf[risk.underlying].push(asset);
            (risk.haircut, risk.extraHaircut) = (haircut, extraHaircut);
            if (_isSelectable()) risk.extraHaircut = uint16(bound - haircut);
            else time = 0;
        }
        AssetRamp memory ramp = AssetRamp({
            fromHaircut: risk.haircut,
            fromExtra: risk.extraHaircut,
            toHaircut: haircut,
            toExtra: extraHaircut,
            start: uint32(block.timestamp),
            end: uint32(block.timestamp + time)
        });
        _assetRamps[asset] = ramp;
        _storeAsset(asset, risk);
        emit AssetRiskSet(asset, risk, ramp);
    }

    /// @notice Lets the parameters of an underlying be those that its ramp has reached. Anybody may call.
    function advanceUnderlying(uint16 underlying) external {
        UnderlyingWord current = _underlyingWord(underlying);
        UnderlyingWord reached = _between(_underlyingRamps[underlying]);
        if (reached == current) return;
        _storeUnderlying(underlying, reached);
        emit UnderlyingRiskAdvanced(underlying, reached.unpack());
    }

    /// @notice Lets the haircuts of an asset be those that its ramp has reached. Anybody may call.
    function advanceAsset(uint16 asset) external {
        AssetRisk memory risk = _assetWord(asset).unpack();
        (uint16 haircut, uint16 extraHaircut) = _haircuts(_assetRamps[asset]);
        if (haircut == risk.haircut && extraHaircut == risk.extraHaircut) return;
        (risk.haircut, risk.extraHaircut) = (haircut, extraHaircut);
        _storeAsset(asset, risk);
        emit AssetRiskAdvanced(asset, risk);
    }

    /// @notice Parameters of an underlying that hold now. Reverts if they were never set.
    function underlyingRisk(uint16 underlying) external view returns (UnderlyingRisk memory) {
        return _underlyingWord(underlying).unpack();
    }

    /// @notice Where the parameters of an underlying come from and go to, and when.
    function underlyingRamp(uint16 underlying) external view returns (UnderlyingRamp memory) {
        WordRamp storage ramp = _underlyingRamps[underlying];
        return UnderlyingRamp(ramp.from.unpack(), ramp.to.unpack(), ramp.start, ramp.end);
    }

    /// @notice Parameters of an asset that hold now. Reverts if they were never set.
    function assetRisk(uint16 asset) external view returns (AssetRisk memory) {
        return _assetWord(asset).unpack();
    }

    /// @notice Where the haircuts of an asset come from and go to, and when.
    function assetRamp(uint16 asset) external view returns (AssetRamp memory) {
        return _assetRamps[asset];
    }

    function _knowsAsset(uint16 asset) internal view returns (bool) {
        return _lane(asset).isKnown();
    }

    /// @dev The parameters of an underlying in one storage read, which one other shares.
    function _underlyingWord(uint16 underlying) internal view returns (UnderlyingWord word) {
        word = _half(underlying);
        if (word.kappaQuarters() == 0) revert RiskParameters_UnknownUnderlying(underlying);
    }

    /// @dev The parameters of an asset in one storage read, which three others share.
    function _assetWord(uint16 asset) internal view returns (AssetWord word) {
        word = _lane(asset);
        if (!word.isKnown()) revert RiskParameters_UnknownAsset(asset);
    }

    function _half(uint16 underlying) private view returns (UnderlyingWord) {
        unchecked {
            uint256 words = _underlyings[(uint256(underlying) + 1) / 2];
            return UnderlyingWord.wrap(underlying & 1 == 0 ? words >> 128 : uint128(words));
        }
    }

    function _storeUnderlying(uint16 underlying, UnderlyingWord word) private {
        (uint256 pair, uint256 shift) = _place(underlying);
        uint256 other = _underlyings[pair] & ~(uint256(type(uint128).max) << shift);
        _underlyings[pair] = other | UnderlyingWord.unwrap(word) << shift;
    }

    function _place(uint16 underlying) private pure returns (uint256 pair, uint256 shift) {
        unchecked {
            pair = (uint256(underlying) + 1) / 2;
            shift = (~uint256(underlying) & 1) << 7;
        }
    }

    function _lane(uint16 asset) private view returns (AssetWord) {
        return AssetWord.wrap(uint64(_assets[asset >> 2] >> _shift(asset)));
    }

    function _storeAsset(uint16 asset, AssetRisk memory risk) private {
        uint256 others = _assets[asset >> 2] & ~(uint256(type(uint64).max) << _shift(asset));
        _assets[asset >> 2] = others | AssetWord.unwrap(RiskWords.pack(risk)) << _shift(asset);
    }

    function _shift(uint16 asset) private pure returns (uint256) {
        return (uint256(asset) & 3) << 6;
    }

    /// @dev What an underlying's ramp has reached, every field rounded down: never more than what the line asks for,
    /// and since both ends keep the order of the fields, so does everything between.
    function _between(WordRamp storage ramp) private view returns (UnderlyingWord) {
        (uint256 left, uint256 done) = _weights(ramp.start, ramp.end);
        return RiskWords.mean(ramp.from, left, ramp.to, done);
    }

    /// @dev What an asset's ramp has reached, likewise.
    function _haircuts(AssetRamp storage ramp) private view returns (uint16 haircut, uint16 extraHaircut) {
        (uint256 left, uint256 done) = _weights(ramp.start, ramp.end);
        uint256 length = left + done;
        haircut = uint16((ramp.fromHaircut * left + ramp.toHaircut * done) / length);
        extraHaircut = uint16((ramp.fromExtra * left + ramp.toExtra * done) / length);
    }

    /// @dev How much the beginning and the end of a ramp count now; their sum is over zero.
    function _weights(uint256 start, uint256 end) private view returns (uint256 left, uint256 done) {
        if (block.timestamp >= end) return (0, 1);
        return (end - block.timestamp, block.timestamp - start);
    }

    /// @dev The bounds of κ, of the add-ons and of the range. The premium clamp of a feed only falls, and the mark is
    /// what perpetuals are valued at: MM has to cover its premium, and IM twice that.
    function _checkUnderlying(uint16 underlying, UnderlyingRisk calldata risk) private view {
        uint256 clamp = IFeedRegistry(address(CLEARINGHOUSE.ORACLE())).premiumClampBps(underlying);
        _checkBounds("kappaQuarters", risk.kappaQuarters, 1, 4);
        _checkBounds("perpInitial", risk.perpInitial, 2 * clamp, MAX_PERP_INITIAL);
        _checkBounds("perpMaintenance", risk.perpMaintenance, clamp, risk.perpInitial);
        _checkBounds("shortOptionInitial", risk.shortOptionInitial, 0, MAX_SHORT_OPTION_INITIAL);
        _checkBounds("shortOptionMaintenance", risk.shortOptionMaintenance, 0, risk.shortOptionInitial);
        _checkBounds("rollRate", risk.rollRate, 0, ONE);
        _checkBounds("rollFloor", risk.rollFloor, 0, FixedPointMathLib.min(risk.rollRate, MAX_ROLL_FLOOR));
        uint256 room = ONE - _greatestHaircut(underlying);
        _checkBounds("rangeCap", risk.rangeCap, MIN_RANGE_CAP, FixedPointMathLib.min(room, MAX_RANGE_CAP));
    }

    /// @dev The greatest h + δh that an asset priced by the underlying has or goes to.
    function _greatestHaircut(uint16 underlying) private view returns (uint256 greatest) {
        uint16[] storage assets = _assetsOf[underlying];
        for (uint256 i; i < assets.length; ++i) {
            AssetRamp storage ramp = _assetRamps[assets[i]];
            greatest = FixedPointMathLib.max(greatest, _lane(assets[i]).initialHaircut());
            greatest = FixedPointMathLib.max(greatest, uint256(ramp.toHaircut) + ramp.toExtra);
        }
    }

    /// @dev The greatest cap on the range that the underlying has or goes to.
    function _greatestRangeCap(uint16 underlying) private view returns (uint256) {
        return FixedPointMathLib.max(
            _underlyingWord(underlying).rangeCap(), _underlyingRamps[underlying].to.rangeCap()
        );
    }

    function _checkBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest) private pure {
        if (value < least || value > greatest) {
            revert RiskParameters_OutOfBounds(parameter, value, least, greatest);
        }
    }
}
