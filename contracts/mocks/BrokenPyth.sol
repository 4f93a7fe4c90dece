// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PythErrors} from "@pythnetwork/pyth-sdk-solidity/PythErrors.sol";

/// @title A Pyth that misbehaves in every way a price source must survive, for tests
/// @dev It has one price, of four words that need not be any, whatever the id.
contract BrokenPyth {
    enum Mode {
        Good,
        Reverting,
        Silent,
        Short,
        Endless,
        Flooding,
        Unknown
    }

    Mode public mode;
    uint256[4] private _words;

    /// @notice Chooses how the next reads go wrong.
    function setMode(Mode mode_) external {
        mode = mode_;
    }

    /// @notice Sets price, confidence, exponent and publish time.
    function setWords(uint256[4] calldata words) external {
        _words = words;
    }

    /// @notice Refuses every update.
    function updatePriceFeeds(bytes[] calldata) external payable {
        revert PythErrors.InvalidWormholeVaa();
    }

    function getPriceUnsafe(bytes32) external view returns (uint256[4] memory words) {
        words = _words;
        if (mode == Mode.Unknown) revert PythErrors.PriceFeedNotFound();
        Mode how = mode;
        assembly {
            switch how
            case 1 { revert(0x00, 0x20) }
            case 2 { stop() }
            case 3 { return(0x00, 127) }
            case 4 { for {} 1 {} {} }
            case 5 { return(0x00, 100000) }
        }
    }

    function getUpdateFee(bytes[] calldata) external pure returns (uint256) {
        return 0;
    }
}
