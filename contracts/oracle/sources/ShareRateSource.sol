// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IPriceSource, Observation} from "../../interfaces/IPriceSource.sol";

/// @notice How one share is priced, in two words.
/// @param vault ERC-4626 vault whose share it is.
/// @param shareDecimals Decimals of the share, read when it is set.
/// @param assetDecimals Decimals of the vault's asset, read when it is set.
/// @param growthBps Greatest growth of the rate a year, 1e-4.
/// @param toleranceBps How far a rate may lie above its ceiling, once, 1e-4.
/// @param base Source that prices the asset.
/// @param baseUnderlying Feed of the asset there.
struct ShareFeed {
    address vault;
    uint8 shareDecimals;
    uint8 assetDecimals;
    uint16 growthBps;
    uint16 toleranceBps;
    address base;
    uint16 baseUnderlying;
}

/// @notice What bounds the rate of one share, in one word.
/// @param ceiling Rate that the band is counted from, WAD assets a share.
/// @param seen Rate of the vault at the last observation, WAD assets a share.
/// @param time When that was, unix seconds.
struct ShareRate {
    uint112 ceiling;
    uint112 seen;
    uint32 time;
}

/// @title Prices of ERC-4626 shares: the vault's rate, within a band, times the price of its asset
/// @dev Storage: three words a feed.
///
/// The rate that is used is the vault's, or `ceiling · (1 + tolerance)` if that is less: it falls at once and rises
/// within the band. Anybody may call, after he did to the vault what he can do in one transaction; so of the
/// word that is kept only this can be moved, whatever the vault says:
///
/// 1. The ceiling grows by `growthBps` a year of block time. Calling often compounds it to e^(growth · years) at
///    most; the tolerance never enters it. A donation, the inflation of an empty vault or a flash loan that goes
///    back gains no more than the tolerance and that growth, and the first ceiling is governance's, not the vault's.
/// 2. The ceiling comes down, at no more than 10 % a day, to the higher of the vault's rates at both ends of the time
///    since the last observation. A dip that only one observation sees does not lower it, nor one within a
///    block: the rate that was lowered and raised again is the old one, not one that needs years to grow back.
/// 3. So after a lasting loss the band is narrow again in days; and whoever wants to keep it wide must
///    raise the rate himself at every other observation, and has won what rule 1 gives.
///
/// What it does not bound is a fall: a vault whose rate can be lowered for a moment must not be listed. How to stop
/// it: set the feed's vault to zero.
contract ShareRateSource is IPriceSource, AccessManaged {
    /// @notice A feed got a vault and a ceiling, or lost them (zero).
    event ShareSet(uint16 indexed underlying, ShareFeed config, uint256 ceiling);

    /// @notice The vault's rate was over the band.
    event RateCapped(uint16 indexed underlying, uint256 rate, uint256 used);

    /// @notice Thrown when a vault or a base source has no code.
    error ShareRateSource_NoCode(address target);

    /// @notice Thrown when the source would rest on itself.
    error ShareRateSource_OwnBase();

    /// @notice Thrown when a vault does not name its asset, or the decimals of its share (36 at most) or its asset
    /// (18 at most).
    error ShareRateSource_NotAVault(address vault);

    /// @notice Thrown when a parameter leaves its hard bounds.
    error ShareRateSource_OutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice Thrown when the vault's rate is not near the one that was expected, WAD.
    error ShareRateSource_UnexpectedRate(uint256 have, uint256 want);

    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 1e4;
    uint256 private constant YEAR = 365 days;
    uint256 private constant DESCENT = 10 days; // in which the ceiling could come down to nothing: 10 % a day
    uint256 private constant MAX_GROWTH_BPS = 5000;
    uint256 private constant MAX_TOLERANCE_BPS = 100;
    uint256 private constant MAX_SURPRISE_BPS = 100;
    uint256 private constant MIN_RATE = 1e12; // below it the growth of a second would be rounded away
    uint256 private constant MAX_RATE = 1e27;
    uint256 private constant MAX_SHARE_DECIMALS = 36;
    uint256 private constant MAX_ASSET_DECIMALS = 18;
    uint256 private constant GAS = 2_000_000; // a vault of many markets: an endless one costs no more

    mapping(uint16 underlying => ShareFeed) private _feeds;
    mapping(uint16 underlying => ShareRate) private _rates;

    /// @param authority_ Access manager that governs the shares.
    constructor(address authority_) AccessManaged(authority_) {}

    /// @notice Sets how a share is priced, and its ceiling anew; vault zero ends it.
    /// @dev Restricted. The vault's rate must lie within 1 % of the ceiling, so that neither a mistake in units nor
    /// somebody who waits for this call with a donation decides it. Errors: all of this contract.
    /// @param ceiling The rate as it should be now, WAD assets a share.
    /// @param growthBps Greatest growth a year, 1e-4, at most 50 %.
    /// @param toleranceBps How far the rate may lie above the ceiling, 1e-4, at most 1 %.
    function setShare(
        uint16 underlying,
        address vault,
        IPriceSource base,
        uint16 baseUnderlying,
        uint256 ceiling,
        uint16 growthBps,
        uint16 toleranceBps
    ) external restricted {
        delete _feeds[underlying];
        delete _rates[underlying];
        if (vault != address(0)) {
            _checkBounds("growthBps", growthBps, 0, MAX_GROWTH_BPS);
            _checkBounds("toleranceBps", toleranceBps, 0, MAX_TOLERANCE_BPS);
            _checkBounds("ceiling", ceiling, MIN_RATE, MAX_RATE);
            _checkBase(base);
            (uint8 share, uint8 asset) = _decimals(vault);
            ShareFeed memory config =
                ShareFeed(vault, share, asset, growthBps, toleranceBps, address(base), baseUnderlying);
            _checkRate(config, ceiling);
            _feeds[underlying] = config;
            _keep(underlying, ceiling, ceiling);
        }
        emit ShareSet(underlying, _feeds[underlying], _rates[underlying].ceiling);
    }

    /// @inheritdoc IPriceSource
    /// @dev `update` is the base source's. Price (rounded down), half-width (rounded up) and time are those of the
    /// asset, the first two times the rate; impact prices are unknown. Empty when there is no vault, when the base
    /// is empty or beyond 128 bits, and when the vault does not answer or its rate leaves 1e-6 … 1e9.
    function observe(uint16 underlying, bytes calldata update) external returns (Observation memory seen) {
        ShareFeed memory config = _feeds[underlying];
        if (config.vault == address(0)) return seen;
        Observation memory asset = IPriceSource(config.base).observe(config.baseUnderlying, update);
        if (asset.price == 0 || (asset.price | asset.confidence) > type(uint128).max) return seen;
        uint256 rate = _rate(config);
        if (rate == 0) return seen;
        uint256 used = _advance(underlying, config, rate);
        seen.price = asset.price * used / WAD;
        seen.confidence = FixedPointMathLib.divUp(asset.confidence * used, WAD);
        seen.time = asset.time;
    }

    /// @notice How a share is priced; zero if it is not.
    function feed(uint16 underlying) external view returns (ShareFeed memory) {
        return _feeds[underlying];
    }

    /// @notice What bounds the rate of a share.
    function shareRate(uint16 underlying) external view returns (ShareRate memory) {
        return _rates[underlying];
    }

    /// @dev Takes the vault's rate in, and gives the one to use.
    function _advance(uint16 underlying, ShareFeed memory config, uint256 rate)
        private
        returns (uint256 used)
    {
        ShareRate memory last = _rates[underlying];
        uint256 ceiling = _ceiling(last, config.growthBps, rate);
        used = FixedPointMathLib.min(rate, ceiling + ceiling * config.toleranceBps / BPS);
        _keep(underlying, ceiling, rate);
        if (used < rate) emit RateCapped(underlying, rate, used);
    }

    /// @dev Both rates are at most MAX_RATE < 2^112.
    function _keep(uint16 underlying, uint256 ceiling, uint256 rate) private {
        _rates[underlying] = ShareRate(uint112(ceiling), uint112(rate), uint32(block.timestamp));
    }

    /// @dev The ceiling now: grown, then lowered towards what the vault had at both ends of the time since.
    function _ceiling(ShareRate memory last, uint256 growthBps, uint256 rate) private view returns (uint256) {
        uint256 elapsed = block.timestamp - last.time;
        uint256 grown = last.ceiling + last.ceiling * growthBps * elapsed / (BPS * YEAR);
        grown = FixedPointMathLib.min(grown, MAX_RATE);
        uint256 lowest = FixedPointMathLib.zeroFloorSub(grown, grown * elapsed / DESCENT);
        uint256 held = FixedPointMathLib.max(last.seen, rate);
        return FixedPointMathLib.min(grown, FixedPointMathLib.max(held, lowest));
    }

    /// @dev The vault's rate, WAD assets a share, rounded down; zero if it has none.
    function _rate(ShareFeed memory config) private view returns (uint256 rate) {
        bytes memory call_ = abi.encodeCall(IERC4626.convertToAssets, (10 ** config.shareDecimals));
        (bool ok, uint256 assets) = _read(config.vault, call_);
        if (!ok || assets > type(uint128).max) return 0;
        rate = assets * 10 ** (MAX_ASSET_DECIMALS - config.assetDecimals);
        if (rate < MIN_RATE || rate > MAX_RATE) return 0;
    }

    function _checkBase(IPriceSource base) private view {
        if (address(base).code.length == 0) revert ShareRateSource_NoCode(address(base));
        if (address(base) == address(this)) revert ShareRateSource_OwnBase();
    }

    function _checkRate(ShareFeed memory config, uint256 ceiling) private view {
        uint256 rate = _rate(config);
        if (FixedPointMathLib.dist(rate, ceiling) * BPS > ceiling * MAX_SURPRISE_BPS) {
            revert ShareRateSource_UnexpectedRate(rate, ceiling);
        }
    }

    function _decimals(address vault) private view returns (uint8, uint8) {
        if (vault.code.length == 0) revert ShareRateSource_NoCode(vault);
        (bool named, uint256 asset) = _read(vault, abi.encodeCall(IERC4626.asset, ()));
        if (!named || asset == 0 || asset > type(uint160).max) revert ShareRateSource_NotAVault(vault);
        bytes memory call_ = abi.encodeCall(IERC20Metadata.decimals, ());
        (bool ok, uint256 ofShare) = _read(vault, call_);
        (bool alsoOk, uint256 ofAsset) = _read(address(uint160(asset)), call_);
        if (!ok || !alsoOk || ofShare > MAX_SHARE_DECIMALS || ofAsset > MAX_ASSET_DECIMALS) {
            revert ShareRateSource_NotAVault(vault);
        }
        return (uint8(ofShare), uint8(ofAsset));
    }

    /// @dev Copies one word of the answer and no more; not ok if the call fails or answers less.
    function _read(address target, bytes memory call_) private view returns (bool ok, uint256 word) {
        assembly ("memory-safe") {
            ok := staticcall(GAS, target, add(call_, 0x20), mload(call_), 0x00, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            if ok { word := mload(0x00) }
        }
    }

    function _checkBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest) private pure {
        if (value < least || value > greatest) {
            revert ShareRateSource_OutOfBounds(parameter, value, least, greatest);
        }
    }
}
