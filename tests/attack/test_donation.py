"""A share token as collateral: what a donation to its vault does to the accepted price.

The feed is the real road: Pyth, the PythSource under the ShareRateSource, the OracleAdapter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from ballast.oracle.mirror import FeedConfig
from ballast.units import WAD
from tests.support.oracle import OracleWorld
from tests.support.pyth import PythDesk, blob, dollars
from tests.support.shares import GROWTH_BPS, SHARE, TOLERANCE_BPS, ShareDesk

YEAR = 365 * 86400
TOLERANCE = 1 + TOLERANCE_BPS / 10_000
ASSET_PRICE = 2000


@dataclass
class Stage:
    world: OracleWorld
    pyth: PythDesk
    shares: ShareDesk

    def refresh(self, seconds: int = 12) -> float:
        """A new report on the asset, and the accepted price of the share in assets."""
        self.world.advance(seconds)
        update = blob(dollars(ASSET_PRICE, self.world.now))
        self.world.adapter.refresh([(SHARE, [update])])
        return self.rate

    @property
    def rate(self) -> float:
        return self.world.snapshot(SHARE).price / (ASSET_PRICE * WAD)


@pytest.fixture
def stage() -> Stage:
    world = OracleWorld(sources=0)
    pyth = PythDesk.open(world, funds=10**18)
    world.sources.append(pyth.source)
    shares = ShareDesk.open(world, deposit=1000)
    world.configure(SHARE, FeedConfig(sources=(shares.source.address,)))
    stage = Stage(world, pyth, shares)
    assert stage.refresh() == 1
    return stage


def test_a_donation_of_any_size_raises_the_price_by_the_tolerance(stage: Stage) -> None:
    stage.shares.donate(10**9)
    assert stage.refresh() <= TOLERANCE * (1 + 1e-6)
    assert not stage.world.snapshot(SHARE).suspect


def test_a_donation_and_a_refresh_every_block_for_an_hour(stage: Stage) -> None:
    stage.shares.donate(10**9)
    for _ in range(300):
        stage.refresh()
    band = math.exp(GROWTH_BPS / 10_000 * 3600 / YEAR)
    assert stage.rate <= TOLERANCE * band * (1 + 1e-6)


def test_a_flash_loan_that_owns_the_vault(stage: Stage) -> None:
    shares = stage.shares.deposit(10**9, "attacker")
    stage.shares.donate(10**9)
    assert stage.refresh() <= TOLERANCE * (1 + 1e-6)
    stage.shares.redeem(shares, "attacker")
    assert stage.refresh() < 1.002


def test_the_vault_is_emptied_and_inflated(stage: Stage) -> None:
    shares = stage.shares.vault.balanceOf(stage.world.evm.actor("depositor"))
    stage.shares.redeem(shares, "depositor")
    stage.shares.deposit(10**-6, "attacker")
    stage.shares.donate(10**6)
    assert stage.refresh() <= TOLERANCE * (1 + 1e-6)
    stage.shares.donate(10**16)
    word = stage.world.snapshot_word(SHARE)
    stage.refresh()
    assert stage.world.snapshot_word(SHARE) == word


def test_lowered_and_raised_does_not_buy_a_jump(stage: Stage) -> None:
    stage.shares.slash(50)
    assert stage.refresh() == pytest.approx(0.95)
    stage.shares.donate(50)
    assert stage.refresh() == pytest.approx(1)
    stage.shares.donate(10**6)
    assert stage.refresh() <= TOLERANCE * (1 + 1e-6)


def test_a_loss_is_accepted_at_once(stage: Stage) -> None:
    stage.shares.slash(90)
    assert stage.refresh() == pytest.approx(0.91)
    assert not stage.world.snapshot(SHARE).suspect


def test_a_great_loss_is_suspect_until_it_is_confirmed(stage: Stage) -> None:
    stage.shares.slash(400)
    assert stage.refresh() == 1
    assert stage.world.snapshot(SHARE).suspect
    for _ in range(3):
        stage.refresh(60)
    assert stage.rate == pytest.approx(0.6)
    assert not stage.world.snapshot(SHARE).suspect


def test_a_stranger_who_moves_the_source_between_refreshes_gains_nothing(stage: Stage) -> None:
    stage.shares.donate(10**9)
    for _ in range(20):
        stage.world.advance(1)
        stage.shares.source.observe(SHARE, b"", sender=stage.world.stranger)
    assert stage.refresh() <= TOLERANCE * (1 + 1e-6)


def test_the_share_spends_on_its_base_what_the_base_allows(stage: Stage) -> None:
    before = stage.pyth.balance
    update = blob(dollars(ASSET_PRICE, stage.world.now))
    for _ in range(10):
        stage.world.adapter.refresh([(SHARE, [update])])
    assert stage.pyth.balance == before
