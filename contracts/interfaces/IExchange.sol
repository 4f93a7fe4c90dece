// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {Instrument} from "../types/Position.sol";
import {PriceUpdate} from "./IOracleAdapter.sol";

/// @notice A limit order. Every field is signed.
/// @param account Account that trades; its owner signs, or a delegate who may trade.
/// @param instrument Perpetual or collateral asset.
/// @param size WAD, positive to buy, negative to sell.
/// @param limitPrice Worst price in cash for one unit, WAD. A maker fills at exactly this price.
/// @param nonce Lane in the high 192 bits, sequence in the low 64. A lane whose highest bit is set is recallable.
/// @param expiry Last second at which the order may fill, unix time.
/// @param maxFee Greatest fee as a WAD ratio of the value traded.
/// @param minHealth E/MM that the account must have after a fill, WAD; zero for none.
/// @param reduceOnly Whether the position may only shrink.
/// @param postOnly Whether the order may only be a maker's.
struct Order {
    AccountId account;
    Instrument instrument;
    int256 size;
    uint256 limitPrice;
    uint256 nonce;
    uint256 expiry;
    uint256 maxFee;
    uint256 minHealth;
    bool reduceOnly;
    bool postOnly;
}

struct SignedOrder {
    Order order;
    bytes signature;
}

/// @title Matches signed orders
interface IExchange {
    /// @notice Two orders met. The Clearinghouse's `Traded` says of whom, in what, how much and at which price: those of a
    /// settlement follow it in the same order.
    event OrdersFilled(uint256 takerNonce, uint256 makerNonce);
    event OrderCancelled(AccountId indexed account, uint256 nonce);
    event OrdersRecalled(AccountId indexed account, uint64 sequence);
    /// @param product Kind and underlying: what the fees are of.
    event FeesSet(Instrument indexed product, uint256 makerFee, uint256 takerFee);

    /// @notice Fills a taker's order against makers' orders, each at the maker's price. Anybody may call.
    /// @param sizes Size to fill of each maker's order, WAD, always positive.
    /// @param updates Prices to refresh first.
    function settle(
        SignedOrder calldata taker,
        SignedOrder[] calldata makers,
        uint256[] calldata sizes,
        PriceUpdate[] calldata updates
    ) external;

    /// @notice Cancels every order of the nonce's lane up to and including its sequence. Only the account's owner, or a delegate
    /// who may trade.
    function cancel(AccountId account, uint256 nonce) external;

    /// @notice Cancels, for each nonce, every order of its lane up to and including its sequence. Lanes that hold a
    /// higher sequence are left as they are. Only the account's owner.
    function cancelMany(AccountId account, uint256[] calldata nonces) external;

    /// @notice Cancels every order of the account in a recallable lane whose sequence is below `sequence`, in one write
    /// however many there are. Only the account's owner.
    function recall(AccountId account, uint64 sequence) external;

    /// @notice The least sequence that still counts in recallable lanes of the account.
    function floorOf(AccountId account) external view returns (uint64 sequence);

    /// @notice What a lane holds: its current sequence and the size filled of it, WAD.
    function lane(AccountId account, uint192 laneId) external view returns (uint64 sequence, uint128 filled);

    /// @notice The EIP-712 digest that the owner of the order's account signs.
    function digest(Order calldata order) external view returns (bytes32);
}
