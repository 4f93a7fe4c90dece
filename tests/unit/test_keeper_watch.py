"""The keeper's book: it follows the chain through reorganisations and misses nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.bench.scan import DECIMALS, PARAMETERS, crowd, moment_after
from ballast.codec import AccountId
from ballast.keeper import watch
from ballast.keeper.watch import Watch, stored_of
from ballast.model.accounts import Stored
from ballast.model.refusal import Refused
from ballast.risk.parameters import AssetRisk, Parameters
from ballast.scan import Moment

SETTINGS = settings(max_examples=40, deadline=None)


@dataclass
class Chain:
    """A chain in memory, and what was asked of it."""

    accounts: dict[AccountId, Stored]
    now: Moment = field(default_factory=lambda: moment_after(0))
    read: list[AccountId] = field(default_factory=list)

    def head(self) -> int:
        return 7

    def moment(self, block: int) -> Moment:
        assert block == 7
        return self.now

    def stored(self, accounts: Sequence[AccountId], block: int) -> Mapping[AccountId, Stored]:
        assert block == 7
        self.read.extend(accounts)
        return {account: self.accounts[account] for account in accounts}

    @property
    def ids(self) -> list[AccountId]:
        return sorted(self.accounts)

    def liquidatable(self) -> set[AccountId]:
        """By the exact mirror."""
        found = set()
        for account, stored in self.accounts.items():
            try:
                margin = self.now.margin(stored)
            except Refused:
                continue
            if margin.equity < margin.maintenance:
                found.add(account)
        return found


@SETTINGS
@given(seed=st.integers(0, 10**6), ticks=st.lists(st.integers(-3000, 3000), max_size=4))
def test_nobody_whom_the_mirror_calls_liquidatable_is_missed(seed: int, ticks: list[int]):
    """Prices move, accounts change, and events name those that did."""
    dice = Random(seed)
    chain = Chain(crowd(60, seed))
    book = Watch(chain)
    touched: set[AccountId] = set()
    for tick in [0, *ticks]:
        chain.now = moment_after(tick)
        assert chain.liquidatable() <= set(book.whom(chain.ids, touched))
        touched = set(dice.sample(chain.ids, 10))
        chain.accounts.update(zip(touched, crowd(10, dice.randrange(10**6)).values(), strict=True))


def test_few_are_looked_at():
    chain = Chain(crowd(500))
    found = Watch(chain).whom(chain.ids, ())
    assert len(found) <= len(chain.liquidatable()) + 2


def test_only_what_changed_is_read_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch, "TURN", 0)
    chain = Chain(crowd(50))
    book = Watch(chain, always=chain.ids[:1])
    book.whom(chain.ids, ())
    assert chain.read == chain.ids
    chain.read.clear()
    book.whom(chain.ids, chain.ids[10:12])
    assert chain.read == [chain.ids[0], *chain.ids[10:12]]


def test_a_change_without_an_event_is_seen_in_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch, "TURN", 10)
    chain = Chain(crowd(50))
    book = Watch(chain)
    book.whom(chain.ids, ())
    poor = chain.ids[45]
    chain.accounts[poor] = replace(chain.accounts[poor], scaled=-(10**30))
    found = [poor in book.whom(chain.ids, ()) for _ in range(5)]
    assert found == [False, False, False, True, True]


def test_accounts_under_another_engine_are_always_looked_at():
    chain = Chain(crowd(50))
    rich = next(one for one in chain.ids if one not in chain.liquidatable())
    book = Watch(chain)
    assert rich not in book.whom(chain.ids, ())
    chain.accounts[rich] = replace(chain.accounts[rich], engine=1)
    assert rich in book.whom(chain.ids, [rich])


def test_new_assets_make_a_new_book():
    chain = Chain(crowd(20))
    book = Watch(chain)
    book.whom(chain.ids, ())
    chain.read.clear()
    assets = {**PARAMETERS.assets, 9: AssetRisk(1, 8, 200, 200)}
    chain.now = replace(chain.now, parameters=Parameters(PARAMETERS.underlyings, assets))
    book.whom(chain.ids, ())
    assert chain.read == chain.ids
    assert 9 not in DECIMALS


@given(
    scaled=st.integers(-(1 << 127), (1 << 127) - 1),
    engine=st.integers(0, 255),
    checked_at=st.integers(0, (1 << 32) - 1),
    words=st.lists(st.integers(0, (1 << 256) - 1), max_size=3),
)
def test_a_header_is_read_as_it_is_stored(
    scaled: int, engine: int, checked_at: int, words: list[int]
):
    stored = Stored(scaled, engine, checked_at, tuple(words))
    assert stored_of(stored.header, words) == stored
