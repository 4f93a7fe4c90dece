"""Several nodes behind one provider, against an anvil and proxies that misbehave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3
from web3.types import RPCEndpoint

from ballast.client.errors import ChainError
from ballast.client.nodes import MAX_LAG, Nodes, Patience, open_node
from ballast.devnet.anvil import CHAIN_ID, Anvil
from tests.support.flaky_rpc import ALL_FAULTS, FlakyRpc, evenly

NOW = 1_773_000_000
QUICK = Patience(tries=12, first_pause=0.001, longest_pause=0.01)
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(NOW, tmp_path_factory.mktemp("anvil") / "log") as node:
        node.web3.provider.make_request(RPCEndpoint("anvil_mine"), [hex(20)])
        yield node


def nodes(*urls: str, chain_id: int | None = CHAIN_ID, patience: Patience = QUICK) -> Nodes:
    return Nodes(urls, chain_id, patience=patience, check_seconds=60)


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_a_read_survives_every_fault(anvil: Anvil, fault: str):
    with FlakyRpc(anvil.url, {fault: 0.4}, seed=1) as flaky:
        web3 = Web3(nodes(flaky.url))
        assert {web3.eth.block_number for _ in range(8)} == {20}
        assert flaky.counts[fault] > 0


def test_a_batch_survives_all_faults(anvil: Anvil):
    with FlakyRpc(anvil.url, evenly(0.4), seed=3) as flaky:
        provider = nodes(flaky.url)
        for _ in range(8):
            answers = provider.make_batch_request([(RPCEndpoint("eth_chainId"), [])] * 3)
            assert [answer["result"] for answer in answers] == [hex(CHAIN_ID)] * 3
        assert sum(flaky.counts[fault] for fault in ALL_FAULTS) > 0


def test_what_may_not_be_repeated_is_tried_once(anvil: Anvil):
    with FlakyRpc(anvil.url) as flaky:
        provider = nodes(flaky.url)
        provider.make_request(RPCEndpoint("eth_blockNumber"), [])
        flaky.faults = {"broken": 1.0}
        before = flaky.counts["requests"]
        with pytest.raises(ChainError, match="500"):
            provider.make_request(RPCEndpoint("evm_mine"), [])
        assert flaky.counts["requests"] == before + 1


def test_a_node_that_is_gone_is_named_without_its_key():
    provider = Nodes(["http://127.0.0.1:9/secret"], patience=Patience(tries=2, first_pause=0.001))
    with pytest.raises(ChainError, match=r"last 127\.0\.0\.1:9: ConnectionError") as caught:
        provider.make_request(RPCEndpoint("eth_blockNumber"), [])
    assert open_node("https://user:pw@host/key?x=1").name == "host"
    assert "secret" not in str(caught.value)


def test_another_node_takes_over_and_hands_back(anvil: Anvil):
    with FlakyRpc(anvil.url) as first, FlakyRpc(anvil.url) as second:
        web3 = Web3(nodes(first.url, second.url))
        assert web3.eth.block_number == 20
        asked = second.counts["requests"]
        first.faults = {"broken": 1.0}
        assert web3.eth.block_number == 20
        assert second.counts["requests"] == asked + 1
        first.faults = {}
        deadline = time.monotonic() + 5
        while first.counts["eth_gasPrice"] == 0:
            assert time.monotonic() < deadline, "the first node is never asked again"
            web3.eth.gas_price  # noqa: B018 (asked for its effect on the proxies)


def test_a_node_of_another_chain_is_not_believed(anvil: Anvil):
    with FlakyRpc(anvil.url, lies={"eth_chainId": lambda _: "0x1"}) as other:
        said: list[tuple[str, str]] = []
        provider = Nodes(
            [other.url, anvil.url],
            CHAIN_ID,
            patience=QUICK,
            trouble=lambda *what: said.append(what),
        )
        asked = other.counts["requests"]
        assert Web3(provider).eth.chain_id == CHAIN_ID
        assert other.counts["requests"] == asked + 1
        assert [why for _, why in said] == [f"is of chain 1, not {CHAIN_ID}"]
        with pytest.raises(ChainError, match="no node is of chain"):
            Web3(nodes(other.url)).eth.block_number  # noqa: B018


def test_a_node_that_lags_is_not_believed_while_it_does(anvil: Anvil):
    late = {"eth_blockNumber": lambda head: hex(int(head, 16) - MAX_LAG - 1)}
    with FlakyRpc(anvil.url, lies=late) as lagging:
        provider = Nodes([lagging.url, anvil.url], CHAIN_ID, patience=QUICK, check_seconds=0.05)
        web3 = Web3(provider)
        assert {web3.eth.block_number for _ in range(20)} == {20}
        lagging.lies = {}
        deadline = time.monotonic() + 5
        while lagging.counts["eth_gasPrice"] == 0:
            assert time.monotonic() < deadline, "the node is never asked again"
            web3.eth.gas_price  # noqa: B018 (asked for its effect on the proxies)


def test_a_head_that_one_of_three_invents_moves_nobody_away(anvil: Anvil):
    ahead = {"eth_blockNumber": lambda _: hex(10**9)}
    with FlakyRpc(anvil.url, lies=ahead) as liar:
        provider = nodes(anvil.url, liar.url, anvil.url)
        assert Web3(provider).eth.block_number == 20
        assert provider.nodes[0].rests_until == 0


def test_a_busy_node_is_asked_again(anvil: Anvil):
    with FlakyRpc(anvil.url) as flaky:
        provider = nodes(NOWHERE, flaky.url)
        assert Web3(provider).eth.block_number == 20
        assert provider.heads() == {open_node(flaky.url).name: 20}


def test_pauses_double_up_to_a_bound_and_vary(tmp_path: Path):
    patience = Patience(first_pause=1, longest_pause=4)
    for rounds, longest in ((0, 1), (1, 2), (2, 4), (9, 4)):
        pauses = {patience.pause(rounds) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
