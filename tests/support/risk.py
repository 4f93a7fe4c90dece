"""The joint-scenario engine in revm over a board of prices, and books to try it on."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from ballast.codec import Collateral, Perp, Snapshot
from ballast.model.margin import Margin
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.units import WAD
from tests.support.artefacts import Artefacts, compile_standard_json
from tests.support.revm import DEPLOYER, Evm

TARGETS = (
    "contracts/risk/JointScenarioEngine.sol",
    "contracts/mocks/MockPriceBoard.sol",
    "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
)

ETH, BTC, COIN, DOLLAR = 1, 2, 3, 4
WETH, STAKED_ETH, WBTC, STABLE = 1, 2, 3, 4

PARAMETERS = Parameters(
    underlyings={
        ETH: UnderlyingRisk(2, 100, 200, 30, 50, 1000, 30, 6000),
        BTC: UnderlyingRisk(2, 100, 200, 30, 50, 1000, 30, 5000),
        COIN: UnderlyingRisk(3, 200, 400, 30, 50, 1000, 30, 6000),
        DOLLAR: UnderlyingRisk(4, 0, 0, 0, 0, 0, 0, 3000),
    },
    assets={
        WETH: AssetRisk(ETH, 18, 0, 0),
        STAKED_ETH: AssetRisk(ETH, 18, 250, 500),
        WBTC: AssetRisk(BTC, 8, 100, 100),
        STABLE: AssetRisk(DOLLAR, 6, 100, 200),
    },
)


@cache
def artefacts() -> Artefacts:
    return compile_standard_json(targets=TARGETS)


class RiskWorld:
    """An engine that the deployer governs, with the parameters above."""

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        self.evm = Evm(artefacts())
        self.manager = self.evm.deploy("AccessManager", DEPLOYER)
        self.board = self.evm.deploy("MockPriceBoard")
        self.engine = self.evm.deploy("JointScenarioEngine", self.manager, self.board, self.board)
        self.parameters = parameters
        self.prices: dict[int, Snapshot] = {}
        self.slices: dict[tuple[int, int], int] = {}
        self.means: dict[tuple[int, int], tuple[int, int]] = {}
        for underlying, risk in parameters.underlyings.items():
            self.engine.setUnderlying(underlying, risk.as_tuple())
        for asset, risk in parameters.assets.items():
            self.board.setAsset(asset, risk.decimals, risk.underlying)
            self.engine.setAsset(asset, risk.haircut, risk.extra_haircut)

    @property
    def now(self) -> int:
        return self.evm.time

    def price(self, underlying: int, snapshot: Snapshot) -> None:
        self.prices[underlying] = snapshot
        self.board.setSnapshot(underlying, snapshot.encode())

    def snapshot(self, underlying: int) -> Snapshot:
        return self.prices.get(underlying, Snapshot())

    def publish(self, underlying: int, expiry: int, word: int) -> None:
        """Set the volatility slice of an expiry."""
        self.slices[underlying, expiry] = word
        self.board.setSlice(underlying, expiry, word)

    def settling(self, underlying: int, expiry: int, elapsed: int, mean: int) -> None:
        """Set what is known of a settlement mean."""
        self.means[underlying, expiry] = (elapsed, mean)
        self.board.setSettlementMean(underlying, expiry, elapsed, mean)

    def slice(self, underlying: int, expiry: int) -> int:
        return self.slices.get((underlying, expiry), 0)

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self.means.get((underlying, expiry), (0, 0))

    def assess(self, cash: int, words: list[int], mode: int = 0) -> Margin:
        return Margin(*self.engine.assess(cash, mode, words))

    def assess_at(self, cash: int, words: list[int], underlying: int, spot: int) -> Margin:
        return Margin(*self.engine.assessAt(cash, words, underlying, spot))

    def given(self, cash: int, words: list[int]) -> tuple[Any, ...]:
        """The same question for the mirror."""
        return cash, words, self.snapshot, self.parameters, self.now


def fresh(now: int, price: int, **fields: int) -> Snapshot:
    """A snapshot of `price` whole units of cash, fresh now, unless told otherwise."""
    standard = {
        "stable": price * WAD,
        "time": now,
        "max_age": 3600,
        "range_maintenance": 22 * WAD // 100,
        "range_initial": 22 * WAD // 100,
    }
    return Snapshot(price=price * WAD, **{**standard, **fields})


# ---- Random books -----------------------------------------------------------------------------


@st.composite
def snapshots(draw: st.DrawFn, now: int) -> Snapshot:
    """Any price the oracle could hold: also stale, suspect, wide, pumped, of another premium."""
    price = draw(st.integers(10**4, 2 * 10**14)) * 10**12
    return Snapshot(
        price=price,
        stable=price * draw(st.integers(80, 120)) // 100 // 10**6 * 10**6,
        time=now - draw(st.sampled_from([0, 0, 0, 1, 600, 3600, 86_400, 10**7])),
        max_age=draw(st.sampled_from([0, 60, 3600])),
        confidence=draw(st.integers(0, 4095)) * 10**13,
        range_maintenance=draw(st.integers(0, 6000)) * 10**14,
        range_initial=draw(st.integers(0, 8191)) * 10**14,
        premium=draw(st.integers(-(2**21), 2**21 - 1)),
        wide=draw(st.booleans()) and draw(st.booleans()),
        suspect=draw(st.booleans()) and draw(st.booleans()),
    )


def markets(now: int) -> st.SearchStrategy[dict[int, Snapshot]]:
    """A price for every underlying."""
    return st.fixed_dictionaries({name: snapshots(now) for name in (ETH, BTC, COIN, DOLLAR)})


SIZES = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(10**5), 10**5).map(lambda n: n * WAD // 7),
)
PERPS = st.builds(Perp, st.sampled_from([ETH, BTC, COIN]), SIZES, st.integers(-(10**24), 10**24))
COLLATERAL = st.one_of(
    st.builds(Collateral, st.sampled_from([WETH, STAKED_ETH]), st.integers(0, 10**23)),
    st.builds(Collateral, st.just(WBTC), st.integers(0, 10**13)),
    st.builds(Collateral, st.just(STABLE), st.integers(0, 10**13)),
)
CASH = st.integers(-(10**25), 10**25)


@st.composite
def books(draw: st.DrawFn, most: int = 10) -> list[int]:
    """Words of an account, sometimes with a position that is hedged almost to nothing."""
    held = draw(st.lists(st.one_of(PERPS, COLLATERAL), max_size=most - 1))
    words = [position.encode() for position in held]
    perps = [position for position in held if isinstance(position, Perp)]
    if perps and draw(st.booleans()):
        first = perps[0]
        words.append(Perp(first.underlying, draw(st.integers(-2, 2)) - first.size, 0).encode())
    return words
