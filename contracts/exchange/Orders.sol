// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IExchange, Order, SignedOrder} from "../interfaces/IExchange.sol";
import {AccountId} from "../types/AccountId.sol";

/// @title Who signed an order, and how much of it is left (specification §9.1)
/// @dev Storage: one word a lane of an account. A higher sequence replaces what the lane held, so cancel-and-replace
/// costs nothing; an equal one shares the fill, so one order of several cancels the others; and a used lane is a
/// cheaper write than a new one.
abstract contract Orders is EIP712, IExchange {
    struct Lane {
        uint64 sequence;
        uint128 filled;
    }

    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(bytes32 account,uint256 instrument,int256 size,uint256 limitPrice,uint256 nonce,uint256 expiry,"
        "uint256 maxFee,uint256 minHealth,bool reduceOnly)"
    );

    mapping(AccountId account => mapping(uint192 laneId => Lane)) private _lanes;

    /// @dev Thrown when the signature is of nobody who may trade for the account; `signer` is zero if it is no key's at all.
    error Exchange_InvalidSignature(AccountId account, address signer);
    /// @dev Thrown when an order's time is over.
    error Exchange_OrderExpired(uint256 expiry, uint256 time);
    /// @dev Thrown when the lane holds a higher sequence: the order was replaced or cancelled.
    error Exchange_OrderSuperseded(AccountId account, uint256 nonce, uint64 sequence);
    /// @dev Thrown when less of an order is left than would be filled.
    error Exchange_Overfilled(AccountId account, uint256 nonce, uint256 left, uint256 size);
    /// @dev Thrown when the caller may not trade for the account.
    error Exchange_NotPermitted(AccountId account, address caller);

    constructor() EIP712("Ballast Exchange", "1") {}

    /// @inheritdoc IExchange
    /// @dev The lane counts as filled to the brim, so the cancelled sequence has nothing left and higher ones live.
    function cancel(AccountId account, uint256 nonce) external {
        if (!_mayTrade(account, msg.sender)) revert Exchange_NotPermitted(account, msg.sender);
        Lane storage held = _lanes[account][uint192(nonce >> 64)];
        if (held.sequence > uint64(nonce)) revert Exchange_OrderSuperseded(account, nonce, held.sequence);
        (held.sequence, held.filled) = (uint64(nonce), type(uint128).max);
        emit OrderCancelled(account, nonce);
    }

    /// @inheritdoc IExchange
    function lane(AccountId account, uint192 laneId) external view returns (uint64 sequence, uint128 filled) {
        Lane storage held = _lanes[account][laneId];
        return (held.sequence, held.filled);
    }

    /// @inheritdoc IExchange
    function digest(Order calldata order) external view returns (bytes32) {
        return _hashTypedDataV4(_structHash(order));
    }

    /// @dev Checks that an order is signed and alive and takes `size` from what is left of it.
    function _consume(SignedOrder calldata signed, uint256 size) internal {
        Order calldata order = signed.order;
        if (block.timestamp > order.expiry) revert Exchange_OrderExpired(order.expiry, block.timestamp);
        bytes32 orderHash = _hashTypedDataV4(_structHash(order));
        _requireSigned(order.account, orderHash, signed.signature);

        Lane memory held = _lanes[order.account][uint192(order.nonce >> 64)];
        uint64 sequence = uint64(order.nonce);
        if (sequence < held.sequence) {
            revert Exchange_OrderSuperseded(order.account, order.nonce, held.sequence);
        }
        if (sequence > held.sequence) held = Lane({sequence: sequence, filled: 0});
        uint256 total = order.size < 0 ? uint256(-order.size) : uint256(order.size);
        uint256 left = total > held.filled ? total - held.filled : 0;
        if (size > left || size > type(uint128).max - held.filled) {
            revert Exchange_Overfilled(order.account, order.nonce, left, size);
        }
        held.filled += uint128(size);
        _lanes[order.account][uint192(order.nonce >> 64)] = held;
        emit OrderFilled(orderHash, order.account, order.nonce, held.filled);
    }

    /// @dev A key's signature first, of the owner or of a delegate who may trade; then, if the owner is a contract, its
    /// own word (ERC-1271). That is a static call: nothing can change during it.
    function _requireSigned(AccountId account, bytes32 orderHash, bytes calldata signature) private view {
        address owner = account.owner();
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(orderHash, signature);
        if (problem == ECDSA.RecoverError.NoError && _mayTrade(account, signer)) return;
        bool agreed = owner.code.length != 0
            && SignatureChecker.isValidERC1271SignatureNowCalldata(owner, orderHash, signature);
        if (!agreed) revert Exchange_InvalidSignature(account, signer);
    }

    /// @dev Whether an address may trade for an account: its owner, or a delegate.
    function _mayTrade(AccountId account, address who) internal view virtual returns (bool);

    function _structHash(Order calldata order) private pure returns (bytes32) {
        return keccak256(abi.encode(ORDER_TYPEHASH, order));
    }
}
