"""The words in Python against the libraries in Solidity, both ways."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.codec import (
    MAX_PRICE,
    PRICE_UNIT,
    STRIKE_UNIT,
    AccountId,
    CodecError,
    Collateral,
    Instrument,
    Kind,
    Option,
    Perp,
    Position,
    Settlement,
    Snapshot,
    VolatilitySlice,
    decode_position,
    decode_positions,
    instrument_of,
)
from tests.support.artefacts import compile_standard_json
from tests.support.revm import Evm, RevmContract, reverts

MANY = settings(max_examples=200, deadline=None)
U16 = st.integers(0, 2**16 - 1)
INT104 = st.integers(-(2**103), 2**103 - 1)
INT128 = st.integers(-(2**127), 2**127 - 1)
INT32, INT24 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**23), 2**23 - 1)
U32, U24 = st.integers(0, 2**32 - 1), st.integers(0, 2**24 - 1)

PERPS = st.builds(Perp, U16, INT104, INT128)
OPTIONS = st.builds(
    Option,
    U16,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**71 - 1).map(lambda n: n * STRIKE_UNIT),
    st.booleans(),
    INT128,
)
COLLATERAL = st.builds(Collateral, U16, st.integers(0, 2**128 - 1))
POSITIONS = st.one_of(PERPS, OPTIONS, COLLATERAL)
SNAPSHOTS = st.builds(
    Snapshot,
    price=st.integers(0, 2**68 - 1).map(lambda n: n * PRICE_UNIT),
    stable=st.integers(0, 2**68 - 1).map(lambda n: n * PRICE_UNIT),
    time=st.integers(0, 2**32 - 1),
    max_age=st.integers(0, 2**16 - 1).map(lambda n: n * 2),
    confidence=st.integers(0, 2**12 - 1).map(lambda n: n * 10**13),
    range_maintenance=st.integers(0, 2**13 - 1).map(lambda n: n * 10**14),
    range_initial=st.integers(0, 2**13 - 1).map(lambda n: n * 10**14),
    premium=st.integers(-(2**21), 2**21 - 1),
    block_tag=st.integers(0, 255),
    wide=st.booleans(),
    suspect=st.booleans(),
    halted=st.booleans(),
)


@cache
def probe() -> RevmContract:
    return Evm(compile_standard_json(targets=["contracts/mocks/CodecProbe.sol"])).deploy(
        "CodecProbe"
    )


# ---- Accounts ---------------------------------------------------------------------------------


@MANY
@given(owner=st.binary(min_size=20, max_size=20), index=st.integers(0, 2**96 - 1))
def test_account_ids(owner: bytes, index: int) -> None:
    made = AccountId.make("0x" + owner.hex(), index)
    assert probe().account("0x" + owner.hex(), index) == bytes(made)
    assert probe().ownerOf(made) == made.owner.lower() == "0x" + owner.hex()
    assert made.index == index
    assert AccountId.parse(str(made)) == AccountId.parse(made.hex) == made


@pytest.mark.parametrize(
    "text", ["", "0x12", "0x" + "g" * 40, "0x" + "11" * 20 + "/", "0x" + "11" * 20 + "/-1"]
)
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(CodecError):
        AccountId.parse(text)


def test_an_index_that_does_not_fit() -> None:
    with pytest.raises(CodecError, match="uint96"):
        AccountId.make("0x" + "11" * 20, 2**96)
    with pytest.raises(CodecError, match="32 bytes"):
        AccountId(b"short")


# ---- Positions --------------------------------------------------------------------------------


@MANY
@given(position=POSITIONS)
def test_positions_survive_the_word(position: Position) -> None:
    word = position.encode()
    assert decode_position(word) == position
    assert instrument_of(word) == position.instrument
    assert probe().position(word)[5] == position.instrument.key
    assert probe().isIn(word, position.instrument.key)
    assert probe().isCanonical(position.instrument.key)


@MANY
@given(position=PERPS)
def test_perpetuals(position: Perp) -> None:
    word = probe().perp(position.underlying, position.size, position.quote)
    assert word == position.encode()
    kind, underlying, size, quote, _, _ = probe().position(word)
    assert (Kind(kind), Perp(underlying, size, quote)) == (Kind.PERP, position)


@MANY
@given(position=OPTIONS)
def test_options(position: Option) -> None:
    series = position.instrument
    assert probe().option(series.key, position.size) == position.encode()
    strike = position.strike // STRIKE_UNIT
    assert probe().series(series.key) == (position.expiry, strike, position.is_put)
    assert (series.expiry, series.strike, series.is_put) == (
        position.expiry,
        position.strike,
        position.is_put,
    )


@MANY
@given(position=COLLATERAL)
def test_collateral(position: Collateral) -> None:
    word = probe().collateral(position.asset, position.amount)
    assert word == position.encode()
    kind, asset, _, _, amount, _ = probe().position(word)
    assert (Kind(kind), Collateral(asset, amount)) == (Kind.COLLATERAL, position)


@MANY
@given(one=POSITIONS, other=POSITIONS)
def test_a_word_is_in_its_instrument_only(one: Position, other: Position) -> None:
    same = one.instrument == other.instrument
    assert probe().isIn(one.encode(), other.instrument.key) == same


@pytest.mark.parametrize("size", [2**103, -(2**103) - 1])
def test_a_size_that_does_not_fit(size: int) -> None:
    with reverts("Position_Overflow", size):
        probe().perp(1, size, 0)
    with pytest.raises(CodecError, match="int104"):
        Perp(1, size, 0).encode()


@pytest.mark.parametrize("quote", [2**127, -(2**127) - 1])
def test_a_quote_that_does_not_fit(quote: int) -> None:
    with reverts("Position_Overflow", quote):
        probe().perp(1, 0, quote)
    with pytest.raises(CodecError, match="int128"):
        Perp(1, 0, quote).encode()


@pytest.mark.parametrize("size", [2**127, -(2**127) - 1])
def test_a_size_of_options_that_does_not_fit(size: int) -> None:
    with reverts("Position_Overflow", size):
        probe().option(Instrument.option(1, 100, 5 * STRIKE_UNIT, True).key, size)
    with pytest.raises(CodecError, match="int128"):
        Option(1, 100, 5 * STRIKE_UNIT, True, size).encode()


def test_an_amount_that_does_not_fit() -> None:
    with reverts("Position_Overflow", 2**127):
        probe().collateral(1, 2**128)
    with pytest.raises(CodecError, match="uint128"):
        Collateral(1, 2**128).encode()


def test_options_order_by_underlying_expiry_strike() -> None:
    series = [
        Instrument.option(1, 100, 5 * STRIKE_UNIT, True),
        Instrument.option(1, 100, 6 * STRIKE_UNIT, False),
        Instrument.option(1, 101, 4 * STRIKE_UNIT, False),
        Instrument.option(2, 1, STRIKE_UNIT, False),
    ]
    assert sorted(reversed(series)) == series
    assert Instrument.perp(9) < series[0] < Instrument.collateral(0)
    assert (series[0].kind, series[3].id) == (Kind.OPTION, 2)


@pytest.mark.parametrize("word", [0, 4 << 248, 2**256, -1, 3 << 248 | 1 << 128])
def test_what_is_no_position(word: int) -> None:
    with pytest.raises(CodecError):
        decode_positions([word])


@pytest.mark.parametrize("key", [0, Perp(1, 1, 0).encode(), Collateral(1, 1).encode(), 2**256])
def test_what_is_no_instrument(key: int) -> None:
    with pytest.raises(CodecError):
        Instrument(key)


def test_a_strike_between_its_units() -> None:
    with pytest.raises(CodecError, match="multiple"):
        Instrument.option(1, 1, STRIKE_UNIT + 1, False)


# ---- Snapshots --------------------------------------------------------------------------------


@MANY
@given(
    one=st.builds(
        VolatilitySlice,
        a=INT32,
        b=U32,
        rho=INT24,
        mu=INT24,
        s=U24,
        forward=U32,
        time=U32,
        max_age=U16.map(lambda n: n * 2),
    ),
    age=st.integers(0, 2**18),
)
def test_slices(one: VolatilitySlice, age: int) -> None:
    assert VolatilitySlice.decode(one.encode()) == one
    assert one.fits
    assert Settlement.decode(one.encode()) is None
    now = one.time + age
    assert one.overdue(now) == max(0, age - one.max_age)
    assert one.is_fresh(now) == (age <= one.max_age)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a", 2**31),
        ("b", -1),
        ("rho", -(2**23) - 1),
        ("mu", 2**23),
        ("s", 2**24),
        ("forward", 2**32),
        ("time", -1),
        ("max_age", 3),
    ],
)
def test_slices_that_do_not_fit(field: str, value: int) -> None:
    one = VolatilitySlice(**{field: value})
    assert not one.fits
    with pytest.raises(CodecError):
        one.encode()


@MANY
@given(price=st.integers(0, 2**128 - 1), time=U32)
def test_settlements(price: int, time: int) -> None:
    one = Settlement(price, time)
    assert Settlement.decode(one.encode()) == one


@MANY
@given(snapshot=SNAPSHOTS, now=st.integers(0, 2**33))
def test_snapshots(snapshot: Snapshot, now: int) -> None:
    word = snapshot.encode()
    assert Snapshot.decode(word) == snapshot
    assert tuple(probe().prices(word)) == (
        snapshot.price,
        snapshot.stable,
        snapshot.mark,
        snapshot.premium,
        snapshot.confidence,
    )
    assert tuple(probe().ranges(word)) == (snapshot.range_maintenance, snapshot.range_initial)
    assert tuple(probe().state(word, now)) == (
        snapshot.time,
        snapshot.max_age,
        snapshot.age(now),
        snapshot.is_fresh(now),
        snapshot.block_tag,
        snapshot.wide,
        snapshot.suspect,
        snapshot.halted,
    )


@MANY
@given(snapshot=SNAPSHOTS, price=st.integers(0, MAX_PRICE))
def test_a_snapshot_at_another_price(snapshot: Snapshot, price: int) -> None:
    moved = Snapshot.decode(probe().withSpot(snapshot.encode(), price))
    assert moved.price == price // PRICE_UNIT * PRICE_UNIT
    assert (moved.stable, moved.time, moved.premium) == (
        snapshot.stable,
        snapshot.time,
        snapshot.premium,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        Snapshot(price=1),
        Snapshot(price=MAX_PRICE + PRICE_UNIT),
        Snapshot(max_age=3),
        Snapshot(premium=2**21),
        Snapshot(block_tag=256),
    ],
)
def test_what_fits_no_snapshot(wrong: Snapshot) -> None:
    with pytest.raises(CodecError):
        wrong.encode()


def test_bits_without_a_meaning() -> None:
    with pytest.raises(CodecError, match="outside"):
        Snapshot.decode(8)
