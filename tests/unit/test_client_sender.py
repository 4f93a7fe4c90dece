"""Transactions that must not get lost, against an anvil that mines when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from web3 import Web3
from web3.types import RPCEndpoint

from ballast.client.errors import ChainError
from ballast.client.nodes import Nodes, Patience
from ballast.client.sender import FeePolicy, FeeTooHighError, Outbox, Pending, Sender
from ballast.client.signers import KeySigner
from ballast.devnet.anvil import CHAIN_ID, Anvil, dev_account
from tests.support.flaky_rpc import FlakyRpc, evenly

NOW = 1_773_000_000
GWEI = 10**9
TO = Web3.to_checksum_address("0x" + "ab" * 20)
QUICK = Patience(tries=12, first_pause=0.001, longest_pause=0.01)
ONE = {"to": TO, "data": "0x", "value": 1, "gas": 21_000}


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[Anvil]:
    with Anvil(NOW, tmp_path / "log") as node:
        yield node


@pytest.fixture
def signer() -> KeySigner:
    return KeySigner(dev_account(3))


def tell(anvil: Anvil, method: str, *values: object) -> None:
    answer = anvil.web3.provider.make_request(RPCEndpoint(method), list(values))
    assert "error" not in answer, answer


def received(anvil: Anvil) -> int:
    return int(anvil.web3.eth.get_balance(TO))


def through(url: str) -> Web3:
    return Web3(Nodes([url], CHAIN_ID, patience=QUICK, check_seconds=60))


def outstanding(outbox: Outbox) -> Pending:
    pending = outbox.load()
    assert pending is not None
    return pending


def leave_outstanding(anvil: Anvil, signer: KeySigner, outbox: Outbox) -> Pending:
    """A transaction that no block takes."""
    tell(anvil, "evm_setAutomine", False)
    with pytest.raises(ChainError, match=r"is in no block after 0\.2 s"):
        Sender(anvil.web3, FeePolicy(wait_seconds=0.2), outbox).send(signer, ONE)
    return outstanding(outbox)


def test_a_transaction_is_sent_once_and_forgotten(anvil: Anvil, signer: KeySigner, tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.json")
    receipt = Sender(anvil.web3, outbox=outbox).send(signer, ONE)
    assert receipt["status"] == 1
    assert received(anvil) == 1
    assert outbox.load() is None
    assert not (tmp_path / "outbox.json").exists()


@pytest.mark.parametrize("seed", range(4))
def test_faults_neither_lose_nor_repeat_one(anvil: Anvil, signer: KeySigner, seed: int):
    with FlakyRpc(anvil.url, evenly(0.3), seed) as flaky:
        sender = Sender(through(flaky.url))
        for _ in range(4):
            assert sender.send(signer, ONE)["status"] == 1
    assert received(anvil) == 4
    assert anvil.web3.eth.get_transaction_count(dev_account(3).address) == 4


def test_a_lost_answer_is_found_by_the_hash(anvil: Anvil, signer: KeySigner):
    with FlakyRpc(anvil.url) as flaky:
        web3 = Web3(Nodes([flaky.url], CHAIN_ID, patience=replace(QUICK, tries=2)))
        sender = Sender(web3)
        sender.fees()
        flaky.faults_of["eth_sendRawTransaction"] = "lost"
        assert sender.send(signer, ONE)["status"] == 1
    assert received(anvil) == 1


def test_the_next_run_finds_what_the_last_one_left(anvil: Anvil, signer: KeySigner, tmp_path: Path):
    pending = leave_outstanding(anvil, signer, Outbox(tmp_path / "outbox.json"))
    tell(anvil, "evm_mine")
    again = Sender(anvil.web3, outbox=Outbox(tmp_path / "outbox.json"))
    receipt = again.recover(signer)
    assert receipt is not None
    assert "0x" + bytes(receipt["transactionHash"]).hex() == pending.hashes[0]
    assert again.recover(signer) is None
    assert received(anvil) == 1


def test_the_next_run_sends_again_what_no_node_knows(
    anvil: Anvil, signer: KeySigner, tmp_path: Path
):
    leave_outstanding(anvil, signer, Outbox(tmp_path / "outbox.json"))
    tell(anvil, "anvil_dropAllTransactions")
    tell(anvil, "evm_setAutomine", True)
    receipt = Sender(anvil.web3, outbox=Outbox(tmp_path / "outbox.json")).recover(signer)
    assert receipt is not None
    assert received(anvil) == 1


def test_what_is_outstanding_goes_before_what_is_new(
    anvil: Anvil, signer: KeySigner, tmp_path: Path
):
    outbox = Outbox(tmp_path / "outbox.json")
    leave_outstanding(anvil, signer, outbox)
    tell(anvil, "evm_mine")
    tell(anvil, "evm_setAutomine", True)
    assert Sender(anvil.web3, outbox=outbox).send(signer, ONE)["status"] == 1
    assert received(anvil) == 2


def test_what_another_transaction_replaced_is_given_up(
    anvil: Anvil, signer: KeySigner, tmp_path: Path
):
    outbox = Outbox(tmp_path / "outbox.json")
    pending = leave_outstanding(anvil, signer, outbox)
    tell(anvil, "anvil_dropAllTransactions")
    tell(anvil, "evm_setAutomine", True)
    other = {**pending.transaction, "value": 7}
    anvil.web3.eth.send_raw_transaction(signer.sign_transaction(other))
    assert Sender(anvil.web3, outbox=outbox).recover(signer) is None
    assert outbox.load() is None
    assert received(anvil) == 7


def test_a_nonce_that_another_program_uses_first_is_no_loss(anvil: Anvil, signer: KeySigner):
    with FlakyRpc(anvil.url, lies={"eth_getTransactionCount": lambda _: "0x0"}) as flaky:
        Sender(anvil.web3).send(signer, ONE)
        sender = Sender(Web3(Nodes([flaky.url], CHAIN_ID, patience=QUICK)), FeePolicy())
        timer = threading.Timer(0.5, flaky.lies.clear)
        timer.start()
        assert sender.send(signer, {**ONE, "value": 2})["status"] == 1
    assert received(anvil) == 3


def test_nodes_that_disagree_on_the_nonce_are_not_believed(anvil: Anvil, signer: KeySigner):
    answers = iter(range(10))
    lies = {"eth_getTransactionCount": lambda _: hex(next(answers))}
    with (
        FlakyRpc(anvil.url, lies=lies) as flaky,
        pytest.raises(ChainError, match="do not agree on the nonce"),
    ):
        Sender(through(flaky.url)).send(signer, ONE)
    assert received(anvil) == 0


def test_one_that_waits_is_replaced_at_a_higher_fee(anvil: Anvil, signer: KeySigner):
    """Blocks come, but the fee is too low for them until it is raised."""
    outbox, said = Outbox(), []
    tell(anvil, "evm_setAutomine", False)
    sender = Sender(anvil.web3, FeePolicy(bump_blocks=2), outbox, said.append)
    base = int(anvil.web3.eth.get_block("latest")["baseFeePerGas"])
    stop = threading.Event()

    def mine() -> None:
        while not stop.wait(0.1):
            pending = outbox.load()
            if pending is None or len(pending.hashes) < 2:
                tell(anvil, "anvil_setNextBlockBaseFeePerGas", hex(20 * base))
            tell(anvil, "evm_mine")

    miner = threading.Thread(target=mine, daemon=True)
    miner.start()
    try:
        assert sender.send(signer, ONE)["status"] == 1
    finally:
        stop.set()
        miner.join()
    assert any("replaced by" in line for line in said)
    assert received(anvil) == 1


def test_no_fee_is_over_the_bound(anvil: Anvil, signer: KeySigner):
    base = int(anvil.web3.eth.get_block("latest")["baseFeePerGas"])
    with pytest.raises(FeeTooHighError, match="more than the 5 allowed"):
        Sender(anvil.web3, FeePolicy(max_fee=5)).send(signer, ONE)
    bound = base + 1
    receipt = Sender(anvil.web3, FeePolicy(max_fee=bound)).send(signer, ONE)
    sent = anvil.web3.eth.get_transaction(receipt["transactionHash"])
    assert sent["maxFeePerGas"] == bound
    assert sent["maxPriorityFeePerGas"] <= bound


def test_a_replacement_stays_within_the_bound(anvil: Anvil, signer: KeySigner):
    said: list[str] = []
    base = int(anvil.web3.eth.get_block("latest")["baseFeePerGas"])
    tell(anvil, "evm_setAutomine", False)
    outbox = Outbox()
    policy = FeePolicy(max_fee=base + 1, bump_blocks=0, wait_seconds=0.3)
    with pytest.raises(ChainError, match="is in no block"):
        Sender(anvil.web3, policy, outbox, said.append).send(signer, ONE)
    assert len(outstanding(outbox).hashes) == 1
    assert all("its fee is at the bound" in line for line in said)


def test_what_a_node_refuses_for_good_is_not_kept(anvil: Anvil, tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.json")
    poor = KeySigner.from_key("0x" + "77" * 32)
    with pytest.raises(ChainError, match=r"the node refused the transaction: .*[Ii]nsufficient"):
        Sender(anvil.web3, outbox=outbox).send(poor, ONE)
    assert outbox.load() is None


def test_an_outbox_of_another_key_or_none_is_refused(
    anvil: Anvil, signer: KeySigner, tmp_path: Path
):
    outbox = Outbox(tmp_path / "outbox.json")
    leave_outstanding(anvil, signer, outbox)
    other = KeySigner(dev_account(4))
    with pytest.raises(ChainError, match="is outstanding"):
        Sender(anvil.web3, outbox=outbox).send(other, ONE)
    (tmp_path / "outbox.json").write_text("{}")
    with pytest.raises(ChainError, match="is no outstanding transaction"):
        Sender(anvil.web3, outbox=Outbox(tmp_path / "outbox.json")).send(signer, ONE)


def test_waiting_ends(anvil: Anvil, signer: KeySigner):
    tell(anvil, "evm_setAutomine", False)
    began = time.monotonic()
    with pytest.raises(ChainError, match="is in no block"):
        Sender(anvil.web3, FeePolicy(wait_seconds=0.5)).send(signer, ONE)
    assert time.monotonic() - began < 5
