"""The real clearing contracts in revm beside their integer model: every call is made on both.

    world = ClearingWorld()
    world.fund(maker := world.account("maker"), 10_000)
    world.trade(taker, maker, ETH_PERP, 2)

A call that succeeds must do the same to both, to the wei; one that fails must fail with the same
error and values. The model's prices and margins are asked of the contracts, unless the world is
`exact`: then the mirrors of the oracle and of the risk engine answer, and are compared too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyrevm
from eth_abi.abi import decode, encode
from eth_account import Account as Keys
from eth_utils.crypto import keccak

from ballast.codec import (
    STRIKE_UNIT,
    AccountId,
    Collateral,
    Option,
    Perp,
    Position,
    Settlement,
    Snapshot,
    decode_positions,
)
from ballast.codec import Instrument as Key
from ballast.model.clearinghouse import Addresses
from ballast.model.exchange import Exchange, Order, SignedOrder
from ballast.model.interest import kept_back
from ballast.model.liquidator import Liquidator
from ballast.model.margin import Engine, LiquidationTerms, Margin
from ballast.model.refusal import Refused
from ballast.model.replay import Event, Replay
from ballast.model.state import Flag
from ballast.model.system import System
from ballast.oracle.mirror import FeedConfig, Observation
from ballast.risk.joint_scenario import JointScenarioEngine
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.units import WAD
from tests.support.artefacts import Artefacts, compile_standard_json
from tests.support.revm import DEPLOYER, Evm, Log, Reverted, RevmContract

CHAIN_ID = 31337
ZERO_ADDRESS = "0x" + 40 * "0"
CASH, WETH, WBTC = 0, 1, 2
ETH, BTC = 1, 2
ETH_PERP = Key.perp(ETH).key
BTC_PERP = Key.perp(BTC).key
WETH_SPOT = Key.collateral(WETH).key
WBTC_SPOT = Key.collateral(WBTC).key
UNLIMITED = 2**128 - 1
UNLIMITED_MARKET = 4095 * 10**24
FOREVER = 2**40
SECONDS = 12

TARGETS = (
    "contracts/Clearinghouse.sol",
    "contracts/ClearinghouseExtension.sol",
    "contracts/exchange/Exchange.sol",
    "contracts/liquidation/Liquidator.sol",
    "contracts/oracle/OracleAdapter.sol",
    "contracts/risk/JointScenarioEngine.sol",
    "contracts/risk/RuleEngine.sol",
    "contracts/periphery/Lens.sol",
    "contracts/periphery/RiskLens.sol",
    "contracts/periphery/TestToken.sol",
    "contracts/mocks/MockPriceSource.sol",
    "contracts/mocks/MockOptions.sol",
    "contracts/mocks/ClearingTokens.sol",
    "contracts/mocks/MockAggregator.sol",
    "contracts/mocks/OddTokens.sol",
    "contracts/mocks/ShareVaults.sol",
    "contracts/mocks/SignerWallet.sol",
    "contracts/oracle/sources/ShareRateSource.sol",
    "contracts/clearing/Lock.sol",
    "contracts/types/Position.sol",
    "contracts/types/Header.sol",
    "contracts/types/MarketState.sol",
    "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
    "node_modules/@openzeppelin/contracts/utils/math/SafeCast.sol",
)


@lru_cache(maxsize=1)
def artefacts() -> Artefacts:
    return compile_standard_json(targets=TARGETS)


def units(value: float | int | str, decimals: int = 18) -> int:
    """A decimal number in units of 10^-decimals."""
    return round(float(value) * 10**9) * 10**decimals // 10**9


@dataclass(frozen=True)
class ContractEngine:
    """The model's view of an engine that is deployed."""

    contract: RevmContract

    @property
    def terms(self) -> LiquidationTerms:
        return LiquidationTerms(*self.contract.liquidationTerms())

    def supports_asset(self, asset: int) -> bool:
        return bool(self.contract.supportsAsset(asset))

    def assess(self, cash: int, mode: int, words: Sequence[int], now: int) -> Margin:
        assert now == self.contract.evm.time
        try:
            return Margin(*self.contract.assess(cash, mode, list(words)))
        except Reverted as error:
            raise Refused(error.name, *error.values) from None

    def fair_price(self, series: int, now: int) -> tuple[int, int]:
        assert now == self.contract.evm.time
        try:
            price, delta = self.contract.fairPrice(series)
        except Reverted as error:
            raise Refused(error.name, *error.values) from None
        return price, delta


