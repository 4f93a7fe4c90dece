// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {FeedConfig} from "../interfaces/IFeedRegistry.sol";
import {IOracleAdapter, PriceUpdate} from "../interfaces/IOracleAdapter.sol";
import {IPriceSource, Observation} from "../interfaces/IPriceSource.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {ExpiryFixing} from "./ExpiryFixing.sol";
import {CASH_FEED, FeedRegistry} from "./FeedRegistry.sol";
import {Premium} from "./Premium.sol";
import {Quote, Quotes} from "./Quotes.sol";
import {ScanRange, ScanRangeLib} from "./ScanRange.sol";
import {Sequencer} from "./Sequencer.sol";
import {SnapshotPacking} from "./SnapshotPacking.sol";
import {IAggregatorV3} from "./sources/IAggregatorV3.sol";
import {Suspicion, SuspicionLib} from "./Suspicion.sol";

/// @title Accepts prices by the rules of specification §5 and keeps one snapshot a feed
/// @dev Storage: one word a feed that everybody reads; a second that only a refresh touches and writes once a
/// bucket; a third that only suspect reports touch. How to stop it: leave a feed without fresh reports, and
/// it is stale, or configure a quorum that its sources do not reach.
contract OracleAdapter is FeedRegistry, Sequencer, ExpiryFixing, ReentrancyGuardTransient {
    using SnapshotPacking for Snapshot;

    /// @notice A price was accepted.
    /// @param snapshot The whole new word of the feed.
    /// @param price Median of the sources, WAD dollars.
    /// @param sources How many observations it is made of.
    event PriceAccepted(uint16 indexed underlying, Snapshot snapshot, uint256 price, uint256 sources);

    /// @notice A price was not accepted and waits to be confirmed; the feed is marked suspect.
    event PriceSuspected(uint16 indexed underlying, Suspicion suspicion, uint256 price);

    /// @notice The variances and ranges of a feed took in the first price of a bucket.
    event RangeSampled(uint16 indexed underlying, ScanRange range);

    uint256 private constant WAD = 1e18;
    uint256 private constant PRICE_UNITS = 1e12; // of the snapshot, in one unit of cash
    uint256 private constant SAME_BLOCK_AGE = 15 seconds;

    /// @notice Where the funding rates go.
    IClearinghouse public immutable CLEARINGHOUSE;

    Snapshot[65536] private _snapshots; // arrays, since a key of 16 bits needs no hash
    ScanRange[65536] private _ranges;
    Suspicion[65536] private _suspicions;

    /// @param authority_ Access manager that governs the feeds.
    /// @param clearinghouse_ The Clearinghouse, which may be deployed later.
    /// @param sequencerFeed Feed of the sequencer's uptime; zero for none.
    /// @param sequencerGrace Seconds after an outage in which prices count as not fresh.
    constructor(
        address authority_,
        IClearinghouse clearinghouse_,
        IAggregatorV3 sequencerFeed,
        uint256 sequencerGrace
    ) AccessManaged(authority_) Sequencer(sequencerFeed, sequencerGrace) {
        CLEARINGHOUSE = clearinghouse_;
    }

    /// @inheritdoc IOracleAdapter
    /// @dev Refresh feed 0 first where it is due: the other prices are divided by it. Errors:
    /// `OracleAdapter_Locked`, `FeedRegistry_UnknownFeed`, and those of the sources for malformed or forged data.
    function refresh(PriceUpdate[] calldata updates) external nonReentrant {
        _checkUnlocked();
        for (uint256 i; i < updates.length; ++i) {
            _refresh(updates[i].underlying, updates[i].updates);
        }
    }

    /// @inheritdoc IOracleAdapter
    function snapshot(uint16 underlying) external view returns (Snapshot) {
        return _seen(underlying, _isHalted());
    }

    /// @inheritdoc IOracleAdapter
    function snapshots(uint16[] calldata underlyings) external view returns (Snapshot[] memory words) {
        uint256 count = underlyings.length;
        words = new Snapshot[](count);
        bool halted = _isHalted();
        for (uint256 i; i < count; ++i) {
            words[i] = _seen(underlyings[i], halted);
        }
    }

    /// @inheritdoc IOracleAdapter
    function market(uint256[] calldata keys) external view returns (uint256[] memory words) {
        uint256 count = keys.length;
        words = new uint256[](count);
        bool halted = _isHalted();
        for (uint256 i; i < count; ++i) {
            uint256 key = keys[i];
            words[i] = uint32(key) == 0
                ? Snapshot.unwrap(_seen(uint16(key >> 32), halted))
                : VolatilitySlice.unwrap(_slice(key));
        }
    }

    /// @notice Variances and ranges of a feed, as `ScanRange.sol` packs them; zero before its first price.
    function scanRange(uint16 underlying) external view returns (ScanRange) {
        return _ranges[underlying];
    }

    /// @notice The last suspicion of a feed, as `Suspicion.sol` packs it; it means something while the snapshot is
    /// marked suspect.
    function suspicion(uint16 underlying) external view returns (Suspicion) {
        return _suspicions[underlying];
    }

    /// @dev The snapshot as everybody outside sees it.
    function _seen(uint16 underlying, bool halted) private view returns (Snapshot word) {
        word = _snapshots[underlying];
        if (halted) word = word.markHalted();
    }

    function _checkUnlocked() internal view override {
        if (CLEARINGHOUSE.isLocked()) revert OracleAdapter_Locked();
    }

    function _spot(uint16 underlying) internal view override returns (uint256) {
        return _snapshots[underlying].spot();
    }

    function _refresh(uint16 underlying, bytes[] calldata updates) private {
        FeedConfig memory config = _config(underlying);
        Observation[] memory seen = _observe(underlying, config, updates);
        if (seen.length < config.minSources) return;
        Quote memory quote = Quotes.join(seen, config.jumpLimitBps);
        Snapshot last = _snapshots[underlying];
        if (!_isDue(underlying, last, quote.time)) return;
        uint256 price = _inCash(underlying, quote.price);
        if (!SnapshotPacking.isPrice(price)) return;
        if (!_isTrusted(config, last, quote, price) && !_isConfirmed(underlying, config, last, quote, price))
        {
            return;
        }
        _accept(underlying, config, seen, quote, last, price);
    }

    /// @dev The usable observations in the order of the sources. More data than sources is ignored.
    function _observe(uint16 underlying, FeedConfig memory config, bytes[] calldata updates)
        private
        returns (Observation[] memory seen)
    {
        uint256 count = config.sources.length;
        uint256 used;
        seen = new Observation[](count);
        for (uint256 i; i < count; ++i) {
            bytes calldata update = i < updates.length ? updates[i] : msg.data[0:0];
            Observation memory one = IPriceSource(config.sources[i]).observe(underlying, update);
            if (Quotes.isUsable(one, config, block.timestamp)) seen[used++] = one;
        }
        assembly ("memory-safe") {
            mstore(seen, used) // used ≤ count: the array only gets shorter
        }
    }

    /// @dev Reports move strictly forward. A block gets a second price only if it is young, so that nobody can
    /// choose two old reports and act between them.
    function _isDue(uint16 underlying, Snapshot last, uint256 time) private view returns (bool) {
        uint256 newest = last.isSuspect() ? _suspicions[underlying].lastTime() : last.time();
        if (time <= newest) return false;
        bool sameBlock = last.rawSpot() != 0 && last.blockTag() == block.number & 0xff;
        return !sameBlock || block.timestamp - time < SAME_BLOCK_AGE;
    }

    /// @dev 1e-12 of cash, rounded down; zero while the price of cash is not fresh.
    function _inCash(uint16 underlying, uint256 dollars) private view returns (uint256) {
        if (underlying == CASH_FEED || !_isConfigured(CASH_FEED)) return dollars * PRICE_UNITS / WAD;
        Snapshot cash = _snapshots[CASH_FEED];
        if (cash.rawSpot() == 0 || !cash.isFresh(block.timestamp)) return 0;
        return dollars * PRICE_UNITS / cash.spot();
    }

    /// @dev Several observations must agree whatever the price; a single one may not jump.
    function _isTrusted(FeedConfig memory config, Snapshot last, Quote memory quote, uint256 price)
        private
        pure
        returns (bool)
    {
        if (quote.count > 1) return quote.agreed;
        return last.rawSpot() == 0 || Quotes.isWithin(last.rawSpot(), price, config.jumpLimitBps);
    }

    /// @dev Keeps the suspicion, and says whether it is confirmed by now. A first price cannot be suspected.
    function _isConfirmed(
        uint16 underlying,
        FeedConfig memory config,
        Snapshot last,
        Quote memory quote,
        uint256 price
    ) private returns (bool) {
        if (last.rawSpot() == 0) return false;
        Suspicion raised = last.isSuspect()
            ? _suspicions[underlying].next(price, quote.time, block.timestamp, config.jumpLimitBps)
            : SuspicionLib.begin(price, quote.time, block.timestamp);
        if (raised.isConfirmed(block.timestamp)) return true;
        _suspicions[underlying] = raised;
        _snapshots[underlying] = last.markSuspect();
        emit PriceSuspected(underlying, raised, quote.price);
        return false;
    }

    /// @dev The Clearinghouse accrues the past at the old funding rate before it takes the new one, and it calls
    /// nobody: all of the acceptance is one step.
    function _accept(
        uint16 underlying,
        FeedConfig memory config,
        Observation[] memory seen,
        Quote memory quote,
        Snapshot last,
        uint256 price
    ) private {
        (int256 premium, uint256 openInterest) = _fund(underlying, config, seen, quote, last, price);
        uint256 stable = last.rawSpot() == 0 ? price : last.stableAt(quote.time);
        ScanRange range = _sampleRange(underlying, config, last, price, quote.time);
        Snapshot accepted = SnapshotPacking.pack(config, quote, range, price, stable, premium, openInterest);
        _snapshots[underlying] = accepted;
        emit PriceAccepted(underlying, accepted, quote.price, quote.count);
        _observeSettlement(underlying, last.time(), quote.time, price);
    }

    /// @dev Takes the premium one step further and tells the market its funding rate.
    function _fund(
        uint16 underlying,
        FeedConfig memory config,
        Observation[] memory seen,
        Quote memory quote,
        Snapshot last,
        uint256 price
    ) private returns (int256 premium, uint256 openInterest) {
        if (!config.hasMarket) return (0, 0);
        int256 clampBps = int256(uint256(config.premiumClampBps));
        (bool sampled, int256 sample) = Premium.sampleOf(seen, quote.price, last.time(), clampBps);
        uint256 elapsed = last.rawSpot() == 0 ? 0 : quote.time - last.time();
        premium = Premium.next(last.premium(), elapsed, sampled, sample, clampBps);
        int256 rate = Premium.ratePerSecond(premium, int256(uint256(config.fundingCapBps)), price);
        openInterest = CLEARINGHOUSE.setFundingRate(underlying, rate);
    }

    /// @dev The first price of each bucket is its sample, so nobody can choose one among several.
    function _sampleRange(
        uint16 underlying,
        FeedConfig memory config,
        Snapshot last,
        uint256 price,
        uint256 time
    ) private returns (ScanRange range) {
        range = _ranges[underlying];
        bool first = last.rawSpot() == 0;
        if (!first && range.bucket() == time / ScanRangeLib.BUCKET) return range;
        range = first ? ScanRangeLib.begin(config, price, time) : range.next(config, price, time);
        _ranges[underlying] = range;
        emit RangeSampled(underlying, range);
    }
}
