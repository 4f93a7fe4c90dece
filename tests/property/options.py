"""Rules: options opened, turned, closed, and left while prices are old."""

from __future__ import annotations

from dataclasses import replace

from ballast.codec import AccountId, Instrument
from ballast.model import words as word_of
from ballast.units import WAD
from tests.property.dice import Dice
from tests.property.surfaces import Surfaces
from tests.property.trades import Trades
from tests.property.world import MARKETS

Holding = tuple[AccountId, int, int]
"""Account, series, size."""
PLAIN = b""  # dice that bring no prices along


class Options(Trades, Surfaces):
    """Trades in options."""

    def can_open_option(self) -> bool:
        return any(self._live(u) for u in MARKETS)

    def open_option(self, dice: Dice) -> None:
        """A taker against makers in a series, around what their margins allow."""
        series = self._some_series(dice)
        u = word_of.ident(series)
        self._freshen(dice)
        self._freshen_surface(u, dice)
        before = self._signs(series)
        self._trade(series, u, dice)
        after = self._signs(series)
        self.tally.seen["option traded"] += before != after
        self.tally.seen["option turned"] += any(before.get(a) == -after[a] for a in after)

    def _signs(self, series: int) -> dict[AccountId, int]:
        """Who is long and who is short in a series."""
        held = [one for one in self._holdings() if one[1] == series]
        return {account: 1 if size > 0 else -1 for account, _, size in held}

    def _some_series(self, dice: Dice) -> int:
        """One that somebody holds or another; now and then one that is off the grid, or too far."""
        open_ = [one for one in self._open_series() if word_of.expiry_of(one) > self.world.now]
        if open_ and dice.chance(55):
            return dice.pick(open_)
        feeds = self.world.model.feeds
        u = dice.pick([u for u in MARKETS if self._live(u)])
        expiry = dice.pick(self._live(u))
        tick = feeds.windows[u, expiry].strike_tick * word_of.STRIKE_UNIT
        strike = feeds.snapshot(u).price * dice.integer(75, 125) // 100 // tick * tick
        if dice.chance(4):
            strike += tick // 2
        if dice.chance(2):
            strike *= 70
        return Instrument.option(u, expiry, strike, dice.chance(50)).key

    def _open_series(self) -> list[int]:
        return [key for key, one in self.world.model.house.state.series.items() if one.long]

    def _holdings(self) -> list[Holding]:
        """Every option of every account."""
        return [
            (account, *one)
            for account in self.world.accounts
            for one in self.invariants.options.held(account)
        ]

    def can_reduce_option(self) -> bool:
        return bool(self._open_series())

    def reduce_option(self, dice: Dice) -> None:
        """A reduce-only taker, some of them in need and giving much away; now and then for more
        than there is, to the wrong side, or after expiry."""
        holdings = self._holdings()
        alive = [one for one in holdings if word_of.expiry_of(one[1]) > self.world.now]
        holdings = alive if alive and not dice.chance(3) else holdings
        weak = self._unhealthy() if dice.chance(40) else []
        account, series, size = dice.pick([h for h in holdings if h[0] in weak] or holdings)
        wanted = -dice.part(size, 5, 100) if dice.chance(50) else -size
        if dice.chance(8):
            wanted = dice.part(size, -130, 20)
        others = [one for one in self._rich() if one != account]
        maker = dice.pick(self._opposites(account, series, size) or others or self.world.accounts)
        if not wanted or maker == account:
            return
        if dice.chance(60):
            self._freshen(dice)
            self._freshen_surface(word_of.ident(series), dice)
        price = self._price(series, word_of.ident(series), dice)
        if dice.chance(15):
            spot = self.world.model.feeds.snapshot(word_of.ident(series)).price
            price += spot * dice.integer(50, 400) // 10_000 * (1 if wanted > 0 else -1)
        mine = self._order(account, series, wanted, max(price, 0), dice)
        theirs = self._order(maker, series, -wanted, max(price, 0), dice)
        theirs = replace(theirs, reduce_only=dice.chance(15))
        self._settle(replace(mine, reduce_only=True), [theirs], [abs(wanted)], dice)

    def _opposites(self, account: AccountId, series: int, size: int) -> list[AccountId]:
        """Who holds the other side of a position."""
        return [
            other
            for other, key, held in self._holdings()
            if key == series and (held > 0) != (size > 0) and other != account
        ]

    def can_leave_option(self) -> bool:
        return any(word_of.expiry_of(one) > self.world.now for one in self._open_series())

    def leave_option(self, dice: Dice) -> None:
        """Both sides close what they hold at the fair price, as old as prices are: after hours in
        which nobody reported anything, too."""
        alive = [one for one in self._holdings() if word_of.expiry_of(one[1]) > self.world.now]
        account, series, size = dice.pick(alive)
        silence = dice.integer(3601, 8000)
        if dice.chance(35) and self.world.now + silence < word_of.expiry_of(series):
            self.world.advance(silence)
        others = self._opposites(account, series, size)
        if not others:
            return
        other = dice.pick(others)
        (held,) = [one[2] for one in self._holdings() if one[:2] == (other, series)]
        wanted = -min(abs(size), abs(held)) * (1 if size > 0 else -1)
        if dice.chance(40):
            wanted = wanted // 2 or wanted
        u, plain = word_of.ident(series), Dice(PLAIN)
        snapshot = self.world.model.feeds.snapshot(u)
        is_old = not snapshot.is_fresh(self.world.now)
        price = self._price(series, u, dice)
        mine = replace(self._order(account, series, wanted, price, plain), reduce_only=True)
        theirs = replace(self._order(other, series, -wanted, price, plain), reduce_only=True)
        done = self._settle(mine, [theirs], [abs(wanted)], plain)
        self.tally.seen["option left on prices that are not fresh"] += done and is_old

    # ---- Limits -------------------------------------------------------------------------------

    def set_option_cap(self, dice: Dice) -> None:
        """Around what is open; mostly back to what it was."""
        world, u = self.world, dice.pick(MARKETS)
        options = world.stage.config.underlyings[u].options
        assert options is not None
        cap, open_ = options.cap, world.model.house.option_market(u).open_interest
        if dice.chance(40):
            cap = open_ + dice.part(open_ + WAD, 0, 30)
        world.begin_call()
        self._both(
            lambda: world.house.setOptionCap(u, cap, sender=world.stage.deployer),
            lambda: world.model.house.set_option_cap(u, cap),
        )
