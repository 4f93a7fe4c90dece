"""Everything that one deployment offers, behind one object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ballast.client.book import DEPLOYMENTS, AddressBook, BookError, book_path
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.clearinghouse import Clearinghouse
from ballast.client.exchange import Exchange
from ballast.client.oracle import Oracle, PriceUpdate
from ballast.client.signers import Signer
from ballast.codec import AccountId
from ballast.units import WAD


class Client:
    """A chain, its address book, and typed calls of the contracts in it."""

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        if chain.chain_id != book.chain_id:
            raise BookError(
                f"the address book is of chain {book.chain_id}, the node of {chain.chain_id}"
            )
        self.chain = chain
        self.book = book
        self.clearinghouse = Clearinghouse(chain, book)
        self.exchange = Exchange(chain, book)
        self.oracle = Oracle(chain, book)

    @classmethod
    def open(cls, chain: Chain, folder: Path = DEPLOYMENTS) -> Client:
        """The deployment on a chain, by the address book of its chain id."""
        path = book_path(chain.chain_id, folder)
        book = AddressBook.load(path)
        if not chain.code(book.address("Clearinghouse")):
            raise BookError(f"{path} is of another chain: there is no Clearinghouse on this one")
        return cls(chain, book)

    def liquidate(
        self,
        signer: Signer,
        account: AccountId,
        into: AccountId,
        *,
        fraction: int = WAD,
        min_value: int = 0,
        witness: int = 0,
        updates: Sequence[PriceUpdate] = (),
    ) -> Receipt:
        """Take a fraction of an unhealthy account into one of the signer's."""
        call = self.liquidate_call(
            account,
            into,
            fraction=fraction,
            min_value=min_value,
            witness=witness,
            updates=updates,
        )
        return self.chain.send(signer, call)

    def liquidate_call(
        self,
        account: AccountId,
        into: AccountId,
        *,
        fraction: int = WAD,
        min_value: int = 0,
        witness: int = 0,
        updates: Sequence[PriceUpdate] = (),
    ) -> Call:
        rest = (fraction, min_value, witness, [update.as_tuple() for update in updates])
        return self._liquidator("liquidate", bytes(account), bytes(into), *rest)

    def flag_call(
        self, account: AccountId, *, witness: int = 0, updates: Sequence[PriceUpdate] = ()
    ) -> Call:
        """Prove that an account is under its maintenance margin."""
        words = [update.as_tuple() for update in updates]
        return self._liquidator("flag", bytes(account), witness, words)

    def flag(
        self,
        signer: Signer,
        account: AccountId,
        *,
        witness: int = 0,
        updates: Sequence[PriceUpdate] = (),
    ) -> Receipt:
        return self.chain.send(signer, self.flag_call(account, witness=witness, updates=updates))

    def clear_flag(
        self, signer: Signer, account: AccountId, *, updates: Sequence[PriceUpdate] = ()
    ) -> Receipt:
        """End the flag of an account that recovered."""
        words = [update.as_tuple() for update in updates]
        return self.chain.send(signer, self._liquidator("clearFlag", bytes(account), words))

    def flag_of(self, account: AccountId) -> tuple[int, int]:
        """Time of the last proof and the seconds proven by then; zeros if there is no flag."""
        last_proof, proven = self.chain.view(self._liquidator("flagOf", bytes(account)))
        return last_proof, proven

    def _liquidator(self, function: str, *args: object) -> Call:
        return Call("Liquidator", self.book.address("Liquidator"), function, args)

    @property
    def has_lens(self) -> bool:
        return "Lens" in self.book.contracts

    def account_view(self, account: AccountId, block: int | None = None) -> Any:
        """Everything about an account, by the Lens."""
        call = Call("Lens", self.book.address("Lens"), "account", (bytes(account),))
        return self.chain.view(call, block)

    def health(self, accounts: Sequence[AccountId]) -> list[Any]:
        """Margin and state of many accounts, by the Lens."""
        ids = [bytes(account) for account in accounts]
        return list(self.chain.view(Call("Lens", self.book.address("Lens"), "health", (ids,))))

    def token_balance(self, token: str, of: str) -> int:
        return int(self.chain.view(Call("TestToken", token, "balanceOf", (of,))))
