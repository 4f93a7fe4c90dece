// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SlotDerivation} from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";

import {AccountId} from "../types/AccountId.sol";

/// @notice What an account has to show at the end of a batch, and what it is compared with.
/// @param demands Sum of the constants below; zero if the account does not wait.
/// @param minHealth Greatest E/MM that an order asked for, WAD.
/// @param cash Cash before the first change that needs a check, WAD.
/// @param equity Equity before the first trade, WAD.
/// @param initial IM before the first trade, WAD.
/// @param maintenance MM before the first trade, WAD.
struct Wait {
    uint256 demands;
    uint256 minHealth;
    int256 cash;
    int256 equity;
    uint256 initial;
    uint256 maintenance;
}

/// @dev It traded: initial margin, or the reduce-only test.
uint256 constant WAIT_TRADE = 1;
/// @dev Something was taken out: the check of a withdrawal.
uint256 constant WAIT_TAKE = 2;
/// @dev Initial margin, whatever it traded.
uint256 constant WAIT_INITIAL = 4;

/// @title The accounts that wait for their check at the end of a batch (specification §7.7)
/// @dev Transient. A set that only grows until it is drained; whoever is in it once stays, with what was recorded first.
library Waiting {
    using SlotDerivation for bytes32;
    using TransientSlot for *;

    /// @dev keccak256("ballast.clearinghouse.waiting")
    bytes32 private constant SLOT = 0x9439247ed88769316f0353c054c003f0635fa002dea865a618d9d7d807c12e24;

    function get(AccountId id) internal view returns (Wait memory wait) {
        bytes32 slot = _slot(id);
        wait.demands = slot.asUint256().tload();
        if (wait.demands == 0) return wait;
        wait.minHealth = slot.offset(1).asUint256().tload();
        wait.cash = slot.offset(2).asInt256().tload();
        wait.equity = slot.offset(3).asInt256().tload();
        wait.initial = slot.offset(4).asUint256().tload();
        wait.maintenance = slot.offset(5).asUint256().tload();
    }

    /// @dev Records an account, which joins the set if it is not in it. Some demand must be set.
    function put(AccountId id, Wait memory wait) internal {
        bytes32 slot = _slot(id);
        if (slot.asUint256().tload() == 0) {
            uint256 count = SLOT.asUint256().tload();
            SLOT.deriveArray().offset(count).asBytes32().tstore(AccountId.unwrap(id));
            SLOT.asUint256().tstore(count + 1);
        }
        slot.asUint256().tstore(wait.demands);
        slot.offset(1).asUint256().tstore(wait.minHealth);
        slot.offset(2).asInt256().tstore(wait.cash);
        slot.offset(3).asInt256().tstore(wait.equity);
        slot.offset(4).asUint256().tstore(wait.initial);
        slot.offset(5).asUint256().tstore(wait.maintenance);
    }

    function count() internal view returns (uint256) {
        return SLOT.asUint256().tload();
    }

    /// @dev Takes the last account out of the set, which must not be empty.
    function pop() internal returns (AccountId id, Wait memory wait) {
        uint256 last = count() - 1;
        id = AccountId.wrap(SLOT.deriveArray().offset(last).asBytes32().tload());
        wait = get(id);
        _slot(id).asUint256().tstore(0);
        SLOT.asUint256().tstore(last);
    }

    function _slot(AccountId id) private pure returns (bytes32) {
        return SLOT.deriveMapping(AccountId.unwrap(id));
    }
}
