"""How long the keeper's scan takes: a crowd of accounts, the same every time, at a price tick."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TypeVar

import numpy as np

from ballast.codec import PRICE_UNIT, AccountId, Instrument, Snapshot, VolatilitySlice
from ballast.model.accounts import Stored
from ballast.model.interest import INDEX_ONE
from ballast.model.words import KIND_OPTION, collateral_word, kind, option_word, perp_word
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.scan import Book, Moment, Scan, confirm, scan
from ballast.units import WAD

T = TypeVar("T")

SCAN_REPORT = "scan.json"
ACCOUNTS = 100_000
PERPS, COLLATERALS = 7, 3
POSITIONS = PERPS + COLLATERALS
TARGET = 1.0  # seconds
SEED = 1
NOW = 1_760_000_000
REPEATS = 7
CHANGED = 100  # accounts of an incremental update
TICK_BPS = -300
PRICES = (100_000, 2_500, 150, 40, 12, 3, 1, 1)  # of the underlyings 1 … 8; the last is a dollar
DECIMALS = {1: 8, 2: 18, 3: 18, 4: 18, 5: 6, 8: 6}
RANGES = (22, 22, 30, 30, 40, 40, 40, 2)  # percent
OPTIONS = 10
OPTION_SHARE = 4  # one account in so many holds options, and nothing else but cash
OPTION_UNDERLYINGS = 4
TERMS = (1, 2, 7, 14, 30, 60, 90, 180)  # days
STRIKES = tuple(range(50, 170, 6))  # percent of the price
DAY = 86_400
NEAR = 0.01  # of MM: how near to it an account with options is always checked
SAMPLE = 101  # one in so many of the others is checked; odd, so that it meets those with options
PARAMETERS = Parameters(
    underlyings={
        name: UnderlyingRisk(2, 100, 200, 30, 50, 1000, 30, 6000)
        for name in range(1, len(PRICES) + 1)
    },
    assets={
        name: AssetRisk(name, decimals, haircut=200, extra_haircut=200)
        for name, decimals in DECIMALS.items()
    },
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What it was measured on."""

    cpu: str
    cores: int
    python: str
    numpy: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, the best of several.

    `exact_seconds` is the exact mirror over `checked` accounts: all without options, of the others
    the candidates, those near MM and a sample. `series` are the distinct ones that are held.
    """

    seconds: float
    accounts: int
    positions: int
    option_accounts: int
    series: int
    candidates: int
    liquidatable: int
    checked: int
    missed: int
    build_seconds: float
    update_seconds: float
    updated_accounts: int
    confirm_seconds: float
    exact_seconds: float
    machine: Machine


def this_machine() -> Machine:
    """The machine that this runs on."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return Machine(
        cpu=names[0] if names else platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        numpy=np.__version__,
    )


# ---- The crowd --------------------------------------------------------------------------------


