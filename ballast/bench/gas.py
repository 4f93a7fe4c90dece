"""The gas of every road that users pay for, each with its preconditions (docs/specification.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ballast.bench.profile import execution_gas, profile
from ballast.bench.stage import GENESIS, Stage, account_of
from ballast.client.chain import Receipt
from ballast.client.signers import KeySigner
from ballast.codec import Instrument
from ballast.devnet.anvil import Anvil
from ballast.risk import option_kernel as kernel
from ballast.risk.logarithm import ln
from ballast.units import WAD

ETH = 1
DAY, EIGHT = 86_400, 8 * 3600
EXPIRIES = 2
ETH_START, ETH_FALLEN, BTC_START = 2500, 2240, 100_000
MOVES = (-22, -16, -11, -5, 0, 5, 11, 16, 22, -66, -33, 50, 100, 300)  # of a scan range of 22 %


@dataclass(frozen=True, slots=True)
class View:
    """An account whose margin is viewed."""

    key: str
    options: int
    expiries: int
    is_full: bool = False
    """Whether it holds a perpetual and two collaterals besides."""
    is_netted: bool = False
    """Whether calls and puts share their strikes."""


VIEWS = (
    View("im_view_1", 1, 1),
    View("im_view_10", 10, 2),
    View("im_view_32", 32, 4),
    View("im_view_64", 61, 8, is_full=True),
    View("im_view_64_netted", 61, 8, is_full=True, is_netted=True),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A road: its target, the closest peer's figures (rule-based, portfolio), what holds before."""

    key: str
    target: int
    peer: str
    preconditions: str


