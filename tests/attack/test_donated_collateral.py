"""A donation to a vault whose share is borrowed against: from the vault to the withdrawal.

The share is collateral of the real Clearinghouse, its feed the ShareRateSource over a base.
"""

from __future__ import annotations

import pytest

from ballast.codec import AccountId
from ballast.oracle.mirror import FeedConfig
from ballast.units import WAD
from tests.support.clearing import CASH, EXTRA_HAIRCUT, HAIRCUT, RISK, ClearingWorld, refused
from tests.support.oracle import echo
from tests.support.shares import SHARE, TOLERANCE_BPS, ShareDesk

SHARE_TOKEN = 3
TOLERANCE = 1 + TOLERANCE_BPS / 10_000


class Bank:
    """Lenders with a million, and an attacker with ten shares of a vault that holds 1,000."""

    def __init__(self) -> None:
        world = self.world = ClearingWorld()
        evm = world.evm
        asset = evm.deploy("TestToken", "Asset", "ASSET", 18)
        vault = evm.deploy("MockShareVault", asset, 0)
        source = evm.deploy("ShareRateSource", world.manager)
        self.desk = ShareDesk(world, asset, vault, source, 18, 0)
        self.desk.deposit(1000)
        self.desk.set_share()
        config = FeedConfig(sources=(source.address,), max_age=3600, source_max_age=3600)
        world.oracle.configureFeed(SHARE, config.as_tuple())
        self.refresh()
        world.engine.setUnderlying(SHARE, RISK.as_tuple())
        world.tokens.append(vault)
        world.register_asset(vault, 18, SHARE)
        world.engine.setAsset(SHARE_TOKEN, HAIRCUT, EXTRA_HAIRCUT)
        world.set_asset_cap(SHARE_TOKEN, 10**27)
        world.fund(world.account("lender"), 1_000_000)
        self.account = world.account("attacker")
        self._put_in(self.account)

    def _put_in(self, account: AccountId) -> None:
        shares = self.desk.deposit(10, "attacker")
        vault, owner = self.desk.vault, account.owner
        vault.approve(self.world.house, shares, sender=owner)
        self.world.model.state.mint(vault.address, owner, shares)
        self.world.deposit(account, SHARE_TOKEN, shares)

    def refresh(self, seconds: int = 12) -> None:
        self.world.advance(seconds)
        self.world.oracle.refresh([(SHARE, [echo(self.desk.asset_price())])])

    @property
    def free(self) -> int:
        """What the attacker can borrow now, WAD."""
        margin = self.world.margin(self.account)
        return margin.equity - margin.initial

    def borrow(self, amount: int) -> None:
        self.world.withdraw(self.account, CASH, amount // 10**12)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_a_donation_lends_nothing_at_once(bank: Bank) -> None:
    honest = bank.free
    bank.desk.donate(10**9)
    bank.refresh()
    assert bank.world.margin(bank.account).equity > 20_000 * WAD, "the price rose a little"
    assert bank.free <= honest
    with refused("Clearinghouse_InsufficientMargin", bank.account.value):
        bank.borrow(honest + WAD)
    bank.borrow(bank.free)


def test_a_donation_lends_the_tolerance_after_hours(bank: Bank) -> None:
    honest = Bank()
    bank.desk.donate(10**9)
    for _ in range(60):
        honest.refresh(300)
        bank.refresh(300)
    assert honest.free < bank.free <= honest.free * TOLERANCE * 1.0005


def test_a_donation_that_the_owner_takes_back_leaves_a_debt_that_is_covered(bank: Bank) -> None:
    """It borrows all that a flash of assets in the vault lends, and lets the rate fall again."""
    bank.desk.donate(500)
    bank.refresh()
    bank.borrow(bank.free)
    bank.desk.slash(500)
    bank.refresh()
    margin = bank.world.margin(bank.account)
    assert margin.equity > margin.maintenance
    assert bank.world.margin(bank.world.account("lender")).equity >= 10**6 * WAD


def test_a_loss_of_the_vault_is_liquidated_and_covers_the_lenders(bank: Bank) -> None:
    bank.borrow(bank.free)
    for step in range(10):  # of eight per cent, which is no jump
        bank.desk.slash(1010 * 0.92**step * 0.08)
        bank.refresh()
    keeper = bank.world.account("liquidator")
    bank.world.fund(keeper, 100_000)
    before = bank.world.margin(bank.account)
    assert before.equity < before.maintenance
    bank.world.liquidate(bank.account, keeper)
    assert bank.world.margin(bank.account).equity > 0
    assert bank.world.margin(bank.world.account("lender")).equity >= 10**6 * WAD
