"""The Clearinghouse: every external function, its checks in their order, its errors by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ballast.codec import AccountId, Settlement, VolatilitySlice
from ballast.model.accounts import Account
from ballast.model.interest import CashFlow, InterestState
from ballast.model.ledger import CASH, Ledger, check_uint128
from ballast.model.margin import ASSESS_ALL, Engine, LiquidationTerms, Margin, Prices
from ballast.model.market import Market, MarketState, is_cap
from ballast.model.refusal import Refused, require
from ballast.model.state import Asset, State, atomic
from ballast.model.words import (
    KIND_COLLATERAL,
    KIND_OPTION,
    KIND_PERP,
    expiry_of,
    find,
    ident,
    instrument_of,
    is_canonical,
    is_put,
    kind,
    option_size,
    perp_size,
    strike_of,
)
from ballast.permissions import Permission
from ballast.units import WAD, mul_floor

MIN_EQUITY = 50 * WAD
MAX_CAP = 2**128 - 1
SLICE_DUST = 10**11
MAX_OPTION_CAP = 2**90
MAX_MONEYNESS = 64
LEAST_BAND_DIVISOR = 50
SETTLEMENT_DELAY = 3600
DEFAULT_ENGINE = 0
MAX_ASSETS = 2**16 - 1
MAX_ENGINES = 2**8 - 1

WAIT_TRADE, WAIT_TAKE, WAIT_INITIAL = 1, 2, 4
NOTHING = Margin(0, 0, 0, 0, False)
"""The margin of an account without positions, which no trade reduces."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One maker's part of a trade: size that the taker receives, cash a unit, fees. WAD."""

    maker: AccountId
    size: int
    price: int
    maker_fee: int = 0
    taker_fee: int = 0
    maker_min_health: int = 0
    maker_reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade of one taker against makers in one instrument."""

    instrument: int
    taker: AccountId
    fills: tuple[Fill, ...]
    taker_min_health: int = 0
    taker_reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """What a liquidator takes and pays: a fraction of every balance, cash for it. WAD."""

    source: AccountId
    into: AccountId
    fraction: int
    payment: int
    insurance: int
    equity: int = 0
    """Equity of `source` by the assessment that the liquidation rests on."""
    initial: int = 0
    """IM of `source` by the same assessment; zero if it was not asked for."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What an account has to show at the end of a batch, and what it was before. WAD."""

    demands: int = 0
    min_health: int = 0
    cash: int = 0
    before: Margin = NOTHING


