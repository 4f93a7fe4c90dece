// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IPyth} from "@pythnetwork/pyth-sdk-solidity/IPyth.sol";
import {PythErrors} from "@pythnetwork/pyth-sdk-solidity/PythErrors.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IPriceSource, Observation} from "../../interfaces/IPriceSource.sol";

/// @notice How one feed is read from Pyth, in two words.
/// @param priceId Pyth's name of the price, in dollars.
/// @param maxAge Seconds after which a price says nothing any more, and an update is not worth its fee.
/// @param minAdvance Seconds by which an update must be newer than what Pyth has, to be worth its fee.
/// @param maxFee Greatest fee for one update, wei.
struct PythFeed {
    bytes32 priceId;
    uint32 maxAge;
    uint32 minAdvance;
    uint128 maxFee;
}

/// @title Prices from Pyth
/// @notice An update is one blob as Pyth's price service gives it, for any number of prices. The source pushes it to
/// Pyth and pays the fee from its own balance, which anybody may fill.
/// @dev Storage: two words a feed.
///
/// Anybody may call, so the balance is spent only on news: a push after which Pyth's price of this feed is not at
/// least `minAdvance` newer, or is older than `maxAge`, or is of the future, is undone with its fee. In T seconds a
/// feed thus spends at most `maxFee · ((T + maxAge) / minAdvance + 1)`, whoever calls how often with what, and each
/// payment has made its price newer. A replay is free. Without balance, or over the fee, the source
/// answers what Pyth has: whoever is in need pushes to Pyth himself and refreshes without data.
///
/// Pyth is trusted for its prices, not to work: what it does in a read gives an empty observation at worst. How to
/// stop it: set the feed's price id to zero; withdraw, and it pays for nothing.
contract PythSource is IPriceSource, AccessManaged {
    using Address for address payable;

    /// @notice A feed got a price id, or lost it (zero).
    event FeedSet(
        uint16 indexed underlying, bytes32 priceId, uint256 maxAge, uint256 minAdvance, uint256 maxFee
    );

    /// @notice An update was left out: its fee, wei, was over the limit of the feed or over the balance.
    event UpdateUnpaid(uint16 indexed underlying, uint256 fee);

    /// @notice Part of the balance went back, wei.
    event Withdrawn(uint256 amount);

    /// @notice Thrown when Pyth has no code.
    error PythSource_NoCode(address pyth);

    /// @notice Thrown when the balance could never go back.
    error PythSource_NoRefund();

    /// @notice Thrown when Pyth knows no usable price of that id while it is set, of whatever age.
    error PythSource_NoPrice(bytes32 priceId);

    /// @notice Thrown when a parameter leaves its hard bounds.
    error PythSource_OutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice Thrown when Pyth refuses an update, with the selector of its reason: malformed or forged.
    error PythSource_Refused(bytes4 reason);

    /// @notice Thrown, and caught here, when a push brought no news.
    error PythSource_NoNews(uint256 publishTime, uint256 earliest, uint256 latest);

    /// @notice Thrown, and caught here, when a push is not paid for.
    error PythSource_Unpaid(uint256 fee, uint256 greatest);

    /// @notice Thrown when anybody but this contract pushes.
    error PythSource_NotSelf(address caller);

    uint256 private constant MIN_MAX_AGE = 10;
    uint256 private constant MAX_MAX_AGE = 36 hours;
    uint256 private constant MAX_FEE = 0.01 ether;
    int256 private constant MIN_EXPONENT = -18;
    int256 private constant MAX_EXPONENT = 12; // 2^64 · 10^30 is far from an overflow
    uint256 private constant GAS = 500_000; // far above a real read: an endless one costs no more
    uint256 private constant REPORT_SIZE = 128;

    /// @notice The Pyth contract of the chain.
    IPyth public immutable PYTH;

    /// @notice The only place where the balance can go, but to Pyth.
    address payable public immutable REFUND;

    mapping(uint16 underlying => PythFeed) private _feeds;

    /// @param authority_ Access manager that governs the feeds.
    /// @param pyth_ Pyth contract of the chain.
    /// @param refund_ Where the balance can go back to.
    constructor(address authority_, IPyth pyth_, address payable refund_) AccessManaged(authority_) {
        if (address(pyth_).code.length == 0) revert PythSource_NoCode(address(pyth_));
        if (refund_ == address(0)) revert PythSource_NoRefund();
        PYTH = pyth_;
        REFUND = refund_;
    }

    /// @notice Takes ether for the fees of updates.
    receive() external payable {}

    /// @notice Sets how a feed is read; price id zero ends it.
    /// @dev Restricted. Pyth must know a usable price of that id, of whatever age. Errors: `PythSource_OutOfBounds`,
    /// `PythSource_NoPrice`.
    /// @param maxAge Seconds after which its price is stale, 10 s to 36 h.
    /// @param minAdvance Seconds by which an update must be newer, 1 to `maxAge`.
    /// @param maxFee Greatest fee for one update, wei, at most 0.01 ether; zero for never paying.
    function setFeed(uint16 underlying, bytes32 priceId, uint32 maxAge, uint32 minAdvance, uint128 maxFee)
        external
        restricted
    {
        if (priceId == 0) {
            delete _feeds[underlying];
        } else {
            _checkBounds("maxAge", maxAge, MIN_MAX_AGE, MAX_MAX_AGE);
            _checkBounds("minAdvance", minAdvance, 1, maxAge);
            _checkBounds("maxFee", maxFee, 0, MAX_FEE);
            (, uint256[4] memory report) = _report(priceId);
            if (_observation(report).price == 0) revert PythSource_NoPrice(priceId);
            _feeds[underlying] = PythFeed(priceId, maxAge, minAdvance, maxFee);
        }
        emit FeedSet(underlying, priceId, maxAge, minAdvance, maxFee);
    }

    /// @notice Gives `amount` wei of the balance back to `REFUND`.
    /// @dev Restricted.
    function withdraw(uint256 amount) external restricted {
        emit Withdrawn(amount);
        REFUND.sendValue(amount);
    }

    /// @inheritdoc IPriceSource
    /// @dev Empty when there is no feed, or Pyth does not answer, or its price is not positive, of a strange
    /// exponent, or older than `maxAge`. Pyth's confidence, one standard deviation, is the half-width. A caller of
    /// an update that Pyth refuses gets an error (`PythSource_Refused`) and may come without it.
    function observe(uint16 underlying, bytes calldata update) external returns (Observation memory seen) {
        PythFeed memory config = _feeds[underlying];
        if (config.priceId == 0) return seen;
        (bool answers, uint256[4] memory report) = _report(config.priceId);
        if (!answers) return seen;
        if (update.length != 0 && _pushIfNews(underlying, config, report[3], update)) {
            (, report) = _report(config.priceId);
        }
        uint256 time = report[3];
        if (time < block.timestamp && block.timestamp - time > config.maxAge) return seen;
        return _observation(report);
    }

    /// @notice Pushes updates and pays for them, or does nothing at all.
    /// @dev Only this contract itself calls it, so that a push without news can be undone with its fee.
    /// @param earliest Publish time that Pyth's price must have at least, afterwards.
    /// @param maxFee Greatest fee, wei.
    function push(bytes32 priceId, bytes[] calldata updates, uint256 earliest, uint256 maxFee) external {
        if (msg.sender != address(this)) revert PythSource_NotSelf(msg.sender);
        uint256 fee = PYTH.getUpdateFee(updates);
        uint256 greatest = FixedPointMathLib.min(maxFee, address(this).balance);
        if (fee > greatest) revert PythSource_Unpaid(fee, greatest);
        PYTH.updatePriceFeeds{value: fee}(updates);
        (, uint256[4] memory report) = _report(priceId);
        if (report[3] < earliest || report[3] > block.timestamp) {
            revert PythSource_NoNews(report[3], earliest, block.timestamp);
        }
    }

    /// @notice How a feed is read; zero if it is not.
    function feed(uint16 underlying) external view returns (PythFeed memory) {
        return _feeds[underlying];
    }

    /// @dev Whether Pyth took the update. Nothing is asked while no update could be news.
    /// @param last Publish time of the price that Pyth has.
    function _pushIfNews(uint16 underlying, PythFeed memory config, uint256 last, bytes calldata update)
        private
        returns (bool)
    {
        if (last >= block.timestamp || block.timestamp - last < config.minAdvance) return false;
        uint256 earliest = FixedPointMathLib.max(last + config.minAdvance, block.timestamp - config.maxAge);
        bytes[] memory updates = new bytes[](1);
        updates[0] = update;
        try this.push(config.priceId, updates, earliest, config.maxFee) {
            return true;
        } catch (bytes memory reason) {
            if (bytes4(reason) == PythSource_Unpaid.selector) {
                emit UpdateUnpaid(underlying, _firstWord(reason));
            } else if (bytes4(reason) != PythSource_NoNews.selector) {
                revert PythSource_Refused(bytes4(reason));
            }
            return false;
        }
    }

    /// @dev Price, confidence, exponent and publish time as Pyth has them; all zero for a price that it does not
    /// know. Copies the words and no more.
    function _report(bytes32 priceId) private view returns (bool answers, uint256[4] memory report) {
        bytes memory call_ = abi.encodeCall(IPyth.getPriceUnsafe, (priceId));
        address pyth = address(PYTH);
        bytes4 unknown = PythErrors.PriceFeedNotFound.selector;
        assembly ("memory-safe") {
            let ok := staticcall(GAS, pyth, add(call_, 0x20), mload(call_), 0x00, 0x20)
            switch ok
            case 0 {
                let reason := and(mload(0x00), shl(224, 0xffffffff))
                answers := and(gt(returndatasize(), 3), eq(reason, unknown))
            }
            default {
                answers := gt(returndatasize(), sub(REPORT_SIZE, 1))
                if answers { returndatacopy(report, 0x00, REPORT_SIZE) }
            }
        }
    }

    /// @dev The report in WAD dollars; empty if it is no price.
    function _observation(uint256[4] memory report) private pure returns (Observation memory seen) {
        int256 exponent = int256(report[2]);
        if (int256(report[0]) <= 0 || report[0] > uint64(type(int64).max)) return seen;
        if (report[1] > type(uint64).max || exponent < MIN_EXPONENT || exponent > MAX_EXPONENT) return seen;
        uint256 scale = 10 ** uint256(exponent - MIN_EXPONENT);
        seen.price = report[0] * scale;
        seen.confidence = report[1] * scale;
        seen.time = report[3];
    }

    /// @dev The first value of an error.
    function _firstWord(bytes memory reason) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(reason, 0x24))
        }
    }

    function _checkBounds(bytes32 parameter, uint256 value, uint256 least, uint256 greatest) private pure {
        if (value < least || value > greatest) {
            revert PythSource_OutOfBounds(parameter, value, least, greatest);
        }
    }
}
