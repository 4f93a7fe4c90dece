// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Black76, Greeks} from "../math/Black76.sol";
import {Logarithm} from "../math/Logarithm.sol";
import {NormalTable} from "../math/NormalTable.sol";
import {OptionKernel} from "../math/OptionKernel.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";

/// @title The libraries that price options, callable, for tests
contract PricingProbe {
    address public immutable TABLE = address(new NormalTable());

    /// @notice v at nodes given as pairs of ln f and f, and the gas that they took together.
    function scan(
        int256[2][] calldata nodes,
        uint256 deviation,
        int256 logKappa,
        uint256 kappa,
        int256 amount
    ) external view returns (int256[] memory values, uint256 gasUsed) {
        uint256 base = OptionKernel.load(TABLE);
        uint256 node;
        assembly ("memory-safe") {
            node := mload(0x40)
            let end := node
            for { let i := 0 } lt(i, nodes.length) { i := add(i, 1) } {
                calldatacopy(end, add(nodes.offset, shl(6, i)), 0x40)
                mstore(add(end, 0x40), 0)
                end := add(end, 0x60)
            }
            mstore(0x40, end)
        }
        values = new int256[](nodes.length);
        gasUsed = gasleft();
        uint256 end = node + nodes.length * OptionKernel.NODE;
        OptionKernel.scan(base, node, end, deviation, logKappa, kappa, amount);
        gasUsed -= gasleft();
        for (uint256 i; i < nodes.length; ++i) {
            int256 sum;
            assembly ("memory-safe") {
                sum := mload(add(add(node, mul(i, 0x60)), 0x40))
            }
            values[i] = sum;
        }
    }

    /// @notice One v with its Φ(d1), and the gas that they took.
    function price(int256 logFactor, uint256 factor, uint256 deviation, int256 logKappa, uint256 kappa)
        external
        view
        returns (int256 value, uint256 delta, uint256 gasUsed)
    {
        uint256 base = OptionKernel.load(TABLE);
        gasUsed = gasleft();
        (value, delta) = OptionKernel.price(base, logFactor, factor, deviation, logKappa, kappa);
        gasUsed -= gasleft();
    }

    /// @notice Precise price and Greeks, and the gas that they took.
    function greeks(uint256 forward, uint256 strike, uint256 volatility, uint256 time, bool isPut)
        external
        view
        returns (Greeks memory found, uint256 gasUsed)
    {
        gasUsed = gasleft();
        found = Black76.greeks(forward, strike, volatility, time, isPut);
        gasUsed -= gasleft();
    }

    /// @notice Precise price and delta for a deviation, and the gas that they took.
    function precise(uint256 forward, uint256 strike, uint256 deviation, bool isPut)
        external
        view
        returns (uint256 value, int256 delta, uint256 gasUsed)
    {
        gasUsed = gasleft();
        (value, delta) = Black76.price(forward, strike, deviation, isPut);
        gasUsed -= gasleft();
    }

    /// @notice ln(x / 2^64), WAD.
    function ln(uint256 x) external pure returns (int256) {
        return Logarithm.ln(x);
    }

    /// @notice Variance a year of a slice at a log-moneyness, WAD.
    function variance(VolatilitySlice slice, int256 logKappa) external pure returns (uint256) {
        return slice.annualVariance(logKappa);
    }
}
