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
/// @param nonce Lane in the high 192 bits, sequence in the low 64.
/// @param expiry Last second at which the order may fill, unix time.
/// @param maxFee Greatest fee as a WAD ratio of the value traded.
/// @param minHealth E/MM that the account must have after a fill, WAD; zero for none.
/// @param reduceOnly Whether the position may only shrink.
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
}

struct SignedOrder {
    Order order;
    bytes signature;
}

/// @title Matches signed orders
interface IExchange {
    /// @param filled Size filled of the lane's current sequence so far, WAD.
    event OrderFilled(bytes32 indexed orderHash, AccountId indexed account, uint256 nonce, uint256 filled);
    event OrderCancelled(AccountId indexed account, uint256 nonce);
    event FeesSet(Instrument indexed instrument, uint256 makerFee, uint256 takerFee);

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

    /// @notice What a lane holds: its current sequence and the size filled of it, WAD.
    function lane(AccountId account, uint192 laneId) external view returns (uint64 sequence, uint128 filled);

    /// @notice The EIP-712 digest that the owner of the order's account signs.
    function digest(Order calldata order) external view returns (bytes32);
}
