"""Who may do what while a price is fresh, stale, wide, suspect, halted: specification §6.10.

Each cell of the table is an action in a state, made on the contracts and on the model. Before it,
a trader is long 10 ether with some room, another is under maintenance at the last price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ballast.model.liquidator import discount_of, fraction_to_target, payment_for
from ballast.units import WAD
from tests.support.clearing import BTC, CASH, ETH, WETH, ClearingWorld, refused
from tests.support.revm import reverts

GRACE = 1800
UP, DOWN = 0, 1
DAY = 24 * 3600


class Scene:
    """A world with the accounts that the table speaks of."""

    def __init__(self) -> None:
        world = self.world = ClearingWorld(sequencer_grace=GRACE)
        world.advance(2 * GRACE)
        world.set_price(ETH, 2000)
        world.set_price(BTC, 50_000)
        self.maker = world.account("maker")
        self.keeper = world.account("liquidator")
        self.rich = world.account("trader")
        self.weak = world.account("trader", 1)
        self.saver = world.account("trader", 2)
        for account, cash in (
            (self.maker, 10_000_000),
            (self.keeper, 1_000_000),
            (self.rich, 8_000),
            (self.weak, 5_000),
        ):
            world.fund(account, cash)
        world.fund(self.saver, weth=1)
        for account in (self.rich, self.weak, self.keeper):
            world.trade(account, self.maker, 10)
        # MM of 10 is 0.8·0.22·P·10 + 1 %: the weak one is at 0.9 of it.
        world.set_price(ETH, 1800)
        world.set_price(BTC, 50_000)
        world.advance()


# ---- States -------------------------------------------------------------------------------------


def fresh(scene: Scene) -> None:
    pass


def stale_within_the_hour(scene: Scene) -> None:
    """Fresh ages are an hour in this world, so this one is shorter."""
    world = scene.world
    short = replace(world.system.feeds.states[ETH].config, max_age=600)
    world.oracle.configureFeed(ETH, short.as_tuple())
    world.set_price(ETH, 1800)
    world.advance(1800)


def stale_for_long(scene: Scene) -> None:
    scene.world.advance(2 * 3600)
    scene.world.refresh(BTC, 50_000)


def wide(scene: Scene) -> None:
    world = scene.world
    world.advance()
    report(world, 1812, 1788)
    assert world.system.house.prices.snapshot(ETH).wide


def report(world: ClearingWorld, *prices: float) -> None:
    """Let each source report a price of its own."""
    _, (first, _) = world.update(ETH, prices[0])
    _, (_, second) = world.update(ETH, prices[1])
    world.refresh_with(ETH, [first, second])


def suspect(scene: Scene) -> None:
    world = scene.world
    world.advance()
    report(world, 2100, 1500)
    snapshot = world.system.house.prices.snapshot(ETH)
    assert snapshot.suspect
    assert snapshot.price == 1800 * WAD


def sequencer_down(scene: Scene) -> None:
    scene.world.sequencer.setAnswer(DOWN)


def in_grace(scene: Scene) -> None:
    sequencer_down(scene)
    scene.world.advance(600)
    scene.world.sequencer.setAnswer(UP)
    scene.world.advance()


def down_for_longer_than_a_day(scene: Scene) -> None:
    sequencer_down(scene)
    scene.world.advance(DAY)
    for underlying, price in ((ETH, 1800), (BTC, 50_000)):
        scene.world.refresh(underlying, price)


def sequencer_feed_broken(scene: Scene) -> None:
    scene.world.sequencer.setAnswer(2)


# ---- Actions ------------------------------------------------------------------------------------


def deposit(scene: Scene) -> None:
    scene.world.fund(scene.rich, 10, weth=1)


def repay(scene: Scene) -> None:
    scene.world.fund(scene.weak, 1)


def cancel(scene: Scene) -> None:
    scene.world.cancel(scene.rich, 7 << 64)


def settle(scene: Scene) -> None:
    scene.world.settle_account(scene.weak)


def withdraw_savings(scene: Scene) -> None:
    scene.world.withdraw(scene.saver, WETH, 10**17)


def reduce(scene: Scene) -> None:
    scene.world.trade(scene.rich, scene.maker, -1, 1800)


def reduce_under_maintenance(scene: Scene) -> None:
    scene.world.trade(scene.weak, scene.maker, -1, 1800)


def open_more(scene: Scene) -> None:
    scene.world.trade(scene.rich, scene.maker, 1, 1800)


def withdraw_with_positions(scene: Scene) -> None:
    scene.world.withdraw(scene.rich, CASH, 10**7)


def select_engine(scene: Scene) -> None:
    scene.world.select_engine(scene.rich, 0)


def liquidate(scene: Scene) -> None:
    scene.world.liquidate(scene.weak, scene.keeper)


def liquidate_into_an_empty_account(scene: Scene) -> None:
    empty = scene.world.account("liquidator", 1)
    scene.world.fund(empty, 100_000)
    scene.world.liquidate(scene.weak, empty)


def liquidate_by_a_witness(scene: Scene) -> None:
    scene.world.liquidate(scene.weak, scene.keeper, witness=1)


def flag(scene: Scene) -> None:
    scene.world.flag(scene.weak)


def liquidate_the_healthy(scene: Scene) -> None:
    scene.world.liquidate(scene.rich, scene.keeper)


# ---- The table ----------------------------------------------------------------------------------

STATES = (
    fresh,
    stale_within_the_hour,
    stale_for_long,
    wide,
    suspect,
    sequencer_down,
    in_grace,
    down_for_longer_than_a_day,
    sequencer_feed_broken,
)
ALWAYS = (
    deposit,
    repay,
    cancel,
    settle,
    withdraw_savings,
    reduce,
    reduce_under_maintenance,
)
NEW_RISK = (open_more, withdraw_with_positions, select_engine)
LIQUIDATIONS = (liquidate, liquidate_into_an_empty_account, liquidate_by_a_witness, flag)
LIQUIDATION_REFUSED = {
    stale_within_the_hour: "Liquidator_Credited",
    sequencer_down: "Liquidator_SequencerOutage",
    in_grace: "Liquidator_SequencerOutage",
}
Step = Callable[[Scene], None]


def cells() -> list[tuple[Step, Step, str]]:
    """Every action in every state, and the error that refuses it; empty if it passes."""
    found: list[tuple[Step, Step, str]] = []
    for state in STATES:
        found += [(state, action, "") for action in ALWAYS]
        stopped = "" if state is fresh else "Clearinghouse_PriceNotFresh"
        found += [(state, action, stopped) for action in NEW_RISK]
        found += [(state, action, LIQUIDATION_REFUSED.get(state, "")) for action in LIQUIDATIONS]
        found.append((state, liquidate_the_healthy, "Liquidator_Healthy"))
    return found


@pytest.mark.parametrize(
    ("state", "action", "error"), cells(), ids=lambda value: getattr(value, "__name__", "")
)
def test_an_action_in_a_state(state: Step, action: Step, error: str) -> None:
    scene = Scene()
    state(scene)
    if error:
        with refused(error):
            action(scene)
    else:
        action(scene)


def test_a_price_that_was_never_accepted_carries_nothing() -> None:
    world = ClearingWorld()
    with reverts("Clearinghouse_PriceNeverAccepted", 9):
        world.list_market(9)
    with reverts("Clearinghouse_PriceNeverAccepted", 9):
        world.register_asset(world.tokens[CASH], 6, 9)


# ---- Why a liquidation waits --------------------------------------------------------------------


def test_the_error_says_how_much_is_credited() -> None:
    scene = Scene()
    stale_within_the_hour(scene)
    margin = scene.world.margin(scene.weak)
    assert margin.equity < margin.maintenance <= margin.equity + margin.credit
    values = scene.weak.value, margin.equity, margin.credit, margin.maintenance
    with reverts("Liquidator_Credited", *values):
        liquidate(scene)


def test_the_error_says_until_when_an_outage_waits() -> None:
    scene = Scene()
    sequencer_down(scene)
    with reverts("Liquidator_SequencerOutage", scene.world.now + DAY):
        liquidate(scene)
    in_grace(scene)
    until = scene.world.oracle.outageUntil()
    with reverts("Liquidator_SequencerOutage", until):
        liquidate(scene)
    scene.world.advance(until - scene.world.now)
    liquidate(scene)


def test_a_silent_feed_neither_frees_nor_shields() -> None:
    """Within the hour who is nearly healthy waits; after it the last price stands, however old."""
    scene = Scene()
    stale_within_the_hour(scene)
    with refused("Liquidator_Credited"):
        liquidate(scene)
    scene.world.advance(1800 + 60)
    healthy = scene.world.margin(scene.rich)
    liquidate(scene)
    scene.world.advance(30 * DAY)
    with refused("Liquidator_Healthy", scene.rich.value):
        liquidate_the_healthy(scene)
    assert scene.world.margin(scene.rich).maintenance == healthy.maintenance


def test_the_credit_has_no_part_in_the_terms() -> None:
    scene = Scene()
    wide(scene)
    scene.world.advance()
    margin = scene.world.margin(scene.weak)
    assert margin.credit > 0
    terms = scene.world.model.liquidation_terms(scene.weak)
    discount = discount_of(terms, margin.equity, margin.maintenance)
    best = fraction_to_target(terms, margin.equity, margin.maintenance, discount)
    deal = scene.world.liquidate(scene.weak, scene.keeper)
    assert deal == payment_for(best, margin.equity, discount)
