"""The rules by name, how often each is tried, and what came of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

CORE = {
    "deposit": 3,
    "deposit_for_another": 2,
    "withdraw": 5,
    "transfer": 4,
    "open_perp": 16,
    "trade_spot": 5,
    "reduce": 6,
    "fill_resting": 5,
    "cancel": 2,
    "drift": 8,
    "crash": 8,
    "suspect": 2,
    "wait": 4,
    "settle": 3,
    "collect_reserve": 2,
    "liquidate": 10,
    "liquidate_at_last_prices": 3,
    "flag": 4,
    "clear_flag": 2,
    "intrude": 3,
}
ROADS = {  # that are taken seldom
    "set_delegate": 4,
    "act_for_another": 8,
    "trade_for_another": 5,
    "trade_recallable": 4,
    "recall": 2,
    "cancel_many": 2,
    "batch": 14,
    "stop": 1,
    "resume": 8,
    "clear_flag_narrowly": 4,
    "set_risk": 1,
    "advance_risk": 2,
    "sell_off": 3,
}
OPTIONS = {
    "open_option": 14,
    "reduce_option": 6,
    "leave_option": 5,
    "batch_options": 5,
    "publish": 8,
    "allow_expiry": 3,
    "set_option_cap": 1,
    "pass_expiry": 4,
    "squeeze": 5,
    "wear_down": 8,
    "fix_expiry": 6,
    "settle_options": 10,
    "halt": 1,
    "restart": 25,
}
WEIGHTS = {**CORE, **ROADS, **OPTIONS}
GROUPS = {
    "money": ("deposit", "deposit_for_another", "withdraw", "transfer"),
    "trades": ("open_perp", "trade_spot", "reduce", "fill_resting", "cancel"),
    "market": ("crash", "drift", "suspect", "wait"),
    "others": ("settle", "clear_flag", "collect_reserve", "intrude"),
    "keepers": ("liquidate", "liquidate_at_last_prices", "flag"),
    # Flags are seldom here: they are cleared with and without a deposit by the same rule.
    "roads": tuple(rule for rule in ROADS if rule != "clear_flag_narrowly"),
    "options": tuple(OPTIONS),
}
RULES = tuple(rule for rules in GROUPS.values() for rule in rules)

SEEN = (  # that every long play comes by
    "fixed as it was",
    "fixed by the late window",
    "fixed by the window",
    "option left on prices that are not fresh",
    "option traded",
    "option turned",
    "options became cash",
    "options flagged",
    "options liquidated",
    "options liquidated after proven time",
    "options liquidated on old prices",
    "slice accepted",
    "slice old",
    "slice refused",
)


@dataclass
class Tally:
    """What was tried and what was accepted, by rule."""

    tried: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    liquidations: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened besides, by name."""

    def share(self, rule: str) -> float:
        return self.accepted[rule] / self.tried[rule] if self.tried[rule] else 0.0

    def __str__(self) -> str:
        lines = [f"{self.steps} steps, {self.liquidations} liquidations"]
        for rule, tried in sorted(self.tried.items()):
            lines.append(f"{rule:18} {self.accepted[rule]:6} of {tried:6} {self.share(rule):7.1%}")
        common = ", ".join(f"{name} {count}" for name, count in self.refusals.most_common())
        seen = ", ".join(f"{name} {count}" for name, count in sorted(self.seen.items()))
        return "\n".join([*lines, f"refused: {common}", f"seen: {seen}"])
