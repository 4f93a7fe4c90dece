"""A fresh deployment on an own chain whose every block is at a known time, so that gas repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from eth_utils.crypto import keccak
from web3.types import RPCEndpoint

from ballast.client.artifacts import ROOT
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.client import Client
from ballast.client.oracle import PriceUpdate
from ballast.client.orders import Order, SignedOrder, make_nonce, sign_order
from ballast.client.signers import KeySigner
from ballast.codec import AccountId, Instrument, VolatilitySlice
from ballast.deploy.addresses import make_book
from ballast.deploy.config_file import load_config
from ballast.deploy.names import LENS
from ballast.deploy.plan import make_plan
from ballast.deploy.run import Runner
from ballast.deploy.web3_executor import Web3Executor
from ballast.devnet.anvil import Anvil, dev_account
from ballast.oracle.reports import Domain, Report, pack_update, sign
from ballast.units import BPS, WAD
from ballast.volatility.reports import VolatilityDomain, VolatilityReport
from ballast.volatility.reports import pack_update as pack_slices
from ballast.volatility.reports import sign as sign_volatility

GENESIS = 1_760_000_000
BLOCK_SECONDS = 12
PUBLISHERS = (5, 6, 7)
ETHER = 10**18
FOREVER = 2**40
STRIKE_TICK = 50 * 10**8  # 50 of cash
SMILE = VolatilitySlice(a=500_000, b=6_000_000, rho=-200_000, mu=10_000, s=500_000)  # about 55 %
IMPACT_BPS = 5  # the perpetual trades this far above its index: funding is not zero


class Stage:
    """People, tokens, prices and trades on one deployment."""

    def __init__(self, anvil: Anvil) -> None:
        self._anvil = anvil
        self.rpc("anvil_setBlockTimestampInterval", BLOCK_SECONDS)
        self.deployer = KeySigner(dev_account(0))
        chain = Chain(anvil.web3)
        devnet = load_config(ROOT / "config" / "devnet.yaml")
        config = replace(devnet, rule=None)  # whose transactions would move every block's time
        runner = Runner(Web3Executor(chain, self.deployer))
        addresses = runner.run(make_plan(config, has_lens=LENS in chain.artifacts))
        self.client = Client(
            chain,
            make_book(
                config,
                addresses,
                chain_id=chain.chain_id,
                deployer=self.deployer.address,
                block=0,
                complete=True,
            ),
        )
        self._equip(self.deployer)

    def rpc(self, method: str, *values: object) -> Any:
        """A call of the node; its result."""
        answer: Mapping[str, Any] = self._anvil.web3.provider.make_request(
            RPCEndpoint(method), list(values)
        )
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    # ---- People ----

    def person(self, name: str) -> KeySigner:
        """A key of its own for each name, with money for gas and every token approved."""
        signer = KeySigner.from_key(keccak(text=name))
        if self.client.chain.nonce(signer.address):
            return signer
        self._anvil.web3.eth.send_transaction(
            {"from": self.deployer.address, "to": signer.address, "value": 100 * ETHER}  # type: ignore[typeddict-item]
        )
        self._equip(signer)
        return signer

    def _equip(self, signer: KeySigner) -> None:
        for asset in self.client.book.assets.values():
            house = self.client.book.address("Clearinghouse")
            self._token(signer, asset.token, "mint", signer.address, 10**9 * 10**asset.decimals)
            self._token(signer, asset.token, "approve", house, 2**256 - 1)

    def deposit(self, signer: KeySigner, asset: str, amount: int, index: int = 0) -> Receipt:
        """Deposit whole tokens into an account of one's own."""
        entry = self.client.book.asset(asset)
        call = Call(
            "Clearinghouse",
            self.client.book.address("Clearinghouse"),
            "deposit",
            (bytes(account_of(signer, index)), entry.id, amount * 10**entry.decimals),
        )
        return self.client.chain.send(signer, call)

    def _token(self, signer: KeySigner, token: str, function: str, *args: object) -> None:
        self.client.chain.send(signer, Call("TestToken", token, function, args))

    # ---- Prices ----

    def refresh(self, prices: Mapping[str, int]) -> None:
        """Every source of every feed says these dollars, and the adapter accepts."""
        updates = []
        for name, price in prices.items():
            entry = self.client.book.underlying(name)
            if entry.aggregator is None:
                raise RuntimeError(f"{name} has no aggregator")
            call = Call("MockAggregator", entry.aggregator, "setAnswer", (price * 10**8,))
            self.client.chain.send(self.deployer, call)
            updates.append(PriceUpdate(entry.id, (b"", self._quorum(entry.id, price * WAD))))
        self.client.oracle.refresh(self.deployer, updates)

    def _quorum(self, underlying: int, price: int) -> bytes:
        domain = Domain(self.client.book.chain_id, self.client.book.address("QuorumSource"))
        impact = price * (BPS + IMPACT_BPS) // BPS
        report = Report(
            underlying, price, price // BPS, self.client.chain.time, impact, impact + price // BPS
        )
        return pack_update(sign(report, domain, dev_account(one).key) for one in PUBLISHERS)

    # ---- Options ----

    def list_expiry(self, name: str, expiry: int) -> None:
        """Allow an expiry, and publish its volatility."""
        entry = self.client.book.underlying(name)
        self._send("OracleAdapter", "allowExpiry", entry.id, expiry, STRIKE_TICK)
        self.publish(name, expiry)

    def publish(self, name: str, expiry: int) -> None:
        """The publishers agree on the volatility of an expiry."""
        entry = self.client.book.underlying(name)
        quorum = self.client.book.address("VolatilityQuorum")
        domain = VolatilityDomain(self.client.book.chain_id, quorum)
        seen = replace(SMILE, time=self.client.chain.time)
        report = VolatilityReport(entry.id, expiry, seen)
        signed = [sign_volatility(report, domain, dev_account(one).key) for one in PUBLISHERS]
        self._send("OracleAdapter", "refreshVolatility", [(entry.id, expiry, pack_slices(signed))])

    def fair_price(self, series: Instrument) -> int:
        """What the engine that bounds fills says of an option, WAD."""
        address = self.client.book.address("JointScenarioEngine")
        answer = self.client.chain.view(
            Call("JointScenarioEngine", address, "fairPrice", (series.key,))
        )
        return int(answer[0])

    def _send(self, contract: str, function: str, *args: object) -> Receipt:
        call = Call(contract, self.client.book.address(contract), function, args)
        return self.client.chain.send(self.deployer, call)

    # ---- Trades ----

    def trade(
        self, taker: KeySigner, maker: KeySigner, market: str, size: int, sequence: int
    ) -> Receipt:
        """One taker's order against one maker's, at mark."""
        instrument = self.client.book.instrument(market)
        mark = self.client.oracle.snapshot(instrument.id).mark
        return self._fill((taker, maker), instrument, size, mark, make_nonce(1, sequence))

    def trade_option(
        self, taker: KeySigner, maker: KeySigner, series: Instrument, size: int, lane: int
    ) -> Receipt:
        """The same at the fair price, in the first orders of a lane."""
        price = self.fair_price(series)
        return self._fill((taker, maker), series, size, price, make_nonce(lane, 1))

    def _fill(
        self,
        sides: tuple[KeySigner, KeySigner],
        instrument: Instrument,
        size: int,
        price: int,
        nonce: int,
    ) -> Receipt:
        orders = [
            self._order(one, instrument, signed, price, nonce)
            for one, signed in zip(sides, (size, -size), strict=True)
        ]
        return self.client.exchange.settle(self.deployer, orders[0], orders[1:], [abs(size)])

    def _order(
        self, signer: KeySigner, instrument: Instrument, size: int, price: int, nonce: int
    ) -> SignedOrder:
        order = Order(
            account_of(signer),
            instrument,
            size,
            price,
            nonce,
            FOREVER,
            WAD // 100,
        )
        return sign_order(order, self.client.exchange.domain, signer)

    def ask_probe(self, function: str, *args: object) -> Any:
        """The answer of a library, and the gas that it took last."""
        call = Call("PricingProbe", self._probe, function, args)
        return self.client.chain.view(call)

    @cached_property
    def _probe(self) -> str:
        return Web3Executor(self.client.chain, self.deployer).deploy("PricingProbe", ())

    # ---- Traces ----

    def trace(self, receipt: Receipt) -> Mapping[str, Any]:
        """The steps of a transaction."""
        options = {"disableStorage": True, "disableMemory": True, "disableStack": True}
        found: Mapping[str, Any] = self.rpc("debug_traceTransaction", receipt.hash, options)
        return found

    def trace_view(self, contract: str, function: str, args: Sequence[object]) -> Mapping[str, Any]:
        """The steps of a view, every slot and address cold."""
        address = self.client.book.address(contract)
        data = self.client.chain.contract(contract, address).encode_abi(function, args=list(args))
        options = {"disableStorage": True, "disableMemory": True, "disableStack": True}
        call = {"to": address, "data": data}
        found: Mapping[str, Any] = self.rpc("debug_traceCall", call, "latest", options)
        return found


def account_of(signer: KeySigner, index: int = 0) -> AccountId:
    """An account of a signer."""
    return AccountId.make(signer.address, index)
