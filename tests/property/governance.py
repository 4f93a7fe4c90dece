"""Rules: the guardian stops new risk, and parameters of risk go to other values."""

from __future__ import annotations

from dataclasses import replace

from tests.property.dice import Dice
from tests.property.play import Play
from tests.property.world import MARKETS, WBTC, WETH, governed_risk

BPS = 10_000


class Governance(Play):
    """What roles do, and what anybody may finish."""

    def can_stop(self) -> bool:
        return not self.world.model.house.state.stopped

    def stop(self, _dice: Dice) -> None:
        """The guardian stops new risk."""
        self._set_stopped(True)

    def can_resume(self) -> bool:
        return not self.can_stop()

    def resume(self, _dice: Dice) -> None:
        """Governance lets new risk in again."""
        self._set_stopped(False)

    def _set_stopped(self, stopped: bool) -> None:
        world = self.world
        real = world.house.stopNewRisk if stopped else world.house.resumeNewRisk
        world.begin_call()
        with self._measured(()) as found:
            found["ok"] = self._both(
                lambda: real(sender=world.stage.deployer),
                lambda: world.model.house.set_stopped(stopped),
            )

    def set_risk(self, dice: Dice) -> None:
        """A ramp of a market's add-ons or of an asset's haircuts; now and then out of bounds."""
        if dice.chance(50):
            self._set_underlying(dice)
        else:
            self._set_asset(dice)

    def _set_underlying(self, dice: Dice) -> None:
        world, u = self.world, dice.pick(MARKETS)
        configured = world.stage.config.underlyings[u]
        risk = governed_risk(configured.risk)
        initial = risk.perp_initial * dice.integer(9000, 14_000) // BPS
        maintenance = risk.perp_maintenance * dice.integer(9000, 14_000) // BPS
        if dice.chance(5):
            maintenance = initial + 1
        target = replace(risk, perp_initial=initial, perp_maintenance=maintenance)
        clamp = configured.feed.premium_clamp_bps
        world.begin_call()
        self._both(
            lambda: world.engine.setUnderlying(u, target.as_tuple(), sender=world.stage.deployer),
            lambda: world.govern(
                lambda one: one.set_underlying(u, target, now=world.now, premium_clamp=clamp)
            ),
        )

    def _set_asset(self, dice: Dice) -> None:
        world, asset = self.world, dice.pick((WETH, WBTC))
        held = world.governed.assets[asset]
        haircut, extra = dice.integer(50, 400), dice.integer(50, 400)
        if dice.chance(5):
            haircut = BPS
        target = replace(held, haircut=haircut, extra_haircut=extra)
        world.begin_call()
        self._both(
            lambda: world.engine.setAsset(asset, haircut, extra, sender=world.stage.deployer),
            lambda: world.govern(lambda one: one.set_asset(asset, target, now=world.now)),
        )

    def advance_risk(self, dice: Dice) -> None:
        """Anybody lets parameters be what their ramps have reached."""
        world, caller = self.world, self.world.owners["stranger"]
        u, asset = dice.pick(MARKETS), dice.pick((WETH, WBTC))
        world.begin_call()
        if dice.chance(50):
            self._both(
                lambda: world.engine.advanceUnderlying(u, sender=caller),
                lambda: world.govern(lambda one: one.advance_underlying(u, world.now)),
            )
        else:
            self._both(
                lambda: world.engine.advanceAsset(asset, sender=caller),
                lambda: world.govern(lambda one: one.advance_asset(asset, world.now)),
            )
