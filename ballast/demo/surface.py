"""Volatility of the demonstration: slices of the one expiry that trades, dated as its prices are.

Every publisher signs its own slice of the model's surface, at a volatility a little beside it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.demo.cast import ETH, PUBLISHERS
from ballast.keeper.board_chain import ChainBoards
from ballast.oracle.volatility import Board, accept
from ballast.volatility.reports import SignedVolatility, VolatilityDomain, VolatilityReport, sign
from ballast.volatility.surface import model_slice
from ballast.volatility.transport import write_volatility

VOLATILITY = 0.6
NOISE = 0.002
LEAST_LEFT = 7 * 86400  # seconds that options still have when the path ends


class Surface:
    """The boards of the chain, and the publishers of an expiry."""

    def __init__(self, client: Client, folder: Path, seed: int) -> None:
        self._client = client
        self._folder = folder
        self._random = random.Random(seed)
        self._boards = ChainBoards(client, None)
        self._underlying = client.book.underlying(ETH).id
        quorum = client.book.address("VolatilityQuorum")
        self._domain = VolatilityDomain(client.book.chain_id, quorum)

    def read(self) -> dict[int, Board]:
        """The accepted slices by underlying."""
        return {view.underlying: view.board for view in self._boards.boards().views}

    def choose(self, end: int) -> int | None:
        """The expiry that trades along a path that ends then; None if the path outlasts all."""
        return far_enough(self.read()[self._underlying].live, end)

    def offer(self, expiry: int, moment: int) -> dict[int, Board]:
        """Publishes slices; the boards once they are accepted, by the mirror of the contract."""
        signed = [self._publish(publisher.key.key, expiry, moment) for publisher in PUBLISHERS]
        ordered = sorted(signed, key=lambda one: int(one.signer, 16))
        boards = self.read()
        board = boards[self._underlying]
        after, _ = accept(board, expiry, [one.report.slice for one in ordered], moment + 1)
        return {**boards, self._underlying: after}

    def is_accepted(self, expiry: int, boards: Mapping[int, Board]) -> bool:
        """Whether the chain has the slice that these boards have."""
        oracle = self._client.book.address("OracleAdapter")
        call = Call("OracleAdapter", oracle, "slice", (self._underlying, expiry))
        slices = boards[self._underlying].slices
        return expiry in slices and self._client.chain.view(call) == slices[expiry].encode()

    def _publish(self, key: bytes, expiry: int, moment: int) -> SignedVolatility:
        volatility = VOLATILITY * (1 + self._random.uniform(-NOISE, NOISE))
        report = VolatilityReport(self._underlying, expiry, model_slice(expiry, moment, volatility))
        signed = sign(report, self._domain, key)
        write_volatility(self._folder, self._domain, [signed])
        return signed


def far_enough(expiries: Iterable[int], end: int) -> int | None:
    """The first expiry that is a week past the end of a path."""
    return min((one for one in expiries if one >= end + LEAST_LEFT), default=None)
