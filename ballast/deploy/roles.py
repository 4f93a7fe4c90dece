"""Who may call what: the roles, their functions, and what the Authority's events say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from ballast.client.artifacts import Artifact, load_artifacts
from ballast.deploy.config import DEPLOYER, GUARDIAN, OPERATIONS, PARAMETERS, NetworkConfig
from ballast.deploy.names import (
    CHAINLINK_SOURCE,
    CLEARINGHOUSE,
    EXCHANGE,
    JOINT_ENGINE,
    ORACLE,
    PYTH_SOURCE,
    QUORUM_SOURCE,
    RULE_ENGINE,
    SHARE_RATE_SOURCE,
    VOLATILITY_QUORUM,
)

ADMIN_ROLE = 0
ADMIN = "admin"
ROLE_IDS = {PARAMETERS: 1, GUARDIAN: 2, OPERATIONS: 3}
ROLE_NAMES = {ADMIN_ROLE: ADMIN, **{number: name for name, number in ROLE_IDS.items()}}

# Every restricted function, under the role that calls it; the admin calls those of roles that a
# configuration leaves out.
FUNCTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    PARAMETERS: {
        ORACLE: ("configureFeed", "configureVolatility"),
        CLEARINGHOUSE: ("registerAsset", "registerEngine", "listMarket", "resumeNewRisk"),
        EXCHANGE: ("setFees",),
        JOINT_ENGINE: ("setUnderlying", "setAsset", "setRampTime"),
        RULE_ENGINE: ("setPerp", "setAsset", "setOption", "setRampTime"),
        CHAINLINK_SOURCE: ("setAggregator",),
        QUORUM_SOURCE: ("setPublishers",),
        VOLATILITY_QUORUM: ("setPublishers",),
        PYTH_SOURCE: ("setFeed",),
        SHARE_RATE_SOURCE: ("setShare",),
    },
    GUARDIAN: {CLEARINGHOUSE: ("stopNewRisk",)},
    OPERATIONS: {
        ORACLE: ("allowExpiry",),
        CLEARINGHOUSE: ("setAssetCap", "setMarketCap", "setOptionCap"),
        PYTH_SOURCE: ("withdraw",),
    },
}


def selector_of(artifact: Artifact, function: str) -> bytes:
    """The selector of a function that has no overloads."""
    (entry,) = (e for e in artifact.abi if e["type"] == "function" and e["name"] == function)
    types = ",".join(str(collapse_if_tuple(part)) for part in entry["inputs"])
    return bytes(keccak(text=f"{function}({types})")[:4])


@cache
def selector(contract: str, function: str) -> bytes:
    """The selector of a function of ours."""
    return selector_of(load_artifacts()[contract], function)


@dataclass(slots=True)
class Powers:
    """Who may do what: addresses in lower case, delays in seconds."""

    members: dict[int, dict[str, int]] = field(default_factory=dict)
    functions: dict[tuple[str, bytes], int] = field(default_factory=dict)
    guardians: dict[int, int] = field(default_factory=dict)
    admins: dict[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, events: Iterable[tuple[str, Mapping[str, Any]]]) -> Powers:
        """What all events of an Authority, in their order, amount to."""
        powers = cls()
        for name, args in events:
            if name == "RoleGranted":
                held = powers.members.setdefault(args["roleId"], {})
                held[args["account"].lower()] = args["delay"]
            elif name == "RoleRevoked":
                powers.members.get(args["roleId"], {}).pop(args["account"].lower(), None)
            elif name == "TargetFunctionRoleUpdated":
                key = args["target"].lower(), bytes(args["selector"])
                powers.functions[key] = args["roleId"]
            elif name == "RoleGuardianChanged":
                powers.guardians[args["roleId"]] = args["guardian"]
            elif name == "RoleAdminChanged":
                powers.admins[args["roleId"]] = args["admin"]
        return powers

    @classmethod
    def expected(cls, config: NetworkConfig, addresses: Mapping[str, str], deployer: str) -> Powers:
        """What a configuration says."""
        admin = _address(config.admin, deployer)
        delay = config.admin_delay if config.admin != DEPLOYER else 0
        powers = cls(members={ADMIN_ROLE: {admin: delay}})
        for role in config.roles:
            number = ROLE_IDS[role.name]
            powers.members[number] = {_address(m, deployer): role.delay for m in role.members}
            if role.name != GUARDIAN and config.has_guardian:
                powers.guardians[number] = ROLE_IDS[GUARDIAN]
            for contract, functions in FUNCTIONS[role.name].items():
                if contract in addresses:
                    for function in functions:
                        key = addresses[contract].lower(), selector(contract, function)
                        powers.functions[key] = number
        return powers

    def differences(self, expected: Powers) -> list[str]:
        """What these powers have and the expected ones have not, and the other way round."""
        found = []
        for role in sorted({*self.members, *expected.members}):
            mine, theirs = self.members.get(role, {}), expected.members.get(role, {})
            name = ROLE_NAMES.get(role, f"role {role}")
            for account in sorted({*mine, *theirs}):
                if mine.get(account) != theirs.get(account):
                    found.append(
                        f"{name}: {account} has {_held(mine.get(account))} "
                        f"instead of {_held(theirs.get(account))}"
                    )
        for (target, code), role in sorted(self.functions.items()):
            wanted = expected.functions.get((target, code), ADMIN_ROLE)
            if role != wanted:
                found.append(f"0x{code.hex()} of {target}: role {role} instead of {wanted}")
        for role, guardian in self.guardians.items():
            if guardian != expected.guardians.get(role, ADMIN_ROLE):
                found.append(f"role {role} has the guardian {guardian}")
        for role, admin in self.admins.items():
            if admin != ADMIN_ROLE:
                found.append(f"role {role} is granted by role {admin}")
        return found

    def lines(self, config: NetworkConfig) -> list[str]:
        """A table for people: a line for each member of a role, and what the role may call."""
        grants = {ROLE_IDS[role.name]: role.grant_delay for role in config.roles}
        lines = []
        for role in sorted(self.members):
            name = ROLE_NAMES.get(role, f"role {role}")
            for account, delay in self.members[role].items():
                lines.append(f"{name:<11}{account}  waits {delay:,} s")
            count = sum(1 for held in self.functions.values() if held == role)
            functions = "all other" if role == ADMIN_ROLE else str(count)
            wait = f"{grants.get(role, 0):,} s until a grant counts"
            lines.append(f"{'':<11}{functions} functions, {wait}")
        return lines


def _address(owner: str, deployer: str) -> str:
    return (deployer if owner == DEPLOYER else owner).lower()


def _held(delay: int | None) -> str:
    return "no membership" if delay is None else f"a membership that waits {delay} s"
