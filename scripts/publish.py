"""One publisher of the price quorum: signs prices from a file, one report file a tick."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option

from ballast.client.book import AddressBook, book_path
from ballast.client.chain import Call, Chain
from ballast.client.signers import PASSPHRASE_VARIABLE, KeySigner, Signer
from ballast.codec import VolatilitySlice
from ballast.oracle.prices import PriceRow, Quoting, make_report, read_prices, schedule
from ballast.oracle.reports import Domain, SignedReport
from ballast.oracle.transport import shorten, write_reports
from ballast.volatility.reports import SignedVolatility, VolatilityDomain, VolatilityReport
from ballast.volatility.surface import QuotesError, model_slice, read_quotes
from ballast.volatility.transport import write_volatility
from scripts._shared import ApeSigner, deployments_option, open_chain, readable, say


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Prices: a column time, then one for each underlying (time,BTC,ETH).",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the report files, which keepers read.",
)
@click.option("--interval", type=click.FloatRange(0), help="Seconds between ticks, always.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Replay the file's own times so many times faster, without --interval.",
)
@click.option(
    "--spread",
    type=click.IntRange(0, 1000),
    default=5,
    help="Half-width of a report, 1e-4 of the price.",
    show_default=True,
)
@click.option(
    "--impact-premium",
    type=click.IntRange(-1000, 1000),
    help="How far the perpetual trades over the index, 1e-4 of it; by default reports do not say.",
)
@click.option(
    "--quotes",
    nargs=2,
    type=(str, click.Path(dir_okay=False, path_type=Path)),
    multiple=True,
    metavar="NAME FILE",
    help="Fit slices of an underlying to a file, read anew at every tick: "
    "expiry,strike,volatility,forward,spot; volatility 0.6 for 60 % a year.",
)
@click.option(
    "--model",
    multiple=True,
    metavar="NAME",
    help="Publish slices of a synthetic surface of an underlying (60 %, a mild skew): for "
    "devnets only.",
)
@click.option("--once", is_flag=True, help="Publish the last row and stop.")
@click.option(
    "--keyfile",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Sign with this keyfile instead of an Ape account (passphrase in {PASSPHRASE_VARIABLE}).",
)
@account_option(prompt=None)
@deployments_option
@readable
def cli(
    account: Any,
    provider: Any,
    deployments: Path,
    *,
    csv_file: Path,
    out: Path,
    interval: float | None,
    speed: float,
    spread: int,
    impact_premium: int | None,
    quotes: tuple[tuple[str, Path], ...],
    model: tuple[str, ...],
    once: bool,
    keyfile: Path | None,
) -> None:
    """Sign prices of a CSV file, and volatility slices, as one publisher of the quorums.

    Reports are dated when they are signed. Each tick is one JSON file in the folder, written in
    one step; a keeper that sees the folder collects the newest of every publisher.
    """
    book = AddressBook.load(book_path(provider.chain_id, deployments))
    rows = read_prices(csv_file, book.underlyings)
    signer = _signer(account, provider, keyfile)
    publisher = Publisher(signer, book, out, Quoting(spread, impact_premium))
    board = Board(open_chain(provider), book)
    surfaces = Surfaces(signer, book, board, out, quotes=dict(quotes), model=model)
    for row, wait in [(rows[-1], 0.0)] if once else schedule(rows, interval, speed):
        time.sleep(wait)
        publisher.publish(row)
        surfaces.publish()


class Publisher:
    """Signs rows of prices and writes them where keepers look."""

    def __init__(self, signer: Signer, book: AddressBook, out: Path, quoting: Quoting) -> None:
        self._signer = signer
        self._book = book
        self._out = out
        self._quoting = quoting
        self._domain = Domain(book.chain_id, book.address("QuorumSource"))

    def publish(self, row: PriceRow) -> None:
        now = int(time.time())
        reports = [self._sign(name, price, now) for name, price in row.prices.items()]
        path = write_reports(self._out, self._domain, reports)
        prices = " ".join(f"{name} {price / 10**18:,.2f}" for name, price in row.prices.items())
        say(f"{path.name}: {prices}")

    def _sign(self, name: str, price: int, now: int) -> SignedReport:
        underlying = self._book.underlying(name).id
        report = make_report(underlying, price, now, self._quoting)
        signature = shorten(self._signer.sign_typed(report.message(self._domain)))
        return SignedReport(report, self._signer.address, signature)


class Board:
    """The expiries that slices are published for."""

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        self._chain = chain
        self._address = book.address("OracleAdapter")

    def live(self, underlying: int, now: int) -> list[int]:
        """Those that the chain allows and that lie ahead."""
        call = Call("OracleAdapter", self._address, "liveExpiries", (underlying,))
        return [expiry for expiry in self._chain.view(call) if expiry > now]


class Surfaces:
    """Signs slices of quotes files or of the model, and writes them beside the prices."""

    def __init__(
        self,
        signer: Signer,
        book: AddressBook,
        board: Board,
        out: Path,
        *,
        quotes: dict[str, Path],
        model: tuple[str, ...],
    ) -> None:
        self._signer = signer
        self._board = board
        self._out = out
        self._quotes = {book.underlying(name).id: path for name, path in quotes.items()}
        self._model = [book.underlying(name).id for name in model]
        self._started = False
        if quotes or model:
            self._domain = VolatilityDomain(book.chain_id, book.address("VolatilityQuorum"))

    def publish(self) -> None:
        """Sign and write all slices. Quotes that cannot be published end the program at the first
        tick; later, when a file was rewritten under it, they are said and left out."""
        now = int(time.time())
        reports = [
            self._sign(VolatilityReport(underlying, expiry, one))
            for underlying in sorted({*self._quotes, *self._model})
            for expiry, one in self._surface_or_none(underlying, now).items()
        ]
        self._started = True
        if reports:
            path = write_volatility(self._out, self._domain, reports)
            say(f"{path.name}: {len(reports)} slices")

    def _surface_or_none(self, underlying: int, now: int) -> dict[int, VolatilitySlice]:
        try:
            return self._surface(underlying, now)
        except QuotesError as error:
            if not self._started:
                raise click.ClickException(str(error)) from None
            say(f"no slices: {error}")
            return {}

    def _surface(self, underlying: int, now: int) -> dict[int, VolatilitySlice]:
        """Slices of the live expiries; of a file's quotes, those of others are of no use."""
        live = self._board.live(underlying, now)
        if underlying in self._model:
            return {expiry: model_slice(expiry, now) for expiry in live}
        path = self._quotes[underlying]
        surface = read_quotes(path, now)
        found = {expiry: one for expiry, one in surface.items() if expiry in live}
        if not found:
            raise QuotesError(f"{path}: no expiry of it is allowed on the chain; {_listed(live)}")
        return found

    def _sign(self, report: VolatilityReport) -> SignedVolatility:
        signature = shorten(self._signer.sign_typed(report.message(self._domain)))
        return SignedVolatility(report, self._signer.address, signature)


def _listed(expiries: list[int]) -> str:
    moments = (datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%dT%H:%MZ") for one in expiries)
    return f"those are {', '.join(moments) or 'none'}"


def _signer(account: Any, provider: Any, keyfile: Path | None) -> Signer:
    if keyfile is not None:
        return KeySigner.from_keyfile(keyfile)
    if account is None:
        raise click.UsageError("name an Ape account with --account, or a file with --keyfile")
    signer = ApeSigner(account, provider)
    signer.unlock()
    return signer
