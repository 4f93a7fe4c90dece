"""Signatures of test keys in microseconds.

A nonce that never changes gives its keys away, and spares every signature the multiplication of a
point: right for keys whose secret is a role's name, wrong for any other.
"""

from __future__ import annotations

from functools import cache

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NONCE = int.from_bytes(keccak(text="ballast test nonce"), "big") % _ORDER


@cache
def _point() -> tuple[int, int, int]:
    """x and the parity of y of nonce × G, and the inverse of the nonce."""
    key = PrivateKey(_NONCE.to_bytes(32, "big")).public_key.to_bytes()
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    return x % _ORDER, y & 1, pow(_NONCE, -1, _ORDER)


def sign(digest: bytes, key: bytes) -> tuple[int, int, int]:
    """r, s and v of a digest; `s` is the lower of the two."""
    r, parity, inverse = _point()
    s = inverse * (int.from_bytes(digest, "big") + r * int.from_bytes(key, "big")) % _ORDER
    if s > _ORDER // 2:
        s, parity = _ORDER - s, parity ^ 1
    return r, s, 27 + parity


def words(*values: int | bytes) -> bytes:
    """Values as the words of abi.encode; numbers below zero in two's complement."""
    return b"".join(
        value if isinstance(value, bytes) else (value % 2**256).to_bytes(32, "big")
        for value in values
    )


class Domain:
    """The EIP-712 domain of one contract."""

    _TYPE = keccak(
        text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )

    def __init__(self, name: str, chain_id: int, contract: str) -> None:
        fields = (keccak(text=name), keccak(text="1"), chain_id, int(contract, 16))
        self._separator = keccak(words(self._TYPE, *fields))

    def digest(self, struct: bytes) -> bytes:
        """What is signed of an encoded struct, its type hash first."""
        return keccak(b"\x19\x01" + self._separator + keccak(struct))


ORDER_TYPE = keccak(
    text="Order(bytes32 account,uint256 instrument,int256 size,uint256 limitPrice,uint256 nonce,"
    "uint256 expiry,uint256 maxFee,uint256 minHealth,bool reduceOnly,bool postOnly)"
)
REPORT_TYPE = keccak(
    text="Report(uint16 underlying,uint256 price,uint256 confidence,uint256 impactBid,"
    "uint256 impactAsk,uint256 time)"
)
VOLATILITY_TYPE = keccak(
    text="VolatilityReport(uint16 underlying,uint32 expiry,int32 a,uint32 b,int24 rho,int24 mu,"
    "uint24 s,uint32 forward,uint32 time)"
)
