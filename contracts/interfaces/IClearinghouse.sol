// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {SignedOrder} from "./IExchange.sol";
import {IOracleAdapter, PriceUpdate} from "./IOracleAdapter.sol";
import {IRiskEngine} from "./IRiskEngine.sol";
import {Header} from "../types/Header.sol";
import {LiquidationTerms, Margin} from "../types/Margin.sol";
import {Instrument, Position} from "../types/Position.sol";

/// @notice A collateral asset. Its index in the registry is its asset id; id 0 is cash.
/// @param token ERC-20 that is held.
/// @param decimals Decimals of the token.
/// @param underlying Feed that prices it.
/// @param total Amount recorded over all accounts, smallest units.
/// @param cap Greatest `total` that a deposit may reach.
struct Asset {
    address token;
    uint8 decimals;
    uint16 underlying;
    uint128 total;
    uint128 cap;
}

/// @notice One maker's part of a trade; the taker has the other side.
/// @param maker Account of the maker.
/// @param size Size that the taker receives, WAD; negative if the taker sells.
/// @param price Cash for one unit, WAD.
/// @param makerFee Cash that the maker pays, WAD.
/// @param takerFee Cash that the taker pays, WAD.
/// @param makerMinHealth E/MM that the maker asks for after the trade, WAD; zero for none.
/// @param makerReduceOnly Whether the maker's position may only shrink.
struct Fill {
    AccountId maker;
    int256 size;
    uint256 price;
    uint128 makerFee;
    uint128 takerFee;
    uint256 makerMinHealth;
    bool makerReduceOnly;
}

/// @notice What a liquidator takes and pays.
/// @param from Account that is liquidated.
/// @param into Account that receives the slice and pays for it.
/// @param fraction Fraction of every balance, WAD.
/// @param payment Cash to the liquidated account, WAD.
/// @param insurance Cash to the insurance account, WAD.
/// @param equity Equity of `from` by the assessment that the liquidation rests on, WAD.
/// @param initial IM of `from` by the same assessment, WAD; zero if it was not asked for.
struct Slice {
    AccountId from;
    AccountId into;
    uint256 fraction;
    uint256 payment;
    uint256 insurance;
    int256 equity;
    uint256 initial;
}

/// @title What both halves of the Clearinghouse have
interface IClearinghouseBase {
    event Deposited(AccountId indexed account, uint16 indexed asset, uint256 amount, address from);
    event Withdrawn(AccountId indexed account, uint16 indexed asset, uint256 amount, address to);
    event Transferred(AccountId indexed from, AccountId indexed to, uint16 indexed asset, uint256 amount);
    /// @param basis Mark − cumulative funding at which both sides were settled before the fill; zero for options and
    /// spot.
    event Traded(
        Instrument indexed instrument,
        AccountId indexed taker,
        AccountId indexed maker,
        int256 size,
        uint256 price,
        uint256 takerFee,
        uint256 makerFee,
        int256 basis
    );
    /// @notice Every perpetual of the account was settled to mark, and options became cash (`OptionSettled`).
    /// @param realised Cash that all of it became.
    event Settled(AccountId indexed account, int256 realised);
    /// @notice An option of a fixed series became cash: size × payoff, rounded down.
    event OptionSettled(AccountId indexed account, Instrument indexed series, int256 size, uint256 payoff);
    event SliceTransferred(
        AccountId indexed from, AccountId indexed into, uint256 fraction, uint256 payment, uint256 insurance
    );
    event InterestUpdated(uint256 supplyIndex, uint256 debtIndex, uint256 supplyRate, uint256 debtRate);
    event FundingUpdated(uint16 indexed underlying, int256 cumulative, int256 ratePerSecond);
    event ReserveCollected(uint256 amount);
    /// @notice The owner let `delegate` do what `permissions` says, up to and including `expiry`; zero is nothing.
    event DelegateSet(AccountId indexed account, address indexed delegate, uint8 permissions, uint64 expiry);
    event EngineSelected(AccountId indexed account, uint8 engine);
    event NewRiskStopped(address by);
    event NewRiskResumed(address by);
    event AssetRegistered(uint16 indexed asset, address token, uint8 decimals, uint16 underlying);
    event AssetCapSet(uint16 indexed asset, uint256 cap);
    event MarketListed(uint16 indexed underlying);
    event MarketCapSet(uint16 indexed underlying, uint256 cap);
    event OptionCapSet(uint16 indexed underlying, uint256 cap);
    event EngineRegistered(uint8 indexed engine, address implementation);

