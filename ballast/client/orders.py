"""Orders: what is signed, how it is signed, and how it travels as a file.

An order's nonce is lane ‖ sequence: 192 bits say which lane, 64 which order of it. A higher
sequence replaces what the lane held; an equal one shares its fill.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ballast.client.book import AddressBook, BookError
from ballast.client.signers import Signer
from ballast.codec import AccountId, CodecError, Instrument
from ballast.eip712 import ContractDomain
from ballast.units import UnitsError, from_wad, to_wad

LANE_BITS = 192
SEQUENCE_BITS = 64
MAX_LANE = 2**LANE_BITS - 1
RECALLABLE = 1 << (LANE_BITS - 1)  # lanes from here on obey the account's floor
MAX_SEQUENCE = 2**SEQUENCE_BITS - 1

_TYPES = {
    "Order": [
        {"name": "account", "type": "bytes32"},
        {"name": "instrument", "type": "uint256"},
        {"name": "size", "type": "int256"},
        {"name": "limitPrice", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "expiry", "type": "uint256"},
        {"name": "maxFee", "type": "uint256"},
        {"name": "minHealth", "type": "uint256"},
        {"name": "reduceOnly", "type": "bool"},
        {"name": "postOnly", "type": "bool"},
    ]
}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")


class OrderError(ValueError):
    """An order, or a file of one, that means nothing."""


class Domain(ContractDomain):
    """The Exchange that an order is signed for."""

    NAME = "Ballast Exchange"


# ---- Lanes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lane:
    """What the Exchange keeps of a lane: its current sequence and what is filled of it."""

    sequence: int
    filled: int

    @property
    def next_sequence(self) -> int:
        """The least sequence that nothing was filled of."""
        return self.sequence + 1 if self.filled else self.sequence


def make_nonce(lane: int, sequence: int) -> int:
    if not 0 <= lane <= MAX_LANE:
        raise OrderError(f"lane {lane} does not fit {LANE_BITS} bits")
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise OrderError(f"sequence {sequence} does not fit {SEQUENCE_BITS} bits")
    return lane << SEQUENCE_BITS | sequence


def split_nonce(nonce: int) -> tuple[int, int]:
    """Lane and sequence of a nonce."""
    return nonce >> SEQUENCE_BITS, nonce & MAX_SEQUENCE


def random_lane() -> int:
    """A lane that nobody uses, for an order that shall replace nothing; not a recallable one."""
    return secrets.randbits(LANE_BITS - 1)


def is_recallable(lane: int) -> bool:
    """Whether orders of the lane die below the account's floor."""
    return lane >= RECALLABLE


# ---- Orders -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order: the fields of the contract's struct, in WAD."""

    account: AccountId
    instrument: Instrument
    size: int
    limit_price: int
    nonce: int
    expiry: int
    max_fee: int
    min_health: int = 0
    reduce_only: bool = False
    post_only: bool = False

    def as_tuple(self) -> tuple[object, ...]:
        """The fields in the order of the contract's struct."""
        values = [getattr(self, field.name) for field in fields(self)]
        return (bytes(self.account), self.instrument.key, *values[2:])

    def message(self, domain: Domain) -> SignableMessage:
        """What is signed."""
        names = (part["name"] for part in _TYPES["Order"])
        values = dict(zip(names, self.as_tuple(), strict=True))
        return encode_typed_data(domain.as_dict(), _TYPES, values)

    def digest(self, domain: Domain) -> bytes:
        message = self.message(domain)
        return bytes(keccak(b"\x19" + message.version + message.header + message.body))


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with a signature, of its owner or of a delegate."""

    order: Order
    signature: bytes

    def as_tuple(self) -> tuple[tuple[object, ...], bytes]:
        return self.order.as_tuple(), self.signature

    def signer(self, domain: Domain) -> str:
        """Who signed it, for that Exchange."""
        message = self.order.message(domain)
        try:
            return str(Account.recover_message(message, signature=self.signature))
        except (BadSignature, ValidationError):
            raise OrderError("signature: it is nobody's") from None


# Whether somebody else than its owner may trade for an account at this moment.
MayTrade = Callable[[AccountId, str], bool]


def nobody_else(_account: AccountId, _who: str) -> bool:
    """No delegates: for those who do not ask the chain."""
    return False


def sign_order(
    order: Order, domain: Domain, signer: Signer, may_trade: MayTrade = nobody_else
) -> SignedOrder:
    """Sign an order; the owner of its account can, and a delegate who may trade for it."""
    account, who = order.account, signer.address
    if not _is_signer(account, who, may_trade):
        raise OrderError(f"{who} does not own the account {account} and may not trade for it")
    return SignedOrder(order, signer.sign_typed(order.message(domain)))


def _is_signer(account: AccountId, who: str, may_trade: MayTrade) -> bool:
    return who.lower() == account.owner.lower() or may_trade(account, who)


# ---- Filling ----------------------------------------------------------------------------------


def parse_duration(text: str) -> int:
    """Seconds of "90s", "15m", "1h", "7d"."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise OrderError(f"{text!r} is no duration: write 90s, 15m, 1h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def allocate(makers: Sequence[int], taker: int, wanted: int | None) -> list[int]:
    """The size of each maker's fill, in their order."""
    rest = taker if wanted is None else wanted
    sizes = []
    for left in makers:
        sizes.append(min(left, rest))
        rest -= sizes[-1]
    if 0 in sizes:
        raise OrderError("nothing is left to fill of one of the orders")
    if wanted is not None and rest > 0:
        raise OrderError(
            f"the makers' orders have {from_wad(wanted - rest):f} left, not {from_wad(wanted):f}"
        )
    return sizes