def moment_after(tick_bps: int) -> Moment:
    """Every price but the dollar's moved by the tick; marks, funding and indices that differ."""
    prices = {
        name: _snapshot(price, RANGES[name - 1], tick_bps if name < len(PRICES) else 0)
        for name, price in enumerate(PRICES, start=1)
    }
    funding = {name: PRICES[name - 1] * WAD // 10**4 for name in prices}
    indices = (INDEX_ONE * 103 // 100, INDEX_ONE * 105 // 100)
    return Moment(NOW, prices.__getitem__, PARAMETERS, funding, *indices, Volatility())


class Volatility:
    """One slice for every expiry, of some 55 % at the money."""

    WORD = VolatilitySlice(
        a=500_000, b=6_000_000, rho=-200_000, mu=10_000, s=500_000, time=NOW, max_age=3600
    ).encode()

    def slice(self, underlying: int, expiry: int) -> int:
        return self.WORD

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return 0, 0


def _snapshot(price: int, percent: int, tick_bps: int) -> Snapshot:
    wad = price * WAD * (10**4 + tick_bps) // 10**4 // PRICE_UNIT * PRICE_UNIT
    scan_range = percent * WAD // 100
    return Snapshot(
        price=wad,
        stable=wad,
        time=NOW,
        max_age=3600,
        range_maintenance=scan_range,
        range_initial=scan_range,
        premium=10_000,
    )


def crowd(count: int, seed: int = SEED) -> dict[AccountId, Stored]:
    """Accounts of seven perpetuals entered at the price, three collaterals, and cash or debt.

    Every fourth holds ten options and cash instead.
    """
    random = Random(seed)
    makers = [_option_account, *[_account] * (OPTION_SHARE - 1)]
    return {
        AccountId(index.to_bytes(20, "big") + bytes(12)): makers[index % OPTION_SHARE](random)
        for index in range(1, count + 1)
    }


def _option_account(random: Random) -> Stored:
    """Options bought and sold on two underlyings; cash is a part of what they are about."""
    names = random.sample(range(1, OPTION_UNDERLYINGS + 1), 2)
    words: dict[int, int] = {}
    gross = 0
    while len(words) < OPTIONS:
        underlying = random.choice(names)
        price = PRICES[underlying - 1]
        expiry = NOW + random.choice(TERMS) * DAY
        strike = price * WAD * random.choice(STRIKES) // 100
        series = Instrument.option(underlying, expiry, strike, random.random() < 0.5).key
        if series not in words:
            money = random.randrange(-(10**5), 10**5) * WAD
            gross += abs(money)
            words[series] = option_word(series, money // price)
    return Stored(gross * random.randrange(100, 1000) // 1000, words=tuple(words.values()))


def _account(random: Random) -> Stored:
    """Equity is a tenth of the gross value or more: few are short of margin after the tick."""
    words, gross, collateral = [], 0, 0
    for underlying in random.sample(range(1, len(PRICES) + 1), PERPS):
        money = random.randrange(-(10**5), 10**5) * WAD
        gross += abs(money)
        words.append(perp_word(underlying, money // PRICES[underlying - 1], -money))
    for asset in random.sample(sorted(DECIMALS), COLLATERALS):
        money = random.randrange(10**4) * WAD
        collateral += money
        amount = money // PRICES[asset - 1] * 10 ** DECIMALS[asset] // WAD
        words.append(collateral_word(asset, amount))
    equity = (gross + collateral) * random.randrange(140, 1000) // 1000
    return Stored(scaled=equity - collateral, words=tuple(words))


# ---- The clock --------------------------------------------------------------------------------


def measure_scan(count: int = ACCOUNTS, repeats: int = REPEATS) -> Timings:
    """Build a book of a crowd, scan it after a tick, confirm; then ask the mirror of many."""
    accounts = crowd(count)
    changed = crowd(min(count, CHANGED), SEED + 1)
    book = Book(PARAMETERS.assets)
    build_seconds, _ = timed(lambda: book.put(accounts))
    moment = moment_after(TICK_BPS)
    seconds, (found, candidates) = timed(lambda: _scanned(book, moment), repeats)
    checked = _checked(book, found)
    confirm_seconds, confirmed = timed(lambda: confirm(book, moment, candidates))
    exact_seconds, exact = timed(lambda: confirm(book, moment, checked))
    update_seconds, _ = timed(lambda: book.put(changed), repeats)
    return Timings(
        seconds=seconds,
        accounts=count,
        positions=POSITIONS,
        option_accounts=sum(map(_has_options, accounts.values())),
        series=len([c for c in book.held if book.instruments[c].expiry is not None]),
        candidates=len(candidates),
        liquidatable=len(confirmed),
        checked=len(checked),
        missed=len({one.account for one in exact} - set(candidates)),
        build_seconds=build_seconds,
        update_seconds=update_seconds,
        updated_accounts=len(changed),
        confirm_seconds=confirm_seconds,
        exact_seconds=exact_seconds,
        machine=this_machine(),
    )


def _scanned(book: Book, moment: Moment) -> tuple[Scan, list[AccountId]]:
    found = scan(book, moment)
    return found, found.candidates


def _checked(book: Book, found: Scan) -> list[AccountId]:
    """Whom the mirror is asked of."""
    near = found.equity - found.maintenance < NEAR * found.maintenance + found.bound
    return [
        account
        for row, account in enumerate(book.accounts)
        if near[row] or row % SAMPLE == 0 or not _has_options(book.stored(account))
    ]


def _has_options(stored: Stored) -> bool:
    return any(kind(word) == KIND_OPTION for word in stored.words)


def timed(work: Callable[[], T], repeats: int = 1) -> tuple[float, T]:
    """The best of several times, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        started = perf_counter()
        result = work()
        best = min(best, perf_counter() - started)
    return best, result


def scan_report(timings: Timings) -> Mapping[str, object]:
    """The timings, seconds to a tenth of a millisecond."""
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(timings).items()
    }
