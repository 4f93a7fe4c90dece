"""The Lens: positions decoded and valued, options among them; how far settlement is."""

from __future__ import annotations

from typing import Any

import pytest

from ballast.client.events import Event
from ballast.client.history import names_account
from ballast.client.options import Stage, stage_of
from ballast.codec import AccountId, Settlement
from ballast.units import WAD, mul_floor
from tests.support.clearing import ETH, ETH_PERP, units
from tests.support.options import PricedWorld
from tests.support.revm import RevmContract

EXPIRY = 1_800_000_000


class ViewedWorld(PricedWorld):
    """The priced world, and a Lens of it."""

    def _configure(self) -> None:
        super()._configure()
        self.lens: RevmContract = self._create("Lens", self.house)

    def view(self, account: AccountId) -> Any:
        return self.lens.account(account)


@pytest.fixture
def world() -> ViewedWorld:
    world = ViewedWorld()
    for role in ("buyer", "writer"):
        world.fund(world.account(role), 1_000_000)
    return world


def test_an_option_is_shown_at_its_fair_price(world: ViewedWorld) -> None:
    buyer, writer = world.account("buyer"), world.account("writer")
    call = world.series(2000)
    price, delta = world.engine.fairPrice(call)
    world.fill(buyer, writer, call, 3 * WAD, price)
    (long,), (short,) = (world.view(one).positions for one in (buyer, writer))
    assert long == (call, ETH, 3 * WAD, price, 3 * price, 3 * delta, 0)
    assert short == (call, ETH, -3 * WAD, price, -3 * price, -3 * delta, 0)
    worth = world.margin(buyer).equity - world.cash_of(buyer)
    assert abs(worth - long.value) < 3 * units(2000) // 10**8


def test_leverage_counts_the_delta_of_options(world: ViewedWorld) -> None:
    """A call against a perpetual that is short its delta is no leverage at all."""
    buyer, writer = world.account("buyer"), world.account("writer")
    call = world.series(2000)
    price, delta = world.engine.fairPrice(call)
    world.fill(buyer, writer, call, 100 * WAD, price)
    spot = world.model.prices.snapshot(ETH).price
    exposed = 100 * delta * spot // world.margin(buyer).equity
    assert abs(world.view(buyer).leverage - exposed) <= 10
    world.fill(buyer, writer, ETH_PERP, -100 * delta, spot)
    assert world.view(buyer).leverage == 0


def test_a_settled_option_is_its_payoff_and_has_no_delta(world: ViewedWorld) -> None:
    buyer, writer = world.account("buyer"), world.account("writer")
    call = world.series(2000)
    world.fill(buyer, writer, call, WAD // 2, world.engine.fairPrice(call)[0])
    world.expire(2300)
    (seen,) = world.view(buyer).positions
    assert (seen.price, seen.value, seen.delta) == (units(300), units(150), 0)


def test_perpetuals_are_their_own_delta(world: ViewedWorld) -> None:
    buyer, writer = world.account("buyer"), world.account("writer")
    world.fill(buyer, writer, ETH_PERP, -2 * WAD, units(2000))
    (seen,) = world.view(buyer).positions
    assert (seen.instrument, seen.size, seen.delta) == (ETH_PERP, -2 * WAD, -2 * WAD)
    assert seen.value == mul_floor(-2 * WAD, seen.price) + units(4000)


@pytest.mark.parametrize(
    ("fixed", "now", "stage"),
    [
        (None, EXPIRY - 1800, Stage.TRADING),
        (None, EXPIRY - 1799, Stage.SETTLING),
        (None, EXPIRY - 1, Stage.SETTLING),
        (None, EXPIRY, Stage.EXPIRED),
        (EXPIRY + 60, EXPIRY + 3659, Stage.FIXED),
        (EXPIRY + 60, EXPIRY + 3660, Stage.DUE),
    ],
)
def test_stages_of_a_series(fixed: int | None, now: int, stage: Stage) -> None:
    settlement = None if fixed is None else Settlement(units(2000), fixed)
    assert stage_of(EXPIRY, settlement, now) is stage


def test_an_event_is_of_every_account_that_it_names() -> None:
    mine, other, third = (AccountId.make("0x" + f"{n:02x}" * 20) for n in (1, 2, 3))
    args = {"instrument": 1, "taker": bytes(mine), "maker": bytes(other)}
    event = Event("Traded", args, block=1, transaction="0x", index=0)
    assert names_account(event, mine) and names_account(event, other)
    assert not names_account(event, third)
    fees = Event("FeesSet", {"product": bytes(mine)}, block=1, transaction="0x", index=0)
    assert not names_account(fees, mine)
