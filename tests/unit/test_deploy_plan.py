"""The deployment plan, run on revm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ballast.deploy.config import NetworkConfig, OptionRuleConfig, SequencerConfig, WeightsConfig
from ballast.deploy.expiries import deployable_expiries
from ballast.deploy.plan import SEQUENCER, make_plan
from ballast.deploy.run import DeployError, Runner, create_address, matches
from ballast.deploy.steps import ANY, NOT_ZERO
from ballast.risk.ramp import Ramp
from tests.support.revm import DEPLOYER, Evm
from tests.support.system import RevmExecutor, deploy_system, devnet_config


@pytest.fixture
def evm() -> Evm:
    return Evm()


@pytest.fixture
def config(evm: Evm) -> NetworkConfig:
    return devnet_config(evm)


def with_feed(config: NetworkConfig, name: str, **fields: Any) -> NetworkConfig:
    underlyings = tuple(
        replace(one, feed=replace(one.feed, **fields)) if one.name == name else one
        for one in config.underlyings
    )
    return replace(config, underlyings=underlyings)


def test_everything_is_as_configured(evm, config):
    plan = make_plan(config)
    runner = Runner(RevmExecutor(evm))
    runner.run(plan)
    assert runner.differences(plan) == []


@pytest.mark.parametrize("grace", [0, 1800])
def test_a_sequencer_of_its_own_where_there_is_no_feed(evm, config, grace):
    config = replace(config, sequencer=SequencerConfig(grace))
    plan = make_plan(config)
    runner = Runner(RevmExecutor(evm))
    runner.run(plan)
    assert runner.differences(plan) == []
    oracle = evm.at("OracleAdapter", runner.addresses["OracleAdapter"])
    assert oracle.SEQUENCER_FEED() == runner.addresses[SEQUENCER].lower()
    assert oracle.SEQUENCER_GRACE() == grace


def test_the_feed_of_a_sequencer_that_exists(evm, config):
    feed = evm.deploy("MockAggregator", 0, "Sequencer uptime", 0).address
    plan = make_plan(replace(config, sequencer=SequencerConfig(60, feed)))
    runner = Runner(RevmExecutor(evm))
    runner.run(plan)
    assert runner.differences(plan) == []
    assert SEQUENCER not in runner.addresses


def test_a_second_run_changes_nothing(evm, config):
    plan = make_plan(config)
    first = Runner(RevmExecutor(evm))
    first.run(plan)
    nonce = evm.nonce(DEPLOYER)
    second = Runner(RevmExecutor(evm), first.addresses)
    assert second.run(plan) == first.addresses
    assert second.changes == 0
    assert evm.nonce(DEPLOYER) == nonce


def test_expiries_of_the_rule_are_allowed_once(evm, config):
    def absent(addresses: Mapping[str, str], deployer: str = DEPLOYER) -> dict[str, list[int]]:
        def view(name: str, function: str, args: Sequence[Any]) -> Any:
            return RevmExecutor(evm).view(name, addresses[name], function, args)

        return deployable_expiries(config, addresses, deployer, evm.time, view)

    expiries = absent({})
    plan = make_plan(config, expiries=expiries)
    first = Runner(RevmExecutor(evm))
    first.run(plan)
    oracle = evm.at("OracleAdapter", first.addresses["OracleAdapter"])
    for name in ("ETH", "BTC"):
        identity = config.underlying(name).id
        assert list(oracle.liveExpiries(identity)) == expiries[name] != []
    assert absent(first.addresses) == {"ETH": [], "BTC": []}
    again = Runner(RevmExecutor(evm), first.addresses)
    again.run(plan)
    assert again.changes == 0
    evm.advance(2 * 86400)
    assert all(one > evm.time for one in absent(first.addresses)["ETH"])
    assert absent(first.addresses)["ETH"] != []
    assert absent(first.addresses, evm.actor("stranger").address) == {}


def test_an_interrupted_run_is_finished(evm, config):
    plan = make_plan(config)
    saved: dict[str, str] = {}

    def stop_at_the_feeds(title: str, changed: bool) -> None:
        if title == "feed ETH":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner(RevmExecutor(evm), report=stop_at_the_feeds, save=saved.update).run(plan)
    runner = Runner(RevmExecutor(evm), saved)
    runner.run(plan)
    assert runner.addresses["Clearinghouse"] == saved["Clearinghouse"]
    assert runner.differences(plan) == []


def test_a_changed_parameter_is_applied_alone(evm, config):
    first = Runner(RevmExecutor(evm))
    first.run(make_plan(config))
    titles: list[str] = []
    changed = make_plan(with_feed(config, "ETH", jump_limit_bps=500))
    second = Runner(
        RevmExecutor(evm), first.addresses, lambda title, did: titles.append(title) if did else None
    )
    second.run(changed)
    assert titles == ["feed ETH"]
    assert second.differences(changed) == []


def test_an_engine_is_added_to_a_running_system(evm, config):
    first = Runner(RevmExecutor(evm))
    first.run(make_plan(replace(config, rule=None)))
    assert "RuleEngine" not in first.addresses
    plan = make_plan(config)
    titles: list[str] = []
    second = Runner(
        RevmExecutor(evm), first.addresses, lambda title, did: titles.append(title) if did else None
    )
    second.run(plan)
    assert titles == [
        "deploy RuleEngine",
        "rates of ETH-PERP",
        "rates of BTC-PERP",
        "rates of options on ETH",
        "rates of options on BTC",
        "weights of WETH",
        "weights of WBTC",
        "engine 1",
        "parameters calls setPerp, setAsset, setOption, setRampTime of RuleEngine",
    ]
    assert second.differences(plan) == []
    house = evm.at("Clearinghouse", second.addresses["Clearinghouse"])
    assert house.engineCount() == 2


def test_a_changed_weight_ramps_and_is_sent_once(evm, config):
    first = Runner(RevmExecutor(evm))
    first.run(make_plan(config))
    assert config.rule is not None
    lower = {"WETH": WeightsConfig(8000, 7000), "WBTC": config.rule.weights["WBTC"]}
    changed = make_plan(replace(config, rule=replace(config.rule, weights=lower)))
    second = Runner(RevmExecutor(evm), first.addresses)
    second.run(changed)
    assert second.changes == 1
    third = Runner(RevmExecutor(evm), first.addresses)
    third.run(changed)
    assert third.changes == 0
    assert third.differences(changed) == []


def test_changed_rates_of_options_ramp_and_are_sent_once(evm, config):
    first = Runner(RevmExecutor(evm))
    first.run(make_plan(config))
    assert config.rule is not None
    rates = {**config.rule.options, "ETH": OptionRuleConfig(800, 1100, 1600)}
    changed = make_plan(replace(config, rule=replace(config.rule, options=rates)))
    titles: list[str] = []
    second = Runner(
        RevmExecutor(evm), first.addresses, lambda title, did: titles.append(title) if did else None
    )
    second.run(changed)
    assert titles == ["rates of options on ETH"]
    engine = evm.at("RuleEngine", first.addresses["RuleEngine"])
    ramps = [Ramp.decode(word) for word in engine.optionRule(1)]
    assert [(ramp.origin, ramp.target) for ramp in ramps] == [
        (750, 800),
        (1500, 1600),
        (1000, 1100),
    ]
    third = Runner(RevmExecutor(evm), first.addresses)
    third.run(changed)
    assert third.changes == 0
    assert third.differences(changed) == []


def test_the_risk_lens_is_of_this_clearinghouse(evm, config):
    runner = Runner(RevmExecutor(evm))
    runner.run(make_plan(config))
    lens = evm.at("RiskLens", runner.addresses["RiskLens"])
    assert lens.CLEARINGHOUSE() == runner.addresses["Clearinghouse"].lower()
    assert lens.ORACLE() == runner.addresses["OracleAdapter"].lower()


def test_a_changed_immutable_is_reported(evm, config):
    first = Runner(RevmExecutor(evm))
    first.run(make_plan(config))
    other = make_plan(replace(config, fee_account=replace(config.fee_account, index=7)))
    second = Runner(RevmExecutor(evm), first.addresses)
    second.run(other)
    (difference,) = second.differences(other)
    assert difference.startswith("Clearinghouse.FEE_ACCOUNT:")


def test_a_feed_that_needs_publishers_is_finished_by_a_second_run(evm, config):
    needy = with_feed(config, "ETH", min_sources=2)
    plan = make_plan(needy)
    first = Runner(RevmExecutor(evm))
    with pytest.raises(DeployError) as caught:
        first.run(plan)
    assert "the feed ETH has no accepted price yet" in str(caught.value)
    assert "2 of chainlink and quorum" in str(caught.value)

    helper = deploy_system(Evm())  # only for its way to sign reports
    book = replace(helper.book, contracts=dict(first.addresses))
    system = replace(helper, evm=evm, config=needy, book=book)
    system.oracle.refresh([system.report("ETH", "2500")])
    second = Runner(RevmExecutor(evm), first.addresses)
    second.run(plan)
    assert second.differences(plan) == []


def test_a_foreign_transaction_among_the_group_begins_it_again(evm, config):
    class Disturbed(RevmExecutor):
        disturbed = False

        def deploy(self, contract: str, args: Sequence[Any]) -> str:
            if contract == "Exchange" and not self.disturbed:
                self.disturbed = True
                super().deploy("TestToken", ("Other", "OTH", 18))
            return super().deploy(contract, args)

    plan = make_plan(config)
    runner = Runner(Disturbed(evm))
    runner.run(plan)
    assert runner.differences(plan) == []


def test_other_code_at_a_recorded_address_is_not_used(evm, config):
    system = deploy_system(evm, config)
    known = dict(system.book.contracts)
    known["Exchange"] = known["Liquidator"]
    with pytest.raises(DeployError, match=r"Exchange at .* was built from other sources"):
        Runner(RevmExecutor(evm), known).run(make_plan(config))


def test_the_authority_is_handed_over_last(evm, config):
    governor = evm.actor("governor")
    plan = make_plan(replace(config, admin=governor.address, admin_delay=60))
    runner = Runner(RevmExecutor(evm))
    runner.run(plan)
    assert runner.differences(plan) == []
    authority = evm.at("Authority", runner.addresses["Authority"])
    assert tuple(authority.hasRole(0, governor)) == (True, 60)
    assert not authority.hasRole(0, DEPLOYER)[0]


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"),
        (1, "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"),
        (2, "0xf778B86FA74E846c4f0a1fBd1335FE81c00a0C91"),
        (3, "0xffFd933A0bC612844eaF0C6Fe3E5b8E9B6C1d19c"),
    ],
)
def test_addresses_of_created_contracts(nonce, address):
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert create_address(sender, nonce) == address


def test_addresses_at_greater_nonces_are_those_of_the_evm(evm):
    executor = RevmExecutor(evm)
    for _ in range(130):
        predicted = create_address(DEPLOYER, executor.nonce())
        made = executor.deploy("TestToken", ("Token", "TOK", 18))
        assert made.lower() == predicted.lower()


def test_patterns():
    assert matches((ANY, NOT_ZERO, "0xAB"), [None, 5, "0xab"])
    assert not matches((ANY, NOT_ZERO), (1, 0))
    assert not matches((1, 2), (1, 2, 3))
    assert not matches((1, 2), 1)
