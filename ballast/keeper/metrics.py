"""What a keeper is asked by its monitoring: metrics for Prometheus and `/healthz`.

Served on the loopback interface alone. The text format is Prometheus' exposition format 0.0.4.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ballast.client.book import AddressBook
from ballast.keeper.boards import Boards
from ballast.keeper.decide import World
from ballast.keeper.loop import Step
from ballast.units import WAD

HOST = "127.0.0.1"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HELP: Mapping[str, tuple[str, str]] = {
    "up": ("gauge", "1 while steps succeed, 0 once none did for too long."),
    "last_step_timestamp_seconds": ("gauge", "When a step succeeded last."),
    "steps_total": ("counter", "Steps that succeeded."),
    "troubles_total": ("counter", "Steps that failed for a node or a contract."),
    "head_block": ("gauge", "Block that the last step looked at."),
    "head_age_seconds": ("gauge", "Age of that block when it was looked at."),
    "accounts": ("gauge", "Accounts watched."),
    "accounts_seen": ("gauge", "Accounts that the last step asked the chain about."),
    "accounts_liquidatable": ("gauge", "Accounts below their maintenance margin."),
    "liquidations_total": ("counter", "Liquidations carried out."),
    "liquidations_lost_total": ("counter", "Liquidations that another keeper won."),
    "reward_cash_total": ("counter", "Rewards of liquidations, cash."),
    "refreshes_total": ("counter", "Prices refreshed."),
    "gas_money_spent_total": ("counter", "Paid for gas, units of the chain's money."),
    "gas_money": ("gauge", "The signer's balance of the chain's money."),
    "equity_cash": ("gauge", "Equity of the keeper's own account, cash."),
    "price_age_seconds": ("gauge", "Age of each accepted price."),
    "slice_age_seconds": ("gauge", "Age of each accepted volatility slice."),
    "expiries_unfixed": ("gauge", "Expiries that are over and not settled."),
    "slices_total": ("counter", "Volatility slices refreshed."),
    "expiries_fixed_total": ("counter", "Expiries settled."),
    "accounts_settled_total": ("counter", "Accounts whose expired options became cash."),
    "rpc_errors_total": ("counter", "Failed requests to each node."),
    "notices_waiting": ("gauge", "Notices that are not delivered yet."),
}


@dataclass(slots=True)
class _Totals:
    steps: int = 0
    troubles: int = 0
    liquidations: int = 0
    lost: int = 0
    reward: int = 0
    refreshes: int = 0
    gas_money: int = 0
    slices: int = 0
    fixed: int = 0
    settled: int = 0
    rpc_errors: dict[str, int] = field(default_factory=dict)


class Metrics:
    """Collects what the loop tells it; any thread may ask."""

    def __init__(
        self,
        names: AddressBook,
        stall_seconds: float,
        clock: Callable[[], float] = time.time,
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        """No step in `stall_seconds` is ill health. `waiting` counts notices not delivered."""
        self._names = names
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._waiting = waiting
        self._lock = threading.Lock()
        self._totals = _Totals()
        self._started = clock()
        self._last = 0.0
        self._world: World | None = None
        self._step = Step()

    # ---- Told by the loop ----

    def stepped(self, world: World, step: Step) -> None:
        """A step succeeded; `world` is what it saw last."""
        with self._lock:
            totals = self._totals
            totals.steps += 1
            totals.liquidations += step.liquidated
            totals.lost += step.lost
            totals.reward += step.reward
            totals.refreshes += step.refreshed
            totals.gas_money += step.gas_money
            totals.slices += step.slices
            totals.fixed += step.fixed
            totals.settled += step.settled
            self._world, self._step, self._last = world, step, self._clock()

    def troubled(self) -> None:
        """A step failed."""
        with self._lock:
            self._totals.troubles += 1

    def rpc_error(self, node: str, _error: str) -> None:
        with self._lock:
            errors = self._totals.rpc_errors
            errors[node] = errors.get(node, 0) + 1

    # ---- Asked by the monitoring ----

    @property
    def healthy(self) -> bool:
        """Whether a step succeeded lately, or the keeper has only just begun."""
        return self._clock() - max(self._last, self._started) <= self._stall_seconds

    def health(self) -> dict[str, object]:
        """The body of `/healthz`."""
        age = round(self._clock() - self._last, 1) if self._last else None
        return {"healthy": self.healthy, "seconds_since_step": age}

    def render(self) -> str:
        """All metrics."""
        with self._lock:
            samples = list(self._samples())
        lines: list[str] = []
        for name, (kind, text) in _HELP.items():
            full = f"ballast_keeper_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
            lines += [f"{full}{label} {value!r}" for n, label, value in samples if n == name]
        return "\n".join(lines) + "\n"

    def _samples(self) -> Iterator[tuple[str, str, float]]:
        totals = self._totals
        yield "up", "", int(self.healthy)
        yield "last_step_timestamp_seconds", "", self._last
        yield "steps_total", "", totals.steps
        yield "troubles_total", "", totals.troubles
        yield "liquidations_total", "", totals.liquidations
        yield "liquidations_lost_total", "", totals.lost
        yield "reward_cash_total", "", totals.reward / WAD
        yield "refreshes_total", "", totals.refreshes
        yield "gas_money_spent_total", "", totals.gas_money / WAD
        yield "slices_total", "", totals.slices
        yield "expiries_fixed_total", "", totals.fixed
        yield "accounts_settled_total", "", totals.settled
        yield "notices_waiting", "", self._waiting()
        for node, count in totals.rpc_errors.items():
            yield "rpc_errors_total", _label(node=node), count
        if self._world is not None:
            yield from self._sight(self._world)

    def _sight(self, world: World) -> Iterator[tuple[str, str, float]]:
        yield "head_block", "", world.block
        yield "head_age_seconds", "", max(0.0, self._last - world.now)
        yield "accounts", "", self._step.accounts
        yield "accounts_seen", "", len(world.accounts)
        short = [one for one in world.accounts if one.known and one.equity < one.maintenance]
        yield "accounts_liquidatable", "", len(short)
        yield "gas_money", "", world.gas_money / WAD
        yield "equity_cash", "", world.keeper.equity / WAD
        for feed in world.feeds:
            name = self._names.underlying_name(feed.underlying)
            if feed.state.snapshot.price:
                yield "price_age_seconds", _label(feed=name), feed.state.snapshot.age(world.now)
        yield from self._boards(self._step.boards)

    def _boards(self, boards: Boards) -> Iterator[tuple[str, str, float]]:
        for view in boards.views:
            name = self._names.underlying_name(view.underlying)
            yield "expiries_unfixed", _label(feed=name), len(view.over(boards.now))
            for expiry, age in view.ages(boards.now).items():
                yield "slice_age_seconds", _label(feed=name, expiry=str(expiry)), age


def _label(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items()) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class MetricsServer:
    """`/metrics` and `/healthz` in a thread of their own. Use it as a context manager."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, kind, body = _answer(metrics, self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a request is no news."""

        self._server = ThreadingHTTPServer((HOST, port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> MetricsServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(metrics: Metrics, path: str) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE, metrics.render().encode()
    if path == "/healthz":
        health = metrics.health()
        body = json.dumps(health).encode() + b"\n"
        return (200 if health["healthy"] else 503), "application/json", body
    return 404, "text/plain", b"there are /metrics and /healthz\n"
