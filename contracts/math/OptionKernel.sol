// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Many prices of one option at once (specification §13.3)
/// @notice Undiscounted Black-76 calls from the normal table, in units of the forward: for a node that moves the forward
/// F to f·F, and a deviation s = σ·√τ,
///
///     v = f·Φ(d1) − κ·Φ(d2),   d1 = (ln f − ln κ)/s + s/2,   d2 = d1 − s,   κ = K/F
///
/// rounded up. The error is under 5e-9 of the forward for κ in [1/64, 64].
///
/// @dev Fixed point: v counts 2^-40; f and κ count 2^-64, rounded down; s is WAD; logarithms are WAD × 2^69, so that one
/// division gives the place in the table: t = 32·(d + 6.5), in counts of 2^-64. There the high bits are the cell and the
/// low 64 are u, aligned with the coefficients: Horner's rule needs no shift, only `signextend` to read a coefficient
/// with all lower ones, which add less than a count of 2^-63.
///
/// Bounds, by which nothing overflows: f ≤ 2^70, κ ≤ `GREATEST_RATIO`, |ln| < 2^67 WAD, s < 2^100. `LEAST_DEVIATION` ≤ s:
/// then the error of the table is less than what an option is worth beyond exercising it, so that v is at least
/// max(f − κ, 0), rounded up, without a clamp. Φ from the table lies in [0, 1]. Tests say both. A node is three words:
/// ln f, f, and the sum of amount × v so far.
library OptionKernel {
    uint256 internal constant NODE = 0x60;
    uint256 internal constant LOG_SHIFT = 69;

    /// @dev Greatest κ: a call struck at 2^32 forwards is worth nothing, as one struck higher.
    uint256 internal constant GREATEST_RATIO = 1 << 96;

    /// @dev Least s that is told from none, WAD.
    uint256 internal constant LEAST_DEVIATION = 1e12;

    uint256 private constant TABLE_BYTES = 13_312;

    /// @dev End of the table, and its middle, where d = 0.
    uint256 private constant LIMIT = 0x1a00000000000000000;
    uint256 private constant MIDDLE = 0xd00000000000000000;
    uint256 private constant FRACTION = 0xffffffffffffffff;
    uint256 private constant ROUND_UP = 0xffffffffffffffffffffff;
    uint256 private constant WAD = 1e18;

    /// @notice Copies the table into memory.
    /// @return base Its place there, as the coordinate of the first cell.
    function load(address table) internal view returns (uint256 base) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(0x40, add(at, TABLE_BYTES))
            extcodecopy(table, at, 0, TABLE_BYTES)
            base := shl(59, at)
        }
    }

    /// @notice Adds amount × v to each node in [node, end).
    /// @param logKappa ln κ.
    function scan(
        uint256 base,
        uint256 node,
        uint256 end,
        uint256 deviation,
        int256 logKappa,
        uint256 kappa,
        int256 amount
    ) internal pure {
        assembly ("memory-safe") {
            function cdf(t, base_) -> value {
                switch slt(t, LIMIT)
                case 0 { value := shl(255, 1) }
                default {
                    if sgt(t, 0) {
                        t := add(t, base_)
                        let word := mload(shl(5, shr(64, t)))
                        let u := and(t, FRACTION)
                        value := add(mul(signextend(7, word), u), signextend(15, word))
                        value := add(mul(add(mul(value, u), signextend(23, word)), u), word)
                    }
                }
            }

            // Scratch space holds what would not fit on the stack.
            mstore(0x00, amount)
            mstore(0x20, kappa)
            let width := div(shl(LOG_SHIFT, deviation), WAD)
            let shift := sub(sub(MIDDLE, shr(1, width)), sdiv(logKappa, deviation))
            // In the table are both d1 and d2 if the lower is in [0, LIMIT − width).
            let inside := mul(lt(width, LIMIT), sub(LIMIT, width))
            for {} lt(node, end) { node := add(node, NODE) } {
                let t := add(sdiv(mload(node), deviation), shift)
                let value
                switch lt(t, inside)
                case 0 {
                    value := mul(mload(0x20), shr(191, cdf(t, base)))
                    value := sub(mul(mload(add(node, 0x20)), shr(191, cdf(add(t, width), base))), value)
                }
                default {
                    t := add(t, base)
                    let word := mload(shl(5, shr(64, t)))
                    let u := and(t, FRACTION)
                    value := add(mul(signextend(7, word), u), signextend(15, word))
                    value := add(mul(add(mul(value, u), signextend(23, word)), u), word)
                    value := mul(mload(0x20), shr(191, value))
                    t := add(t, width)
                    word := mload(shl(5, shr(64, t)))
                    u := and(t, FRACTION)
                    let high := add(mul(signextend(7, word), u), signextend(15, word))
                    high := add(mul(add(mul(high, u), signextend(23, word)), u), word)
                    value := sub(mul(mload(add(node, 0x20)), shr(191, high)), value)
                }
                value := sar(88, add(value, ROUND_UP))
                let sum := add(node, 0x40)
                mstore(sum, add(mload(sum), mul(mload(0x00), value)))
            }
        }
    }

    /// @notice One price, not under what exercising is worth, and Φ(d1) in counts of 2^-40, rounded down.
    function price(
        uint256 base,
        int256 logFactor,
        uint256 factor,
        uint256 deviation,
        int256 logKappa,
        uint256 kappa
    ) internal pure returns (int256 value, uint256 delta) {
        assembly ("memory-safe") {
            function cdf(t, base_) -> v {
                switch slt(t, LIMIT)
                case 0 { v := shl(255, 1) }
                default {
                    if sgt(t, 0) {
                        t := add(t, base_)
                        let word := mload(shl(5, shr(64, t)))
                        let u := and(t, FRACTION)
                        v := add(mul(signextend(7, word), u), signextend(15, word))
                        v := add(mul(add(mul(v, u), signextend(23, word)), u), word)
                    }
                }
            }

            let width := div(shl(LOG_SHIFT, deviation), WAD)
            let t := sub(sdiv(logFactor, deviation), sdiv(logKappa, deviation))
            t := add(t, sub(MIDDLE, shr(1, width)))
            let high := cdf(add(t, width), base)
            value := mul(kappa, shr(191, cdf(t, base)))
            value := sar(88, add(sub(mul(factor, shr(191, high)), value), ROUND_UP))
            let floor := sub(0, sar(24, sub(kappa, factor)))
            value := xor(value, mul(xor(value, floor), sgt(floor, value)))
            value := mul(value, sgt(value, 0))
            delta := shr(215, high)
        }
    }
}
