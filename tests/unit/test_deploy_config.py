"""What a configuration must be, and what is said of one that is not."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ballast.deploy.config import ConfigError, OptionRuleConfig, PerpRuleConfig, SequencerConfig
from ballast.deploy.config_file import CONFIGS, config_path, load_config, parse_config
from ballast.fields import FieldError
from ballast.units import WAD

DEVNET = yaml.safe_load((CONFIGS / "devnet.yaml").read_text())
DELETED = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The devnet's configuration with one field replaced, added or removed."""
    data = deepcopy(DEVNET)
    *parents, last = path.split(".")
    target = data
    for key in parents:
        target = target[key]
    if value is DELETED:
        del target[last]
    else:
        target[last] = value
    return data


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_of_the_repository_is_valid(path):
    load_config(path)


def test_local_chains_use_the_devnets_configuration():
    assert config_path("local") == config_path("devnet")
    assert config_path("sepolia").name == "sepolia.yaml"


def test_units_and_defaults():
    config = parse_config(DEVNET, "devnet")
    ether = config.underlying("ETH")
    assert ether.risk.kappa_quarters == 2
    assert (ether.risk.perp_maintenance, ether.risk.perp_initial) == (100, 200)
    assert (ether.feed.premium_clamp_bps, ether.feed.funding_cap_bps) == (100, 50)
    assert ether.chainlink is not None and ether.chainlink.mock_answer == 2500 * 10**8
    assert ether.market is not None and ether.market.cap == 50_000 * WAD
    assert ether.market.fees.taker == 4 * WAD // 10_000
    assert config.collateral[1].cap == 5000 * 10**8
    assert config.asset_id("WBTC") == 2


def test_the_rule_engine_has_defaults_for_every_market():
    weights = DEVNET["engines"]["rule"]["collateral"]
    config = parse_config(changed("engines.rule", {"collateral": weights}), "devnet")
    assert config.rule is not None
    assert config.rule.ramp_time == 3 * 86400
    standard = PerpRuleConfig(maintenance_bps=500, initial_bps=1000, depth=100_000)
    assert config.rule.perps == {"ETH": standard, "BTC": replace(standard, depth=5000)}
    standard = OptionRuleConfig(maintenance_bps=750, floor_bps=1000, initial_bps=1500)
    assert config.rule.options == {"ETH": standard, "BTC": standard}
    assert list(config.rule.weights) == ["WETH", "WBTC"]


def test_rates_of_options_are_only_of_underlyings_that_have_some():
    data = changed("underlyings.BTC.options", DELETED)
    del data["engines"]["rule"]["options"]
    config = parse_config(data, "devnet")
    assert config.rule is not None
    assert list(config.rule.options) == ["ETH"]


def test_the_rule_engine_is_optional():
    assert parse_config(changed("engines", DELETED), "devnet").rule is None
    assert parse_config(changed("engines", {}), "devnet").rule is None


def test_other_underlyings_have_wider_defaults():
    config = parse_config(changed("underlyings.BTC.class", "other"), "devnet")
    bitcoin = config.underlying("BTC")
    assert bitcoin.risk.kappa_quarters == 3
    assert (bitcoin.risk.perp_maintenance, bitcoin.risk.perp_initial) == (200, 400)
    assert (bitcoin.feed.premium_clamp_bps, bitcoin.feed.funding_cap_bps) == (200, 200)


def test_publishers_are_put_in_ascending_order():
    config = parse_config(changed("quorum.signers", DEVNET["quorum"]["signers"][::-1]), "devnet")
    assert config.quorum is not None
    assert list(config.quorum.signers) == sorted(config.quorum.signers, key=str.lower)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("chain_id", "one", "chain_id must be a whole number, not 'one'"),
        ("colour", "red", "colour is not a known field"),
        ("cash.test.decimals", 19, "cash.test.decimals must be a whole number from 0 to 18"),
        ("cash.test.colour", 1, "cash.test.colour is not a known field"),
        ("cash.test", DELETED, "cash needs either address or test, and not both"),
        ("cash.address", "0x" + "11" * 20, "cash needs either address or test, and not both"),
        ("roles.admin", "0x12", "roles.admin must be an address in quotes, not '0x12'"),
        ("roles.admin_delay", -1, "roles.admin_delay must be a whole number from 0"),
        ("quorum.threshold", 1, "quorum.threshold must be a whole number from 2 to 3, not 1"),
        ("underlyings.ETH.options.strike_tick", 0, "strike_tick must be from 1e-8 to 1e6, not 0"),
        ("underlyings.ETH.options.cap", 10**10, "cap must be at most 2^90 of its smallest parts"),
        ("underlyings.ETH.options.max_live", 9, "max_live must be a whole number from 1 to 8"),
        ("underlyings.ETH.options.colour", 1, "options.colour is not a known field"),
        ("underlyings.ETH.options.expiries.daily", 9, "daily must be a whole number from 0 to 8"),
        ("underlyings.ETH.options.expiries.hourly", 1, "hourly is not a known field"),
        ("quorum.signers", ["0x12"], "quorum.signers[0] must be an address, not '0x12'"),
        ("quorum", DELETED, "underlyings.ETH.sources names quorum, but there is no quorum"),
        ("fee_account.index", 2, "insurance_account is the same account as fee_account"),
        ("fee_account.index", True, "fee_account.index must be a whole number, not True"),
        ("underlyings.ETH.id", 2, "underlyings.BTC.id is 2, as that of ETH"),
        ("underlyings.ETH.id", 65536, "underlyings.ETH.id must be a whole number from 0 to 65535"),
        ("underlyings.ETH.class", "meme", "underlyings.ETH.class must be one of major, other"),
        ("underlyings.ETH.sources", ["band"], "underlyings.ETH.sources must be a list of"),
        ("underlyings.ETH.sources", [], "underlyings.ETH.sources must be a list of"),
        ("underlyings.ETH.chainlink.mock", "dear", "chainlink.mock must be a number, not 'dear'"),
        ("underlyings.ETH.chainlink.mock", 0, "chainlink.mock must be a price over zero, not 0"),
        ("underlyings.ETH.chainlink.mock", "0.000000001", "a number with at most 8 decimals"),
        ("underlyings.ETH.chainlink.heartbeat", 5, "chainlink.heartbeat must be a whole number"),
        ("underlyings.ETH.chainlink", DELETED, "underlyings.ETH.chainlink is missing"),
        ("underlyings.ETH.feed.min_sources", 3, "feed.min_sources must be at most the number"),
        ("underlyings.ETH.feed.max_age", 9, "feed.max_age must be a whole number from 10"),
        ("underlyings.ETH.feed.min_price", DELETED, "underlyings.ETH.feed.min_price is missing"),
        ("underlyings.ETH.feed.min_price", 10**7, "feed.min_price must be over zero and at most"),
        ("underlyings.ETH.feed.base_range_bps", 500, "base_range_bps 500 must lie between"),
        ("underlyings.ETH.feed.premium_clamp_bps", 150, "may not exceed risk.perp_maintenance 100"),
        (
            "underlyings.ETH.risk",
            {"range_cap": 0},
            "risk.range_cap must be a whole number from 500",
        ),
        ("underlyings.ETH.risk", {"perp_initial": 50}, "perp_initial is 50, under its maintenance"),
        ("underlyings.ETH.risk", {"kappa": 2}, "underlyings.ETH.risk.kappa is not a known field"),
        ("underlyings.ETH.market.cap", 12345, "cap must be at most 4095 times a power of ten"),
        (
            "underlyings.ETH.options.maker_fee_bps",
            11,
            "maker_fee_bps must be a number from 0 to 10",
        ),
        ("underlyings.ETH.market.cap", "much", "market.cap must be a number, not 'much'"),
        ("underlyings.ETH.market.taker_fee_bps", 11, "taker_fee_bps must be a number from 0 to 10"),
        ("underlyings.USDC.market", {"cap": 1}, "market.maker_fee_bps is missing"),
        ("collateral.WETH.underlying", "SOL", "is 'SOL', which is not configured"),
        ("collateral.WETH.cap", -1, "collateral.WETH.cap must be a number ≥ 0, not -1"),
        ("collateral.WETH.haircut_bps", 3950, "which leaves less than risk.range_cap 6000"),
        ("collateral.WETH.test.symbol", "ETH", "test.symbol is 'ETH', but its name 'WETH'"),
        ("collateral", None, "collateral must be an object, not None"),
        ("engines.rules", {}, "engines.rules is not a known field (known: joint_scenario, rule)"),
        ("engines.rule.ramp_time", 3600, "rule.ramp_time must be a whole number from 86400"),
        ("engines.rule.perps.USDC", {}, "engines.rule.perps.USDC: USDC has no market"),
        ("engines.rule.perps.ETH.initial_bps", 499, "initial_bps must be a whole number from 500"),
        ("engines.rule.perps.ETH.maintenance_bps", 99, "the premium clamp 100 may not exceed"),
        ("engines.rule.perps.ETH.depth", -1, "perps.ETH.depth must be a whole number from 0"),
        ("engines.rule.options.USDC", {}, "engines.rule.options.USDC: USDC has no options"),
        ("engines.rule.options.ETH.rate", 1, "engines.rule.options.ETH.rate is not a known field"),
        (
            "engines.rule.options.ETH.maintenance_bps",
            0,
            "options.ETH.maintenance_bps must be a whole number from 1 to 10000",
        ),
        (
            "engines.rule.options.ETH.floor_bps",
            749,
            "options.ETH.floor_bps must be a whole number from 750 to 10000",
        ),
        (
            "engines.rule.options.ETH.initial_bps",
            999,
            "options.ETH.initial_bps must be a whole number from 1000 to 10000",
        ),
        ("engines.rule.collateral.WETH", DELETED, "collateral must be weights of each of WETH, WB"),
        (
            "engines.rule.collateral.WETH.maintenance_weight_bps",
            9501,
            "maintenance_weight_bps must be a whole number from 0 to 9500",
        ),
        (
            "engines.rule.collateral.WETH.initial_weight_bps",
            8501,
            "initial_weight_bps must be a whole number from 0 to 8500",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_value(path, value, complaint):
    with pytest.raises(FieldError) as caught:
        parse_config(changed(path, value), "devnet")
    assert complaint in str(caught.value)


FEED = "0x" + 19 * "00" + "01"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"feed": "mock", "grace": 3600}, SequencerConfig(3600)),
        ({"feed": FEED, "grace": 0}, SequencerConfig(0, FEED)),
    ],
)
def test_a_sequencer_is_optional(value, expected):
    assert parse_config(changed("sequencer", value), "devnet").sequencer == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"feed": "mock", "grace": 3601}, "sequencer.grace must be a whole number from 0 to 3600"),
        ({"feed": "nowhere", "grace": 1}, "sequencer.feed must be an address"),
        ({"grace": 1}, "sequencer.feed"),
    ],
)
def test_a_wrong_sequencer_is_named(value, complaint):
    with pytest.raises(FieldError) as caught:
        parse_config(changed("sequencer", value), "devnet")
    assert complaint in str(caught.value)


def test_the_feed_of_cash_has_no_market():
    market = {"cap": 1, "maker_fee_bps": 1, "taker_fee_bps": 1}
    with pytest.raises(ConfigError, match="the feed of cash itself has no market"):
        parse_config(changed("underlyings.USDC.market", market), "devnet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no configuration .*nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_broken_yaml_is_named(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(path)
