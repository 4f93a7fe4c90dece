"""From a folder of signed reports to updates that the chain will take.

A report counts if one of the publishers signed it for this QuorumSource and it is not dated ahead
of the chain. Of those, the newest ones that lie close enough together make an update, if they are
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ballast.oracle.reports import Domain, SignedReport, pack_update
from ballast.oracle.transport import read_reports

MAX_SPREAD = 60  # seconds between the reports of one update (QuorumSource)


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who may publish (addresses in lower case), and how many of them an update needs."""

    publishers: frozenset[str]
    threshold: int


class Dated(Protocol):
    """What a report says of itself."""

    @property
    def time(self) -> int: ...


class Signed(Protocol):
    """A report of whatever kind, and who signed it."""

    @property
    def report(self) -> Dated: ...

    @property
    def signer(self) -> str: ...


T = TypeVar("T", bound=Signed)


def choose(reports: Iterable[T], quorum: Quorum, now: int, max_age: int) -> list[T]:
    """The newest reports on one thing that make an update; none if they are too few.

    Each publisher's newest report within `max_age` of `now` counts. One that is far from the
    others, because its clock is wrong, is left out.
    """
    newest: dict[str, T] = {}
    for signed in reports:
        time, signer = signed.report.time, signed.signer.lower()
        if signer not in quorum.publishers or not now - max_age <= time <= now:
            continue
        if signer not in newest or newest[signer].report.time < time:
            newest[signer] = signed
    for latest in sorted({signed.report.time for signed in newest.values()}, reverse=True):
        near = [s for s in newest.values() if latest - MAX_SPREAD <= s.report.time <= latest]
        if len(near) >= quorum.threshold:
            return sorted(near, key=lambda signed: int(signed.signer, 16))
    return []


class ReportFolder:
    """The reports of a folder. Signatures are checked once for as long as no file changes."""

    def __init__(self, folder: Path, domain: Domain, quorum: Callable[[], Quorum]) -> None:
        self._folder = folder
        self._domain = domain
        self._ask_quorum = quorum
        self._seen: tuple[object, ...] = ()
        self._reports: list[SignedReport] = []
        self._quorum = Quorum(frozenset(), 1)

    def update(self, underlying: int, now: int, max_age: int) -> bytes:
        """The newest update on a feed; empty if there is none."""
        self._read(now)
        mine = (signed for signed in self._reports if signed.report.underlying == underlying)
        return pack_update(choose(mine, self._quorum, now, max_age))

    def _read(self, now: int) -> None:
        seen = (now, *self._files())
        if seen != self._seen:
            self._reports = read_reports(self._folder, self._domain, now)
            self._quorum = self._ask_quorum()
            self._seen = seen

    def _files(self) -> list[tuple[str, int]]:
        found = []
        for path in self._folder.glob("0x*.json"):
            try:
                found.append((path.name, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue  # its publisher removed it meanwhile
        return sorted(found)
