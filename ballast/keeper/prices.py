"""From a folder of signed reports to updates that the chain will take.

A report counts if one of the publishers signed it for this QuorumSource and it is not dated ahead
of the chain. Of those, the newest ones that lie close enough together make an update, if they are
enough. A broken or forged file is named once and does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ballast.oracle.reports import SignedReport

MAX_SPREAD = 60  # seconds between the reports of one update (QuorumSource)


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who may publish, and how many of them an update needs."""

    publishers: frozenset[str]
    threshold: int


def choose(
    reports: Iterable[SignedReport], quorum: Quorum, now: int, max_age: int
) -> list[SignedReport]:
    """The newest reports on one underlying that make an update; none if they are too few.

    Each publisher's newest report within `max_age` of `now` counts. One that is far from the
    others, because its clock is wrong, is left out.
    """
    newest: dict[str, SignedReport] = {}
    for signed in reports:
        time = signed.report.time
        if signed.signer not in quorum.publishers or not now - max_age <= time <= now:
            continue
        if signed.signer not in newest or newest[signed.signer].report.time < time:
            newest[signed.signer] = signed
    for latest in sorted({signed.report.time for signed in newest.values()}, reverse=True):
        near = [s for s in newest.values() if latest - MAX_SPREAD <= s.report.time <= latest]
        if len(near) >= quorum.threshold:
            return sorted(near, key=lambda signed: int(signed.signer, 16))
    return []
