"""What somebody else can do to an account, a market or the pool: nothing that hurts."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from ballast.codec import AccountId
from ballast.model.exchange import Order, SignedOrder
from ballast.units import WAD
from tests.support.clearing import (
    CASH,
    ETH,
    WBTC,
    WETH,
    ClearingWorld,
    as_tuple,
    refused,
    units,
)
from tests.support.revm import Reverted, reverts


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    world.fund(world.account("maker"), 1_000_000)
    return world


@pytest.fixture
def victim(world: ClearingWorld) -> AccountId:
    account = world.account("trader")
    world.fund(account, 5_000)
    return account


def test_filling_somebodys_words(world: ClearingWorld, victim: AccountId) -> None:
    stranger = world.account("attacker")
    world.fund(stranger, 0, weth=1, wbtc=1)
    for asset in (WETH, WBTC):
        world.mint(asset, stranger.owner, 10)
        with reverts("Clearinghouse_StrangerCannotAdd", victim.value, asset):
            world.deposit(victim, asset, 1, sender=stranger.owner)
        with reverts("Clearinghouse_StrangerCannotAdd", victim.value, asset):
            world.transfer(stranger, victim, asset, 1)
    assert world.words_of(victim) == []


def test_liquidating_into_somebody_elses_account(world: ClearingWorld, victim: AccountId) -> None:
    world.trade(victim, world.account("maker"), 10)
    world.set_price(ETH, 1700)
    thief = world.owner("attacker")
    rich = world.account("maker")
    with reverts("Liquidator_NotOwner", rich.value, thief):
        world.liquidate(victim, rich, sender=thief)


ANYBODY = {
    "Clearinghouse": {
        "deposit": "StrangerCannotAdd guards words; tokens are the caller's",
        "settle": "equity stands still",
        "collectReserve": "goes to the insurance account",
        "permit": "the caller's own allowance",
        "multicall": "calls as the caller's",
        "settleOrders": "what both sides signed",
    },
    "Exchange": {"settle": "what both sides signed"},
    "Liquidator": {
        "liquidate": "into the caller's own account alone",
        "flag": "the account's own margin decides",
        "clearFlag": "the account's own margin decides",
    },
    "OracleAdapter": {
        "refresh": "the sources decide",
        "refreshVolatility": "the publishers decide",
        "fixExpiry": "the accepted prices decide",
    },
    "JointScenarioEngine": {
        "advanceUnderlying": "the line of the ramp decides",
        "advanceAsset": "the line of the ramp decides",
    },
    "RuleEngine": {},
}
"""Functions that a stranger may call, and why that hurts nobody."""


def zeros(parts: list[dict[str, Any]]) -> list[Any]:
    """The plainest arguments of a function."""

    def zero(part: dict[str, Any]) -> Any:
        kind = part["type"]
        if kind.endswith("[]"):
            return []
        if kind == "tuple":
            return tuple(zero(one) for one in part["components"])
        if kind == "address":
            return "0x" + "00" * 20
        if kind.startswith("bytes"):
            return bytes(int(kind[5:] or 0))
        return {"bool": False, "string": ""}.get(kind, 0)

    return [zero(part) for part in parts]


@pytest.mark.parametrize("name", ANYBODY)
def test_every_other_function_refuses_a_stranger(world: ClearingWorld, name: str) -> None:
    """Of the whole ABI: a new function that changes something must refuse, or be named above."""
    stranger = world.owner("stranger")
    abi = world.evm.dictionary.artefacts[name].abi
    changing = [
        entry
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    ]
    contracts = {
        "Clearinghouse": world.house,
        "Exchange": world.exchange,
        "Liquidator": world.liquidator,
        "OracleAdapter": world.oracle,
        "JointScenarioEngine": world.engine,
    }
    arguments = (world.manager, world.house, world.oracle)
    contract = contracts.get(name) or world.evm.deploy(name, *arguments)
    refusing = [entry for entry in changing if entry["name"] not in ANYBODY[name]]
    assert {entry["name"] for entry in changing} >= ANYBODY[name].keys()
    for entry in refusing:
        with pytest.raises(Reverted) as refusal:
            getattr(contract, entry["name"])(*zeros(entry["inputs"]), sender=stranger)
        rights = ("Unauthorized", "NotOwner", "NotPermitted", "NotExchange", "NotLiquidator")
        named = any(word in refusal.value.name for word in (*rights, "NotOracle"))
        assert named, f"{entry['name']}: {refusal.value}"


def test_donated_cash_belongs_to_nobody(world: ClearingWorld, victim: AccountId) -> None:
    """It lowers the utilisation at the next change, and that is all."""
    borrower = world.account("taker")
    world.fund(borrower, weth=10)
    world.withdraw(borrower, CASH, 10_000 * 10**6)
    before = world.cash_of(victim), world.cash_of(borrower)
    indices = world.house.interest()[:2]
    world.donate(CASH, 10**15)
    assert (world.cash_of(victim), world.cash_of(borrower)) == before
    assert world.house.interest()[:2] == indices
    world.fund(victim, 1)
    assert world.surplus() >= 10**9 * WAD
    assert world.house.interest()[3] < 2 * 10**7 + 10**6


def test_donated_collateral_belongs_to_nobody(world: ClearingWorld, victim: AccountId) -> None:
    world.fund(victim, weth=1)
    world.donate(WETH, 10**24)
    assert world.house.asset(WETH)[3] == WAD
    with reverts("Clearinghouse_InsufficientBalance", victim.value, WETH, WAD, WAD + 1):
        world.withdraw(victim, WETH, WAD + 1)


def test_the_first_depositor_gains_nothing_from_a_donation() -> None:
    world = ClearingWorld()
    first, second = world.account("attacker"), world.account("lender")
    world.mint(CASH, first.owner, 1)
    world.deposit(first, CASH, 1)
    world.donate(CASH, 10**12)
    world.fund(second, 1_000)
    assert world.cash_of(first) == 10**12
    assert world.cash_of(second) == 1_000 * WAD


def test_an_order_of_another_chain() -> None:
    here, there = ClearingWorld(), ClearingWorld(chain_id=1)
    assert here.exchange.address == there.exchange.address
    for world in (here, there):
        world.fund(world.account("maker"), 10_000)
        world.fund(world.account("taker"), 10_000)
    order = here.order(here.account("maker"), -1)
    assert here.digest(order) != there.digest(order)
    taker = there.order(there.account("taker"), 1)
    with refused("Exchange_InvalidSignature", order.account.value):
        there.exchange.settle(
            (as_tuple(taker), there.sign(taker)), [(as_tuple(order), here.sign(order))], [WAD], []
        )
    there.settle(taker, [order], [1])


def test_an_order_of_another_exchange(world: ClearingWorld, victim: AccountId) -> None:
    other = world.evm.deploy("Exchange", world.manager, world.house, world.oracle)
    order = world.order(victim, 1)
    assert other.digest(as_tuple(order)) != world.digest(order)


def test_a_second_exchange_moves_nothing(world: ClearingWorld, victim: AccountId) -> None:
    rogue = world.evm.deploy("Exchange", world.manager, world.house, world.oracle)
    maker = world.order(world.account("maker"), -1)
    taker = world.order(victim, 1)

    def signed(order: Order) -> tuple[object, bytes]:
        digest = rogue.digest(as_tuple(order))
        key = world.key_of(order.account)
        return as_tuple(order), bytes(Account.unsafe_sign_hash(digest, key).signature)

    with reverts("Clearinghouse_NotExchange", rogue.address):
        rogue.settle(signed(taker), [signed(maker)], [WAD], [])


def test_a_submitter_cannot_swap_the_signers(world: ClearingWorld, victim: AccountId) -> None:
    """Two orders, each with the other's signature."""
    taker, maker = world.order(victim, 1), world.order(world.account("maker"), -1)
    with refused("Exchange_InvalidSignature", maker.account.value):
        world.settle_signed(
            (as_tuple(taker), world.sign(maker)),
            [(as_tuple(maker), world.sign(taker))],
            [WAD],
            (SignedOrder(taker), [SignedOrder(maker, _signer(world, maker, taker))]),
        )


