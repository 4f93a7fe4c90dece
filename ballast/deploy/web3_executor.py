"""Runs a plan on a chain, over web3.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3.exceptions import BadFunctionCallOutput, Web3ValueError

from ballast.client.chain import Call, Chain
from ballast.client.errors import ChainError, ContractError
from ballast.client.signers import Signer
from ballast.deploy.run import DeployError, Refused


class Web3Executor:
    """An Executor that signs every step as a transaction."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self.first_block: int | None = None
        self.gas_used = 0

    @property
    def deployer(self) -> str:
        return self._signer.address

    def nonce(self) -> int:
        return self._chain.nonce(self.deployer)

    def code(self, address: str) -> bytes:
        return self._chain.code(address)

    def matches(self, contract: str, code: bytes) -> bool:
        return self._chain.artifacts[contract].matches(code)

    def deploy(self, contract: str, args: Sequence[Any]) -> str:
        try:
            receipt = self._chain.deploy(self._signer, contract, args)
        except ContractError as error:
            raise Refused(str(error)) from None
        except ChainError as error:
            raise DeployError(f"deploy {contract}: {error}") from None
        self._count(receipt.gas_used, receipt.block)
        if receipt.contract_address is None:
            raise DeployError(f"deploy {contract}: the node names no address")
        return receipt.contract_address

    def view(self, contract: str, address: str, function: str, args: Sequence[Any]) -> Any:
        try:
            return self._chain.view(Call(contract, address, function, tuple(args)))
        except ContractError as error:
            raise Refused(str(error)) from None
        except BadFunctionCallOutput:
            raise Refused(f"{contract} at {address} has no {function}") from None
        except Web3ValueError as error:
            raise DeployError(f"{contract}.{function}: {error}") from None

    def send(self, contract: str, address: str, function: str, args: Sequence[Any]) -> None:
        try:
            receipt = self._chain.send(self._signer, Call(contract, address, function, tuple(args)))
        except ContractError as error:
            raise Refused(str(error)) from None
        except ChainError as error:
            raise DeployError(f"{contract}.{function}: {error}") from None
        self._count(receipt.gas_used, receipt.block)

    def _count(self, gas: int, block: int) -> None:
        self.gas_used += gas
        if self.first_block is None:
            self.first_block = block
