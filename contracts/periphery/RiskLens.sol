// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Asset, IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {Black76, Greeks} from "../math/Black76.sol";
import {ScanRange} from "../oracle/ScanRange.sol";
import {OptionPricing, Term} from "../risk/OptionPricing.sol";
import {Scenarios} from "../risk/Scenarios.sol";
import {AccountId} from "../types/AccountId.sol";
import {KIND_COLLATERAL, KIND_OPTION, Position} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {DeltaGamma} from "./DeltaGamma.sol";

/// @notice What an account gains as one underlying changes. WAD.
/// @param delta Units of the underlying.
/// @param gamma Change of delta with the spot, units for one of cash.
/// @param vega Cash for 1.00 of volatility, all strikes and expiries alike.
/// @param theta Cash a day that passes.
/// @param variance Of the spot's return in an hour: the greater of the adapter's two averages.
struct Sensitivities {
    uint16 underlying;
    uint256 spot;
    int256 delta;
    int256 gamma;
    int256 vega;
    int256 theta;
    uint256 variance;
}

/// @notice Which part of the worst joint loss sets MM (specification §6.3).
enum Binding {
    None,
    Same,
    Tail,
    Apart
}

/// @title Where the averages of squared returns are kept
interface IVariances {
    function scanRange(uint16 underlying) external view returns (ScanRange);
}