@dataclass(slots=True)
class Terms:
    """What the fills of one instrument share, and what the accounts gave up so far. WAD."""

    instrument: int
    fair_price: int
    band: int
    basis: int
    long_delta: int = 0
    claim_delta: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Who may call what."""

    clearinghouse: str
    oracle: str
    exchange: str
    liquidator: str


def owns(account: AccountId, caller: str) -> bool:
    """Whether an address owns an account."""
    return account.value[:20] == bytes.fromhex(caller[2:])


def _require_owner(account: AccountId, caller: str) -> None:
    require(owns(account, caller), "Clearinghouse_NotOwner", account.value, caller.lower())


def _has_owner(account: AccountId) -> bool:
    return any(account.value[:20])


class Clearinghouse(Ledger):
    """Custody, cash, positions and the margin gate. `now` is the block's time in unix seconds."""

    def __init__(
        self,
        addresses: Addresses,
        prices: Prices,
        cash: tuple[str, int],
        fee_account: AccountId,
        insurance_account: AccountId,
        *,
        now: int,
    ) -> None:
        token, decimals = cash
        state = State(InterestState.start(now), assets=[Asset(token, decimals, 0, cap=MAX_CAP)])
        super().__init__(state, addresses.clearinghouse, fee_account, insurance_account)
        self.addresses = addresses
        self.prices = prices
        self.engines: list[Engine] = []
        self._waiting: dict[AccountId, Wait] | None = None

    # ---- Registries (restricted; the caller's right is not modelled) ----------------------------

    @atomic
    def register_asset(self, token: str, decimals: int, underlying: int) -> int:
        """Register a token as collateral priced by a feed; its id."""
        self._require_priced(underlying)
        for index, known in enumerate(self.state.assets):
            if known.token == token:
                raise Refused("Clearinghouse_TokenAlreadyRegistered", token.lower(), index)
        unsupported = "Clearinghouse_UnsupportedDecimals"
        require(decimals <= 18, unsupported, token.lower(), decimals)
        count = len(self.state.assets)
        require(count <= MAX_ASSETS, "Clearinghouse_RegistryFull", count)
        self.state.assets.append(Asset(token, decimals, underlying))
        return count

    @atomic
    def set_asset_cap(self, asset: int, cap: int) -> None:
        """Set the greatest total that a deposit may reach, smallest units."""
        registered = self.asset(asset)
        bound = 10**registered.decimals << 72
        error = "Clearinghouse_AssetCapOutOfBounds"
        require(cap <= bound, error, asset, cap, bound)
        require(bool(self.engines), "Clearinghouse_UnknownEngine", DEFAULT_ENGINE)
        for index, engine in enumerate(self.engines):
            self._require_supported(asset, engine, index)
        self.state.assets[asset] = replace(registered, cap=cap)

    @atomic
    def register_engine(self, engine: Engine) -> int:
        """Register a risk engine; its id."""
        count = len(self.engines)
        for index, asset in enumerate(self.state.assets):
            if asset.cap or asset.total:
                self._require_supported(index, engine, count)
        require(count <= MAX_ENGINES, "Clearinghouse_RegistryFull", count)
        self.engines.append(engine)
        return count

    @atomic
    def list_market(self, underlying: int) -> None:
        """List a perpetual with a cap of zero."""
        self._require_priced(underlying)
        error = "Clearinghouse_MarketAlreadyListed"
        require(underlying not in self.state.markets, error, underlying)
        self.state.markets[underlying] = Market(MarketState(0, 0, 0, self.now))

    @atomic
    def set_market_cap(self, underlying: int, cap: int) -> None:
        """Set the greatest open interest that a trade may reach, WAD."""
        market = self.market(underlying)
        require(is_cap(cap), "MarketState_InexactCap", cap)
        self.state.markets[underlying] = replace(market, cap=cap)

    @atomic
    def set_option_cap(self, underlying: int, cap: int) -> None:
        """Set the greatest number of option units that trades may have open, WAD."""
        self._require_priced(underlying)
        error = "Clearinghouse_OptionCapOutOfBounds"
        require(cap <= MAX_OPTION_CAP, error, underlying, cap, MAX_OPTION_CAP)
        options = self.option_market(underlying)
        self.state.option_markets[underlying] = replace(options, cap=cap)

    @staticmethod
    def _require_supported(asset: int, engine: Engine, engine_id: int) -> None:
        known = asset == CASH or engine.supports_asset(asset)
        require(known, "Clearinghouse_AssetUnknownToEngine", asset, engine_id)

    def _require_priced(self, underlying: int) -> None:
        priced = self.prices.snapshot(underlying).price != 0
        require(priced, "Clearinghouse_PriceNeverAccepted", underlying)

    # ---- Custody ------------------------------------------------------------------------------

    @atomic
    def deposit(self, caller: str, to: AccountId, asset: int, amount: int) -> int:
        """Take tokens from the caller into an account; what arrived, smallest units."""
        require(amount != 0, "Clearinghouse_ZeroAmount")
        require(_has_owner(to), "Clearinghouse_InvalidAccount", to.value)
        info = self.asset(asset)
        self.state.move_tokens(info.token, caller, self.address, amount)
        flow = self.open_cash()
        exceeded = "Clearinghouse_AssetCapExceeded"
        if asset == CASH:
            held = self.tokens_held()
            require(held <= info.cap, exceeded, CASH, held, info.cap)
            self.credit(flow, to, amount * self.cash_unit)
        else:
            total = info.total + amount
            require(total <= info.cap, exceeded, asset, total, info.cap)
            self.set_total(asset, check_uint128(total))
            self._receive(flow, caller, to, asset, amount)
        self._note_addition(to)
        self.close_cash(flow, 0, asset == CASH)
        return amount

    @atomic
    def withdraw(self, caller: str, source: AccountId, asset: int, amount: int, to: str) -> None:
        """Pay tokens out of the caller's account, smallest units."""
        if owns(source, to):
            self._require_permitted(source, caller, Permission.WITHDRAW)
        else:
            _require_owner(source, caller)
        refused = int(to, 16) == 0 or to.lower() == self.address.lower()
        require(not refused, "Clearinghouse_InvalidRecipient", to.lower())
        info = self.asset(asset)
        flow = self.open_cash()
        self._take(flow, source, asset, amount)
        if asset != CASH:
            self.set_total(asset, info.total - amount)
        self.close_cash(flow, amount * self.cash_unit if asset == CASH else 0, asset == CASH)
        self.state.move_tokens(info.token, self.address, to, amount)

    @atomic
    def transfer(
        self, caller: str, source: AccountId, to: AccountId, asset: int, amount: int
    ) -> None:
        """Move an asset between accounts, smallest units."""
        if source.value[:20] == to.value[:20]:
            self._require_permitted(source, caller, Permission.TRANSFER)
        else:
            _require_owner(source, caller)
        require(source != to, "Clearinghouse_SameAccount", source.value)
        require(_has_owner(to), "Clearinghouse_InvalidAccount", to.value)
        self.asset(asset)
        flow = self.open_cash()
        self._take(flow, source, asset, amount)
        if asset == CASH:
            self.credit(flow, to, amount * self.cash_unit)
        else:
            self._receive(flow, caller, to, asset, amount)
        self._note_addition(to)
        self.close_cash(flow, 0, False)

    def _take(self, flow: CashFlow, source: AccountId, asset: int, amount: int) -> None:
        require(amount != 0, "Clearinghouse_ZeroAmount")
        account = self.load(flow, source, 0)
        if asset == CASH:
            have = self.tokens_held()
            require(amount <= have, "Clearinghouse_InsufficientTokens", have, amount)
            account.cash -= amount * self.cash_unit
        else:
            account.remove_collateral(asset, amount)
        self._check_withdrawal(account)
        self.save(flow, account)

    def _receive(self, flow: CashFlow, caller: str, to: AccountId, asset: int, amount: int) -> None:
        """Add collateral; a stranger cannot make the account hold what it did not hold."""
        account = self.load(flow, to, 1)
        count = len(account.words)
        account.add_collateral(asset, amount)
        known = len(account.words) == count
        allowed = known or self.is_permitted(to, caller, Permission.DEPOSIT)
        require(allowed, "Clearinghouse_StrangerCannotAdd", to.value, asset)
        self.save(flow, account)

    # ---- Calls on one account -----------------------------------------------------------------

    @atomic
    def settle(self, account_id: AccountId) -> int:
        """Settle perpetuals to mark and options of fixed series; the cash it became, WAD."""
        flow = self.open_cash()
        account = self.load(flow, account_id, 0)
        perps = [ident(word) for word in account.words if kind(word) == KIND_PERP]
        realised = self.settle_perps(account, {u: self.basis(u) for u in perps})
        realised += self.settle_options(account, self._payoffs(account))
        self.save(flow, account)
        self.close_cash(flow, 0, False)
        return realised

    def _payoffs(self, account: Account) -> dict[int, int]:
        """What a unit of each option pays whose series was fixed long enough ago, WAD."""
        payoffs = {}
        for series in (instrument_of(w) for w in account.words if kind(w) == KIND_OPTION):
            settled = Settlement.decode(self.prices.slice(ident(series), expiry_of(series)))
            if settled is not None and self.now >= settled.time + SETTLEMENT_DELAY:
                gain = settled.price - strike_of(series)
                payoffs[series] = max(-gain if is_put(series) else gain, 0)
        return payoffs

    @atomic
    def select_engine(self, caller: str, account_id: AccountId, engine: int) -> None:
        """Put an account under another engine, whose initial margin it must meet."""
        self._require_permitted(account_id, caller, Permission.MANAGE)
        self.engine(engine)
        flow = self.open_cash()
        account = self.load(flow, account_id, 0)
        halted = self.state.stopped and not account.owes_nothing()
        require(not halted, "Clearinghouse_NewRiskStopped", account_id.value)
        account.engine = engine
        self._check_initial(account)
        self.save(flow, account)

    # ---- Delegates ----------------------------------------------------------------------------

    @atomic
    def set_delegate(
        self, caller: str, account: AccountId, delegate: str, permissions: int, expiry: int
    ) -> None:
        """Let a delegate act for an account, up to and including a second."""
        _require_owner(account, caller)
        known = permissions <= Permission.ALL
        require(known, "Clearinghouse_UnknownPermission", permissions)
        self.state.mandates[account, delegate.lower()] = (permissions, expiry)

    def is_permitted(self, account: AccountId, who: str, permission: int) -> bool:
        """Whether somebody owns an account, or is a delegate who may do this now."""
        permissions, expiry = self.state.mandates.get((account, who.lower()), (0, 0))
        mandated = self.now <= expiry and permissions & permission == permission
        return owns(account, who) or mandated

    def _require_permitted(self, account: AccountId, caller: str, permission: int) -> None:
        values = (account.value, caller.lower(), int(permission))
        allowed = self.is_permitted(account, caller, permission)
        require(allowed, "Clearinghouse_NotPermitted", *values)

    # ---- Calls of anybody ---------------------------------------------------------------------

    @atomic
    def collect_reserve(self) -> int:
        """Hand the reserve of interest to the insurance account, WAD."""
        amount = self.take_reserve()
        flow = self.open_cash()
        self.credit(flow, self.insurance_account, amount)
        self.close_cash(flow, 0, False)
        return amount

    @atomic
    def set_funding_rate(self, caller: str, underlying: int, rate: int) -> int:
        """Set a market's funding rate, WAD a unit and second; its open interest."""
        allowed = caller.lower() == self.addresses.oracle.lower()
        require(allowed, "Clearinghouse_NotOracle", caller.lower())
        market = self.state.markets.get(underlying)
        if market is None:
            return 0
        self.state.markets[underlying] = replace(
            market, state=market.state.with_rate(rate, self.now)
        )
        return market.state.open_interest

    # ---- Trades -------------------------------------------------------------------------------

    @atomic
    def apply_trade(self, caller: str, trade: Trade) -> None:
        """Carry out a trade of one taker against makers. Only the Exchange."""
        allowed = caller.lower() == self.addresses.exchange.lower()
        require(allowed, "Clearinghouse_NotExchange", caller.lower())
        terms = self._terms(trade.instrument)
        flow = self.open_cash()
        taker = self.load(flow, trade.taker, 1)
        for fill in trade.fills:
            self._apply_fill(flow, terms, trade, fill, taker)
        self._check_trade(taker, trade.taker_min_health)
        self.save(flow, taker)
        if kind(terms.instrument) == KIND_PERP:
            self.move_open_interest(ident(terms.instrument), terms.long_delta)
        elif kind(terms.instrument) == KIND_OPTION:
            self._trade_series(terms.instrument, terms.long_delta)
        self.credit(flow, self.fee_account, -terms.claim_delta)
        self.close_cash(flow, 0, False)

    def _apply_fill(
        self, flow: CashFlow, terms: Terms, trade: Trade, fill: Fill, taker: Account
    ) -> None:
        other = fill.maker != trade.taker
        require(other, "Clearinghouse_InvalidCounterparty", fill.maker.value)
        if fill.price >= 1 << 255:
            raise Refused("SafeCastOverflowedUintToInt", fill.price)
        inside = abs(fill.price - terms.fair_price) <= terms.band
        outside = "Clearinghouse_PriceOutsideBand"
        require(inside, outside, fill.price, terms.fair_price, terms.band)
        reduce_only = trade.taker_reduce_only
        self._fill_side(
            terms, taker, fill.size, fill.price, fill.taker_fee, reduce_only=reduce_only
        )
        maker = self.load(flow, fill.maker, 1)
        reduce_only = fill.maker_reduce_only
        self._fill_side(
            terms, maker, -fill.size, fill.price, fill.maker_fee, reduce_only=reduce_only
        )
        self._check_trade(maker, fill.maker_min_health)
        self.save(flow, maker)

    def _fill_side(
        self, terms: Terms, account: Account, size: int, price: int, fee: int, *, reduce_only: bool
    ) -> None:
        if reduce_only:
            self._require_reducing(terms.instrument, account, size)
        what = ident(terms.instrument)
        if kind(terms.instrument) == KIND_PERP:
            premium = price - terms.fair_price
            long_delta, claim_delta = self.fill_perp(account, what, size, premium, terms.basis)
            terms.long_delta += long_delta
            terms.claim_delta += claim_delta
        elif kind(terms.instrument) == KIND_OPTION:
            long_delta, claim_delta = self.fill_option(account, terms.instrument, size, price)
            terms.long_delta += long_delta
            terms.claim_delta += claim_delta
        else:
            terms.claim_delta += self.fill_spot(account, what, size, price)
        account.cash -= fee
        terms.claim_delta -= fee

    @staticmethod
    def _require_reducing(instrument: int, account: Account, size: int) -> None:
        index = find(account.words, instrument)
        is_spot = kind(instrument) == KIND_COLLATERAL
        size_of = perp_size if kind(instrument) == KIND_PERP else option_size
        held = 0 if is_spot or index == len(account.words) else size_of(account.words[index])
        reducing = size < 0 if is_spot else (held < 0) != (size < 0) and abs(size) <= abs(held)
        error = "Clearinghouse_NotReducing"
        require(reducing, error, account.id.value, held, held + size)

    def _terms(self, instrument: int) -> Terms:
        unsupported = "Clearinghouse_UnsupportedInstrument"
        require(is_canonical(instrument), unsupported, instrument)
        what = ident(instrument)
        if kind(instrument) == KIND_OPTION:
            return self._option_terms(instrument)
        if kind(instrument) == KIND_PERP:
            snapshot = self.prices.snapshot(what)
            basis, fair = self.basis(what), snapshot.mark
        elif kind(instrument) == KIND_COLLATERAL and what != CASH:
            snapshot = self.prices.snapshot(self.asset(what).underlying)
            basis, fair = 0, snapshot.price
        else:
            raise Refused(unsupported, instrument)
        band = snapshot.price * snapshot.range_maintenance // (2 * WAD)
        return Terms(instrument, fair, band, basis)

    def _option_terms(self, series: int) -> Terms:
        expired = self.now >= expiry_of(series)
        require(not expired, "Clearinghouse_SeriesExpired", series, self.now)
        snapshot = self.prices.snapshot(ident(series))
        price, delta = self.engine(DEFAULT_ENGINE).fair_price(series, self.now)
        move = snapshot.price * snapshot.range_maintenance // (2 * WAD)
        band = max(snapshot.price // LEAST_BAND_DIVISOR, mul_floor(move, abs(delta)))
        return Terms(series, price, band, 0)

    def _trade_series(self, series: int, delta: int) -> None:
        """Take a trade into the open interest; growth needs a listed series and room."""
        if delta > 0:
            self._require_openable(series)
            options = self.option_market(ident(series))
            total = options.open_interest + delta
            exceeded = "Clearinghouse_OptionCapExceeded"
            require(total <= options.cap, exceeded, ident(series), total, options.cap)
        self.move_series(series, delta, delta)

    def _require_openable(self, series: int) -> None:
        underlying, expiry, strike = ident(series), expiry_of(series), strike_of(series)
        listed = self.prices.is_listed(underlying, expiry, strike)
        require(listed, "Clearinghouse_SeriesNotListed", series)
        ratio = VolatilitySlice.decode(self.prices.slice(underlying, expiry)).forward
        forward = self.prices.snapshot(underlying).price * ratio // 10**8
        near = strike <= forward * MAX_MONEYNESS and strike * MAX_MONEYNESS >= forward
        require(near, "Clearinghouse_StrikeTooFar", series, strike, forward)

    def basis(self, underlying: int) -> int:
        """Mark less cumulative funding, WAD."""
        mark = self.prices.snapshot(underlying).mark
        return mark - self.market(underlying).state.funding_at(self.now)

    # ---- Slices -------------------------------------------------------------------------------

    @atomic
    def transfer_slice(self, caller: str, slice_: Slice) -> None:
        """Move a fraction of an account and what is paid for it. Only the Liquidator."""
        source, into, fraction = slice_.source, slice_.into, slice_.fraction
        allowed = caller.lower() == self.addresses.liquidator.lower()
        require(allowed, "Clearinghouse_NotLiquidator", caller.lower())
        require(fraction <= WAD, "Clearinghouse_InvalidFraction", fraction)
        require(self._waiting is None, "Clearinghouse_Locked")
        require(source != into, "Clearinghouse_SameAccount", source.value)
        flow = self.open_cash()
        giver = self.load(flow, source, 0)
        checked_now = giver.checked_at == self.now
        require(not checked_now, "Clearinghouse_CheckedInThisBlock", source.value)
        taker = self.load(flow, into, len(giver.words))
        moved = mul_floor(slice_.equity - giver.cash, fraction)
        known = slice_.initial != 0 and not taker.words and taker.engine == giver.engine
        known = known and all(kind(word) != KIND_COLLATERAL for word in giver.words)
        dust = SLICE_DUST * len(giver.words)
        self.move_slice(giver, taker, fraction, slice_.payment, slice_.insurance)
        # Requirements are homogeneous: the IM of the slice alone is a fraction of the other.
        required = max(mul_floor(slice_.initial, fraction) + dust, MIN_EQUITY)
        if known and taker.cash + moved - dust >= required:
            taker.checked_at = self.now
        else:
            self._check_takeover(taker)
        self.save(flow, giver)
        self.save(flow, taker)
        self.credit(flow, self.insurance_account, slice_.insurance)
        self.close_cash(flow, 0, False)

    # ---- The margin gate ----------------------------------------------------------------------

    def engine(self, engine: int) -> Engine:
        """A registered engine."""
        require(engine < len(self.engines), "Clearinghouse_UnknownEngine", engine)
        return self.engines[engine]

    def _assess(self, account: Account) -> Margin:
        words = self.fold_funding(account.words)
        return self.engine(account.engine).assess(account.cash, ASSESS_ALL, words, self.now)

    def _check_trade(self, account: Account, min_health: int) -> None:
        if self._waiting is not None:
            return self._defer(self._waiting, account, WAIT_TRADE, min_health)
        if account.owes_nothing():
            return None
        margin = self._assess(account)
        if self._is_open(margin):
            account.checked_at = self.now
        else:
            self._require_reduced(account, margin, self._assess_stored(account))
        return _require_health(account, margin, min_health)

    def _check_withdrawal(self, account: Account) -> None:
        if self._waiting is not None:
            return self._defer(self._waiting, account, WAIT_TAKE)
        if account.owes_nothing():
            return None
        if self.state.stopped:
            _require_not_borrowing(account, account.loaded_cash)
        margin = self._assess(account)
        return self._require_initial(account, margin, margin.perp_notional // 10)

    def _check_initial(self, account: Account) -> None:
        if self._waiting is not None:
            return self._defer(self._waiting, account, WAIT_INITIAL)
        if account.owes_nothing():
            return None
        return self._require_initial(account, self._assess(account), 0)

    def _check_takeover(self, account: Account) -> None:
        """A slice comes at the last prices, fresh or not."""
        if not account.owes_nothing():
            margin = self._assess(account)
            self._require_equity(account, margin.equity, max(margin.initial, MIN_EQUITY))

    def _is_open(self, margin: Margin) -> bool:
        return not self.state.stopped and margin.fresh and covers_initial(margin)

    def _assess_stored(self, account: Account) -> Margin:
        words = self.fold_funding(account.loaded)
        engine = self.engine(account.engine)
        return engine.assess(account.loaded_cash, ASSESS_ALL, words, self.now)

    def _require_reduced(self, account: Account, margin: Margin, before: Margin) -> None:
        if is_reduction(before, margin):
            return
        require(not self.state.stopped, "Clearinghouse_NewRiskStopped", account.id.value)
        stale = covers_initial(margin)
        require(not stale, "Clearinghouse_PriceNotFresh", account.id.value)
        required = max(margin.initial, MIN_EQUITY)
        error = "Clearinghouse_InsufficientMargin"
        raise Refused(error, account.id.value, margin.equity, required)

    def _require_initial(self, account: Account, margin: Margin, other: int) -> None:
        require(margin.fresh, "Clearinghouse_PriceNotFresh", account.id.value)
        self._require_equity(account, margin.equity, max(margin.initial, other, MIN_EQUITY))

    def _require_equity(self, account: Account, equity: int, required: int) -> None:
        """Mark the account as checked, or refuse."""
        error = "Clearinghouse_InsufficientMargin"
        require(equity >= required, error, account.id.value, equity, required)
        account.checked_at = self.now

    # ---- Batches ------------------------------------------------------------------------------

    @atomic
    def multicall(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make calls one after the other and check each account once, at the end."""
        require(self._waiting is None, "Clearinghouse_Locked")
        waiting: dict[AccountId, Wait] = {}
        self._waiting = waiting
        try:
            answers = [call() for call in calls]
        finally:
            self._waiting = None
        for account_id, wait in reversed(waiting.items()):
            self._check_waiting(account_id, wait)
        return answers

    def _defer(
        self,
        waiting: dict[AccountId, Wait],
        account: Account,
        demand: int,
        min_health: int = 0,
    ) -> None:
        wait = waiting.get(account.id) or Wait(cash=account.loaded_cash)
        if demand == WAIT_TRADE and not wait.demands & WAIT_TRADE and account.loaded:
            wait = replace(wait, before=self._assess_stored(account))
        health = max(wait.min_health, min_health)
        waiting[account.id] = replace(wait, demands=wait.demands | demand, min_health=health)

    def _note_addition(self, account: AccountId) -> None:
        """What is added to an account that waits closes the reduce-only test to it."""
        if self._waiting and account in self._waiting:
            wait = self._waiting[account]
            self._waiting[account] = replace(wait, demands=wait.demands | WAIT_INITIAL)

    def _check_waiting(self, account_id: AccountId, wait: Wait) -> None:
        account = self.load(self.open_cash(), account_id, 0)
        if account.owes_nothing():
            return
        margin = self._assess(account)
        if wait.demands == WAIT_TRADE:
            if self._is_open(margin):
                account.checked_at = self.now
            else:
                self._require_reduced(account, margin, wait.before)
        else:
            if self.state.stopped:
                _require_no_new_risk(account, wait, margin)
            taken = wait.demands & WAIT_TAKE != 0
            self._require_initial(account, margin, margin.perp_notional // 10 if taken else 0)
        _require_health(account, margin, wait.min_health)
        stored = self.state.account(account_id)
        self.state.accounts[account_id] = replace(stored, checked_at=account.checked_at)

    # ---- The guardian -------------------------------------------------------------------------

    @atomic
    def set_stopped(self, stopped: bool) -> None:
        """Stop new risk, or let it in again; the caller's right is not modelled."""
        self.state.stopped = stopped

    # ---- Views --------------------------------------------------------------------------------

    def margin(self, account_id: AccountId, mode: int) -> Margin:
        """An account's margin by its own engine."""
        cash, words = self.portfolio(account_id)
        return self.engine(self.state.account(account_id).engine).assess(
            cash, mode, words, self.now
        )

    def portfolio(self, account_id: AccountId) -> tuple[int, list[int]]:
        """Cash (WAD) and words with funding folded in."""
        stored = self.state.account(account_id)
        cash = self.open_cash().to_cash(stored.scaled)
        return cash, self.fold_funding(stored.words)

    def liquidation_terms(self, account_id: AccountId) -> LiquidationTerms:
        """Terms on which an account's engine lets it be liquidated."""
        return self.engine(self.state.account(account_id).engine).terms


def covers_initial(margin: Margin) -> bool:
    """Whether an account may hold risk at fresh prices."""
    return margin.equity >= MIN_EQUITY and margin.equity >= margin.initial


def _require_health(account: Account, margin: Margin, min_health: int) -> None:
    unhealthy = min_health != 0 and margin.equity < min_health * margin.maintenance // WAD
    values = (account.id.value, margin.equity, margin.maintenance, min_health)
    require(not unhealthy, "Clearinghouse_HealthBelowMinimum", *values)


def _require_not_borrowing(account: Account, cash_before: int) -> None:
    borrows = account.cash < min(0, cash_before)
    require(not borrows, "Clearinghouse_NewRiskStopped", account.id.value)


def _require_no_new_risk(account: Account, wait: Wait, margin: Margin) -> None:
    if wait.demands & WAIT_TAKE:
        _require_not_borrowing(account, wait.cash)
    comparable = not wait.demands & WAIT_INITIAL and is_reduction(wait.before, margin)
    allowed = not wait.demands & WAIT_TRADE or comparable
    require(allowed, "Clearinghouse_NewRiskStopped", account.id.value)


def is_reduction(before: Margin, after: Margin) -> bool:
    """The reduce-only test: both solvent, distance to IM no smaller, health no worse."""
    return (
        before.maintenance != 0
        and before.equity >= 0
        and after.equity >= 0
        and after.equity - after.initial >= before.equity - before.initial
        and after.equity * before.maintenance >= before.equity * after.maintenance
    )
