"""A node that misbehaves: a real HTTP proxy in front of another node, with a seed."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

_JSON = {"Content-Type": "application/json"}


class FlakyRpc:
    """Proxies `target`; each request suffers one fault with its probability. A context manager.

    `faults_of` gives every request of a method the same fault.
    `lies` replace answers: a method's name and what becomes of its result, for one request in
    `lie_every`.
    """

    def __init__(
        self,
        target: str,
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        lies: Mapping[str, Callable[[Any], Any]] | None = None,
        lie_every: int = 1,
    ) -> None:
        self.target = target
        self.faults = dict(faults or {})
        self.faults_of: dict[str, str] = {}
        self.lies = dict(lies or {})
        self.lie_every = lie_every
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Exchange):
            def do_POST(self) -> None:
                proxy.handle(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FlakyRpc:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, exchange: _Exchange) -> None:
        body = exchange.body()
        with self._lock:
            method = _method(body)
            fault = self.faults_of.get(method) or self._draw()
            self.counts["requests"] += 1
            self.counts[method] += 1
            if fault:
                self.counts[fault] += 1
        if fault in _BEFORE:
            _BEFORE[fault](exchange)
            return
        answer = requests.post(self.target, data=body, headers=_JSON, timeout=60).content
        answer = self._lied(body, answer)
        if fault in _AFTER:
            _AFTER[fault](exchange, answer)
        else:
            exchange.reply(200, answer)

    def _draw(self) -> str:
        roll = self._random.random()
        for name, probability in self.faults.items():
            roll -= probability
            if roll < 0:
                return name
        return ""

    def _lied(self, body: bytes, answer: bytes) -> bytes:
        if not self.lies:
            return answer
        asked, said = json.loads(body), json.loads(answer)
        if not isinstance(asked, dict) or asked["method"] not in self.lies or "result" not in said:
            return answer
        with self._lock:
            self.counts["candidates for a lie"] += 1
            if self.counts["candidates for a lie"] % self.lie_every:
                return answer
            self.counts["lies"] += 1
        said["result"] = self.lies[asked["method"]](said["result"])
        return json.dumps(said).encode()


class _Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def reply(self, status: int, answer: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _JSON["Content-Type"])
        self.send_header("Content-Length", str(len(answer) if length is None else length))
        self.end_headers()
        self.wfile.write(answer)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


def _method(body: bytes) -> str:
    asked = json.loads(body)
    return "batch" if isinstance(asked, list) else str(asked["method"])


def _late(exchange: _Exchange, answer: bytes) -> None:
    time.sleep(0.3)
    exchange.reply(200, answer)


# The request never arrives.
_BEFORE: dict[str, Callable[[_Exchange], None]] = {
    "dropped": lambda exchange: exchange.hang_up(),
    "limited": lambda exchange: exchange.reply(429, b'{"error": "slow down"}'),
    "broken": lambda exchange: exchange.reply(500, b"oops"),
}
# The request arrives, and its answer is lost or late.
_AFTER: dict[str, Callable[[_Exchange, bytes], None]] = {
    "late": _late,
    "lost": lambda exchange, _answer: exchange.hang_up(),
    "cut": lambda exchange, answer: exchange.reply(200, answer[: len(answer) // 2]),
}

ALL_FAULTS = tuple(_BEFORE) + tuple(_AFTER)


def evenly(share: float) -> dict[str, float]:
    """Every fault equally often, together in `share` of all requests."""
    return dict.fromkeys(ALL_FAULTS, share / len(ALL_FAULTS))
