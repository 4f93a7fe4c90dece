"""Events of a contract, read in pieces that nodes accept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from web3.exceptions import Web3RPCError

from ballast.client.chain import Chain, Receipt
from ballast.client.errors import ChainError

CHUNK_BLOCKS = 2_000


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event and where it happened."""

    name: str
    args: Mapping[str, Any]
    block: int
    transaction: str
    index: int


def scan(
    chain: Chain,
    contract: str,
    address: str,
    first: int,
    *,
    last: int | None = None,
    names: Sequence[str] = (),
    chunk: int = CHUNK_BLOCKS,
) -> Iterator[Event]:
    """Events of blocks `first` … `last` in their order; all of them unless `names` says which.

    Halves the piece whenever the node refuses it for its size.
    """
    end = chain.block_number if last is None else last
    start = first
    while start <= end:
        stop = min(start + chunk - 1, end)
        try:
            logs = _logs(chain, address, start, stop)
        except Web3RPCError as error:
            if chunk == 1:
                raise ChainError(f"no logs of block {start}: {error.message}") from None
            chunk = max(1, chunk // 2)
            continue
        yield from decode_logs(chain, contract, logs, names)
        start = stop + 1


def decode_logs(
    chain: Chain, contract: str, logs: Sequence[Mapping[str, Any]], names: Sequence[str] = ()
) -> list[Event]:
    """The logs that are events of the contract."""
    events = []
    topics = _topics(chain, contract)
    for log in logs:
        found = topics.get(bytes(log["topics"][0])) if log["topics"] else None
        if found is None or (names and found.event_name not in names):
            continue
        decoded = found.process_log(cast(Any, log))
        events.append(
            Event(
                name=str(decoded["event"]),
                args=dict(decoded["args"]),
                block=int(decoded["blockNumber"]),
                transaction="0x" + bytes(decoded["transactionHash"]).hex(),
                index=int(decoded["logIndex"]),
            )
        )
    return events


def receipt_events(chain: Chain, contract: str, address: str, receipt: Receipt) -> list[Event]:
    """The events that a contract emitted in a transaction."""
    mine = [log for log in receipt.logs if str(log["address"]).lower() == address.lower()]
    return decode_logs(chain, contract, mine)


def _logs(chain: Chain, address: str, start: int, stop: int) -> Sequence[Mapping[str, Any]]:
    criteria = {"address": address, "fromBlock": start, "toBlock": stop}
    return cast(Any, chain.web3.eth.get_logs(cast(Any, criteria)))


def _topics(chain: Chain, contract: str) -> dict[bytes, Any]:
    found = chain.web3.eth.contract(abi=chain.artifacts[contract].abi)
    return {
        bytes.fromhex(event.topic.removeprefix("0x")): event() for event in cast(Any, found.events)
    }
