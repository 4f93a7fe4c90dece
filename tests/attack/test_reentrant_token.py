"""A token that calls back in the middle of a transfer."""

from __future__ import annotations

import pytest

from ballast.codec import AccountId
from tests.support.abi import selector
from tests.support.clearing import CASH, ETH, ClearingWorld, units

LOCKED = selector("Clearinghouse_Locked()")
FUNCTIONS = (
    "deposit",
    "withdraw",
    "transfer",
    "settle",
    "selectEngine",
    "collectReserve",
    "setFundingRate",
    "applyTrade",
    "transferSlice",
    "margin",
    "portfolio",
    "setDelegate",
    "permit",
    "multicall",
    "stopNewRisk",
    "resumeNewRisk",
)


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld("ReentrantToken")
    world.fund(world.account("lender"), 10_000)
    world.fund(world.account("attacker"), 1_000)
    return world


def calls(world: ClearingWorld, attacker: AccountId) -> dict[str, bytes]:
    house = world.house
    return {
        "deposit": house.deposit.encode(attacker, CASH, 1),
        "withdraw": house.withdraw.encode(attacker, CASH, 10**9, attacker.owner),
        "transfer": house.transfer.encode(attacker, world.account("lender"), CASH, 1),
        "settle": house.settle.encode(attacker),
        "selectEngine": house.selectEngine.encode(attacker, 0),
        "collectReserve": house.collectReserve.encode(),
        "setFundingRate": house.setFundingRate.encode(ETH, 1),
        "applyTrade": house.applyTrade.encode(0, attacker, 0, False, []),
        "transferSlice": house.transferSlice.encode((attacker, attacker, 0, 0, 0, 0, 0)),
        "margin": house.margin.encode(attacker, 0),
        "portfolio": house.portfolio.encode(attacker),
        "setDelegate": house.setDelegate.encode(attacker, attacker.owner, 1, 2**40),
        "permit": house.permit.encode(CASH, 1, 2**40, 27, bytes(32), bytes(32)),
        "multicall": house.multicall.encode([], []),
        "stopNewRisk": house.stopNewRisk.encode(),
        "resumeNewRisk": house.resumeNewRisk.encode(),
    }


@pytest.mark.parametrize("entry", ["deposit", "withdraw"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_lock_covers_every_entry(world: ClearingWorld, entry: str, function: str) -> None:
    attacker = world.account("attacker")
    token = world.tokens[CASH]
    token.mint(attacker.owner, 10**6)
    token.arm(world.house, calls(world, attacker)[function])
    if entry == "deposit":
        world.house.deposit(attacker, CASH, 10**6, sender=attacker.owner)
    else:
        world.house.withdraw(attacker, CASH, 10**6, attacker.owner, sender=attacker.owner)
    assert not token.succeeded()
    assert token.answer()[:4] == LOCKED
    gained = 10**6 if entry == "deposit" else -(10**6)
    assert world.cash_of(attacker) == units(1_000) + gained * 10**12


def test_a_price_does_not_move_in_between(world: ClearingWorld) -> None:
    attacker = world.account("attacker")
    token = world.tokens[CASH]
    world.advance()
    token.arm(world.oracle, world.oracle.refresh.encode([world.update(ETH, 3000)]))
    before = world.oracle.snapshot(ETH)
    world.house.withdraw(attacker, CASH, 10**6, attacker.owner, sender=attacker.owner)
    assert not token.succeeded()
    assert token.answer()[:4] == selector("OracleAdapter_Locked()")
    assert world.oracle.snapshot(ETH) == before


def test_the_lock_opens_again(world: ClearingWorld) -> None:
    attacker = world.account("attacker")
    world.tokens[CASH].arm(world.house, world.house.settle.encode(attacker))
    world.house.withdraw(attacker, CASH, 1, attacker.owner, sender=attacker.owner)
    assert not world.tokens[CASH].succeeded()
    world.tokens[CASH].arm("0x" + "00" * 20, b"")
    held = world.tokens[CASH].balanceOf(attacker.owner)
    world.house.withdraw(attacker, CASH, 1, attacker.owner, sender=attacker.owner)
    assert world.tokens[CASH].balanceOf(attacker.owner) == held + 1
    assert not world.house.isLocked()


def test_tokens_sent_during_a_deposit_are_the_depositors_own(world: ClearingWorld) -> None:
    """The measured difference counts what the callback adds, which the attacker paid for."""
    attacker = world.account("attacker")
    token = world.tokens[CASH]
    token.mint(token, 500)
    token.arm(token, token.transfer.encode(world.house, 500))
    supply = token.balanceOf(world.house)
    token.mint(attacker.owner, 1000)
    world.house.deposit(attacker, CASH, 1000, sender=attacker.owner)
    received = token.balanceOf(world.house) - supply
    assert world.cash_of(attacker) == units(1_000) + received * 10**12


@pytest.mark.parametrize("view", ["greeks", "valueAtRisk", "worstScenario"])
def test_views_of_risk_do_not_see_accounts_in_between(world: ClearingWorld, view: str) -> None:
    attacker = world.account("attacker")
    lens = world.evm.deploy("RiskLens", world.house)
    arguments = (attacker, 86_400, 10**18) if view == "valueAtRisk" else (attacker,)
    getattr(lens, view)(*arguments)
    world.tokens[CASH].arm(lens, getattr(lens, view).encode(*arguments))
    world.house.withdraw(attacker, CASH, 10**6, attacker.owner, sender=attacker.owner)
    assert not world.tokens[CASH].succeeded()
    assert world.tokens[CASH].answer()[:4] == LOCKED
