// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestToken} from "../periphery/TestToken.sol";

/// @title A token whose transfers answer nothing, for tests
contract NoReturnToken {
    uint8 private immutable _DECIMALS;
    mapping(address holder => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    constructor(string memory, string memory, uint8 decimals_) {
        _DECIMALS = decimals_;
    }

    function decimals() external view returns (uint8) {
        return _DECIMALS;
    }

    /// @notice Gives `to` new tokens.
    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    /// @notice Lets `spender` take tokens of the caller.
    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    /// @notice Moves tokens of the caller; answers nothing.
    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    /// @notice Moves tokens within the caller's allowance; answers nothing.
    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @title A token that answers false, and moves nothing, once it is told to fail, for tests
contract FalseToken is TestToken {
    bool public failing;

    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
    {}

    /// @notice Begins or ends failing.
    function setFailing(bool failing_) external {
        failing = failing_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return !failing && super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return !failing && super.transferFrom(from, to, amount);
    }
}

/// @title A token that refuses to deal with some addresses, for tests
contract BlocklistToken is TestToken {
    mapping(address holder => bool) public isBlocked;

    /// @notice Thrown when tokens would come from or go to a blocked address.
    error BlocklistToken_Blocked(address holder);

    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
    {}

    /// @notice Blocks an address, or no more.
    function setBlocked(address holder, bool blocked) external {
        isBlocked[holder] = blocked;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isBlocked[from]) revert BlocklistToken_Blocked(from);
        if (isBlocked[to]) revert BlocklistToken_Blocked(to);
        super._update(from, to, value);
    }
}

/// @title A token whose balances can shrink by themselves, for tests
contract ShrinkingToken is TestToken {
    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
    {}

    /// @notice Takes `amount` from `holder`.
    function shrink(address holder, uint256 amount) external {
        _burn(holder, amount);
    }
}
