"""What calls do to the books once they are allowed: loading, moving, saving, interest.

Used by the model of the Clearinghouse, which decides, and by the replay of events, which knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ballast.codec import AccountId
from ballast.model.accounts import MAX_POSITIONS, Account
from ballast.model.interest import INDEX_ONE, CashFlow, InterestState, Totals, kept_back, rates
from ballast.model.market import Market, OptionMarket, SeriesInterest
from ballast.model.refusal import Refused, require
from ballast.model.state import Asset, State
from ballast.model.words import (
    KIND_COLLATERAL,
    KIND_OPTION,
    KIND_PERP,
    amount_of,
    collateral_word,
    fits_signed,
    ident,
    instrument_of,
    kind,
    option_size,
    perp_quote,
    perp_size,
    perp_word,
    trunc_div,
)
from ballast.units import WAD, mul_ceil, mul_floor

CASH = 0


def check_uint128(value: int) -> int:
    """The value, if it fits 128 bits."""
    if not 0 <= value < 1 << 128:
        raise Refused("SafeCastOverflowedUintDowncast", 128, value % (1 << 256))
    return value


class Ledger:
    """The books of a state at the block time `now`, and what a deployment fixes."""

    def __init__(self, state: State, address: str, fees: AccountId, insurance: AccountId) -> None:
        self.state = state
        self.now = state.interest.time
        self.address = address
        self.fee_account = fees
        self.insurance_account = insurance

    # ---- Cash ---------------------------------------------------------------------------------

    @property
    def cash_unit(self) -> int:
        """WAD for one smallest unit of the cash token."""
        return 10 ** (18 - self.state.assets[CASH].decimals)

    def tokens_held(self, asset: int = CASH) -> int:
        """Tokens that the Clearinghouse holds, smallest units."""
        return self.state.balance(self.state.assets[asset].token, self.address)

    def open_cash(self) -> CashFlow:
        """The indices at this time."""
        return CashFlow(*self.state.interest.indices_at(self.now))

    def close_cash(self, flow: CashFlow, leaving: int, tokens_moved: bool) -> None:
        """Write the totals; while anybody is in debt, accrue and set the rates from here.

        `leaving` is what this call has still to pay out, WAD.
        """
        moved = flow.supply_delta != 0 or flow.debt_delta != 0
        if not moved and not tokens_moved:
            return
        before = self.state.totals
        after = Totals(
            check_uint128(before.supply + flow.supply_delta),
            check_uint128(before.debt + flow.debt_delta),
        )
        self.state.totals = after
        if before.debt or after.debt:
            self.state.reserve += kept_back(self.state.interest, before, flow)
            self.state.interest = self._next_interest(flow, after, leaving)

    def _next_interest(self, flow: CashFlow, totals: Totals, leaving: int) -> InterestState:
        supply_rate, debt_rate = self._rates(flow, totals, leaving)
        return InterestState(flow.supply_index, flow.debt_index, supply_rate, debt_rate, self.now)

    def _rates(self, flow: CashFlow, totals: Totals, leaving: int) -> tuple[int, int]:
        return rates(
            totals.supply * flow.supply_index // INDEX_ONE,
            totals.debt * flow.debt_index // INDEX_ONE,
            self.tokens_held() * self.cash_unit - leaving,
        )

    def take_reserve(self) -> int:
        """Empty the reserve, WAD."""
        amount, self.state.reserve = self.state.reserve, 0
        return amount

    # ---- Accounts -----------------------------------------------------------------------------

    def load(self, flow: CashFlow, account: AccountId, extra: int) -> Account:
        """Read an account into memory with room for `extra` more positions."""
        stored = self.state.account(account)
        cash = flow.to_cash(stored.scaled)
        return Account(
            id=account,
            scaled=stored.scaled,
            engine=stored.engine,
            checked_at=stored.checked_at,
            cash=cash,
            loaded_cash=cash,
            words=list(stored.words),
            loaded=stored.words,
            capacity=min(len(stored.words) + extra, MAX_POSITIONS),
        )

    def save(self, flow: CashFlow, account: Account) -> None:
        """Write an account back; cash that did not move keeps its scaled balance."""
        if account.cash != account.loaded_cash:
            account.scaled = self._rescaled(flow, account.scaled, account.cash)
        stored = self.state.account(account.id)
        self.state.accounts[account.id] = replace(
            stored,
            scaled=account.scaled,
            engine=account.engine,
            checked_at=account.checked_at,
            words=tuple(account.words),
        )

    def credit(self, flow: CashFlow, account: AccountId, amount: int) -> None:
        """Add cash (WAD) to an account of which nothing else changes."""
        if amount == 0:
            return
        stored = self.state.account(account)
        scaled = self._rescaled(flow, stored.scaled, flow.to_cash(stored.scaled) + amount)
        self.state.accounts[account] = replace(stored, scaled=scaled)

    @staticmethod
    def _rescaled(flow: CashFlow, before: int, cash: int) -> int:
        scaled = flow.rescale(before, cash)
        require(fits_signed(scaled, 128), "Header_CashOverflow", scaled)
        return scaled

    # ---- Registries ---------------------------------------------------------------------------

    def asset(self, asset: int) -> Asset:
        """A registered asset."""
        require(asset < len(self.state.assets), "Clearinghouse_UnknownAsset", asset)
        return self.state.assets[asset]

    def market(self, underlying: int) -> Market:
        """A listed market."""
        found = self.state.markets.get(underlying)
        if found is None:
            raise Refused("Clearinghouse_UnknownMarket", underlying)
        return found

    def set_total(self, asset: int, total: int) -> None:
        """Set an asset's recorded total, smallest units."""
        assets = self.state.assets
        assets[asset] = replace(assets[asset], total=total)

    # ---- Positions ----------------------------------------------------------------------------

    def fill_perp(
        self, account: Account, underlying: int, size: int, premium: int, basis: int
    ) -> tuple[int, int]:
        """Settle a perpetual to mark, then fill `size` at mark + `premium`.

        Returns the change of the long size and of cash and quote together. WAD, each product
        rounded against the account.
        """
        index = account.find_perp(underlying)
        before, quote = perp_size(account.words[index]), perp_quote(account.words[index])
        after = before + size
        cash_delta = quote + mul_floor(before, basis) - mul_ceil(size, premium)
        quote_after = -mul_ceil(after, basis)
        account.cash += cash_delta
        if after == 0:
            account.remove(index)
        else:
            account.words[index] = perp_word(underlying, after, quote_after)
        return max(after, 0) - max(before, 0), cash_delta + quote_after - quote

    def fill_spot(self, account: Account, asset: int, size: int, price: int) -> int:
        """Exchange collateral for cash inside an account; returns the change of its cash, WAD.

        What it pays rounds up, what it gets rounds down.
        """
        unit = 10 ** self.asset(asset).decimals
        amount, rest = divmod(abs(size) * unit, WAD)
        require(rest == 0, "Clearinghouse_InexactSize", size, unit)
        if size < 0:
            account.remove_collateral(asset, amount)
        else:
            account.add_collateral(asset, amount)
        delta = -mul_ceil(size, price)
        account.cash += delta
        return delta

    def fill_option(self, account: Account, series: int, size: int, price: int) -> tuple[int, int]:
        """Fill an option; the change of the account's long size and of its cash, WAD.

        A buyer's premium rounds up, a seller's down.
        """
        claim_delta = -mul_ceil(size, price)
        account.cash += claim_delta
        return account.add_option(series, size), claim_delta

    def settle_options(self, account: Account, payoffs: dict[int, int]) -> int:
        """Turn options of series with a payoff (WAD a unit) into cash. Returns the sum."""
        realised = 0
        for index in reversed(range(len(account.words))):
            word = account.words[index]
            series = instrument_of(word)
            if series not in payoffs:
                continue
            size = option_size(word)
            realised += mul_floor(size, payoffs[series])
            account.remove(index)
            self.move_series(series, -max(size, 0), -max(-size, 0))
        account.cash += realised
        return realised

    def move_series(self, series: int, long_delta: int, short_delta: int) -> None:
        """Change both sides of a series' open interest."""
        if long_delta == 0 and short_delta == 0:
            return
        interest = self.state.series.get(series, SeriesInterest())
        self.state.series[series] = interest.moved(long_delta, short_delta)
        options = self.option_market(ident(series))
        total = options.open_interest + long_delta
        self.state.option_markets[ident(series)] = replace(options, open_interest=total)

    def option_market(self, underlying: int) -> OptionMarket:
        """Option units open on an underlying, and their cap."""
        return self.state.option_markets.get(underlying, OptionMarket())

    def settle_perps(self, account: Account, bases: dict[int, int]) -> int:
        """Turn the value of every perpetual into cash, at its mark − funding. Returns the sum."""
        realised = 0
        for index, word in enumerate(account.words):
            if kind(word) != KIND_PERP:
                continue
            settled = mul_floor(perp_size(word), bases[ident(word)])
            realised += settled + perp_quote(word)
            account.words[index] = perp_word(ident(word), perp_size(word), -settled)
        account.cash += realised
        return realised

    def fold_funding(self, words: Sequence[int]) -> list[int]:
        """The words with funding in the quotes, rounded against the account."""
        return [self._folded(word) if kind(word) == KIND_PERP else word for word in words]

    def _folded(self, word: int) -> int:
        funding = self.market(ident(word)).state.funding_at(self.now)
        size = perp_size(word)
        return perp_word(ident(word), size, perp_quote(word) - mul_ceil(size, funding))

    def move_open_interest(self, underlying: int, long_delta: int, capped: bool = True) -> None:
        """Take a change of Σ long sizes into a market; growth must stay under the cap."""
        if long_delta == 0:
            return
        market = self.market(underlying)
        total = market.state.open_interest + long_delta
        error = "Clearinghouse_OpenInterestCapExceeded"
        grows = capped and long_delta > 0
        require(not grows or total <= market.cap, error, underlying, total, market.cap)
        state = market.state.with_open_interest(total)
        self.state.markets[underlying] = replace(market, state=state)

    # ---- Slices -------------------------------------------------------------------------------

    def move_slice(
        self, source: Account, into: Account, fraction: int, paid: int, fund: int
    ) -> None:
        """Move a fraction of every balance, rounded towards zero, and the payments for it. WAD."""
        cash = trunc_div(source.cash * fraction, WAD)
        for index in reversed(range(len(source.words))):
            word = source.words[index]
            if kind(word) == KIND_OPTION:
                self._move_option(source, into, index, fraction)
            elif kind(word) == KIND_PERP:
                self._move_perp(source, into, index, fraction)
            elif kind(word) == KIND_COLLATERAL:
                self._move_collateral(source, into, index, fraction)
        source.cash += paid - cash
        into.cash += cash - (paid + fund)

    def _move_option(self, source: Account, into: Account, index: int, fraction: int) -> None:
        word = source.words[index]
        size = trunc_div(option_size(word) * fraction, WAD)
        if size == 0:
            return
        delta = source.set_option(index, option_size(word) - size)
        delta += into.add_option(instrument_of(word), size)
        self.move_series(instrument_of(word), delta, delta)

    def _move_perp(self, source: Account, into: Account, index: int, fraction: int) -> None:
        word = source.words[index]
        size = trunc_div(perp_size(word) * fraction, WAD)
        quote = trunc_div(perp_quote(word) * fraction, WAD)
        if size == 0:
            # A size too small to split: its share of the quote moves as cash.
            left = perp_quote(word) - quote
            source.words[index] = perp_word(ident(word), perp_size(word), left)
            into.cash += quote
            return
        long_delta = self._merge_perp(into, ident(word), size, quote)
        long_delta += self._merge_perp(source, ident(word), -size, -quote)
        self.move_open_interest(ident(word), long_delta)

    @staticmethod
    def _merge_perp(account: Account, underlying: int, size: int, quote: int) -> int:
        index = account.find_perp(underlying)
        before = perp_size(account.words[index])
        after = before + size
        quote_after = perp_quote(account.words[index]) + quote
        if after == 0:
            account.cash += quote_after
            account.remove(index)
        else:
            account.words[index] = perp_word(underlying, after, quote_after)
        return max(after, 0) - max(before, 0)

    @staticmethod
    def _move_collateral(source: Account, into: Account, index: int, fraction: int) -> None:
        word = source.words[index]
        held = amount_of(word)
        amount = held * fraction // WAD
        if amount == 0:
            return
        into.add_collateral(ident(word), amount)
        if amount == held:
            source.remove(index)
        else:
            source.words[index] = collateral_word(ident(word), held - amount)
