from collections.abc import Sequence
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ballast.codec import AccountId
from ballast.keeper.accounts import (
    SAFE_BLOCKS,
    TOPICS,
    AccountScanner,
    Cursor,
    CursorError,
    chunks,
    named_accounts,
)

HOUSE = "0x" + "c1" * 20
START = Cursor(31337, HOUSE, 9)
DEPOSITED = keccak(text="Deposited(bytes32,uint16,uint256,address)")
TRADED = keccak(text="Traded(uint256,bytes32,bytes32,int256,uint256,uint256,uint256,int256)")


def who(number: int) -> AccountId:
    return AccountId(number.to_bytes(32, "big"))


class Chain:
    """Blocks of deposits; `fork` gives every block another hash."""

    def __init__(self, deposits: dict[int, list[int]], head: int, fork: str = "a") -> None:
        self.deposits = deposits
        self.head = head
        self.fork = fork
        self.asked: list[tuple[int, int]] = []

    def block_number(self) -> int:
        return self.head

    def block_hash(self, number: int) -> str:
        return f"0x{self.fork}{number}"

    def topics(self, first: int, last: int) -> Sequence[Sequence[bytes]]:
        self.asked.append((first, last))
        blocks = sorted(block for block in self.deposits if first <= block <= last)
        return [(DEPOSITED, who(n).value) for block in blocks for n in self.deposits[block]]


def scanner(
    chain: Chain, file: Path | None = None, said: list[str] | None = None
) -> AccountScanner:
    return AccountScanner(chain, START, file, log=(said if said is not None else []).append)


def test_every_event_that_names_an_account_is_read(tmp_path: Path):
    assert named_accounts([DEPOSITED, who(1).value, b"\0" * 32]) == [who(1)]
    assert named_accounts([TRADED, b"\0" * 32, who(1).value, who(2).value]) == [who(1), who(2)]
    assert named_accounts([keccak(text="MarketListed(uint16)"), b"\1" * 32]) == []
    assert named_accounts([]) == []


def test_a_scan_finds_each_account_once():
    chain = Chain({10: [1], 11: [2, 1], 500: [3]}, head=600)
    assert scanner(chain).scan() == (who(1), who(2), who(3))


def test_blocks_before_the_deployment_are_not_read():
    chain = Chain({9: [1], 10: [2]}, head=12)
    assert scanner(chain).scan() == (who(2),)


def test_a_scan_reads_in_chunks():
    chain = Chain({}, head=60 + SAFE_BLOCKS)
    scanner(chain).scan(chunk=25)
    assert chain.asked == [(10, 34), (35, 59), (60, 60), (61, 85), (86, 110), (111, 124)]


def test_the_next_scan_reads_only_the_tip_again():
    chain = Chain({10: [1]}, head=1000)
    found = scanner(chain)
    found.scan()
    chain.asked.clear()
    chain.head, chain.deposits[1001] = 1001, [2]
    assert found.scan() == (who(1), who(2))
    assert chain.asked == [(937, 937), (938, 1001)]


def test_a_restart_loses_nothing_and_reads_little(tmp_path: Path):
    chain = Chain({10: [1], 990: [2]}, head=1000)
    file = tmp_path / "cursor" / "31337.json"
    scanner(chain, file).scan()
    chain.asked.clear()
    chain.head, chain.deposits[1001] = 1002, [3]
    assert scanner(chain, file).scan() == (who(1), who(2), who(3))
    assert chain.asked[0][0] == 1000 - SAFE_BLOCKS + 1


def test_a_crash_in_the_middle_of_a_scan_loses_nothing(tmp_path: Path):
    class Dying(Chain):
        def topics(self, first: int, last: int) -> Sequence[Sequence[bytes]]:
            if last > 500:
                raise ConnectionError("the node went away")
            return super().topics(first, last)

    deposits = {10: [1], 480: [2], 700: [3]}
    file = tmp_path / "cursor.json"
    with pytest.raises(ConnectionError):
        scanner(Dying(deposits, head=1000), file).scan(chunk=100)
    chain = Chain(deposits, head=1000)
    assert scanner(chain, file).scan(chunk=100) == (who(1), who(2), who(3))
    assert chain.asked[0] == (410, 509)


