"""Typed calls of the Clearinghouse: money in and out, and what an account is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data

from ballast.client.book import AddressBook, AssetEntry
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.errors import ContractError
from ballast.client.oracle import PriceUpdate
from ballast.client.signers import Signer
from ballast.codec import AccountId, Instrument, Position, decode_positions
from ballast.permissions import Permission

ASSESS_ALL = 0
PERMIT = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


@dataclass(frozen=True, slots=True)
class Margin:
    """What a risk engine says of an account, WAD of cash."""

    equity: int
    initial: int
    maintenance: int
    perp_notional: int
    fresh: bool
    credit: int


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

    def deposit_with_permit(
        self, signer: Signer, to: AccountId, asset: AssetEntry, amount: int, deadline: int
    ) -> Receipt:
        """Deposit smallest units in one transaction, by a signed permit (EIP-2612)."""
        permit = self._sign_permit(signer, asset.token, amount, deadline)
        calls = [
            self._chain.calldata(self._call("permit", asset.id, amount, deadline, *permit)),
            self._chain.calldata(self._call("deposit", bytes(to), asset.id, amount)),
        ]
        return self.multicall(signer, calls)

    def multicall(
        self, signer: Signer, calls: Sequence[bytes], updates: Sequence[PriceUpdate] = ()
    ) -> Receipt:
        """Make encoded calls in one batch, prices first."""
        words = [update.as_tuple() for update in updates]
        return self._chain.send(signer, self._call("multicall", words, list(calls)))

    def _sign_permit(
        self, signer: Signer, token: str, amount: int, deadline: int
    ) -> tuple[int, bytes, bytes]:
        def ask(function: str, *args: object) -> Any:
            return self._chain.view(Call("TestToken", token, function, args))

        _, name, version, chain_id, contract, _, _ = ask("eip712Domain")
        domain = {
            "name": name,
            "version": version,
            "chainId": chain_id,
            "verifyingContract": contract,
        }
        message = encode_typed_data(
            domain,
            {"Permit": PERMIT},
            {
                "owner": signer.address,
                "spender": self.address,
                "value": amount,
                "nonce": ask("nonces", signer.address),
                "deadline": deadline,
            },
        )
        signature = signer.sign_typed(message)
        return signature[64], signature[:32], signature[32:64]

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

    def engines(self) -> list[str]:
        """Addresses of the registered engines, in the order of their ids."""
        count = int(self._chain.view(self._call("engineCount")))
        return [str(self._chain.view(self._call("engine", one))) for one in range(count)]

    def engine_of(self, account: AccountId) -> int:
        """Id of the engine that an account has selected."""
        return int(self._chain.view(self._call("engineOf", bytes(account))))

    def select_engine(self, signer: Signer, account: AccountId, engine: int) -> Receipt:
        return self._chain.send(signer, self._call("selectEngine", bytes(account), engine))

    # ---- Delegates ----

    def set_delegate(
        self, signer: Signer, account: AccountId, delegate: str, permissions: int, expiry: int
    ) -> Receipt:
        """Let a delegate act for an account until a time; zero permissions revoke."""
        number = int(permissions)  # web3 takes a flag for a collection of flags
        call = self._call("setDelegate", bytes(account), delegate, number, expiry)
        return self._chain.send(signer, call)

    def delegate_of(self, account: AccountId, delegate: str) -> tuple[Permission, int]:
        """Permissions that were last set for a delegate, and their last second."""
        permissions, expiry = self._chain.view(self._call("delegateOf", bytes(account), delegate))
        return Permission(permissions), expiry

    def may_trade(self, account: AccountId, who: str) -> bool:
        """Whether somebody owns an account or may sign its orders at this moment."""
        call = self._call("isPermitted", bytes(account), who, int(Permission.TRADE))
        return bool(self._chain.view(call))

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
