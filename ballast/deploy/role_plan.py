"""The part of a deployment that hands the authority over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ballast.deploy.config import DEPLOYER, GUARDIAN, NetworkConfig, RoleConfig
from ballast.deploy.names import AUTHORITY
from ballast.deploy.roles import ADMIN_ROLE, FUNCTIONS, ROLE_IDS, selector
from ballast.deploy.steps import ANY, Check, Deployer, Ref, Send, Step, View


def role_steps(config: NetworkConfig, deployed: set[str]) -> Iterator[Step]:
    """Hands the authority over, last of all: functions to roles, roles to members, and then the
    admin's own."""
    restricted = {contract for functions in FUNCTIONS.values() for contract in functions}
    for role in config.roles:
        yield from _role(config, role, deployed)
    if config.target_admin_delay:
        for target in sorted(restricted & deployed):
            yield _authority(
                f"delay of a change of roles at {target}",
                ("setTargetAdminDelay", Ref(target), config.target_admin_delay),
                ("getTargetAdminDelay", Ref(target)),
                config.target_admin_delay,
            )
    if config.admin == DEPLOYER:
        return
    yield _grant(ADMIN_ROLE, "admin", config.admin, config.admin_delay)
    yield _authority(
        "the deployer gives up the admin role",
        ("renounceRole", ADMIN_ROLE, Deployer()),
        ("hasRole", ADMIN_ROLE, Deployer()),
        (False, ANY),
    )


def _role(config: NetworkConfig, role: RoleConfig, deployed: set[str]) -> Iterator[Step]:
    number = ROLE_IDS[role.name]
    for contract, functions in FUNCTIONS[role.name].items():
        if contract in deployed:
            yield _assignment(role.name, contract, functions)
    if role.name != GUARDIAN and config.has_guardian:
        guardian = ROLE_IDS[GUARDIAN]
        yield _authority(
            f"the guardian may cancel what {role.name} schedules",
            ("setRoleGuardian", number, guardian),
            ("getRoleGuardian", number),
            guardian,
        )
    for member in role.members:
        who = Deployer() if member == DEPLOYER else member
        yield _grant(number, role.name, who, role.delay)
    if role.grant_delay:
        yield _authority(
            f"delay of grants of {role.name}",
            ("setGrantDelay", number, role.grant_delay),
            ("getRoleGrantDelay", number),
            role.grant_delay,
        )


def _assignment(role: str, contract: str, functions: tuple[str, ...]) -> Send:
    """Lets a role call functions of a contract."""
    number = ROLE_IDS[role]
    selectors = [selector(contract, function) for function in functions]
    return Send(
        title=f"{role} calls {', '.join(functions)} of {contract}",
        target=Ref(AUTHORITY),
        contract=AUTHORITY,
        function="setTargetFunctionRole",
        args=(Ref(contract), selectors, number),
        done=tuple(
            Check(
                View(Ref(AUTHORITY), AUTHORITY, "getTargetFunctionRole", (Ref(contract), one)),
                number,
            )
            for one in selectors
        ),
    )


def _grant(role: int, name: str, member: Any, delay: int) -> Send:
    return _authority(
        f"{name} {'of the deployer' if isinstance(member, Deployer) else member}",
        ("grantRole", role, member, delay),
        ("hasRole", role, member),
        (True, delay),
        hint=f"the grant of {name} counts once the delay of its grants is over: run this again",
    )


def _authority(
    title: str, call: tuple[Any, ...], view: tuple[Any, ...], expected: Any, hint: str = ""
) -> Send:
    """Calls the Authority; `call` and `view` are a function and its values."""
    return Send(
        title=title,
        target=Ref(AUTHORITY),
        contract=AUTHORITY,
        function=call[0],
        args=call[1:],
        done=Check(View(Ref(AUTHORITY), AUTHORITY, view[0], view[1:]), expected),
        hint=hint,
    )