def test_accounts_of_the_tip_survive_a_reorganisation_of_it(tmp_path: Path):
    chain = Chain({990: [1]}, head=1000)
    file = tmp_path / "cursor.json"
    scanner(chain, file).scan()
    chain.deposits = {993: [1], 995: [2]}
    assert scanner(chain, file).scan() == (who(1), who(2))


@pytest.mark.parametrize("head", [20, 5000])
def test_another_chain_is_scanned_from_its_start(tmp_path: Path, head: int):
    file = tmp_path / "cursor.json"
    scanner(Chain({10: [1]}, head=1000), file).scan()
    said: list[str] = []
    other = Chain({12: [7]}, head=head, fork="b")
    assert scanner(other, file, said).scan() == (who(7),)
    assert "not the one of the cursor" in said[0]


def test_a_cursor_of_another_deployment_is_not_used(tmp_path: Path):
    file = tmp_path / "cursor.json"
    file.write_text(Cursor(1, HOUSE, 900, "0xa900", (who(5),)).to_json())
    said: list[str] = []
    assert scanner(Chain({10: [1]}, head=20), file, said).scan() == (who(1),)
    assert "another deployment" in said[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"chain_id": 1}', "\xff", "null"])
def test_a_broken_cursor_is_named_and_everything_scanned(tmp_path: Path, text: str):
    file = tmp_path / "cursor.json"
    file.write_text(text, encoding="latin-1")
    said: list[str] = []
    assert scanner(Chain({10: [1]}, head=20), file, said).scan() == (who(1),)
    assert str(file) in said[0]


def test_an_account_of_a_cursor_must_be_one():
    text = START.with_accounts([who(1)]).to_json().replace(who(1).hex, "0x01")
    with pytest.raises(CursorError, match="not a cursor"):
        Cursor.from_json(text)


@given(
    st.builds(
        Cursor,
        st.integers(0, 2**64),
        st.just(HOUSE),
        st.integers(-1, 2**40),
        st.sampled_from(["", "0xabc"]),
        st.lists(st.binary(min_size=32, max_size=32).map(AccountId)).map(tuple),
    )
)
def test_a_cursor_survives_its_file(cursor: Cursor):
    assert Cursor.from_json(cursor.to_json()) == cursor


@given(st.integers(0, 300), st.integers(-1, 300), st.integers(1, 50))
def test_chunks_cover_every_block_once(first: int, last: int, size: int):
    pieces = chunks(first, last, size)
    assert [n for start, end in pieces for n in range(start, end + 1)] == [*range(first, last + 1)]
    assert all(end - start < size for start, end in pieces)


@given(
    st.dictionaries(st.integers(10, 400), st.lists(st.integers(1, 9), max_size=3), max_size=20),
    st.lists(st.integers(10, 420), min_size=1, max_size=6).map(sorted),
    st.integers(1, 100),
)
def test_scans_with_restarts_find_what_one_scan_finds(
    deposits: dict[int, list[int]], heads: list[int], chunk: int
):
    cursor = START
    chain = Chain(deposits, heads[-1])
    for head in heads:
        step = scanner(Chain(deposits, head))
        step.cursor = Cursor.from_json(cursor.to_json())
        step.scan(chunk)
        cursor = step.cursor
    assert cursor.accounts == scanner(chain).scan()


def test_the_events_are_those_of_the_contract():
    from tests.support.abi import EventAbi
    from tests.support.artefacts import load_ape

    events = [EventAbi(e) for e in load_ape()["Clearinghouse"].abi if e["type"] == "event"]
    assert set(TOPICS) <= {event.topic for event in events}


def test_accounts_that_a_reorganisation_may_have_put_back_are_touched():
    """They were named by a block of the tip that is gone by the next scan."""
    chain = Chain({10: [1], 500: [2]}, head=500)
    found = scanner(chain)
    found.scan()
    assert found.touched == {who(1), who(2)}
    chain.deposits, chain.head = {10: [1], 501: [3]}, 501
    found.scan()
    assert found.touched == {who(2), who(3)}
    found.scan()
    assert found.touched == {who(3)}