/// @title Risk of an account for people: Greeks, worst scenario, value at risk (specification §15)
/// @dev No state and no rights; nothing here is charged. Views of accounts revert while the Clearinghouse is locked, as its
/// own do. They cost what the account's positions cost; call them off-chain.
contract RiskLens {
    uint256 private constant WAD = 1e18;
    int256 private constant ONE = 1e18;
    uint256 private constant STRIKE_UNIT = 1e10;
    uint256 private constant PRICE_UNIT = 1e6;
    int256 private constant FINE = 1e9; // WAD in 1e-27

    IClearinghouse public immutable CLEARINGHOUSE;
    IOracleAdapter public immutable ORACLE;

    /// @dev Thrown when a correlation is over one.
    error RiskLens_CorrelationOutOfRange(uint256 correlation, uint256 limit);

    constructor(IClearinghouse clearinghouse) {
        CLEARINGHOUSE = clearinghouse;
        ORACLE = clearinghouse.ORACLE();
    }

    /// @notice Greeks of an account, underlying by underlying.
    function greeks(AccountId id) external view returns (Sensitivities[] memory) {
        (, Position[] memory words) = CLEARINGHOUSE.portfolio(id);
        return greeksOf(words);
    }

    /// @notice Value at risk and expected shortfall of an account, WAD of cash; see `valueAtRiskOf`.
    function valueAtRisk(AccountId id, uint256 horizon, uint256 correlation)
        external
        view
        returns (uint256 value, uint256 shortfall)
    {
        (, Position[] memory words) = CLEARINGHOUSE.portfolio(id);
        return valueAtRiskOf(words, horizon, correlation);
    }

    /// @notice The scenario that sets an account's MM; see `worstScenarioOf`.
    function worstScenario(AccountId id)
        external
        view
        returns (Binding part, uint256 column, uint256 margin)
    {
        (int256 cash, Position[] memory words) = CLEARINGHOUSE.portfolio(id);
        return worstScenarioOf(CLEARINGHOUSE.engine(CLEARINGHOUSE.engineOf(id)), cash, words);
    }

    /// @notice Loss within `horizon` seconds that is exceeded with a probability of 1 %, and the mean of those losses.
    /// @dev Volatility stays as it is, time stands still, any two underlyings have `correlation` (WAD), and returns are
    /// normal with the adapter's averaged variance: zero before there are samples.
    function valueAtRiskOf(Position[] memory words, uint256 horizon, uint256 correlation)
        public
        view
        returns (uint256 value, uint256 shortfall)
    {
        if (correlation > WAD) revert RiskLens_CorrelationOutOfRange(correlation, WAD);
        Sensitivities[] memory all = greeksOf(words);
        int256[] memory linear = new int256[](all.length);
        int256[] memory curve = new int256[](all.length);
        for (uint256 i; i < all.length; ++i) {
            int256 spot = int256(all[i].spot);
            uint256 variance = all[i].variance * horizon / 1 hours;
            linear[i] = all[i].delta * spot / ONE * int256(FixedPointMathLib.sqrt(variance * WAD)) / ONE;
            curve[i] = all[i].gamma * spot / ONE * spot / ONE * int256(variance) / ONE;
        }
        return DeltaGamma.lossesAt99(linear, curve, int256(correlation) * FINE);
    }

    /// @notice The part of the worst loss that sets MM, its column and the MM that the column alone asks for.
    /// @dev `Apart` if no column explains MM: correlation between underlyings or expiries breaks; the column is then that
    /// of the worst joint move. `None` if all columns ask for the same: there is no loss, or the engine has no scenarios.
    function worstScenarioOf(IRiskEngine engine, int256 cash, Position[] memory words)
        public
        view
        returns (Binding part, uint256 column, uint256 margin)
    {
        uint256 whole = engine.assess(cash, 0, words).maintenance;
        uint256 least = type(uint256).max;
        for (uint256 i; i < Scenarios.COLUMNS; ++i) {
            uint256 one = engine.assess(cash, i + 1, words).maintenance;
            if (one > margin) (column, margin) = (i, one);
            least = FixedPointMathLib.min(least, one);
        }
        if (margin < whole) part = Binding.Apart;
        else if (least == margin) part = Binding.None;
        else part = column < Scenarios.CORE_COLUMNS ? Binding.Same : Binding.Tail;
    }

    /// @notice Greeks of positions, underlying by underlying in order of appearance.
    function greeksOf(Position[] memory words) public view returns (Sensitivities[] memory all) {
        all = new Sensitivities[](words.length);
        uint256 count;
        for (uint256 i; i < words.length; ++i) {
            Position word = words[i];
            Asset memory asset;
            uint16 underlying = word.id();
            if (word.kind() == KIND_COLLATERAL) {
                asset = CLEARINGHOUSE.asset(underlying);
                underlying = asset.underlying;
            }
            uint256 at;
            while (at < count && all[at].underlying != underlying) ++at;
            if (at == count) all[count++] = _begin(underlying);
            if (word.kind() == KIND_OPTION) _addOption(all[at], word);
            else if (word.kind() != KIND_COLLATERAL) all[at].delta += word.perpSize();
            else all[at].delta += int256(word.amount() * WAD / 10 ** asset.decimals);
        }
        assembly ("memory-safe") {
            mstore(all, count) // count ≤ length: the array only gets shorter
        }
    }

    function _begin(uint16 underlying) private view returns (Sensitivities memory found) {
        ScanRange range = IVariances(address(ORACLE)).scanRange(underlying);
        found.underlying = underlying;
        found.spot = ORACLE.snapshot(underlying).spot();
        found.variance = FixedPointMathLib.max(range.varianceFast(), range.varianceSlow());
    }

    /// @dev Of a settled expiry nothing changes; one without volatility counts as if it were exercised.
    function _addOption(Sensitivities memory found, Position word) private view {
        uint16 underlying = found.underlying;
        uint256 expiry = word.expiry();
        uint256[] memory keys = new uint256[](2);
        keys[0] = uint256(underlying) << 32;
        keys[1] = keys[0] | expiry;
        uint256[] memory market = ORACLE.market(keys);
        VolatilitySlice slice = VolatilitySlice.wrap(market[1]);
        if (slice.isFixed()) return;
        if (!slice.isKnown()) {
            uint256 strike = word.strike() * STRIKE_UNIT;
            if (word.isPut() && found.spot < strike) found.delta -= word.optionSize();
            if (!word.isPut() && found.spot > strike) found.delta += word.optionSize();
            return;
        }
        (uint256 elapsed, uint256 mean) = (0, 0);
        if (block.timestamp + OptionPricing.WINDOW > expiry) {
            (elapsed, mean) = ORACLE.settlementMean(underlying, uint32(expiry));
        }
        Term memory term =
            OptionPricing.term(Snapshot.wrap(market[0]), slice, expiry, block.timestamp, elapsed, mean);
        _addModelled(found, word, term);
    }

    /// @dev Black-76 is in the settlement price, of which only a part still moves, and with the forward.
    function _addModelled(Sensitivities memory found, Position word, Term memory term) private pure {
        uint256 factor = OptionPricing.factor(term);
        if (factor == 0) return;
        (, int256 logKappa) = OptionPricing.moneyness(term, word.strike());
        uint256 volatility = FixedPointMathLib.sqrt(term.slice.annualVariance(logKappa) * WAD);
        uint256 part = term.open * WAD / factor;
        Greeks memory unit = Black76.greeks(
            term.forward * PRICE_UNIT * factor >> 64,
            word.strike() * STRIKE_UNIT,
            volatility * part / WAD,
            term.span * WAD / term.divisor,
            word.isPut()
        );
        int256 size = word.optionSize();
        int256 slope = int256(term.slice.forwardRatio() * STRIKE_UNIT * term.open >> 64);
        found.delta += size * unit.delta / ONE * slope / ONE;
        found.gamma += size * int256(unit.gamma) / ONE * slope / ONE * slope / ONE;
        found.vega += size * int256(unit.vega) / ONE * int256(part) / ONE;
        found.theta += size * unit.theta / ONE * 1 days / int256(term.divisor);
    }
}
