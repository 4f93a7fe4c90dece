"""Parameters of risk that are behind their ramps: somebody has to let them advance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ballast.client.chain import Call
from ballast.client.client import Client
from ballast.client.errors import ContractError
from ballast.risk.governed import Risk, RiskRamp
from ballast.risk.parameters import AssetRisk, UnderlyingRisk

ENGINE = "JointScenarioEngine"
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Advance:
    """A call that lets parameters be what their ramp has reached, and what they are of."""

    function: str
    id: int


def is_behind(ramp: RiskRamp[Risk], held: Risk, now: int) -> bool:
    """Whether a parameter is where its ramp was more than a day ago."""
    if now - DAY < ramp.start:
        return False
    passed = ramp.at(now - DAY)
    return any(
        abs(getattr(ramp.target, name) - getattr(held, name))
        > abs(getattr(ramp.target, name) - getattr(passed, name))
        for name in held.__slots__
    )


class Ramps:
    """The ramps of the scenario engine of a deployment; the rule engine's need nobody."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def behind(self, now: int) -> list[Advance]:
        """Whatever is more than a day behind."""
        return [*self._underlyings(now), *self._assets(now)]

    def _underlyings(self, now: int) -> Iterator[Advance]:
        for one in self._client.book.underlyings.values():
            read = self._read(one.id, "underlyingRisk", "underlyingRamp")
            if read is not None:
                risk, (first, last, start, end) = read
                ends = UnderlyingRisk(*first), UnderlyingRisk(*last)
                if is_behind(RiskRamp(*ends, start, end), UnderlyingRisk(*risk), now):
                    yield Advance("advanceUnderlying", one.id)

    def _assets(self, now: int) -> Iterator[Advance]:
        for one in self._client.book.assets.values():
            read = self._read(one.id, "assetRisk", "assetRamp")
            if read is not None:
                held, ramp = AssetRisk(*read[0]), read[1]
                ends = (
                    replace(held, haircut=ramp.fromHaircut, extra_haircut=ramp.fromExtra),
                    replace(held, haircut=ramp.toHaircut, extra_haircut=ramp.toExtra),
                )
                if is_behind(RiskRamp(*ends, ramp.start, ramp.end), held, now):
                    yield Advance("advanceAsset", one.id)

    def _read(self, id_: int, *views: str) -> list[Any] | None:
        """What holds and where it goes; None where the engine has no parameters."""
        engine = self._client.book.address(ENGINE)
        answers = self._client.chain.batch([Call(ENGINE, engine, view, (id_,)) for view in views])
        return None if isinstance(answers[0], ContractError) else answers
