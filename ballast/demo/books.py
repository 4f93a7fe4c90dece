"""Whether the books balance, to the wei: a pure check of what was read from the chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ballast.codec import AccountId, Collateral, Option, Perp, Position

CASH = 0
DUST_PER_EVENT = 8  # wei: an event changes at most four balances, each with two roundings


@dataclass(frozen=True, slots=True)
class Holding:
    """One account: cash and equity in WAD, and its positions as they are stored."""

    cash: int
    equity: int
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetBook:
    """One asset in its smallest units, cash included.

    `held` is what the Clearinghouse has, `recorded` what it says accounts hold (unused for cash),
    `outside` what everybody else has, `minted` all there is. `price` is WAD of cash for one.
    """

    held: int
    recorded: int
    outside: int
    minted: int
    decimals: int
    price: int


@dataclass(frozen=True, slots=True)
class Books:
    """Everything at one block. `events` is how many events the Clearinghouse ever emitted."""

    accounts: Mapping[AccountId, Holding]
    assets: Mapping[int, AssetBook]
    open_interest: Mapping[int, int] = field(default_factory=dict)
    option_interest: Mapping[int, int] = field(default_factory=dict)
    reserve: int = 0
    events: int = 0

    @property
    def dust(self) -> int:
        """Greatest rounding, WAD: what every event may leave, and reading each balance once."""
        return DUST_PER_EVENT * self.events + 2 * len(self.accounts)


def problems(books: Books) -> list[str]:
    """What does not balance; nothing if all does."""
    found: list[str] = []
    found.extend(_perpetuals(books))
    found.extend(_options(books))
    found.extend(_collateral(books))
    found.extend(_supply(books))
    found.extend(_cash(books))
    found.extend(_equity(books))
    return found


def cash_held(books: Books) -> int:
    """Cash tokens in the Clearinghouse, WAD."""
    cash = books.assets[CASH]
    return cash.held * int(10 ** (18 - cash.decimals))


def cash_claimed(books: Books) -> int:
    """Σ (cash + quotes) and the reserve of interest, WAD."""
    quotes = sum(perp.quote for perp in _perps(books))
    return sum(account.cash for account in books.accounts.values()) + quotes + books.reserve


def _all_positions(books: Books) -> Iterator[Position]:
    for account in books.accounts.values():
        yield from account.positions


def _perps(books: Books) -> list[Perp]:
    return [position for position in _all_positions(books) if isinstance(position, Perp)]


def _amount(positions: Iterable[Position], asset: int) -> int:
    return sum(p.amount for p in positions if isinstance(p, Collateral) and p.asset == asset)


def _perpetuals(books: Books) -> Iterator[str]:
    perps = _perps(books)
    for underlying in sorted({perp.underlying for perp in perps} | set(books.open_interest)):
        sizes = [perp.size for perp in perps if perp.underlying == underlying]
        if sum(sizes):
            yield f"sizes of market {underlying} sum to {sum(sizes)}, not to zero"
        longs = sum(size for size in sizes if size > 0)
        recorded = books.open_interest.get(underlying, 0)
        if longs != recorded:
            yield f"open interest of market {underlying} is {recorded}, long sizes sum to {longs}"


def _options(books: Books) -> Iterator[str]:
    options = [position for position in _all_positions(books) if isinstance(position, Option)]
    for series in sorted({option.instrument for option in options}):
        total = sum(option.size for option in options if option.instrument == series)
        if total:
            yield f"sizes of series {series.key:#x} sum to {total}, not to zero"
    for underlying in sorted({one.underlying for one in options} | set(books.option_interest)):
        sizes = [option.size for option in options if option.underlying == underlying]
        longs = sum(size for size in sizes if size > 0)
        recorded = books.option_interest.get(underlying, 0)
        if longs != recorded:
            yield f"open options on {underlying} are {recorded}, long sizes sum to {longs}"


def _collateral(books: Books) -> Iterator[str]:
    for asset, book in books.assets.items():
        if asset == CASH:
            continue
        amount = _amount(_all_positions(books), asset)
        if amount != book.recorded:
            yield f"accounts hold {amount} of asset {asset}, its total says {book.recorded}"
        if book.recorded != book.held:
            yield f"the total of asset {asset} is {book.recorded}, tokens held are {book.held}"


def _supply(books: Books) -> Iterator[str]:
    for asset, book in books.assets.items():
        if book.held + book.outside != book.minted:
            yield (
                f"asset {asset}: {book.held} inside and {book.outside} outside "
                f"are not the {book.minted} minted"
            )


def _cash(books: Books) -> Iterator[str]:
    spare = cash_held(books) - cash_claimed(books)
    if not 0 <= spare <= books.dust:
        yield f"cash held exceeds what is claimed by {spare} wei, not by 0 to {books.dust}"


def _equity(books: Books) -> Iterator[str]:
    """Worth of all accounts is what the Clearinghouse holds: perpetuals and options cancel, less
    roundings."""
    worth = sum(account.equity for account in books.accounts.values())
    backing = cash_held(books) - books.reserve
    backing += sum(
        book.held * book.price // int(10**book.decimals)
        for asset, book in books.assets.items()
        if asset != CASH
    )
    roundings = 2 * sum(len(account.positions) for account in books.accounts.values())
    slack = books.dust + roundings + len(books.assets)
    if not 0 <= backing - worth <= slack:
        yield f"accounts are worth {worth}, backed by {backing}: off by {backing - worth} wei"
