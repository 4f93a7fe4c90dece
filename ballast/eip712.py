"""The EIP-712 domains of our contracts: each has a name of its own, all are of one version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ContractDomain:
    """One contract that checks signatures; its kind is a subclass with the name."""

    NAME: ClassVar[str]
    VERSION: ClassVar[str] = "1"

    chain_id: int
    contract: str

    def as_dict(self) -> dict[str, object]:
        """The domain as typed data spells it."""
        return {
            "name": self.NAME,
            "version": self.VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }
