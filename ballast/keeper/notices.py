"""Notices of margin: one message to a webhook whenever an account's state gets to be another.

The state of an account and the notice of its change are written in one SQLite transaction, so a
restart neither forgets one nor makes it twice. A thread of its own delivers them in their order and
tries again until each is taken: the loop never waits for the receiver. A notice whose answer was
lost is delivered again under the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import requests

from ballast.keeper.decide import AccountView, World
from ballast.keeper.loop import Step

SIGNATURE_HEADER = "X-Ballast-Signature"
ID_HEADER = "X-Ballast-Notice"
TIMEOUT_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0

_SCHEMA = """
create table if not exists states (account text primary key, state text not null);
create table if not exists notices (id integer primary key autoincrement, body text not null);
"""


class State(Enum):
    """What an account may do (specification §7.1)."""

    OPEN = "open"
    REDUCE_ONLY = "reduce-only"
    MARGIN_CALL = "margin call"
    LIQUIDATION = "liquidation"
    BANKRUPT = "bankrupt"


def state_of(account: AccountView) -> State:
    """The state of an account that could be valued, as the Lens names it."""
    call = min(-(-account.maintenance * 11 // 10), account.initial)
    if account.equity < 0:
        return State.BANKRUPT
    if account.equity < account.maintenance:
        return State.LIQUIDATION
    if account.equity < call:
        return State.MARGIN_CALL
    return State.REDUCE_ONLY if account.equity < account.initial else State.OPEN


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notices go, and the secret that signs them."""

    url: str
    secret: bytes

    def sign(self, body: bytes) -> str:
        """The value of the signature header: HMAC-SHA256 over the body as it is sent."""
        return "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()


class Notices:
    """States and notices of one chain in one file."""

    def __init__(self, file: Path, chain_id: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._chain_id = chain_id
        with closing(self._open()) as database:
            database.executescript(_SCHEMA)

    def stepped(self, world: World, _step: Step) -> None:
        """Writes a notice for every account whose state got to be another, but open."""
        self.note(world.accounts, world.block, world.now)

    def troubled(self) -> None:
        """A step that failed saw nothing."""

    def note(self, accounts: Iterable[AccountView], block: int, now: int) -> None:
        """Accounts that could not be valued keep their states."""
        with closing(self._open()) as database, database:
            known = dict(database.execute("select account, state from states"))
            for account in accounts:
                state = state_of(account)
                before = known.get(account.id.hex, State.OPEN.value)
                if not account.known or state.value == before:
                    continue
                row = (account.id.hex, state.value)
                database.execute("insert or replace into states values (?, ?)", row)
                if state is not State.OPEN:
                    body = self._body(account, state, before, block, now)
                    database.execute("insert into notices (body) values (?)", (body,))

    def first(self) -> tuple[int, str] | None:
        """The oldest notice that is not delivered."""
        with closing(self._open()) as database:
            found = database.execute("select id, body from notices order by id limit 1").fetchone()
        return None if found is None else (int(found[0]), str(found[1]))

    def delivered(self, notice: int) -> None:
        with closing(self._open()) as database, database:
            database.execute("delete from notices where id = ?", (notice,))

    def waiting(self) -> int:
        """How many are not delivered."""
        with closing(self._open()) as database:
            return int(database.execute("select count(*) from notices").fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=30)

    def _body(self, account: AccountView, state: State, before: str, block: int, now: int) -> str:
        """Money is WAD, as text: JSON numbers would round it."""
        return json.dumps(
            {
                "chain_id": self._chain_id,
                "account": account.id.hex,
                "state": state.value,
                "before": before,
                "equity": str(account.equity),
                "initial": str(account.initial),
                "maintenance": str(account.maintenance),
                "block": block,
                "time": now,
            }
        )


class Courier:
    """Delivers notices in a thread of its own. Use it as a context manager."""

    def __init__(
        self,
        notices: Notices,
        receiver: Receiver,
        log: Callable[[str], None] = print,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._notices = notices
        self._receiver = receiver
        self._log = log
        self._first_pause = first_pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the delivery that is under way; what is left stays in the file."""
        self._stop.set()
        self._thread.join(TIMEOUT_SECONDS + 1)

    def flush(self, seconds: float) -> bool:
        """Whether everything was delivered within some time."""
        deadline = time.monotonic() + seconds
        while self._notices.waiting():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if self._deliver_first():
                failures = 0
                continue
            pause = min(LONGEST_PAUSE, self._first_pause * 2.0**failures)
            failures += 1
            self._stop.wait(random.uniform(pause / 2, pause))

    def _deliver_first(self) -> bool:
        """Delivers the oldest, or waits a moment for one. False if it should be tried again."""
        try:
            notice = self._notices.first()
            if notice is not None:
                return self._deliver(*notice)
        except sqlite3.Error as error:
            self._log(f"notices wait: {error}")
            return False
        self._stop.wait(self._first_pause)
        return True

    def _deliver(self, notice: int, text: str) -> bool:
        body = json.dumps({"id": notice, **json.loads(text)}).encode()
        headers = {
            "Content-Type": "application/json",
            ID_HEADER: str(notice),
            SIGNATURE_HEADER: self._receiver.sign(body),
        }
        try:
            answer = requests.post(
                self._receiver.url,
                data=body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            self._log(f"notice {notice} waits: {type(error).__name__}")
            return False
        if not 200 <= answer.status_code < 300:
            self._log(f"notice {notice} waits: the receiver answers {answer.status_code}")
            return False
        self._notices.delivered(notice)
        return True
