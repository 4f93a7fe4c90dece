// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceSource, Observation} from "../interfaces/IPriceSource.sol";

/// @title A source that believes its caller, for tests: the update is the encoded observation
contract MockPriceSource is IPriceSource {
    /// @inheritdoc IPriceSource
    function observe(uint16, bytes calldata update) external pure returns (Observation memory seen) {
        if (update.length != 0) seen = abi.decode(update, (Observation));
    }
}
