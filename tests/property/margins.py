"""Margins of a world, each computed once: options have 23 scenarios, and are asked for often."""

from __future__ import annotations

from ballast.codec import AccountId
from ballast.model.margin import Margin
from tests.property.world import MARKETS, World

CAPACITY = 2000


class Margins:
    """What the model says of accounts, kept under all that it depends on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[object, ...], tuple[Margin, object]] = {}

    def of(self, account: AccountId, mode: int) -> Margin:
        """The margin of an account."""
        house = self._world.model.house
        cash, words = house.portfolio(account)
        moment, alive = self._moment()
        key = (cash, tuple(words), mode, *moment)
        if key not in self._known:
            if len(self._known) >= CAPACITY:
                self._known.clear()
            self._known[key] = house.margin(account, mode), alive
        return self._known[key][0]

    def _moment(self) -> tuple[tuple[object, ...], object]:
        """What names a moment, and the objects whose identity is part of the name: they are kept,
        so that no other can take their place."""
        feeds, parameters = self._world.model.feeds, self._world.governed.parameters
        parts = [*(feeds.states[u] for u in MARKETS), *(feeds.boards[u] for u in MARKETS)]
        risks = (*parameters.underlyings.values(), *parameters.assets.values())
        return (feeds.now, feeds.sequencer, *risks, *map(id, parts)), parts
