"""Entry prices from events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ballast.client.entries import Entries, Held
from ballast.client.events import Event
from ballast.codec import AccountId, Instrument, Snapshot
from ballast.units import WAD

ETH, BTC = 1, 2
TRADER, MAKER, KEEPER = (AccountId.make("0x" + f"{n:02x}" * 20) for n in (1, 2, 3))


def event(name: str, **args: object) -> Event:
    return Event(name, args, block=1, transaction="0x", index=0)


def trade(size: int, price: int, instrument: Instrument | None = None) -> Event:
    return event(
        "Traded",
        instrument=(instrument or Instrument.perp(ETH)).key,
        taker=bytes(TRADER),
        maker=bytes(MAKER),
        size=size * WAD,
        price=price * WAD,
    )


def accepted(price: int) -> Event:
    word = Snapshot(price=price * WAD, stable=price * WAD).encode()
    return event("PriceAccepted", underlying=ETH, snapshot=word)


def sliced(fraction: int, into: AccountId = KEEPER) -> Event:
    accounts = {"from": bytes(TRADER), "into": bytes(into)}
    return event("SliceTransferred", fraction=fraction, **accounts)


def entry(*events: Event, account: AccountId = TRADER) -> tuple[int, int] | None:
    held = Entries(events).of(account, Instrument.perp(ETH))
    return held and (held.size // WAD, held.entry // WAD)


def test_adding_averages() -> None:
    assert entry(trade(1, 1000), trade(3, 2000)) == (4, 1750)
    assert entry(trade(1, 1000), trade(3, 2000), account=MAKER) == (-4, 1750)


def test_reducing_keeps() -> None:
    assert entry(trade(4, 1000), trade(-1, 3000)) == (3, 1000)


def test_turning_begins_anew() -> None:
    assert entry(trade(1, 1000), trade(-3, 1500)) == (-2, 1500)


def test_closing_leaves_nothing() -> None:
    assert entry(trade(2, 1000), trade(-2, 1500)) is None


def test_spot_is_no_entry() -> None:
    assert entry(trade(2, 1000, Instrument.collateral(1))) is None


def test_a_slice_is_entered_at_mark() -> None:
    events = (accepted(900), trade(4, 1000), accepted(800), sliced(WAD // 4))
    assert entry(*events) == (3, 1000)
    assert entry(*events, account=KEEPER) == (1, 800)


def test_a_slice_nets_what_the_taker_holds() -> None:
    entries = Entries((accepted(900), trade(-4, 1000)))
    entries.take(sliced(WAD, MAKER))
    assert entries.of(TRADER, Instrument.perp(ETH)) is None
    assert entries.of(MAKER, Instrument.perp(ETH)) is None


def test_underlyings_are_kept_apart() -> None:
    entries = Entries((trade(1, 1000), trade(2, 50_000, Instrument.perp(BTC))))
    assert entries.of(TRADER, Instrument.perp(ETH)) == Held(WAD, 1000 * WAD)
    assert entries.of(TRADER, Instrument.perp(BTC)) == Held(2 * WAD, 50_000 * WAD)


@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 9999)), max_size=20))
def test_sizes_mirror_and_entries_lie_between_the_prices(fills: list[tuple[int, int]]) -> None:
    entries = Entries(trade(size, price) for size, price in fills)
    ours, theirs = entries.of(TRADER, Instrument.perp(ETH)), entries.of(MAKER, Instrument.perp(ETH))
    total = sum(size for size, _ in fills)
    assert (ours.size if ours else 0) == total * WAD == -(theirs.size if theirs else 0)
    if ours and theirs:
        assert ours.entry == theirs.entry
        prices = [price * WAD for _, price in fills]
        assert min(prices) - len(fills) <= ours.entry <= max(prices)


CALL = Instrument.option(ETH, 1_800_000_000, 2_500 * WAD, is_put=False)


def test_options_average_and_are_gone_once_settled() -> None:
    entries = Entries((trade(1, 100, CALL), trade(3, 200, CALL)))
    assert entries.of(TRADER, CALL) == Held(4 * WAD, 175 * WAD)
    assert entries.of(MAKER, CALL) == Held(-4 * WAD, 175 * WAD)
    entries.take(event("OptionSettled", account=bytes(TRADER), series=CALL.key))
    assert entries.of(TRADER, CALL) is None
    assert entries.of(MAKER, CALL) == Held(-4 * WAD, 175 * WAD)


def test_an_option_that_came_by_a_slice_has_no_entry_until_it_turns() -> None:
    entries = Entries((trade(4, 100, CALL), sliced(WAD // 4)))
    assert entries.of(TRADER, CALL) == Held(3 * WAD, 100 * WAD)
    assert entries.of(KEEPER, CALL) == Held(WAD, None)
    entries.take(trade(1, 300, CALL))
    assert entries.of(TRADER, CALL) == Held(4 * WAD, 150 * WAD)
    entries.take(sliced(0))
    assert entries.of(KEEPER, CALL) == Held(WAD, None)
