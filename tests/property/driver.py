"""Plays the rules at random from a seed: fast, and the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from tests.property.campaign import Campaign
from tests.property.dice import STEP_BYTES, Dice
from tests.property.stage import RevmStage
from tests.property.tally import WEIGHTS, Tally
from tests.support.artefacts import Artefacts

EPISODE = 250  # steps on one chain: its journal grows with every call


class Failed(AssertionError):  # noqa: N818 (a finding)
    """What a step broke, and where."""

    def __init__(self, seed: int, step: int, rule: str, cause: BaseException) -> None:
        super().__init__(f"seed {seed}, step {step}, {rule}: {type(cause).__name__}: {cause}")
        self.step = step
        self.rule = rule


def play(
    seed: int,
    steps: int,
    tally: Tally,
    artefacts: Artefacts | None = None,
    weights: Mapping[str, int] = WEIGHTS,
) -> None:
    """Play so many steps, in episodes on chains of their own; raises Failed.

    `weights` names the rules to play and says how often each is tried.
    """
    random = Random(seed)
    done, rule = 0, "opening"
    try:
        while done < steps:
            campaign = Campaign(RevmStage(artefacts), tally)
            for _ in range(min(EPISODE, steps - done)):
                rules = [one for one in weights if campaign.enabled(one)]
                rule = random.choices(rules, [weights[one] for one in rules])[0]
                done += 1
                campaign.step(rule, Dice(random.randbytes(STEP_BYTES)))
            rule = "opening"
    except Exception as error:
        raise Failed(seed, done, rule, error) from error
