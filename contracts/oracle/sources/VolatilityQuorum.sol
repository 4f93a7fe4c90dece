// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibSort} from "solady/utils/LibSort.sol";
import {IVolatilitySource} from "../../interfaces/IVolatilityBoard.sol";
import {VolatilitySlice} from "../../types/VolatilitySlice.sol";
import {Publishers, Roll} from "./Publishers.sol";

/// @title Volatility slices that M of N publishers sign
/// @notice Reports of 89 bytes, in ascending order of their signers' addresses: 25 bytes as bits 32 … 231 of a
/// `VolatilitySlice` (a, b, ρ, μ, s, forward, time), and the compact signature (ERC-2098) of the EIP-712
/// `VolatilityReport`. Underlying and expiry are not sent: they are those that are asked for.
/// @dev Nothing is kept of a report; that times only move forward in the adapter is what stops a replay.
contract VolatilityQuorum is IVolatilitySource, Publishers, EIP712 {
    /// @notice EIP-712 type of a report; units as in `types/VolatilitySlice.sol`.
    bytes32 public constant REPORT_TYPEHASH = keccak256(
        "VolatilityReport(uint16 underlying,uint32 expiry,int32 a,uint32 b,int24 rho,int24 mu,uint24 s,uint32 forward,uint32 time)"
    );

    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 1e4;
    uint256 private constant YEAR = 365 days;
    uint256 private constant REPORT_SIZE = 89;
    uint256 private constant SIGNATURE = 25; // where it begins
    uint256 private constant STRIKES = 5; // at the forward, and one and two deviations to both sides
    uint256 private constant MAX_DISTANCE_BPS = 2000; // of the variance
    uint256 private constant PARAMETERS = ~uint256(type(uint96).max); // all but forward and times

    /// @param authority_ Access manager that governs the publishers.
    /// @param publishers_ First publishers, ascending.
    /// @param threshold_ How many of them an update needs.
    constructor(address authority_, address[] memory publishers_, uint256 threshold_)
        AccessManaged(authority_)
        EIP712("Ballast VolatilityQuorum", "1")
        Publishers(publishers_, threshold_)
    {}

    /// @inheritdoc IVolatilitySource
    /// @dev The parameters are those of one report as a whole, the one whose variances are nearest to the median of
    /// all at five strikes; the forward is the median, of an even number the mean of the middle two, rounded down;
    /// the time the oldest. Errors: those of `Publishers` and of OpenZeppelin's ECDSA.
    function observe(uint16 underlying, uint32 expiry, bytes calldata reports)
        external
        view
        returns (VolatilitySlice slice, bool agreed)
    {
        if (reports.length == 0) return (VolatilitySlice.wrap(0), false);
        (VolatilitySlice[] memory slices, uint256 time) = _verify(underlying, expiry, reports);
        uint256 tau = expiry > time ? uint256(expiry - time) * WAD / YEAR : 0;
        (uint256 nearest, uint256 distance) = _nearest(slices, tau);
        uint256 word = VolatilitySlice.unwrap(slices[nearest]) & PARAMETERS;
        slice = VolatilitySlice.wrap(word | (_forward(slices) << 64) | (time << 32));
        agreed = distance <= MAX_DISTANCE_BPS;
    }

    /// @dev Checks signers and times; gives the reports as words, and the oldest time.
    function _verify(uint16 underlying, uint32 expiry, bytes calldata reports)
        private
        view
        returns (VolatilitySlice[] memory slices, uint256)
    {
        uint256 count = _countReports(reports.length, REPORT_SIZE);
        slices = new VolatilitySlice[](count);
        Roll memory roll;
        for (uint256 i; i < count; ++i) {
            bytes calldata report = reports[i * REPORT_SIZE:(i + 1) * REPORT_SIZE];
            slices[i] = VolatilitySlice.wrap(uint256(uint200(bytes25(report[:SIGNATURE]))) << 32);
            _enrol(roll, _recover(underlying, expiry, slices[i], report), slices[i].time());
        }
        _checkSpread(roll);
        return (slices, roll.oldest);
    }

    function _recover(uint16 underlying, uint32 expiry, VolatilitySlice slice, bytes calldata report)
        private
        view
        returns (address)
    {
        uint256 word = VolatilitySlice.unwrap(slice);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    REPORT_TYPEHASH,
                    underlying,
                    expiry,
                    int32(uint32(word >> 200)),
                    uint32(word >> 168),
                    int24(uint24(word >> 144)),
                    int24(uint24(word >> 120)),
                    uint24(word >> 96),
                    uint32(word >> 64),
                    uint32(word >> 32)
                )
            )
        );
        bytes32 r = bytes32(report[SIGNATURE:SIGNATURE + 32]);
        bytes32 vs = bytes32(report[SIGNATURE + 32:REPORT_SIZE]);
        return ECDSA.recover(digest, r, vs);
    }

    /// @dev The report nearest to the median curve and its greatest distance from it, 1e-4 of the variance, rounded
    /// up; of equally near ones the first. A median of every parameter by itself could be a curve that nobody means.
    function _nearest(VolatilitySlice[] memory slices, uint256 tau)
        private
        pure
        returns (uint256 index, uint256 distance)
    {
        uint256 count = slices.length;
        uint256[] memory distances = new uint256[](count);
        int256 deviation;
        for (uint256 j; j < STRIKES; ++j) {
            uint256[] memory values = _variances(slices, deviation * _steps(j));
            uint256 median = _median(LibSort.copy(values));
            if (j == 0) deviation = int256(FixedPointMathLib.sqrt(median * tau));
            for (uint256 i; i < count; ++i) {
                uint256 away =
                    FixedPointMathLib.divUp(FixedPointMathLib.dist(values[i], median) * BPS, median);
                distances[i] = FixedPointMathLib.max(distances[i], away);
            }
        }
        distance = type(uint256).max;
        for (uint256 i; i < count; ++i) {
            if (distances[i] < distance) (index, distance) = (i, distances[i]);
        }
    }

    /// @dev 0, −1, 1, −2, 2: the first finds the deviation of the others.
    function _steps(uint256 index) private pure returns (int256) {
        int256 size = int256((index + 1) / 2);
        return index % 2 == 1 ? -size : size;
    }

    function _variances(VolatilitySlice[] memory slices, int256 k)
        private
        pure
        returns (uint256[] memory values)
    {
        values = new uint256[](slices.length);
        for (uint256 i; i < slices.length; ++i) {
            values[i] = slices[i].annualVariance(k);
        }
    }

    function _forward(VolatilitySlice[] memory slices) private pure returns (uint256) {
        uint256[] memory ratios = new uint256[](slices.length);
        for (uint256 i; i < slices.length; ++i) {
            ratios[i] = slices[i].forwardRatio();
        }
        return _median(ratios);
    }

    /// @dev Sorts its argument.
    function _median(uint256[] memory values) private pure returns (uint256) {
        LibSort.insertionSort(values);
        return FixedPointMathLib.avg(values[(values.length - 1) / 2], values[values.length / 2]);
    }
}
