"""All that the clearing contracts store, and the tokens behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ballast.codec import AccountId
from ballast.model.accounts import Stored
from ballast.model.interest import InterestState, Totals
from ballast.model.market import Market, OptionMarket, SeriesInterest
from ballast.model.refusal import Refused

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asset:
    """A registered token; total and cap in its smallest units."""

    token: str
    decimals: int
    underlying: int
    total: int = 0
    cap: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """What an order lane holds: its sequence and the size filled of it, WAD."""

    sequence: int = 0
    filled: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """How long an account is proven to be under its maintenance margin, in seconds."""

    last_proof: int
    proven: int = 0


@dataclass(slots=True)
class State:
    """Every value is immutable, so a copy of the containers is a copy of the state."""

    interest: InterestState
    totals: Totals = field(default_factory=Totals)
    reserve: int = 0
    accounts: dict[AccountId, Stored] = field(default_factory=dict)
    assets: list[Asset] = field(default_factory=list)
    markets: dict[int, Market] = field(default_factory=dict)
    option_markets: dict[int, OptionMarket] = field(default_factory=dict)
    series: dict[int, SeriesInterest] = field(default_factory=dict)
    lanes: dict[tuple[AccountId, int], Lane] = field(default_factory=dict)
    floors: dict[AccountId, int] = field(default_factory=dict)
    fees: dict[int, tuple[int, int]] = field(default_factory=dict)
    flags: dict[AccountId, Flag] = field(default_factory=dict)
    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    mandates: dict[tuple[AccountId, str], tuple[int, int]] = field(default_factory=dict)
    """Permissions and expiry by account and delegate."""
    stopped: bool = False
    """Whether the guardian stopped new risk."""

    def saved(self) -> dict[str, Any]:
        """What `restore` needs to come back here."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v.copy() if isinstance(v, dict | list) else v for k, v in values.items()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Come back to a saved state."""
        for name, value in saved.items():
            setattr(self, name, value)

    def account(self, account: AccountId) -> Stored:
        """An account as stored; every account exists."""
        return self.accounts.get(account, Stored())

    def balance(self, token: str, holder: str) -> int:
        """Tokens of a holder, smallest units."""
        return self.balances.get((token, holder.lower()), 0)

    def mint(self, token: str, holder: str, amount: int) -> None:
        """Give a holder new tokens, smallest units."""
        self.balances[token, holder.lower()] = self.balance(token, holder) + amount

    def move_tokens(self, token: str, source: str, target: str, amount: int) -> None:
        """A plain ERC-20 transfer; allowances are taken for granted."""
        have = self.balance(token, source)
        if have < amount:
            raise Refused("ERC20InsufficientBalance", source.lower(), have, amount)
        self.balances[token, source.lower()] = have - amount
        self.mint(token, target, amount)


class HasState(Protocol):
    """Whatever changes a state."""

    @property
    def state(self) -> State: ...


S = TypeVar("S", bound=HasState)


def atomic(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a refused call change nothing."""

    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        saved = self.state.saved()
        try:
            return method(self, *args, **kwargs)
        except Refused:
            self.state.restore(saved)
            raise

    functools.update_wrapper(call, method)
    return call
