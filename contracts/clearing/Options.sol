// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Instrument, KIND_OPTION, Position, PositionLib} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {Wad} from "../math/Wad.sol";
import {Account, Accounts} from "./Accounts.sol";
import {Registry} from "./Registry.sol";

/// @title European options, settled in cash: series, open interest, conversion after expiry (specification §14)
/// @dev Storage: one word a series with both sides of its open interest, one an underlying with the units open in all
/// of its series and their cap. A series is nothing but its fields: it exists once it is listed by the OracleAdapter.
abstract contract Options is Accounts, Registry {
    using SafeCast for uint256;
    using SafeCast for int256;

    /// @param openInterest Σ of long sizes over every series of the underlying, WAD.
    /// @param cap Greatest `openInterest` that a trade may reach, WAD.
    struct OptionMarket {
        uint128 openInterest;
        uint128 cap;
    }

    /// @param long Σ of long sizes, WAD.
    /// @param short Σ of short sizes, WAD; equal to `long` until the first position of a fixed series is converted.
    struct SeriesInterest {
        uint128 long;
        uint128 short;
    }

    /// @dev Positions stay this long after their series was fixed, so that closing out a bankrupt writer still meets
    /// the longs on the other side.
    uint256 internal constant SETTLEMENT_DELAY = 1 hours;

    /// @dev Greatest ratio between strike and forward, either way, at which a series can be opened.
    uint256 private constant MAX_MONEYNESS = 64;
    /// @dev The least band of a fill, as a divisor of the spot: 2 %.
    uint256 private constant LEAST_BAND_DIVISOR = 50;
    /// @dev 1e-8 of cash, which strikes count, in WAD.
    uint256 private constant STRIKE_UNIT = 1e10;

    mapping(uint16 underlying => OptionMarket) private _optionMarkets;
    mapping(Instrument series => SeriesInterest) private _series;

    /// @dev Thrown when an option would trade at or after its expiry.
    error Clearinghouse_SeriesExpired(Instrument series, uint256 time);
    /// @dev Thrown when a series would be opened whose expiry or strike is not allowed.
    error Clearinghouse_SeriesNotListed(Instrument series);
    /// @dev Thrown when a series would be opened whose strike is over 64 times the forward or under a 64th of it.
    error Clearinghouse_StrikeTooFar(Instrument series, uint256 strike, uint256 forward);
    /// @dev Thrown when a trade would take the options open on an underlying over their cap.
    error Clearinghouse_OptionCapExceeded(uint16 underlying, uint256 openInterest, uint256 cap);

    function _optionMarket(uint16 underlying) internal view returns (OptionMarket storage) {
        return _optionMarkets[underlying];
    }

    function _seriesInterest(Instrument series) internal view returns (SeriesInterest storage) {
        return _series[series];
    }

    /// @dev What bounds a fill. The default engine's prices do, whatever engine the parties have selected.
    /// @return fairPrice Of one unit, WAD.
    /// @return band Greatest distance of a fill from it, WAD: the greater of 2 % of the spot and half the scan range on the
    /// option's delta.
    /// @return spot Accepted price of the underlying, WAD.
    function _optionTerms(Instrument series)
        internal
        view
        returns (int256 fairPrice, int256 band, uint256 spot)
    {
        if (block.timestamp >= series.expiry()) {
            revert Clearinghouse_SeriesExpired(series, block.timestamp);
        }
        Snapshot snapshot = ORACLE.snapshot(series.id());
        (uint256 price, int256 delta) = DEFAULT_ENGINE.fairPrice(series);
        spot = snapshot.spot();
        unchecked {
            uint256 move = spot * snapshot.rangeMaintenance() / 2e18; // under 2^88 · 2^60
            uint256 byDelta = Math.mulDiv(move, Wad.abs(delta), 1e18);
            return (price.toInt256(), int256(Math.max(spot / LEAST_BAND_DIVISOR, byDelta)), spot);
        }
    }

    /// @dev Fills `size` units. The buyer's premium rounds up, the seller's down.
    /// @return longDelta Change of the account's long size.
    /// @return claimDelta Change of its cash.
    function _fillOption(Account memory account, Instrument series, int256 size, int256 price)
        internal
        pure
        returns (int256 longDelta, int256 claimDelta)
    {
        claimDelta = -Wad.mulCeil(size, price);
        account.cash += claimDelta;
        longDelta = _addOption(account, series, size, account.words.length);
    }

    /// @dev Adds to the account's position, which is among its first `searched` words if it has one. A size that
    /// becomes zero removes the word. Returns the change of the account's long size.
    function _addOption(Account memory account, Instrument series, int256 size, uint256 searched)
        internal
        pure
        returns (int256 longDelta)
    {
        uint256 index = _findAmong(account.words, series, searched);
        if (index == account.words.length) {
            _append(account, PositionLib.option(series, size));
            return _longOf(size);
        }
        return _changeOption(account, index, series, size);
    }

    /// @dev Adds to the size of the word at `index`; zero removes it. Returns the change of the account's long size.
    function _changeOption(Account memory account, uint256 index, Instrument series, int256 size)
        internal
        pure
        returns (int256 longDelta)
    {
        int256 before = _at(account.words, index).optionSize();
        unchecked {
            int256 sum = before + size; // what wraps is no int128 either
            if (sum == 0) _remove(account, index);
            else _put(account.words, index, PositionLib.option(series, sum));
            return _longOf(sum) - _longOf(before);
        }
    }

    /// @dev Takes what a trade did into the open interest. Growth needs a listed series near the money, and room under
    /// the cap; whoever holds a series can leave it without either. A series that is open was listed, and stays so until
    /// it expires.
    /// @param spot Accepted price of the underlying, WAD.
    function _tradeSeries(Instrument series, int256 delta, uint256 spot) internal {
        if (delta > 0) {
            if (_series[series].long == 0) _requireListed(series);
            _requireNearTheMoney(series, spot);
            OptionMarket storage options = _optionMarkets[series.id()];
            uint256 openInterest = uint256(options.openInterest) + uint256(delta);
            if (openInterest > options.cap) {
                revert Clearinghouse_OptionCapExceeded(series.id(), openInterest, options.cap);
            }
        }
        _moveSeries(series, delta, delta);
    }

    /// @dev Changes both sides of a series' open interest.
    function _moveSeries(Instrument series, int256 longDelta, int256 shortDelta) internal {
        if (longDelta == 0 && shortDelta == 0) return;
        SeriesInterest memory interest = _series[series];
        _series[series] = SeriesInterest({
            long: _moved(interest.long, longDelta), short: _moved(interest.short, shortDelta)
        });
        if (longDelta == 0) return;
        OptionMarket storage options = _optionMarkets[series.id()];
        options.openInterest = _moved(options.openInterest, longDelta);
    }

    /// @dev Turns the account's options into cash whose series were fixed long enough ago, each rounded against the
    /// account. What rounding leaves stays with the contract. Returns the cash that they became.
    function _settleOptions(Account memory account) internal returns (int256 realised) {
        for (uint256 i = account.words.length; i > 0; --i) {
            Position word = account.words[i - 1];
            if (word.kind() != KIND_OPTION) continue;
            Instrument series = word.instrument();
            VolatilitySlice slice = ORACLE.slice(series.id(), series.expiry());
            if (!slice.isFixed() || block.timestamp < slice.fixedAt() + SETTLEMENT_DELAY) continue;
            int256 size = word.optionSize();
            uint256 payoff = _payoff(series, slice.settlementPrice());
            realised += Wad.mulFloor(size, int256(payoff));
            _remove(account, i - 1);
            _moveSeries(series, -_longOf(size), -_longOf(-size));
            emit OptionSettled(account.id, series, size, payoff);
        }
        account.cash += realised;
    }

    function _requireListed(Instrument series) private view {
        if (!ORACLE.isListed(series.id(), series.expiry(), series.strike())) {
            revert Clearinghouse_SeriesNotListed(series);
        }
    }

    /// @dev A forward of zero, where no slice was ever published, is too far from any strike.
    function _requireNearTheMoney(Instrument series, uint256 spot) private view {
        VolatilitySlice slice = ORACLE.slice(series.id(), series.expiry());
        uint256 forward = spot * slice.forwardRatio() / 1e8;
        uint256 strike = series.strike() * STRIKE_UNIT;
        if (strike > forward * MAX_MONEYNESS || strike * MAX_MONEYNESS < forward) {
            revert Clearinghouse_StrikeTooFar(series, strike, forward);
        }
    }

    function _payoff(Instrument series, uint256 price) private pure returns (uint256) {
        uint256 strike = series.strike() * STRIKE_UNIT;
        return series.isPut() ? Math.saturatingSub(strike, price) : Math.saturatingSub(price, strike);
    }

    function _moved(uint128 value, int256 delta) private pure returns (uint128) {
        return (int256(uint256(value)) + delta).toUint256().toUint128();
    }

    function _longOf(int256 size) private pure returns (int256) {
        return size > 0 ? size : int256(0);
    }
}
