"""Random options and slices, for tests of the engines."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from ballast.codec import Option, Settlement, Snapshot, VolatilitySlice
from ballast.units import WAD
from tests.support.risk import BTC, COIN, ETH

DAY = 24 * 3600
STRIKE_UNIT = 10**10
TERMS = (-600, 0, 60, 1000, 1800, 86_400, 7 * DAY, 90 * DAY, 400 * DAY)
NAMES = (ETH, BTC, COIN)
SIZES = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(10**5), 10**5).map(lambda n: n * WAD // 7),
)


def calm(now: int, **fields: int) -> VolatilitySlice:
    """A slice of some 55 % at the money, published now."""
    standard = {"a": 5_000_000, "b": 6_000_000, "rho": -200_000, "mu": 10_000, "s": 500_000}
    return VolatilitySlice(**{**standard, "time": now, "max_age": 3600, **fields})


def slices(now: int) -> st.SearchStrategy[int]:
    """Words of an expiry: never published, fresh, overdue, steep, flat, or settled."""
    published = st.builds(
        VolatilitySlice,
        a=st.integers(-(10**7), 10**9),
        b=st.integers(0, 10**8),
        rho=st.integers(-999_999, 999_999),
        mu=st.integers(-500_000, 500_000),
        s=st.integers(1000, 3_000_000),
        forward=st.one_of(st.just(10**8), st.integers(5 * 10**7, 2 * 10**8)),
        time=st.sampled_from([now, now, now - 100, now - 86_400, now - 10**7]),
        max_age=st.sampled_from([60, 3600]),
    ).map(VolatilitySlice.encode)
    settled = st.integers(0, 10**24).map(lambda price: Settlement(price).encode())
    return st.one_of(st.just(0), published, published, published, settled)


@dataclass(frozen=True, slots=True)
class Surface:
    """Words and settlement means of every expiry that a book may name."""

    words: dict[tuple[int, int], int]
    means: dict[tuple[int, int], tuple[int, int]]


@st.composite
def surfaces(draw: st.DrawFn, now: int, *, known: bool = False) -> Surface:
    """A word for each underlying and term; a mean for those near expiry."""
    words, means = {}, {}
    for underlying in NAMES:
        for term in TERMS:
            key = underlying, now + term
            word = draw(slices(now))
            words[key] = word or (calm(now).encode() if known else 0)
            elapsed = draw(st.sampled_from([0, 1, 900, max(0, 1800 - max(0, term)), 1800]))
            means[key] = elapsed, draw(st.integers(0, 10**23)) if elapsed else 0
    return Surface(words, means)


@st.composite
def options(draw: st.DrawFn, now: int, prices: dict[int, Snapshot]) -> int:
    """An option at, near or far from the money."""
    underlying = draw(st.sampled_from(NAMES))
    ratio = draw(st.one_of(st.integers(70, 140), st.sampled_from([1, 10, 99, 101, 1000, 10**6])))
    strike = prices[underlying].price * ratio // 100 // STRIKE_UNIT
    strike = min(max(strike, 1), 2**71 - 1)
    expiry = now + draw(st.sampled_from(TERMS))
    size = draw(SIZES)
    return Option(underlying, expiry, strike * STRIKE_UNIT, draw(st.booleans()), size).encode()
