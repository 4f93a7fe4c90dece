// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    IVolatilityBoard,
    Refusal,
    VolatilityConfig,
    VolatilityUpdate
} from "../interfaces/IVolatilityBoard.sol";
import {VolatilitySlice} from "../types/VolatilitySlice.sol";
import {ExpiryRegistry} from "./ExpiryRegistry.sol";
import {Candidate, VolatilityChecks} from "./VolatilityChecks.sol";

/// @title The volatility slices
/// @dev Storage: one word an expiry, its settlement price once it is settled.
abstract contract VolatilityBoard is ExpiryRegistry {
    uint256 private constant SPACING = 15 seconds;

    /// @notice What tells good slices from bad ones.
    VolatilityChecks public immutable CHECKS = new VolatilityChecks();

    mapping(uint256 key => VolatilitySlice) private _slices;

    /// @inheritdoc IVolatilityBoard
    function refreshVolatility(VolatilityUpdate[] calldata updates) external {
        _checkUnlocked();
        for (uint256 i; i < updates.length; ++i) {
            _refreshSlice(updates[i]);
        }
    }

    /// @inheritdoc IVolatilityBoard
    function slice(uint16 underlying, uint32 expiry) external view returns (VolatilitySlice) {
        return _slices[_key(underlying, expiry)];
    }

    function _slice(uint256 key) internal view returns (VolatilitySlice) {
        return _slices[key];
    }

    function _setSlice(uint256 key, VolatilitySlice word) internal {
        _slices[key] = word;
    }

    function _refreshSlice(VolatilityUpdate calldata update) private {
        (uint16 underlying, uint32 expiry) = (update.underlying, update.expiry);
        _allowedWindow(underlying, expiry);
        VolatilityConfig memory config = _volatility(underlying);
        (VolatilitySlice seen, bool agreed) = config.source.observe(underlying, expiry, update.reports);
        uint256 key = _key(underlying, expiry);
        VolatilitySlice last = _slices[key];
        if (!_isSliceDue(seen, last, expiry, config.maxAge)) return;
        seen = VolatilitySlice.wrap(VolatilitySlice.unwrap(seen) | (uint256(config.maxAge / 2) << 16));
        Refusal reason = agreed
            ? CHECKS.verdict(_candidate(underlying, expiry, config, seen, last))
            : Refusal.Disagreement;
        if (reason != Refusal.None) {
            emit VolatilityRefused(underlying, expiry, seen, reason);
            return;
        }
        _slices[key] = seen;
        emit VolatilityAccepted(underlying, expiry, seen);
    }

    /// @dev Reports move forward by steps of 15 s or more, so the jump limit bounds a speed, and an old one is none.
    function _isSliceDue(VolatilitySlice seen, VolatilitySlice last, uint256 expiry, uint256 maxAge)
        private
        view
        returns (bool)
    {
        uint256 time = seen.time();
        if (last.isFixed() || time >= expiry || block.timestamp - time > maxAge) return false;
        return time >= last.time() + SPACING;
    }

    function _candidate(
        uint16 underlying,
        uint256 expiry,
        VolatilityConfig memory config,
        VolatilitySlice seen,
        VolatilitySlice last
    ) private view returns (Candidate memory given) {
        (uint256 before, uint256 next) = _neighbours(underlying, expiry);
        uint256 time = seen.time();
        given = Candidate({
            slice: seen,
            expiry: expiry,
            last: last,
            jumpLimitBps: config.jumpLimitBps,
            forwardJumpBps: config.forwardJumpBps,
            before: before > time ? _fresh(underlying, before) : VolatilitySlice.wrap(0),
            beforeExpiry: before,
            next: next == 0 ? VolatilitySlice.wrap(0) : _fresh(underlying, next),
            nextExpiry: next
        });
    }

    /// @dev A stale neighbour does not count: two slices that each forbid the other's next step free themselves.
    function _fresh(uint256 underlying, uint256 expiry) private view returns (VolatilitySlice word) {
        word = _slices[_key(underlying, expiry)];
        if (word.overdue(block.timestamp) != 0) return VolatilitySlice.wrap(0);
    }
}
