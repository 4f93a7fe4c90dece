from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ballast.client.book import AddressBook, UnderlyingEntry
from ballast.client.chain import Receipt
from ballast.client.errors import ChainError, ContractError, TransactionReverted
from ballast.codec import AccountId
from ballast.keeper.decide import AccountView, FeedView, Policy, Refresh, World
from ballast.keeper.loop import WITNESSES, Keeper, KeeperError, Step
from ballast.keeper.ramps import Advance
from ballast.model.margin import LiquidationTerms
from ballast.oracle.mirror import FeedConfig, FeedState, Observation
from ballast.units import WAD

NOW = 1_773_000_000
TERMS = LiquidationTerms(115 * WAD // 100, WAD // 200, WAD // 10, WAD // 2)
RECEIPT = Receipt("0xabc", 7, 100_000, None)
BOOK = AddressBook(
    chain_id=31337,
    network="test",
    deployer="0x" + "00" * 20,
    block=1,
    fee_account="0x" + "00" * 32,
    insurance_account="0x" + "01" * 32,
    underlyings={name: UnderlyingEntry(n, []) for n, name in enumerate(("USDC", "ETH", "BTC"))},
)
OWN = AccountView(AccountId.make("0x" + "ee" * 20), 10_000 * WAD, 0, 0)


def account(owner: int, equity: int = 900, maintenance: int = 1000) -> AccountView:
    return AccountView(
        AccountId.make("0x" + f"{owner:02x}" * 20),
        equity * WAD,
        maintenance * WAD * 5 // 4,
        maintenance * WAD,
        terms=TERMS,
    )


def offered(underlying: int) -> FeedView:
    return FeedView(underlying, FeedState(FeedConfig()), (Observation(WAD, 0, NOW),), (b"data",))


@dataclass
class Chain:
    """Eyes, hands and scanner of a keeper, in memory. A liquidated account becomes healthy."""

    accounts: list[AccountView] = field(default_factory=list)
    feeds: list[FeedView] = field(default_factory=list)
    own: AccountView = OWN
    gas_price: int = 10**9
    gas: dict[int, int] = field(default_factory=dict)
    witness_margins: dict[int, int] = field(default_factory=dict)
    refused: dict[Any, str] = field(default_factory=dict)
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    touched: tuple[AccountId, ...] = ()
    now: int = NOW
    advances: list[Advance] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def recover(self) -> Receipt | None:
        return None

    def scan(self) -> Sequence[AccountId]:
        return [view.id for view in self.accounts]

    def look(self, accounts: Sequence[AccountId] = ()) -> World:
        seen = tuple(view for view in self.accounts if view.id in accounts)
        feeds = tuple(self.feeds)
        return World(self.now, 5, self.own, feeds, seen, self.gas_price, 3000 * WAD)

    def maintenance_in(self, account: AccountId, witnesses: Sequence[int]) -> dict[int, int]:
        return self.witness_margins

    def simulate_refresh(self, refreshes: Sequence[Refresh]) -> int:
        for refresh in refreshes:
            self._refuse(refresh.underlying)
        return 100_000

    def refresh(self, refreshes: Sequence[Refresh]) -> Receipt:
        self.sent.append(("refresh", *(refresh.underlying for refresh in refreshes)))
        done = [refresh.underlying for refresh in refreshes]
        self.feeds = [feed for feed in self.feeds if feed.underlying not in done]
        return RECEIPT

    def simulate_liquidation(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> int:
        self._refuse(account)
        self._refuse((account, fraction))
        self._refuse((account, witness))
        return self.gas.get(witness, 300_000)

    def liquidate(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> tuple[Receipt, dict[str, Any]]:
        self.sent.append(("liquidate", account, fraction, min_value, witness))
        self.accounts = [
            replace(view, equity=2 * view.maintenance) if view.id == account else view
            for view in self.accounts
        ]
        return RECEIPT, {"fraction": WAD // 2, "reward": 20 * WAD, "insurance": 5 * WAD}

    def simulate_flag(self, account: AccountId) -> int:
        self._refuse(("flag", account))
        return 90_000

    def flag(self, account: AccountId) -> Receipt:
        self.sent.append(("flag", account))
        return RECEIPT

    def behind(self, now: int) -> Sequence[Advance]:
        self.asked.append(now)
        return self.advances

    def simulate_advance(self, advance: Advance) -> int:
        self._refuse(advance)
        return 40_000

    def advance(self, advance: Advance) -> Receipt:
        self.sent.append((advance.function, advance.id))
        return RECEIPT

    def _refuse(self, what: Any) -> None:
        if what in self.refused:
            raise ContractError(self.refused[what])


def keeper(chain: Chain, said: list[str] | None = None, **options: Any) -> Keeper:
    policy = options.pop("policy", Policy())
    log = [].append if said is None else said.append
    return Keeper(chain, chain, chain, policy, BOOK, log=log, **options)


# ---- Collateral -------------------------------------------------------------------------------


def test_a_keeper_without_collateral_refuses_to_work():
    poor = Chain(own=replace(OWN, equity=49 * WAD))
    with pytest.raises(KeeperError, match=r"worth 49\.00 and needs at least 50\.00"):
        keeper(poor).require_collateral()


def test_a_keeper_whose_account_cannot_be_valued_refuses_to_work():
    with pytest.raises(KeeperError, match="cannot be valued"):
        keeper(Chain(own=replace(OWN, known=False))).require_collateral()


def test_a_keeper_with_collateral_works():
    assert keeper(Chain()).require_collateral() == OWN


# ---- Prices -----------------------------------------------------------------------------------


def test_due_feeds_are_refreshed_in_one_transaction():
    chain = Chain(feeds=[offered(2), offered(0), offered(1)])
    assert keeper(chain).step().refreshed == 3
    assert chain.sent == [("refresh", 0, 1, 2)]


def test_one_bad_feed_does_not_stop_the_others():
    chain = Chain(feeds=[offered(0), offered(1), offered(2)], refused={1: "forged"})
    said: list[str] = []
    done = keeper(chain, said).step()
    assert (done.refreshed, done.failed) == (2, 1)
    assert chain.sent == [("refresh", 0), ("refresh", 2)]
    assert "refresh of ETH fails: forged" in said


def test_prices_come_before_liquidations():
    chain = Chain(feeds=[offered(0)], accounts=[account(1)])
    keeper(chain).step()
    assert [sent[0] for sent in chain.sent] == ["refresh", "liquidate"]


# ---- Liquidations -----------------------------------------------------------------------------


def test_an_account_is_liquidated_for_no_less_than_its_gas():
    chain = Chain([account(1)])
    done = keeper(chain, policy=Policy(min_profit=WAD)).step()
    cost = 300_000 * 10**9 * 3000
    assert chain.sent == [("liquidate", account(1).id, WAD, cost + WAD, 0)]
    assert (done.accounts, done.liquidated, done.reward) == (1, 1, 20 * WAD)


def test_two_accounts_are_liquidated_in_one_step():
    chain = Chain([account(1), account(2, 5000, 1000), account(3, 8_000, 9_000)])
    assert keeper(chain).step().liquidated == 2
    assert [sent[1] for sent in chain.sent] == [account(3).id, account(1).id]


def test_a_bad_account_does_not_stop_the_others():
    bad, good = account(1, 9_000, 9_900), account(2)
    chain = Chain([bad, good], refused={bad.id: "Clearinghouse_CheckedInThisBlock"})
    said: list[str] = []
    done = keeper(chain, said).step()
    assert (done.liquidated, done.failed) == (1, 1)
    assert f"skipped {bad.id}: cannot be liquidated: Clearinghouse_CheckedInThisBlock" in said


def test_what_a_simulation_shows_not_to_pay_is_not_sent():
    chain = Chain([account(1)], gas={0: 30_000_000})
    said: list[str] = []
    assert keeper(chain, said).step().liquidated == 0
    assert chain.sent == []
    assert "does not pay" in said[-1]


def test_a_reason_to_skip_is_said_once():
    chain = Chain([account(1)], gas={0: 30_000_000})
    said: list[str] = []
    patient = keeper(chain, said)
    patient.step()
    patient.step()
    assert len(said) == 1


def test_a_reason_is_said_again_after_the_account_was_healthy():
    chain = Chain([account(1)], gas={0: 30_000_000})
    said: list[str] = []
    patient = keeper(chain, said)
    for equity in (900, 5000, 900):
        chain.accounts = [account(1, equity)]
        patient.step()
    assert len(said) == 2


def test_a_witness_on_equal_terms_is_named_if_it_saves_gas():
    chain = Chain(
        [account(1)],
        witness_margins={1: 1000 * WAD, 17: 200 * WAD},
        gas={0: 300_000, 1: 290_000, 17: 1},
    )
    keeper(chain).step()
    assert chain.sent[0][4] == 1


@pytest.mark.parametrize(
    ("margins", "gas"), [({1: 1000 * WAD}, 310_000), ({1: 999 * WAD}, 1), ({}, 1)]
)
def test_no_witness_is_named_otherwise(margins: dict[int, int], gas: int):
    chain = Chain([account(1)], witness_margins=margins, gas={1: gas})
    keeper(chain).step()
    assert chain.sent[0][4] == 0


def test_a_witness_that_is_refused_is_no_obstacle():
    chain = Chain([account(1)], witness_margins=dict.fromkeys(WITNESSES, 1000 * WAD))
    chain.refused = {(account(1).id, witness): "unknown" for witness in WITNESSES}
    assert keeper(chain).step().liquidated == 1


def test_a_keeper_with_little_room_takes_what_it_can_bear():
    chain = Chain([account(1, 9_000, 10_000)], own=replace(OWN, equity=1000 * WAD))
    chain.refused = {(account(1).id, WAD): "Clearinghouse_InsufficientMargin"}
    assert keeper(chain).step().liquidated == 1
    assert 0 < chain.sent[0][2] < WAD // 5


def test_a_keeper_with_little_room_tries_the_whole_first():
    chain = Chain([account(1, 9_000, 10_000)], own=replace(OWN, equity=1000 * WAD))
    assert keeper(chain).step().liquidated == 1
    assert chain.sent[0][2] == WAD


def test_a_dry_run_sends_nothing_and_says_what_it_would_do():
    chain = Chain([account(1)], feeds=[offered(0), offered(2)])
    said: list[str] = []
    done = keeper(chain, said, dry_run=True).step()
    assert chain.sent == []
    assert (done.refreshed, done.liquidated) == (0, 0)
    assert said[0].startswith("would refresh USDC (first price), BTC (first price)")
    assert said[1].startswith(f"would liquidate {account(1).id}")


# ---- Other keepers, earlier runs, observers ---------------------------------------------------


def reverted(name: str = "") -> TransactionReverted:
    return TransactionReverted(ContractError("refused", name), "0xdead", 50_000, 7)


class Contested(Chain):
    """Another keeper is first: before the simulation, or in the block of the transaction."""

    in_block = False

    def simulate_liquidation(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> int:
        if not self.in_block:
            raise ContractError("healthy", "Liquidator_Healthy")
        return super().simulate_liquidation(account, fraction, min_value, witness)

    def liquidate(
        self, account: AccountId, fraction: int, min_value: int, witness: int
    ) -> tuple[Receipt, dict[str, Any]]:
        super().liquidate(account, fraction, min_value, witness)
        raise reverted()


def test_another_keeper_that_is_first_is_named_and_costs_nothing():
    chain, said = Contested([account(1)]), []
    done = keeper(chain, said).step()
    assert (done.lost, done.failed, done.gas_money) == (1, 0, 0)
    assert said == [f"another keeper was first at {account(1).id}"]


def test_another_keeper_in_the_same_block_costs_the_gas_of_one_transaction():
    chain, said = Contested([account(1)]), []
    chain.in_block = True
    done = keeper(chain, said).step()
    assert (done.lost, done.failed, done.gas_money) == (1, 0, 7)
    assert said == [f"another keeper was first at {account(1).id}: gas 50,000, 0xdead"]


def test_a_transaction_that_failed_for_another_reason_is_a_failure():
    class Unlucky(Chain):
        def liquidate(self, *_: Any) -> tuple[Receipt, dict[str, Any]]:
            raise reverted("Clearinghouse_InsufficientMargin")

    chain, said = Unlucky([account(1)]), []
    done = keeper(chain, said).step()
    assert (done.lost, done.failed, done.gas_money) == (0, 1, 7)
    assert said == [f"skipped {account(1).id}: cannot be liquidated: refused"]


def test_a_transaction_of_an_earlier_run_comes_first():
    class Restarted(Chain):
        def recover(self) -> Receipt | None:
            self.sent.append(("recover",))
            return replace(RECEIPT, cost=11)

    chain, said = Restarted([account(1)]), []
    done = keeper(chain, said).step()
    assert [sent[0] for sent in chain.sent] == ["recover", "liquidate"]
    assert done.gas_money == 11
    assert said[0].startswith("a transaction sent earlier is in a block: block 7")
    dry = Restarted([account(1)])
    keeper(dry, dry_run=True).step()
    assert dry.sent == []


def test_a_transaction_of_an_earlier_run_that_failed_is_said():
    class Restarted(Chain):
        def recover(self) -> Receipt | None:
            raise reverted()

    said: list[str] = []
    chain = Restarted([account(1)])
    done = keeper(chain, [], warn=said.append).step()
    assert (done.liquidated, done.gas_money) == (1, 7)
    assert said == ["a transaction sent earlier has failed: refused: 0xdead"]


def test_only_those_in_doubt_are_looked_at():
    class Doubt:
        def whom(self, accounts: Sequence[AccountId], touched: Any) -> list[AccountId]:
            assert touched == (account(2).id,)
            return [one for one in accounts if one == account(2).id]

    chain = Chain([account(1), account(2)], touched=(account(2).id,))
    done = keeper(chain, triage=Doubt()).step()
    assert (done.accounts, [sent[1] for sent in chain.sent]) == (2, [account(2).id])


def test_observers_hear_of_steps_and_of_trouble():
    heard: list[Any] = []

    class Listener:
        def stepped(self, world: World, step: Step) -> None:
            heard.append((len(world.accounts), step.liquidated))

        def troubled(self) -> None:
            heard.append("trouble")

    class Flaky(Chain):
        def scan(self) -> Sequence[AccountId]:
            if not heard:
                raise ConnectionError("gone")
            return super().scan()

    def sleep(_: float) -> None:
        if len(heard) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        keeper(Flaky([account(1)]), observers=[Listener()]).run(1, sleep)
    assert heard == ["trouble", (1, 1)]


# ---- Running ----------------------------------------------------------------------------------


class EnoughError(Exception):
    pass


@pytest.mark.parametrize(
    "trouble", [ChainError("lost"), ContractError("no"), ConnectionError("gone"), TimeoutError()]
)
def test_trouble_is_named_and_waited_out(trouble: Exception):
    class Flaky(Chain):
        looks = 0

        def look(self, accounts: Sequence[AccountId] = ()) -> World:
            Flaky.looks += 1
            if Flaky.looks == 1:
                raise trouble
            return super().look(accounts)

    chain, said, slept = Flaky([account(1)]), [], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        keeper(chain, said).run(3.5, sleep)
    assert said[0] == f"trouble: {trouble}; trying again in 3.5 s"
    assert slept == [3.5, 3.5]
    assert len(chain.sent) == 1


def test_a_mistake_of_ours_is_not_swallowed():
    class Broken(Chain):
        def look(self, accounts: Sequence[AccountId] = ()) -> World:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keeper(Broken()).run(1, lambda _: None)


# ---- Flags ------------------------------------------------------------------------------------

FLAGGING = Policy(flag=True)
DEAR = {0: 30_000_000}


def test_an_account_that_does_not_pay_is_flagged_every_five_minutes():
    chain = Chain([account(1)], gas=DEAR)
    patient = keeper(chain, policy=FLAGGING)
    for seconds in (0, 299, 300, 599):
        chain.now = NOW + seconds
        patient.step()
    assert chain.sent == [("flag", account(1).id)] * 2


def test_nobody_is_flagged_unless_the_operator_wants_it():
    chain = Chain([account(1)], gas=DEAR)
    assert keeper(chain).step().flagged == 0
    assert chain.sent == []


def test_an_account_that_is_taken_needs_no_flag():
    chain = Chain([account(1)])
    done = keeper(chain, policy=FLAGGING).step()
    assert (done.liquidated, done.flagged) == (1, 0)


def test_an_account_that_cannot_be_taken_is_flagged():
    chain = Chain([account(1)], refused={account(1).id: "Clearinghouse_CheckedInThisBlock"})
    done = keeper(chain, policy=FLAGGING).step()
    assert (done.failed, done.flagged) == (1, 1)


@pytest.mark.parametrize("equity", [-1, 1000])
def test_only_who_can_be_liquidated_is_flagged(equity: int):
    chain = Chain([account(1, equity)])
    keeper(chain, policy=FLAGGING).step()
    assert chain.sent == []


def test_a_keeper_does_not_flag_itself():
    own = account(1)
    chain = Chain([own], own=own)
    keeper(chain, policy=FLAGGING).step()
    assert chain.sent == []


def test_a_flag_that_is_refused_stops_nothing_and_waits():
    first, second = account(1), account(2)
    chain = Chain([first, second], gas=DEAR, refused={("flag", first.id): "Liquidator_Healthy"})
    said: list[str] = []
    patient = keeper(chain, said, policy=FLAGGING)
    patient.step()
    patient.step()
    assert chain.sent == [("flag", second.id)]
    assert said.count(f"{first.id} is not flagged: Liquidator_Healthy") == 1


def test_a_dry_run_flags_nobody():
    chain = Chain([account(1)], gas=DEAR)
    said: list[str] = []
    keeper(chain, said, policy=FLAGGING, dry_run=True).step()
    assert chain.sent == []
    assert f"would flag {account(1).id}: gas 90,000" in said


# ---- Ramps ------------------------------------------------------------------------------------


def test_parameters_that_are_behind_advance_and_are_asked_about_once_an_hour():
    chain = Chain(advances=[Advance("advanceUnderlying", 1)])
    patient = keeper(chain, ramps=chain)
    for seconds in (0, 3599, 3600):
        chain.now = NOW + seconds
        patient.step()
    assert chain.asked == [NOW, NOW + 3600]
    assert chain.sent == [("advanceUnderlying", 1)] * 2


def test_one_ramp_that_fails_does_not_stop_the_others():
    bad, good = Advance("advanceUnderlying", 1), Advance("advanceAsset", 2)
    chain = Chain(advances=[bad, good], refused={bad: "unknown"})
    said: list[str] = []
    assert keeper(chain, said, ramps=chain).step().failed == 1
    assert chain.sent == [("advanceAsset", 2)]
    assert "advanceUnderlying(1) fails: unknown" in said


def test_a_dry_run_advances_nothing():
    chain = Chain(advances=[Advance("advanceAsset", 2)])
    said: list[str] = []
    keeper(chain, said, ramps=chain, dry_run=True).step()
    assert (chain.sent, said) == ([], ["would call advanceAsset(2): gas 40,000"])
