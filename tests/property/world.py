"""The real system and the model of all of it, side by side: every call is made on both.

Nothing is asked of the contracts that the model needs: prices, margins, fractions are predicted
from what was sent. After every call both must be in the same state, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ballast.codec import AccountId, Snapshot, VolatilitySlice
from ballast.deploy import config
from ballast.deploy.plan import SEQUENCER
from ballast.model.clearinghouse import Addresses
from ballast.model.exchange import Order, SignedOrder
from ballast.model.refusal import Refused
from ballast.model.state import Asset, Flag
from ballast.model.system import System, Updates, VolatilityUpdates
from ballast.oracle.mirror import FeedState, ScanRange, Suspicion
from ballast.oracle.sequencer import UP, Sequencer
from ballast.risk.governed import GovernedParameters
from ballast.risk.joint_scenario import JointScenarioEngine
from ballast.risk.parameters import AssetRisk, UnderlyingRisk
from ballast.units import WAD
from tests.property.prices import PriceFeeds, Reported
from tests.property.signing import ORDER_TYPE, Domain, sign, words
from tests.property.slices import SlicePublishers
from tests.property.stage import Stage
from tests.support.revm import Reverted

CASH, WETH, WBTC = 0, 1, 2
USD, ETH, BTC = 0, 1, 2
FEEDS = (USD, ETH, BTC)
MARKETS = (ETH, BTC)
OWNERS = ("maker", "trader 0", "trader 1", "trader 2", "keeper 0", "keeper 1", "stranger")
WALLET = {CASH: 10**9 * 10**6, WETH: 10**5 * 10**18, WBTC: 10**4 * 10**8}
UNLIMITED = 2**256 - 1


ViewProbe = tuple[str, str, bytes, Callable[[], bytes]]
"""What is asked, of whom, in which words, and what the model says that the answer is."""


class Mismatch(AssertionError):  # noqa: N818 (a finding)
    """The contracts and the model differ, or an invariant does not hold."""


def require(holds: bool, invariant: str, *values: object) -> None:
    """Raise a mismatch that names the invariant, by its number in tests/INVARIANTS.md."""
    if not holds:
        raise Mismatch(f"{invariant}: {', '.join(map(str, values))}")


@dataclass(frozen=True)
class Checkpoint:
    """The model's side of a mark to return to."""

    state: dict[str, Any]
    feeds: dict[str, Any]
    answers: dict[int, tuple[int, int]]
    governed: GovernedParameters


