"""Typed calls of the Clearinghouse: money in and out, and what an account is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ballast.client.book import AddressBook, AssetEntry
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.errors import ContractError
from ballast.client.signers import Signer
from ballast.codec import AccountId, Instrument, Position, decode_positions

ASSESS_ALL = 0


@dataclass(frozen=True, slots=True)
class Margin:
    """What a risk engine says of an account, WAD of cash."""

    equity: int
    initial: int
    maintenance: int
    perp_notional: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash in WAD, debt negative, and positions with funding folded in."""

    cash: int
    positions: list[Position]


@dataclass(frozen=True, slots=True)
class Interest:
    """Indices in 1e-17, rates in 1e-9 a year, scaled totals and the reserve in WAD."""

    supply_index: int
    debt_index: int
    supply_rate: int
    debt_rate: int
    scaled_supply: int
    scaled_debt: int
    reserve: int


@dataclass(frozen=True, slots=True)
class Market:
    """A perpetual market, WAD."""

    open_interest: int
    funding: int
    rate_per_second: int
    cap: int


@dataclass(frozen=True, slots=True)
class OptionMarket:
    """Option units open in all series of an underlying, and their cap, WAD."""

    open_interest: int
    cap: int


@dataclass(frozen=True, slots=True)
class SeriesInterest:
    """Open interest of an option series on either side, WAD."""

    long: int
    short: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A collateral asset; amounts in the token's smallest units."""

    token: str
    decimals: int
    underlying: int
    total: int
    cap: int


class Clearinghouse:
    """The contract with the money."""

    NAME = "Clearinghouse"

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        self._chain = chain
        self.address = book.address(self.NAME)

    def _call(self, function: str, *args: object) -> Call:
        return Call(self.NAME, self.address, function, args)

    # ---- Money ----

    def deposit(self, signer: Signer, to: AccountId, asset: AssetEntry, amount: int) -> Receipt:
        """Deposit smallest units, approving the token first where the allowance is too low."""
        allowance = Call("TestToken", asset.token, "allowance", (signer.address, self.address))
        if self._chain.view(allowance) < amount:
            approve = Call("TestToken", asset.token, "approve", (self.address, amount))
            self._chain.send(signer, approve)
        return self._chain.send(signer, self._call("deposit", bytes(to), asset.id, amount))

    def withdraw(
        self, signer: Signer, source: AccountId, asset: AssetEntry, amount: int, to: str
    ) -> Receipt:
        call = self._call("withdraw", bytes(source), asset.id, amount, to)
        return self._chain.send(signer, call)

    def transfer(
        self, signer: Signer, source: AccountId, to: AccountId, asset: AssetEntry, amount: int
    ) -> Receipt:
        call = self._call("transfer", bytes(source), bytes(to), asset.id, amount)
        return self._chain.send(signer, call)

    def settle(self, signer: Signer, account: AccountId) -> Receipt:
        """Turn profit and loss of perpetuals, and options fixed an hour ago, into cash."""
        return self._chain.send(signer, self._call("settle", bytes(account)))

    def select_engine(self, signer: Signer, account: AccountId, engine: int) -> Receipt:
        return self._chain.send(signer, self._call("selectEngine", bytes(account), engine))

    # ---- Views ----

    def margin(self, account: AccountId, mode: int = ASSESS_ALL) -> Margin:
        return Margin(*self._chain.view(self._call("margin", bytes(account), mode)))

    def margins(self, accounts: Sequence[AccountId]) -> list[Margin | None]:
        """Margins of many accounts in one request; None where one cannot be valued."""
        calls = [self._call("margin", bytes(account), ASSESS_ALL) for account in accounts]
        answers = self._chain.batch(calls)
        return [None if isinstance(a, ContractError) else Margin(*a) for a in answers]

    def portfolio(self, account: AccountId) -> Portfolio:
        cash, words = self._chain.view(self._call("portfolio", bytes(account)))
        return Portfolio(cash, decode_positions(words))

    def interest(self) -> Interest:
        return Interest(*self._chain.view(self._call("interest")))

    def market(self, underlying: int) -> Market:
        return Market(*self._chain.view(self._call("market", underlying)))

    def option_market(self, underlying: int) -> OptionMarket:
        return OptionMarket(*self._chain.view(self._call("optionMarket", underlying)))

    def series_interest(self, series: Instrument) -> SeriesInterest:
        return SeriesInterest(*self._chain.view(self._call("seriesInterest", series.key)))

    def asset(self, asset: int) -> Asset:
        return Asset(*self._chain.view(self._call("asset", asset)))