# ---- Files ------------------------------------------------------------------------------------


def order_to_json(signed: SignedOrder, domain: Domain, book: AddressBook) -> dict[str, Any]:
    """An order as people read it: names and decimal numbers."""
    order = signed.order
    lane, sequence = split_nonce(order.nonce)
    return {
        "chainId": domain.chain_id,
        "exchange": domain.contract,
        "account": str(order.account),
        "instrument": book.instrument_name(order.instrument),
        "side": "buy" if order.size > 0 else "sell",
        "size": f"{from_wad(abs(order.size)):f}",
        "limitPrice": f"{from_wad(order.limit_price):f}",
        "lane": str(lane),
        "sequence": str(sequence),
        "expiry": _time_text(order.expiry),
        "maxFee": f"{from_wad(order.max_fee):f}",
        "minHealth": f"{from_wad(order.min_health):f}",
        "reduceOnly": order.reduce_only,
        "postOnly": order.post_only,
        "signature": "0x" + signed.signature.hex(),
    }


_FILE_FIELDS = (
    "chainId",
    "exchange",
    "account",
    "instrument",
    "side",
    "size",
    "limitPrice",
    "lane",
    "sequence",
    "expiry",
    "maxFee",
    "minHealth",
    "reduceOnly",
    "postOnly",
    "signature",
)


def order_from_json(
    data: Any, domain: Domain, book: AddressBook, may_trade: MayTrade = nobody_else
) -> SignedOrder:
    """Read an order file; refuses unknown fields, another Exchange and a wrong signature."""
    if not isinstance(data, Mapping):
        raise OrderError("an order must be a JSON object")
    for key in data:
        if key not in _FILE_FIELDS:
            raise OrderError(f"{key} is not a field of an order")
    for key in _FILE_FIELDS:
        if key not in data:
            raise OrderError(f"{key} is missing")
    _check_domain(data, domain)
    signed = SignedOrder(_order(data, book), _signature(data["signature"]))
    account, signer = signed.order.account, signed.signer(domain)
    if not _is_signer(account, signer, may_trade):
        raise OrderError(
            f"signature: made by {signer}, who neither owns the account {account} nor may trade "
            "for it, or the order was changed after it was signed"
        )
    return signed


def save_order(path: Path, signed: SignedOrder, domain: Domain, book: AddressBook) -> None:
    path.write_text(json.dumps(order_to_json(signed, domain, book), indent=2) + "\n")


def load_order(
    path: Path, domain: Domain, book: AddressBook, may_trade: MayTrade = nobody_else
) -> SignedOrder:
    try:
        return order_from_json(json.loads(path.read_text()), domain, book, may_trade)
    except OSError as error:
        raise OrderError(f"{path} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise OrderError(f"{path} is not JSON: {error}") from None
    except OrderError as error:
        raise OrderError(f"{path}: {error}") from None


def _order(data: Mapping[str, Any], book: AddressBook) -> Order:
    side = data["side"]
    if side not in ("buy", "sell"):
        raise OrderError(f"side must be buy or sell, not {side!r}")
    size = _wad(data, "size")
    try:
        return Order(
            account=AccountId.parse(str(data["account"])),
            instrument=book.instrument(data["instrument"]),
            size=size if side == "buy" else -size,
            limit_price=_wad(data, "limitPrice"),
            nonce=make_nonce(_integer(data, "lane"), _integer(data, "sequence")),
            expiry=_time(data["expiry"]),
            max_fee=_wad(data, "maxFee"),
            min_health=_wad(data, "minHealth"),
            reduce_only=_flag(data, "reduceOnly"),
            post_only=_flag(data, "postOnly"),
        )
    except CodecError as error:
        raise OrderError(f"account: {error}") from None
    except BookError as error:
        raise OrderError(f"instrument: {error}") from None


def _check_domain(data: Mapping[str, Any], domain: Domain) -> None:
    if data["chainId"] != domain.chain_id:
        raise OrderError(f"chainId: signed for chain {data['chainId']}, not {domain.chain_id}")
    if str(data["exchange"]).lower() != domain.contract.lower():
        raise OrderError(f"exchange: signed for {data['exchange']}, not {domain.contract}")


def _signature(value: Any) -> bytes:
    if not isinstance(value, str) or not _SIGNATURE.fullmatch(value):
        raise OrderError("signature must be 65 bytes in hex")
    return bytes.fromhex(value[2:])


def _wad(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if not isinstance(value, str):
        raise OrderError(f'{key} must be a decimal number in quotes, like "1.5", not {value!r}')
    try:
        number = to_wad(value)
    except UnitsError as error:
        raise OrderError(f"{key}: {error}") from None
    if number < 0:
        raise OrderError(f"{key} must not be negative, but is {value}")
    return number


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data[key]
    if not isinstance(value, bool):
        raise OrderError(f"{key} must be true or false, not {value!r}")
    return value


def _integer(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,58}", value):
        raise OrderError(f"{key} must be a whole number in quotes, not {value!r}")
    return int(value)


def _time_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(value: Any) -> int:
    try:
        moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise OrderError(f"expiry must be like 2026-01-31T12:00:00Z, not {value!r}") from None
    return int(moment.timestamp())
