"""The rules of the stateful campaigns, for whatever drives them.

A rule is a method that makes one call of its kind, most of them sensible, some not; `dice` decides
everything. Each call is made on the contracts and on the model, and all invariants are checked
after it. `Tally` counts what was accepted.
"""

from __future__ import annotations

from ballast.codec import AccountId
from ballast.model.margin import ASSESS_ALL
from ballast.risk.scenarios import COLUMNS
from ballast.volatility.expiries import wanted
from tests.property.delegates import Delegates
from tests.property.dice import Dice
from tests.property.distress import Distress
from tests.property.expiries import Expiries
from tests.property.governance import Governance
from tests.property.option_batches import OptionBatches
from tests.property.outages import Outages
from tests.property.play import FUNDED, PERPS
from tests.property.stage import Stage
from tests.property.surfaces import RULE
from tests.property.tally import GROUPS, WEIGHTS, Tally
from tests.property.world import BTC, CASH, ETH, FEEDS, MARKETS, WBTC, WETH, owner_of

# Account, and how much of what it can hold it goes long or short to begin with.
OPENED = {2: (ETH, 92), 3: (BTC, -95), 4: (BTC, 97), 5: (ETH, -96), 6: (ETH, 90)}


class Campaign(Expiries, OptionBatches, Distress, Delegates, Governance, Outages):
    """One play of the rules over a world."""

    def __init__(self, stage: Stage, tally: Tally | None = None) -> None:
        super().__init__(stage, tally)
        self._open()

    def _open(self) -> None:
        """Everybody deposits; prices are reported by both sources."""
        world = self.world
        for account, cash in zip(world.accounts, FUNDED, strict=True):
            if cash:
                self._deposit(account, CASH, cash * 10**6)
        for account in world.accounts[:3]:
            self._deposit(account, WETH, 40 * 10**18)
            self._deposit(account, WBTC, 2 * 10**8)
        self.world.advance(12)
        self._report(dict.fromkeys(FEEDS, 0), premium=20)
        for number, (u, part) in OPENED.items():
            self._open_position(self.world.accounts[number], u, part)
        for u in MARKETS:
            for expiry in wanted(RULE, self.world.now):
                self._allow(u, expiry)
            self._publish(u)
        self.world.advance(12)
        self.world.check()

    def _open_position(self, account: AccountId, u: int, part: int) -> None:
        """A perpetual of a percentage of what the account can hold, against the first maker."""
        plain, size = Dice(b""), self._room(account, PERPS[u], u, True) * part // 100
        price = self.world.model.feeds.snapshot(u).mark
        mine = self._order(account, PERPS[u], size, price, plain)
        maker = self._order(self.world.accounts[0], PERPS[u], -size, price, plain)
        self._settle(mine, [maker], [abs(size)], plain)

    def _deposit(self, account: AccountId, asset: int, amount: int) -> None:
        caller, house, model = owner_of(account), self.world.house, self.world.model.house
        self.world.begin_call()
        self.world.both(
            lambda: house.deposit(account, asset, amount, sender=caller),
            lambda: model.deposit(caller, account, asset, amount),
        )

    def mark(self) -> None:
        """Remember this moment, on the chain and in the model."""
        self._marked = self.world.stage.snapshot(), self.world.checkpoint()

    def rewind(self) -> None:
        """Go back to it."""
        snapshot, checkpoint = self._marked
        self.world.stage.revert(snapshot)
        self.world.restore(checkpoint)
        self.resting.clear()
        self.proofs.clear()

    # ---- Steps ----

    def step(self, rule: str, dice: Dice) -> None:
        """Make one step of a rule, in the same block or in a later one, and check everything."""
        self._rule = rule
        self.tally.steps += 1
        if dice.chance(60):
            self.world.advance(12 * dice.integer(1, 5))
        self._keep_surfaces(dice)
        getattr(self, rule)(dice)
        self.world.check()
        self.invariants.check_books()
        self._check_some_margins(dice)

    def _check_some_margins(self, dice: Dice) -> None:
        account, other = dice.pick(self.world.accounts), dice.pick(self.world.accounts)
        column = dice.integer(0, COLUMNS - 1)
        self.invariants.check_margins(account, other, column)
        self.world.check_margin(account, ASSESS_ALL)
        self.world.check_margin(account, 1 + column)

    def play(self, group: str, dice: Dice) -> None:
        """Make one step of a group's rules."""
        rules = [rule for rule in GROUPS[group] if self.enabled(rule)]
        self.step(dice.pick([rule for rule in rules for _ in range(WEIGHTS[rule])]), dice)

    def enabled(self, rule: str) -> bool:
        """Whether there is anything for a rule to do."""
        test = getattr(self, f"can_{rule}", None)
        return test is None or test()
