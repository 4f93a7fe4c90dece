// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {NormalTable} from "../math/NormalTable.sol";
import {OptionKernel} from "../math/OptionKernel.sol";
import {Ramp} from "../math/Ramp.sol";
import {Wad} from "../math/Wad.sol";
import {ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin} from "../types/Margin.sol";
import {Instrument, KIND_COLLATERAL, KIND_OPTION, KIND_PERP, Position} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Expiry, OptionBook} from "./OptionBook.sol";
import {ExpiryTotals, OptionPricing, Term} from "./OptionPricing.sol";
import {RampTime} from "./RampTime.sol";
import {RuleOptions, ShortOption} from "./RuleOptions.sol";
import {OptionRule, RuleParameters} from "./RuleParameters.sol";
import {Staleness} from "./Staleness.sol";

/// @title Ballast's rule-based margin engine
/// @notice Margin is a sum over the positions, each a rate of its own value: no position offsets another (specification
/// §6.9).
/// @dev A view over (cash, words, accepted prices, open interest). Nothing is kept of one word when the next is read,
/// not even its price: to read that again costs hardly more than a list to look it up in.
///
/// Arithmetic on positions is unchecked and cannot overflow, so no position can freeze its account. The bounds: at most
/// 2^6 words; a price is under 2^88, a mark under 2^89, a size under 2^103, and the Clearinghouse caps an asset at 2^72
/// whole tokens. So size × mark is under 2^192 and amount × spot under 2^220; a word's money is under 2^160. Ratios count
/// 1e-8, so one is under 2^27; a widening is under 2^36, open interest under 2^90, a depth under 2^64 whole units. The
/// greatest sum, of a word's money at most three times over, is under 2^(160 + 27 + 6 + 2). Of options: a size is under
/// 2^128 and a price under 2^109, so a word's worth is under 2^237 in counts of 1e-36, and its money under 2^178.
contract RuleEngine is IRiskEngine, RuleParameters {
    using RuleOptions for ShortOption;

    /// @dev What is known of an account. Requirements and the credit are in 1e-8 of WAD, so that each rounds once.
    /// @param full Whether IM is asked for.
    /// @param moved Underlying whose price is replaced by `spot`; over 16 bits for none.
    /// @param table The normal table in memory, as the kernel takes it; zero until an option is priced.
    /// @param value Value of perpetuals and collateral, WAD.
    /// @param optionWorth Value of options, 1e-36 of cash: rounded once, as every engine does.
    struct Tally {
        bool full;
        bool stale;
        uint256 moved;
        uint256 spot;
        uint256 table;
        int256 value;
        int256 optionWorth;
        uint256 perpNotional;
        uint256 maintenance;
        uint256 initial;
        uint256 credit;
    }

    /// @dev One option, priced.
    /// @param widening By how much IM widens, 1e-8.
    /// @param unseen By how much the price may have moved in its favour unseen, 1e-8 of WAD.
    /// @param worth Value, 1e-36 of cash; exactly what every engine makes of it.
    /// @param units Delta in units of the underlying, WAD.
    struct OptionQuote {
        VolatilitySlice slice;
        Snapshot snapshot;
        uint256 widening;
        uint256 unseen;
        int256 worth;
        int256 units;
    }

    uint256 private constant MAX_WORDS = 64;
    uint256 private constant NOTHING = type(uint256).max;
    uint256 private constant WAD = 1e18;
    uint256 private constant RATIO = 1e8;
    uint256 private constant MAX_SPOT = ((1 << 68) - 1) * 1e6;
    uint256 private constant STRIKE_UNIT = 1e10;

    /// @dev Units of an option's delta: WAD × 2^40 on the open part of the settlement price (2^-64) and the forward.
    uint256 private constant DELTA_SHIFT = 40 + 64;

    IOracleAdapter public immutable ORACLE;
    NormalTable public immutable TABLE = new NormalTable();

    /// @dev Thrown for a word that is no position.
    error RuleEngine_UnknownKind(Position word);
    /// @dev Thrown for more words than an account can hold.
    error RuleEngine_TooManyWords(uint256 count, uint256 limit);
    /// @dev Thrown when a position rests on a price that was never accepted.
    error RuleEngine_PriceNeverAccepted(uint16 underlying);
    /// @dev Thrown when a price to assess at does not fit a snapshot.
    error RuleEngine_SpotOutOfRange(uint256 spot, uint256 limit);

    constructor(address authority, IClearinghouse clearinghouse, IOracleAdapter oracle)
        AccessManaged(authority)
        RampTime(clearinghouse)
    {
        ORACLE = oracle;
    }

    /// @inheritdoc IRiskEngine
    /// @dev There are no scenarios: for a witness it answers the whole MM, the best lower bound of itself, and no IM. A
    /// keeper may name any, and saves reading open interest.
    function assess(int256 cash, uint256 mode, Position[] calldata words)
        external
        view
        returns (Margin memory)
    {
        Tally memory tally;
        tally.full = mode == ASSESS_ALL || mode == ASSESS_MAINTENANCE;
        tally.moved = NOTHING;
        return _assess(tally, cash, words);
    }

    /// @inheritdoc IRiskEngine
    function assessAt(int256 cash, Position[] calldata words, uint16 underlying, uint256 spot)
        external
        view
        returns (Margin memory)
    {
        if (spot > MAX_SPOT) revert RuleEngine_SpotOutOfRange(spot, MAX_SPOT);
        Tally memory tally;
        tally.full = true;
        tally.moved = underlying;
        tally.spot = spot;
        return _assess(tally, cash, words);
    }

    /// @inheritdoc IRiskEngine
    /// @dev The price at which accounts are valued, and a delta away from zero.
    function fairPrice(Instrument series) external view returns (uint256 price, int256 delta) {
        Position one = Position.wrap(Instrument.unwrap(series) | WAD);
        if (one.kind() != KIND_OPTION) revert RuleEngine_UnknownKind(one);
        Tally memory tally;
        tally.moved = NOTHING;
        OptionQuote memory quote = _quote(tally, one);
        return (uint256(quote.worth) / WAD, quote.units); // worth is a whole number of units: WAD × price
    }

    /// @inheritdoc IRiskEngine
    function supportsAsset(uint16 asset) external view returns (bool) {
        return _knowsAsset(asset);
    }

    /// @inheritdoc IRiskEngine
    /// @dev MM is about a quarter here of what the scenarios ask of a single perpetual. So the discount, a part of MM,
    /// goes further: from 0.05 % of notional to 1.25 % of it within a move of 2.5 %, where at 10 % of MM a keeper would
    /// earn less than hedging costs. And a slice ends a full point of notional above MM: any nearer, and the next tick
    /// would call for another.
    function liquidationTerms() external pure returns (LiquidationTerms memory) {
        return LiquidationTerms({
            targetHealth: 1.2e18, discountMin: 0.01e18, discountMax: 0.25e18, discountMaxHealth: 0.5e18
        });
    }

    // ---- Reading the account ----

    function _assess(Tally memory tally, int256 cash, Position[] calldata words)
        private
        view
        returns (Margin memory margin)
    {
        uint256 length = words.length;
        if (length > MAX_WORDS) revert RuleEngine_TooManyWords(length, MAX_WORDS);
        for (uint256 i; i < length; ++i) {
            Position word = words[i];
            uint256 kind = word.kind();
            if (kind == KIND_PERP) _addPerp(tally, word);
            else if (kind == KIND_COLLATERAL) _addCollateral(tally, word);
            else if (kind == KIND_OPTION) _addOption(tally, word);
            else revert RuleEngine_UnknownKind(word);
        }
        margin.equity = cash + tally.value + Wad.divFloor(tally.optionWorth, int256(WAD));
        margin.initial = FixedPointMathLib.divUp(tally.initial, RATIO);
        margin.maintenance = FixedPointMathLib.divUp(tally.maintenance, RATIO);
        margin.perpNotional = tally.perpNotional;
        margin.fresh = !tally.stale;
        margin.credit = tally.credit / RATIO;
    }

    function _addPerp(Tally memory tally, Position word) private view {
        uint16 underlying = word.id();
        (Ramp forMaintenance, Ramp forInitial, uint64 depth) = _perp(underlying);
        (Snapshot snapshot, uint256 widening, uint256 shift) = _price(tally, underlying);
        int256 size = word.perpSize();
        unchecked {
            uint256 product = FixedPointMathLib.abs(size) * snapshot.mark();
            uint256 gross = FixedPointMathLib.divUp(product, WAD);
            uint256 maintenance = forMaintenance.atUp(block.timestamp);
            tally.value += (size < 0 ? -int256(gross) : int256(product / WAD)) + word.perpQuote();
            tally.perpNotional += gross;
            tally.maintenance += gross * maintenance;
            if (shift != 0) tally.credit += product / WAD * FixedPointMathLib.min(shift, maintenance);
            if (!tally.full) return;
            uint256 rate = _concentrated(underlying, forInitial.atUp(block.timestamp), depth);
            tally.initial += gross * _widened(rate, widening) + _initialOnly(size, snapshot);
        }
    }

    /// @dev Collateral never requires more than it is worth, so that being given some never hurts.
    function _addCollateral(Tally memory tally, Position word) private view {
        (Ramp forMaintenance, Ramp forInitial, uint16 underlying, uint8 decimals) = _asset(word.id());
        (Snapshot snapshot, uint256 widening, uint256 shift) = _price(tally, underlying);
        uint256 maintenance = _rest(forMaintenance);
        unchecked {
            uint256 unit = 10 ** decimals; // the Clearinghouse registers no token of more than 18
            uint256 amount = word.amount();
            uint256 product = amount * snapshot.spot();
            uint256 gross = FixedPointMathLib.divUp(product, unit);
            tally.value += int256(product / unit);
            tally.maintenance += gross * maintenance;
            if (shift != 0) tally.credit += product / unit * FixedPointMathLib.min(shift, maintenance);
            if (!tally.full) return;
            uint256 charge = gross * _widened(_rest(forInitial), widening)
                + _initialOnly(int256(amount * (WAD / unit)), snapshot);
            tally.initial += FixedPointMathLib.min(charge, gross * RATIO);
        }
    }

    /// @dev A long option requires all that it is worth, so it lends nothing, also once its expiry is settled: the payoff
    /// may still have to meet a bankrupt writer's loss. A settled short option owes what it owes.
    function _addOption(Tally memory tally, Position word) private view {
        OptionQuote memory quote = _quote(tally, word);
        tally.optionWorth += quote.worth;
        if (word.optionSize() > 0) _addLong(tally, quote);
        else if (!quote.slice.isFixed()) _addShort(tally, word, quote);
    }

    function _addLong(Tally memory tally, OptionQuote memory quote) private pure {
        unchecked {
            uint256 whole = FixedPointMathLib.divUp(uint256(quote.worth), WAD) * RATIO;
            tally.maintenance += whole;
            tally.credit += FixedPointMathLib.min(quote.unseen, whole);
            if (tally.full) tally.initial += whole;
        }
    }

    /// @dev Volatility that was never published is unknown: then a short option is asked for the most that it can cost.
    function _addShort(Tally memory tally, Position word, OptionQuote memory quote) private view {
        OptionRule memory rule = _option(word.id());
        uint256 spot = quote.snapshot.spot();
        unchecked {
            ShortOption memory short = RuleOptions.make({
                amount: FixedPointMathLib.abs(word.optionSize()),
                spot: spot,
                strike: word.strike() * STRIKE_UNIT,
                isPut: word.isPut(),
                mark: FixedPointMathLib.divUp(uint256(-quote.worth), WAD)
            });
            bool known = quote.slice.isKnown();
            uint256 rate = known ? rule.maintenance.atUp(block.timestamp) : NOTHING;
            uint256 maintenance = short.maintenance(rate);
            tally.maintenance += maintenance;
            tally.credit += FixedPointMathLib.min(quote.unseen, maintenance);
            if (!tally.full) return;
            uint256 initial = short.initial(
                rule.initial.atUp(block.timestamp), rule.initialFloor.atUp(block.timestamp), quote.widening
            );
            tally.initial += FixedPointMathLib.max(initial, maintenance)
            + _initialOnly(quote.units, quote.snapshot);
        }
    }

    /// @dev Reads what an option rests on and values it. A slice that is overdue widens IM as a stale price does.
    function _quote(Tally memory tally, Position word) private view returns (OptionQuote memory quote) {
        (uint16 underlying, uint256 date) = (word.id(), word.expiry());
        VolatilitySlice slice = _slice(underlying, date);
        Expiry expiry = OptionBook.makeExpiry(Expiry.wrap(0), date);
        expiry.add(word.strike(), word.optionSize(), word.isPut());
        quote.slice = slice;
        if (slice.isFixed()) {
            quote.worth = OptionPricing.payoffs(expiry, slice.settlementPrice());
            return quote;
        }
        uint256 shift;
        (quote.snapshot, quote.widening, shift) = _price(tally, underlying);
        uint256 overdue = slice.overdue(block.timestamp);
        if (slice.isKnown() && block.timestamp < date && overdue != 0) {
            tally.stale = true;
            quote.widening = FixedPointMathLib.divUp(quote.widening * Staleness.widening(overdue), RATIO);
        }
        (uint256 elapsed, uint256 mean) = (0, 0);
        if (block.timestamp + OptionPricing.WINDOW > date) {
            (elapsed, mean) = ORACLE.settlementMean(underlying, uint32(date));
        }
        if (slice.isKnown()) _model(tally, expiry, quote, elapsed, mean);
        else _exercise(word, expiry, quote, elapsed, mean);
        unchecked {
            quote.unseen = FixedPointMathLib.abs(quote.units) * quote.snapshot.spot() / WAD * shift;
        }
    }

    /// @dev Worth and delta by the slice.
    function _model(
        Tally memory tally,
        Expiry expiry,
        OptionQuote memory quote,
        uint256 elapsed,
        uint256 mean
    ) private view {
        if (tally.table == 0) tally.table = OptionKernel.load(address(TABLE));
        Term memory term =
            OptionPricing.term(quote.snapshot, quote.slice, expiry.date(), block.timestamp, elapsed, mean);
        ExpiryTotals memory totals = OptionPricing.quote(expiry, term, tally.table);
        quote.worth = totals.worth;
        unchecked {
            uint256 delta = FixedPointMathLib.abs(totals.delta) * quote.slice.forwardRatio() / RATIO;
            int256 units = int256(FixedPointMathLib.divUp(delta * term.open, 1 << DELTA_SHIFT));
            quote.units = totals.delta < 0 ? -units : units;
        }
    }

    /// @dev Worth without a slice: what exercise would bring if the price stayed.
    function _exercise(Position word, Expiry expiry, OptionQuote memory quote, uint256 elapsed, uint256 mean)
        private
        pure
    {
        uint256 window = OptionPricing.WINDOW;
        unchecked {
            uint256 price = (mean * elapsed + quote.snapshot.spot() * (window - elapsed)) / window;
            quote.worth = OptionPricing.payoffs(expiry, price);
            if (quote.worth != 0) quote.units = word.isPut() ? -word.optionSize() : word.optionSize();
        }
    }

    function _slice(uint256 underlying, uint256 date) private view returns (VolatilitySlice) {
        uint256[] memory keys = new uint256[](1);
        keys[0] = underlying << 32 | date;
        return VolatilitySlice.wrap(ORACLE.market(keys)[0]);
    }

    /// @dev The accepted price, or the one to assess at; and of one that is not fresh, by how much IM on it widens and by
    /// how much of itself it may have moved unseen, 1e-8.
    function _price(Tally memory tally, uint16 underlying)
        private
        view
        returns (Snapshot snapshot, uint256 widening, uint256 shift)
    {
        snapshot = ORACLE.snapshot(underlying);
        if (snapshot.spot() == 0) revert RuleEngine_PriceNeverAccepted(underlying);
        widening = RATIO;
        if (!snapshot.isFresh(block.timestamp)) {
            tally.stale = true;
            uint256 age = snapshot.age(block.timestamp);
            widening = Staleness.widening(age);
            shift = Staleness.shift(snapshot.rangeMaintenance() / (WAD / RATIO), age);
        }
        if (tally.moved == underlying) snapshot = snapshot.withSpot(tally.spot);
    }

    // ---- Rates, 1e-8 ----

    /// @dev What a weight leaves, rounded up.
    function _rest(Ramp weight) private view returns (uint256) {
        unchecked {
            return RATIO - weight.atDown(block.timestamp); // a weight is under one
        }
    }

    /// @dev A rate on a price that may be stale: at most one, rounded up.
    function _widened(uint256 rate, uint256 widening) private pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.min(FixedPointMathLib.divUp(rate * widening, RATIO), RATIO);
        }
    }

    /// @dev rate × (1 + clip(OI/depth − 1, 0, 1)), rounded up: concentration is charged per market, never per account,
    /// since an account-level charge is evaded by splitting. The open interest is that before the trade under way.
    function _concentrated(uint16 underlying, uint256 rate, uint256 depth) private view returns (uint256) {
        if (depth == 0) return rate;
        (uint256 openInterest,,,) = CLEARINGHOUSE.market(underlying);
        unchecked {
            depth *= WAD;
            if (openInterest <= depth) return rate;
            uint256 excess = FixedPointMathLib.divUp((openInterest - depth) * RATIO, depth);
            return rate + FixedPointMathLib.divUp(rate * FixedPointMathLib.min(excess, RATIO), RATIO);
        }
    }

    /// @dev What only IM charges on a position, 1e-8 of WAD: the width of the price, and the part of its value that rests
    /// on the spot's departure from the stable price, so that a pumped price lends nothing at once.
    function _initialOnly(int256 units, Snapshot snapshot) private pure returns (uint256 sum) {
        unchecked {
            uint256 spot = snapshot.spot();
            uint256 money = FixedPointMathLib.divUp(FixedPointMathLib.abs(units) * spot, WAD);
            sum = money * (snapshot.confidence() / (WAD / RATIO));
            int256 pumped = units * (int256(spot) - int256(snapshot.stable()));
            if (pumped > 0) sum += FixedPointMathLib.divUp(uint256(pumped), WAD) * RATIO;
        }
    }
}
