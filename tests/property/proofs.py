"""The clock of flags, written out again: every proof is kept, and summed when it is asked for."""

from __future__ import annotations

from itertools import pairwise

from ballast.codec import AccountId

STEP = 300
LIFETIME = 3600


class Proofs:
    """The times at which each account was proven unhealthy since its flag began."""

    def __init__(self) -> None:
        self._times: dict[AccountId, list[int]] = {}

    def alive(self, account: AccountId, now: int) -> bool:
        """Whether there is a flag whose time still counts."""
        times = self._times.get(account)
        return bool(times) and now - times[-1] <= LIFETIME

    def prove(self, account: AccountId, now: int) -> int:
        """Note a proof; the seconds proven by then."""
        if not self.alive(account, now):
            self._times[account] = []
        times = self._times[account]
        times.append(now)
        return sum(min(later - earlier, STEP) for earlier, later in pairwise(times))

    def forget(self, account: AccountId) -> None:
        self._times.pop(account, None)

    def clear(self) -> None:
        self._times.clear()
