// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId, AccountIdLib} from "../types/AccountId.sol";
import {Instrument, Position, PositionLib} from "../types/Position.sol";
import {Snapshot} from "../types/Snapshot.sol";

/// @title The word libraries behind external functions, for tests
contract CodecProbe {
    function account(address owner, uint96 index) external pure returns (AccountId) {
        return AccountIdLib.make(owner, index);
    }

    function ownerOf(AccountId id) external pure returns (address) {
        return id.owner();
    }

    function perp(uint16 underlying, int256 size, int256 quote) external pure returns (Position) {
        return PositionLib.perp(underlying, size, quote);
    }

    function option(Instrument series, int256 size) external pure returns (Position) {
        return PositionLib.option(series, size);
    }

    function series(Instrument what) external pure returns (uint32 expiry, uint256 strike, bool isPut) {
        return (what.expiry(), what.strike(), what.isPut());
    }

    function collateral(uint16 asset, uint256 amount) external pure returns (Position) {
        return PositionLib.collateral(asset, amount);
    }

    function position(Position word)
        external
        pure
        returns (uint256 kind, uint16 id, int256 size, int256 quote, uint256 amount, Instrument instrument)
    {
        return (word.kind(), word.id(), word.perpSize(), word.perpQuote(), word.amount(), word.instrument());
    }

    function isIn(Position word, Instrument what) external pure returns (bool) {
        return word.isIn(what);
    }

    function isCanonical(Instrument what) external pure returns (bool) {
        return what.isCanonical();
    }

    function prices(Snapshot word)
        external
        pure
        returns (uint256 spot, uint256 stable, uint256 mark, int256 premium, uint256 confidence)
    {
        return (word.spot(), word.stable(), word.mark(), word.premium(), word.confidence());
    }

    function ranges(Snapshot word) external pure returns (uint256 maintenance, uint256 initial) {
        return (word.rangeMaintenance(), word.rangeInitial());
    }

    function state(Snapshot word, uint256 nowTime)
        external
        pure
        returns (
            uint256 time,
            uint256 maxAge,
            uint256 age,
            bool fresh,
            uint256 blockTag,
            bool wide,
            bool suspect,
            bool halted
        )
    {
        return (
            word.time(),
            word.maxAge(),
            word.age(nowTime),
            word.isFresh(nowTime),
            word.blockTag(),
            word.isWide(),
            word.isSuspect(),
            word.isHalted()
        );
    }

    function withSpot(Snapshot word, uint256 price) external pure returns (Snapshot) {
        return word.withSpot(price);
    }
}