    /// @notice The adapter with the accepted prices.
    function ORACLE() external view returns (IOracleAdapter);

    /// @notice The engine of every account that selected none: number 0, once it is registered.
    function DEFAULT_ENGINE() external view returns (IRiskEngine);
}

/// @title What the Clearinghouse answers itself: the roads that are taken often
interface IClearinghouseCore is IClearinghouseBase {
    /// @notice Takes `amount` of `asset` from the caller into `to`. Needs no prices and no margin.
    /// @dev Credits the measured balance difference. A stranger may only add cash or an asset the account holds.
    function deposit(AccountId to, uint16 asset, uint256 amount) external returns (uint256 received);

    /// @notice Pays `amount` of `asset` out of an account. Leaves E ≥ max(IM, 10 % of perp notional). The owner names any
    /// recipient, a delegate only the owner.
    function withdraw(AccountId from, uint16 asset, uint256 amount, address to) external;

    /// @notice Moves `amount` of `asset` between accounts; the giving one must pass the check of a withdrawal. The owner
    /// names any account, a delegate only another one of the owner's.
    function transfer(AccountId from, AccountId to, uint16 asset, uint256 amount) external;

    /// @notice Carries out a trade of one taker against makers in one instrument. Only the Exchange, which has verified
    /// both sides' consent.
    /// @param takerMinHealth E/MM that the taker asks for after the trade, WAD; zero for none.
    /// @param takerReduceOnly Whether the taker's position may only shrink.
    function applyTrade(
        Instrument instrument,
        AccountId taker,
        uint256 takerMinHealth,
        bool takerReduceOnly,
        Fill[] calldata fills
    ) external;

    /// @notice Moves a slice of an account. Only the Liquidator.
    function transferSlice(Slice calldata slice) external;

    /// @notice Sets a market's funding rate from now on. Only the OracleAdapter.
    /// @param ratePerSecond Cash that one long unit pays a second, WAD.
    /// @return openInterest Σ of long sizes, WAD.
    function setFundingRate(uint16 underlying, int256 ratePerSecond) external returns (uint256 openInterest);

    /// @notice Open interest, cumulative funding at this moment, funding rate a second and cap of a market, all WAD.
    function market(uint16 underlying)
        external
        view
        returns (uint256 openInterest, int256 funding, int256 ratePerSecond, uint256 cap);

    /// @notice Whether a call is under way that changes accounts.
    function isLocked() external view returns (bool);

    /// @notice Whether `who` is the account's owner, or a delegate who holds every bit of `permission` now.
    function isPermitted(AccountId account, address who, uint8 permission) external view returns (bool);

    /// @notice Terms on which the account's engine lets it be liquidated.
    function liquidationTerms(AccountId account) external view returns (LiquidationTerms memory);

    /// @notice The account that receives trading fees and rounding dust.
    function FEE_ACCOUNT() external view returns (AccountId);

    /// @notice The account that receives the insurance share of liquidations and the reserve of interest.
    function INSURANCE_ACCOUNT() external view returns (AccountId);

    /// @notice The account's margin by its own engine.
    /// @param mode As in `IRiskEngine.assess`.
    function margin(AccountId account, uint256 mode) external view returns (Margin memory);
}

/// @title What the Clearinghouse answers through its extension: the roads that are taken seldom
interface IClearinghouseExtension is IClearinghouseBase {
    /// @notice Refreshes prices, then makes calls of this contract one after the other, all as the caller's. Margin is
    /// checked once for each account, at the end, as strictly as the strictest of its changes asks for.
    /// @param updates Prices to refresh first.
    /// @param calls Encoded calls of this contract; none may be a multicall or a liquidation.
    /// @return results What they answered.
    function multicall(PriceUpdate[] calldata updates, bytes[] calldata calls)
        external
        returns (bytes[] memory results);

    /// @notice Lets the Exchange settle signed orders, as `IExchange.settle` without price updates: for batches.
    function settleOrders(SignedOrder calldata taker, SignedOrder[] calldata makers, uint256[] calldata sizes)
        external;

