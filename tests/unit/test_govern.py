"""Arguments of changes as people write them, and what waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ballast.client.artifacts import load_artifacts
from ballast.codec import Instrument
from ballast.deploy.arguments import ArgumentError, function_entry, parse_arguments
from ballast.deploy.govern import waiting
from tests.support.revm import Evm
from tests.support.system import System, deploy_system

RISK = {
    "kappaQuarters": 2,
    "perpMaintenance": 100,
    "perpInitial": 200,
    "shortOptionMaintenance": 30,
    "shortOptionInitial": 50,
    "rollRate": 1000,
    "rollFloor": 30,
    "rangeCap": 6000,
}


@pytest.fixture(scope="module")
def system() -> System:
    return deploy_system(Evm())


def parse(system: System, contract: str, function: str, *given: str) -> tuple[Any, ...]:
    entry = function_entry(load_artifacts()[contract], function)
    return parse_arguments(entry, given, system.book)


def risk(**changes: Any) -> str:
    return "target=" + json.dumps(RISK | changes)


def test_names_stand_for_what_they_name(system: System) -> None:
    key = Instrument.perp(1).key
    parsed = parse(system, "Exchange", "setFees", "product=ETH-PERP", "makerFee=1", "takerFee=2")
    assert parsed == (key, 1, 2)
    parsed = parse(system, "Exchange", "setFees", "product=ETH-OPTIONS", "makerFee=1", "takerFee=2")
    assert parsed == (Instrument.options(1).key, 1, 2)
    assert system.book.instrument_name(Instrument.options(1)) == "ETH-OPTIONS"
    assert parse(system, "Clearinghouse", "setAssetCap", "id=WBTC", "cap=1_000") == (2, 1000)
    engine = system.book.address("RuleEngine")
    assert parse(system, "Clearinghouse", "registerEngine", "engine_=RuleEngine") == (engine,)


def test_a_struct_is_json(system: System) -> None:
    parsed = parse(system, "JointScenarioEngine", "setUnderlying", "underlying=ETH", risk())
    assert parsed == (1, tuple(RISK.values()))
    assert system.engine.setUnderlying(*parsed) is None


def test_lists_and_bytes(system: System) -> None:
    parsed = parse(
        system,
        "Authority",
        "setTargetFunctionRole",
        "target=Exchange",
        'selectors=["0x12345678"]',
        "roleId=1",
    )
    assert parsed == (system.book.address("Exchange"), [bytes.fromhex("12345678")], 1)
    parsed = parse(system, "Authority", "setTargetClosed", "target=Exchange", "closed=true")
    assert parsed[1] is True


@pytest.mark.parametrize(
    ("contract", "function", "given", "complaint"),
    [
        ("Exchange", "setFee", (), "Exchange has no function setFee: there are cancel,"),
        ("Exchange", "fees", (), "Exchange has no function fees"),
        ("Clearinghouse", "setAssetCap", ("id=WBTC",), "cap is missing"),
        ("Clearinghouse", "setAssetCap", ("id=1", "cap=1", "x=1"), "x is not a known field"),
        ("Clearinghouse", "setAssetCap", ("id",), "'id' must be NAME=VALUE"),
        ("Clearinghouse", "setAssetCap", ("id=DOGE", "cap=1"), "id: 'DOGE' is no asset"),
        ("Clearinghouse", "setAssetCap", ("id=70000", "cap=1"), "id must fit uint16, and 70000"),
        ("Clearinghouse", "setAssetCap", ("id=1", "cap=-1"), "cap must fit uint128, and -1"),
        ("Clearinghouse", "setAssetCap", ("id=1", "cap=much"), "cap must be a whole number"),
        ("Clearinghouse", "listMarket", ("underlying=DOGE",), "underlying: 'DOGE' is no underl"),
        ("Clearinghouse", "registerEngine", ("engine_=0x12",), "engine_ must be an address or"),
        ("Exchange", "cancelMany", ("account=0x12", "nonces=[]"), "account must be 32 bytes"),
        ("Exchange", "cancelMany", ("account=me", "nonces=[]"), "account must be bytes in hex"),
        ("QuorumSource", "setPublishers", ("publishers_={}", "threshold_=1"), "must be a list"),
        ("QuorumSource", "setPublishers", ("publishers_=[", "threshold_=1"), "must be JSON"),
        (
            "QuorumSource",
            "setPublishers",
            ("publishers_=[7]", "threshold_=1"),
            "publishers_[0] must be an address",
        ),
        ("Authority", "setTargetClosed", ("target=Exchange", "closed=1"), "closed must be true"),
    ],
)
def test_a_wrong_argument_is_named(
    system: System, contract: str, function: str, given: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(system, contract, function, *given)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (risk(perpInitial="many"), "target.perpInitial must be a whole number, not 'many'"),
        (risk(perpInitial=True), "target.perpInitial must be a whole number, not True"),
        (risk(rangeCap=70_000), "target.rangeCap must fit uint16"),
        (risk(kappa=1), "target.kappa is not a known field"),
        ('target={"kappaQuarters": 2}', "target.perpMaintenance is missing"),
        ("target=[]", "target must be an object"),
    ],
)
def test_a_wrong_field_of_a_struct_is_named(system: System, text: str, complaint: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(system, "JointScenarioEngine", "setUnderlying", "underlying=1", text)
    assert complaint in str(caught.value)


# ---- What waits -------------------------------------------------------------------------------


def scheduled(name: bytes, ready: int, nonce: int = 1) -> tuple[str, dict[str, Any]]:
    return "OperationScheduled", {
        "operationId": name * 32,
        "nonce": nonce,
        "schedule": ready,
        "caller": "0x" + "11" * 20,
        "target": "0x" + "22" * 20,
        "data": b"1234",
    }


def ended(name: bytes, how: str) -> tuple[str, dict[str, Any]]:
    return how, {"operationId": name * 32, "nonce": 1}


def test_what_was_executed_or_cancelled_does_not_wait() -> None:
    events = [
        scheduled(b"a", 300),
        scheduled(b"b", 100),
        scheduled(b"c", 200),
        ended(b"a", "OperationExecuted"),
        ended(b"b", "OperationCanceled"),
        ("RoleGranted", {}),
    ]
    (left,) = waiting(events, 1000)
    assert (left.id, left.ready, left.expires) == ("0x" + "63" * 32, 200, 1200)


def test_what_is_scheduled_again_waits_again() -> None:
    events = [scheduled(b"a", 300), ended(b"a", "OperationCanceled"), scheduled(b"a", 500, 2)]
    (left,) = waiting(events, 1000)
    assert (left.ready, left.nonce) == (500, 2)


def test_states_of_an_operation() -> None:
    (one,) = waiting([scheduled(b"a", 300)], 1000)
    assert one.state(299) == "waits 1 s"
    assert one.state(300) == one.state(1299) == "ready"
    assert one.state(1300) == "expired"