class World:
    """A deployed system beside its model."""

    def __init__(self, stage: Stage, accounts: Sequence[tuple[str, int]]) -> None:
        self.stage = stage
        self.house = stage.contract("Clearinghouse")
        self.oracle = stage.contract("OracleAdapter")
        self.exchange = stage.contract("Exchange")
        self.liquidator = stage.contract("Liquidator")
        self.prices = PriceFeeds(stage)
        self.publishers = SlicePublishers(stage)
        self.uptime = stage.contract(SEQUENCER, "MockAggregator")
        self.owners = {role: stage.actor(role).address.lower() for role in OWNERS}
        self._keys = {stage.actor(role).address.lower(): stage.actor(role).key for role in OWNERS}
        self._domain = Domain("Ballast Exchange", 31337, self.exchange.address)
        self.accounts = [AccountId.make(self.owners[role], index) for role, index in accounts]
        self.engine = stage.contract("JointScenarioEngine")
        self.governed = GovernedParameters()
        self.model = self._make_model()
        self.tokens = [
            stage.at("TestToken", asset.token) for asset in self.model.house.state.assets
        ]
        self._fund()
        self._static_probes = self._make_probes()
        self.check()

    # ---- Building -----------------------------------------------------------------------------

    def _make_model(self) -> System:
        """The model of what the deployment left; the prices of the deployment are read."""
        sequencer = self._start_sequencer()
        book, configured = self.stage.book, self.stage.config
        names = ("Clearinghouse", "OracleAdapter", "Exchange", "Liquidator")
        cash = book.asset(book.cash_name)
        system = System(
            Addresses(*(book.address(name).lower() for name in names)),
            (cash.token.lower(), cash.decimals),
            AccountId.parse(book.fee_account),
            AccountId.parse(book.insurance_account),
            now=self.stage.time,
            block=self.stage.number,
        )
        for one in configured.underlyings:
            system.feeds.states[one.id] = FeedState(
                one.feed,
                Snapshot.decode(self.oracle.snapshot(one.id)),
                ScanRange.decode(self.oracle.scanRange(one.id)),
                Suspicion.decode(self.oracle.suspicion(one.id)),
            )
        system.feeds.sequencer = sequencer
        self._configure(system)
        return system

    def _start_sequencer(self) -> Sequencer:
        """The sequencer has been up for longer than the grace."""
        self.stage.begin_call()
        began, now = self.stage.time - 86_400, self.stage.time
        self.uptime.setRound(UP, began, now, sender=self.stage.deployer)
        assert self.stage.config.sequencer is not None
        return Sequencer(self.stage.config.sequencer.grace, UP, began)

    def _configure(self, system: System) -> None:
        book, configured = self.stage.book, self.stage.config
        house, governed = system.house, self.governed
        for one in configured.underlyings[1:]:  # the first is the dollar price of cash
            clamp = one.feed.premium_clamp_bps
            risk = governed_risk(one.risk)
            governed.set_underlying(one.id, risk, now=house.now, premium_clamp=clamp)
        for index, held in enumerate(configured.collateral, start=1):
            token = book.asset(held.token.symbol).token.lower()
            feed = book.underlying(held.underlying).id
            house.register_asset(token, held.token.decimals, feed)
            haircuts = held.haircut_bps, held.extra_haircut_bps
            governed.set_asset(
                index, AssetRisk(feed, held.token.decimals, *haircuts), now=house.now
            )
        for one in configured.underlyings:
            if one.market:
                house.list_market(one.id)
                house.set_market_cap(one.id, one.market.cap)
            if one.options:
                system.feeds.configure_volatility(one.id, one.options.volatility)
                house.set_option_cap(one.id, one.options.cap)
        for _, product, fees in configured.fees():
            system.exchange.set_fees(product.key, fees.maker, fees.taker)
        governed.selectable = True
        self._risk = JointScenarioEngine(system.feeds, governed.parameters, system.feeds)
        house.register_engine(self._risk)
        for index, held in enumerate(configured.collateral, start=1):
            house.set_asset_cap(index, held.cap)

    def _fund(self) -> None:
        """Every owner has a wallet of every token, all of it allowed to the Clearinghouse."""
        deployer = self.stage.deployer
        for owner in self.owners.values():
            for asset, amount in WALLET.items():
                self.stage.begin_call()
                self.tokens[asset].mint(owner, amount, sender=deployer)
                self.stage.begin_call()
                self.tokens[asset].approve(self.house, UNLIMITED, sender=owner)
                self.model.house.state.mint(self._asset(asset).token, owner, amount)
        self.synchronise()

    def _asset(self, asset: int) -> Asset:
        return self.model.house.state.assets[asset]

    # ---- Time ---------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.model.now

    def advance(self, seconds: int) -> None:
        """Begin a later block."""
        self.stage.advance(seconds)
        self.synchronise()

    def synchronise(self) -> None:
        """Put the model into the stage's block."""
        self.model.begin_block(self.stage.time, self.stage.number)

    def begin_call(self) -> None:
        """Move on to the block of the next transaction, if every one has its own."""
        self.stage.begin_call()
        self.synchronise()

    # ---- Going back ---------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        model = self.model
        saved = model.house.state.saved()
        feeds, answers = model.feeds.saved(), dict(self.prices.answers)
        return Checkpoint(saved, feeds, answers, self.governed.copied())

    def restore(self, mark: Checkpoint) -> None:
        """Put the model back; the stage must be there already."""
        copied = {
            name: value.copy() if isinstance(value, dict | list) else value
            for name, value in mark.state.items()
        }
        self.model.house.state.restore(copied)
        self.model.feeds.restore(mark.feeds)
        self.prices.answers = dict(mark.answers)
        self._set_governed(mark.governed.copied())
        self.synchronise()

    # ---- Calls --------------------------------------------------------------------------------

    def both(self, real: Callable[[], Any], model: Callable[[], Any]) -> Refused | None:
        """Make a call on both. Both must do the same, or refuse it with the same error."""
        refusal: Refused | None = None
        try:
            model()
        except Refused as error:
            refusal = error
        try:
            real()
        except Reverted as error:
            if refusal is None:
                raise Mismatch(f"I10: the model allows what reverts with {error}") from error
            same = (refusal.name, refusal.values) == (error.name, error.values)
            require(same, "I10: another error", error, refusal)
        else:
            require(refusal is None, "I10: the contracts allow what the model refuses", refusal)
        return refusal

    def govern(self, change: Callable[[GovernedParameters], None]) -> None:
        """Change the model's governed parameters; a change that is refused changes nothing."""
        changed = self.governed.copied()
        change(changed)
        self._set_governed(changed)

    def _set_governed(self, governed: GovernedParameters) -> None:
        self.governed, self._risk.parameters = governed, governed.parameters

    def answer(self, underlying: int, price: int) -> None:
        """Let an aggregator answer a price (WAD dollars)."""
        self.prices.answer(underlying, price)
        self.synchronise()

    def updates(self, reported: dict[int, Reported]) -> tuple[list[Any], Updates]:
        """Updates of feeds, for the contracts and for the model."""
        pairs = [self.prices.update(u, one, self.now) for u, one in reported.items()]
        return [real for real, _ in pairs], [seen for _, seen in pairs]

    def say_uptime(self, answer: int) -> None:
        """Let the feed of the sequencer answer, since now."""
        self.begin_call()
        self.uptime.setRound(answer, self.now, self.now, sender=self.stage.deployer)
        sequencer = self.model.feeds.sequencer
        assert sequencer is not None
        self.model.feeds.sequencer = replace(sequencer, answer=answer, since=self.now)
        self.synchronise()

    def volatility(
        self, reports: Sequence[tuple[int, int, Sequence[VolatilitySlice]]]
    ) -> tuple[list[Any], VolatilityUpdates]:
        """Signed reports on expiries, for the contracts and for the model."""
        pairs = [self.publishers.update(*one) for one in reports]
        return [real for real, _ in pairs], [seen for _, seen in pairs]

    def order_digest(self, order: Order) -> bytes:
        fields = [getattr(order, name) for name in order.__slots__]
        return self._domain.digest(words(ORDER_TYPE, order.account.value, *fields[1:]))

    def signed(self, order: Order, signer: str | None = None) -> tuple[Any, SignedOrder]:
        """A signed order for the contracts and for the model; its owner signs, or another."""
        by = signer or owner_of(order.account)
        r, s, v = sign(self.order_digest(order), bytes(self._keys[by]))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
        fields = tuple(getattr(order, name) for name in order.__slots__)
        return (fields, signature), SignedOrder(order, by)

    # ---- Comparing ----------------------------------------------------------------------------

    @property
    def known_accounts(self) -> list[AccountId]:
        house = self.model.house
        return [*self.accounts, house.fee_account, house.insurance_account]

    def _make_probes(self) -> list[ViewProbe]:
        """Views of everything, and what the model says that each answers."""
        house, state = self.house, self.model.house.state
        probes = [
            (f"account {account}", house, house.accountWords.encode(account), self._words(account))
            for account in self.known_accounts
        ]
        liquidator = self.liquidator
        for account in self.known_accounts:
            encoded = liquidator.flagOf.encode(account)
            probes.append((f"flag of {account}", liquidator, encoded, self._flag(account)))
            floor = self.exchange.floorOf.encode(account)
            probes.append((f"floor of {account}", self.exchange, floor, self._floor(account)))
        probes.append(("interest", house, house.interest.encode(), self._interest))
        stopped = house.isNewRiskStopped.encode()
        probes.append(("the stop", house, stopped, lambda: words(state.stopped)))
        for u in MARKETS:
            probes.append((f"market {u}", house, house.market.encode(u), self._market(u)))
            options = house.optionMarket.encode(u)
            probes.append((f"options of {u}", house, options, self._options(u)))
            live = self.oracle.liveExpiries.encode(u)
            probes.append((f"expiries of {u}", self.oracle, live, self._expiries(u)))
        for asset in range(len(state.assets)):
            encoded = house.asset.encode(asset)
            probes.append((f"asset {asset}", house, encoded, self._asset_words(asset)))
        outage = self.oracle.outageUntil.encode()
        until = self.model.feeds.outage_until
        probes.append(("the outage", self.oracle, outage, lambda: words(until())))
        for u in FEEDS:
            probes.extend(self._feed_probes(u))
        probes.extend(self._risk_probes())
        holders = [self.house.address, *self.owners.values()]
        for asset, token in enumerate(self.tokens):
            for holder in holders:
                expected = self._balance(asset, holder)
                probes.append(
                    (f"tokens {asset} of {holder}", token, token.balanceOf.encode(holder), expected)
                )
        return [(label, contract.address, data, it) for label, contract, data, it in probes]

    def _feed_probes(self, u: int) -> list[Any]:
        oracle, feeds = self.oracle, self.model.feeds
        return [
            (f"snapshot of {u}", oracle, oracle.snapshot.encode(u), self._snapshot(u)),
            (
                f"scanRange of {u}",
                oracle,
                oracle.scanRange.encode(u),
                lambda: words(feeds.states[u].scan.encode()),
            ),
            (
                f"suspicion of {u}",
                oracle,
                oracle.suspicion.encode(u),
                lambda: words(feeds.states[u].suspicion.encode()),
            ),
        ]

    def _snapshot(self, underlying: int) -> Callable[[], bytes]:
        return lambda: words(self.model.feeds.snapshot(underlying).encode())

    def _expiries(self, underlying: int) -> Callable[[], bytes]:
        def expected() -> bytes:
            live = self.model.feeds.boards[underlying].live
            return words(32, len(live), *live)

        return expected

    def _options(self, underlying: int) -> Callable[[], bytes]:
        def expected() -> bytes:
            one = self.model.house.option_market(underlying)
            return words(one.open_interest, one.cap)

        return expected

    def _risk_probes(self) -> list[Any]:
        engine = self.engine
        underlyings = [
            (
                f"risk of {u}",
                engine,
                engine.underlyingRisk.encode(u),
                lambda u=u: words(*self.governed.underlyings[u].as_tuple()),
            )
            for u in self.governed.underlyings
        ]
        assets = [
            (
                f"haircuts of {asset}",
                engine,
                engine.assetRisk.encode(asset),
                lambda asset=asset: words(*self.governed.assets[asset].as_tuple()),
            )
            for asset in self.governed.assets
        ]
        return [*underlyings, *assets]

    def _floor(self, account: AccountId) -> Callable[[], bytes]:
        return lambda: words(self.model.exchange.floor_of(account))

    def _words(self, account: AccountId) -> Callable[[], bytes]:
        def expected() -> bytes:
            stored = self.model.house.state.account(account)
            return words(stored.header, 64, len(stored.words), *stored.words)

        return expected

    def _flag(self, account: AccountId) -> Callable[[], bytes]:
        def expected() -> bytes:
            flag = self.model.house.state.flags.get(account, Flag(0))
            return words(flag.last_proof, flag.proven)

        return expected

    def _interest(self) -> bytes:
        state = self.model.house.state
        one = state.interest
        totals = state.totals
        indices = one.indices_at(self.now)
        return words(
            *indices, one.supply_rate, one.debt_rate, totals.supply, totals.debt, state.reserve
        )

    def _market(self, underlying: int) -> Callable[[], bytes]:
        def expected() -> bytes:
            market = self.model.house.state.markets[underlying]
            one = market.state
            return words(one.open_interest, one.funding_at(self.now), one.rate, market.cap)

        return expected

    def _asset_words(self, asset: int) -> Callable[[], bytes]:
        def expected() -> bytes:
            one = self._asset(asset)
            token = int(one.token, 16)
            return words(token, one.decimals, one.underlying, one.total, one.cap)

        return expected

    def _balance(self, asset: int, holder: str) -> Callable[[], bytes]:
        token = self._asset(asset).token
        return lambda: words(self.model.house.state.balance(token, holder))

    def check(self) -> None:
        """[I10] The model is exact."""
        self.stage.rest()
        self.synchronise()
        probes = [*self._static_probes, *self._moving_probes()]
        answers = self.stage.answers([(address, data) for _, address, data, _ in probes])
        for (label, _, _, expected), answer in zip(probes, answers, strict=True):
            if answer != expected():
                raise Mismatch(f"I10: {label}: {answer.hex()} instead of {expected().hex()}")

    def _moving_probes(self) -> Iterator[ViewProbe]:
        """Views of what comes up in a play: the last of each kind, and every option series."""
        state, feeds = self.model.house.state, self.model.feeds
        exchange, house, oracle = self.exchange, self.house, self.oracle
        for (account, lane), held in [*state.lanes.items()][-8:]:
            data = exchange.lane.encode(account, lane)
            yield f"lane {lane}", exchange.address, data, _told(held.sequence, held.filled)
        for (account, delegate), granted in [*state.mandates.items()][-8:]:
            data = house.delegateOf.encode(account, delegate)
            yield f"mandate of {delegate}", house.address, data, _told(*granted)
        for series, interest in state.series.items():
            data = house.seriesInterest.encode(series)
            yield f"series {series:x}", house.address, data, _told(interest.long, interest.short)
        for (u, expiry), window in [*feeds.windows.items()][-10:]:
            data = oracle.settlementWindow.encode(u, expiry)
            yield f"window {u}, {expiry}", oracle.address, data, _told(window.encode())
            data = oracle.slice.encode(u, expiry)
            yield f"slice {u}, {expiry}", oracle.address, data, _told(feeds.slice(u, expiry))

    def check_margin(self, account: AccountId, mode: int) -> None:
        """[I10] What the engine says of an account is what its mirror says."""
        expected = self.model.house.margin(account, mode)
        fields = tuple(getattr(expected, name) for name in expected.__slots__)
        real = tuple(self.house.margin(account, mode))
        require(real == fields, "I10: margin", account, mode, real, fields)


def _told(*values: int) -> Callable[[], bytes]:
    answer = words(*values)
    return lambda: answer


def owner_of(account: AccountId) -> str:
    return "0x" + account.value[:20].hex()


def governed_risk(configured: config.UnderlyingRisk) -> UnderlyingRisk:
    """Parameters of an underlying as a configuration has them."""
    return UnderlyingRisk(*(getattr(configured, name) for name in UnderlyingRisk.__slots__))


def wad_of(amount: int, decimals: int) -> int:
    return amount * WAD // 10**decimals
