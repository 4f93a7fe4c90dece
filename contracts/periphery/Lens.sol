// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Asset, IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {AccountId} from "../types/AccountId.sol";
import {Margin} from "../types/Margin.sol";
import {Instrument, KIND_COLLATERAL, KIND_PERP, Position} from "../types/Position.sol";
import {Wad} from "../math/Wad.sol";
import {Thresholds, ThresholdSearch} from "./ThresholdSearch.sol";

/// @notice What an account may do (specification §7.1).
enum State {
    Open,
    ReduceOnly,
    MarginCall,
    Liquidation,
    Bankrupt
}

/// @notice One position, decoded and valued (specification §15.5). All WAD.
/// @param instrument What is held: the position's word without quantities.
/// @param underlying Feed that prices it.
/// @param size Units of the underlying.
/// @param price Mark of a perpetual, fair price or payoff of one unit of an option, spot of collateral.
/// @param value What it adds to equity; for a perpetual this is its unsettled profit, funding included, and for an option
/// it is within 1e-8 of the spot a unit.
/// @param delta Change of the value with the spot, units of the underlying.
/// @param fundingPerDay Cash that the position pays a day at the present rate; negative if it receives.
struct PositionView {
    Instrument instrument;
    uint16 underlying;
    int256 size;
    uint256 price;
    int256 value;
    int256 delta;
    int256 fundingPerDay;
}

/// @notice Everything about one account. Money is WAD of cash, ratios are WAD.
/// @param marginCall Equity below which the account is called: min(1.1 × MM, IM).
/// @param health E/MM; the greatest integer if MM is zero.
/// @param leverage Σ |delta| × spot / E; the greatest integer if E is not positive.
/// @param thresholds For each underlying with exposure, the prices at which the account changes state.
struct AccountView {
    AccountId id;
    uint8 engine;
    State state;
    int256 cash;
    Margin margin;
    uint256 marginCall;
    int256 health;
    uint256 leverage;
    PositionView[] positions;
    Thresholds[] thresholds;
}

/// @notice What a keeper needs to know of an account. `known` is false if the account could not be valued.
struct HealthView {
    AccountId id;
    bool known;
    State state;
    Margin margin;
}

