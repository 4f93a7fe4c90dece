"""Several nodes of one chain behind one web3 provider: repeats, back-off, fail-over.

Only requests that may be repeated are: reads, and signed transactions, which a node takes once. A
node that fails rests for a while; one of another chain, or far behind the others, is not believed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ballast.client.errors import ChainError

T = TypeVar("T")

MAX_LAG = 3  # blocks behind the others
CHECK_SECONDS = 15.0
WRONG_SECONDS = 300.0
TIMEOUT_SECONDS = 10.0

_REPEATABLE = ("eth_", "net_", "web3_")
_ONCE = ("eth_sendTransaction",)
# What a node that is busy or not yet up to date says; another attempt may succeed.
_BUSY_CODES = (-32005, 429)
_BUSY_WORDS = ("rate limit", "too many requests", "header not found", "unknown block", "timed out")


class _BadAnswerError(Exception):
    """An answer that is none, or that says to come again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long the pauses are (seconds, doubled each round)."""

    tries: int = 6
    first_pause: float = 0.2
    longest_pause: float = 5.0

    def pause(self, rounds: int) -> float:
        """With jitter: programs that failed together do not come back together."""
        longest = min(self.longest_pause, self.first_pause * 2.0**rounds)
        return random.uniform(longest / 2, longest)


@dataclass(slots=True, eq=False)
class Node:
    """One URL. It is not asked before `rests_until`."""

    name: str
    provider: HTTPProvider
    rests_until: float = 0.0
    failures: int = 0
    head: int | None = field(default=None)


def open_node(url: str, timeout: float = TIMEOUT_SECONDS) -> Node:
    """A node by its URL. Its name leaves out what may be a key: path, query and password."""
    kwargs = {"timeout": timeout}
    provider = HTTPProvider(url, request_kwargs=kwargs, exception_retry_configuration=None)
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return Node(f"{parts.hostname or url}{port}", provider)


class Nodes(JSONBaseProvider):
    """A web3 provider over nodes in the order of preference."""

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int | None = None,
        *,
        patience: Patience | None = None,
        trouble: Callable[[str, str], None] = lambda _node, _error: None,
        check_seconds: float = CHECK_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """`trouble` gets the name of a node and what was wrong with its answer."""
        super().__init__()
        self.nodes = [open_node(url, timeout) for url in urls]
        self._chain_id = chain_id
        self._patience = patience or Patience()
        self._trouble = trouble
        self._check_seconds = check_seconds
        self._next_check = 0.0

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer of the first node that gives one. ChainError if none does."""

        def ask(node: Node) -> RPCResponse:
            return _checked(node.provider.make_request(method, params))

        repeatable = method.startswith(_REPEATABLE) and method not in _ONCE
        return self._ask(ask, self._patience.tries if repeatable else 1)

    def make_batch_request(
        self, batch_requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """The answers to reads, in order. ChainError if no node gives them."""

        def ask(node: Node) -> list[RPCResponse] | RPCResponse:
            answers = node.provider.make_batch_request(batch_requests)
            if not isinstance(answers, list):
                return _checked(answers)
            if len(answers) != len(batch_requests):
                raise _BadAnswerError(f"{len(answers)} answers to {len(batch_requests)} requests")
            return [_checked(answer) for answer in answers]

        return self._ask(ask, self._patience.tries)

    def heads(self) -> dict[str, int]:
        """The newest block of each node that could be asked at the last check."""
        return {node.name: node.head for node in self.nodes if node.head is not None}

    # ---- One request --------------------------------------------------------------------------

    def _ask(self, ask: Callable[[Node], T], tries: int) -> T:
        last = "no attempt was made"
        for attempt in range(tries):
            if attempt and attempt % len(self.nodes) == 0:
                time.sleep(self._patience.pause(attempt // len(self.nodes) - 1))
            node = self._choose()
            try:
                answer = ask(node)
            except _FAILURES as error:
                last = f"{node.name}: {_words(error)}"
                self._failed(node, _words(error))
                continue
            node.failures = 0
            return answer
        raise ChainError(f"no node gives an answer; last {last}")

    def _choose(self) -> Node:
        """The first that is not resting; else the one whose rest is over first."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + self._check_seconds
            self._check()
        awake = [node for node in self.nodes if node.rests_until <= now]
        return awake[0] if awake else min(self._believed(), key=lambda node: node.rests_until)

    def _believed(self) -> list[Node]:
        """The nodes of the right chain. ChainError if there are none."""
        horizon = time.monotonic() + WRONG_SECONDS / 2
        found = [node for node in self.nodes if node.rests_until < horizon]
        if not found:
            raise ChainError(f"no node is of chain {self._chain_id}")
        return found

    def _failed(self, node: Node, why: str) -> None:
        self._trouble(node.name, why)
        node.rests_until = time.monotonic() + self._patience.pause(node.failures)
        node.failures += 1

    # ---- Which nodes are believed ---------------------------------------------------------------

    def _check(self) -> None:
        """Asks every node for its chain and its head, and lets those rest that are off."""
        for node in self.nodes:
            node.head = self._head(node)
        known = sorted(node.head for node in self.nodes if node.head is not None)
        if not known:
            return
        # The upper median: one node that invents a head does not make all others look late.
        reference = known[len(known) // 2]
        for node in self.nodes:
            if node.head is not None and node.head < reference - MAX_LAG:
                self._trouble(node.name, f"head {node.head} is behind {reference}")
                node.rests_until = time.monotonic() + self._check_seconds

    def _head(self, node: Node) -> int | None:
        """None if the node does not answer, or is of another chain."""
        try:
            chain_id = self._number(node, "eth_chainId")
            if self._chain_id not in (None, chain_id):
                self._trouble(node.name, f"is of chain {chain_id}, not {self._chain_id}")
                node.rests_until = time.monotonic() + WRONG_SECONDS
                return None
            return self._number(node, "eth_blockNumber")
        except _FAILURES as error:
            self._failed(node, _words(error))
            return None

    @staticmethod
    def _number(node: Node, method: str) -> int:
        answer = _checked(node.provider.make_request(RPCEndpoint(method), []))
        return int(cast(str, answer["result"]), 16)


# Transport, HTTP status, no JSON, JSON of another shape.
_FAILURES = (OSError, ValueError, KeyError, TypeError, _BadAnswerError)


def _checked(answer: Any) -> Any:
    """An answer of JSON-RPC, unless it asks to come again."""
    if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
        raise _BadAnswerError(f"not an answer: {str(answer)[:80]}")
    error = answer.get("error")
    if error is None:
        return answer
    code, message = (error.get("code"), str(error.get("message"))) if error else (None, "")
    if code in _BUSY_CODES or any(word in message.lower() for word in _BUSY_WORDS):
        raise _BadAnswerError(message)
    return answer


def _words(error: Exception) -> str:
    """Without the URL, which a message of `requests` would repeat."""
    if isinstance(error, requests.RequestException):
        status = "" if error.response is None else f" {error.response.status_code}"
        return type(error).__name__ + status
    return f"{type(error).__name__}: {error}"[:160]
