"""The exact mirror of an account's risk engine, fed from one block of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ballast.client.chain import Call, Chain
from ballast.client.client import Client
from ballast.client.errors import ChainError, ContractError
from ballast.codec import STRIKE_UNIT, AccountId, Snapshot
from ballast.model import words as word_of
from ballast.model.margin import Margin
from ballast.risk.explain import Account
from ballast.risk.joint_scenario import JointScenarioEngine, fair_price
from ballast.risk.parameters import AssetRisk, Parameters, UnderlyingRisk
from ballast.risk.rule_based import RuleEngine
from ballast.risk.rules import AssetRule, OptionRule, PerpRule, Rules

EXPIRY_BITS = 32
JOINT_ENGINE, RULE_ENGINE = "JointScenarioEngine", "RuleEngine"


class Market:
    """Prices and volatility that the chain accepted until a block, each read once."""

    def __init__(self, chain: Chain, oracle: str, block: int) -> None:
        self._chain = chain
        self._oracle = oracle
        self._block = block
        self._words: dict[int, int] = {}
        self.settlement_mean = cache(self._settlement_mean)

    def read(self, keys: Sequence[int]) -> None:
        """Read words in one request; a key is underlying << 32 | expiry, 0 for the snapshot."""
        wanted = sorted(set(keys) - self._words.keys())
        if wanted:
            self._words.update(zip(wanted, self._view("market", wanted), strict=True))

    def snapshot(self, underlying: int) -> Snapshot:
        """The accepted snapshot of a feed; empty if none ever was."""
        return Snapshot.decode(self._word(underlying << EXPIRY_BITS))

    def slice(self, underlying: int, expiry: int) -> int:
        """The word of an expiry: its volatility, or its settlement; zero if there is none."""
        return self._word(underlying << EXPIRY_BITS | expiry)

    def outage_until(self) -> int:
        """Time until which an outage of the sequencer keeps everybody from being liquidated."""
        return int(self._view("outageUntil"))

    def is_listed(self, underlying: int, expiry: int, strike: int) -> bool:
        """Whether options of the strike (WAD) may be opened."""
        return bool(self._view("isListed", underlying, expiry, strike // STRIKE_UNIT))

    def _settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        elapsed, mean = self._view("settlementMean", underlying, expiry)
        return elapsed, mean

    def _word(self, key: int) -> int:
        self.read([key])
        return self._words[key]

    def _view(self, function: str, *args: object) -> Any:
        return self._chain.view(Call("OracleAdapter", self._oracle, function, args), self._block)


@dataclass(frozen=True)
class Moment:
    """An account at a block, and the mirror of its engine over the prices there."""

    block: int
    now: int
    account: Account
    engine: JointScenarioEngine | RuleEngine
    market: Market
    margin: Margin
    """What the Clearinghouse says."""

    def fair_price(self, series: int) -> int:
        """The price around which an option trades, WAD."""
        return fair_price(series, self.market.snapshot, self.market, self.now)[0]


def read_moment(client: Client, account: AccountId) -> Moment:
    """Read an account and everything that its margin rests on, at the newest block."""
    latest = client.chain.web3.eth.get_block("latest")
    block, now = int(latest["number"]), int(latest["timestamp"])
    house = client.clearinghouse.address

    def ask(function: str, *args: object) -> Any:
        return client.chain.view(Call("Clearinghouse", house, function, args), block)

    cash, words = ask("portfolio", bytes(account))
    margin = Margin(*ask("margin", bytes(account), 0))
    address = str(ask("engine", ask("engineOf", bytes(account))))
    market = Market(client.chain, client.book.address("OracleAdapter"), block)
    market.read(_keys(client, words))
    engine = _engine(client, address, words, market, block)
    return Moment(block, now, Account(cash, tuple(words)), engine, market, margin)


def _keys(client: Client, words: Sequence[int]) -> list[int]:
    """Every feed, and the expiries of the options."""
    series = [word for word in words if word_of.kind(word) == word_of.KIND_OPTION]
    return [
        *(entry.id << EXPIRY_BITS for entry in client.book.underlyings.values()),
        *(word_of.ident(w) << EXPIRY_BITS | word_of.expiry_of(w) for w in series),
    ]


def _engine(
    client: Client, address: str, words: Sequence[int], market: Market, block: int
) -> JointScenarioEngine | RuleEngine:
    """The mirror of the engine at an address, with the parameters that it has in a block."""
    held = {word_of.ident(w) for w in words if word_of.kind(w) == word_of.KIND_COLLATERAL}
    assets = sorted(held | {entry.id for entry in client.book.assets.values() if entry.id})
    held = {word_of.ident(w) for w in words if word_of.kind(w) != word_of.KIND_COLLATERAL}
    underlyings = sorted(held | {entry.id for entry in client.book.underlyings.values()})

    def read(function: str, ids: Sequence[int]) -> dict[int, Any]:
        """What it knows; of the others it says so with an error."""
        calls = [Call(name, address, function, (one,)) for one in ids]
        answers = zip(ids, client.chain.batch(calls, block), strict=True)
        return {one: a for one, a in answers if not isinstance(a, ContractError)}

    names = {client.book.contracts.get(n, "").lower(): n for n in (JOINT_ENGINE, RULE_ENGINE)}
    name = names.get(address.lower(), "")
    if name == JOINT_ENGINE:
        risks = read("underlyingRisk", underlyings)
        haircuts = read("assetRisk", assets)
        parameters = Parameters(
            {one: UnderlyingRisk(*risk) for one, risk in risks.items()},
            {one: AssetRisk(*risk) for one, risk in haircuts.items()},
        )
        return JointScenarioEngine(market, parameters, market)
    if name == RULE_ENGINE:
        rules = Rules(
            {one: PerpRule.decode(rule) for one, rule in read("perpRule", underlyings).items()},
            {one: AssetRule.decode(rule) for one, rule in read("assetRule", assets).items()},
            {one: OptionRule.decode(rule) for one, rule in read("optionRule", underlyings).items()},
        )
        house = client.clearinghouse.address

        @cache
        def open_interest(underlying: int) -> int:
            call = Call("Clearinghouse", house, "market", (underlying,))
            return int(client.chain.view(call, block)[0])

        return RuleEngine(market, open_interest, rules, market)
    raise ChainError(f"the engine {address} is none of the address book's: it cannot be mirrored")