/// @title Views for people and keepers
/// @dev No state and no rights: everything here can be had from the other contracts' views.
contract Lens {
    IClearinghouse public immutable CLEARINGHOUSE;
    IOracleAdapter public immutable ORACLE;

    constructor(IClearinghouse clearinghouse) {
        CLEARINGHOUSE = clearinghouse;
        ORACLE = clearinghouse.ORACLE();
    }

    /// @notice Everything about one account. Costs millions of gas for the threshold prices: call it off-chain.
    function account(AccountId id) external view returns (AccountView memory result) {
        Position[] memory words;
        result.id = id;
        result.engine = CLEARINGHOUSE.engineOf(id);
        (result.cash, words) = CLEARINGHOUSE.portfolio(id);
        IRiskEngine engine = CLEARINGHOUSE.engine(result.engine);
        result.margin = CLEARINGHOUSE.margin(id, 0);
        result.marginCall = result.margin.marginCall();
        result.state = _state(result.margin);
        result.health = result.margin.maintenance == 0
            ? type(int256).max
            : result.margin.equity * 1e18 / int256(result.margin.maintenance);
        result.positions = _positions(engine, words);
        uint16[] memory underlyings = _underlyings(result.positions);
        result.leverage = _leverage(result.positions, underlyings, result.margin.equity);
        result.thresholds = new Thresholds[](underlyings.length);
        for (uint256 i; i < underlyings.length; ++i) {
            uint256 spot = ORACLE.snapshot(underlyings[i]).spot();
            result.thresholds[i] = ThresholdSearch.find(engine, result.cash, words, underlyings[i], spot);
        }
    }

    /// @notice Margin and state of many accounts. One that cannot be valued does not stop the others.
    function health(AccountId[] calldata ids) external view returns (HealthView[] memory views) {
        views = new HealthView[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            views[i].id = ids[i];
            try CLEARINGHOUSE.margin(ids[i], 0) returns (Margin memory margin) {
                views[i].known = true;
                views[i].margin = margin;
                views[i].state = _state(margin);
            } catch {}
        }
    }

    function _state(Margin memory margin) private pure returns (State) {
        if (margin.equity < 0) return State.Bankrupt;
        if (margin.equity < int256(margin.maintenance)) return State.Liquidation;
        if (margin.equity < int256(margin.marginCall())) return State.MarginCall;
        if (margin.equity < int256(margin.initial)) return State.ReduceOnly;
        return State.Open;
    }

    function _positions(IRiskEngine engine, Position[] memory words)
        private
        view
        returns (PositionView[] memory views)
    {
        views = new PositionView[](words.length);
        for (uint256 i; i < words.length; ++i) {
            Position word = words[i];
            if (word.kind() == KIND_PERP) views[i] = _perp(word);
            else if (word.kind() == KIND_COLLATERAL) views[i] = _collateral(word);
            else views[i] = _option(engine, word);
        }
    }

    function _option(IRiskEngine engine, Position word) private view returns (PositionView memory) {
        Instrument series = word.instrument();
        (uint256 price, int256 delta) = engine.fairPrice(series);
        return PositionView({
            instrument: series,
            underlying: word.id(),
            size: word.optionSize(),
            price: price,
            value: Wad.mulFloor(word.optionSize(), int256(price)),
            delta: Wad.mulFloor(word.optionSize(), delta),
            fundingPerDay: 0
        });
    }

    function _perp(Position word) private view returns (PositionView memory) {
        uint256 mark = ORACLE.snapshot(word.id()).mark();
        (,, int256 rate,) = CLEARINGHOUSE.market(word.id());
        return PositionView({
            instrument: word.instrument(),
            underlying: word.id(),
            size: word.perpSize(),
            price: mark,
            value: Wad.mulFloor(word.perpSize(), int256(mark)) + word.perpQuote(),
            delta: word.perpSize(),
            fundingPerDay: Wad.mulCeil(word.perpSize(), rate * 1 days)
        });
    }

    function _collateral(Position word) private view returns (PositionView memory) {
        Asset memory asset = CLEARINGHOUSE.asset(word.id());
        uint256 spot = ORACLE.snapshot(asset.underlying).spot();
        uint256 unit = 10 ** asset.decimals;
        int256 size = int256(Math.mulDiv(word.amount(), 1e18, unit));
        return PositionView({
            instrument: word.instrument(),
            underlying: asset.underlying,
            size: size,
            price: spot,
            value: int256(Math.mulDiv(word.amount(), spot, unit)),
            delta: size,
            fundingPerDay: 0
        });
    }

    /// @dev The underlyings of the positions, each once, in order of appearance.
    function _underlyings(PositionView[] memory positions) private pure returns (uint16[] memory found) {
        found = new uint16[](positions.length);
        uint256 count;
        for (uint256 i; i < positions.length; ++i) {
            uint256 j;
            while (j < count && found[j] != positions[i].underlying) ++j;
            if (j == count) found[count++] = positions[i].underlying;
        }
        assembly ("memory-safe") {
            mstore(found, count)
        }
    }

    function _leverage(PositionView[] memory positions, uint16[] memory underlyings, int256 equity)
        private
        view
        returns (uint256)
    {
        if (equity <= 0) return type(uint256).max;
        uint256 exposure;
        for (uint256 i; i < underlyings.length; ++i) {
            int256 delta;
            for (uint256 j; j < positions.length; ++j) {
                if (positions[j].underlying == underlyings[i]) delta += positions[j].delta;
            }
            exposure += Math.mulDiv(Wad.abs(delta), ORACLE.snapshot(underlyings[i]).spot(), 1e18);
        }
        return Math.mulDiv(exposure, 1e18, uint256(equity));
    }
}
