"""Roles: handed over by the plan, read back from events, and what their delays mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ballast.client.artifacts import ROOT
from ballast.deploy.config import DEPLOYER as BY_DEPLOYER
from ballast.deploy.config import GUARDIAN, OPERATIONS, PARAMETERS, NetworkConfig, RoleConfig
from ballast.deploy.plan import make_plan
from ballast.deploy.roles import FUNCTIONS, ROLE_IDS, Powers, selector
from ballast.deploy.run import DeployError, Runner
from tests.support.revm import DEPLOYER, Evm, RevmContract, reverts
from tests.support.system import RevmExecutor, devnet_config

DAY = 24 * 60 * 60
FEES = (1 << 248 | 1 << 232, 1, 2)


def with_roles(evm: Evm, **changes: Any) -> NetworkConfig:
    """The devnet with a governor, members of their own and delays."""
    roles = (
        RoleConfig(PARAMETERS, (evm.actor("council").address,), 2 * DAY, DAY),
        RoleConfig(GUARDIAN, (evm.actor("guard").address, BY_DEPLOYER), 0, 0),
        RoleConfig(OPERATIONS, (evm.actor("operator").address,), 3600, 0),
    )
    changed = {"admin": evm.actor("governor").address, "admin_delay": 7 * DAY} | changes
    return replace(devnet_config(evm), roles=roles, target_admin_delay=3 * DAY, **changed)


class Governed:
    """A deployment with roles."""

    def __init__(self, **changes: Any) -> None:
        self.evm = Evm()
        self.config = with_roles(self.evm, **changes)
        self.executor = RevmExecutor(self.evm)
        self.plan = make_plan(self.config)
        self.runner = Runner(self.executor)
        self.addresses: Mapping[str, str] = self.runner.run(self.plan)

    def contract(self, name: str) -> RevmContract:
        return self.evm.at(name, self.addresses[name])

    @property
    def authority(self) -> RevmContract:
        return self.contract("Authority")

    def powers(self) -> Powers:
        mine = self.addresses["Authority"].lower()
        logs = [log for log in self.executor.logs if log.address == mine]
        return Powers.read((log.name, log.args) for log in logs)

    def differences(self) -> list[str]:
        return self.powers().differences(
            Powers.expected(self.config, self.addresses, self.executor.deployer)
        )

    def as_deployer(self, function: str, *args: Any) -> None:
        self.executor.send("Authority", self.addresses["Authority"], function, args)


def test_roles_are_as_configured() -> None:
    world = Governed()
    assert world.runner.differences(world.plan) == []
    assert world.differences() == []
    council = world.evm.actor("council").address
    assert tuple(world.authority.hasRole(ROLE_IDS[PARAMETERS], council)) == (True, 2 * DAY)
    assert not world.authority.hasRole(0, DEPLOYER)[0]
    assert world.authority.getTargetAdminDelay(world.addresses["Clearinghouse"]) == 3 * DAY
    assert world.authority.getRoleGrantDelay(ROLE_IDS[PARAMETERS]) == DAY


def test_a_table_of_the_roles_names_every_member() -> None:
    world = Governed()
    table = "\n".join(world.powers().lines(world.config))
    for role in ("council", "guard", "operator", "governor"):
        assert world.evm.actor(role).address.lower() in table
    assert f"waits {2 * DAY:,} s" in table


def test_every_restricted_function_has_a_role() -> None:
    """The table of roles forgets none, and names none that anybody may call."""
    found = set()
    for path in (ROOT / "contracts").rglob("*.sol"):
        for name, modifiers in re.findall(r"function (\w+)\([^)]*\)([^{;]*)\{", path.read_text()):
            if "restricted" in modifiers.split():
                found.add(name)
    named = {
        function
        for contracts in FUNCTIONS.values()
        for functions in contracts.values()
        for function in functions
    }
    assert found == named


def test_a_run_that_ends_at_any_step_is_finished_by_the_next() -> None:
    titles: list[str] = []
    evm = Evm()
    config = with_roles(evm)
    start = evm.snapshot()
    Runner(RevmExecutor(evm), report=lambda title, _: titles.append(title)).run(make_plan(config))
    plan = make_plan(config)
    for stop, title in enumerate(titles):
        evm.revert(start)
        saved: dict[str, str] = {}
        count = 0

        def end(_title: str, _changed: bool, last: int = stop) -> None:
            nonlocal count
            count += 1
            if count > last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Runner(RevmExecutor(evm), report=end, save=saved.update).run(plan)
        second = Runner(RevmExecutor(evm), saved)
        second.run(plan)
        assert second.differences(plan) == [], title


def test_after_the_hand_over_the_deployer_is_told_that_it_may_not() -> None:
    world = Governed()
    changed = replace(world.config, target_admin_delay=4 * DAY)
    with pytest.raises(DeployError, match="AccessManagerUnauthorizedAccount"):
        Runner(world.executor, world.addresses).run(make_plan(changed))


# ---- What nobody configured -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "args", "complaint"),
    [
        ("grantRole", (0, "0x" + "77" * 20, 0), "admin: 0x7777"),
        ("grantRole", (1, "0x" + "77" * 20, 5), "parameters: 0x7777"),
        ("grantRole", (9, "0x" + "77" * 20, 0), "role 9: 0x7777"),
        ("setRoleAdmin", (1, 2), "role 1 is granted by role 2"),
        ("setRoleGuardian", (1, 3), "role 1 has the guardian 3"),
        ("revokeRole", (2, DEPLOYER), f"guardian: {DEPLOYER} has no membership"),
    ],
)
def test_what_nobody_configured_is_found(
    function: str, args: tuple[Any, ...], complaint: str
) -> None:
    world = Governed(admin=BY_DEPLOYER, admin_delay=0)
    assert world.differences() == []
    world.as_deployer(function, *args)
    (difference,) = world.differences()
    assert difference.startswith(complaint)


def test_a_function_that_anybody_may_call_is_found() -> None:
    world = Governed(admin=BY_DEPLOYER, admin_delay=0)
    object.__setattr__(world.config, "target_admin_delay", 0)
    anybody = 2**64 - 1
    oracle = world.addresses["OracleAdapter"]
    code = selector("OracleAdapter", "configureFeed")
    arguments = oracle, [code], anybody
    world.authority.schedule(
        world.authority.address, world.authority.setTargetFunctionRole.encode(*arguments), 0
    )
    world.evm.advance(3 * DAY)
    world.as_deployer("setTargetFunctionRole", *arguments)
    (difference,) = world.differences()
    assert difference.endswith(f"role {anybody} instead of 1")


# ---- Delays -----------------------------------------------------------------------------------


def test_a_parameter_waits_for_its_delay() -> None:
    world = Governed()
    council, exchange = world.evm.actor("council"), world.contract("Exchange")
    data = exchange.setFees.encode(*FEES)
    with reverts("AccessManagerNotScheduled"):
        exchange.setFees(*FEES, sender=council)
    world.authority.schedule(exchange, data, 0, sender=council)
    world.evm.advance(2 * DAY - 60)
    with reverts("AccessManagerNotReady"):
        world.authority.execute(exchange, data, sender=council)
    world.evm.advance(60)
    world.authority.execute(exchange, data, sender=council)
    assert exchange.fees(FEES[0]) == FEES[1:]


def test_the_guardian_cancels_what_waits() -> None:
    world = Governed()
    council, guard = world.evm.actor("council"), world.evm.actor("guard")
    exchange = world.contract("Exchange")
    data = exchange.setFees.encode(*FEES)
    world.authority.schedule(exchange, data, 0, sender=council)
    with reverts("AccessManagerUnauthorizedCancel"):
        world.authority.cancel(council, exchange, data, sender=world.evm.actor("operator"))
    world.authority.cancel(council, exchange, data, sender=guard)
    world.evm.advance(3 * DAY)
    with reverts("AccessManagerNotScheduled"):
        world.authority.execute(exchange, data, sender=council)


def test_a_longer_delay_counts_at_once_and_a_shorter_one_waits_for_the_difference() -> None:
    world = Governed(admin=BY_DEPLOYER, admin_delay=0)
    role = ROLE_IDS[OPERATIONS]
    world.as_deployer("setGrantDelay", role, 5 * DAY)
    assert world.authority.getRoleGrantDelay(role) == 5 * DAY
    world.as_deployer("setGrantDelay", role, DAY)
    world.evm.time += 4 * DAY - 1
    assert world.authority.getRoleGrantDelay(role) == 5 * DAY
    world.evm.time += 1
    assert world.authority.getRoleGrantDelay(role) == DAY


def test_roles_do_not_reach_beyond_their_functions() -> None:
    world = Governed()
    house = world.contract("Clearinghouse")
    for member, call in (
        ("guard", lambda who: house.setAssetCap(1, 5, sender=who)),
        ("guard", lambda who: world.contract("Exchange").setFees(*FEES, sender=who)),
        ("council", lambda who: house.setAssetCap(1, 5, sender=who)),
        ("operator", lambda who: house.listMarket(0, sender=who)),
    ):
        actor = world.evm.actor(member)
        with reverts("AccessManagedUnauthorized", actor.address.lower()):
            call(actor)
