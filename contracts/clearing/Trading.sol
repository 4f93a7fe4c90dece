// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Fill, IClearinghouseCore} from "../interfaces/IClearinghouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Instrument, KIND_COLLATERAL, KIND_OPTION, KIND_PERP, Position} from "../types/Position.sol";
import {MarketState} from "../types/MarketState.sol";
import {Snapshot} from "../types/Snapshot.sol";
import {Wad} from "../math/Wad.sol";
import {Account} from "./Accounts.sol";
import {CashFlow} from "./Cash.sol";
import {Custody} from "./Custody.sol";

/// @title Trades between accounts (specification §9)
/// @dev No storage of its own. What the parties pay and do not receive, fees and dust, goes to the fee account: cash
/// is conserved by construction, not by two roundings that happen to agree.
abstract contract Trading is Custody {
    using SafeCast for uint256;

    /// @notice The account that receives trading fees and rounding dust.
    AccountId public immutable FEE_ACCOUNT;
    /// @notice The only address that may carry out trades.
    address public immutable EXCHANGE;

    /// @dev What a fill needs to know of its instrument.
    /// @param fairPrice Mark of a perpetual, model price of an option, spot of collateral, WAD.
    /// @param band Greatest distance of a fill's price from the fair price, WAD.
    /// @param basis Mark less cumulative funding, WAD; zero but for perpetuals.
    /// @param unit Smallest units of collateral in one whole token.
    /// @param spot Accepted price of an option's underlying, WAD.
    /// @param market State of a perpetual's market before the trade.
    /// @param longDelta Change of Σ of long sizes so far, WAD.
    /// @param claimDelta What the accounts together received so far, WAD of cash; what is negative goes to the fee account.
    struct Terms {
        Instrument instrument;
        int256 fairPrice;
        int256 band;
        int256 basis;
        uint256 unit;
        uint256 spot;
        MarketState market;
        int256 longDelta;
        int256 claimDelta;
    }

    /// @dev Thrown when anybody but the Exchange asks for a trade.
    error Clearinghouse_NotExchange(address caller);
    /// @dev Thrown when an instrument cannot be traded or is not written in its canonical form.
    error Clearinghouse_UnsupportedInstrument(Instrument instrument);
    /// @dev Thrown when both sides are one account.
    error Clearinghouse_InvalidCounterparty(AccountId account);
    /// @dev Thrown when a fill is too far from the fair price.
    error Clearinghouse_PriceOutsideBand(uint256 price, uint256 fairPrice, uint256 band);
    /// @dev Thrown when a reduce-only side would grow or turn its position.
    error Clearinghouse_NotReducing(AccountId account, int256 sizeBefore, int256 sizeAfter);
    /// @dev Thrown when a spot size is no whole number of the token's smallest units.
    error Clearinghouse_InexactSize(int256 size, uint256 unit);

    constructor(address exchange, AccountId feeAccount) {
        EXCHANGE = exchange;
        FEE_ACCOUNT = feeAccount;
    }

    /// @inheritdoc IClearinghouseCore
    function applyTrade(
        Instrument instrument,
        AccountId takerId,
        uint256 takerMinHealth,
        bool takerReduceOnly,
        Fill[] calldata fills
    ) external lock {
        if (msg.sender != EXCHANGE) revert Clearinghouse_NotExchange(msg.sender);
        Terms memory terms = _terms(instrument);
        CashFlow memory flow = _openCash();
        Account memory taker = _load(flow, takerId, 1);
        for (uint256 i; i < fills.length; ++i) {
            _applyFill(flow, terms, taker, takerReduceOnly, fills[i]);
        }
        _checkTrade(flow, taker, takerMinHealth);
        _save(flow, taker);
        if (instrument.kind() == KIND_PERP) _changeMarket(instrument.id(), terms.market, terms.longDelta);
        else if (instrument.kind() == KIND_OPTION) _tradeSeries(instrument, terms.longDelta, terms.spot);
        _credit(flow, FEE_ACCOUNT, -terms.claimDelta);
        _closeCash(flow, 0, false);
    }

    function _applyFill(
        CashFlow memory flow,
        Terms memory terms,
        Account memory taker,
        bool takerReduceOnly,
        Fill calldata fill
    ) private {
        if (fill.maker == taker.id) {
            revert Clearinghouse_InvalidCounterparty(fill.maker);
        }
        int256 price = fill.price.toInt256();
        int256 size = fill.size;
        unchecked {
            // Neither price is negative.
            if (Wad.abs(price - terms.fairPrice) > uint256(terms.band)) {
                revert Clearinghouse_PriceOutsideBand(
                    fill.price, uint256(terms.fairPrice), uint256(terms.band)
                );
            }
        }
        _fillSide(terms, taker, size, price, fill.takerFee, takerReduceOnly);
        Account memory maker = _load(flow, fill.maker, 1);
        _fillSide(terms, maker, -size, price, fill.makerFee, fill.makerReduceOnly);
        _checkTrade(flow, maker, fill.makerMinHealth);
        _save(flow, maker);
        emit Traded(
            terms.instrument,
            taker.id,
            maker.id,
            size,
            uint256(price),
            fill.takerFee,
            fill.makerFee,
            terms.basis
        );
    }

    /// @dev One account's side of a fill. `terms` collects what the accounts together gave up.
    function _fillSide(
        Terms memory terms,
        Account memory account,
        int256 size,
        int256 price,
        uint128 fee,
        bool reduceOnly
    ) private pure {
        if (reduceOnly) _requireReducing(terms.instrument, account, size);
        int256 longDelta;
        int256 claimDelta;
        uint256 kind = terms.instrument.kind();
        if (kind == KIND_PERP) {
            (longDelta, claimDelta) =
                _fillPerp(account, terms.instrument.id(), size, price - terms.fairPrice, terms.basis);
        } else if (kind == KIND_OPTION) {
            (longDelta, claimDelta) = _fillOption(account, terms.instrument, size, price);
        } else {
            claimDelta = _fillSpot(account, terms.instrument, size, price, terms.unit);
        }
        unchecked {
            // Cash is under 2^168 (specification §6.7), a fee and the change of a size under 2^129.
            int256 paid = int256(uint256(fee));
            account.cash -= paid;
            terms.claimDelta += claimDelta - paid;
            terms.longDelta += longDelta;
        }
    }

    /// @dev Exchanges collateral for cash inside the account; what it pays rounds up, what it gets rounds down.
    function _fillSpot(Account memory account, Instrument instrument, int256 size, int256 price, uint256 unit)
        private
        pure
        returns (int256 claimDelta)
    {
        uint256 amount = Wad.abs(size) * unit / 1e18;
        if (amount * 1e18 != Wad.abs(size) * unit) revert Clearinghouse_InexactSize(size, unit);
        if (size < 0) _removeCollateral(account, instrument.id(), amount);
        else _addCollateral(account, instrument.id(), amount);
        claimDelta = -Wad.mulCeil(size, price);
        account.cash += claimDelta;
    }

    function _requireReducing(Instrument instrument, Account memory account, int256 size) private pure {
        // Collateral is never negative: any sale that the balance allows reduces it.
        bool isSpot = instrument.kind() == KIND_COLLATERAL;
        uint256 index = _find(account.words, instrument);
        int256 held;
        if (index != account.words.length && !isSpot) {
            Position word = account.words[index];
            held = instrument.kind() == KIND_PERP ? word.perpSize() : word.optionSize();
        }
        bool reducing = isSpot ? size < 0 : (held < 0) != (size < 0) && Wad.abs(size) <= Wad.abs(held);
        if (!reducing) revert Clearinghouse_NotReducing(account.id, held, held + size);
    }

    /// @dev Reads everything that the fills of one instrument share. Fills stay within half the scan range of the
    /// fair price, so that a trade between friends cannot carry an account past its margin.
    function _terms(Instrument instrument) private view returns (Terms memory terms) {
        if (!instrument.isCanonical()) revert Clearinghouse_UnsupportedInstrument(instrument);
        terms.instrument = instrument;
        if (instrument.kind() == KIND_OPTION) {
            (terms.fairPrice, terms.band, terms.spot) = _optionTerms(instrument);
            return terms;
        }
        Snapshot snapshot;
        if (instrument.kind() == KIND_PERP) {
            snapshot = ORACLE.snapshot(instrument.id());
            terms.market = _listed(instrument.id());
            terms.fairPrice = int256(snapshot.mark());
            terms.basis = terms.fairPrice - terms.market.fundingAt(block.timestamp);
        } else if (instrument.kind() == KIND_COLLATERAL && instrument.id() != CASH) {
            snapshot = ORACLE.snapshot(_asset(instrument.id()).underlying);
            terms.unit = 10 ** _asset(instrument.id()).decimals;
            terms.fairPrice = int256(snapshot.spot());
        } else {
            revert Clearinghouse_UnsupportedInstrument(instrument);
        }
        unchecked {
            terms.band = int256(snapshot.spot() * snapshot.rangeMaintenance() / 2e18); // under 2^88 · 2^60
        }
    }
}
