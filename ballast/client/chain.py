"""A connection to a chain: views, batches of views, transactions with readable failures."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import RPCEndpoint

from ballast.client.artifacts import Artifacts, load_artifacts
from ballast.client.errors import ChainError, ContractError, ErrorDecoder, TransactionReverted
from ballast.client.sender import Sender
from ballast.client.signers import Signer

GAS_MARGIN_PERCENT = 25


@dataclass(frozen=True)
class Call:
    """A function of a contract with its arguments; `contract` names the ABI."""

    contract: str
    address: str
    function: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What a transaction did. `cost` is what its gas cost, wei."""

    hash: str
    block: int
    gas_used: int
    contract_address: str | None
    logs: Sequence[Mapping[str, Any]] = field(repr=False, default=())
    cost: int = 0


class Chain:
    """One node. Every failure of a call is a ContractError with the contract's own words."""

    def __init__(
        self, web3: Web3, artifacts: Artifacts | None = None, sender: Sender | None = None
    ) -> None:
        self.web3 = web3
        self.sender = sender or Sender(web3)
        self.artifacts = load_artifacts() if artifacts is None else artifacts
        self.errors = ErrorDecoder(self.artifacts.values())
        self._contracts: dict[tuple[str, str], Contract] = {}

    @classmethod
    def connect(cls, url: str, artifacts: Artifacts | None = None) -> Chain:
        web3 = Web3(HTTPProvider(url))
        if not web3.is_connected():
            raise ChainError(f"no node answers at {url}")
        return cls(web3, artifacts)

    @property
    def chain_id(self) -> int:
        return int(self.web3.eth.chain_id)

    @property
    def block_number(self) -> int:
        return int(self.web3.eth.block_number)

    @property
    def time(self) -> int:
        """The timestamp of the newest block."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def code(self, address: str) -> bytes:
        return bytes(self.web3.eth.get_code(to_checksum_address(address)))

    def balance(self, address: str) -> int:
        """What an address has of the chain's own money, in its smallest units."""
        return int(self.web3.eth.get_balance(to_checksum_address(address)))

    def nonce(self, address: str) -> int:
        return int(self.web3.eth.get_transaction_count(to_checksum_address(address), "pending"))

    def contract(self, name: str, address: str) -> Contract:
        key = (name, address)
        if key not in self._contracts:
            self._contracts[key] = self.web3.eth.contract(
                address=to_checksum_address(address),
                abi=self.artifacts[name].abi,
            )
        return self._contracts[key]

    # ---- Views ----

    def view(self, call: Call, block: int | None = None) -> Any:
        """The answer of a view, structs as named tuples."""
        function = self._function(call)
        try:
            answer = function.call(block_identifier="latest" if block is None else block)
        except ContractLogicError as error:
            raise self._explain(error) from None
        outputs = function.abi["outputs"]
        if len(outputs) == 1:
            return _named(outputs[0], answer)
        return [_named(part, value) for part, value in zip(outputs, answer, strict=True)]

    def batch(self, calls: Sequence[Call], block: int | None = None) -> list[Any]:
        """The answers of many views in one request; a refused one answers its ContractError."""
        if not calls:
            return []
        functions = [self._function(call) for call in calls]
        requests = [
            (
                RPCEndpoint("eth_call"),
                [
                    {"to": function.address, "data": function._encode_transaction_data()},
                    "latest" if block is None else hex(block),
                ],
            )
            for function in functions
        ]
        provider: Any = self.web3.provider
        responses = provider.make_batch_request(requests)
        if not isinstance(responses, list) or len(responses) != len(calls):
            raise ChainError(f"the node refused a batch of {len(calls)} calls: {responses}")
        return [self._answer(f, r) for f, r in zip(functions, responses, strict=True)]

    def _answer(self, function: Any, response: Any) -> Any:
        if "error" in response:
            return self.errors.explain(_revert_data(response["error"].get("data")))
        data = bytes.fromhex(response["result"].removeprefix("0x"))
        if not data:
            return ContractError(f"no contract answers at {function.address}")
        outputs = function.abi["outputs"]
        values = self.web3.codec.decode([str(collapse_if_tuple(part)) for part in outputs], data)
        named = [_named(part, value) for part, value in zip(outputs, values, strict=True)]
        return named[0] if len(named) == 1 else named

    def _function(self, call: Call) -> Any:
        contract = self.contract(call.contract, call.address)
        return contract.get_function_by_name(call.function)(*call.args)

    def calldata(self, call: Call) -> bytes:
        """What a transaction with this call carries."""
        return bytes.fromhex(self._function(call)._encode_transaction_data().removeprefix("0x"))

    def decode(self, contract: str, address: str, data: bytes) -> tuple[str, dict[str, Any]]:
        """The function that calldata names, and its arguments by name."""
        function, args = self.contract(contract, address).decode_function_input(cast(Any, data))
        return str(function.fn_name), dict(args)

    # ---- Transactions ----

    def send(self, signer: Signer, call: Call) -> Receipt:
        """Send a call as a transaction and wait until it is in a block."""
        function = self._function(call)
        return self._transact(
            signer, {"to": function.address, "data": function._encode_transaction_data()}
        )

    def deploy(self, signer: Signer, name: str, args: Sequence[Any]) -> Receipt:
        """Deploy a contract by its name."""
        artifact = self.artifacts[name]
        if not artifact.bytecode:
            raise ChainError(f"{name} is abstract and cannot be deployed")
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        data = factory.constructor(*args).data_in_transaction
        return self._transact(signer, {"data": data})

    def simulate(self, call: Call, sender: str) -> int:
        """The gas that a transaction would need; raises ContractError if it would fail."""
        function = self._function(call)
        transaction = {"to": function.address, "data": function._encode_transaction_data()}
        return self._estimate({**transaction, "from": sender})

    def recover(self, signer: Signer) -> Receipt | None:
        """What became of the transaction that an earlier run left outstanding.

        Raises ContractError if it failed in its block; None if there is none, or never will be.
        """
        raw = self.sender.recover(signer)
        return None if raw is None else self._result(raw)

    def _transact(self, signer: Signer, transaction: dict[str, Any]) -> Receipt:
        plain = {**transaction, "value": 0}
        gas = self._estimate({**plain, "from": signer.address})
        limit = gas + gas * GAS_MARGIN_PERCENT // 100
        return self._result(self.sender.send(signer, {**plain, "gas": limit}))

    def _estimate(self, transaction: dict[str, Any]) -> int:
        try:
            return int(self.web3.eth.estimate_gas(cast(Any, transaction)))
        except ContractLogicError as error:
            raise self._explain(error) from None
        except Web3RPCError as error:
            raise ChainError(f"the node refused the transaction: {error.message}") from None

    def _result(self, raw: Mapping[str, Any]) -> Receipt:
        gas_used = int(raw["gasUsed"])
        receipt = Receipt(
            hash="0x" + bytes(raw["transactionHash"]).hex(),
            block=int(raw["blockNumber"]),
            gas_used=gas_used,
            contract_address=raw.get("contractAddress"),
            logs=raw["logs"],
            cost=gas_used * int(raw.get("effectiveGasPrice", 0)),
        )
        if raw["status"] == 0:
            reason = self._failure(receipt)
            raise TransactionReverted(reason, receipt.hash, gas_used, receipt.cost)
        return receipt

    def _failure(self, receipt: Receipt) -> ContractError:
        """Why a transaction failed in its block: repeat it on the state before."""
        sent = self.web3.eth.get_transaction(cast(Any, receipt.hash))
        again = {"from": sent["from"], "data": sent["input"]}
        if sent.get("to") is not None:
            again["to"] = sent["to"]
        try:
            self.web3.eth.call(cast(Any, again), receipt.block - 1)
        except ContractLogicError as error:
            return self._explain(error)
        return ContractError(f"transaction {receipt.hash} failed, but passes a block before")

    def _explain(self, error: ContractLogicError) -> ContractError:
        return self.errors.explain(_revert_data(error.data))


def _revert_data(data: Any) -> bytes:
    """Revert data as nodes give it: hex, or an object around it."""
    if isinstance(data, Mapping):
        data = data.get("data")
    if not isinstance(data, str) or not data.startswith("0x"):
        return b""
    return bytes.fromhex(data[2:])


def _named(part: Mapping[str, Any], value: Any) -> Any:
    """A decoded value with its structs as named tuples, as single views give them."""
    kind = part["type"]
    if not kind.startswith("tuple"):
        return value
    if kind != "tuple":
        item = {**part, "type": kind.rpartition("[")[0]}
        return [_named(item, one) for one in value]
    fields = tuple(component["name"] for component in part["components"])
    pairs = zip(part["components"], value, strict=True)
    return _struct(fields)(*(_named(component, one) for component, one in pairs))


@cache
def _struct(fields: tuple[str, ...]) -> Any:
    make: Any = namedtuple
    return make("Struct", fields, rename=True)
