// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Asset} from "../interfaces/IClearinghouse.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {Snapshot} from "../types/Snapshot.sol";

/// @title What a risk engine reads of the oracle and of the Clearinghouse, set freely, for tests
contract MockPriceBoard {
    mapping(uint16 underlying => Snapshot) public snapshot;
    mapping(uint16 underlying => uint256) public premiumClampBps;
    mapping(uint16 underlying => uint256) public scanRange;
    mapping(uint8 id => address) public engine;
    uint256 public engineCount;
    mapping(uint16 underlying => uint256) private _openInterest;
    mapping(uint16 underlying => bool) private _listed;
    mapping(uint256 key => uint256) private _slices;
    mapping(uint256 key => uint256[2]) private _means;
    mapping(uint16 id => Asset) private _assets;

    error Clearinghouse_UnknownMarket(uint16 underlying);

    function setSnapshot(uint16 underlying, Snapshot word) external {
        snapshot[underlying] = word;
    }

    function setScanRange(uint16 underlying, uint256 word) external {
        scanRange[underlying] = word;
    }

    function setPremiumClamp(uint16 underlying, uint256 bps) external {
        premiumClampBps[underlying] = bps;
    }

    function setOpenInterest(uint16 underlying, uint256 openInterest) external {
        _openInterest[underlying] = openInterest;
        _listed[underlying] = true;
    }

    function setAsset(uint16 id, uint8 decimals, uint16 underlying) external {
        _assets[id].decimals = decimals;
        _assets[id].underlying = underlying;
    }

    function setSlice(uint16 underlying, uint32 expiry, uint256 word) external {
        _slices[uint256(underlying) << 32 | expiry] = word;
    }

    function setSettlementMean(uint16 underlying, uint32 expiry, uint256 elapsed, uint256 mean) external {
        _means[uint256(underlying) << 32 | expiry] = [elapsed, mean];
    }

    function market(uint256[] calldata keys) external view returns (uint256[] memory words) {
        words = new uint256[](keys.length);
        for (uint256 i; i < keys.length; ++i) {
            words[i] =
                uint32(keys[i]) == 0 ? Snapshot.unwrap(snapshot[uint16(keys[i] >> 32)]) : _slices[keys[i]];
        }
    }

    function settlementMean(uint16 underlying, uint32 expiry) external view returns (uint256, uint256) {
        uint256[2] memory known = _means[uint256(underlying) << 32 | expiry];
        return (known[0], known[1]);
    }

    function asset(uint16 id) external view returns (Asset memory) {
        return _assets[id];
    }

    /// @dev The engines that accounts may select: the one that was named, or none.
    function setEngine(address engine_) external {
        engine[0] = engine_;
        engineCount = 1;
    }

    /// @dev Funding, its rate and the cap are not what an engine asks for.
    function market(uint16 underlying) external view returns (uint256, int256, int256, uint256) {
        if (!_listed[underlying]) revert Clearinghouse_UnknownMarket(underlying);
        return (_openInterest[underlying], 0, 0, 0);
    }

    // solhint-disable-next-line func-name-mixedcase
    function ORACLE() external view returns (IOracleAdapter) {
        return IOracleAdapter(address(this));
    }
}
