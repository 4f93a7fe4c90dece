// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title The authority over all parameters of the system (specification §12)
/// @notice OpenZeppelin's AccessManager; only a change of its delays takes effect sooner than there.
/// @dev How to stop it: it holds no money and stops nothing by itself; what an admin may set is bounded in code.
contract Authority is AccessManager {
    /// @param admin First holder of the admin role, without a delay.
    constructor(address admin) AccessManager(admin) {}

    /// @notice Least time until a change of a delay counts: none. A longer delay protects at once; a shorter one still
    /// waits for the difference, so that nothing happens sooner than was promised when it was scheduled.
    function minSetback() public pure override returns (uint32) {
        return 0;
    }
}
