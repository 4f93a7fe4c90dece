// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title The authority over all parameters of the system
/// @notice OpenZeppelin's AccessManager as it is, under a name of this project so that it is compiled with it.
/// @dev How to stop it: it holds no money and stops nothing by itself; what an admin may set is bounded in code.
contract Authority is AccessManager {
    /// @param admin First holder of the admin role, without a delay.
    constructor(address admin) AccessManager(admin) {}
}