    /// @notice Gives this contract an allowance by the caller's signature (EIP-2612), for a deposit in the same batch.
    /// @dev Never fails for the signature's sake: it may have been used already. Then the deposit decides.
    function permit(uint16 asset, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Stops new risk at once: trades that do not only reduce, withdrawals that borrow, changes of engine.
    /// Deposits, reductions, withdrawals of free collateral and liquidations go on. For the guardian.
    function stopNewRisk() external;

    /// @notice Lets new risk in again. For the administration.
    function resumeNewRisk() external;

    /// @notice Whether new risk is stopped.
    function isNewRiskStopped() external view returns (bool);

    /// @notice Turns into cash what the account has gained and lost: its perpetuals are settled to mark, and its options
    /// whose series were fixed at least an hour ago become their payoff.
    /// @dev Anybody may call; equity changes by rounding alone, a wei a position at most. Needs no fresh price.
    function settle(AccountId account) external;

    /// @notice Puts the account under another registered engine; it must meet that engine's IM.
    function selectEngine(AccountId account, uint8 engine) external;

    /// @notice Lets `delegate` act for the account within `permissions` until `expiry`, instead of what held before.
    /// Zero permissions revoke. Only the owner.
    /// @param permissions Sum of the constants of `Permission.sol`.
    /// @param expiry Last second at which they hold, unix time.
    function setDelegate(AccountId account, address delegate, uint8 permissions, uint64 expiry) external;

    /// @notice What was last set for a delegate, expired or not.
    function delegateOf(AccountId account, address delegate)
        external
        view
        returns (uint8 permissions, uint64 expiry);

    /// @notice Units open in all series of an underlying together, and their cap, WAD.
    function optionMarket(uint16 underlying) external view returns (uint256 openInterest, uint256 cap);

    /// @notice Open interest of an option series on either side, WAD.
    function seriesInterest(Instrument series) external view returns (uint256 long, uint256 short);

    /// @notice A registered asset. Reverts if `id` is unknown.
    function asset(uint16 id) external view returns (Asset memory);

    /// @notice The engine that is registered under `id`.
    function engine(uint8 id) external view returns (IRiskEngine);

    /// @notice The engine that an account has selected.
    function engineOf(AccountId account) external view returns (uint8);

    /// @notice Cash (WAD, debt negative) and positions with funding folded in, as the engine gets them.
    function portfolio(AccountId account) external view returns (int256 cash, Position[] memory words);

    /// @notice The header and the positions of an account as they are stored, funding not folded in.
    function accountWords(AccountId account) external view returns (Header header, Position[] memory words);

    /// @notice Indices (1e-17) at this moment, rates (1e-9 a year), scaled totals and the uncollected reserve (WAD).
    function interest()
        external
        view
        returns (
            uint256 supplyIndex,
            uint256 debtIndex,
            uint256 supplyRate,
            uint256 debtRate,
            uint256 scaledSupply,
            uint256 scaledDebt,
            uint256 reserve
        );

    /// @notice Number of registered assets, cash included; their ids count from 0.
    function assetCount() external view returns (uint256);

    /// @notice Number of registered engines; their ids count from 0.
    function engineCount() external view returns (uint256);

    /// @notice Hands the interest kept back from lenders to the insurance account. Anybody may call.
    function collectReserve() external returns (uint256 amount);

    /// @notice Registers a token as collateral priced by `underlying`, with a cap of zero.
    function registerAsset(address token, uint16 underlying) external returns (uint16 id);

    /// @notice Sets the greatest recorded total, in smallest units, that a deposit of `id` may reach; of cash, the
    /// greatest amount of tokens held. Every engine must know the asset: an account holding one that its engine cannot
    /// assess could not be liquidated.
    function setAssetCap(uint16 id, uint128 cap) external;

    /// @notice Registers a risk engine that accounts may select; the first one is every account's default. It must
    /// know every asset that is open for deposits or held.
    function registerEngine(address engine) external returns (uint8 id);

    /// @notice Lists the perpetual on `underlying`, with an open-interest cap of zero.
    function listMarket(uint16 underlying) external;

    /// @notice Sets the greatest open interest, WAD, that a trade may reach. Below what is open, only reductions trade.
    function setMarketCap(uint16 underlying, uint256 cap) external;

    /// @notice Sets the greatest number of option units, WAD, that trades may have open in all series of `underlying`.
    /// Below what is open, only reductions trade.
    function setOptionCap(uint16 underlying, uint256 cap) external;
}

/// @title The contract that holds all user money and writes all accounts
interface IClearinghouse is IClearinghouseCore, IClearinghouseExtension {}
