// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Asset} from "../interfaces/IClearinghouse.sol";
import {IFeedRegistry} from "../interfaces/IFeedRegistry.sol";
import {Ramp, RampLib} from "../math/Ramp.sol";
import {RampTime} from "./RampTime.sol";

/// @notice What a perpetual requires, one word.
/// @param maintenance Part of |size| × mark required in MM.
/// @param initial The same in IM, before concentration.
/// @param depth Open interest above which IM grows, whole units; zero for never.
struct PerpRule {
    Ramp maintenance;
    Ramp initial;
    uint64 depth;
}

/// @notice What a short option on an underlying requires, in parts of spot; two words.
/// @param maintenance In MM; of a put, also this part of its mark.
/// @param initial In IM, less what the option is out of the money.
/// @param initialFloor Least part in IM.
struct OptionRule {
    Ramp maintenance;
    Ramp initial;
    Ramp initialFloor;
}

/// @notice What a collateral asset lends, one word. It requires one less its weight, of its value.
/// @param maintenance Weight in MM.
/// @param initial Weight in IM.
/// @param underlying Feed that prices it; copied from the Clearinghouse, where it never changes.
/// @param decimals Decimals of the token; copied likewise.
/// @param known Whether the weights were ever set.
struct AssetRule {
    Ramp maintenance;
    Ramp initial;
    uint16 underlying;
    uint8 decimals;
    bool known;
}

