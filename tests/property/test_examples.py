"""What the campaigns or their making found, each as small as it can be."""

from __future__ import annotations

from ballast.model.liquidator import discount_of, fraction_to_target
from ballast.units import WAD
from tests.support.clearing import ETH, ClearingWorld

THREE_QUARTERS_DOWN = 1 + 2


def test_a_weak_witness_takes_no_more_than_restores_the_account() -> None:
    """A witness whose MM is dust would take all of an account whose whole MM is none."""
    world = ClearingWorld()
    trader, maker, keeper = (world.account(role) for role in ("trader", "maker", "keeper"))
    world.fund(trader, 80)
    world.fund(maker, 10_000)
    world.fund(keeper, 10_000)
    world.trade(trader, maker, 0.16)
    world.set_price(ETH, 1737.5)
    margin, witness = world.margin(trader), world.margin(trader, THREE_QUARTERS_DOWN)
    assert margin.equity < witness.maintenance < 50 * WAD < margin.maintenance
    terms = world.model.liquidation_terms(trader)
    discount = discount_of(terms, margin.equity, margin.maintenance)
    best = fraction_to_target(terms, margin.equity, margin.maintenance, discount)
    taken = world.liquidate(trader, keeper, witness=THREE_QUARTERS_DOWN).fraction
    assert taken <= best, f"I4: {taken} of the account, where {best} restores it"
