"""An OracleAdapter in revm with sources that echo, a funding sink and an access manager."""

from __future__ import annotations

from functools import lru_cache

import pyrevm
from eth_abi.abi import encode

from ballast.codec import Snapshot
from ballast.oracle.mirror import FeedConfig, Observation
from tests.support.artefacts import Artefacts, compile_standard_json
from tests.support.revm import DEPLOYER, Evm, RevmContract

CASH = 0
ETH = 1
CHAIN_ID = 31337
ZERO_ADDRESS = "0x" + 40 * "0"

TARGETS = (
    "contracts/oracle/OracleAdapter.sol",
    "contracts/oracle/sources/ChainlinkSource.sol",
    "contracts/oracle/sources/PythSource.sol",
    "contracts/oracle/sources/QuorumSource.sol",
    "contracts/oracle/sources/ShareRateSource.sol",
    "contracts/mocks/BrokenAggregator.sol",
    "contracts/mocks/BrokenPyth.sol",
    "contracts/mocks/MockAggregator.sol",
    "contracts/mocks/MockFundingSink.sol",
    "contracts/mocks/MockPriceSource.sol",
    "contracts/mocks/ShareVaults.sol",
    "contracts/interfaces/IFeedRegistry.sol",
    "contracts/periphery/TestToken.sol",
    "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
    "node_modules/@openzeppelin/contracts/utils/cryptography/ECDSA.sol",
    "node_modules/@pythnetwork/pyth-sdk-solidity/MockPyth.sol",
)


@lru_cache(maxsize=1)
def artefacts() -> Artefacts:
    return compile_standard_json(targets=TARGETS)


class OracleWorld:
    """One adapter that the deployer governs, with `sources` sources that echo their data."""

    def __init__(self, sources: int, *, grace: int | None = None) -> None:
        """`grace` gives the chain a sequencer with a feed that says when it is up."""
        self.evm = Evm(artefacts(), chain_id=CHAIN_ID)
        self.manager = self.deploy("AccessManager", DEPLOYER)
        self.sink = self.deploy("MockFundingSink")
        self.sequencer = None
        if grace is not None:
            self.sequencer = self.deploy("MockAggregator", 0, "Sequencer uptime", 0)
        feed = self.sequencer or ZERO_ADDRESS
        self.adapter = self.deploy("OracleAdapter", self.manager, self.sink, feed, grace or 0)
        self.sources = [self.deploy("MockPriceSource") for _ in range(sources)]
        self.source_addresses = tuple(source.address for source in self.sources)
        self.stranger = self.evm.actor("stranger").address.lower()

    def deploy(self, name: str, *args: object) -> RevmContract:
        return self.evm.deploy(name, *args)

    @property
    def now(self) -> int:
        return self.evm.time

    @property
    def block(self) -> int:
        return self.evm.number

    def advance(self, seconds: int, blocks: int = 1) -> None:
        number = self.evm.number + blocks
        self.evm.time += seconds
        self.evm.number = number

    def remove_code(self, contract: RevmContract) -> None:
        """What a self-destruct leaves."""
        bare = pyrevm.AccountInfo(nonce=1, code=b"")
        self.evm._evm.insert_account_info(contract.address, bare)

    def configure(self, underlying: int, config: FeedConfig, sender: str = DEPLOYER) -> None:
        self.adapter.configureFeed(underlying, config.as_tuple(), sender=sender)

    def refresh(self, underlying: int, *seen: Observation) -> None:
        self.refresh_all((underlying, list(seen)))

    def refresh_all(self, *feeds: tuple[int, list[Observation]]) -> None:
        self.adapter.refresh([(name, [echo(one) for one in seen]) for name, seen in feeds])

    def snapshot_word(self, underlying: int) -> int:
        return int(self.adapter.snapshot(underlying))

    def snapshot(self, underlying: int) -> Snapshot:
        return Snapshot.decode(self.snapshot_word(underlying))


def echo(seen: Observation) -> bytes:
    """What makes a MockPriceSource answer `seen`."""
    fields = (seen.price, seen.confidence, seen.time, seen.impact_bid, seen.impact_ask)
    return encode(["uint256"] * 5, fields)
