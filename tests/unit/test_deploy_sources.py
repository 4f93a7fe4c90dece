"""Feeds on Pyth and on share rates: their configuration, and its plan run on revm."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import yaml

from ballast.deploy.config import ConfigError, NetworkConfig, PythConfig
from ballast.deploy.config_file import CONFIGS, parse_config
from ballast.deploy.plan import make_plan
from ballast.deploy.run import DeployError, Runner
from ballast.fields import FieldError
from ballast.oracle.sources import PythFeed
from ballast.units import WAD
from tests.support.artefacts import Artefact, load_ape
from tests.support.oracle import artefacts
from tests.support.pyth import FEE, PRICE_ID, blob, dollars
from tests.support.revm import DEPLOYER, Evm
from tests.support.system import RevmExecutor

SOMEBODY = "0x" + "11" * 20
BOUNDS = {"min_price": "10", "max_price": 1000000}
PYTH = {"price_id": "0x" + PRICE_ID.hex(), "max_age": 60, "min_advance": 5, "max_fee": FEE}
SHARE = {
    "vault": SOMEBODY,
    "base": "ETH",
    "source": "pyth",
    "rate": "1.05",
    "max_growth_bps": 1000,
    "tolerance_bps": 10,
}


def devnet(vault: str = SOMEBODY, pyth: str = SOMEBODY) -> dict[str, Any]:
    """The devnet with Pyth for ETH, and a share of a vault of ETH."""
    data = yaml.safe_load((CONFIGS / "devnet.yaml").read_text())
    data["pyth"] = pyth
    ether = data["underlyings"]["ETH"]
    ether |= {"sources": ["chainlink", "quorum", "pyth"], "pyth": dict(PYTH)}
    share = {"sources": ["share_rate"], "share_rate": SHARE | {"vault": vault}, "id": 9}
    data["underlyings"]["SETH"] = share | {"feed": dict(BOUNDS)}
    return data


def changed(path: str, value: Any) -> dict[str, Any]:
    """One field replaced; None removes it."""
    data = deepcopy(devnet())
    *parents, last = path.split(".")
    target = data
    for key in parents:
        target = target[key]
    target[last] = value
    if value is None:
        del target[last]
    return data


def test_what_is_read() -> None:
    config = parse_config(devnet(), "devnet")
    assert config.pyth == SOMEBODY
    ether, share = config.underlying("ETH"), config.underlying("SETH").share_rate
    assert ether.pyth == PythConfig("0x" + PRICE_ID.hex(), PythFeed(60, 5, FEE))
    assert share is not None
    assert (share.base, share.source, share.rate) == ("ETH", "pyth", 105 * WAD // 100)
    assert (share.max_growth_bps, share.tolerance_bps) == (1000, 10)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("pyth", None, "underlyings.ETH.sources names pyth, but there is no pyth"),
        ("pyth", "0x12", "pyth must be an address in quotes"),
        ("underlyings.ETH.pyth", None, "underlyings.ETH.pyth is missing"),
        ("underlyings.ETH.pyth.price_id", "0x12", "price_id must be 32 bytes in hex"),
        ("underlyings.ETH.pyth.price_id", "0x" + "00" * 32, "that are not zero"),
        ("underlyings.ETH.pyth.max_age", 9, "max_age must be a whole number from 10"),
        ("underlyings.ETH.pyth.min_advance", 0, "min_advance must be a whole number from 1 to 60"),
        ("underlyings.ETH.pyth.min_advance", 61, "min_advance must be a whole number from 1 to"),
        ("underlyings.ETH.pyth.max_fee", 10**16 + 1, "max_fee must be a whole number from 0 to"),
        ("underlyings.ETH.pyth.colour", 1, "pyth.colour is not a known field"),
        ("underlyings.SETH.share_rate", None, "underlyings.SETH.share_rate is missing"),
        ("underlyings.SETH.share_rate.vault", 1, "vault must be an address in quotes"),
        ("underlyings.SETH.share_rate.base", "SOL", "share_rate: 'SOL' has no source 'pyth'"),
        ("underlyings.SETH.share_rate.base", "BTC", "share_rate: 'BTC' has no source 'pyth'"),
        ("underlyings.SETH.share_rate.source", "share_rate", "source must be one of chainlink"),
        ("underlyings.SETH.share_rate.rate", 0, "rate must be from 1e-6 to 1e9, not 0"),
        ("underlyings.SETH.share_rate.rate", 10**10, "rate must be from 1e-6 to 1e9"),
        ("underlyings.SETH.share_rate.max_growth_bps", 5001, "max_growth_bps must be a whole"),
        ("underlyings.SETH.share_rate.tolerance_bps", 101, "tolerance_bps must be a whole number"),
        ("underlyings.SETH.share_rate.colour", 1, "share_rate.colour is not a known field"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_config(changed(path, value), "devnet")
    assert complaint in str(caught.value)


def test_a_complaint_is_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        parse_config(changed("pyth", None), "devnet")


# ---- The plan ---------------------------------------------------------------------------------


@cache
def everything() -> Mapping[str, Artefact]:
    return {**load_ape(), **artefacts()}


@pytest.fixture
def evm() -> Evm:
    return Evm(everything())


def network(evm: Evm, is_known: bool = True) -> NetworkConfig:
    """Pyth, which knows the price or does not, and a vault with a rate of 1.05."""
    pyth = evm.deploy("MockPyth", 60, FEE)
    if is_known:
        pyth.updatePriceFeeds([blob(dollars(2500, evm.time))], value=FEE)
    asset = evm.deploy("TestToken", "Ether", "WETH", 18)
    vault = evm.deploy("BrokenVault", asset, 18, 105 * WAD // 100)
    return parse_config(devnet(vault.address, pyth.address), "devnet")


def test_sources_are_as_configured_and_price_the_share(evm: Evm) -> None:
    config = network(evm)
    plan = make_plan(config)
    runner = Runner(RevmExecutor(evm))
    runner.run(plan)
    assert runner.differences(plan) == []
    oracle = evm.at("OracleAdapter", runner.addresses["OracleAdapter"])
    assert int(oracle.snapshot(9)) >> 188 == 2625 * 10**12
    source = evm.at("PythSource", runner.addresses["PythSource"])
    assert source.REFUND().lower() == DEPLOYER
    again = Runner(RevmExecutor(evm), runner.addresses)
    again.run(plan)
    assert again.changes == 0


def test_the_balance_goes_back_to_the_admin(evm: Evm) -> None:
    data = network(evm)
    plan = make_plan(parse_config(changed("roles.admin", SOMEBODY) | {"pyth": data.pyth}, "devnet"))
    (deployment,) = [one for one in plan.deployments() if one.name == "PythSource"]
    assert deployment.args[1:] == (data.pyth, SOMEBODY)


def test_a_price_that_pyth_does_not_know_stops_the_deployment(evm: Evm) -> None:
    plan = make_plan(network(evm, is_known=False))
    with pytest.raises(DeployError, match="Pyth price of ETH"):
        Runner(RevmExecutor(evm)).run(plan)


def test_without_them_nothing_of_them_is_deployed() -> None:
    config = parse_config(yaml.safe_load((CONFIGS / "devnet.yaml").read_text()), "devnet")
    names = {one.name for one in make_plan(config).deployments()}
    assert not names & {"PythSource", "ShareRateSource"}
