"""Who takes part in the demonstration, with what, and what they trade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from ballast.client.signers import KeySigner
from ballast.codec import AccountId
from ballast.devnet.anvil import dev_account
from ballast.units import BPS, WAD

BTC, ETH = "BTC", "ETH"
USDC, WETH, WBTC = "USDC", "WETH", "WBTC"
LOT = WAD // 10**4
STRIKE_TICK = 50 * WAD


@dataclass(frozen=True)
class Actor:
    """One participant: a key and an account."""

    name: str
    key: LocalAccount
    index: int = 0

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.key)

    @property
    def account(self) -> AccountId:
        return AccountId.make(str(self.key.address), self.index)


@dataclass(frozen=True, slots=True)
class Funds:
    """What an actor brings, each part in dollars at first prices."""

    usdc: int = 0
    weth: int = 0
    wbtc: int = 0

    def amounts(self, prices: Mapping[str, int]) -> dict[str, int]:
        """Tokens by asset, WAD; nothing of what is zero. Prices in WAD dollars."""
        found = {
            USDC: self.usdc * WAD,
            WETH: tokens(self.weth, prices[ETH]),
            WBTC: tokens(self.wbtc, prices[BTC]),
        }
        return {asset: amount for asset, amount in found.items() if amount}


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade of a taker with the market maker, in dollars at first prices; negative to sell."""

    taker: str
    instrument: str
    dollars: int


@dataclass(frozen=True, slots=True)
class OptionDeal:
    """A trade of options on ether: the strike in 1e-4 of the first price, the size in dollars; in
    the series that expires along the path, or in the one that outlives it."""

    taker: str
    strike_bps: int
    is_put: bool
    dollars: int
    is_near: bool = False

    def strike(self, price: int) -> int:
        """The strike (WAD), a multiple of what the devnet lists."""
        return max(price * self.strike_bps // BPS // STRIKE_TICK, 1) * STRIKE_TICK


DEPLOYER = Actor("deployer", dev_account(0))
MAKER = Actor("market maker", dev_account(1))
OUTRIGHT = Actor("outright", dev_account(2))
HEDGER = Actor("hedger", dev_account(3))
BORROWER = Actor("borrower", dev_account(4))
COVERED = Actor("covered", dev_account(9))
STRADDLE = Actor("straddle", dev_account(10))
KEEPER = Actor("keeper", dev_account(8), index=1)
PUBLISHERS = tuple(Actor(f"publisher {n}", dev_account(4 + n)) for n in (1, 2, 3))

WRITERS = (COVERED, STRADDLE)
TRADERS = (OUTRIGHT, HEDGER, BORROWER, *WRITERS)
PARTICIPANTS = (MAKER, *TRADERS, KEEPER)

FUNDS = {
    MAKER.name: Funds(usdc=400_000, weth=100_000, wbtc=100_000),
    OUTRIGHT.name: Funds(usdc=30_000),
    HEDGER.name: Funds(usdc=32_000),
    BORROWER.name: Funds(weth=20_000, wbtc=12_000),
    COVERED.name: Funds(weth=20_000),
    STRADDLE.name: Funds(usdc=12_500),
    KEEPER.name: Funds(usdc=150_000),
}

# The outright trader is long bitcoin; the hedger is just as long, and short as much ether. The
# borrower sells bitcoin for cash, takes out more cash than it has, and is long ether besides.
DEALS = (
    Deal(OUTRIGHT.name, "BTC-PERP", 90_000),
    Deal(HEDGER.name, "BTC-PERP", 90_000),
    Deal(HEDGER.name, "ETH-PERP", -90_000),
    Deal(BORROWER.name, "WBTC", -2_000),
    Deal(BORROWER.name, "ETH-PERP", 25_000),
)
# One writes a call against each ether that it holds, a tenth over the price, and buys puts that
# expire on the way; the other writes calls and puts at the price, and then hedges their delta with
# the perpetual, once: the crash is too much for it.
OPTION_DEALS = (
    OptionDeal(COVERED.name, 11_000, is_put=False, dollars=-20_000),
    OptionDeal(COVERED.name, 9_500, is_put=True, dollars=20_000, is_near=True),
    OptionDeal(STRADDLE.name, 10_000, is_put=False, dollars=-30_000),
    OptionDeal(STRADDLE.name, 10_000, is_put=True, dollars=-30_000),
)
BORROWED = 5_000  # dollars that the borrower takes out beyond its cash


def tokens(dollars: int, price: int) -> int:
    """Tokens (WAD) for an amount of dollars, rounded down to four decimals."""
    return dollars * WAD * WAD // price // LOT * LOT


def named(name: str) -> Actor:
    """The participant of that name."""
    return next(actor for actor in PARTICIPANTS if actor.name == name)
