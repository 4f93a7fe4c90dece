"""Addresses of a configuration that exist already, checked on revm before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ballast.deploy.config import ChainlinkConfig, NetworkConfig
from ballast.deploy.preflight import require_sane
from ballast.deploy.run import DeployError
from tests.support.revm import Evm
from tests.support.system import RevmExecutor, devnet_config

NOBODY = "0x" + "12" * 20


@dataclass
class Existing:
    """A configuration whose cash, WETH and feed of ether exist."""

    executor: RevmExecutor
    config: NetworkConfig
    token: str
    aggregator: str
    now: int

    @classmethod
    def make(cls) -> Existing:
        evm = Evm()
        executor = RevmExecutor(evm)
        cash = executor.deploy("TestToken", ["USD Coin", "USDC", 6])
        token = executor.deploy("TestToken", ["Wrapped Ether", "WETH", 18])
        aggregator = executor.deploy("MockAggregator", [8, "ETH / USD", 2500 * 10**8])
        found = cls(executor, devnet_config(evm), token, aggregator, evm.time)
        found.config = replace(found.config, cash=replace(found.config.cash, address=cash))
        return found.with_token(address=token).with_feed(address=aggregator)

    def with_token(self, **fields: object) -> Existing:
        one = next(c for c in self.config.collateral if c.token.symbol == "WETH")
        changed = replace(one, token=replace(one.token, **fields))
        rest = tuple(changed if c is one else c for c in self.config.collateral)
        return replace(self, config=replace(self.config, collateral=rest))

    def with_feed(self, **fields: object) -> Existing:
        one = self.config.underlying("ETH")
        feed = replace(one.chainlink or ChainlinkConfig(0, 0, 8), **fields)
        changed = replace(one, chainlink=feed)
        rest = tuple(changed if u is one else u for u in self.config.underlyings)
        return replace(self, config=replace(self.config, underlyings=rest))

    def check(self) -> int:
        return require_sane(self.config, self.executor, self.now)


@pytest.fixture(scope="module")
def existing() -> Existing:
    return Existing.make()


def test_addresses_that_answer_are_counted(existing: Existing):
    assert existing.check() == 3


def test_what_is_deployed_anew_is_not_asked(existing: Existing):
    config = devnet_config(Evm())
    assert require_sane(config, existing.executor, existing.now) == 0


WETH, ETH = "collateral.WETH.address", "underlyings.ETH.chainlink.address"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda e: e.with_token(address=NOBODY), f"{WETH}: there is no contract at {NOBODY}"),
        (lambda e: e.with_token(address=e.aggregator), f"{WETH}: {{aggregator}} has 8 decimals"),
        (lambda e: e.with_token(address=e.config.cash.address), "has 6 decimals, not 18"),
        (lambda e: e.with_feed(address=NOBODY), f"{ETH}: there is no contract at {NOBODY}"),
        (lambda e: e.with_feed(address=e.token), f"{ETH}: {{token}} has 18 decimals, not 8"),
        (lambda e: e.with_feed(address=e.token, decimals=18), f"{ETH}: {{token}} does not answer"),
        (lambda e: replace(e, now=e.now + 10**6), f"{ETH}: {{aggregator}} answered"),
        (
            lambda e: replace(
                e,
                config=replace(e.config, cash=replace(e.config.cash, symbol="USDT")),
            ),
            "cash.address: ",
        ),
        (lambda e: replace(e, config=replace(e.config, pyth=NOBODY)), "pyth: there is no contract"),
    ],
)
def test_a_wrong_address_is_named_by_its_field(
    existing: Existing, change: Callable[[Existing], Existing], complaint: str
):
    expected = complaint.format(aggregator=existing.aggregator, token=existing.token)
    with pytest.raises(DeployError) as caught:
        change(existing).check()
    assert expected in str(caught.value)


def test_a_price_out_of_the_bounds_of_its_feed_is_refused(existing: Existing):
    cheap = existing.executor.deploy("MockAggregator", [8, "USDC / USD", 10**8])
    with pytest.raises(DeployError, match=r"answers 1, not \d+ to"):
        existing.with_feed(address=cheap).check()


def test_all_wrong_fields_are_named_at_once(existing: Existing):
    both = existing.with_token(address=NOBODY).with_feed(address=NOBODY)
    with pytest.raises(DeployError) as caught:
        both.check()
    assert WETH in str(caught.value) and ETH in str(caught.value)
