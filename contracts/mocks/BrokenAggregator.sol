// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title An aggregator that misbehaves in every way a price source must survive, for tests
contract BrokenAggregator {
    enum Mode {
        Good,
        Reverting,
        Silent,
        Short,
        Garbage,
        Endless,
        Flooding
    }

    Mode public mode;
    uint256 public decimals = 8;
    uint256 public answer = 200_000_000_000;

    /// @notice Chooses how the next answers go wrong.
    function setMode(Mode mode_) external {
        mode = mode_;
    }

    /// @notice Sets what `decimals()` answers, any word.
    function setDecimals(uint256 decimals_) external {
        decimals = decimals_;
    }

    /// @notice Sets the good answer, any word.
    function setAnswer(uint256 answer_) external {
        answer = answer_;
    }

    /// @dev Answers `latestRoundData` by hand.
    // solhint-disable-next-line no-complex-fallback
    fallback() external {
        Mode how = mode;
        uint256 time = block.timestamp;
        uint256 good = answer;
        assembly {
            switch how
            case 0 {
                mstore(0x00, 1)
                mstore(0x20, good)
                mstore(0x40, time)
                mstore(0x60, time)
                mstore(0x80, 1)
                return(0x00, 160)
            }
            case 1 { revert(0x00, 0x20) }
            case 2 { stop() }
            case 3 { return(0x00, 159) }
            case 4 {
                calldatacopy(0x00, 0x00, 4)
                for { let i := 0 } lt(i, 160) { i := add(i, 32) } { mstore(i, not(i)) }
                return(0x00, 160)
            }
            case 5 { for {} 1 {} {} }
            default { return(0x00, 100000) }
        }
    }
}
