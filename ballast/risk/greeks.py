"""Greeks of an account, underlying by underlying, in exact integers: `RiskLens.greeksOf`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ballast.codec import (
    PRICE_UNIT,
    STRIKE_UNIT,
    Collateral,
    Option,
    Perp,
    Settlement,
    Snapshot,
    VolatilitySlice,
    decode_position,
)
from ballast.fixed_point import div_towards_zero, sqrt
from ballast.risk import black76
from ballast.risk.options import WINDOW, OptionPrices, Term
from ballast.risk.scenarios import RATIO
from ballast.risk.value_at_risk import Sensitivities
from ballast.svi import annual_variance
from ballast.units import WAD

DAY = 24 * 3600


def greeks_of(
    words: Sequence[int],
    snapshots: Callable[[int], Snapshot],
    options: OptionPrices,
    assets: Mapping[int, tuple[int, int]],
    variances: Mapping[int, int],
    *,
    now: int,
) -> list[Sensitivities]:
    """Greeks of positions; `assets` gives underlying and decimals, `variances` are hourly."""
    found: dict[int, Sensitivities] = {}
    for position in map(decode_position, words):
        underlying = (
            assets[position.asset][0] if isinstance(position, Collateral) else position.underlying
        )
        snapshot = snapshots(underlying)
        one = found.get(underlying) or Sensitivities(
            underlying, snapshot.price, variance=variances.get(underlying, 0)
        )
        if isinstance(position, Option):
            one = _with_option(one, position, snapshot, options, now)
        elif isinstance(position, Perp):
            one = replace(one, delta=one.delta + position.size)
        else:
            units = position.amount * WAD // 10 ** assets[position.asset][1]
            one = replace(one, delta=one.delta + units)
        found[underlying] = one
    return list(found.values())


def _with_option(
    one: Sensitivities, option: Option, snapshot: Snapshot, options: OptionPrices, now: int
) -> Sensitivities:
    """Of a settled expiry nothing changes; one without volatility counts as if exercised."""
    word = options.slice(option.underlying, option.expiry)
    if Settlement.decode(word):
        return one
    if not word:
        distance = one.spot - option.strike
        if (-distance if option.is_put else distance) <= 0:
            return one
        return replace(one, delta=one.delta + (-option.size if option.is_put else option.size))
    mean = 0, 0
    if now + WINDOW > option.expiry:
        mean = options.settlement_mean(option.underlying, option.expiry)
    term = Term.make(snapshot, VolatilitySlice.decode(word), option.expiry, now, mean)
    return _with_modelled(one, option, term) if term.factor else one


def _with_modelled(one: Sensitivities, option: Option, term: Term) -> Sensitivities:
    _, log_kappa = term.moneyness(option.strike // STRIKE_UNIT)
    volatility = sqrt(annual_variance(term.slice, log_kappa) * WAD)
    part = term.open * WAD // term.factor
    unit = black76.greeks(
        term.forward * PRICE_UNIT * term.factor >> 64,
        option.strike,
        volatility * part // WAD,
        term.span * WAD // term.divisor,
        option.is_put,
    )
    slope = term.slice.forward * (WAD // RATIO) * term.open >> 64
    theta = _times(option.size, unit.theta) * DAY
    return replace(
        one,
        delta=one.delta + _times(option.size, unit.delta, slope),
        gamma=one.gamma + _times(option.size, unit.gamma, slope, slope),
        vega=one.vega + _times(option.size, unit.vega, part),
        theta=one.theta + div_towards_zero(theta, term.divisor),
    )


def _times(first: int, *rest: int) -> int:
    """A WAD product, rounded towards zero after each factor."""
    for factor in rest:
        first = div_towards_zero(first * factor, WAD)
    return first
