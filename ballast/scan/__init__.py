"""Whom to look at after a price tick: every account in float64 first, the few in doubt exactly.

book = Book(parameters.assets)           # once, and whenever accounts change:
book.put({account: stored, …})
moment = Moment.of(state, snapshots, parameters, now)
found = scan(book, moment)               # misses nobody: see `ballast.scan.tick` for the proof
confirm(book, moment, found.candidates)  # the exact integers have the last word
"""

from __future__ import annotations

from ballast.scan.book import Book
from ballast.scan.moment import Moment
from ballast.scan.tick import Confirmed, Scan, confirm, scan

__all__ = ["Book", "Confirmed", "Moment", "Scan", "confirm", "scan"]