def _signer(world: ClearingWorld, order: Order, signed: Order) -> str:
    digest, signature = world.digest(order), world.sign(signed)
    return str(Account._recover_hash(digest, signature=signature)).lower()


def test_settling_somebodys_account_costs_it_no_more_than_dust(
    world: ClearingWorld, victim: AccountId
) -> None:
    world.trade(victim, world.account("maker"), 2)
    before = world.margin(victim).equity
    for index in range(50):
        world.set_price(ETH, 2000 + index % 3)
        world.settle_account(victim)
    world.set_price(ETH, 2000)
    funding = before - world.margin(victim).equity
    assert funding < units(0.5)


def test_a_repayment_by_a_stranger_helps(world: ClearingWorld, victim: AccountId) -> None:
    world.trade(victim, world.account("maker"), 10)
    world.set_price(ETH, 1750)
    world.mint(CASH, world.owner("stranger"), 10**10)
    world.deposit(victim, CASH, 10**10, sender=world.owner("stranger"))
    with refused("Liquidator_Healthy", victim.value):
        world.liquidate(victim, world.account("maker"))


def test_a_victim_fills_its_words_before_it_is_liquidated(world: ClearingWorld) -> None:
    """64 words do not keep a keeper with an empty account away."""
    victim, keeper = world.account("attacker"), world.account("liquidator")
    world.fund(victim, 5_000)
    world.fund(keeper, 100_000)
    world.trade(victim, world.account("maker"), 10)
    for _ in range(63):
        token = world.evm.deploy("TestToken", "Some", "SOME", 18)
        asset = world.register_asset(token, 18, ETH)
        world.tokens.append(token)
        world.engine.setAsset(asset, 200, 300)
        world.set_asset_cap(asset, WAD)
        world.mint(asset, victim.owner, WAD // 10**6)
        world.deposit(victim, asset, WAD // 10**6)
    assert len(world.words_of(victim)) == 64
    world.set_price(ETH, 1700)
    deal = world.liquidate(victim, keeper)
    assert len(world.words_of(keeper)) == 64
    assert deal.fraction > 0


def test_no_deposit_of_what_an_engine_does_not_know(world: ClearingWorld) -> None:
    """One unit of an asset that its engine cannot assess would keep liquidators from an account."""
    token = world.evm.deploy("TestToken", "New", "NEW", 18)
    world.tokens.append(token)
    asset = world.register_asset(token, 18, ETH)
    with reverts("Clearinghouse_AssetUnknownToEngine", asset, 0):
        world.set_asset_cap(asset, WAD)
    world.engine.setAsset(asset, 200, 300)
    world.set_asset_cap(asset, WAD)
    arguments = (world.manager, world.house, world.oracle)
    ignorant = world.evm.deploy("JointScenarioEngine", *arguments)
    with reverts("Clearinghouse_AssetUnknownToEngine", WETH, 1):
        world.house.registerEngine(ignorant)


def test_a_coarse_token_is_not_a_slice_of_nothing(world: ClearingWorld) -> None:
    """A slice of one indivisible token moves the debt alone; the receiver is bankrupt at once."""
    token = world.evm.deploy("TestToken", "Whole shares", "WHOLE", 0)
    world.tokens.append(token)
    asset = world.register_asset(token, 0, ETH)
    world.engine.setAsset(asset, 200, 300)
    world.advance(world.engine.rampTime())
    world.engine.advanceAsset(asset)
    world.set_price(ETH, 2000)
    world.set_asset_cap(asset, 100)
    borrower, empty = world.account("attacker"), world.account("attacker", 1)
    world.mint(asset, borrower.owner, 1)
    world.deposit(borrower, asset, 1)
    world.withdraw(borrower, CASH, 1_450 * 10**6)
    world.fund(empty, 80)
    world.set_price(ETH, 1790)
    try:
        world.liquidate(borrower, empty)
    except Reverted:
        return
    assert world.margin(empty).equity >= 0
