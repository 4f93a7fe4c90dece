// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibSort} from "solady/utils/LibSort.sol";
import {IPriceSource, Observation} from "../../interfaces/IPriceSource.sol";
import {Publishers, Roll} from "./Publishers.sol";

/// @title Prices that M of N publishers sign
/// @notice An update is a row of reports of 132 bytes, in ascending order of their signers' addresses:
///
/// | bytes     | field      | meaning                                                          |
/// |-----------|------------|------------------------------------------------------------------|
/// |   0 … 15  | price      | WAD dollars                                                      |
/// |  16 … 31  | confidence | half-width, WAD dollars                                          |
/// |  32 … 47  | impactBid  | where a sized sale of the perpetual would fill, or zero          |
/// |  48 … 63  | impactAsk  | where a sized purchase of the perpetual would fill, or zero      |
/// |  64 … 67  | time       | unix seconds                                                     |
/// |  68 … 131 | r, vs      | compact signature (ERC-2098) of the EIP-712 `Report`             |
///
/// The underlying is not sent: it is the one that is asked for, and a report on another has another signer.
/// @dev Nothing is kept of a report; that times only move forward in the adapter is what stops a replay.
contract QuorumSource is IPriceSource, Publishers, EIP712 {
    /// @notice EIP-712 type of a report.
    bytes32 public constant REPORT_TYPEHASH = keccak256(
        "Report(uint16 underlying,uint256 price,uint256 confidence,uint256 impactBid,uint256 impactAsk,uint256 time)"
    );

    uint256 private constant REPORT_SIZE = 132;
    uint256 private constant SIGNATURE = 68; // where it begins
    uint256 private constant FIELDS = 4; // price, confidence, impact bid, impact ask

    /// @param authority_ Access manager that governs the publishers.
    /// @param publishers_ First publishers, ascending.
    /// @param threshold_ How many of them an update needs.
    constructor(address authority_, address[] memory publishers_, uint256 threshold_)
        AccessManaged(authority_)
        EIP712("Ballast QuorumSource", "1")
        Publishers(publishers_, threshold_)
    {}

    /// @inheritdoc IPriceSource
    /// @dev An empty update gives an empty observation. Otherwise every field is the median of the reports; of an
    /// even number the price is the mean of the middle two, rounded down, the impact bid the lower and the
    /// confidence and the impact ask the upper one, so that the premium leans to zero and an unknown bid (zero)
    /// is never averaged. The time is the oldest one. Errors: those of `Publishers` and of
    /// OpenZeppelin's ECDSA.
    function observe(uint16 underlying, bytes calldata update) external view returns (Observation memory) {
        if (update.length == 0) return Observation(0, 0, 0, 0, 0);
        uint256 count = _countReports(update.length, REPORT_SIZE);
        uint256 oldest = _verify(underlying, update, count);
        uint256 low = (count - 1) / 2;
        uint256 high = count / 2;
        uint256[] memory prices = _sorted(update, count, 0);
        return Observation({
            price: FixedPointMathLib.avg(prices[low], prices[high]),
            confidence: _sorted(update, count, 1)[high],
            time: oldest,
            impactBid: _sorted(update, count, 2)[low],
            impactAsk: _sorted(update, count, 3)[high]
        });
    }

    /// @dev Checks signers and times; gives the oldest time.
    function _verify(uint16 underlying, bytes calldata update, uint256 count)
        private
        view
        returns (uint256 oldest)
    {
        Roll memory roll;
        for (uint256 i; i < count; ++i) {
            bytes calldata report = update[i * REPORT_SIZE:(i + 1) * REPORT_SIZE];
            (address signer, uint256 time) = _recover(underlying, report);
            _enrol(roll, signer, time);
        }
        _checkSpread(roll);
        return roll.oldest;
    }

    function _recover(uint16 underlying, bytes calldata report)
        private
        view
        returns (address signer, uint256 time)
    {
        time = uint32(bytes4(report[FIELDS * 16:SIGNATURE]));
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    REPORT_TYPEHASH,
                    underlying,
                    _field(report, 0),
                    _field(report, 1),
                    _field(report, 2),
                    _field(report, 3),
                    time
                )
            )
        );
        bytes32 r = bytes32(report[SIGNATURE:SIGNATURE + 32]);
        bytes32 vs = bytes32(report[SIGNATURE + 32:REPORT_SIZE]);
        signer = ECDSA.recover(digest, r, vs);
    }

    function _sorted(bytes calldata update, uint256 count, uint256 index)
        private
        pure
        returns (uint256[] memory values)
    {
        values = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            values[i] = _field(update[i * REPORT_SIZE:], index);
        }
        LibSort.insertionSort(values);
    }

    function _field(bytes calldata report, uint256 index) private pure returns (uint256) {
        return uint128(bytes16(report[index * 16:index * 16 + 16]));
    }
}
