"""Functions that only one module may call, called by everybody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ballast.permissions import Permission
from tests.support.clearing import BTC_PERP, CASH, ETH, ETH_PERP, ClearingWorld
from tests.support.revm import reverts


@pytest.fixture
def world() -> ClearingWorld:
    world = ClearingWorld()
    for role in ("attacker", "lender"):
        world.fund(world.account(role), 10_000)
    return world


def intruders(world: ClearingWorld) -> list[str]:
    modules = [world.exchange, world.liquidator, world.oracle, world.manager]
    return [world.owner("attacker"), *(module.address for module in modules)]


def test_a_forged_trade(world: ClearingWorld) -> None:
    attacker, victim = world.account("attacker"), world.account("lender")
    fill = (victim, 10**18, 1780 * 10**18, 0, 0, 0, False)
    trade = (ETH_PERP, attacker, 0, False, [fill])
    for intruder in intruders(world):
        if intruder != world.exchange.address:
            _refused(world, intruder, "applyTrade", "Clearinghouse_NotExchange", *trade)


def test_a_forged_slice(world: ClearingWorld) -> None:
    attacker, victim = world.account("attacker"), world.account("lender")
    piece = (victim, attacker, 10**18, 0, 0, 0, 0)
    for intruder in intruders(world):
        if intruder != world.liquidator.address:
            _refused(world, intruder, "transferSlice", "Clearinghouse_NotLiquidator", piece)


def test_a_forged_funding_rate(world: ClearingWorld) -> None:
    for intruder in intruders(world):
        if intruder != world.oracle.address:
            call = lambda who=intruder: world.house.setFundingRate(ETH, 10**18, sender=who)  # noqa: E731
            with reverts("Clearinghouse_NotOracle", intruder):
                _as(world, intruder, call)


def _refused(
    world: ClearingWorld, intruder: str, function: str, error: str, *arguments: object
) -> None:
    with reverts(error, intruder):
        _as(world, intruder, lambda: getattr(world.house, function)(*arguments, sender=intruder))


def _as(world: ClearingWorld, intruder: str, call: Callable[[], object]) -> None:
    modules = [world.exchange, world.liquidator, world.oracle, world.manager]
    module = next((one for one in modules if one.address == intruder), None)
    if module is None:
        call()
    else:
        world.as_module(module, call)


def test_every_function_that_changes_something_is_known() -> None:
    """A new one must come with its own test of who may call it."""
    world = ClearingWorld()
    changing = {
        entry["name"]
        for entry in world.evm.dictionary.artefacts["Clearinghouse"].abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    anybody = {"deposit", "settle", "collectReserve", "permit", "multicall", "settleOrders"}
    owners = {"withdraw", "transfer", "selectEngine", "setDelegate"}
    modules = {"applyTrade", "transferSlice", "setFundingRate"}
    governed = {"registerAsset", "setAssetCap", "registerEngine", "listMarket", "setMarketCap"}
    governed |= {"stopNewRisk", "resumeNewRisk", "setOptionCap"}
    assert changing == anybody | owners | modules | governed | {"setAuthority"}


def test_strangers_cannot_change_the_authority() -> None:
    world = ClearingWorld()
    stranger = world.owner("stranger")
    for contract in (world.house, world.exchange, world.oracle, world.engine):
        with reverts("AccessManagedUnauthorized", stranger):
            contract.setAuthority(stranger, sender=stranger)


def test_owners_functions_refuse_everybody_else(world: ClearingWorld) -> None:
    victim, thief = world.account("lender"), world.owner("attacker")
    with reverts("Clearinghouse_NotOwner", victim.value, thief):
        world.withdraw(victim, CASH, 1, to=thief, sender=thief)
    with reverts("Clearinghouse_NotOwner", victim.value, thief):
        world.transfer(victim, world.account("attacker"), CASH, 1, sender=thief)
    with reverts("Clearinghouse_NotPermitted", victim.value, thief, Permission.MANAGE):
        world.select_engine(victim, 0, sender=thief)
    with reverts("Exchange_NotPermitted", victim.value, thief):
        world.cancel(victim, 0, sender=thief)


def test_an_order_in_another_instrument_is_no_consent(world: ClearingWorld) -> None:
    attacker, victim = world.account("attacker"), world.account("lender")
    order = world.order(victim, 1, instrument=ETH_PERP)
    with reverts("Exchange_InstrumentMismatch", BTC_PERP, ETH_PERP):
        world.settle(world.order(attacker, -1, instrument=BTC_PERP), [order], [1])
