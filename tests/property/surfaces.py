"""Rules: expiries that are allowed, volatility that is published, also late or oddly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ballast import svi
from ballast.codec import VolatilitySlice
from ballast.oracle.fixing import DAY, TIME_OF_DAY
from ballast.oracle.volatility import Refusal
from ballast.units import WAD
from ballast.volatility.expiries import ExpiryRule, wanted
from tests.property.dice import Dice
from tests.property.play import Play
from tests.property.slices import CALM, scaled
from tests.property.world import MARKETS

RULE = ExpiryRule(daily=2, weekly=1, monthly=1)
HIGH, LOW = 2 * WAD, WAD // 10  # variances a year at the money at which a surface turns
VERDICTS = {None: "slice old", Refusal.NONE: "slice accepted"}
Reports = list[tuple[int, int, Sequence[VolatilitySlice]]]


class Surfaces(Play):
    """Expiries and their slices."""

    def _live(self, u: int) -> list[int]:
        """The expiries of an underlying that lie ahead."""
        return [one for one in self.world.model.feeds.boards[u].live if one > self.world.now]

    def can_allow_expiry(self) -> bool:
        return any(len(self._live(u)) < 3 for u in MARKETS)

    def allow_expiry(self, dice: Dice) -> None:
        """The next one that is missing, or a later one; now and then one that cannot be."""
        u = min(MARKETS, key=lambda one: len(self._live(one)))
        now, live = self.world.now, self._live(u)
        missing = [one for one in wanted(RULE, now) if one not in live]
        expiry = dice.pick(missing) if missing else live[0]
        if dice.chance(6):
            expiry = (now // DAY + dice.pick((0, 402, 30))) * DAY + TIME_OF_DAY + dice.pick((0, 1))
        self._allow(u, expiry)

    def _allow(self, u: int, expiry: int) -> None:
        world, options = self.world, self.world.stage.config.underlyings[u].options
        assert options is not None
        tick, feeds = options.strike_tick, world.model.feeds
        world.begin_call()
        self._both(
            lambda: world.oracle.allowExpiry(u, expiry, tick, sender=world.stage.deployer),
            lambda: feeds.allow_expiry(u, expiry, tick),
        )

    def publish(self, dice: Dice) -> None:
        """A surface moves as a whole, mostly by a little; or publishers do something odd."""
        u = dice.pick(MARKETS)
        if not dice.chance(40) or not self._live(u):
            self._publish(u, dice.integer(9000, 11_100), dice.integer(-30, 30))
        elif dice.chance(40):
            self._publish_apart(u, dice)
        else:
            self._publish_oddly(u, dice)

    def _publish(self, u: int, factor: int = 10_000, carry: int = 0) -> None:
        """All slices of an underlying with volatilities `factor` (1e-4) of what they were, and the
        forward `carry` (1e-4) off the spot; ascending and back, so that none stands in the way."""
        self.world.begin_call()
        base = self._base(u)
        variance = svi.variance(base, 0)
        factor = min(factor, 9500) if variance > HIGH else factor
        factor = max(factor, 10_500) if variance < LOW else factor
        moved = scaled(base, factor)
        new = replace(moved, forward=10**8 + carry * 10**4, time=self.world.now, max_age=0)
        reports: Reports = [(u, expiry, _twice(new)) for expiry in self._live(u)]
        self._send(reports + reports[-2::-1])

    def _base(self, u: int) -> VolatilitySlice:
        """The slice that the next one is made of: the first of the underlying that there is."""
        board = self.world.model.feeds.boards[u]
        return next((board.slices[one] for one in board.live if one in board.slices), CALM)

    def _publish_oddly(self, u: int, dice: Dice) -> None:
        """One slice that is late, or far from the last, or crosses its neighbours, or is none."""
        self.world.begin_call()
        board, now = self.world.model.feeds.boards[u], self.world.now
        expiry = dice.pick(self._live(u))
        base = replace(board.slices.get(expiry, self._base(u)), time=now, max_age=0)
        size, up = dice.integer(0, 1800), dice.chance(50)
        odd = dice.pick(
            (
                _twice(scaled(base, 11_600 + size if up else 8600 - size)),
                _twice(replace(base, forward=base.forward * (103 if up else 97) // 100)),
                _twice(replace(base, time=now - 2 * size)),
                _twice(replace(base, b=8 * base.b, a=0, s=2000, rho=0)),
                _twice(replace(base, a=-base.b)),
                [base, scaled(base, 13_000)],
                [],
            )
        )
        self._send([(u, expiry, odd)])

    def _publish_apart(self, u: int, dice: Dice) -> None:
        """One slice moves by steps that are allowed, until it would cross its neighbour."""
        self._publish(u)
        expiry, up = dice.pick(self._live(u)), dice.chance(50)
        for _ in range(dice.integer(1, 4)):
            self.world.advance(15)
            self.world.begin_call()
            board = self.world.model.feeds.boards[u]
            last = replace(board.slices.get(expiry, self._base(u)), max_age=0)
            moved = scaled(last, 12_200 if up else 8000)
            self._send([(u, expiry, _twice(replace(moved, time=self.world.now)))])

    def _send(self, reports: Reports) -> None:
        """Anybody hands in signed reports; what is not accepted changes nothing."""
        world, verdicts = self.world, list[Refusal | None]()
        real, seen = world.volatility(reports)
        refusal = world.both(
            lambda: world.oracle.refreshVolatility(real),
            lambda: verdicts.extend(world.model.refresh_volatility(seen)),
        )
        self._count(refusal)
        for verdict in verdicts:
            self.tally.seen[VERDICTS.get(verdict, "slice refused")] += 1
            if verdict:
                self.tally.refusals[f"slice: {verdict.name}"] += 1

    def _freshen_surface(self, u: int, dice: Dice) -> None:
        """Mostly see to it that every slice of an underlying is fresh."""
        board, now = self.world.model.feeds.boards[u], self.world.now
        known = [board.slices.get(expiry) for expiry in self._live(u)]
        if not all(one and one.is_fresh(now) for one in known) and dice.chance(90):
            rule, self._rule = self._rule, ""
            self._publish(u)
            self._rule = rule

    def _keep_surfaces(self, dice: Dice) -> None:
        """Publishers do their work, mostly, where options are open."""
        markets = self.world.model.house.state.option_markets
        for u in MARKETS:
            if markets[u].open_interest and dice.chance(50):
                self._freshen_surface(u, dice)


def _twice(one: VolatilitySlice) -> list[VolatilitySlice]:
    """What two publishers see, the second a little more of it."""
    return [one, replace(one, b=one.b * 101 // 100)]
