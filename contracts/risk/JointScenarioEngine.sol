// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {ASSESS_ALL, LiquidationTerms, Margin} from "../types/Margin.sol";
import {KIND_COLLATERAL, KIND_OPTION, KIND_PERP, Position} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {Wad} from "../math/Wad.sol";
import {RiskParameters} from "./RiskParameters.sol";
import {AssetWord, UnderlyingWord} from "./RiskWords.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title Ballast's joint-scenario margin engine, for books of perpetuals and collateral
/// @notice Margin is the worst joint loss of the whole account over named scenarios, plus add-ons (specification §6).
/// @dev A view over (cash, words, accepted prices). A book without options is linear in every price, so the loss in a
/// scenario is exposure × move and the maximum over core nodes is at the ends.
///
/// Arithmetic is unchecked. Its bounds: a price is under 2^88 and a mark under 2^89; a size under 2^103, so size × mark
/// under 2^192 and its money under 2^133; the Clearinghouse caps an asset at 2^72 whole tokens, so amount × spot is under
/// 2^216 and its money under 2^160; 64 positions add 2^6, rates 2^16, ranges and moves 2^62.
contract JointScenarioEngine is IRiskEngine, RiskParameters {
    /// @dev What an account holds of one underlying.
    /// @param money Σ size × mark + Σ amount × spot, signed, WAD of cash: the loss that a unit move makes.
    /// @param units The same in units of the underlying, WAD.
    struct Exposure {
        uint256 underlying;
        Snapshot snapshot;
        UnderlyingWord risk;
        int256 money;
        int256 units;
    }

    /// @dev Sums over an account. Add-ons are in 1e-4 of WAD, so that each kind rounds once.
    struct Book {
        int256 equity;
        uint256 addOnMaintenance;
        uint256 addOnInitial;
        uint256 perpNotional;
        uint256 count;
        Exposure[] exposures;
    }

    /// @dev Losses are summed unrounded, in 4e18ths of WAD: quarters of κ or of a range, times WAD ranges.
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
        book.exposures = _exposures(words.length);
        unchecked {
            for (uint256 i; i < words.length; ++i) {
                Position word = words[i];
                uint256 kind = word.kind();
                if (kind == KIND_PERP) {
                    _addPerp(book, _exposure(book, word.id(), moved, spot), word);
                } else if (kind == KIND_COLLATERAL) {
                    AssetWord asset = _assetWord(word.id());
                    _addCollateral(
                        book, _exposure(book, asset.underlying(), moved, spot), asset, word.amount()
                    );
                } else if (kind == KIND_OPTION) {
                    revert JointScenarioEngine_OptionUnsupported(word);
                } else {
                    revert JointScenarioEngine_UnknownKind(word);
                }
            }
        }
    }

    function _addPerp(Book memory book, Exposure memory exposure, Position word) private pure {
        unchecked {
            int256 size = word.perpSize();
            int256 product = size * int256(exposure.snapshot.mark());
            int256 money = product / Wad.ONE;
            uint256 gross = uint256(money < 0 ? -money : money);
            if (money * Wad.ONE != product) {
                gross += 1;
                if (product < 0) money -= 1;
            }
            book.equity += money + word.perpQuote();
            exposure.money += money;
            exposure.units += size;
            book.perpNotional += gross;
            book.addOnMaintenance += gross * exposure.risk.perpMaintenance();
            book.addOnInitial += gross * exposure.risk.perpInitial();
        }
    }

    function _addCollateral(Book memory book, Exposure memory exposure, AssetWord asset, uint256 amount)
        private
        pure
    {
        unchecked {
            uint256 unit = asset.unit();
            uint256 value = amount * exposure.snapshot.spot() / unit;
            book.equity += int256(value);
            exposure.money += int256(value);
            exposure.units += int256(amount * 1e18 / unit);
            uint256 haircut = asset.haircut();
            book.addOnMaintenance += value * haircut;
            book.addOnInitial += value * (haircut + asset.extraHaircut());
        }
    }

    /// @dev The account's exposure to an underlying; the first position in it reads its price and parameters.
    function _exposure(Book memory book, uint16 underlying, uint16 moved, uint256 spot)
        private
        view
        returns (Exposure memory exposure)
    {
        unchecked {
            uint256 count = book.count;
            Exposure[] memory exposures = book.exposures;
            for (uint256 i; i < count; ++i) {
                exposure = exposures[i];
                if (exposure.underlying == underlying) return exposure;
            }
            Snapshot snapshot = ORACLE.snapshot(underlying);
            if (snapshot.spot() == 0) revert JointScenarioEngine_PriceNeverAccepted(underlying);
            if (spot != 0 && moved == underlying) snapshot = snapshot.withSpot(spot);
            exposure = Exposure(underlying, snapshot, _underlyingWord(underlying), 0, 0);
            exposures[count] = exposure;
            book.count = count + 1;
        }
    }

    function _margin(Book memory book, uint256 mode) private view returns (Margin memory margin) {
        margin.equity = book.equity;
        margin.perpNotional = book.perpNotional;
        unchecked {
            uint256 addOn = _ceil(book.addOnMaintenance, RATE_ONE);
            if (mode != ASSESS_ALL) {
                margin.fresh = _isFresh(book);
                margin.maintenance = _scaled(_lossIn(book, mode - 1)) + addOn;
                return margin;
            }
            uint256 lossMaintenance;
            uint256 lossInitial;
            uint256 initialOnly;
            (lossMaintenance, lossInitial, initialOnly, margin.fresh) = _worst(book);
            margin.maintenance = _scaled(lossMaintenance) + addOn;
            margin.initial = _ceil(lossInitial, LOSS_UNIT) + _ceil(book.addOnInitial, RATE_ONE) + initialOnly;
        }
        // The ranges of IM and MM differ, so a hedge may cancel better under the wider ones.
        if (margin.initial < margin.maintenance) margin.initial = margin.maintenance;
    }

    /// @dev W for MM and for IM, the greatest of L_same, L_dec and L_tail; the add-ons that only IM has; freshness.
    function _worst(Book memory book)
        private
        view
        returns (uint256 maintenance, uint256 initial, uint256 initialOnly, bool fresh)
    {
        int256 sameMaintenance;
        int256 sameInitial;
        uint256 widest;
        fresh = true;
        unchecked {
            for (uint256 i; i < book.count; ++i) {
                Exposure memory e = book.exposures[i];
                (uint256 rangeMaintenance, uint256 rangeInitial, bool isFresh) = _ranges(e);
                if (!isFresh) fresh = false;
                sameMaintenance += e.money * int256(rangeMaintenance);
                sameInitial += e.money * int256(rangeInitial);
                uint256 broken = _abs(e.money) * e.risk.kappaQuarters();
                maintenance += broken * rangeMaintenance;
                initial += broken * rangeInitial;
                initialOnly += _initialOnly(e);
                if (rangeInitial > widest) widest = rangeInitial;
                if (rangeMaintenance > widest) widest = rangeMaintenance;
            }
            maintenance = _max(maintenance, 4 * _abs(sameMaintenance));
            initial = _max(initial, 4 * _abs(sameInitial));
            // Where θ·R ≤ 33 % for all, every tail is θ times an end of the core, hence no worse.
            if (Scenarios.THETA * widest <= Scenarios.SMALLEST_TAIL * 1e18) {
                return (maintenance, initial, initialOnly, fresh);
            }
            for (uint256 tail; tail < Scenarios.TAILS; ++tail) {
                (uint256 lossMaintenance, uint256 lossInitial) = _tailLosses(book, tail);
                maintenance = _max(maintenance, lossMaintenance);
                initial = _max(initial, lossInitial);
            }
        }
    }

    /// @dev What only IM charges: the width of the price, and the part of equity that rests on spot's departure from
    /// the stable price, so that a pumped price lends nothing at once. WAD, rounded up.
    function _initialOnly(Exposure memory e) private pure returns (uint256 sum) {
        unchecked {
            uint256 spot = e.snapshot.spot();
            uint256 confidence = e.snapshot.confidence();
            if (confidence != 0) sum = _ceil(_ceil(_abs(e.units) * spot, 1e18) * confidence, 1e18);
            int256 pumped = e.units * (int256(spot) - int256(e.snapshot.stable()));
            if (pumped > 0) sum += _ceil(uint256(pumped), 1e18);
        }
    }

    /// @dev Scan ranges for MM and IM, WAD, and whether the price is fresh. While it is not, ranges widen by
    /// √(1 + age/4 h), rounded up. The cap comes last.
    function _ranges(Exposure memory e)
        private
        view
        returns (uint256 maintenance, uint256 initial, bool fresh)
    {
        Snapshot snapshot = e.snapshot;
        maintenance = snapshot.rangeMaintenance();
        initial = snapshot.rangeInitial();
        fresh = snapshot.isFresh(block.timestamp);
        unchecked {
            if (!fresh) {
                uint256 age = snapshot.age(block.timestamp);
                uint256 widening = FixedPointMathLib.sqrt(1e36 * (STALE_STEP + age) / STALE_STEP) + 1;
                maintenance = _ceil(maintenance * widening, 1e18);
                initial = _ceil(initial * widening, 1e18);
            }
        }
        uint256 cap = e.risk.rangeCap();
        if (maintenance > cap) maintenance = cap;
        if (initial > cap) initial = cap;
    }

    /// @dev Loss in one named scenario at the ranges of MM, zero for a gain.
    function _lossIn(Book memory book, uint256 column) private view returns (uint256 loss) {
        if (column >= Scenarios.COLUMNS) revert JointScenarioEngine_UnknownScenario(column);
        if (column >= Scenarios.CORE_COLUMNS) {
            (loss,) = _tailLosses(book, column - Scenarios.CORE_COLUMNS);
            return loss;
        }
        int256 same;
        unchecked {
            for (uint256 i; i < book.count; ++i) {
                (uint256 range,,) = _ranges(book.exposures[i]);
                same += book.exposures[i].money * int256(range);
            }
            int256 signed = -same * Scenarios.quarters(column);
            return signed > 0 ? uint256(signed) : 0;
        }
    }

    /// @dev Losses in a tail at the ranges of MM and of IM, zero for a gain.
    function _tailLosses(Book memory book, uint256 tail)
        private
        view
        returns (uint256 maintenance, uint256 initial)
    {
        int256 profitMaintenance;
        int256 profitInitial;
        unchecked {
            for (uint256 i; i < book.count; ++i) {
                Exposure memory e = book.exposures[i];
                (uint256 rangeMaintenance, uint256 rangeInitial,) = _ranges(e);
                profitMaintenance += e.money * Scenarios.weightedTailMove(tail, rangeMaintenance);
                profitInitial += e.money * Scenarios.weightedTailMove(tail, rangeInitial);
            }
            maintenance = profitMaintenance < 0 ? uint256(-profitMaintenance * 4) : 0;
            initial = profitInitial < 0 ? uint256(-profitInitial * 4) : 0;
        }
    }

    function _isFresh(Book memory book) private view returns (bool) {
        for (uint256 i; i < book.count; ++i) {
            if (!book.exposures[i].snapshot.isFresh(block.timestamp)) return false;
        }
        return true;
    }

    /// @dev Room for as many pointers as there are words. The structs are made when they are found, so the pointers
    /// need no initial value, and none beyond `count` is read.
    function _exposures(uint256 length) private pure returns (Exposure[] memory exposures) {
        assembly ("memory-safe") {
            exposures := mload(0x40)
            mstore(exposures, length)
            mstore(0x40, add(exposures, shl(5, add(length, 1))))
        }
    }

    /// @dev 0.80 × a loss, in WAD, rounded up.
    function _scaled(uint256 loss) private pure returns (uint256) {
        return _ceil(loss, LOSS_UNIT / 4 * 5);
    }

    function _ceil(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return a == 0 ? 0 : (a - 1) / b + 1;
        }
    }

    function _abs(int256 a) private pure returns (uint256) {
        unchecked {
            return uint256(a < 0 ? -a : a);
        }
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
