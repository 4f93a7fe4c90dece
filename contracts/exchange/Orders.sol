// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IExchange, Order, SignedOrder} from "../interfaces/IExchange.sol";
import {AccountId} from "../types/AccountId.sol";

/// @title Who signed an order, and how much of it is left (specification §9.1)
/// @dev Storage: one word a lane of an account, and one floor an account. A higher sequence replaces what the lane held,
/// so cancel-and-replace costs nothing; an equal one shares the fill, so one order of several cancels the others; and a
/// used lane is a cheaper write than a new one. Only orders in recallable lanes read the floor.
abstract contract Orders is EIP712, IExchange {
    struct Lane {
        uint64 sequence;
        uint128 filled;
    }

    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(bytes32 account,uint256 instrument,int256 size,uint256 limitPrice,uint256 nonce,uint256 expiry,"
        "uint256 maxFee,uint256 minHealth,bool reduceOnly,bool postOnly)"
    );

    /// @dev Words of an order in calldata. Its fields are static, so they lie there as they are hashed.
    uint256 private constant ORDER_LENGTH = 0x140;

    /// @dev The highest bit of a nonce, which is that of its lane: the account's floor applies.
    uint256 private constant RECALLABLE = 1 << 255;

    mapping(AccountId account => mapping(uint192 laneId => Lane)) private _lanes;

    /// @inheritdoc IExchange
    mapping(AccountId account => uint64 sequence) public floorOf;

    /// @dev Thrown when the signature is of nobody who may trade for the account; `signer` is zero if it is no key's at all.
    error Exchange_InvalidSignature(AccountId account, address signer);
    /// @dev Thrown when an order's time is over.
    error Exchange_OrderExpired(uint256 expiry, uint256 time);
    /// @dev Thrown when the lane holds a higher sequence: the order was replaced or cancelled.
    error Exchange_OrderSuperseded(AccountId account, uint256 nonce, uint64 sequence);
    /// @dev Thrown when an order of a recallable lane has a sequence below the account's floor.
    error Exchange_OrderRecalled(AccountId account, uint256 nonce, uint64 floor);
    /// @dev Thrown when a floor would not rise.
    error Exchange_FloorNotRaised(AccountId account, uint64 floor, uint64 sequence);
    /// @dev Thrown when less of an order is left than would be filled.
    error Exchange_Overfilled(AccountId account, uint256 nonce, uint256 left, uint256 size);
    /// @dev Thrown when the caller may not trade for the account.
    error Exchange_NotPermitted(AccountId account, address caller);

    constructor() EIP712("Ballast Exchange", "1") {}

    /// @inheritdoc IExchange
    /// @dev The lane counts as filled to the brim, so the cancelled sequence has nothing left and higher ones live.
    function cancel(AccountId account, uint256 nonce) external {
        _requireCanceller(account);
        Lane storage held = _lanes[account][uint192(nonce >> 64)];
        if (held.sequence > uint64(nonce)) revert Exchange_OrderSuperseded(account, nonce, held.sequence);
        (held.sequence, held.filled) = (uint64(nonce), type(uint128).max);
        emit OrderCancelled(account, nonce);
    }

    /// @inheritdoc IExchange
    function cancelMany(AccountId account, uint256[] calldata nonces) external {
        _requireCanceller(account);
        for (uint256 i; i < nonces.length; ++i) {
            Lane storage held = _lanes[account][uint192(nonces[i] >> 64)];
            // A lane that went on holds none of the orders to cancel any more: one of many must not stop the rest.
            if (held.sequence > uint64(nonces[i])) continue;
            (held.sequence, held.filled) = (uint64(nonces[i]), type(uint128).max);
            emit OrderCancelled(account, nonces[i]);
        }
    }

    /// @inheritdoc IExchange
    function recall(AccountId account, uint64 sequence) external {
        _requireCanceller(account);
        uint64 old = floorOf[account];
        if (sequence <= old) revert Exchange_FloorNotRaised(account, old, sequence);
        floorOf[account] = sequence;
        emit OrdersRecalled(account, sequence);
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

        Lane storage held = _lanes[order.account][uint192(order.nonce >> 64)];
        (uint64 sequence, uint256 filled) = (held.sequence, held.filled);
        if (order.nonce & RECALLABLE != 0) _requireNotRecalled(order.account, order.nonce);
        if (uint64(order.nonce) < sequence) {
            revert Exchange_OrderSuperseded(order.account, order.nonce, sequence);
        }
        if (uint64(order.nonce) > sequence) filled = 0;
        uint256 total = order.size < 0 ? uint256(-order.size) : uint256(order.size);
        uint256 left = total > filled ? total - filled : 0;
        if (size > left || size > type(uint128).max - filled) {
            revert Exchange_Overfilled(order.account, order.nonce, left, size);
        }
        filled += size;
        (held.sequence, held.filled) = (uint64(order.nonce), uint128(filled));
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

    function _requireCanceller(AccountId account) private view {
        if (!_mayTrade(account, msg.sender)) revert Exchange_NotPermitted(account, msg.sender);
    }

    function _requireNotRecalled(AccountId account, uint256 nonce) private view {
        uint64 floor = floorOf[account];
        if (uint64(nonce) < floor) revert Exchange_OrderRecalled(account, nonce, floor);
    }

    /// @dev keccak256(abi.encode(ORDER_TYPEHASH, order)) without decoding the fields one by one. A bool that is neither
    /// zero nor one is refused where it is read.
    function _structHash(Order calldata order) private pure returns (bytes32 hash) {
        bytes32 typeHash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), order, ORDER_LENGTH)
            hash := keccak256(free, add(ORDER_LENGTH, 0x20))
        }
    }
}
