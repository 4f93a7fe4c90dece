"""Errors of contracts in words, and keyfiles."""

from __future__ import annotations

import json

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from ballast.client.artifacts import Artifact, ArtifactError, load_artifacts
from ballast.client.errors import ErrorDecoder, show
from ballast.client.signers import KeySigner, SignerError
from ballast.codec import AccountId, Instrument
from ballast.units import WAD

OWNER = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def errors() -> ErrorDecoder:
    return ErrorDecoder(load_artifacts().values())


def data_of(signature: str, *values: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return bytes(keccak(text=signature)[:4]) + encode(types, values)


def test_a_custom_error_has_names_and_values(errors):
    account = bytes(AccountId.make(OWNER, 3))
    signature = "Clearinghouse_InsufficientMargin(bytes32,int256,uint256)"
    error = errors.explain(data_of(signature, account, -2 * WAD, 1))
    assert error.name == "Clearinghouse_InsufficientMargin"
    assert error.values == (account, -2 * WAD, 1)
    assert "/3, equity=-2000000000000000000 (-2 WAD), required=1)" in str(error)


def test_built_in_errors(errors):
    assert "too bad" in str(errors.explain(data_of("Error(string)", "too bad")))
    assert errors.explain(data_of("Panic(uint256)", 17)).values == (17,)


def test_what_nobody_declares_is_shown_in_hex(errors):
    assert "0x12345678" in str(errors.explain(bytes.fromhex("12345678")))
    assert "without a reason" in str(errors.explain(b""))


def test_values_for_people():
    assert show(Instrument.perp(1).key, "Instrument") == "perpetual on underlying 1"
    assert show(2**256 - 1) == "unlimited"
    assert show(b"maxAge" + bytes(26)) == "maxAge"
    assert show(True) == "True"


def test_code_matches_apart_from_immutables():
    artifact = Artifact("A", [], b"", bytes.fromhex("60000060"), "")
    assert artifact.matches(bytes.fromhex("60abcd60"))
    assert not artifact.matches(bytes.fromhex("61000060"))
    assert not artifact.matches(b"")


def test_without_compiled_contracts_one_is_told_to_compile(tmp_path):
    with pytest.raises(ArtifactError, match="run `make compile` first"):
        load_artifacts(tmp_path / "none.json")
    with pytest.raises(ArtifactError, match="no compiled contract is called Nothing"):
        load_artifacts()["Nothing"]


# ---- Keyfiles ----


@pytest.fixture
def keyfile(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt("0x" + "11" * 32, "secret", iterations=2)))
    return path


def test_a_keyfile_opens_with_its_passphrase(keyfile, monkeypatch):
    monkeypatch.setenv("BALLAST_PASSPHRASE", "secret")
    assert KeySigner.from_keyfile(keyfile).address == Account.from_key("0x" + "11" * 32).address


def test_a_wrong_passphrase_is_said(keyfile):
    with pytest.raises(SignerError, match="cannot be decrypted"):
        KeySigner.from_keyfile(keyfile, "guess")


def test_a_missing_keyfile_is_said(tmp_path):
    with pytest.raises(SignerError, match="cannot be read"):
        KeySigner.from_keyfile(tmp_path / "none.json", "")
    with pytest.raises(SignerError, match="is not a private key"):
        KeySigner.from_key("0x12")
