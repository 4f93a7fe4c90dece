// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DeltaGamma} from "../periphery/DeltaGamma.sol";

/// @title The library of value at risk, callable, for tests
contract DeltaGammaProbe {
    function lossesAt99(int256[] calldata a, int256[] calldata g, int256 correlation)
        external
        pure
        returns (uint256, uint256)
    {
        return DeltaGamma.lossesAt99(a, g, correlation);
    }
}