ROWS = (
    Row("cash_deposit_first", 85_000, "236,953", "new account; the Clearinghouse holds cash"),
    Row("cash_deposit_repeat", 65_000, "139,698", "the account holds cash"),
    Row("collateral_deposit_first", 105_000, "239,662", "new account; WETH held for others"),
    Row("collateral_deposit_repeat", 68_000, "164,200", "the account holds WETH"),
    Row(
        "perp_open_1x1",
        200_000,
        "1,152,295 / 1,658,951",
        "both accounts hold cash only; new lanes; others hold positions in the market; funding and "
        "fees not zero; prices fresh",
    ),
    Row(
        "perp_increase_1x1",
        130_000,
        "1,029,403 / 1,517,203",
        "both accounts hold the perpetual; used lanes; open interest grows",
    ),
    Row(
        "im_view_linear",
        40_000,
        "-",
        "view of a BTC perpetual, WETH and WBTC with cash; execution only, all cold",
    ),
    Row(
        "liquidate_perp",
        120_000,
        "1,143,612 / 1,635,206",
        "unflagged account of one perpetual; the liquidator holds cash only; full assessment",
    ),
    Row(
        "option_open_1x1",
        280_000,
        "1,254,851 / 2,644,852",
        "both accounts hold a perpetual; new lanes; others hold the series; prices and slice fresh",
    ),
    Row(
        "liquidate_perp_10_options",
        590_000,
        "4,014,534 / 4,887,474",
        "a perpetual and 10 series of 2 expiries, unflagged; the liquidator holds cash only",
    ),
    Row(
        "liquidate_10_used",
        410_000,
        "4,014,534 / 4,887,474",
        "the same once more, by a liquidator that held 11 positions before and holds none now",
    ),
    Row("im_view_1", 57_000, "169,609 / 911,458", "view of one option and cash; all cold"),
    Row("im_view_10", 190_000, "620,006 / 3,837,576", "view of 10 options of 2 expiries; all cold"),
    Row("im_view_32", 510_000, "1,804,451 / 11,015,200", "view of 32 options of 4 expiries"),
    Row(
        "im_view_64",
        970_000,
        "3,571,814 / 21,904,906",
        "view of 61 options of 8 expiries, a perpetual of the same underlying, WETH and WBTC",
    ),
    Row(
        "im_view_64_netted",
        620_000,
        "3,571,814 / 21,904,906",
        "the same with straddles: a call and a put at each of 31 strikes, save one",
    ),
    Row(
        "option_price",
        2_500,
        "-",
        "library alone: price, delta, gamma, vega and theta of a call of 30 days, 4 % out of the "
        "money",
    ),
    Row(
        "revaluation",
        400,
        "-",
        "library alone: a scenario more of that call, the mean of 14, all within the table",
    ),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Gas of a road, and where it goes."""

    row: Row
    gas: int
    parts: dict[str, int]


Road = tuple[str, int, dict[str, int]]


def measure(folder: Path, say: Callable[[str], None] = lambda key: None) -> list[Measured]:
    """Walk every road once, on chains whose logs are in a folder.

    There are two: the node that keeps the steps of every transaction has no room for those that
    fill an account with 64 positions.
    """
    rows = {row.key: row for row in ROWS}
    found: list[Measured] = []

    def note(roads: Iterable[Road]) -> None:
        for key, gas, parts in roads:
            say(key)
            found.append(Measured(rows.pop(key), gas, parts))

    with Anvil(GENESIS, folder / "roads.log", options=["--steps-tracing"]) as anvil:
        note(_roads(Stage(anvil)))
    with Anvil(GENESIS, folder / "views.log") as anvil:
        note(_views(Stage(anvil)))
    if rows:
        raise RuntimeError(f"not measured: {', '.join(rows)}")
    return found


def _roads(stage: Stage) -> Iterator[Road]:
    for index in (1, 2):  # the fee and the insurance account
        stage.deposit(stage.deployer, "USDC", 1, index)
    yield from _deposits(stage)
    yield from _trades(stage)
    expiries = _list(stage, EXPIRIES)
    yield from _option_trade(stage, expiries[0])
    yield from _assessments(stage)
    yield from _option_liquidations(stage, expiries)


def _list(stage: Stage, count: int) -> list[int]:
    """Expiries, a week apart."""
    first = (stage.client.chain.time // DAY + 7) * DAY + EIGHT
    expiries = [first + 7 * DAY * i for i in range(count)]
    for expiry in expiries:
        stage.list_expiry("ETH", expiry)
    return expiries


def _transaction(stage: Stage, key: str, receipt: Receipt) -> Road:
    return key, receipt.gas_used, profile(stage.trace(receipt), receipt.gas_used)


def _deposits(stage: Stage) -> Iterator[Road]:
    taker, holder = stage.person("taker"), stage.person("holder")
    yield _transaction(stage, "cash_deposit_first", stage.deposit(taker, "USDC", 6_000))
    yield _transaction(stage, "cash_deposit_repeat", stage.deposit(taker, "USDC", 4_000))
    stage.deposit(stage.deployer, "WETH", 1, index=3)
    yield _transaction(stage, "collateral_deposit_first", stage.deposit(holder, "WETH", 10))
    yield _transaction(stage, "collateral_deposit_repeat", stage.deposit(holder, "WETH", 10))


def _trades(stage: Stage) -> Iterator[Road]:
    taker, maker, holder = (stage.person(name) for name in ("taker", "maker", "holder"))
    for signer in (maker, stage.deployer):
        stage.deposit(signer, "USDC", 1_000_000)
    stage.deposit(holder, "USDC", 50_000)
    for _ in range(2):  # the second sample of the premium is the first with an interval to weigh
        stage.refresh({"ETH": ETH_START, "BTC": BTC_START})
    stage.trade(holder, stage.deployer, "ETH-PERP", WAD, 1)
    opened = stage.trade(taker, maker, "ETH-PERP", WAD, 1)
    yield _transaction(stage, "perp_open_1x1", opened)
    increased = stage.trade(taker, maker, "ETH-PERP", WAD, 2)
    yield _transaction(stage, "perp_increase_1x1", increased)


def _assessments(stage: Stage) -> Iterator[Road]:
    holder, liquidator = stage.person("bookkeeper"), stage.person("liquidator")
    stage.deposit(holder, "USDC", 50_000)
    stage.deposit(holder, "WETH", 10)
    stage.deposit(holder, "WBTC", 1)
    stage.trade(holder, stage.deployer, "BTC-PERP", WAD, 110)
    trace = stage.trace_view("Clearinghouse", "margin", (bytes(account_of(holder)), 0))
    yield "im_view_linear", execution_gas(trace), profile(trace)

    taker, maker = stage.person("taker"), stage.person("maker")
    stage.deposit(liquidator, "USDC", 1_000_000)
    stage.trade(taker, maker, "ETH-PERP", 13 * WAD, 3)
    stage.refresh({"ETH": ETH_FALLEN})
    call = stage.client.liquidate(liquidator, account_of(taker), account_of(liquidator))
    yield _transaction(stage, "liquidate_perp", call)


def _option_trade(stage: Stage, expiry: int) -> Iterator[Road]:
    taker, maker, holder = (stage.person(f"option {name}") for name in ("taker", "maker", "holder"))
    cash = (20_000, 1_000_000, 12_000)
    for sequence, signer in enumerate((taker, maker, holder), 101):
        stage.deposit(signer, "USDC", cash[sequence - 101])
        stage.trade(signer, stage.deployer, "ETH-PERP", WAD, sequence)
    at_the_money = Instrument.option(ETH, expiry, ETH_START * WAD, False)
    stage.trade_option(stage.deployer, stage.person("holder"), at_the_money, WAD, 10)
    opened = stage.trade_option(taker, maker, at_the_money, WAD, 10)
    yield _transaction(stage, "option_open_1x1", opened)


def _option_liquidations(stage: Stage, expiries: Sequence[int]) -> Iterator[Road]:
    _freshen(stage, expiries)
    maker, holder = stage.person("option maker"), stage.person("option holder")
    series = [
        Instrument.option(ETH, expiries[i % 2], (ETH_START - 200 + 50 * i) * WAD, i % 3 == 0)
        for i in range(10)
    ]
    stage.trade(holder, maker, "ETH-PERP", 9 * WAD, 104)
    clean, used = stage.person("clean liquidator"), stage.person("used liquidator")
    for signer in (clean, used):
        stage.deposit(signer, "USDC", 1_000_000)
    for index, one in enumerate(series):
        stage.trade_option(holder, maker, one, WAD if index % 3 else -WAD, 20 + index)
        stage.trade_option(used, maker, one, WAD, 40 + index)
    stage.trade(used, maker, "ETH-PERP", WAD, 105)
    stage.trade(used, maker, "ETH-PERP", -WAD, 106)
    for index, one in enumerate(series):
        stage.trade_option(used, maker, one, -WAD, 60 + index)
    for key, liquidator in (("liquidate_perp_10_options", clean), ("liquidate_10_used", used)):
        _sink(stage, holder)
        for expiry in expiries:
            stage.publish("ETH", expiry)
        call = stage.client.liquidate(liquidator, account_of(holder), account_of(liquidator))
        yield _transaction(stage, key, call)


def _sink(stage: Stage, holder: KeySigner) -> None:
    """Let ether fall until the account can be liquidated."""
    price = stage.client.oracle.snapshot(ETH).price // WAD
    margin = stage.client.clearinghouse.margin(account_of(holder))
    while margin.equity >= margin.maintenance:
        price -= 15
        stage.refresh({"ETH": price})
        margin = stage.client.clearinghouse.margin(account_of(holder))


# ---- Views, on a chain of their own -----------------------------------------------------------


def _views(stage: Stage) -> Iterator[Road]:
    """While the ranges for IM and MM are one."""
    for index in (1, 2):
        stage.deposit(stage.deployer, "USDC", 1, index)
    stage.refresh({"ETH": ETH_START, "BTC": BTC_START})
    expiries = _list(stage, max(view.expiries for view in VIEWS))
    for view in VIEWS:
        _freshen(stage, expiries)
        holder = _fill(stage, view, expiries)
        trace = stage.trace_view("Clearinghouse", "margin", (bytes(account_of(holder)), 0))
        yield view.key, execution_gas(trace), profile(trace)
    yield from _prices(stage)


def _freshen(stage: Stage, expiries: Sequence[int]) -> None:
    """Prices and volatilities that no trade before has let grow old."""
    stage.refresh({"ETH": ETH_START, "BTC": BTC_START})
    for expiry in expiries:
        stage.publish("ETH", expiry)


def _fill(stage: Stage, view: View, expiries: Sequence[int]) -> KeySigner:
    """An account against a writer of its own, who holds as many series."""
    holder, writer = stage.person(view.key), stage.person(f"writer of {view.key}")
    stage.deposit(holder, "USDC", 1_000_000)
    stage.deposit(writer, "USDC", 1_000_000)
    if view.is_full:
        stage.deposit(holder, "WETH", 10)
        stage.deposit(holder, "WBTC", 1)
        stage.trade(holder, writer, "ETH-PERP", WAD, 1)
    for index in range(view.options):
        place, is_put = divmod(index, 2) if view.is_netted else (index, index % 3 == 0)
        strike = (ETH_START - 200 + 50 * (place // view.expiries)) * WAD
        expiry = expiries[place % view.expiries]
        one = Instrument.option(ETH, expiry, strike, bool(is_put))
        stage.trade_option(holder, writer, one, WAD if place % 3 else -WAD, 10 + index)
    return holder


def _prices(stage: Stage) -> Iterator[Road]:
    """What the libraries need for one call of 30 days and 55 % that is struck at 1.04 forwards."""
    years = 30 * WAD // 365
    _, gas = stage.ask_probe("greeks", 2500 * WAD, 2600 * WAD, 55 * WAD // 100, years, False)
    yield "option_price", gas, {"computation": gas}

    factors = [((100 + move) << kernel.RATIO_SHIFT) // 100 for move in MOVES]
    nodes = [(ln(one) << kernel.LOG_SHIFT, one) for one in factors]
    kappa = (104 << kernel.RATIO_SHIFT) // 100
    log_kappa = ln(kappa) << kernel.LOG_SHIFT
    deviation = 3 * WAD // 10  # volatility shocked up
    count = len(nodes)
    (_, once), (_, twice) = (
        stage.ask_probe("scan", some, deviation, log_kappa, kappa, WAD)
        for some in (nodes, nodes + nodes)
    )
    gas = -(-(twice - once) // count)
    yield "revaluation", gas, {"computation": gas}
