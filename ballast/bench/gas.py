"""The gas of every road that users pay for, each with its preconditions (docs/specification.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ballast.bench.profile import execution_gas, profile
from ballast.bench.stage import Stage, account_of
from ballast.client.chain import Receipt
from ballast.client.signers import KeySigner
from ballast.codec import Instrument
from ballast.units import WAD

ETH = 1
DAY, EIGHT = 86_400, 8 * 3600
EXPIRIES = 2
VIEWS = (("im_view_1", 1, 1), ("im_view_10", 10, 2))  # options, expiries
ETH_START, ETH_FALLEN, BTC_START = 2500, 2240, 100_000


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
    Row("im_view_1", 57_000, "169,609 / 911,458", "view of one option and cash; all cold"),
    Row("im_view_10", 190_000, "620,006 / 3,837,576", "view of 10 options of 2 expiries; all cold"),
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
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Gas of a road, and where it goes."""

    row: Row
    gas: int
    parts: dict[str, int]


def measure(stage: Stage, say: Callable[[str], None] = lambda key: None) -> list[Measured]:
    """Walk every road once."""
    found = []
    rows = {row.key: row for row in ROWS}
    for key, gas, parts in _roads(stage):
        say(key)
        found.append(Measured(rows.pop(key), gas, parts))
    if rows:
        raise RuntimeError(f"not measured: {', '.join(rows)}")
    return found


Road = tuple[str, int, dict[str, int]]


def _roads(stage: Stage) -> Iterator[Road]:
    for index in (1, 2):  # the fee and the insurance account
        stage.deposit(stage.deployer, "USDC", 1, index)
    yield from _deposits(stage)
    yield from _trades(stage)
    first = (stage.client.chain.time // DAY + 7) * DAY + EIGHT
    expiries = [first + 7 * DAY * i for i in range(EXPIRIES)]
    for expiry in expiries:
        stage.list_expiry("ETH", expiry)
    yield from _views(stage, expiries)  # while the ranges for IM and MM are one
    yield from _option_trade(stage, expiries[0])
    yield from _assessments(stage)
    yield from _option_liquidations(stage, expiries)


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


def _views(stage: Stage, expiries: Sequence[int]) -> Iterator[Road]:
    """Each account against a writer of its own, who holds as many series."""
    for key, count, terms in VIEWS:
        holder, writer = stage.person(key), stage.person(f"writer of {key}")
        stage.deposit(holder, "USDC", 1_000_000)
        stage.deposit(writer, "USDC", 1_000_000)
        for index in range(count):
            strike = (ETH_START - 200 + 50 * (index // terms)) * WAD
            one = Instrument.option(ETH, expiries[index % terms], strike, index % 3 == 0)
            size = WAD if index % 3 else -WAD
            stage.trade_option(holder, writer, one, size, 10 + index)
        trace = stage.trace_view("Clearinghouse", "margin", (bytes(account_of(holder)), 0))
        yield key, execution_gas(trace), profile(trace)


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
    stage.refresh({"ETH": ETH_START, "BTC": BTC_START})
    for expiry in expiries:
        stage.publish("ETH", expiry)
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
