// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {Margin} from "../types/Margin.sol";
import {Position} from "../types/Position.sol";

/// @title Asking an engine about words that lie in memory where the call needs them
/// @dev The compiler would copy the words behind the head of the call, check each on the way, and decode the answer into a
/// struct that it has zeroed before: 1,000 gas a call, and 60 a word.
library EngineCall {
    /// @notice Memory for `count` words, not zeroed, with room for the head of `assess` in front.
    function allocate(uint256 count) internal pure returns (Position[] memory words) {
        assembly ("memory-safe") {
            words := add(mload(0x40), 0x80)
            mstore(words, count)
            mstore(0x40, add(add(words, 0x20), shl(5, count)))
        }
    }

    /// @notice `engine.assess(cash, mode, words)` into `margin`, with its error if it fails.
    /// @param words From `allocate`.
    function assess(
        IRiskEngine engine,
        int256 cash,
        uint256 mode,
        Position[] memory words,
        Margin memory margin
    ) internal view {
        bytes4 selector = IRiskEngine.assess.selector;
        assembly ("memory-safe") {
            let head := sub(words, 0x80)
            mstore(head, shr(224, selector))
            mstore(add(head, 0x20), cash)
            mstore(add(head, 0x40), mode)
            mstore(add(head, 0x60), 0x60) // where the words begin, after the selector
            let size := add(0x84, shl(5, mload(words)))
            // The answer is the struct's six fields, a word each, in its order.
            if iszero(staticcall(gas(), engine, add(head, 0x1c), size, margin, 0xc0)) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            if lt(returndatasize(), 0xc0) { revert(0, 0) }
        }
    }
}
