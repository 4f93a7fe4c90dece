"""One process for each key: two would write over each other's outstanding transaction."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ballast.keeper.loop import KeeperError


@contextmanager
def sole_process(file: Path) -> Iterator[None]:
    """Holds the lock of a file; KeeperError if another process does.

    The lock ends with the process, however that ends. The file stays: one that is deleted while it
    is locked would let a third process in.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise KeeperError(
                f"process {held.read().strip() or 'unknown'} keeps with the same key and state "
                f"already ({file}): stop it, or name another --state"
            ) from None
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
        yield
