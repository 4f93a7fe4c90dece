"""Changes that wait: scheduled with the Authority, shown, executed, cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ballast.client.book import AddressBook
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.errors import ContractError, show
from ballast.client.events import scan
from ballast.client.signers import Signer
from ballast.deploy.arguments import function_entry, parse_arguments
from ballast.deploy.config import NetworkConfig
from ballast.deploy.expiries import ALLOW, absent_expiries, allow_arguments, day
from ballast.deploy.names import AUTHORITY, ORACLE

_MUST_WAIT = "AccessManagerNotScheduled"
_MAY_NOT = ("AccessManagedUnauthorized", "AccessManagerUnauthorizedAccount")
_ID_DIGITS = 10


class GovernError(Exception):
    """A change that cannot be scheduled, executed or cancelled."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A scheduled call; times in unix seconds."""

    id: str
    nonce: int
    ready: int
    expires: int
    caller: str
    target: str
    data: bytes

    def state(self, now: int) -> str:
        """What can be done with it."""
        if now >= self.expires:
            return "expired"
        return "ready" if now >= self.ready else f"waits {self.ready - now:,} s"


def waiting(events: Iterable[tuple[str, Mapping[str, Any]]], expiration: int) -> list[Operation]:
    """What was scheduled and neither executed nor cancelled, the next one first."""
    found: dict[bytes, Operation] = {}
    for name, args in events:
        if name == "OperationScheduled":
            found[args["operationId"]] = Operation(
                id="0x" + args["operationId"].hex(),
                nonce=args["nonce"],
                ready=args["schedule"],
                expires=args["schedule"] + expiration,
                caller=args["caller"],
                target=args["target"],
                data=args["data"],
            )
        elif name in ("OperationExecuted", "OperationCanceled"):
            found.pop(args["operationId"], None)
    return sorted(found.values(), key=lambda operation: operation.ready)


class Governor:
    """The Authority of one deployment."""

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        self._chain = chain
        self._book = book
        self.address = book.address(AUTHORITY)

    def call(self, target: str, function: str, given: Sequence[str]) -> Call:
        """A call of a contract of the address book, with arguments as people write them."""
        address = self._book.address(target)
        entry = function_entry(self._chain.artifacts[target], function)
        return Call(target, address, function, parse_arguments(entry, given, self._book))

    def submit(self, signer: Signer, call: Call, at: int = 0) -> Operation | None:
        """Make a call, or schedule it if the signer has to wait; None if it was made.

        `at` is the earliest time to execute it, at least the delay from now; zero for the delay.
        """
        try:
            self._chain.simulate(call, signer.address)
        except ContractError as error:
            if error.name in _MAY_NOT:
                raise GovernError(
                    f"{signer.address} may not call {call.contract}.{call.function}"
                ) from None
            if error.name != _MUST_WAIT:
                raise
        else:
            if at:
                raise GovernError(f"{signer.address} needs not wait: it cannot schedule")
            self._chain.send(signer, call)
            return None
        data = self._chain.calldata(call)
        self._send(signer, "schedule", call.address, data, at)
        return next(
            operation
            for operation in reversed(self.operations())
            if operation.data == data
            and operation.target.lower() == call.address.lower()
            and operation.caller.lower() == signer.address.lower()
        )

    def allow_expiries(self, signer: Signer, config: NetworkConfig) -> Iterator[str]:
        """Allow, schedule or execute every expiry that a configuration wants; a line on each."""
        address = self._book.address(ORACLE)
        waits = {(one.target.lower(), one.data): one for one in self.operations()}

        def live(underlying: int) -> list[int]:
            return list(self._chain.view(Call(ORACLE, address, "liveExpiries", (underlying,))))

        for name, expiries in absent_expiries(config, live, self._chain.time).items():
            underlying = config.underlying(name)
            assert underlying.options is not None
            for expiry in expiries:
                args = allow_arguments(underlying.id, underlying.options, expiry)
                call = Call(ORACLE, address, ALLOW, args)
                waiting = waits.get((address.lower(), self._chain.calldata(call)))
                yield f"expiry {day(expiry)} of {name}: {self._advance(signer, call, waiting)}"

    def _advance(self, signer: Signer, call: Call, waiting: Operation | None) -> str:
        """Make, schedule or execute a call, as far as it can be by now; what came of it."""
        if waiting is None or waiting.state(self._chain.time) == "expired":
            operation = self.submit(signer, call)
            return "allowed" if operation is None else f"scheduled as {operation.id[:_ID_DIGITS]}"
        state = waiting.state(self._chain.time)
        if state != "ready" or waiting.caller.lower() != signer.address.lower():
            return f"{waiting.id[:_ID_DIGITS]} of {waiting.caller} {state}"
        self.execute(signer, waiting)
        return "allowed"

    def operations(self) -> list[Operation]:
        """Everything that waits."""
        expiration = self._chain.view(Call(AUTHORITY, self.address, "expiration"))
        events = scan(self._chain, AUTHORITY, self.address, self._book.block)
        return waiting(((event.name, event.args) for event in events), expiration)

    def find(self, prefix: str) -> Operation:
        """The waiting operation whose id begins so."""
        found = [one for one in self.operations() if one.id.startswith(prefix.lower())]
        if len(found) != 1:
            raise GovernError(f"{len(found)} waiting operations have ids that begin with {prefix}")
        return found[0]

    def execute(self, signer: Signer, operation: Operation) -> Receipt:
        """Execute what is ready; the caller must be who scheduled it."""
        state = operation.state(self._chain.time)
        if state != "ready":
            raise GovernError(f"{operation.id[:_ID_DIGITS]} is not ready: it {state}")
        return self._send(signer, "execute", operation.target, operation.data)

    def cancel(self, signer: Signer, operation: Operation) -> Receipt:
        """Cancel: whoever scheduled it, the guardian of its role, or an admin."""
        return self._send(signer, "cancel", operation.caller, operation.target, operation.data)

    def describe(self, operation: Operation) -> str:
        """One line for people: what, by whom, when."""
        names = {address.lower(): name for name, address in self._book.contracts.items()}
        target = names.get(operation.target.lower(), operation.target)
        what = self._decode(target, operation) if target in self._chain.artifacts else "?"
        state = operation.state(self._chain.time)
        return f"{operation.id[:_ID_DIGITS]}  {state}  {target}.{what}  by {operation.caller}"

    def _decode(self, target: str, operation: Operation) -> str:
        function, args = self._chain.decode(target, operation.target, operation.data)
        shown = ", ".join(f"{name}={show(value)}" for name, value in args.items())
        return f"{function}({shown})"

    def _send(self, signer: Signer, function: str, *args: Any) -> Receipt:
        return self._chain.send(signer, Call(AUTHORITY, self.address, function, args))
