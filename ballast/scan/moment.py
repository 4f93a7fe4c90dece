"""What an account's margin rests on besides the account itself, and the exact margin at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ballast.model.accounts import Stored
from ballast.model.interest import CashFlow
from ballast.model.margin import Margin
from ballast.model.refusal import Refused
from ballast.model.state import State
from ballast.model.words import KIND_PERP, ident, kind, perp_quote, perp_size, perp_word
from ballast.risk import joint_scenario as mirror
from ballast.risk.options import OptionPrices
from ballast.risk.parameters import Parameters
from ballast.units import mul_ceil


@dataclass(frozen=True, slots=True)
class Moment:
    """Accepted prices and everything that runs with time, at `now` (unix seconds).

    `funding` is the cumulative funding of each listed market at `now`, WAD; the indices are those
    of cash at `now` (`InterestState.indices_at`).
    """

    now: int
    snapshots: mirror.Snapshots
    parameters: Parameters
    funding: Mapping[int, int]
    supply_index: int
    debt_index: int
    options: OptionPrices = mirror.NO_OPTIONS

    @classmethod
    def of(
        cls,
        state: State,
        snapshots: mirror.Snapshots,
        parameters: Parameters,
        now: int,
        options: OptionPrices = mirror.NO_OPTIONS,
    ) -> Moment:
        """The moment `now` of a state of the Clearinghouse."""
        funding = {name: market.state.funding_at(now) for name, market in state.markets.items()}
        supply_index, debt_index = state.interest.indices_at(now)
        return cls(now, snapshots, parameters, funding, supply_index, debt_index, options)

    def margin(self, stored: Stored) -> Margin:
        """The exact margin of an account; Refused where the engine would refuse."""
        cash = CashFlow(self.supply_index, self.debt_index).to_cash(stored.scaled)
        words = [self._folded(word) for word in stored.words]
        given = (cash, words, self.snapshots, self.parameters, self.now)
        return mirror.assess(*given, options=self.options).margin

    def _folded(self, word: int) -> int:
        if kind(word) != KIND_PERP:
            return word
        underlying, size = ident(word), perp_size(word)
        if underlying not in self.funding:
            raise Refused("Clearinghouse_UnknownMarket", underlying)
        quote = perp_quote(word) - mul_ceil(size, self.funding[underlying])
        return perp_word(underlying, size, quote)
