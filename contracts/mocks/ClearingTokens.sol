// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestToken} from "../periphery/TestToken.sol";

/// @title A token that calls a target in the middle of every transfer, for tests
contract ReentrantToken is TestToken {
    address public target;
    bytes public data;
    bytes public answer;
    bool public succeeded;

    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
    {}

    /// @notice Sets what every transfer calls; the zero address for nothing.
    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target == address(0) || from == address(0)) return;
        (succeeded, answer) = target.call(data);
    }
}

/// @title A token that keeps one percent of every transfer, rounded up, for tests
contract FeeOnTransferToken is TestToken {
    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
    {}

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) ? 0 : (value + 99) / 100;
        super._update(from, to, value - fee);
        if (fee != 0) super._update(from, address(0), fee);
    }
}
