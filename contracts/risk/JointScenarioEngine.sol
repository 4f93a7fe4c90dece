// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {ASSESS_ALL, LiquidationTerms, Margin} from "../types/Margin.sol";
import {KIND_COLLATERAL, KIND_OPTION, KIND_PERP, Position} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {Wad} from "../math/Wad.sol";
import {AssetRisk, RiskParameters, UnderlyingRisk} from "./RiskParameters.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title Ballast's joint-scenario margin engine, for books of perpetuals and collateral
/// @notice Margin is the worst joint loss of the whole account over named scenarios, plus add-ons (specification §6).
/// @dev A view over (cash, words, accepted prices). A book without options is linear in every price, so the loss in a
/// scenario is exposure × move and the maximum over core nodes is at the ends.
contract JointScenarioEngine is IRiskEngine, RiskParameters {
    /// @dev What an account holds of one underlying.
    /// @param money Σ size × mark + Σ amount × spot, signed, WAD of cash: the loss a unit move makes.
    /// @param units The same in units of the underlying, WAD.
    /// @param rangeMaintenance Scan range for MM, staleness and cap included, WAD.
    /// @param rangeInitial The same for IM.
    struct Exposure {
        uint256 underlying;
        Snapshot snapshot;
        UnderlyingRisk risk;
        int256 money;
        int256 units;
        uint256 rangeMaintenance;
        uint256 rangeInitial;
    }

    /// @dev Sums over an account. Add-ons are in 1e-4 of WAD until the end, so that each rounds once.
    struct Book {
        int256 equity;
        uint256 addOnMaintenance;
        uint256 addOnInitial;
        uint256 perpNotional;
        bool fresh;
        uint256 count;
        Exposure[] exposures;
    }

    /// @dev Losses in 4e18ths of WAD: quarters of κ and of a range times a WAD move, unrounded.
    uint256 private constant LOSS_UNIT = 4e18;
    uint256 private constant RATE_ONE = 1e4;
    uint256 private constant STALE_STEP = 4 hours;

    IOracleAdapter public immutable ORACLE;

    /// @dev Thrown for an option: this engine does not price them.
    error JointScenarioEngine_OptionUnsupported(Position word);
    /// @dev Thrown for a word that is no position.
    error JointScenarioEngine_UnknownKind(Position word);
    /// @dev Thrown when a position rests on a price that was never accepted.
    error JointScenarioEngine_PriceNeverAccepted(uint16 underlying);
    /// @dev Thrown when a witness names no scenario.
    error JointScenarioEngine_UnknownScenario(uint256 column);

    constructor(address authority, IClearinghouse clearinghouse, IOracleAdapter oracle)
        AccessManaged(authority)
        RiskParameters(clearinghouse)
    {
        ORACLE = oracle;
    }

    /// @inheritdoc IRiskEngine
    function assess(int256 cash, uint256 mode, Position[] calldata words)
        external
        view
        returns (Margin memory)
    {
        return _margin(_read(cash, words, 0, 0), mode);
    }

    /// @inheritdoc IRiskEngine
    function assessAt(int256 cash, Position[] calldata words, uint16 underlying, uint256 spot)
        external
        view
        returns (Margin memory)
    {
        return _margin(_read(cash, words, underlying, spot), ASSESS_ALL);
    }

    /// @inheritdoc IRiskEngine
    function liquidationTerms() external pure returns (LiquidationTerms memory) {
        return LiquidationTerms({
            targetHealth: 1.15e18, discountMin: 0.005e18, discountMax: 0.1e18, discountMaxHealth: 0.5e18
        });
    }

    /// @dev Values every word and sums exposures by underlying. `spot`, if not zero, replaces the accepted price of
    /// `moved`.
    function _read(int256 cash, Position[] calldata words, uint16 moved, uint256 spot)
        private
        view
        returns (Book memory book)
    {
        book.equity = cash;
        book.fresh = true;
        book.exposures = new Exposure[](words.length);
        for (uint256 i; i < words.length; ++i) {
            Position word = words[i];
            uint256 kind = word.kind();
            if (kind == KIND_PERP) _addPerp(book, word, moved, spot);
            else if (kind == KIND_COLLATERAL) _addCollateral(book, word, moved, spot);
            else if (kind == KIND_OPTION) revert JointScenarioEngine_OptionUnsupported(word);
            else revert JointScenarioEngine_UnknownKind(word);
        }
    }

    function _addPerp(Book memory book, Position word, uint16 moved, uint256 spot) private view {
        Exposure memory exposure = _exposure(book, word.id(), moved, spot);
        int256 size = word.perpSize();
        int256 mark = int256(exposure.snapshot.mark());
        int256 money = Wad.mulFloor(size, mark);
        book.equity += money + word.perpQuote();
        exposure.money += money;
        exposure.units += size;
        uint256 gross = uint256(Wad.mulCeil(int256(Wad.abs(size)), mark));
        book.perpNotional += gross;
        book.addOnMaintenance += gross * exposure.risk.perpMaintenance;
        book.addOnInitial += gross * exposure.risk.perpInitial;
    }

    function _addCollateral(Book memory book, Position word, uint16 moved, uint256 spot) private view {
        AssetRisk memory risk = _assetRisk(word.id());
        Exposure memory exposure = _exposure(book, risk.underlying, moved, spot);
        uint256 unit = 10 ** risk.decimals;
        uint256 value = word.amount() * exposure.snapshot.spot() / unit;
        book.equity += int256(value);
        exposure.money += int256(value);
        exposure.units += int256(word.amount() * 1e18 / unit);
        book.addOnMaintenance += value * risk.haircut;
        book.addOnInitial += value * (uint256(risk.haircut) + risk.extraHaircut);
    }

    /// @dev The account's exposure to an underlying; the first position in it reads its price and parameters.
    function _exposure(Book memory book, uint16 underlying, uint16 moved, uint256 spot)
        private
        view
        returns (Exposure memory exposure)
    {
        uint256 count = book.count;
        for (uint256 i; i < count; ++i) {
            exposure = book.exposures[i];
            if (exposure.underlying == underlying) return exposure;
        }
        exposure = book.exposures[count];
        book.count = count + 1;
        Snapshot snapshot = ORACLE.snapshot(underlying);
        if (snapshot.spot() == 0) revert JointScenarioEngine_PriceNeverAccepted(underlying);
        if (spot != 0 && moved == underlying) snapshot = snapshot.withSpot(spot);
        exposure.underlying = underlying;
        exposure.snapshot = snapshot;
        exposure.risk = _underlyingRisk(underlying);
        (exposure.rangeMaintenance, exposure.rangeInitial) = _ranges(snapshot, exposure.risk.rangeCap);
        if (!snapshot.isFresh(block.timestamp)) book.fresh = false;
    }

    /// @dev Scan ranges, WAD: widened by √(1 + age/4 h) while the price is not fresh, rounded up, then capped.
    function _ranges(Snapshot snapshot, uint256 capRate)
        private
        view
        returns (uint256 maintenance, uint256 initial)
    {
        maintenance = snapshot.rangeMaintenance();
        initial = snapshot.rangeInitial();
        if (!snapshot.isFresh(block.timestamp)) {
            uint256 age = snapshot.age(block.timestamp);
            uint256 widening = FixedPointMathLib.sqrt(1e36 * (STALE_STEP + age) / STALE_STEP) + 1;
            maintenance = Math.ceilDiv(maintenance * widening, 1e18);
            initial = Math.ceilDiv(initial * widening, 1e18);
        }
        uint256 cap = capRate * 1e14;
        if (maintenance > cap) maintenance = cap;
        if (initial > cap) initial = cap;
    }

    function _margin(Book memory book, uint256 mode) private pure returns (Margin memory margin) {
        margin.equity = book.equity;
        margin.perpNotional = book.perpNotional;
        margin.fresh = book.fresh;
        uint256 addOn = Math.ceilDiv(book.addOnMaintenance, RATE_ONE);
        if (mode != ASSESS_ALL) {
            margin.maintenance = _scaled(_lossIn(book, mode - 1)) + addOn;
            return margin;
        }
        (uint256 worstMaintenance, uint256 worstInitial) = _worst(book);
        margin.maintenance = _scaled(worstMaintenance) + addOn;
        margin.initial = Math.ceilDiv(worstInitial, LOSS_UNIT) + Math.ceilDiv(book.addOnInitial, RATE_ONE)
            + _initialAddOns(book);
        // The ranges of IM and MM differ, so a hedge may cancel better under the wider ones.
        if (margin.initial < margin.maintenance) margin.initial = margin.maintenance;
    }

    /// @dev 0.80 × a loss, in WAD, rounded up.
    function _scaled(uint256 loss) private pure returns (uint256) {
        return Math.ceilDiv(loss * 4, LOSS_UNIT * 5);
    }

    /// @dev W for MM and for IM: the greatest of L_same, L_dec and L_tail.
    function _worst(Book memory book) private pure returns (uint256 maintenance, uint256 initial) {
        int256 sameMaintenance;
        int256 sameInitial;
        bool tails;
        for (uint256 i; i < book.count; ++i) {
            Exposure memory e = book.exposures[i];
            sameMaintenance += e.money * int256(e.rangeMaintenance);
            sameInitial += e.money * int256(e.rangeInitial);
            uint256 broken = Wad.abs(e.money) * e.risk.kappaQuarters;
            maintenance += broken * e.rangeMaintenance;
            initial += broken * e.rangeInitial;
            // Where θ·R ≤ 33 % for all, every tail is θ times an end of the core, hence no worse.
            if (Scenarios.THETA * e.rangeInitial > Scenarios.SMALLEST_TAIL * 1e18) tails = true;
            if (Scenarios.THETA * e.rangeMaintenance > Scenarios.SMALLEST_TAIL * 1e18) tails = true;
        }
        maintenance = Math.max(maintenance, 4 * Wad.abs(sameMaintenance));
        initial = Math.max(initial, 4 * Wad.abs(sameInitial));
        if (!tails) return (maintenance, initial);
        for (uint256 tail; tail < Scenarios.TAILS; ++tail) {
            maintenance = Math.max(maintenance, _tailLoss(book, tail, false));
            initial = Math.max(initial, _tailLoss(book, tail, true));
        }
    }

    /// @dev Loss in one named scenario at the ranges of MM, zero for a gain.
    function _lossIn(Book memory book, uint256 column) private pure returns (uint256) {
        if (column >= Scenarios.COLUMNS) revert JointScenarioEngine_UnknownScenario(column);
        if (column >= Scenarios.CORE_COLUMNS) return _tailLoss(book, column - Scenarios.CORE_COLUMNS, false);
        int256 same;
        for (uint256 i; i < book.count; ++i) {
            same += book.exposures[i].money * int256(book.exposures[i].rangeMaintenance);
        }
        int256 loss = -same * Scenarios.quarters(column);
        return loss > 0 ? uint256(loss) : 0;
    }

    function _tailLoss(Book memory book, uint256 tail, bool initial) private pure returns (uint256) {
        int256 profit;
        for (uint256 i; i < book.count; ++i) {
            Exposure memory e = book.exposures[i];
            uint256 range = initial ? e.rangeInitial : e.rangeMaintenance;
            profit += e.money * Scenarios.weightedTailMove(tail, range);
        }
        return profit < 0 ? uint256(-profit * 4) : 0;
    }

    /// @dev What only IM charges: the width of the price, and the part of equity that rests on spot's departure from
    /// the stable price, so that a pumped price lends nothing at once.
    function _initialAddOns(Book memory book) private pure returns (uint256 sum) {
        for (uint256 i; i < book.count; ++i) {
            Exposure memory e = book.exposures[i];
            int256 spot = int256(e.snapshot.spot());
            uint256 width = uint256(Wad.mulCeil(int256(Wad.abs(e.units)), spot)) * e.snapshot.confidence();
            sum += Math.ceilDiv(width, 1e18);
            int256 pumped = Wad.mulCeil(e.units, spot - int256(e.snapshot.stable()));
            if (pumped > 0) sum += uint256(pumped);
        }
    }
}
