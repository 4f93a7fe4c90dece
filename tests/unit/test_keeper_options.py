"""What a keeper does for options: slices, fixings, and the cash of who held what is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from ballast.client.chain import Receipt
from ballast.client.errors import ContractError
from ballast.codec import AccountId, Instrument, Settlement, VolatilitySlice
from ballast.keeper import desk as desk_module
from ballast.keeper.boards import (
    Action,
    Boards,
    BoardView,
    Expiry,
    Fix,
    Settle,
    SliceRefresh,
    due_settlements,
    due_slices,
    expired,
    predict,
)
from ballast.keeper.desk import Desk
from ballast.keeper.loop import Step
from ballast.oracle.volatility import Board, VolatilityConfig
from ballast.units import WAD
from ballast.volatility.reports import (
    SignedVolatility,
    VolatilityDomain,
    VolatilityReport,
    sign,
)
from ballast.volatility.surface import model_slice
from tests.support.oracle import ETH
from tests.support.volatility import DAY, KEYS, VolatilityWorld
from tests.unit.test_keeper_loop import BOOK, RECEIPT

NOW = 1_750_000_000
CONFIG = VolatilityConfig()
NEAR, FAR = (NOW // DAY + 2) * DAY + 8 * 3600, (NOW // DAY + 9) * DAY + 8 * 3600
DOMAIN = VolatilityDomain(31337, "0x" + "11" * 20)


def reported(expiry: int, one: VolatilitySlice) -> list[SignedVolatility]:
    return [sign(VolatilityReport(ETH, expiry, one), DOMAIN, key) for key in KEYS[:2]]


def accepted(expiry: int, age: int) -> VolatilitySlice:
    return replace(model_slice(expiry, NOW - age), max_age=CONFIG.max_age)


def view(
    slices: Mapping[int, VolatilitySlice], reports: Mapping[int, VolatilitySlice]
) -> BoardView:
    board = Board(CONFIG, (NEAR, FAR), dict(slices))
    return BoardView(ETH, board, {expiry: reported(expiry, one) for expiry, one in reports.items()})


def due(*views: BoardView) -> list[SliceRefresh]:
    return list(due_slices(Boards(NOW, views), 500))


# ---- Slices -----------------------------------------------------------------------------------


def test_first_slices_are_due_together():
    (refresh,) = due(view({}, {one: model_slice(one, NOW) for one in (NEAR, FAR)}))
    assert (refresh.expiries, refresh.reason) == ([NEAR, FAR], "first slice")
    assert [update[1] for update in refresh.updates] == [NEAR, FAR, NEAR]


@pytest.mark.parametrize(("age", "reason"), [(899, None), (900, "900 s old")])
def test_a_slice_is_due_at_half_of_its_age(age, reason):
    slices = {NEAR: accepted(NEAR, age), FAR: accepted(FAR, 100)}
    found = due(view(slices, {one: model_slice(one, NOW) for one in (NEAR, FAR)}))
    assert [one.reason for one in found] == ([reason] if reason else [])
    assert all(one.expiries == [NEAR, FAR] for one in found)


@pytest.mark.parametrize(("volatility", "is_due"), [(0.61, False), (0.62, True), (0.58, True)])
def test_a_slice_is_due_when_its_variance_moves(volatility, is_due):
    slices = {NEAR: accepted(NEAR, 100)}
    found = due(view(slices, {NEAR: model_slice(NEAR, NOW, volatility)}))
    assert bool(found) is is_due
    assert all(one.reason.startswith("variance moved") for one in found)


def test_what_the_contract_would_refuse_is_not_sent():
    """A jump of the volatility, twice over its limit."""
    slices = {NEAR: accepted(NEAR, 900)}
    assert due(view(slices, {NEAR: model_slice(NEAR, NOW, volatility=1.2)})) == []


def test_a_refused_expiry_does_not_hold_up_the_others():
    reports = {NEAR: model_slice(NEAR, NOW), FAR: replace(model_slice(FAR, NOW), forward=1)}
    (refresh,) = due(view({}, reports))
    assert refresh.expiries == [NEAR]


def test_what_is_predicted_is_what_the_contract_does():
    world = VolatilityWorld()
    expiries = (world.expiry(1), world.expiry(7))
    world.allow(*expiries)
    rows = {
        one: world.signed(one, [model_slice(one, world.now, level) for level in (0.6, 0.61)])
        for one in expiries
    }
    seen = BoardView(ETH, Board(world.config, expiries), rows)
    (refresh,) = due_slices(Boards(world.now, (seen,)), 500)
    world.adapter.refreshVolatility(refresh.updates)
    assert predict(seen, world.now).slices == {one: world.slice(one) for one in expiries}


# ---- Settlement -------------------------------------------------------------------------------


def option(expiry: int, size: int = -WAD) -> int:
    return Instrument.option(ETH, expiry, 2_000 * WAD, is_put=True).key | size % (1 << 128)


def account(number: int) -> AccountId:
    return AccountId.make(f"0x{number:040x}")


def test_only_options_that_are_over_count():
    words = [Instrument.perp(ETH).key, option(NOW), option(NOW + 1)]
    assert expired(words, NOW) == {(ETH, NOW)}


@pytest.mark.parametrize(("age", "is_due"), [(3599, False), (3600, True)])
def test_options_outlive_the_fixing_by_an_hour(age, is_due):
    held = {account(1): {(ETH, NEAR)}, account(2): {(ETH, FAR)}}
    fixed = {(ETH, NEAR): Settlement(2_000 * WAD, NOW - age)}
    assert due_settlements(held, fixed, NOW) == ([account(1)] if is_due else [])


# ---- The desk ---------------------------------------------------------------------------------


@dataclass
class Chain:
    """Eyes and hands of a desk, in memory."""

    views: tuple[BoardView, ...] = ()
    held: dict[AccountId, set[Expiry]] = field(default_factory=dict)
    settlements: dict[Expiry, Settlement] = field(default_factory=dict)
    refused: dict[object, str] = field(default_factory=dict)
    sent: list[Action] = field(default_factory=list)
    read: list[AccountId] = field(default_factory=list)

    def boards(self) -> Boards:
        if "boards" in self.refused:
            raise ContractError(self.refused["boards"])
        return Boards(NOW, self.views)

    def expired(self, accounts: Sequence[AccountId], now: int) -> Mapping[AccountId, set[Expiry]]:
        self.read.extend(accounts)
        return {one: self.held[one] for one in accounts if one in self.held}

    def fixed(self, expiries: Sequence[Expiry]) -> Mapping[Expiry, Settlement]:
        return {one: self.settlements[one] for one in expiries if one in self.settlements}

    def simulate(self, action: Action) -> int:
        keys = action.expiries if isinstance(action, SliceRefresh) else [action]
        for key in keys:
            if key in self.refused:
                raise ContractError(self.refused[key], self.refused[key])
        return 100_000

    def send(self, action: Action) -> Receipt:
        self.sent.append(action)
        if isinstance(action, Settle):
            del self.held[action.account]
        return RECEIPT


def desk(chain: Chain, said: list[str] | None = None, dry_run: bool = False) -> Desk:
    log = [].append if said is None else said.append
    return Desk(chain, chain, BOOK, 500, dry_run=dry_run, log=log)


def run(chain: Chain, accounts: Sequence[AccountId] = (), **options: object) -> Step:
    step, one = Step(), desk(chain, **options)
    one.refresh(step)
    one.settle(accounts, step)
    return step


SURFACE = view({}, {one: model_slice(one, NOW) for one in (NEAR, FAR)})


def test_a_surface_goes_in_one_transaction():
    chain = Chain((SURFACE,))
    assert run(chain).slices == 2
    assert [one.expiries for one in chain.sent] == [[NEAR, FAR]]


def test_an_expiry_that_fails_does_not_fail_the_rest():
    chain, said = Chain((SURFACE,), refused={NEAR: "QuorumSource_Forged"}), []
    step = run(chain, said=said)
    assert (step.slices, step.failed) == (1, 1)
    assert [one.expiries for one in chain.sent] == [[FAR]]
    assert any(f"refresh of {NEAR} fails" in line for line in said)


def test_boards_that_cannot_be_read_stop_nothing():
    step = run(Chain(refused={"boards": "nonsense"}), [account(1)])
    assert (step.failed, step.boards) == (1, Boards())


def over(*expiries: int) -> BoardView:
    return BoardView(ETH, Board(CONFIG, (*expiries, FAR)))


def test_what_is_over_is_fixed():
    chain = Chain((over(NOW - DAY, NOW),))
    assert run(chain).fixed == 2
    assert chain.sent == [Fix(ETH, NOW - DAY), Fix(ETH, NOW)]


@pytest.mark.parametrize(
    ("error", "failed"), [("ExpiryFixing_Waiting", 0), ("ExpiryFixing_NoPrice", 1)]
)
def test_an_open_window_is_waited_for_and_trouble_is_told(error, failed):
    chain, said = Chain((over(NOW - DAY, NOW),), refused={Fix(ETH, NOW): error}), []
    step = run(chain, said=said)
    assert chain.sent == [Fix(ETH, NOW - DAY)]
    assert step.failed == failed
    assert any("fails" in line for line in said) is bool(failed)


def holders(count: int) -> Chain:
    held = {account(number): {(ETH, NEAR)} for number in range(1, count + 1)}
    return Chain(held=held, settlements={(ETH, NEAR): Settlement(WAD, NOW - DAY)})


def test_holders_are_settled_a_few_at_a_time_and_none_is_forgotten():
    chain = holders(25)
    accounts, one, counts = list(chain.held), desk(chain), []
    for _ in range(4):
        step = Step()
        one.refresh(step)
        one.settle(accounts, step)
        counts.append(step.settled)
    assert counts == [10, 10, 5, 0]


def test_accounts_are_read_in_turn(monkeypatch):
    monkeypatch.setattr(desk_module, "TURN", 3)
    chain, everyone = Chain(), [account(number) for number in range(7)]
    one = desk(chain)
    for _ in range(3):
        one.settle(everyone, Step())
    assert chain.read == everyone


def test_one_account_that_fails_does_not_stop_the_others():
    chain = holders(2)
    chain.refused = {Settle(account(1)): "Clearinghouse_Whatever"}
    step = run(chain, list(chain.held))
    assert (step.settled, step.failed) == (1, 1)
    assert chain.sent == [Settle(account(2))]


def test_a_dry_run_sends_nothing():
    chain, said = holders(1), []
    chain.views = (SURFACE, over(NOW))
    step = run(chain, list(chain.held), said=said, dry_run=True)
    assert chain.sent == []
    assert (step.slices, step.fixed, step.settled) == (0, 0, 0)
    assert [line.split()[2] for line in said] == ["refreshed", "fixed", "settled"]