/// @title Governed parameters of the rule engine, each with its bound (specification §6.9)
/// @dev Storage: one word a perpetual, one word an asset, two words for the options on an underlying. The first rates of an instrument hold at once, for nobody rests
/// on them yet, but an asset that comes once accounts can select the engine begins by lending nothing; later ones are
/// reached linearly, in either direction, so that nobody is liquidated overnight. All rates of an instrument move
/// together: those for MM never pass those for IM.
abstract contract RuleParameters is RampTime {
    uint256 private constant ONE = 1e4;

    /// @dev No collateral lends its last twentieth, with which a liquidation has to work; and five points more lie
    /// between borrowing all that is lent and being liquidated.
    uint256 private constant MAX_WEIGHT_MAINTENANCE = 9500;
    uint256 private constant MAX_WEIGHT_INITIAL = 9000;

    mapping(uint16 underlying => PerpRule) private _perps;
    mapping(uint16 asset => AssetRule) private _assets;
    mapping(uint16 underlying => OptionRule) private _options;

    event PerpRuleSet(uint16 indexed underlying, PerpRule rule);
    event AssetRuleSet(uint16 indexed asset, AssetRule rule);
    event OptionRuleSet(uint16 indexed underlying, OptionRule rule);

    /// @dev Thrown when a position is in a perpetual without rates.
    error RuleParameters_UnknownPerp(uint16 underlying);
    /// @dev Thrown when a position is in an asset without weights.
    error RuleParameters_UnknownAsset(uint16 asset);
    /// @dev Thrown when a short option is on an underlying without rates for options.
    error RuleParameters_UnknownOption(uint16 underlying);
    /// @dev Thrown unless 0 < mm ≤ floor of im ≤ im ≤ 1.
    error RuleParameters_OptionRatesOutOfBounds(uint256 maintenance, uint256 initial, uint256 initialFloor);
    /// @dev Thrown unless 0 < mm ≤ im ≤ 1.
    error RuleParameters_RatesOutOfBounds(uint256 maintenance, uint256 initial);
    /// @dev Thrown when the rates do not cover the premium of the mark: b ≤ mm and 2·b ≤ im.
    error RuleParameters_PremiumNotCovered(uint256 premiumClamp, uint256 maintenance, uint256 initial);
    /// @dev Thrown unless the weight for IM is at most that for MM, and each at most its bound.
    error RuleParameters_WeightsOutOfBounds(uint256 maintenance, uint256 initial);

    /// @notice Sets what a perpetual requires, 1e-4 of its value; the depth, in whole units, counts at once.
    /// @dev Rates that are already the target of the present ramps leave these as they are.
    function setPerp(uint16 underlying, uint16 maintenance, uint16 initial, uint64 depth)
        external
        restricted
    {
        if (maintenance == 0 || maintenance > initial || initial > ONE) {
            revert RuleParameters_RatesOutOfBounds(maintenance, initial);
        }
        uint256 clamp = IFeedRegistry(address(CLEARINGHOUSE.ORACLE())).premiumClampBps(underlying);
        if (clamp > maintenance || 2 * clamp > initial) {
            revert RuleParameters_PremiumNotCovered(clamp, maintenance, initial);
        }
        PerpRule memory rule = _perps[underlying];
        bool first = rule.maintenance.target() == 0;
        if (rule.maintenance.target() != maintenance || rule.initial.target() != initial) {
            rule.maintenance = _moved(rule.maintenance, maintenance, first, false);
            rule.initial = _moved(rule.initial, initial, first, false);
        }
        rule.depth = depth;
        _perps[underlying] = rule;
        emit PerpRuleSet(underlying, rule);
    }

    /// @notice Sets the weights of a collateral asset of the Clearinghouse, 1e-4.
    /// @dev Weights that are already the target of the present ramps leave these as they are.
    function setAsset(uint16 asset, uint16 maintenance, uint16 initial) external restricted {
        if (maintenance > MAX_WEIGHT_MAINTENANCE || initial > MAX_WEIGHT_INITIAL || initial > maintenance) {
            revert RuleParameters_WeightsOutOfBounds(maintenance, initial);
        }
        AssetRule memory rule = _assets[asset];
        if (!rule.known) {
            Asset memory registered = CLEARINGHOUSE.asset(asset);
            (rule.underlying, rule.decimals) = (registered.underlying, registered.decimals);
        }
        // The ramps of an asset that was never set stand at zero: from there a later one begins.
        bool first = !rule.known && !_isSelectable();
        if (first || rule.maintenance.target() != maintenance || rule.initial.target() != initial) {
            rule.maintenance = _moved(rule.maintenance, maintenance, first, true);
            rule.initial = _moved(rule.initial, initial, first, true);
        }
        rule.known = true;
        _assets[asset] = rule;
        emit AssetRuleSet(asset, rule);
    }

    /// @notice Sets what short options on an underlying require, 1e-4 of spot.
    /// @dev Rates that are already the target of the present ramps leave these as they are.
    function setOption(uint16 underlying, uint16 maintenance, uint16 initial, uint16 initialFloor)
        external
        restricted
    {
        if (maintenance == 0 || maintenance > initialFloor || initialFloor > initial || initial > ONE) {
            revert RuleParameters_OptionRatesOutOfBounds(maintenance, initial, initialFloor);
        }
        OptionRule memory rule = _options[underlying];
        bool first = rule.maintenance.target() == 0;
        bool same = rule.maintenance.target() == maintenance && rule.initial.target() == initial
            && rule.initialFloor.target() == initialFloor;
        if (!same) {
            rule.maintenance = _moved(rule.maintenance, maintenance, first, false);
            rule.initial = _moved(rule.initial, initial, first, false);
            rule.initialFloor = _moved(rule.initialFloor, initialFloor, first, false);
        }
        _options[underlying] = rule;
        emit OptionRuleSet(underlying, rule);
    }

    /// @notice What a perpetual requires. Reverts if it was never set.
    function perpRule(uint16 underlying) external view returns (PerpRule memory) {
        _perp(underlying);
        return _perps[underlying];
    }

    /// @notice What an asset lends. Reverts if it was never set.
    function assetRule(uint16 asset) external view returns (AssetRule memory) {
        _asset(asset);
        return _assets[asset];
    }

    /// @notice What short options on an underlying require. Reverts if it was never set.
    function optionRule(uint16 underlying) external view returns (OptionRule memory) {
        return _option(underlying);
    }

    /// @notice Rates that a perpetual has or is moving to, 1e-4, and its depth, whole units.
    function perpTargets(uint16 underlying)
        external
        view
        returns (uint16 maintenance, uint16 initial, uint64 depth)
    {
        (Ramp forMaintenance, Ramp forInitial, uint64 depth_) = _perp(underlying);
        return (forMaintenance.target(), forInitial.target(), depth_);
    }

    /// @notice Weights that an asset has or is moving to, 1e-4.
    function assetTargets(uint16 asset) external view returns (uint16 maintenance, uint16 initial) {
        (Ramp forMaintenance, Ramp forInitial,,) = _asset(asset);
        return (forMaintenance.target(), forInitial.target());
    }

    function _knowsAsset(uint16 asset) internal view returns (bool) {
        return _assets[asset].known;
    }

    /// @dev The rates of a perpetual and its depth, in one storage read.
    function _perp(uint16 underlying) internal view returns (Ramp maintenance, Ramp initial, uint64 depth) {
        PerpRule storage rule = _perps[underlying];
        (maintenance, initial, depth) = (rule.maintenance, rule.initial, rule.depth);
        if (maintenance.target() == 0) revert RuleParameters_UnknownPerp(underlying);
    }

    /// @dev The rates of short options on an underlying.
    function _option(uint16 underlying) internal view returns (OptionRule memory rule) {
        rule = _options[underlying];
        if (rule.maintenance.target() == 0) revert RuleParameters_UnknownOption(underlying);
    }

    /// @dev The weights of an asset and what it is, in one storage read.
    function _asset(uint16 asset)
        internal
        view
        returns (Ramp maintenance, Ramp initial, uint16 underlying, uint8 decimals)
    {
        AssetRule storage rule = _assets[asset];
        bool known;
        (maintenance, initial, underlying, decimals, known) =
        (rule.maintenance, rule.initial, rule.underlying, rule.decimals, rule.known);
        if (!known) revert RuleParameters_UnknownAsset(asset);
    }

    /// @dev A ramp on its way to a new value; all of an instrument take the same time. It begins where the old one is,
    /// rounded to 1e-4 in favour of the accounts: `up` for weights.
    function _moved(Ramp ramp, uint16 to, bool first, bool up) private view returns (Ramp) {
        return first ? RampLib.level(to) : ramp.towards(to, block.timestamp, rampTime, up);
    }
}
