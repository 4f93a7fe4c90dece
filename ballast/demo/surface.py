"""Volatility of the demonstration: slices of the expiries that trade, dated as its prices are.

Every publisher signs its own slice of the model's surface, at a volatility a little beside it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.codec import Settlement
from ballast.demo.cast import ETH, PUBLISHERS
from ballast.keeper.board_chain import ChainBoards
from ballast.oracle.fixing import Fixing
from ballast.oracle.prices import PriceRow
from ballast.oracle.volatility import Board, accept
from ballast.volatility.reports import SignedVolatility, VolatilityDomain, VolatilityReport, sign
from ballast.volatility.surface import model_slice
from ballast.volatility.transport import write_volatility

VOLATILITY = 0.6
NOISE = 0.002
LEAST_LEFT = 7 * 86400  # seconds that options still have when the path ends
LEAST_LIFE = 2 * 3600  # and those of the expiry on the way, when it begins
SETTLING = 3600 + 600  # from the fixing of an expiry until its options are cash


@dataclass(frozen=True, slots=True)
class Expiries:
    """The expiry that options outlive the path to, and one along it, if there is any."""

    far: int
    near: int | None

    def alive(self, moment: int) -> list[int]:
        """Those that lie ahead, the nearer first."""
        return [one for one in (self.near, self.far) if one is not None and one > moment]


class Surface:
    """The boards of the chain, and the publishers of slices."""

    def __init__(self, client: Client, folder: Path, seed: int) -> None:
        self._client = client
        self._folder = folder
        self._random = random.Random(seed)
        self._boards = ChainBoards(client, None)
        self._last: int | None = None
        self._underlying = client.book.underlying(ETH).id
        quorum = client.book.address("VolatilityQuorum")
        self._domain = VolatilityDomain(client.book.chain_id, quorum)

    def read(self) -> dict[int, Board]:
        """The accepted slices by underlying."""
        return {view.underlying: view.board for view in self._boards.boards().views}

    def choose(self, rows: Sequence[PriceRow]) -> Expiries | None:
        """The expiries that trade along a path; None if the path outlasts all."""
        live = self.read()[self._underlying].live
        far = far_enough(live, rows[-1].time)
        if far is None:
            return None
        return Expiries(far, on_the_way(live, [row.time for row in rows]))

    def offer(self, expiries: Expiries, moment: int) -> dict[int, Board]:
        """Publishes slices, if the keeper would take them; the boards once they are accepted, by
        the mirror of the contract."""
        boards = self.read()
        board = boards[self._underlying]
        if self._last is not None and moment - self._last < board.config.max_age // 2:
            return boards
        self._last = moment
        wanted = expiries.alive(moment)
        signed = [self._publish(publisher.key.key, wanted, moment) for publisher in PUBLISHERS]
        for at, expiry in enumerate(wanted):
            ordered = sorted((some[at] for some in signed), key=lambda one: int(one.signer, 16))
            board, _ = accept(board, expiry, [one.report.slice for one in ordered], moment + 1)
        return {**boards, self._underlying: board}

    def is_accepted(self, expiry: int, boards: Mapping[int, Board]) -> bool:
        """Whether the chain has the slice that these boards have."""
        slices = boards[self._underlying].slices
        return expiry in slices and self._ask("slice", expiry) == slices[expiry].encode()

    def settlement(self, expiry: int) -> Settlement | None:
        """How an expiry was fixed, if it was."""
        return Settlement.decode(self._ask("slice", expiry))

    def window(self, expiry: int) -> Fixing:
        """What the chain observed for the settlement of an expiry."""
        return Fixing.decode(self._ask("settlementWindow", expiry))

    def _ask(self, function: str, expiry: int) -> int:
        oracle = self._client.book.address("OracleAdapter")
        call = Call("OracleAdapter", oracle, function, (self._underlying, expiry))
        return int(self._client.chain.view(call))

    def _publish(self, key: bytes, expiries: Sequence[int], moment: int) -> list[SignedVolatility]:
        """One publisher's slices, in one file."""
        signed = []
        for expiry in expiries:
            volatility = VOLATILITY * (1 + self._random.uniform(-NOISE, NOISE))
            seen = model_slice(expiry, moment, volatility)
            signed.append(sign(VolatilityReport(self._underlying, expiry, seen), self._domain, key))
        write_volatility(self._folder, self._domain, signed)
        return signed


def on_the_way(expiries: Iterable[int], times: Sequence[int]) -> int | None:
    """The last expiry along a path that has a life before it, and after it time to be settled."""
    found = [
        one
        for one in expiries
        if times[0] + LEAST_LIFE <= one
        and any(one <= time <= times[-1] - SETTLING for time in times)
    ]
    return max(found, default=None)


def far_enough(expiries: Iterable[int], end: int) -> int | None:
    """The first expiry that is a week past the end of a path."""
    return min((one for one in expiries if one >= end + LEAST_LEFT), default=None)
