"""The whole system in revm, deployed by the same plan as a real one.

system = deploy_system(Evm())
trader = system.fund("trader", cash="100000")
system.set_price("ETH", "2600")
system.clearinghouse.withdraw(account, 0, 10**6, trader, sender=trader)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from eth_account.signers.local import LocalAccount

from ballast.client.artifacts import Artifact
from ballast.client.book import AddressBook
from ballast.client.orders import Domain, Order, SignedOrder, sign_order
from ballast.client.signers import KeySigner
from ballast.codec import AccountId, Snapshot
from ballast.deploy.addresses import make_book
from ballast.deploy.config import NetworkConfig
from ballast.deploy.config_file import config_path, load_config
from ballast.deploy.names import LENS
from ballast.deploy.plan import aggregator_name, make_plan
from ballast.deploy.run import Executor, Refused, Runner
from ballast.oracle import reports
from ballast.units import to_units, to_wad
from tests.support.revm import DEPLOYER, Evm, Log, Reverted, RevmContract

PUBLISHERS = tuple(f"publisher {number}" for number in range(3))
CHAIN_ID = 31337


class RevmExecutor:
    """An Executor of deployment plans over a revm."""

    def __init__(self, evm: Evm, deployer: str = DEPLOYER) -> None:
        self._evm = evm
        self._deployer = deployer
        self.logs: list[Log] = []

    @property
    def deployer(self) -> str:
        return self._deployer

    def nonce(self) -> int:
        return int(self._evm.nonce(self._deployer))

    def code(self, address: str) -> bytes:
        return self._evm.code(address)

    def matches(self, contract: str, code: bytes) -> bool:
        """revm keeps code with zeros behind it."""
        runtime = self._evm.dictionary.artefacts[contract].runtime
        own, padding = code[: len(runtime)], code[len(runtime) :]
        return Artifact(contract, [], b"", runtime, "").matches(own) and not any(padding)

    def deploy(self, contract: str, args: Sequence[Any]) -> str:
        try:
            address = self._evm.deploy(contract, *args, sender=self._deployer).address
        except Reverted as error:
            raise Refused(str(error)) from None
        self.logs += self._evm.logs
        return address

    def view(self, contract: str, address: str, function: str, args: Sequence[Any]) -> Any:
        return self.send(contract, address, function, args)

    def send(self, contract: str, address: str, function: str, args: Sequence[Any]) -> Any:
        target = self._evm.at(contract, address)
        try:
            answer = getattr(target, function)(*args, sender=self._deployer)
        except Reverted as error:
            raise Refused(str(error)) from None
        self.logs += self._evm.logs
        return answer


@dataclass(frozen=True)
class System:
    """A deployed system and everything that tests do with it."""

    evm: Evm
    config: NetworkConfig
    book: AddressBook

    def contract(self, name: str, abi: str | None = None) -> RevmContract:
        return self.evm.at(abi or name, self.book.address(name))

    @property
    def authority(self) -> RevmContract:
        return self.contract("Authority")

    @property
    def oracle(self) -> RevmContract:
        return self.contract("OracleAdapter")

    @property
    def clearinghouse(self) -> RevmContract:
        return self.contract("Clearinghouse")

    @property
    def exchange(self) -> RevmContract:
        return self.contract("Exchange")

    @property
    def liquidator(self) -> RevmContract:
        return self.contract("Liquidator")

    @property
    def engine(self) -> RevmContract:
        return self.contract("JointScenarioEngine")

    @property
    def lens(self) -> RevmContract:
        return self.contract("Lens")

    @property
    def quorum(self) -> RevmContract:
        return self.contract("QuorumSource")

    def token(self, name: str) -> RevmContract:
        return self.evm.at("TestToken", self.book.asset(name).token)

    def aggregator(self, underlying: str) -> RevmContract:
        return self.contract(aggregator_name(self.config.underlying(underlying)), "MockAggregator")

    # ---- Prices ----

    def set_price(self, underlying: str, price: str | Decimal | int, refresh: bool = True) -> None:
        """Let the mock aggregator answer a price in dollars, and have it accepted."""
        chainlink = self.config.underlying(underlying).chainlink
        assert chainlink is not None
        self.aggregator(underlying).setAnswer(to_units(price, chainlink.decimals))
        if refresh:
            self.refresh(underlying)

    def refresh(self, *underlyings: str) -> None:
        """Refresh feeds from their push sources; all of them if none is named."""
        names = underlyings or tuple(self.book.underlyings)
        self.oracle.refresh([(self.book.underlying(name).id, []) for name in names])

    def republish(self) -> None:
        """Let every aggregator repeat its answer now, as its heartbeat would, and refresh."""
        for one in self.config.underlyings:
            mock = self.aggregator(one.name)
            mock.setAnswer(mock.latestRoundData()[1])
        self.refresh()

    def report(
        self, underlying: str, price: str, *, publishers: int = 2, **fields: int
    ) -> tuple[int, list[bytes]]:
        """An update of one feed with reports by so many publishers, made now."""
        entry = self.book.underlying(underlying)
        report = reports.Report(
            entry.id, to_wad(price), fields.pop("confidence", 0), self.evm.time, **fields
        )
        domain = reports.Domain(CHAIN_ID, self.quorum.address)
        keys = [self.evm.actor(role).key for role in PUBLISHERS[:publishers]]
        packed = reports.pack_update(reports.sign(report, domain, key) for key in keys)
        position = list(entry.sources).index("quorum")
        return entry.id, [b""] * position + [packed]

    def snapshot(self, underlying: str) -> Snapshot:
        return Snapshot.decode(self.oracle.snapshot(self.book.underlying(underlying).id))

    # ---- Traders ----

    def account(self, role: str, index: int = 0) -> AccountId:
        return AccountId.make(self.evm.actor(role).address, index)

    def fund(self, role: str, index: int = 0, **amounts: str) -> LocalAccount:
        """Mint tokens and deposit them: `fund("trader", cash="1000", WETH="2.5")`."""
        actor = self.evm.actor(role)
        for name, amount in amounts.items():
            asset = self.book.asset(self.book.cash_name if name == "cash" else name)
            units = to_units(amount, asset.decimals)
            token = self.evm.at("TestToken", asset.token)
            token.mint(actor, units)
            token.approve(self.clearinghouse, units, sender=actor)
            account = self.account(role, index)
            self.clearinghouse.deposit(account, asset.id, units, sender=actor)
        return actor

    def order(self, role: str, instrument: str, size: str, price: str, **fields: Any) -> Order:
        """An order of a role's account; sizes below zero sell."""
        known = {
            "account": self.account(role, fields.pop("index", 0)),
            "instrument": self.book.instrument(instrument),
            "size": to_wad(size),
            "limit_price": to_wad(price),
            "nonce": 0,
            "expiry": self.evm.time + 3600,
            "max_fee": to_wad("0.001"),
        }
        return Order(**(known | fields))

    def sign(self, role: str, order: Order) -> SignedOrder:
        return sign_order(order, self.domain, KeySigner(self.evm.actor(role)))

    @property
    def domain(self) -> Domain:
        return Domain(CHAIN_ID, self.exchange.address)

    def trade(self, taker: str, maker: str, instrument: str, size: str, price: str) -> None:
        """Fill an order of one role against one of another, in their next sequences of lane 0."""
        amount = to_wad(size)
        orders = [
            self.sign(role, self.order(role, instrument, text, price, nonce=self._sequence(role)))
            for role, text in ((taker, size), (maker, str(-Decimal(size))))
        ]
        taken, made = (order.as_tuple() for order in orders)
        self.exchange.settle(taken, [made], [abs(amount)], [])

    def _sequence(self, role: str) -> int:
        sequence, filled = self.exchange.lane(self.account(role), 0)
        return sequence + 1 if filled else sequence


def devnet_config(evm: Evm) -> NetworkConfig:
    """The devnet's configuration with publishers whose keys the tests have."""
    config = load_config(config_path("devnet"))
    assert config.quorum is not None
    signers = sorted((evm.actor(role).address for role in PUBLISHERS), key=lambda a: int(a, 16))
    return replace(config, quorum=replace(config.quorum, signers=tuple(signers)))


def deploy_system(evm: Evm, config: NetworkConfig | None = None) -> System:
    """Deploy everything by the plan of a configuration (the devnet's if none is given)."""
    chosen = devnet_config(evm) if config is None else config
    executor: Executor = RevmExecutor(evm)
    plan = make_plan(chosen, has_lens=LENS in evm.dictionary.artefacts)
    addresses = Runner(executor).run(plan)
    book = make_book(
        chosen, addresses, chain_id=CHAIN_ID, deployer=DEPLOYER, block=1, complete=True
    )
    return System(evm, chosen, book)
