// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Fill, IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IExchange, Order, SignedOrder} from "../interfaces/IExchange.sol";
import {IOracleAdapter, PriceUpdate} from "../interfaces/IOracleAdapter.sol";
import {AccountId} from "../types/AccountId.sol";
import {PERMISSION_TRADE} from "../types/Permission.sol";
import {Instrument, KIND_COLLATERAL, KIND_PERP} from "../types/Position.sol";
import {Orders} from "./Orders.sol";

/// @title Ballast's Exchange: settles signed orders, with nobody's permission
/// @notice One taker against any number of makers in one instrument, each fill at its maker's price. Whoever submits
/// chooses only among what both sides signed.
/// @dev Storage: lanes and floors (in Orders) and one word of fees a product. Holds no money; the Clearinghouse
/// checks margins. How to stop it: market and asset caps in the Clearinghouse stop growth; reductions always settle.
contract Exchange is Orders, AccessManaged {
    using SafeCast for uint256;

    struct FeeRates {
        uint64 maker;
        uint64 taker;
    }

    /// @notice Greatest fee, WAD ratio of the value traded: small enough that closing at mark passes the
    /// reduce-only test of any account with more than a few percent of its maintenance margin.
    uint256 public constant MAX_FEE = 0.001e18;

    IClearinghouse public immutable CLEARINGHOUSE;
    IOracleAdapter public immutable ORACLE;

    mapping(Instrument product => FeeRates) private _fees;

    /// @dev Thrown when there is not exactly one size for each maker, or there is no maker.
    error Exchange_LengthMismatch(uint256 makers, uint256 sizes);
    /// @dev Thrown when a fill would be of nothing.
    error Exchange_ZeroSize(uint256 index);
    /// @dev Thrown when the orders are of different instruments.
    error Exchange_InstrumentMismatch(Instrument taker, Instrument maker);
    /// @dev Thrown when both orders buy or both sell.
    error Exchange_SameSide(int256 takerSize, int256 makerSize);
    /// @dev Thrown when the maker's price is worse than the taker's limit.
    error Exchange_PricesDoNotCross(uint256 takerLimit, uint256 makerPrice);
    /// @dev Thrown when the taker's order may only be a maker's.
    error Exchange_PostOnlyTaker(AccountId account, uint256 nonce);
    /// @dev Thrown when the fee is over what the order allows.
    error Exchange_FeeAboveMaximum(uint256 fee, uint256 maximum);
    /// @dev Thrown when a fee is set over its bound.
    error Exchange_FeeOutOfBounds(uint256 fee, uint256 bound);
    /// @dev Thrown when fees are set of one series, or of no kind that trades.
    error Exchange_UnknownProduct(Instrument product);

    constructor(address authority, IClearinghouse clearinghouse, IOracleAdapter oracle)
        AccessManaged(authority)
    {
        CLEARINGHOUSE = clearinghouse;
        ORACLE = oracle;
    }

    /// @notice Sets the fees of a product, WAD ratios of the value traded.
    /// @param product A perpetual, a collateral asset, or all options on an underlying: the instrument with every field
    /// zero but kind and underlying.
    function setFees(Instrument product, uint64 makerFee, uint64 takerFee) external restricted {
        uint256 kind = product.kind();
        if (kind < KIND_PERP || kind > KIND_COLLATERAL || !(product == product.product())) {
            revert Exchange_UnknownProduct(product);
        }
        if (makerFee > MAX_FEE) revert Exchange_FeeOutOfBounds(makerFee, MAX_FEE);
        if (takerFee > MAX_FEE) revert Exchange_FeeOutOfBounds(takerFee, MAX_FEE);
        _fees[product] = FeeRates({maker: makerFee, taker: takerFee});
        emit FeesSet(product, makerFee, takerFee);
    }

    /// @notice Fees of an instrument, which are those of its product; WAD ratios of the value traded.
    function fees(Instrument instrument) external view returns (uint256 makerFee, uint256 takerFee) {
        FeeRates storage rates = _fees[instrument.product()];
        return (rates.maker, rates.taker);
    }

    /// @inheritdoc IExchange
    function settle(
        SignedOrder calldata taker,
        SignedOrder[] calldata makers,
        uint256[] calldata sizes,
        PriceUpdate[] calldata updates
    ) external {
        if (makers.length == 0 || makers.length != sizes.length) {
            revert Exchange_LengthMismatch(makers.length, sizes.length);
        }
        Order calldata order = taker.order;
        if (order.postOnly) revert Exchange_PostOnlyTaker(order.account, order.nonce);
        if (updates.length != 0) ORACLE.refresh(updates);
        FeeRates memory rates = _fees[order.instrument.product()];
        if (rates.taker > order.maxFee) revert Exchange_FeeAboveMaximum(rates.taker, order.maxFee);
        Fill[] memory fills = new Fill[](makers.length);
        uint256 total;
        for (uint256 i; i < makers.length; ++i) {
            uint256 size = sizes[i];
            if (size == 0) revert Exchange_ZeroSize(i);
            total += size;
            SignedOrder calldata maker = makers[i];
            _fill(fills[i], order, maker.order, size, rates);
            _consume(maker, size);
            emit OrdersFilled(order.nonce, maker.order.nonce);
        }
        _consume(taker, total);
        CLEARINGHOUSE.applyTrade(order.instrument, order.account, order.minHealth, order.reduceOnly, fills);
    }

    /// @dev The owner needs no call to say so.
    function _mayTrade(AccountId account, address who) internal view override returns (bool) {
        return account.owner() == who || CLEARINGHOUSE.isPermitted(account, who, PERMISSION_TRADE);
    }

    /// @dev Fills in one fill at the maker's price, after checking that the two orders meet. Fees round up.
    function _fill(
        Fill memory fill,
        Order calldata taker,
        Order calldata maker,
        uint256 size,
        FeeRates memory rates
    ) private pure {
        if (rates.maker > maker.maxFee) {
            revert Exchange_FeeAboveMaximum(rates.maker, maker.maxFee);
        }
        if (!(taker.instrument == maker.instrument)) {
            revert Exchange_InstrumentMismatch(taker.instrument, maker.instrument);
        }
        bool buys = taker.size > 0;
        if (buys == maker.size > 0) revert Exchange_SameSide(taker.size, maker.size);
        uint256 price = maker.limitPrice;
        if (buys ? price > taker.limitPrice : price < taker.limitPrice) {
            revert Exchange_PricesDoNotCross(taker.limitPrice, price);
        }
        uint256 value = FixedPointMathLib.mulWadUp(size, price);
        fill.maker = maker.account;
        fill.size = buys ? int256(size) : -int256(size);
        fill.price = price;
        fill.makerFee = FixedPointMathLib.mulWadUp(value, rates.maker).toUint128();
        fill.takerFee = FixedPointMathLib.mulWadUp(value, rates.taker).toUint128();
        fill.makerMinHealth = maker.minHealth;
        fill.makerReduceOnly = maker.reduceOnly;
    }
}
