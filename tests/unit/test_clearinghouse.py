"""Custody, cash, markets, the margin gate: on the contracts and their model at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ballast.codec import AccountId, Instrument
from ballast.model.interest import MAX_INDEX, InterestState
from ballast.model.market import MAX_FUNDING, MAX_RATE, RATE_UNIT, MarketState
from ballast.permissions import Permission
from ballast.units import WAD
from tests.support.clearing import (
    BTC,
    CASH,
    ETH,
    ETH_PERP,
    WBTC,
    WBTC_SPOT,
    WETH,
    WETH_SPOT,
    ClearingWorld,
    refused,
    units,
)
from tests.support.revm import DEPLOYER, reverts

MIN_EQUITY = 50 * WAD
NOBODY = AccountId.make("0x" + "00" * 20, 7)


@pytest.fixture
def world() -> ClearingWorld:
    return ClearingWorld()


@pytest.fixture
def trader(world: ClearingWorld) -> AccountId:
    return world.account("trader")


@pytest.fixture
def maker(world: ClearingWorld) -> AccountId:
    account = world.account("maker")
    world.fund(account, 1_000_000, weth=100, wbtc=10)
    return account


@pytest.fixture
def lender(world: ClearingWorld) -> AccountId:
    account = world.account("lender")
    world.fund(account, 10_000)
    return account


# ---- Deposits ---------------------------------------------------------------------------------


def test_cash_is_credited_in_wad(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, 12.345678)
    assert world.cash_of(trader) == units(12.345678)


def test_collateral_becomes_a_word(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, weth=2)
    world.fund(trader, weth=1)
    assert world.words_of(trader) == [WETH_SPOT + 3 * WAD]


def test_a_deposit_needs_no_price(world: ClearingWorld, trader: AccountId) -> None:
    world.advance(10**6)
    world.fund(trader, 1, weth=1)


def test_a_fee_on_transfer_is_the_depositors(trader: AccountId) -> None:
    world = ClearingWorld("FeeOnTransferToken")
    token = world.tokens[CASH]
    token.mint(trader.owner, 1000)
    token.approve(world.house, 1000, sender=trader.owner)
    assert world.house.deposit(trader, CASH, 1000, sender=trader.owner) == 990
    assert world.cash_of(trader) == 990 * 10**12


def test_a_deposit_of_which_nothing_arrives_is_refused(trader: AccountId) -> None:
    world = ClearingWorld("FeeOnTransferToken")
    token = world.tokens[CASH]
    token.mint(trader.owner, 1)
    token.approve(world.house, 1, sender=trader.owner)
    with reverts("Clearinghouse_ZeroAmount"):
        world.house.deposit(trader, CASH, 1, sender=trader.owner)


def test_deposit_of_nothing(world: ClearingWorld, trader: AccountId) -> None:
    with reverts("Clearinghouse_ZeroAmount"):
        world.deposit(trader, CASH, 0)


def test_deposit_to_an_account_without_owner(world: ClearingWorld, trader: AccountId) -> None:
    with reverts("Clearinghouse_InvalidAccount", NOBODY.value):
        world.deposit(NOBODY, CASH, 1, sender=trader.owner)


def test_deposit_of_an_unknown_asset(world: ClearingWorld, trader: AccountId) -> None:
    with reverts("Clearinghouse_UnknownAsset", 9):
        world.deposit(trader, 9, 1)


def test_deposit_of_what_the_caller_lacks(world: ClearingWorld, trader: AccountId) -> None:
    world.mint(CASH, trader.owner, 5)
    with reverts("ERC20InsufficientBalance", trader.owner.lower(), 5, 6):
        world.deposit(trader, CASH, 6)


def test_deposit_over_the_cap(world: ClearingWorld, trader: AccountId) -> None:
    world.set_asset_cap(WETH, 3 * WAD)
    world.fund(trader, weth=3)
    world.mint(WETH, trader.owner, 1)
    with reverts("Clearinghouse_AssetCapExceeded", WETH, 3 * WAD + 1, 3 * WAD):
        world.deposit(trader, WETH, 1)


def test_a_stranger_may_add_to_what_is_held(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, weth=1)
    stranger = world.owner("stranger")
    world.mint(WETH, stranger, WAD)
    world.mint(CASH, stranger, 10**6)
    world.deposit(trader, WETH, WAD, sender=stranger)
    world.deposit(trader, CASH, 10**6, sender=stranger)
    assert world.words_of(trader) == [WETH_SPOT + 2 * WAD]


def test_a_stranger_may_not_add_a_word(world: ClearingWorld, trader: AccountId) -> None:
    stranger = world.owner("stranger")
    world.mint(WBTC, stranger, 1)
    with reverts("Clearinghouse_StrangerCannotAdd", trader.value, WBTC):
        world.deposit(trader, WBTC, 1, sender=stranger)


def test_cash_beyond_128_bits(world: ClearingWorld, trader: AccountId) -> None:
    amount = 2**127 // 10**12 + 1
    world.mint(CASH, trader.owner, amount)
    with reverts("Header_CashOverflow", amount * 10**12):
        world.deposit(trader, CASH, amount)


def test_the_totals_stop_at_128_bits(world: ClearingWorld, trader: AccountId) -> None:
    amount = 2**127 // 10**12 - 1
    for index in range(2):
        world.mint(CASH, trader.owner, amount)
        world.deposit(world.account("trader", index), CASH, amount)
    world.mint(CASH, trader.owner, 10**7)
    with reverts("SafeCastOverflowedUintDowncast"):
        world.deposit(world.account("trader", 2), CASH, 10**7)


# ---- Withdrawals ------------------------------------------------------------------------------


def test_withdrawal_of_everything(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, 100, weth=1)
    to = world.owner("stranger")
    world.withdraw(trader, CASH, 100 * 10**6, to=to)
    world.withdraw(trader, WETH, WAD, to=to)
    assert world.words_of(trader) == []
    assert world.tokens[CASH].balanceOf(to) == 100 * 10**6
    assert world.tokens[WETH].balanceOf(to) == WAD


def test_an_account_that_owes_nothing_needs_no_price(
    world: ClearingWorld, trader: AccountId
) -> None:
    world.fund(trader, 100, weth=1)
    world.advance(10**6)
    world.withdraw(trader, WETH, WAD // 2)


def test_only_the_owner_withdraws(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, 1)
    stranger = world.owner("stranger")
    with reverts("Clearinghouse_NotPermitted", trader.value, stranger, Permission.WITHDRAW):
        world.withdraw(trader, CASH, 1, sender=stranger)
    with reverts("Clearinghouse_NotOwner", trader.value, stranger):
        world.withdraw(trader, CASH, 1, to=stranger, sender=stranger)


def test_withdrawal_to_nobody(world: ClearingWorld, trader: AccountId) -> None:
    world.fund(trader, 1)
    for recipient in ("0x" + "00" * 20, world.house.address):
        with reverts("Clearinghouse_InvalidRecipient", recipient):
            world.withdraw(trader, CASH, 1, to=recipient)


def test_withdrawal_of_nothing(world: ClearingWorld, trader: AccountId) -> None:
    with reverts("Clearinghouse_ZeroAmount"):
        world.withdraw(trader, CASH, 0)


def test_withdrawal_of_an_unknown_asset(world: ClearingWorld, trader: AccountId) -> None:
    with reverts("Clearinghouse_UnknownAsset", 3):
        world.withdraw(trader, 3, 1)


@pytest.mark.parametrize("held", [0, 1])
def test_withdrawal_of_collateral_that_is_not_held(
    world: ClearingWorld, trader: AccountId, held: int
) -> None:
    world.fund(trader, weth=held)
    error = "Clearinghouse_InsufficientBalance"
    with reverts(error, trader.value, WETH, held * WAD, held * WAD + 1):
        world.withdraw(trader, WETH, held * WAD + 1)


def test_borrowing_against_collateral(
    world: ClearingWorld, trader: AccountId, lender: AccountId
) -> None:
    world.fund(trader, weth=1)
    world.withdraw(trader, CASH, 1000 * 10**6)
    assert world.cash_of(trader) == -1000 * WAD
    world.advance(365 * 86400)
    owed = -world.cash_of(trader)
    utilisation = 0.1
    rate = 0.02 + 0.08 * utilisation / 0.85
    assert owed == pytest.approx(1000 * WAD * (1 + rate), rel=1e-8)
    earned = world.cash_of(lender) - 10_000 * WAD
    assert earned == pytest.approx(0.8 * (owed - 1000 * WAD), rel=1e-6)


def test_borrowing_too_much(world: ClearingWorld, trader: AccountId, lender: AccountId) -> None:
    world.fund(trader, weth=1)
    with reverts("Clearinghouse_InsufficientMargin", trader.value, 499 * WAD, 540 * WAD):
        world.withdraw(trader, CASH, 1501 * 10**6)


def test_tokens_that_are_lent_out(
    world: ClearingWorld, trader: AccountId, lender: AccountId
) -> None:
    world.fund(trader, weth=100)
    world.withdraw(trader, CASH, 9_000 * 10**6)
    with reverts("Clearinghouse_InsufficientTokens", 1000 * 10**6, 1001 * 10**6):
        world.withdraw(lender, CASH, 1001 * 10**6)
    world.withdraw(lender, CASH, 1000 * 10**6)
    assert world.house.interest()[3] == 10**9, "all is lent: 100 % a year"


def test_withdrawal_on_a_stale_price(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    world.trade(trader, maker, 1)
    world.advance(3601)
    with reverts("Clearinghouse_PriceNotFresh", trader.value):
        world.withdraw(trader, CASH, 1)


def test_a_tenth_of_the_notional_stays(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    """The initial margin of a hedged book is small, but the perpetual keeps its tenth."""
    world.fund(trader, 10_000, weth=10)
    world.trade(trader, maker, -10)
    margin = world.margin(trader)
    assert margin.initial < margin.perp_notional // 10
    world.withdraw(trader, CASH, 10_000 * 10**6)
    spare = world.margin(trader).equity - margin.perp_notional // 10
    with reverts("Clearinghouse_InsufficientMargin"):
        world.withdraw(trader, CASH, spare // 10**12 + 1)
    world.withdraw(trader, CASH, spare // 10**12)


# ---- Transfers --------------------------------------------------------------------------------


def test_transfers_between_accounts(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 100, weth=2)
    own = world.account("trader", 5)
    world.transfer(trader, own, CASH, 60 * 10**6)
    world.transfer(trader, own, WETH, WAD)
    world.transfer(trader, maker, WETH, WAD)
    assert world.cash_of(own) == 60 * WAD
    assert world.words_of(trader) == []


def test_transfer_refusals(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 100, wbtc=1)
    other = world.account("lender")
    stranger = world.owner("stranger")
    with reverts("Clearinghouse_NotOwner", trader.value, stranger):
        world.transfer(trader, other, CASH, 1, sender=stranger)
    with reverts("Clearinghouse_SameAccount", trader.value):
        world.transfer(trader, trader, CASH, 1)
    with reverts("Clearinghouse_InvalidAccount", NOBODY.value):
        world.transfer(trader, NOBODY, CASH, 1)
    with reverts("Clearinghouse_UnknownAsset", 9):
        world.transfer(trader, other, 9, 1)
    with reverts("Clearinghouse_ZeroAmount"):
        world.transfer(trader, other, CASH, 0)
    with reverts("Clearinghouse_InsufficientBalance", trader.value, WETH, 0, 1):
        world.transfer(trader, other, WETH, 1)
    with reverts("Clearinghouse_StrangerCannotAdd", other.value, WBTC):
        world.transfer(trader, other, WBTC, 1)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.transfer(trader, other, CASH, 60_000 * 10**6)


# ---- Settlement of perpetuals -------------------------------------------------------------------


def test_profit_becomes_cash(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 10_000)
    world.trade(trader, maker, 2)
    world.set_price(ETH, 2100)
    equity = world.margin(trader).equity
    world.settle_account(trader)
    assert world.cash_of(trader) == pytest.approx(10_200 * WAD, rel=1e-6)
    assert abs(world.margin(trader).equity - equity) <= 1
    world.settle_account(maker)
    world.settle_account(trader)


def test_settling_an_empty_account(world: ClearingWorld, trader: AccountId) -> None:
    world.settle_account(trader)
    assert world.words_of(trader) == []


# ---- Engines ----------------------------------------------------------------------------------


def test_selecting_an_engine(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.register_engine(world.engine)
    world.fund(trader, 1_000)
    world.trade(trader, maker, 1)
    world.select_engine(trader, 1)
    assert world.house.accountWords(trader)[0] >> 136 & 0xFF == 1
    world.trade(trader, maker, 1)


def test_engine_refusals(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.register_engine(world.engine)
    stranger = world.owner("stranger")
    with reverts("Clearinghouse_NotPermitted", trader.value, stranger, Permission.MANAGE):
        world.select_engine(trader, 1, sender=stranger)
    with reverts("Clearinghouse_UnknownEngine", 2):
        world.select_engine(trader, 2)
    world.fund(trader, 1_000)
    world.trade(trader, maker, 2)
    world.set_price(ETH, 1900)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.select_engine(trader, 1)
    world.advance(3601)
    with reverts("Clearinghouse_PriceNotFresh", trader.value):
        world.select_engine(trader, 1)


# ---- Registries -------------------------------------------------------------------------------


def test_registering_assets(world: ClearingWorld) -> None:
    token = world.evm.deploy("TestToken", "Another", "ANY", 18)
    with reverts("Clearinghouse_PriceNeverAccepted", 7):
        world.register_asset(token, 18, 7)
    with reverts("Clearinghouse_TokenAlreadyRegistered", world.tokens[WBTC].address, WBTC):
        world.register_asset(world.tokens[WBTC], 8, BTC)
    with reverts("Clearinghouse_TokenAlreadyRegistered", world.tokens[CASH].address, CASH):
        world.register_asset(world.tokens[CASH], 6, ETH)
    fine = world.evm.deploy("TestToken", "Too fine", "FINE", 19)
    with reverts("Clearinghouse_UnsupportedDecimals", fine.address, 19):
        world.register_asset(fine, 19, ETH)
    with reverts("Clearinghouse_NotAContract", DEPLOYER):
        world.house.registerAsset(DEPLOYER, ETH)
    assert world.register_asset(token, 18, ETH) == 3
    assert world.house.assetCount() == 4
    with reverts("Clearinghouse_UnknownAsset", 4):
        world.set_asset_cap(4, 1)
    with reverts("Clearinghouse_UnknownAsset", 4):
        world.house.asset(4)


def test_an_asset_cap_is_bounded(world: ClearingWorld) -> None:
    bound = 10**8 << 72
    with reverts("Clearinghouse_AssetCapOutOfBounds", WBTC, bound + 1, bound):
        world.set_asset_cap(WBTC, bound + 1)


def test_the_first_engine_is_fixed_at_construction(world: ClearingWorld) -> None:
    other, given = world.oracle, world.engine
    modules = [world.manager, world.oracle, world.exchange, world.liquidator, given]
    accounts = world.fee_account, world.insurance_account
    house = world.evm.deploy("Clearinghouse", *modules, world.tokens[CASH], *accounts)
    assert house.DEFAULT_ENGINE() == given.address
    with reverts("Clearinghouse_UnknownEngine", 0):
        house.engine(0)
    with reverts("Clearinghouse_UnknownEngine", 0):
        house.setAssetCap(CASH, 1)
    with reverts("Clearinghouse_NotDefaultEngine", other.address, given.address):
        house.registerEngine(other)
    house.registerEngine(given)
    assert house.engine(0) == given.address


def test_registering_engines(world: ClearingWorld) -> None:
    with reverts("Clearinghouse_NotAContract", DEPLOYER):
        world.house.registerEngine(DEPLOYER)
    for _ in range(255):
        world.house.registerEngine(world.engine)
    with reverts("Clearinghouse_RegistryFull", 256):
        world.house.registerEngine(world.engine)
    assert world.house.engine(255) == world.engine.address


def test_a_clearinghouse_needs_a_real_token(world: ClearingWorld, trader: AccountId) -> None:
    modules = [world.manager, world.oracle, world.exchange, world.liquidator, world.engine]
    with reverts("Clearinghouse_NotAContract", DEPLOYER):
        world.evm.deploy("Clearinghouse", *modules, DEPLOYER, trader, trader)


def test_markets(world: ClearingWorld) -> None:
    with reverts("Clearinghouse_PriceNeverAccepted", 7):
        world.list_market(7)
    with reverts("Clearinghouse_MarketAlreadyListed", ETH):
        world.list_market(ETH)
    with reverts("Clearinghouse_UnknownMarket", 7):
        world.set_market_cap(7, 1)
    with reverts("Clearinghouse_UnknownMarket", 7):
        world.house.market(7)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("registerAsset", ("0x" + "11" * 20, ETH)),
        ("setAssetCap", (WETH, 1)),
        ("registerEngine", ("0x" + "11" * 20,)),
        ("listMarket", (3,)),
        ("setMarketCap", (ETH, 1)),
    ],
)
def test_registries_are_restricted(
    world: ClearingWorld, function: str, args: tuple[object, ...]
) -> None:
    stranger = world.owner("stranger")
    with reverts("AccessManagedUnauthorized", stranger):
        getattr(world.house, function)(*args, sender=stranger)


# ---- The margin gate ----------------------------------------------------------------------------


def test_opening_needs_the_initial_margin(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 479.999999)
    with reverts("Clearinghouse_InsufficientMargin", trader.value, units(479.999999), 480 * WAD):
        world.trade(trader, maker, 1)
    world.fund(trader, 0.000001)
    world.trade(trader, maker, 1)
    assert world.house.accountWords(trader)[0] >> 176 == world.now, "checked now"


def test_opening_needs_fifty(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 49.999999)
    with reverts("Clearinghouse_InsufficientMargin", trader.value, units(49.999999), MIN_EQUITY):
        world.trade(trader, maker, 0.01)


def test_the_maker_is_checked_too(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 100)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.trade(maker, trader, 1)


def test_opening_on_a_stale_price(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    world.advance(3601)
    with reverts("Clearinghouse_PriceNotFresh", trader.value):
        world.trade(maker, trader, 1)


def test_reducing_on_a_stale_price(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    counterparty = world.account("taker")
    world.fund(counterparty, 10_000)
    world.trade(trader, counterparty, 2)
    world.advance(7200)
    world.trade(trader, counterparty, -1)
    world.trade(trader, counterparty, -1)
    assert world.words_of(trader) == world.words_of(counterparty) == []


def test_reducing_below_the_initial_margin(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 500)
    world.trade(trader, maker, 1)
    world.set_price(ETH, 1900)
    checked = world.model.state.account(trader).checked_at
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.trade(trader, maker, 0.1, 1900)
    world.trade(trader, maker, -0.1, 1880)
    assert world.model.state.account(trader).checked_at == checked, "passed no check of IM"


def test_a_reduction_must_not_cost_health(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 500)
    world.trade(trader, maker, 1)
    world.set_price(ETH, 1510)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.trade(trader, maker, -0.5, 1495)
    world.trade(trader, maker, -0.5, 1510)


def test_a_bankrupt_account_does_not_trade(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 500)
    world.trade(trader, maker, 1)
    world.set_price(ETH, 1450)
    assert world.margin(trader).equity < 0
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.trade(trader, maker, -1, 1450)


def test_health_that_an_order_asks_for(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 1_000)
    with reverts("Clearinghouse_HealthBelowMinimum", trader.value, 1000 * WAD, 372 * WAD, 3 * WAD):
        world.trade(trader, maker, 1, min_health=3 * WAD)
    world.trade(trader, maker, 1, min_health=2 * WAD)


def test_at_most_64_positions(maker: AccountId) -> None:
    world = ClearingWorld()
    trader, maker = world.account("trader"), world.account("maker")
    world.fund(trader, 1_000)
    world.fund(maker, 1_000_000)
    for asset in range(3, 67):
        token = world.evm.deploy("TestToken", "Some", "SOME", 18)
        world.tokens.append(token)
        world.house.registerAsset(token, ETH)
        world.engine.setAsset(asset, 200, 300)
        world.house.setAssetCap(asset, 1)
        token.mint(trader.owner, 1)
        token.approve(world.house, 1, sender=trader.owner)
        world.house.deposit(trader, asset, 1, sender=trader.owner)
    world.tokens[WETH].mint(trader.owner, 1)
    world.tokens[WETH].approve(world.house, 1, sender=trader.owner)
    with reverts("Clearinghouse_TooManyPositions", trader.value, 64):
        world.house.deposit(trader, WETH, 1, sender=trader.owner)


# ---- Trades -----------------------------------------------------------------------------------


def test_words_keep_their_order(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 10_000, weth=1, wbtc=1)
    world.trade(trader, maker, 1)
    world.withdraw(trader, WETH, WAD)
    kinds = [word >> 232 for word in world.words_of(trader)]
    assert kinds == [ETH_PERP >> 232, WBTC_SPOT >> 232], "the last word takes the place"


def test_spot_moves_collateral_for_cash(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    world.trade(trader, maker, 2, 2010, instrument=WETH_SPOT)
    assert world.cash_of(trader) == (10_000 - 4020) * WAD
    assert world.words_of(trader) == [WETH_SPOT + 2 * WAD]
    world.trade(trader, maker, -2, 1990, instrument=WETH_SPOT)
    assert world.words_of(trader) == []


def test_spot_needs_no_price_while_nothing_is_owed(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    world.advance(7200)
    world.trade(trader, maker, 1, instrument=WETH_SPOT)


def test_buying_spot_on_credit(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 1_000)
    world.trade(trader, maker, 1, instrument=WETH_SPOT)
    assert world.cash_of(trader) == -1000 * WAD


def test_a_spot_size_finer_than_the_token(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    with reverts("Clearinghouse_InexactSize", 10**9, 10**8):
        world.trade(trader, maker, 1e-9, 50_000, instrument=WBTC_SPOT)


def test_selling_spot_that_is_not_held(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000, weth=1)
    error = "Clearinghouse_InsufficientBalance"
    with reverts(error, trader.value, WETH, WAD, 2 * WAD):
        world.trade(trader, maker, -2, instrument=WETH_SPOT)


@pytest.mark.parametrize("price", [2220, 1780])
def test_fills_at_the_edge_of_the_band(
    world: ClearingWorld, trader: AccountId, maker: AccountId, price: float
) -> None:
    world.fund(trader, 100_000)
    world.trade(trader, maker, 1, price)
    world.trade(trader, maker, 1, price, instrument=WETH_SPOT)
    assert len(world.words_of(trader)) == 2


@pytest.mark.parametrize("price", [2220.000001, 1779.999999])
def test_fills_outside_of_the_band(
    world: ClearingWorld, trader: AccountId, maker: AccountId, price: float
) -> None:
    world.fund(trader, 100_000)
    for instrument in (ETH_PERP, WETH_SPOT):
        with reverts("Clearinghouse_PriceOutsideBand", units(price), 2000 * WAD, 220 * WAD):
            world.trade(trader, maker, 1, price, instrument=instrument)


@pytest.mark.parametrize(
    "instrument",
    [
        ETH_PERP + 1,
        WETH_SPOT + 1,
        Instrument.collateral(CASH).key,
        Instrument.option(ETH, 2**31, 2000 * WAD, False).key + 1,
        4 << 248,
        0,
    ],
    ids=[
        "perp with size",
        "collateral with amount",
        "cash",
        "option with size",
        "kind 4",
        "nothing",
    ],
)
def test_instruments_that_cannot_trade(
    world: ClearingWorld, trader: AccountId, maker: AccountId, instrument: int
) -> None:
    world.fund(trader, 10_000)
    with reverts("Clearinghouse_UnsupportedInstrument", instrument):
        world.trade(trader, maker, 1, instrument=instrument)


def test_instruments_that_are_unknown(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    with reverts("Clearinghouse_UnknownMarket", 9):
        world.trade(trader, maker, 1, instrument=Instrument.perp(9).key)
    with reverts("Clearinghouse_UnknownAsset", 9):
        world.trade(trader, maker, 1, instrument=Instrument.collateral(9).key)


def test_the_fee_account_trades_like_any_other(world: ClearingWorld, maker: AccountId) -> None:
    fees = world.fee_account
    world.fund(fees, 10_000)
    world.trade(fees, maker, 1)
    world.trade(maker, fees, 1)
    assert world.words_of(fees) == []


def test_cash_has_a_cap_on_what_is_held(world: ClearingWorld, trader: AccountId) -> None:
    held = world.tokens[CASH].balanceOf(world.house)
    world.set_asset_cap(CASH, held + 10**6)
    world.fund(trader, 1)
    world.mint(CASH, trader.owner, 1)
    exceeded = ("Clearinghouse_AssetCapExceeded", CASH, held + 10**6 + 1, held + 10**6)
    with reverts(*exceeded):
        world.deposit(trader, CASH, 1)


def test_a_withdrawal_leaves_no_debt_too_small_to_liquidate(
    world: ClearingWorld, trader: AccountId
) -> None:
    world.fund(world.account("lender"), 1_000)
    world.mint(WETH, trader.owner, WAD // 10)
    world.deposit(trader, WETH, WAD // 10)
    with refused("Clearinghouse_InsufficientMargin", trader.value):
        world.withdraw(trader, CASH, 151 * 10**6)
    world.withdraw(trader, CASH, 140 * 10**6)
    assert world.margin(trader).equity >= 50 * WAD


def test_nobody_trades_with_itself(world: ClearingWorld, maker: AccountId) -> None:
    with reverts("Clearinghouse_InvalidCounterparty", maker.value):
        world.trade(maker, maker, 1)


@pytest.mark.parametrize(("held", "size"), [(0, 1), (2, 1), (-2, -1), (2, -3), (-1, 1.000001)])
def test_reduce_only(
    world: ClearingWorld, trader: AccountId, maker: AccountId, held: float, size: float
) -> None:
    world.fund(trader, 10_000)
    if held:
        world.trade(trader, maker, held)
    error = "Clearinghouse_NotReducing"
    with reverts(error, trader.value, units(held), units(held) + units(size)):
        world.trade(trader, maker, size, reduce_only=True)
    if held:
        world.trade(trader, maker, -held, reduce_only=True)


def test_reduce_only_of_collateral(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000, weth=1)
    with reverts("Clearinghouse_NotReducing", trader.value, 0, WAD):
        world.trade(trader, maker, 1, instrument=WETH_SPOT, reduce_only=True)
    world.trade(trader, maker, -1, instrument=WETH_SPOT, reduce_only=True)


def test_open_interest_over_the_cap(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    world.fund(trader, 10_000)
    world.set_market_cap(ETH, 2 * WAD)
    world.trade(trader, maker, 2)
    error = "Clearinghouse_OpenInterestCapExceeded"
    with reverts(error, ETH, units(2.5), 2 * WAD):
        world.trade(trader, maker, 0.5)
    world.set_market_cap(ETH, 0)
    world.trade(trader, maker, -1)
    with reverts(error, ETH, units(1.1), 0):
        world.trade(trader, maker, 0.1)


def test_open_interest_beyond_its_field(world: ClearingWorld, trader: AccountId) -> None:
    whale = world.account("maker")
    world.fund(trader, 10**12)
    world.fund(whale, 10**12)
    size = 2**90
    taker, maker = (
        replace(world.order(trader, 1), size=size),
        replace(world.order(whale, -1), size=-size),
    )
    with reverts("MarketState_OpenInterestOverflow", size):
        world.settle_exact(taker, [maker], [size])


def test_a_position_beyond_its_field(
    world: ClearingWorld, trader: AccountId, maker: AccountId
) -> None:
    size = 2**103
    taker, other = (
        replace(world.order(trader, 1), size=size),
        replace(world.order(maker, -1), size=-size),
    )
    with reverts("Position_Overflow", size):
        world.settle_exact(taker, [other], [size])


def test_fees_go_to_the_fee_account(trader: AccountId) -> None:
    world = ClearingWorld(fees=(10**14, 5 * 10**14))
    trader, maker = world.account("trader"), world.account("maker")
    world.fund(trader, 10_000)
    world.fund(maker, 10_000)
    world.trade(trader, maker, 2)
    assert world.cash_of(trader) == 9_998 * WAD
    assert world.cash_of(maker) == units(9_999.6)
    assert world.cash_of(world.fee_account) == units(2.4)


# ---- Funding ----------------------------------------------------------------------------------


def test_longs_pay_shorts(world: ClearingWorld, trader: AccountId, maker: AccountId) -> None:
    world.fund(trader, 10_000)
    world.trade(trader, maker, 1)
    world.set_price(ETH, 2000, premium=0.01)
    rate = world.house.market(ETH)[2]
    assert rate > 0
    before = world.house.portfolio(trader)[1][0]
    world.advance(600)
    after = world.house.portfolio(trader)[1][0]
    assert before - after == rate * 600, "the quote pays"


def test_a_rate_speaks_for_an_hour(world: ClearingWorld) -> None:
    world.set_price(ETH, 2000, premium=0.01)
    world.advance(3600)
    _, funding, _, _ = world.house.market(ETH)
    world.advance(3600)
    assert world.house.market(ETH)[1] == funding


def test_only_the_oracle_sets_rates(world: ClearingWorld) -> None:
    with reverts("Clearinghouse_NotOracle", DEPLOYER):
        world.house.setFundingRate(ETH, 1)


@pytest.mark.parametrize("rate", [10**5 - 1, -(10**5) + 1, 2**255 - 1, -(2**255), 123456789, -1])
def test_rates_saturate_and_round_to_zero(world: ClearingWorld, rate: int) -> None:
    oracle = world.oracle.address
    for _ in range(3):
        world.both(
            lambda: world.as_module(
                world.oracle, lambda: world.house.setFundingRate(ETH, rate, sender=oracle)
            ),
            lambda: world.model.set_funding_rate(oracle, ETH, rate),
        )
        world.advance(3600)


def test_cumulative_funding_saturates(world: ClearingWorld) -> None:
    state = MarketState(0, MAX_FUNDING - 1, MAX_RATE, 0)
    assert state.funding_at(100) == MAX_FUNDING
    assert replace(state, funding=-MAX_FUNDING, scaled_rate=-1).funding_at(9) == -MAX_FUNDING
    assert MAX_RATE * RATE_UNIT * 3600 < MAX_FUNDING


def test_caps_of_markets_have_a_few_digits(world: ClearingWorld) -> None:
    unit = 10**9
    for cap in (0, unit, 4095 * unit, 4100 * unit, 2500 * WAD, 123 * 10**22, 4095 * 10**24):
        world.set_market_cap(ETH, cap)
        assert world.house.market(ETH)[3] == cap
    for cap in (1, unit + 1, 4096 * unit, 12345 * WAD, 4096 * 10**24, 2**256 - 1):
        with reverts("MarketState_InexactCap", cap):
            world.set_market_cap(ETH, cap)


def test_a_cap_leaves_the_rest_of_the_market_alone(world: ClearingWorld) -> None:
    oracle = world.oracle.address
    for rate in (10**15, -(10**15)):
        world.both(
            lambda rate=rate: world.as_module(
                world.oracle, lambda: world.house.setFundingRate(ETH, rate, sender=oracle)
            ),
            lambda rate=rate: world.model.set_funding_rate(oracle, ETH, rate),
        )
        world.advance()
        before = world.house.market(ETH)
        world.set_market_cap(ETH, 4095 * 10**24)
        assert world.house.market(ETH)[:3] == before[:3]
        world.set_market_cap(ETH, 7 * WAD)


def test_an_unlisted_market_has_no_funding(world: ClearingWorld) -> None:
    oracle = world.oracle
    call = lambda: world.house.setFundingRate(9, 5, sender=oracle.address)  # noqa: E731
    assert world.as_module(oracle, call) == 0


# ---- Interest ---------------------------------------------------------------------------------


def test_the_reserve_goes_to_the_insurance_account(
    world: ClearingWorld, trader: AccountId, lender: AccountId
) -> None:
    world.fund(trader, weth=10)
    world.withdraw(trader, CASH, 5_000 * 10**6)
    world.advance(30 * 86400)
    world.fund(lender, 1)
    reserve = world.house.interest()[6]
    assert reserve > WAD
    world.advance()
    assert world.collect_reserve() == reserve
    assert world.cash_of(world.insurance_account) == pytest.approx(reserve, abs=1)
    world.advance()
    world.collect_reserve()


def test_nothing_accrues_without_debt(world: ClearingWorld, lender: AccountId) -> None:
    world.advance(365 * 86400)
    world.fund(lender, 1)
    assert world.house.interest()[:4] == (10**17, 10**17, 0, 0)
    assert world.collect_reserve() == 0


@pytest.mark.parametrize(
    ("borrowed", "rate"),
    [(1, 20_009_411), (4250, 60_000_000), (8500, 100_000_000), (9250, 550_000_000)],
)
def test_the_rate_curve(
    world: ClearingWorld, trader: AccountId, lender: AccountId, borrowed: int, rate: int
) -> None:
    world.fund(trader, weth=100)
    world.withdraw(trader, CASH, borrowed * 10**6)
    supply_rate, debt_rate = world.house.interest()[2:4]
    assert debt_rate == rate
    assert supply_rate == rate * 80 * borrowed // 10_000 // 100


def test_indices_saturate() -> None:
    state = InterestState(10**17, 10**17, 2 * 10**9, 2 * 10**9, 0)
    assert state.indices_at(2**32 - 1)[1] == MAX_INDEX
