// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {Black76} from "../math/Black76.sol";
import {NormalTable} from "../math/NormalTable.sol";
import {OptionKernel} from "../math/OptionKernel.sol";
import {Wad} from "../math/Wad.sol";
import {ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin} from "../types/Margin.sol";
import {Instrument, KIND_COLLATERAL, KIND_OPTION, KIND_PERP, Position} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Exposure, ExposureLib} from "./Exposure.sol";
import {Expiry, OptionBook} from "./OptionBook.sol";
import {ExpiryTotals, OptionPricing, Term} from "./OptionPricing.sol";
import {Grid, OptionScenarios} from "./OptionScenarios.sol";
import {RampTime} from "./RampTime.sol";
import {RiskParameters} from "./RiskParameters.sol";
import {AssetWord, UnderlyingWord} from "./RiskWords.sol";
import {Scenarios} from "./Scenarios.sol";
import {Staleness} from "./Staleness.sol";

/// @title Ballast's joint-scenario margin engine, for books of perpetuals, options and collateral
/// @notice Margin is the worst joint loss of the whole account over named scenarios, plus add-ons (specification §6).
/// @dev A view over (cash, words, accepted prices). A book without options is linear in every price: its loss in a
/// scenario is exposure × move, and the maximum over the core nodes is at the ends.
///
/// Arithmetic on positions is unchecked and cannot overflow, so no position can freeze its account. The bounds: at most
/// 2^6 words; a price is under 2^88, a mark under 2^89, a size under 2^103, and the Clearinghouse caps an asset at 2^72
/// whole tokens. So size × mark is under 2^192 and amount × spot under 2^220; a word's money is under 2^160 and its units
/// under 2^132; the greatest sum of products, money × range × quarters of κ, is under 2^(160 + 6 + 26 + 2). Ratios count
/// 1e-8 and are under 2^26: a range is at most 0.6.
contract JointScenarioEngine is IRiskEngine, RiskParameters {
    /// @dev What is known of an account. Add-ons are in 1e-4 of WAD, so that each rounds once.
    /// @param exposures Newest of its exposures.
    /// @param bounded Whether an upper bound of IM will do.
    /// @param moved Underlying whose price is replaced by `spot`; over 16 bits for none.
    /// @param value Value of all positions, WAD.
    /// @param expiries How many expiries its options have.
    /// @param table Place of the kernel's table, if it has options.
    /// @param overdue What IM asks besides for slices that are overdue, in counts of `OptionScenarios`.
    /// @param terms L_term, likewise.
    struct Book {
        Exposure exposures;
        bool stale;
        bool bounded;
        uint256 expiries;
        uint256 table;
        uint256 moved;
        uint256 spot;
        uint256 overdue;
        uint256 terms;
        int256 value;
        uint256 perpNotional;
        uint256 addOnMaintenance;
        uint256 addOnInitial;
    }

    uint256 private constant MAX_WORDS = 64;
    uint256 private constant NOTHING = type(uint256).max;
    uint256 private constant WAD = 1e18;
    uint256 private constant RATIO = 1e8;
    uint256 private constant BPS = 1e4;

    /// @dev WAD of units × price in counts of 1e-12, as WAD of cash.
    uint256 private constant PRICE_COUNT = 1e12;
    uint256 private constant PRICE_UNIT = 1e6;
    uint256 private constant MAX_SPOT = ((1 << 68) - 1) * PRICE_UNIT;

    /// @dev A loss in 1e-8 quarters of WAD, as WAD.
    uint256 private constant LOSS_UNIT = 4 * RATIO;

    IOracleAdapter public immutable ORACLE;

    /// @notice The normal distribution, as data.
    address public immutable NORMAL_TABLE;

    /// @dev Thrown when an option rests on a volatility that was never published.
    error JointScenarioEngine_SliceNeverPublished(uint16 underlying, uint32 expiry);
    /// @dev Thrown for a word that is no position.
    error JointScenarioEngine_UnknownKind(Position word);
    /// @dev Thrown for more words than an account can hold.
    error JointScenarioEngine_TooManyWords(uint256 count, uint256 limit);
    /// @dev Thrown when a position rests on a price that was never accepted.
    error JointScenarioEngine_PriceNeverAccepted(uint16 underlying);
    /// @dev Thrown when a price to assess at does not fit a snapshot.
    error JointScenarioEngine_SpotOutOfRange(uint256 spot, uint256 limit);
    /// @dev Thrown when a witness names no scenario.
    error JointScenarioEngine_UnknownScenario(uint256 column);

    constructor(address authority, IClearinghouse clearinghouse, IOracleAdapter oracle)
        AccessManaged(authority)
        RampTime(clearinghouse)
    {
        ORACLE = oracle;
        NORMAL_TABLE = address(new NormalTable());
    }

    /// @inheritdoc IRiskEngine
    function assess(int256 cash, uint256 mode, Position[] calldata words)
        external
        view
        returns (Margin memory margin)
    {
        Book memory book;
        book.moved = NOTHING;
        _read(book, words);
        book.bounded = mode == ASSESS_MAINTENANCE;
        if (mode == ASSESS_ALL || book.bounded) _requireAll(margin, book);
        else _requireIn(margin, book, mode - 1);
        margin.equity = cash + book.value;
    }

    /// @inheritdoc IRiskEngine
    function assessAt(int256 cash, Position[] calldata words, uint16 underlying, uint256 spot)
        external
        view
        returns (Margin memory margin)
    {
        if (spot > MAX_SPOT) revert JointScenarioEngine_SpotOutOfRange(spot, MAX_SPOT);
        Book memory book;
        book.moved = underlying;
        book.spot = spot;
        _read(book, words);
        _requireAll(margin, book);
        margin.equity = cash + book.value;
    }

    /// @inheritdoc IRiskEngine
    function supportsAsset(uint16 asset) external view returns (bool) {
        return _knowsAsset(asset);
    }

    /// @inheritdoc IRiskEngine
    function liquidationTerms() external pure returns (LiquidationTerms memory) {
        return LiquidationTerms({
            targetHealth: 1.15e18, discountMin: 0.005e18, discountMax: 0.1e18, discountMaxHealth: 0.5e18
        });
    }

    /// @inheritdoc IRiskEngine
    /// @dev Precise Black-76 (specification §13.5).
    function fairPrice(Instrument option) external view returns (uint256 price, int256 delta) {
        Position word = Position.wrap(Instrument.unwrap(option));
        if (word.kind() != KIND_OPTION) revert JointScenarioEngine_UnknownKind(word);
        Snapshot snapshot = ORACLE.snapshot(word.id());
        if (snapshot.spot() == 0) revert JointScenarioEngine_PriceNeverAccepted(word.id());
        uint256[] memory keys = new uint256[](1);
        keys[0] = uint256(word.id()) << 32 | word.expiry();
        VolatilitySlice slice = VolatilitySlice.wrap(ORACLE.market(keys)[0]);
        uint256 strike = word.strike() * 1e10;
        if (slice.isFixed()) {
            (price,) = Black76.price(slice.settlementPrice(), strike, 0, word.isPut());
            return (price, 0);
        }
        Term memory term = _term(snapshot, word.id(), word.expiry(), slice);
        uint256 factor = OptionPricing.factor(term);
        (, int256 logKappa) = OptionPricing.moneyness(term, word.strike());
        uint256 deviation = OptionPricing.deviation(term, logKappa);
        deviation = OptionPricing.damped(deviation, term.open, 1 << 64, factor);
        (price, delta) =
            Black76.price(term.forward * PRICE_UNIT * factor >> 64, strike, deviation, word.isPut());
        delta = delta * int256(term.open * slice.forwardRatio() / RATIO) >> 64;
    }

    // ---- Reading the account ----

    /// @dev Values every word and sums exposures by underlying.
    function _read(Book memory book, Position[] calldata words) private view {
        uint256 length = words.length;
        if (length > MAX_WORDS) revert JointScenarioEngine_TooManyWords(length, MAX_WORDS);
        for (uint256 i; i < length; ++i) {
            Position word = words[i];
            uint256 kind = word.kind();
            if (kind == KIND_PERP) _addPerp(book, word);
            else if (kind == KIND_COLLATERAL) _addCollateral(book, word);
            else if (kind == KIND_OPTION) _addOption(book, word);
            else revert JointScenarioEngine_UnknownKind(word);
        }
        if (book.expiries != 0) _quoteOptions(book);
    }

    function _addPerp(Book memory book, Position word) private view {
        Exposure exposure = _exposure(book, word.id());
        UnderlyingWord risk = exposure.risk();
        int256 size = word.perpSize();
        unchecked {
            uint256 product = FixedPointMathLib.abs(size) * exposure.snapshot().mark();
            uint256 low = product / WAD;
            uint256 gross = _divUp(product, WAD);
            int256 money = size < 0 ? -int256(gross) : int256(low);
            exposure.add(money, size < 0 ? -int256(low) : int256(gross), size);
            book.value += money + word.perpQuote();
            book.perpNotional += gross;
            book.addOnMaintenance += gross * risk.perpMaintenance();
            book.addOnInitial += gross * risk.perpInitial();
        }
    }

    function _addCollateral(Book memory book, Position word) private view {
        AssetWord risk = _assetWord(word.id());
        Exposure exposure = _exposure(book, risk.underlying());
        unchecked {
            uint256 unit = risk.unit();
            uint256 amount = word.amount();
            uint256 product = amount * exposure.snapshot().spot();
            int256 value = int256(product / unit);
            uint256 gross = _divUp(product, unit);
            exposure.add(value, int256(gross), int256(amount * (WAD / unit)));
            book.value += value;
            book.addOnMaintenance += gross * risk.haircut();
            book.addOnInitial += gross * risk.initialHaircut();
        }
    }

    /// @dev Options wait, sorted by expiry and strike, until all are known.
    function _addOption(Book memory book, Position word) private view {
        Exposure exposure = _exposure(book, word.id());
        Expiry expiry = exposure.expiries().find(word.expiry());
        if (expiry.isEnd()) {
            expiry = OptionBook.makeExpiry(exposure.expiries(), word.expiry());
            exposure.setExpiries(expiry);
            ++book.expiries;
        }
        expiry.add(word.strike(), word.optionSize(), word.isPut());
    }

    /// @dev The account's exposure to an underlying; the first position in it reads price and parameters.
    function _exposure(Book memory book, uint16 underlying) private view returns (Exposure exposure) {
        exposure = book.exposures.find(underlying);
        if (exposure.isEnd()) exposure = _makeExposure(book, underlying);
    }

    function _makeExposure(Book memory book, uint16 underlying) private view returns (Exposure exposure) {
        Snapshot snapshot = ORACLE.snapshot(underlying);
        if (snapshot.spot() == 0) revert JointScenarioEngine_PriceNeverAccepted(underlying);
        UnderlyingWord risk = _underlyingWord(underlying);
        uint256 rangeMaintenance = snapshot.rangeMaintenance() / (WAD / RATIO);
        uint256 rangeInitial = snapshot.rangeInitial() / (WAD / RATIO);
        if (!snapshot.isFresh(block.timestamp)) {
            book.stale = true;
            rangeInitial = _divUp(rangeInitial * Staleness.widening(snapshot.age(block.timestamp)), RATIO);
        }
        unchecked {
            uint256 cap = risk.rangeCap() * (RATIO / BPS);
            rangeMaintenance = FixedPointMathLib.min(rangeMaintenance, cap);
            rangeInitial = FixedPointMathLib.min(rangeInitial, cap);
        }
        if (book.moved == underlying) snapshot = snapshot.withSpot(book.spot);
        exposure =
            ExposureLib.make(book.exposures, underlying, snapshot, risk, rangeMaintenance, rangeInitial);
        book.exposures = exposure;
    }

    // ---- Options ----

    /// @dev Values the options at the slices of their expiries, all read in one call.
    function _quoteOptions(Book memory book) private view {
        uint256[] memory keys = new uint256[](book.expiries);
        uint256 count;
        for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
            for (Expiry expiry = e.expiries(); !expiry.isEnd(); expiry = expiry.next()) {
                keys[count++] = e.underlying() << 32 | expiry.date();
            }
        }
        uint256[] memory words = ORACLE.market(keys);
        book.table = OptionKernel.load(NORMAL_TABLE);
        int256 worth;
        count = 0;
        for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
            for (Expiry expiry = e.expiries(); !expiry.isEnd(); expiry = expiry.next()) {
                worth += _quoteExpiry(book, e, expiry, VolatilitySlice.wrap(words[count++]));
            }
        }
        book.value += Wad.divFloor(worth, int256(WAD));
    }

    /// @dev Worth of an expiry's options, 1e-36 of cash; their exposure, deltas and add-ons are added.
    function _quoteExpiry(Book memory book, Exposure e, Expiry expiry, VolatilitySlice slice)
        private
        view
        returns (int256)
    {
        if (slice.isFixed()) return OptionPricing.payoffs(expiry, slice.settlementPrice());
        Term memory term = _term(e.snapshot(), e.underlying(), expiry.date(), slice);
        uint256 overdue = slice.overdue(block.timestamp);
        if (term.time != 0 && overdue != 0) {
            book.stale = true;
            expiry.setSurcharge(Staleness.surcharge(overdue));
        }
        ExpiryTotals memory totals = OptionPricing.quote(expiry, term, book.table);
        unchecked {
            uint256 spot = FixedPointMathLib.max(e.snapshot().spotUnits(), 1);
            int256 delta = totals.delta * int256(term.forward * term.open >> 64);
            e.add(
                Wad.divFloor(totals.parity, int256(PRICE_COUNT)),
                Wad.divCeil(totals.parity, int256(PRICE_COUNT)),
                delta / int256(spot << 40)
            );
            uint256 roll = _divUp(FixedPointMathLib.abs(delta), PRICE_COUNT << 40) * _rollRate(e, term.time);
            uint256 short = _divUp(totals.short * spot, PRICE_COUNT);
            roll = _divUp(roll, BPS);
            book.addOnMaintenance += roll + short * e.risk().shortOptionMaintenance();
            book.addOnInitial += roll + short * e.risk().shortOptionInitial();
        }
        return totals.worth;
    }

    /// @dev The charge on an expiry's delta, 1e-8, rounded up.
    function _rollRate(Exposure e, uint256 time) private pure returns (uint256) {
        unchecked {
            uint256 rate = _divUp(e.risk().rollRate() * BPS * time, 365 days);
            return FixedPointMathLib.max(rate, e.risk().rollFloor() * BPS);
        }
    }

    function _term(Snapshot snapshot, uint256 underlying, uint256 date, VolatilitySlice slice)
        private
        view
        returns (Term memory)
    {
        if (!slice.isKnown()) {
            revert JointScenarioEngine_SliceNeverPublished(uint16(underlying), uint32(date));
        }
        uint256 elapsed;
        uint256 mean;
        if (block.timestamp + OptionPricing.WINDOW > date) {
            (elapsed, mean) = ORACLE.settlementMean(uint16(underlying), uint32(date));
        }
        return OptionPricing.term(snapshot, slice, date, block.timestamp, elapsed, mean);
    }

    // ---- Requirements ----

    /// @dev IM and MM. A book with options whose ranges for IM and MM differ is valued under both, unless an upper bound of
    /// IM will do.
    function _requireAll(Margin memory margin, Book memory book) private view {
        if (book.expiries == 0) return _requireLinear(margin, book);
        uint256 addOns;
        uint256 passes = 1;
        for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
            addOns += _initialAddOns(e);
            if (e.rangeMaintenance() != e.rangeInitial()) passes = 2;
        }
        _valueOptions(book);
        addOns += _divUp(book.overdue, uint256(OptionScenarios.LOSS_COUNTS) * LOSS_UNIT);
        uint256 loss;
        for (uint256 pass; pass < passes; ++pass) {
            bool initial = pass != 0;
            if (initial && !book.bounded) _valueMoves(book);
            loss = _worst(book, initial);
            if (!initial) _setMaintenance(margin, book, loss);
        }
        _setInitial(margin, book, loss, addOns);
    }

    /// @dev Prices the options in every scenario at the ranges of MM, and what vol shocks of expiries lose that do not
    /// offset each other.
    function _valueOptions(Book memory book) private pure {
        for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
            Expiry expiry = e.expiries();
            if (expiry.isEnd()) {
                e.setValued(OptionScenarios.makeEmpty(), 0);
                continue;
            }
            Grid grid = OptionScenarios.make();
            grid.fill(e.rangeMaintenance());
            int256 value;
            unchecked {
                for (; !expiry.isEnd(); expiry = expiry.next()) {
                    uint256 loss = _greater(expiry.value() - grid.scan(expiry, book.table), 0);
                    value += expiry.value();
                    book.terms += _divUp(loss, BPS) * Scenarios.TERM_RATE;
                    book.overdue += _divUp(loss, RATIO) * expiry.surcharge();
                }
            }
            e.setValued(grid, value);
        }
    }

    /// @dev Prices the options again in the scenarios that the ranges of IM change.
    function _valueMoves(Book memory book) private pure {
        for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
            if (e.expiries().isEnd() || e.rangeMaintenance() == e.rangeInitial()) continue;
            e.grid().move(e.rangeInitial());
            for (Expiry expiry = e.expiries(); !expiry.isEnd(); expiry = expiry.next()) {
                e.grid().scanMoves(expiry, book.table);
            }
        }
    }

    /// @dev The worst joint loss W of a book with options, in 1e-8 quarters of WAD, rounded up; or a bound of it, if the
    /// options were valued at other ranges.
    function _worst(Book memory book, bool initial) private pure returns (uint256) {
        int256[23] memory losses;
        int256 broken;
        int256 worst = int256(book.terms);
        unchecked {
            for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
                uint256 range = initial ? e.rangeInitial() : e.rangeMaintenance();
                int256 slack = initial && book.bounded
                    ? e.slackOf(FixedPointMathLib.dist(range, e.rangeMaintenance()))
                    : int256(0);
                int256 own = e.addLosses(range, slack, losses);
                if (!initial) e.setOwnWorst(own);
                broken += own;
            }
            worst = OptionScenarios.greatest(losses, FixedPointMathLib.max(worst, broken));
        }
        return _divUp(uint256(worst), uint256(OptionScenarios.LOSS_COUNTS));
    }

    /// @dev IM and MM of a book without options. Losses are in 1e-8 of WAD, those with broken correlation in quarters of
    /// that.
    function _requireLinear(Margin memory margin, Book memory book) private view {
        int256 downMaintenance;
        int256 upMaintenance;
        uint256 brokenMaintenance;
        int256 downInitial;
        int256 upInitial;
        uint256 brokenInitial;
        uint256 addOns;
        bool wide;
        unchecked {
            for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
                uint256 kappa = e.risk().kappaQuarters();
                (int256 down, int256 up) = _ends(e, e.rangeMaintenance());
                downMaintenance += down;
                upMaintenance += up;
                brokenMaintenance += kappa * _greater(down, up);
                (down, up) = _ends(e, e.rangeInitial());
                downInitial += down;
                upInitial += up;
                brokenInitial += kappa * _greater(down, up);
                addOns += _initialAddOns(e);
                if (_isWide(e)) wide = true;
            }
            uint256 lossMaintenance =
                FixedPointMathLib.max(4 * _greater(downMaintenance, upMaintenance), brokenMaintenance);
            uint256 lossInitial = FixedPointMathLib.max(4 * _greater(downInitial, upInitial), brokenInitial);
            if (wide) {
                lossMaintenance = FixedPointMathLib.max(lossMaintenance, _worstTail(book, false));
                lossInitial = FixedPointMathLib.max(lossInitial, _worstTail(book, true));
            }
            _setMaintenance(margin, book, lossMaintenance);
            _setInitial(margin, book, lossInitial, addOns);
        }
    }

    /// @dev IM = loss + add-ons, at least MM: the ranges for IM and MM differ, so a hedge may cancel better under the wider
    /// ones.
    function _setInitial(Margin memory margin, Book memory book, uint256 loss, uint256 addOns) private pure {
        unchecked {
            addOns += _divUp(loss, LOSS_UNIT) + _divUp(book.addOnInitial, BPS);
        }
        margin.initial = FixedPointMathLib.max(addOns, margin.maintenance);
    }

    /// @dev MM = 0.80 × loss + add-ons, for a loss in 1e-8 quarters; and what does not depend on the mode.
    function _setMaintenance(Margin memory margin, Book memory book, uint256 loss) private view {
        unchecked {
            margin.maintenance = _divUp(loss, LOSS_UNIT * 5 / 4) + _divUp(book.addOnMaintenance, BPS);
        }
        margin.perpNotional = book.perpNotional;
        margin.fresh = !book.stale;
        if (book.stale) margin.credit = _credit(book);
    }

    /// @dev What the account would have gained if each price that is not fresh had moved its way unseen, WAD, rounded
    /// down.
    function _credit(Book memory book) private view returns (uint256 sum) {
        unchecked {
            for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
                Snapshot snapshot = e.snapshot();
                if (snapshot.isFresh(block.timestamp)) continue;
                uint256 shift = Staleness.shift(e.rangeMaintenance(), snapshot.age(block.timestamp));
                if (!e.expiries().isEnd()) sum += _optionCredit(e, shift);
                else sum += _greater(e.moneyFloor() * int256(shift), -e.moneyCeil() * int256(shift));
            }
            return sum / RATIO;
        }
    }

    /// @dev The same of an exposure with options, in 1e-8 of WAD: by its delta, and at most 0.80 of its own worst loss,
    /// which is its part of MM.
    function _optionCredit(Exposure e, uint256 shift) private pure returns (uint256) {
        unchecked {
            uint256 money =
                FixedPointMathLib.abs(e.units()) * (e.snapshot().spot() / PRICE_UNIT) / PRICE_COUNT;
            uint256 own = uint256(e.ownWorst() / OptionScenarios.LOSS_COUNTS);
            return FixedPointMathLib.min(money * shift, own / 5);
        }
    }

    /// @dev Losses if the underlying falls and if it rises by a ratio; a gain is negative.
    function _ends(Exposure e, uint256 ratio) private pure returns (int256 down, int256 up) {
        unchecked {
            down = e.moneyCeil() * int256(ratio);
            up = -e.moneyFloor() * int256(ratio);
        }
    }

    /// @dev max(a, b, 0).
    function _greater(int256 a, int256 b) private pure returns (uint256) {
        return uint256(FixedPointMathLib.max(FixedPointMathLib.max(a, b), 0));
    }

    /// @dev A tail moves underlying u by min(|m|, θ·R_u), all in one direction. While θ·R_u ≤ 33 %, the smallest |m|,
    /// that is θ·R_u for every u and every tail: θ times an end of the core, so at most 0.9·L_same. (θ·R_u rounded up
    /// adds at most 1e-8·|X_u|, which is less than a thousandth of L_dec, as ranges count 1e-4: max(L_same, L_dec) is
    /// never exceeded.) So the tails need computing only if some range is wider.
    function _isWide(Exposure e) private pure returns (bool) {
        return FixedPointMathLib.max(e.rangeMaintenance(), e.rangeInitial()) > Scenarios.WIDEST_WITHOUT_TAILS;
    }

    /// @dev L_tail in 1e-8 quarters of WAD.
    function _worstTail(Book memory book, bool initial) private pure returns (uint256 worst) {
        for (uint256 tail; tail < Scenarios.TAILS; ++tail) {
            worst = FixedPointMathLib.max(worst, _tailLoss(book, tail, initial));
        }
    }

    /// @dev Loss in a tail, zero for a gain, in 1e-8 quarters of WAD.
    function _tailLoss(Book memory book, uint256 tail, bool initial) private pure returns (uint256) {
        (uint256 size, bool isDown) = Scenarios.tail(tail);
        int256 loss;
        unchecked {
            for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
                uint256 range = initial ? e.rangeInitial() : e.rangeMaintenance();
                (int256 down, int256 up) = _ends(e, Scenarios.weightedMove(size, range));
                loss += isDown ? down : up;
            }
            return 4 * _greater(loss, 0);
        }
    }

    /// @dev MM from one named scenario. What stale prices are worth rests on all of them.
    function _requireIn(Margin memory margin, Book memory book, uint256 column) private view {
        uint256 loss = _lossIn(book, column);
        if (book.stale && book.expiries != 0) {
            _valueOptions(book);
            _worst(book, book.bounded); // not IM: a witness is not bounded
        }
        _setMaintenance(margin, book, loss);
    }

    /// @dev Loss in one named scenario at the ranges of MM, zero for a gain, in 1e-8 quarters of WAD, rounded up.
    function _lossIn(Book memory book, uint256 column) private pure returns (uint256) {
        if (column >= Scenarios.COLUMNS) revert JointScenarioEngine_UnknownScenario(column);
        Grid grid;
        if (book.expiries != 0) grid = OptionScenarios.make();
        uint256 node = OptionScenarios.nodeOf(column);
        int256 loss;
        unchecked {
            for (Exposure e = book.exposures; !e.isEnd(); e = e.next()) {
                Expiry expiry = e.expiries();
                int256 options;
                if (!expiry.isEnd()) {
                    grid.set(node, e.rangeMaintenance());
                    for (; !expiry.isEnd(); expiry = expiry.next()) {
                        grid.scanNode(expiry, book.table, node);
                        options += expiry.value();
                    }
                    options -= grid.sumAt(node);
                }
                loss += OptionScenarios.lossAt(e, e.rangeMaintenance(), options, node);
            }
        }
        return _divUp(_greater(loss, 0), uint256(OptionScenarios.LOSS_COUNTS));
    }

    /// @dev What only IM charges, WAD: the width of the price, and the part of equity that rests on the spot's
    /// departure from the stable price, so that a pumped price lends nothing at once.
    function _initialAddOns(Exposure e) private pure returns (uint256 sum) {
        unchecked {
            int256 units = e.units();
            Snapshot snapshot = e.snapshot();
            uint256 spot = snapshot.spotUnits();
            uint256 money = _divUp(FixedPointMathLib.abs(units) * spot, PRICE_COUNT);
            sum = _divUp(money * (snapshot.confidence() / (WAD / RATIO)), RATIO);
            int256 pumped = units * (int256(spot) - int256(snapshot.stableUnits()));
            if (pumped > 0) sum += _divUp(uint256(pumped), PRICE_COUNT);
        }
    }

    /// @dev x / d rounded up, for x + d within 256 bits and d > 0.
    function _divUp(uint256 x, uint256 d) private pure returns (uint256 quotient) {
        assembly ("memory-safe") {
            quotient := div(add(x, sub(d, 1)), d)
        }
    }
}
