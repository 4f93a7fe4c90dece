"""The stage of a campaign on anvil, through Ape: every transaction is in a block of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import ape
from eth_utils.address import to_checksum_address

from ballast.client.chain import Chain
from ballast.client.signers import KeySigner
from ballast.deploy.addresses import make_book
from ballast.deploy.names import LENS
from ballast.deploy.plan import make_plan
from ballast.deploy.run import Runner
from ballast.deploy.web3_executor import Web3Executor
from tests.property.stage import Probe, campaign_config
from tests.property.world import OWNERS
from tests.support.artefacts import load_ape
from tests.support.revm import Dictionary, Interface
from tests.support.system import CHAIN_ID, PUBLISHERS

ROLES = ("deployer", *OWNERS, *PUBLISHERS)


@dataclass
class Mark:
    """A snapshot of the chain; it is taken anew whenever it is returned to."""

    snapshot: Any


class AnvilStage:
    """The system on the node that Ape is connected to, deployed by the plan of a real one."""

    def __init__(self) -> None:
        self._provider = ape.chain.provider
        self._accounts = {
            role: ape.accounts.test_accounts[index] for index, role in enumerate(ROLES)
        }
        self._by_address = {one.address.lower(): one for one in self._accounts.values()}
        self.deployer = self._accounts["deployer"].address.lower()
        self.dictionary = Dictionary(load_ape())
        self.config = campaign_config(self)
        self.book = self._deploy()
        self._read_head()

    def _deploy(self) -> Any:
        node = Chain(self._provider.web3)
        signer = KeySigner.from_key(self._accounts["deployer"].private_key)
        plan = make_plan(self.config, has_lens=LENS in self.dictionary.artefacts)
        addresses = Runner(Web3Executor(node, signer)).run(plan)
        return make_book(
            self.config,
            addresses,
            chain_id=CHAIN_ID,
            deployer=signer.address,
            block=1,
            complete=True,
        )

    # ---- Time ----

    def _read_head(self) -> None:
        head = self._provider.get_block("latest")
        self._time, self._number, self._pending = head.timestamp, head.number, False

    @property
    def time(self) -> int:
        """Of the block that is being made, or of the last one."""
        return self._time + self._pending

    @property
    def number(self) -> int:
        return self._number + self._pending

    def advance(self, seconds: int) -> None:
        self._mine(self._time + max(seconds, 1))

    def _mine(self, time: int) -> None:
        ape.chain.mine(1, timestamp=time)
        self._time, self._number, self._pending = time, self._number + 1, False

    def begin_call(self) -> None:
        """The next transaction is a second after the last block."""
        self._pending = True

    def rest(self) -> None:
        self._pending = False

    # ---- State ----

    def snapshot(self) -> Mark:
        return Mark(ape.chain.snapshot())

    def revert(self, mark: Mark) -> None:
        ape.chain.restore(mark.snapshot)
        mark.snapshot = ape.chain.snapshot()
        self._read_head()

    # ---- Calls ----

    def contract(self, name: str, abi: str | None = None) -> AnvilContract:
        return self.at(abi or name, self.book.address(name))

    def at(self, abi: str, address: str) -> AnvilContract:
        return AnvilContract(self, self.dictionary.interface(abi), address.lower())

    def actor(self, role: str) -> Any:
        account = self._accounts[role]
        key = bytes.fromhex(account.private_key.removeprefix("0x"))
        return SimpleNamespace(address=account.address, key=key)

    def answers(self, probes: Sequence[Probe]) -> list[bytes]:
        web3: Any = self._provider.web3.provider
        requests = [
            (
                "eth_call",
                [{"to": to_checksum_address(address), "data": "0x" + data.hex()}, "latest"],
            )
            for address, data in probes
        ]
        responses = web3.make_batch_request(requests)
        return [bytes.fromhex(one["result"].removeprefix("0x")) for one in responses]

    def send(self, to: str, data: bytes, sender: str) -> None:
        """A transaction in the block that `begin_call` began. A call that the node refuses is not
        sent, since Ape would trace it for a second: an empty block takes its place."""
        account, receiver = self._by_address[sender.lower()], to_checksum_address(to)
        time = self._time + 1
        self._try_out({"from": account.address, "to": receiver, "data": "0x" + data.hex()}, time)
        ape.chain.pending_timestamp = time
        ecosystem = self._provider.network.ecosystem
        account.call(ecosystem.create_transaction(receiver=receiver, data=data))
        self._read_head()
        assert self._time == time

    def _try_out(self, call: dict[str, str], time: int) -> None:
        block = {"time": hex(time), "number": hex(self._number + 1)}
        web3: Any = self._provider.web3.provider
        response = web3.make_request("eth_call", [call, "latest", {}, block])
        if "error" in response:
            self._mine(time)
            data = response["error"]["data"]
            raise self.dictionary.explain(bytes.fromhex(data.removeprefix("0x")))


class AnvilContract:
    """A contract on the node, called as one in revm is."""

    def __init__(self, stage: AnvilStage, interface: Interface, address: str) -> None:
        self.stage = stage
        self.interface = interface
        self.address = address

    def __getattr__(self, name: str) -> AnvilMethod:
        return AnvilMethod(self, name)


class AnvilMethod:
    """A function of such a contract."""

    def __init__(self, contract: AnvilContract, name: str) -> None:
        self._contract = contract
        self._overloads = contract.interface.functions[name]

    def encode(self, *args: Any) -> bytes:
        return self._overloads[len(args)].encode(args)

    def __call__(self, *args: Any, sender: str | None = None) -> Any:
        function, stage = self._overloads[len(args)], self._contract.stage
        data = function.encode(args)
        if function.is_view:
            return function.decode(stage.answers([(self._contract.address, data)])[0])
        stage.send(self._contract.address, data, sender or stage.deployer)
        return None