@dataclass(frozen=True)
class ContractPrices:
    """The model's view of the accepted prices."""

    contract: RevmContract

    def snapshot(self, underlying: int) -> Snapshot:
        return Snapshot.decode(self.contract.snapshot(underlying))

    def outage_until(self) -> int:
        return int(self.contract.outageUntil())

    def slice(self, underlying: int, expiry: int) -> int:
        return int(self.contract.slice(underlying, expiry))

    def is_listed(self, underlying: int, expiry: int, strike: int) -> bool:
        return bool(self.contract.isListed(underlying, expiry, strike // STRIKE_UNIT))


RISK = UnderlyingRisk(2, 100, 200, 30, 50, 1000, 30, 6000)
HAIRCUT, EXTRA_HAIRCUT = 200, 300
PARAMETERS = Parameters(
    {underlying: RISK for underlying in (ETH, BTC)},
    {
        WETH: AssetRisk(ETH, 18, HAIRCUT, EXTRA_HAIRCUT),
        WBTC: AssetRisk(BTC, 8, HAIRCUT, EXTRA_HAIRCUT),
    },
)


@dataclass(frozen=True)
class Action:
    """One call of a batch: its calldata, and the same on the model."""

    data: bytes
    model: Callable[[], Any]


class Actions:
    """Actions of one caller in a world."""

    def __init__(self, world: ClearingWorld, caller: str) -> None:
        self._world = world
        self._caller = caller.lower()

    def deposit(self, to: AccountId, asset: int, amount: int) -> Action:
        house, model, caller = self._world.house, self._world.model, self._caller
        data = house.deposit.encode(to, asset, amount)
        return Action(data, lambda: model.deposit(caller, to, asset, amount))

    def withdraw(self, source: AccountId, asset: int, amount: int) -> Action:
        house, model, caller = self._world.house, self._world.model, self._caller
        data = house.withdraw.encode(source, asset, amount, caller)
        return Action(data, lambda: model.withdraw(caller, source, asset, amount, caller))

    def transfer(self, source: AccountId, to: AccountId, asset: int, amount: int) -> Action:
        house, model, caller = self._world.house, self._world.model, self._caller
        data = house.transfer.encode(source, to, asset, amount)
        return Action(data, lambda: model.transfer(caller, source, to, asset, amount))

    def settle(self, account: AccountId) -> Action:
        house, model = self._world.house, self._world.model
        return Action(house.settle.encode(account), lambda: model.settle(account))

    def select_engine(self, account: AccountId, engine: int) -> Action:
        house, model, caller = self._world.house, self._world.model, self._caller
        data = house.selectEngine.encode(account, engine)
        return Action(data, lambda: model.select_engine(caller, account, engine))

    def trade(
        self, taker: AccountId, maker: AccountId, size: float, price: float = 2000, **changes: Any
    ) -> Action:
        """One whole fill of two orders that their owners signed."""
        world = self._world
        instrument = {"instrument": changes.get("instrument", ETH_PERP)}
        buy = world.order(taker, size, price, **changes)
        sell = world.order(maker, -size, price, **instrument)
        signed = [(as_tuple(order), world.sign(order)) for order in (buy, sell)]
        amount = abs(buy.size)
        data = world.house.settleOrders.encode(signed[0], [signed[1]], [amount])
        orders = SignedOrder(buy), [SignedOrder(sell)], [amount]
        return Action(data, lambda: world.model_exchange.settle(*orders))


class ClearingWorld:
    """Clearinghouse, Exchange, Liquidator, OracleAdapter and one engine, and the model of them."""

    ADAPTER = "OracleAdapter"
    DEFAULT_ENGINE_AHEAD = 4
    """How many contracts are created between the Clearinghouse and engine 0."""

    def __init__(
        self,
        cash_token: str = "TestToken",
        *,
        fees: tuple[int, int] = (0, 0),
        chain_id: int = CHAIN_ID,
        exact: bool = False,
        sequencer_grace: int | None = None,
        depth: int = 0,
    ) -> None:
        """`depth` is the open interest beyond which ranges for IM widen, in whole units."""
        self.exact = exact
        self.depth = depth
        self.evm = Evm(artefacts(), chain_id=chain_id)
        self._lane = 0
        self.transactions: list[tuple[int, list[Log]]] = []
        self._nonce = 0
        self._keys: dict[str, bytes] = {}
        self._deploy(cash_token, sequencer_grace)
        self._make_model()
        self._configure()
        for instrument in (ETH_PERP, BTC_PERP, WETH_SPOT, WBTC_SPOT):
            self.set_fees(instrument, *fees)

    # ---- Building -----------------------------------------------------------------------------

    def _deploy(self, cash_token: str, grace: int | None) -> None:
        self.sequencer = None
        if grace is not None:
            self.sequencer = self._create("MockAggregator", 0, "Sequencer uptime", 0)
        manager, house = self._address_ahead(0), self._address_ahead(6)
        self.fee_account = self.account("fee receiver")
        self.insurance_account = self.account("insurer")
        self.manager = self._create("AccessManager", DEPLOYER)
        self.tokens = [
            self._create(cash_token, "Cash", "USDX", 6),
            self._create("TestToken", "Wrapped ether", "WETH", 18),
            self._create("TestToken", "Wrapped bitcoin", "WBTC", 8),
        ]
        self.sources = [self._create("MockPriceSource") for _ in range(2)]
        exchange, liquidator = self._address_ahead(1), self._address_ahead(2)
        oracle = self._address_ahead(3)
        self.house = self._create(
            "Clearinghouse",
            manager,
            oracle,
            exchange,
            liquidator,
            self._address_ahead(self.DEFAULT_ENGINE_AHEAD),
            self.tokens[CASH],
            self.fee_account,
            self.insurance_account,
        )
        assert self.house.address == house
        self.exchange = self._create("Exchange", manager, house, oracle)
        self.liquidator = self._create("Liquidator", house, oracle)
        feed = self.sequencer or ZERO_ADDRESS
        self.oracle = self._create(self.ADAPTER, manager, house, feed, grace or 0)
        self.engine = self._create("JointScenarioEngine", manager, house, oracle)

    def _create(self, name: str, *args: Any) -> RevmContract:
        expected = self._address_ahead(0)
        contract = self.evm.deploy(name, *args)
        assert contract.address == expected
        self._nonce += 1
        self._note_logs()
        return contract

    def _address_ahead(self, steps: int) -> str:
        nonce = self._nonce + steps
        assert nonce < 0x80
        data = b"\xd6\x94" + bytes.fromhex(DEPLOYER[2:]) + bytes([nonce or 0x80])
        return "0x" + keccak(data)[12:].hex()

    def _make_model(self) -> None:
        addresses = Addresses(
            clearinghouse=self.house.address,
            oracle=self.oracle.address,
            exchange=self.exchange.address,
            liquidator=self.liquidator.address,
        )
        cash = (self.tokens[CASH].address, 6)
        accounts = (self.fee_account, self.insurance_account)
        self.system = System(addresses, cash, *accounts, now=self.now, block=self.evm.number)
        if not self.exact:
            self.system.house.prices = ContractPrices(self.oracle)
        self.model = self.system.house
        self.model_exchange = Exchange(self.model)
        self.model_liquidator = Liquidator(self.model)

    def _configure(self) -> None:
        for underlying, price in ((ETH, 2000), (BTC, 50_000)):
            config = FeedConfig(
                sources=tuple(source.address for source in self.sources),
                min_sources=2,
                has_market=True,
                max_age=3600,
                source_max_age=3600,
                depth=self.depth,
            )
            self.oracle.configureFeed(underlying, config.as_tuple())
            self.system.feeds.configure(underlying, config)
            self.set_price(underlying, price)
            self.engine.setUnderlying(underlying, RISK.as_tuple())
            self._note_logs()
            self.list_market(underlying)
            self.set_market_cap(underlying, UNLIMITED_MARKET)
        for underlying, token, decimals in ((ETH, WETH, 18), (BTC, WBTC, 8)):
            self.register_asset(self.tokens[token], decimals, underlying)
            self.engine.setAsset(token, HAIRCUT, EXTRA_HAIRCUT)
        self.register_engine(self._default_engine())
        for token, decimals in ((WETH, 18), (WBTC, 8)):
            self.set_asset_cap(token, 10 ** (decimals + 9))

    def _default_engine(self) -> RevmContract:
        return self.engine

    # ---- Actors and time ------------------------------------------------------------------------

    def account(self, role: str, index: int = 0) -> AccountId:
        """An account of the role's owner."""
        return AccountId.make(self.owner(role), index)

    def owner(self, role: str) -> str:
        actor = self.evm.actor(role)
        self._keys[actor.address.lower()] = bytes(actor.key)
        return str(actor.address).lower()

    @property
    def now(self) -> int:
        return self.evm.time

    def advance(self, seconds: int = SECONDS) -> None:
        """Begin a later block."""
        self.evm.advance(seconds)
        self.system.begin_block(self.evm.time, self.evm.number)

    def set_price(self, underlying: int, price: float, premium: float = 0) -> None:
        """Have a price accepted, in a later block. The impact prices lie at the premium."""
        self.advance()
        self.refresh(underlying, price, premium)
        assert self.oracle.snapshot(underlying) >> 188 == units(price) // 10**6

    def refresh(self, underlying: int, price: float, premium: float = 0) -> None:
        """Let both sources report a price now, and refresh."""
        _, data = self.update(underlying, price, premium)
        self.refresh_with(underlying, data)

    def refresh_with(self, underlying: int, data: list[bytes]) -> None:
        """Let each source report what it is sent, and refresh."""
        self.oracle.refresh([(underlying, data)])
        self._note_logs()
        if self.exact:
            seen = [Observation(*decode(["uint256"] * 5, one)) for one in data]
            self.system.refresh([(underlying, seen)])
        else:
            self._follow_funding()
        self.check()

    def _follow_funding(self) -> None:
        for log in self.evm.logs:
            if log.name == "FundingUpdated":
                underlying, rate = log.args["underlying"], log.args["ratePerSecond"]
                self.model.set_funding_rate(self.oracle.address, underlying, rate)

    def update(self, underlying: int, price: float, premium: float = 0) -> tuple[int, list[bytes]]:
        """Data for a refresh: both sources report the price now."""
        usd, edge = units(price), units(price) + units(price * premium)
        report = encode(["uint256"] * 5, (usd, 0, self.now, edge, edge))
        return (underlying, [report, report])

    # ---- Calls on both --------------------------------------------------------------------------

    def both(self, real: Callable[[], Any], model: Callable[[], Any]) -> Any:
        """Make a call on both. Raises what the contract raised, if the model refused the same."""
        refusal: Refused | None = None
        expected = None
        try:
            expected = model()
        except Refused as error:
            refusal = error
        try:
            answer = real()
        except Reverted as error:
            assert refusal is not None, f"the model allows what reverts: {error}"
            assert (refusal.name, refusal.values) == (error.name, error.values)
            self.check()
            raise
        assert refusal is None, f"the contract allows what the model refuses: {refusal}"
        self._note_logs()
        self.check()
        return answer if answer is not None else expected

    def _note_logs(self) -> None:
        if logs := self.evm.logs:
            self.transactions.append((self.now, logs))

    def mint(self, token: int, holder: str, amount: int) -> None:
        """Give a holder tokens, all allowed to the Clearinghouse."""
        contract = self.tokens[token]
        contract.mint(holder, amount)
        contract.approve(self.house, 2**256 - 1, sender=holder)
        self.model.state.mint(contract.address, holder, amount)

    def donate(self, token: int, amount: int) -> None:
        """Send tokens to the Clearinghouse without a word."""
        contract = self.tokens[token]
        contract.mint(self.house, amount)
        self.model.state.mint(contract.address, self.house.address, amount)

    def fund(self, account: AccountId, cash: float = 0, **amounts: float) -> None:
        """Mint and deposit: cash, and WETH or WBTC by `weth` and `wbtc`."""
        held = {CASH: units(cash, 6)}
        held[WETH] = units(amounts.get("weth", 0), 18)
        held[WBTC] = units(amounts.get("wbtc", 0), 8)
        for asset, amount in held.items():
            if amount:
                self.mint(asset, account.owner, amount)
                self.deposit(account, asset, amount)

    def deposit(self, to: AccountId, asset: int, amount: int, sender: str | None = None) -> int:
        caller = (sender or to.owner).lower()
        return self.both(
            lambda: self.house.deposit(to, asset, amount, sender=caller),
            lambda: self.model.deposit(caller, to, asset, amount),
        )

    def withdraw(
        self,
        source: AccountId,
        asset: int,
        amount: int,
        *,
        to: str | None = None,
        sender: str | None = None,
    ) -> None:
        caller = (sender or source.owner).lower()
        to = (to or source.owner).lower()
        self.both(
            lambda: self.house.withdraw(source, asset, amount, to, sender=caller),
            lambda: self.model.withdraw(caller, source, asset, amount, to),
        )

    def transfer(
        self, source: AccountId, to: AccountId, asset: int, amount: int, sender: str | None = None
    ) -> None:
        caller = (sender or source.owner).lower()
        self.both(
            lambda: self.house.transfer(source, to, asset, amount, sender=caller),
            lambda: self.model.transfer(caller, source, to, asset, amount),
        )

    def settle_account(self, account: AccountId) -> None:
        self.both(lambda: self.house.settle(account), lambda: self.model.settle(account))

    def select_engine(self, account: AccountId, engine: int, sender: str | None = None) -> None:
        caller = (sender or account.owner).lower()
        self.both(
            lambda: self.house.selectEngine(account, engine, sender=caller),
            lambda: self.model.select_engine(caller, account, engine),
        )

    def set_delegate(
        self,
        account: AccountId,
        delegate: str,
        permissions: int,
        expiry: int = FOREVER,
        sender: str | None = None,
    ) -> None:
        caller = (sender or account.owner).lower()
        self.both(
            lambda: self.house.setDelegate(account, delegate, permissions, expiry, sender=caller),
            lambda: self.model.set_delegate(caller, account, delegate, permissions, expiry),
        )

    def multicall(
        self, sender: str, actions: Sequence[Action], updates: Sequence[Any] = ()
    ) -> list[Any]:
        """Make actions in one batch."""
        return self.both(
            lambda: self.house.multicall(
                list(updates), [action.data for action in actions], sender=sender
            ),
            lambda: self.model.multicall([action.model for action in actions]),
        )

    def stop(self, stopped: bool = True) -> None:
        """Stop new risk, or let it in again."""
        self.both(
            self.house.stopNewRisk if stopped else self.house.resumeNewRisk,
            lambda: self.model.set_stopped(stopped),
        )

    def collect_reserve(self) -> int:
        return self.both(self.house.collectReserve, self.model.collect_reserve)

    def list_market(self, underlying: int) -> None:
        self.both(
            lambda: self.house.listMarket(underlying), lambda: self.model.list_market(underlying)
        )

    def set_market_cap(self, underlying: int, cap: int) -> None:
        self.both(
            lambda: self.house.setMarketCap(underlying, cap),
            lambda: self.model.set_market_cap(underlying, cap),
        )

    def set_option_cap(self, underlying: int, cap: int) -> None:
        self.both(
            lambda: self.house.setOptionCap(underlying, cap),
            lambda: self.model.set_option_cap(underlying, cap),
        )

    def set_asset_cap(self, asset: int, cap: int) -> None:
        self.both(
            lambda: self.house.setAssetCap(asset, cap),
            lambda: self.model.set_asset_cap(asset, cap),
        )

    def register_asset(self, token: RevmContract, decimals: int, underlying: int) -> int:
        return self.both(
            lambda: self.house.registerAsset(token, underlying),
            lambda: self.model.register_asset(token.address, decimals, underlying),
        )

    def register_engine(self, engine: RevmContract) -> int:
        return self.both(
            lambda: self.house.registerEngine(engine),
            lambda: self.model.register_engine(self._modelled(engine)),
        )

    def _modelled(self, engine: RevmContract) -> Engine:
        if self.exact:
            return JointScenarioEngine(self.system.feeds, PARAMETERS)
        return ContractEngine(engine)

    def set_fees(self, product: int, maker: int, taker: int) -> None:
        self.both(
            lambda: self.exchange.setFees(product, maker, taker),
            lambda: self.model_exchange.set_fees(product, maker, taker),
        )

    def as_module(self, module: RevmContract, call: Callable[[], Any]) -> Any:
        """Make a call whose sender is a contract: one without code for that long."""
        evm = self.evm._evm
        info, code = evm.basic(module.address), self.evm.code(module)
        evm.insert_account_info(module.address, pyrevm.AccountInfo(nonce=info.nonce))
        try:
            return call()
        finally:
            info = pyrevm.AccountInfo(nonce=info.nonce, code=code)
            evm.insert_account_info(module.address, info)

    # ---- Orders -------------------------------------------------------------------------------

    def order(self, account: AccountId, size: float, price: float = 2000, **changes: Any) -> Order:
        """An order in the account's next lane; sizes and prices as decimal numbers."""
        fields: dict[str, Any] = {
            "account": account,
            "instrument": ETH_PERP,
            "size": units(size),
            "limit_price": units(price),
            "nonce": self._next_lane() << 64,
            "expiry": FOREVER,
        }
        return Order(**(fields | changes))

    def _next_lane(self) -> int:
        self._lane += 1
        return self._lane

    def sign(self, order: Order, by: str | None = None) -> bytes:
        """The signature of the account's owner, or of another role."""
        return bytes(Keys.unsafe_sign_hash(self.digest(order), self._key(order, by)).signature)

    def digest(self, order: Order) -> bytes:
        return self.exchange.digest(as_tuple(order))

    def _key(self, order: Order, by: str | None) -> bytes:
        if by is not None:
            return bytes(self.evm.actor(by).key)
        return self.key_of(order.account)

    def key_of(self, account: AccountId) -> bytes:
        """The private key of an account's owner."""
        return self._keys[account.owner.lower()]

    def settle(
        self,
        taker: Order,
        makers: Sequence[Order],
        sizes: Sequence[float],
        updates: Sequence[Any] = (),
    ) -> None:
        """Settle orders signed by their owners; sizes as decimal numbers."""
        self.settle_exact(taker, makers, [units(size) for size in sizes], updates)

    def settle_exact(
        self,
        taker: Order,
        makers: Sequence[Order],
        sizes: Sequence[int],
        updates: Sequence[Any] = (),
    ) -> None:
        """The same with sizes in WAD."""
        self.settle_signed(
            (as_tuple(taker), self.sign(taker)),
            [(as_tuple(maker), self.sign(maker)) for maker in makers],
            sizes,
            (SignedOrder(taker), [SignedOrder(maker) for maker in makers]),
            updates,
        )

    def settle_signed(
        self,
        taker: Any,
        makers: Sequence[Any],
        sizes: Sequence[int],
        modelled: tuple[SignedOrder, Sequence[SignedOrder]],
        updates: Sequence[Any] = (),
    ) -> None:
        self.both(
            lambda: self.exchange.settle(taker, list(makers), list(sizes), list(updates)),
            lambda: self.model_exchange.settle(modelled[0], modelled[1], sizes),
        )

    def trade(
        self,
        taker: AccountId,
        maker: AccountId,
        size: float,
        price: float = 2000,
        *,
        instrument: int = ETH_PERP,
        **changes: Any,
    ) -> None:
        """One whole fill: the taker gets `size`, negative if it sells."""
        changes["instrument"] = instrument
        self.settle(
            self.order(taker, size, price, **changes),
            [self.order(maker, -size, price, instrument=instrument)],
            [abs(size)],
        )

    def cancel(self, account: AccountId, nonce: int, sender: str | None = None) -> None:
        caller = (sender or account.owner).lower()
        self.both(
            lambda: self.exchange.cancel(account, nonce, sender=caller),
            lambda: self.model_exchange.cancel(caller, account, nonce),
        )

    def cancel_many(
        self, account: AccountId, nonces: Sequence[int], sender: str | None = None
    ) -> None:
        caller = (sender or account.owner).lower()
        self.both(
            lambda: self.exchange.cancelMany(account, list(nonces), sender=caller),
            lambda: self.model_exchange.cancel_many(caller, account, nonces),
        )

    def recall(self, account: AccountId, sequence: int, sender: str | None = None) -> None:
        caller = (sender or account.owner).lower()
        self.both(
            lambda: self.exchange.recall(account, sequence, sender=caller),
            lambda: self.model_exchange.recall(caller, account, sequence),
        )

    def liquidate(
        self,
        account: AccountId,
        into: AccountId,
        fraction: int = WAD,
        *,
        min_value: int = 0,
        witness: int = 0,
        sender: str | None = None,
    ) -> Any:
        """Liquidate; answers what the model says it took and paid."""
        caller = (sender or into.owner).lower()
        deal: list[Any] = []
        terms = {"fraction": fraction, "min_value": min_value, "witness": witness}

        def model() -> None:
            deal.append(self.model_liquidator.liquidate(caller, account, into, **terms))

        self.both(
            lambda: self.liquidator.liquidate(
                account, into, fraction, min_value, witness, [], sender=caller
            ),
            model,
        )
        return deal[0]

    def flag(self, account: AccountId, witness: int = 0) -> int:
        """Prove an account unhealthy, as anybody may; the seconds proven so far."""
        return self.both(
            lambda: self.liquidator.flag(account, witness, []),
            lambda: self.model_liquidator.flag(account, witness=witness),
        )

    def clear_flag(self, account: AccountId) -> None:
        self.both(
            lambda: self.liquidator.clearFlag(account, []),
            lambda: self.model_liquidator.clear_flag(account),
        )

    # ---- What holds -----------------------------------------------------------------------------

    def margin(self, account: AccountId, mode: int = 0) -> Margin:
        return Margin(*self.house.margin(account, mode))

    def cash_of(self, account: AccountId) -> int:
        return self.house.portfolio(account)[0]

    def words_of(self, account: AccountId) -> list[int]:
        return list(self.house.accountWords(account)[1])

    def check(self) -> None:
        """[I10] The model is exact; [I1, I2] sums are kept."""
        self._check_accounts()
        self._check_totals()
        self._check_markets()
        self._check_series()
        self._check_custody()
        self._check_flags()
        if self.exact:
            self._check_prices()

    def _check_prices(self) -> None:
        for underlying, state in self.system.feeds.states.items():
            assert state.snapshot.encode() == self.oracle.snapshot(underlying), "I10 snapshot"

    def _check_accounts(self) -> None:
        for account, stored in self.model.state.accounts.items():
            header, words = self.house.accountWords(account)
            assert list(stored.words) == list(words), f"I10 words of {account}"
            assert stored.header == header, f"I10 header of {account}"

    def _check_flags(self) -> None:
        for account in self.model.state.accounts:
            flag = self.model.state.flags.get(account, Flag(0))
            expected = (flag.last_proof, flag.proven)
            assert self.liquidator.flagOf(account) == expected, f"I10 flag of {account}"

    def _check_totals(self) -> None:
        state = self.model.state
        indices = state.interest.indices_at(self.now)
        rates = state.interest.supply_rate, state.interest.debt_rate
        totals = state.totals.supply, state.totals.debt
        expected = (*indices, *rates, *totals, state.reserve)
        assert self.house.interest() == expected, "I10 interest"
        scaled = [stored.scaled for stored in state.accounts.values()]
        assert totals == (sum(max(s, 0) for s in scaled), sum(max(-s, 0) for s in scaled))

    def _check_markets(self) -> None:
        for underlying, market in self.model.state.markets.items():
            state = market.state
            expected = (
                state.open_interest,
                state.funding_at(self.now),
                state.rate,
                market.cap,
            )
            assert self.house.market(underlying) == expected, "I10 market"
            sizes = self._sizes(underlying)
            assert sum(sizes) == 0, "I1 sizes sum to zero"
            assert sum(size for size in sizes if size > 0) == state.open_interest, (
                "I1 open interest"
            )

    def _sizes(self, underlying: int) -> list[int]:
        held = [p for p in self._positions() if isinstance(p, Perp)]
        return [p.size for p in held if p.underlying == underlying]

    def _positions(self) -> list[Position]:
        accounts = self.model.state.accounts.values()
        return [p for stored in accounts for p in decode_positions(stored.words)]

    def _check_series(self) -> None:
        state = self.model.state
        held = [p for p in self._positions() if isinstance(p, Option)]
        for series, interest in state.series.items():
            sizes = [p.size for p in held if p.instrument.key == series]
            long, short = sum(s for s in sizes if s > 0), -sum(s for s in sizes if s < 0)
            assert (interest.long, interest.short) == (long, short), "I1 open interest of a series"
            assert self.house.seriesInterest(series) == (long, short), "I10 series"
            if self.settlement_of(Key(series)) is None:
                assert long == short, "I1 sizes of a series sum to zero"
        for underlying, options in state.option_markets.items():
            longs = [p.size for p in held if p.underlying == underlying and p.size > 0]
            assert options.open_interest == sum(longs), "I1 options open"
            expected = (options.open_interest, options.cap)
            assert self.house.optionMarket(underlying) == expected, "I10 options"

    def settlement_of(self, series: Key) -> Settlement | None:
        """The settlement of a series' expiry, if it is fixed."""
        return Settlement.decode(self.model.prices.slice(series.id, series.expiry))

    def _check_custody(self) -> None:
        state = self.model.state
        recorded = [0] * len(state.assets)
        for stored in state.accounts.values():
            for position in decode_positions(stored.words):
                if isinstance(position, Collateral):
                    recorded[position.asset] += position.amount
        for asset, info in enumerate(state.assets):
            assert self.house.asset(asset)[3] == info.total == recorded[asset], "I2 totals"
            if asset:
                held = state.balance(info.token, self.house.address)
                assert held >= info.total, "I2 custody of collateral"
        for asset, token in enumerate(self.tokens[: len(state.assets)]):
            held = state.balance(token.address, self.house.address)
            assert token.balanceOf(self.house) == held, f"I10 tokens {asset}"
        assert self.surplus() >= 0, "I2 custody of cash"

    def surplus(self) -> int:
        """Cash tokens held beyond Σ (cash + quotes + fixed payoffs) + reserve, WAD rounded down."""
        flow = self.model.open_cash()
        state = self.model.state
        claims = state.reserve + self._uncollected()
        for stored in state.accounts.values():
            claims += flow.to_cash(stored.scaled)
            claims += sum(p.quote for p in decode_positions(stored.words) if isinstance(p, Perp))
        exact = (self.model.tokens_held() * self.model.cash_unit - claims) * WAD
        return (exact - self._payoffs()) // WAD

    def _payoffs(self) -> int:
        """Σ size × payoff over options of fixed series, in 1e-36 of cash."""
        held = [p for p in self._positions() if isinstance(p, Option)]
        fixed = [(p, self.settlement_of(p.instrument)) for p in held]
        return sum(
            p.size * max((p.strike - s.price) * (1 if p.is_put else -1), 0) for p, s in fixed if s
        )

    def _uncollected(self) -> int:
        """Interest that accrued for the reserve since the indices were written, WAD."""
        state = self.model.state
        return kept_back(state.interest, state.totals, self.model.open_cash())


def replay(world: ClearingWorld) -> Replay:
    """The state from the events of every transaction."""
    replayed = Replay(world.fee_account, world.insurance_account)
    for time, logs in world.transactions:
        replayed.transaction(time, [Event(log.name, log.args) for log in logs])
    return replayed


@contextmanager
def refused(name: str, *first: Any) -> Iterator[None]:
    """Asserts that the block reverts with this error, whose values begin with these."""
    try:
        yield
    except Reverted as error:
        assert (error.name, error.values[: len(first)]) == (name, first), str(error)
        return
    raise AssertionError(f"no revert, {name} was expected")


def as_tuple(order: Order) -> tuple[Any, ...]:
    """An order as the contract's struct."""
    return tuple(getattr(order, name) for name in order.__slots__)
