// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Quotes} from "./Quotes.sol";

/// @notice A jump that waits to be confirmed, in one word. It counts only while the snapshot is marked suspect.
///
/// | bits      | field                               | unit          |
/// |-----------|-------------------------------------|---------------|
/// | 112 … 179 | price of the first report           | 1e-12 of cash |
/// |  80 … 111 | time of the first report            | unix seconds  |
/// |  48 … 79  | block time at which it was seen     | unix seconds  |
/// |  16 … 47  | time of the last report             | unix seconds  |
/// |   0 … 15  | reports that agree, the first too   | 65,535 at most |
type Suspicion is uint256;

using SuspicionLib for Suspicion global;

library SuspicionLib {
    uint256 private constant REPORTS = 3;
    uint256 private constant SECONDS = 180;

    /// @notice A suspicion of one report.
    function begin(uint256 price_, uint256 time, uint256 nowTime) internal pure returns (Suspicion) {
        return Suspicion.wrap((price_ << 112) | (time << 80) | (nowTime << 48) | (time << 16) | 1);
    }

    /// @notice Takes in a report that is newer than the last one: it confirms, or begins anew.
    function next(Suspicion self, uint256 price_, uint256 time, uint256 nowTime, uint256 limitBps)
        internal
        pure
        returns (Suspicion)
    {
        if (!Quotes.isWithin(price(self), price_, limitBps)) return begin(price_, time, nowTime);
        uint256 reports = count(self) == type(uint16).max ? count(self) : count(self) + 1;
        uint256 kept = (Suspicion.unwrap(self) >> 48) << 48;
        return Suspicion.wrap(kept | (time << 16) | reports);
    }

    /// @notice Whether enough reports agree over long enough, by their own times and by the blocks'.
    /// @dev The publishers choose the first, whoever refreshes the second: nobody both.
    function isConfirmed(Suspicion self, uint256 nowTime) internal pure returns (bool) {
        if (count(self) < REPORTS) return false;
        return lastTime(self) >= firstTime(self) + SECONDS && nowTime >= seenAt(self) + SECONDS;
    }

    function price(Suspicion self) internal pure returns (uint256) {
        return Suspicion.unwrap(self) >> 112;
    }

    function firstTime(Suspicion self) internal pure returns (uint256) {
        return uint32(Suspicion.unwrap(self) >> 80);
    }

    function seenAt(Suspicion self) internal pure returns (uint256) {
        return uint32(Suspicion.unwrap(self) >> 48);
    }

    function lastTime(Suspicion self) internal pure returns (uint256) {
        return uint32(Suspicion.unwrap(self) >> 16);
    }

    function count(Suspicion self) internal pure returns (uint256) {
        return uint16(Suspicion.unwrap(self));
    }
}
