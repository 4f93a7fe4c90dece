// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {IVolatilitySource} from "../interfaces/IVolatilityBoard.sol";
import {Wad} from "../math/Wad.sol";
import {ASSESS_ALL, ASSESS_MAINTENANCE, LiquidationTerms, Margin} from "../types/Margin.sol";
import {Instrument, KIND_OPTION, Position} from "../types/Position.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";

/// @title A source whose reports are slices as they are, for tests
contract MockVolatilitySource is IVolatilitySource {
    function observe(uint16, uint32, bytes calldata reports)
        external
        pure
        returns (VolatilitySlice word, bool agreed)
    {
        return (abi.decode(reports, (VolatilitySlice)), true);
    }
}

/// @title An engine that takes the value of options from a table and of everything else from another engine
/// @dev Longs lend nothing; shorts require a part of the spot. Fixed series are worth their payoff.
contract MockOptionEngine is IRiskEngine {
    uint256 private constant SHORT_MAINTENANCE = 0.1e18;
    uint256 private constant SHORT_INITIAL = 0.15e18;

    IRiskEngine public immutable INNER;
    IOracleAdapter public immutable ORACLE;

    mapping(Instrument series => uint256) private _prices;
    mapping(Instrument series => int256) private _deltas;

    error MockOptionEngine_NoVolatility(Instrument series);

    constructor(IRiskEngine inner, IOracleAdapter oracle) {
        INNER = inner;
        ORACLE = oracle;
    }

    function setOption(Instrument series, uint256 price, int256 delta) external {
        (_prices[series], _deltas[series]) = (price, delta);
    }

    function assess(int256 cash, uint256 mode, Position[] calldata words)
        external
        view
        returns (Margin memory margin)
    {
        margin = INNER.assess(cash, mode, _others(words));
        for (uint256 i; i < words.length; ++i) {
            if (words[i].kind() == KIND_OPTION) {
                _add(margin, words[i], mode == ASSESS_ALL || mode == ASSESS_MAINTENANCE);
            }
        }
    }

    function assessAt(int256 cash, Position[] calldata words, uint16 underlying, uint256 spot)
        external
        view
        returns (Margin memory)
    {
        return INNER.assessAt(cash, words, underlying, spot);
    }

    function fairPrice(Instrument series) public view returns (uint256 price, int256 delta) {
        if (!ORACLE.slice(series.id(), series.expiry()).isKnown()) {
            revert MockOptionEngine_NoVolatility(series);
        }
        return (_prices[series], _deltas[series]);
    }

    function supportsAsset(uint16 asset) external view returns (bool) {
        return INNER.supportsAsset(asset);
    }

    function liquidationTerms() external view returns (LiquidationTerms memory) {
        return INNER.liquidationTerms();
    }

    function _add(Margin memory margin, Position word, bool initial) private view {
        Instrument series = word.instrument();
        VolatilitySlice slice = ORACLE.slice(series.id(), series.expiry());
        if (slice.isFixed()) {
            uint256 strike = series.strike() * 1e10;
            uint256 price = slice.settlementPrice();
            (uint256 high, uint256 low) = series.isPut() ? (strike, price) : (price, strike);
            margin.equity += Wad.mulFloor(word.optionSize(), int256(Math.saturatingSub(high, low)));
            return;
        }
        (uint256 value,) = fairPrice(series);
        margin.equity += Wad.mulFloor(word.optionSize(), int256(value));
        uint256 spot = ORACLE.snapshot(series.id()).spot();
        if (!ORACLE.snapshot(series.id()).isFresh(block.timestamp)) margin.fresh = false;
        bool short = word.optionSize() < 0;
        margin.maintenance += _part(word, short ? spot * SHORT_MAINTENANCE / 1e18 : value);
        if (initial) margin.initial += _part(word, short ? spot * SHORT_INITIAL / 1e18 : value);
    }

    function _part(Position word, uint256 rate) private pure returns (uint256) {
        return Math.mulDiv(Wad.abs(word.optionSize()), rate, 1e18, Math.Rounding.Ceil);
    }

    function _others(Position[] calldata words) private pure returns (Position[] memory others) {
        uint256 count;
        others = new Position[](words.length);
        for (uint256 i; i < words.length; ++i) {
            if (words[i].kind() != KIND_OPTION) others[count++] = words[i];
        }
        assembly ("memory-safe") {
            mstore(others, count)
        }
    }
}
