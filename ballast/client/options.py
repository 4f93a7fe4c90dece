"""Options of an account as its owner looks at them: value, Greeks, and how far settlement is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.errors import ContractError
from ballast.codec import AccountId, Instrument, Option, Settlement, decode_positions
from ballast.units import mul_floor

WINDOW = 30 * 60
SETTLEMENT_DELAY = 3600


class Stage(StrEnum):
    """Where a series is on its way to cash (specification §5.8 and §14.5)."""

    TRADING = "trading"
    SETTLING = "in its settlement window"
    EXPIRED = "expired, to be fixed"
    FIXED = "fixed"
    DUE = "fixed, to be settled"


@dataclass(frozen=True, slots=True)
class OptionHolding:
    """A position in a series. WAD: price of a unit; value and Greeks of the whole position, vega
    for 1.00 of volatility and theta a day. `seconds` to expiry, negative after it; `settlement` is
    None until the expiry is fixed."""

    instrument: Instrument
    size: int
    price: int
    value: int
    delta: int
    gamma: int
    vega: int
    theta: int
    seconds: int
    stage: Stage
    settlement: Settlement | None


def stage_of(expiry: int, settlement: Settlement | None, now: int) -> Stage:
    """Where a series of that expiry is at `now`."""
    if settlement is not None:
        return Stage.DUE if now >= settlement.time + SETTLEMENT_DELAY else Stage.FIXED
    if now >= expiry:
        return Stage.EXPIRED
    return Stage.SETTLING if now + WINDOW > expiry else Stage.TRADING


def read_options(client: Client, account: AccountId, block: int) -> list[OptionHolding]:
    """The options of an account in a block, as the contracts see them."""

    def ask(function: str, *args: object) -> Any:
        call = Call("Clearinghouse", client.clearinghouse.address, function, args)
        return client.chain.view(call, block)

    words = ask("portfolio", bytes(account))[1]
    options = [one for one in decode_positions(words) if isinstance(one, Option)]
    if not options:
        return []
    now = int(client.chain.web3.eth.get_block(block)["timestamp"])
    engine = str(ask("engine", ask("engineOf", bytes(account))))
    calls = [call for one in options for call in _calls(client, engine, one)]
    answers = client.chain.batch(calls, block)
    for answer in answers:
        if isinstance(answer, ContractError):
            raise answer
    triples = zip(*[iter(answers)] * 3, strict=True)
    return [_holding(one, triple, now) for one, triple in zip(options, triples, strict=True)]


def _calls(client: Client, engine: str, one: Option) -> tuple[Call, Call, Call]:
    lens, oracle = client.book.address("RiskLens"), client.book.address("OracleAdapter")
    return (
        # Every engine has the function, under the same signature.
        Call("JointScenarioEngine", engine, "fairPrice", (one.instrument.key,)),
        Call("RiskLens", lens, "greeksOf", ([one.encode()],)),
        Call("OracleAdapter", oracle, "slice", (one.underlying, one.expiry)),
    )


def _holding(one: Option, answers: tuple[Any, Any, int], now: int) -> OptionHolding:
    fair, (greeks,), word = answers
    settlement = Settlement.decode(word)
    return OptionHolding(
        instrument=one.instrument,
        size=one.size,
        price=fair[0],
        value=mul_floor(one.size, fair[0]),
        delta=greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega,
        theta=greeks.theta,
        seconds=one.expiry - now,
        stage=stage_of(one.expiry, settlement, now),
        settlement=settlement,
    )
