"""From a configuration and addresses to the address book."""

from __future__ import annotations

from collections.abc import Mapping

from ballast.client.book import AddressBook, AssetEntry, UnderlyingEntry
from ballast.codec import AccountId
from ballast.deploy.config import (
    CASH_FEED,
    DEPLOYER,
    AccountConfig,
    NetworkConfig,
    TokenConfig,
    UnderlyingConfig,
)
from ballast.deploy.plan import aggregator_name, token_name


def make_book(
    config: NetworkConfig,
    addresses: Mapping[str, str],
    *,
    chain_id: int,
    deployer: str,
    block: int,
    complete: bool,
) -> AddressBook:
    """The address book of a deployment, finished or not."""
    return AddressBook(
        chain_id=chain_id,
        network=config.name,
        deployer=deployer,
        block=block,
        fee_account=_account(config.fee_account, deployer),
        insurance_account=_account(config.insurance_account, deployer),
        contracts=dict(addresses),
        assets=_assets(config, addresses) if complete else {},
        underlyings=_underlyings(config, addresses) if complete else {},
        complete=complete,
    )


def _account(account: AccountConfig, deployer: str) -> str:
    owner = deployer if account.owner == DEPLOYER else account.owner
    return AccountId.make(owner, account.index).hex


def _assets(config: NetworkConfig, addresses: Mapping[str, str]) -> dict[str, AssetEntry]:
    cash = _asset(config.cash, 0, CASH_FEED, addresses)
    others = {
        one.token.symbol: _asset(
            one.token,
            config.asset_id(one.token.symbol),
            config.underlying(one.underlying).id,
            addresses,
        )
        for one in config.collateral
    }
    return {config.cash.symbol: cash, **others}


def _asset(
    token: TokenConfig, identity: int, underlying: int, addresses: Mapping[str, str]
) -> AssetEntry:
    return AssetEntry(
        id=identity,
        token=token.address or addresses[token_name(token)],
        decimals=token.decimals,
        underlying=underlying,
        test=token.address is None,
    )


def _underlyings(config: NetworkConfig, addresses: Mapping[str, str]) -> dict[str, UnderlyingEntry]:
    return {one.name: _underlying(one, addresses) for one in config.underlyings}


def _underlying(one: UnderlyingConfig, addresses: Mapping[str, str]) -> UnderlyingEntry:
    chainlink = one.chainlink
    mock = chainlink is not None and chainlink.address is None
    address = chainlink.address if chainlink else None
    return UnderlyingEntry(
        id=one.id,
        sources=list(one.sources),
        market=one.market is not None,
        aggregator=addresses[aggregator_name(one)] if mock else address,
        mock=mock,
    )
