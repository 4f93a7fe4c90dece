"""The address book of a deployment: `deployments/<chain id>.json`.

It says where the contracts are and what their numbers mean: which asset is WETH, which underlying
ETH. `complete` is false while a deployment is under way.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ballast.client.artifacts import ROOT
from ballast.codec import Instrument, Kind
from ballast.fields import FieldError, Fields
from ballast.units import UnitsError, from_wad, to_wad

DEPLOYMENTS = ROOT / "deployments"
DAY, EXPIRY_TIME = 86_400, 8 * 3600
_OPTION = re.compile(
    r"(?P<underlying>\w+)-(?P<day>[0-9]{8})-(?P<strike>[0-9]+(\.[0-9]+)?)-(?P<right>[CP])"
)
PERP_SUFFIX = "-PERP"
OPTIONS_SUFFIX = "-OPTIONS"


class BookError(FieldError):
    """An address book that is missing, malformed or does not know a name."""


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """A token that accounts hold; id 0 is cash."""

    id: int
    token: str
    decimals: int
    underlying: int
    test: bool = False


@dataclass(frozen=True, slots=True)
class UnderlyingEntry:
    """A price feed; `aggregator` is what its push source reads, `market`: has it a perpetual?"""

    id: int
    sources: list[str]
    market: bool = False
    aggregator: str | None = None
    mock: bool = False


@dataclass(frozen=True)
class AddressBook:
    """Where a deployment is and what its numbers mean."""

    chain_id: int
    network: str
    deployer: str
    block: int
    fee_account: str
    insurance_account: str
    contracts: dict[str, str] = field(default_factory=dict)
    assets: dict[str, AssetEntry] = field(default_factory=dict)
    underlyings: dict[str, UnderlyingEntry] = field(default_factory=dict)
    complete: bool = True

    # ---- Names ----

    def address(self, contract: str) -> str:
        if contract not in self.contracts:
            raise BookError(f"{contract} is not in the address book of chain {self.chain_id}")
        return self.contracts[contract]

    def asset(self, name: str) -> AssetEntry:
        if name not in self.assets:
            raise BookError(f"{name!r} is no asset: there are {_listed(self.assets)}")
        return self.assets[name]

    def underlying(self, name: str) -> UnderlyingEntry:
        if name not in self.underlyings:
            raise BookError(f"{name!r} is no underlying: there are {_listed(self.underlyings)}")
        return self.underlyings[name]

    @property
    def cash_name(self) -> str:
        return next(name for name, asset in self.assets.items() if asset.id == 0)

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Everything that trades, by name: "ETH-PERP", "WETH"."""
        perps = {
            name + PERP_SUFFIX: Instrument.perp(entry.id)
            for name, entry in self.underlyings.items()
            if entry.market
        }
        spots = {
            name: Instrument.collateral(asset.id) for name, asset in self.assets.items() if asset.id
        }
        return perps | spots

    def instrument(self, name: str) -> Instrument:
        """What a name means: one of `instruments`, or an option such as "ETH-20261225-2500-C"."""
        if (series := _OPTION.fullmatch(name)) and series["underlying"] in self.underlyings:
            return self._option(series)
        known = self.instruments
        if name not in known:
            raise BookError(f"{name!r} does not trade here: there are {_listed(known)}")
        return known[name]

    def product(self, name: str) -> Instrument:
        """What has fees of its own: "ETH-PERP", "WETH", or "ETH-OPTIONS" for all of them."""
        underlying = name.removesuffix(OPTIONS_SUFFIX)
        if underlying != name and underlying in self.underlyings:
            return Instrument.options(self.underlying(underlying).id)
        return self.instrument(name)

    def instrument_name(self, instrument: Instrument) -> str:
        for name, known in self.instruments.items():
            if known == instrument:
                return name
        if instrument == Instrument.options(instrument.id):
            return self.underlying_name(instrument.id) + OPTIONS_SUFFIX
        if instrument.kind == Kind.OPTION and (instrument.expiry - EXPIRY_TIME) % DAY == 0:
            day = datetime.fromtimestamp(instrument.expiry, UTC).strftime("%Y%m%d")
            right = "P" if instrument.is_put else "C"
            strike = f"{from_wad(instrument.strike).normalize():f}"
            return f"{self.underlying_name(instrument.id)}-{day}-{strike}-{right}"
        return f"{instrument.kind.name} {instrument.id}"

    def _option(self, series: re.Match[str]) -> Instrument:
        """Every expiry is at 08:00 UTC of its day."""
        try:
            day = datetime.strptime(series["day"], "%Y%m%d").replace(tzinfo=UTC)
            return Instrument.option(
                self.underlying(series["underlying"]).id,
                int(day.timestamp()) + EXPIRY_TIME,
                to_wad(series["strike"]),
                series["right"] == "P",
            )
        except (ValueError, UnitsError) as error:
            raise BookError(f"{series[0]!r} is no option: {error}") from None

    def underlying_name(self, underlying: int) -> str:
        for name, entry in self.underlyings.items():
            if entry.id == underlying:
                return name
        return f"underlying {underlying}"

    def asset_name(self, asset: int) -> str:
        for name, entry in self.assets.items():
            if entry.id == asset:
                return name
        return f"asset {asset}"

    def underlying_of(self, instrument: Instrument) -> int:
        """The feed that prices an instrument."""
        if instrument.kind != Kind.COLLATERAL:
            return instrument.id
        return self.asset(self.asset_name(instrument.id)).underlying

    # ---- Files ----

    def dumps(self) -> str:
        return json.dumps({_camel(name): value for name, value in asdict(self).items()}, indent=2)

    def save(self, path: Path) -> None:
        """Write the book in one step, so that nobody reads half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(self.dumps() + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path, incomplete: bool = False) -> AddressBook:
        """Read a book; one of an unfinished deployment only if `incomplete` is wanted."""
        if not path.is_file():
            raise BookError(f"there is no address book {path}: deploy with `ape run deploy` first")
        try:
            data = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise BookError(f"{path} is not JSON: {error}") from None
        try:
            book = cls.parse(data)
        except FieldError as error:
            raise BookError(f"{path}: {error}") from None
        if not book.complete and not incomplete:
            raise BookError(f"{path}: the deployment is unfinished, run `ape run deploy` again")
        return book

    @classmethod
    def parse(cls, data: Any) -> AddressBook:
        """Check every field of a decoded book."""
        top = Fields("", data)
        book = cls(
            chain_id=top.integer("chainId", least=1),
            network=top.text("network"),
            deployer=top.address("deployer"),
            block=top.integer("block"),
            fee_account=top.account("feeAccount").hex,
            insurance_account=top.account("insuranceAccount").hex,
            contracts=_parse_contracts(top.object("contracts")),
            assets={name: _parse_asset(f) for name, f in top.entries("assets")},
            underlyings={name: _parse_underlying(f) for name, f in top.entries("underlyings")},
            complete=top.boolean("complete", True),
        )
        top.finish()
        return book


def book_path(chain_id: int, folder: Path = DEPLOYMENTS) -> Path:
    return folder / f"{chain_id}.json"


def _parse_contracts(fields: Fields) -> dict[str, str]:
    return {name: fields.address(name) for name in list(fields.data)}


def _parse_asset(fields: Fields) -> AssetEntry:
    entry = AssetEntry(
        id=fields.integer("id", greatest=0xFFFF),
        token=fields.address("token"),
        decimals=fields.integer("decimals", greatest=18),
        underlying=fields.integer("underlying", greatest=0xFFFF),
        test=fields.boolean("test", False),
    )
    fields.finish()
    return entry


def _parse_underlying(fields: Fields) -> UnderlyingEntry:
    entry = UnderlyingEntry(
        id=fields.integer("id", greatest=0xFFFF),
        sources=fields.texts("sources"),
        market=fields.boolean("market", False),
        aggregator=fields.address("aggregator") if fields.has("aggregator") else None,
        mock=fields.boolean("mock", False),
    )
    fields.finish()
    return entry


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"
