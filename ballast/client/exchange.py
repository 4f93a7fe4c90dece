"""Typed calls of the Exchange."""

from __future__ import annotations

from collections.abc import Sequence

from ballast.client.book import AddressBook
from ballast.client.chain import Call, Chain, Receipt
from ballast.client.oracle import PriceUpdate
from ballast.client.orders import Domain, Lane, Order, SignedOrder
from ballast.client.signers import Signer
from ballast.codec import AccountId, Instrument


class Exchange:
    """Where signed orders meet."""

    NAME = "Exchange"

    def __init__(self, chain: Chain, book: AddressBook) -> None:
        self._chain = chain
        self.address = book.address(self.NAME)
        self.domain = Domain(book.chain_id, self.address)

    def _call(self, function: str, *args: object) -> Call:
        return Call(self.NAME, self.address, function, args)

    def settle_call(
        self,
        taker: SignedOrder,
        makers: Sequence[SignedOrder],
        sizes: Sequence[int],
        updates: Sequence[PriceUpdate] = (),
    ) -> Call:
        """Fill `sizes` of the makers' orders with the taker's, prices refreshed first."""
        return self._call(
            "settle",
            taker.as_tuple(),
            [maker.as_tuple() for maker in makers],
            list(sizes),
            [update.as_tuple() for update in updates],
        )

    def settle(
        self,
        signer: Signer,
        taker: SignedOrder,
        makers: Sequence[SignedOrder],
        sizes: Sequence[int],
        updates: Sequence[PriceUpdate] = (),
    ) -> Receipt:
        return self._chain.send(signer, self.settle_call(taker, makers, sizes, updates))

    def cancel(self, signer: Signer, account: AccountId, nonce: int) -> Receipt:
        """Cancel what the nonce's lane holds up to its sequence."""
        return self._chain.send(signer, self._call("cancel", bytes(account), nonce))

    def cancel_many(self, signer: Signer, account: AccountId, nonces: Sequence[int]) -> Receipt:
        """Cancel what each nonce's lane holds up to its sequence."""
        return self._chain.send(signer, self._call("cancelMany", bytes(account), list(nonces)))

    def recall(self, signer: Signer, account: AccountId, sequence: int) -> Receipt:
        """Cancel every order below a sequence in recallable lanes."""
        return self._chain.send(signer, self._call("recall", bytes(account), sequence))

    def floor_of(self, account: AccountId) -> int:
        """The least sequence that counts in recallable lanes."""
        return int(self._chain.view(self._call("floorOf", bytes(account))))

    def lane(self, account: AccountId, lane: int) -> Lane:
        return Lane(*self._chain.view(self._call("lane", bytes(account), lane)))

    def fees(self, instrument: Instrument) -> tuple[int, int]:
        """Fees of makers and of takers, WAD ratios of the value traded."""
        maker, taker = self._chain.view(self._call("fees", instrument.key))
        return maker, taker

    def digest(self, order: Order) -> bytes:
        return bytes(self._chain.view(self._call("digest", order.as_tuple())))
