"""Rules: expiries that come, with prices or without; their settlement, and the cash of it."""

from __future__ import annotations

from ballast.codec import AccountId
from ballast.model import words as word_of
from ballast.oracle.fixing import DAY, SETTLED, SETTLED_LATE, WINDOW
from tests.property.dice import Dice
from tests.property.option_keepers import OptionKeepers
from tests.property.world import MARKETS, USD, require

DELAY = 3600
AHEAD = 2 * DAY
HOLE = 310  # more than the longest gap that a window may have
HOW_FIXED = {SETTLED: "fixed by the window", SETTLED_LATE: "fixed by the late window"}


class Expiries(OptionKeepers):
    """From the last hour of an expiry to the last cash of it."""

    def _next_expiry(self) -> int:
        """The one that comes next, zero if none is near."""
        near = [e for u in MARKETS for e in self._live(u) if e <= self.world.now + AHEAD]
        return min(near, default=0)

    def can_pass_expiry(self) -> bool:
        return self._next_expiry() != 0

    def pass_expiry(self, dice: Dice) -> None:
        """Time goes on to the next expiry, into its window or past it, with enough prices on the
        way, with too few, with a hole between them, or without any."""
        world, expiry = self.world, self._next_expiry()
        opening = expiry - WINDOW - dice.integer(-60, 300)
        if world.now < opening:
            world.advance(opening - world.now)
        step, most = dice.pick((110, 110, 130, 150, 240, 0)), dice.integer(2, 90)
        hole = dice.integer(1, 10) if dice.chance(20) else 0
        move = dice.integer(-40, 40)
        count = 0
        while step and count < most and world.now + step < expiry:
            count += 1
            world.advance(step + HOLE if count == hole else step)
            self._report_all(move)
            move = -move
        if count < most:
            self._pass(expiry, move, dice)

    def _pass(self, expiry: int, move: int, dice: Dice) -> None:
        """Past an expiry, and two prices or less after it."""
        self.world.advance(max(expiry - self.world.now, 0) + dice.integer(0, 100))
        for again in range(dice.integer(0, 2)):
            if again:
                self.world.advance(dice.integer(1, 90))
            self._report_all(move)

    def _report_all(self, move: int) -> None:
        """Prices of everything, cash included: without it no other is accepted."""
        self._report({USD: 0, **dict.fromkeys(MARKETS, move)}, premium=move)

    # ---- Fixing -------------------------------------------------------------------------------

    def _due(self) -> list[tuple[int, int]]:
        """Expiries that are over and not fixed."""
        boards, now = self.world.model.feeds.boards, self.world.now
        return [(u, expiry) for u in MARKETS for expiry in boards[u].live if expiry <= now]

    def can_fix_expiry(self) -> bool:
        return bool(self._due())

    def fix_expiry(self, dice: Dice) -> None:
        """Anybody settles an expiry that is over; now and then one that is fixed or still to come.
        Whoever holds options of it has their payoff at once."""
        world, feeds = self.world, self.world.model.feeds
        due = self._due()
        u, expiry = dice.pick([*feeds.windows] if dice.chance(5) else due)
        if not feeds.windows[u, expiry].settlement() and dice.chance(75):
            world.advance(dice.integer(1, 90))
            self._report_all(0)
        sender = dice.pick([*world.owners.values()])
        world.begin_call()
        before = self.invariants.worth()
        refusal = world.both(
            lambda: world.oracle.fixExpiry(u, expiry, sender=sender),
            lambda: feeds.fix_expiry(u, expiry),
        )
        if self._count(refusal):
            phase = feeds.windows[u, expiry].phase
            self.tally.seen[HOW_FIXED.get(phase, "fixed as it was")] += 1
            self.invariants.check_fixed(u, expiry, before)
        waits = (u, expiry) in due and world.now >= expiry + DAY
        require(refusal is None or not waits, "I12: an expiry is not fixed after a day", refusal)

    # ---- Conversion ---------------------------------------------------------------------------

    def _cash_from(self, series: int) -> int | None:
        """The time from which a series becomes cash; None while it is not fixed."""
        expiry = word_of.ident(series), word_of.expiry_of(series)
        settled = self.world.model.feeds.settlements.get(expiry)
        return settled.time + DELAY if settled else None

    def _fixed_holdings(self) -> list[tuple[AccountId, int]]:
        """Who holds options that are fixed, and the time from which those become cash."""
        held = [(account, self._cash_from(series)) for account, series, _ in self._holdings()]
        return [(account, due) for account, due in held if due is not None]

    def can_settle_options(self) -> bool:
        return bool(self._fixed_holdings())

    def settle_options(self, dice: Dice) -> None:
        """Anybody turns fixed options into cash, mostly as soon as it can be; then once more."""
        world = self.world
        account, due = dice.pick(self._fixed_holdings())
        if world.now < due and dice.chance(80):
            world.advance(due - world.now - dice.chance(10))
        sender = dice.pick([*world.owners.values()])
        before = [*self.invariants.options.held(account)]
        self._settle_account(account, sender)
        left = [*self.invariants.options.held(account)]
        self.tally.seen["options became cash"] += left != before
        for series, _ in left:
            since = self._cash_from(series)
            is_due = since is not None and world.now >= since
            require(not is_due, "I12: what is due stays", f"{series:x}")
        self._settle_account(account, sender)
        again = [*self.invariants.options.held(account)]
        require(world.now < due or again == left, "I12: settling twice takes more", left, again)
