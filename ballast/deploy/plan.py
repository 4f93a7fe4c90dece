"""The plan of a network: from its configuration to the steps that deploy it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ballast.codec import AccountId
from ballast.deploy.config import (
    CASH_FEED,
    CHAINLINK,
    DEPLOYER,
    PYTH,
    QUORUM,
    SHARE_RATE,
    AccountConfig,
    NetworkConfig,
    TokenConfig,
    UnderlyingConfig,
)
from ballast.deploy.expiries import ALLOW, allow_arguments, day
from ballast.deploy.names import (
    AUTHORITY,
    CHAINLINK_SOURCE,
    CLEARINGHOUSE,
    EXCHANGE,
    JOINT_ENGINE,
    LENS,
    LIQUIDATOR,
    ORACLE,
    PYTH_SOURCE,
    QUORUM_SOURCE,
    RISK_LENS,
    RULE_ENGINE,
    SHARE_RATE_SOURCE,
    VOLATILITY_QUORUM,
)
from ballast.deploy.risk_plan import risk_steps, rule_steps
from ballast.deploy.role_plan import role_steps
from ballast.deploy.steps import (
    ANY,
    HAS_PRICE,
    NOT_ZERO,
    Check,
    Deploy,
    Deployer,
    Group,
    OwnedAccount,
    Plan,
    Ref,
    Send,
    Step,
    View,
)

ENGINE = 0
RULE_ENGINE_ID = 1

SEQUENCER = "Aggregator of the sequencer"
NO_SEQUENCER = "0x" + 40 * "0"
SOURCE_CONTRACTS = {
    CHAINLINK: CHAINLINK_SOURCE,
    QUORUM: QUORUM_SOURCE,
    PYTH: PYTH_SOURCE,
    SHARE_RATE: SHARE_RATE_SOURCE,
}


def make_plan(
    config: NetworkConfig,
    has_lens: bool = True,
    expiries: Mapping[str, Sequence[int]] | None = None,
) -> Plan:
    """The steps that make a network what its configuration says, and allow some expiries."""
    steps: tuple[Step, ...] = (
        Deploy(AUTHORITY, AUTHORITY, (Deployer(),)),
        *_tokens(config),
        *_aggregators(config),
        *_sequencer(config),
        _core(config),
        *_peripherals(config, has_lens),
        *_feeds(config),
        *_volatility(config),
        *_refreshes(config),
        *_assets(config),
        *risk_steps(config),
        *rule_steps(config),
        *_engines(config),
        *_caps(config),
        *_markets(config),
        *_fees(config),
        *_expiries(config, expiries or {}),
    )
    deployed = {one.name for one in Plan(steps).deployments()}
    return Plan((*steps, *role_steps(config, deployed)))


def token_name(token: TokenConfig) -> str:
    return f"Token {token.symbol}"


def aggregator_name(underlying: UnderlyingConfig) -> str:
    return f"Aggregator {underlying.name}"


def _sequencer(config: NetworkConfig) -> Iterator[Step]:
    if config.sequencer and config.sequencer.address is None:
        yield Deploy(SEQUENCER, "MockAggregator", (0, "Sequencer uptime", 0))


def sequencer_ref(config: NetworkConfig) -> Ref | str:
    if config.sequencer is None:
        return NO_SEQUENCER
    return config.sequencer.address or Ref(SEQUENCER)


def _tokens(config: NetworkConfig) -> Iterator[Step]:
    for token in config.tokens:
        if token.address is None:
            args = (token.test_name, token.symbol, token.decimals)
            yield Deploy(token_name(token), "TestToken", args, (_decimals(token),))


def _decimals(token: TokenConfig) -> Check:
    return Check(View(Ref(token_name(token)), "TestToken", "decimals"), token.decimals)


def _aggregators(config: NetworkConfig) -> Iterator[Step]:
    for one in config.underlyings:
        if one.chainlink and one.chainlink.address is None:
            feed = one.chainlink
            args = (feed.decimals, f"{one.name} / USD", feed.mock_answer)
            yield Deploy(aggregator_name(one), "MockAggregator", args)


def token_ref(token: TokenConfig) -> Ref | str:
    return token.address or Ref(token_name(token))


def aggregator_ref(underlying: UnderlyingConfig) -> Ref | str:
    assert underlying.chainlink is not None
    return underlying.chainlink.address or Ref(aggregator_name(underlying))


def _account(account: AccountConfig) -> OwnedAccount | bytes:
    if account.owner == DEPLOYER:
        return OwnedAccount(account.index)
    return bytes(AccountId.make(account.owner, account.index))


def _core(config: NetworkConfig) -> Group:
    """The five contracts that are immutables of each other."""
    fees, insurance = _account(config.fee_account), _account(config.insurance_account)
    modules = (Ref(AUTHORITY), Ref(ORACLE), Ref(EXCHANGE), Ref(LIQUIDATOR), Ref(JOINT_ENGINE))
    authority, clearinghouse, oracle = Ref(AUTHORITY), Ref(CLEARINGHOUSE), Ref(ORACLE)
    sequencer = sequencer_ref(config)
    grace = config.sequencer.grace if config.sequencer else 0
    return Group(
        (
            _deploy(
                ORACLE,
                (authority, clearinghouse, sequencer, grace),
                CLEARINGHOUSE=clearinghouse,
                SEQUENCER_FEED=sequencer,
                SEQUENCER_GRACE=grace,
            ),
            _deploy(
                CLEARINGHOUSE,
                (*modules, token_ref(config.cash), fees, insurance),
                ORACLE=oracle,
                EXCHANGE=Ref(EXCHANGE),
                LIQUIDATOR=Ref(LIQUIDATOR),
                DEFAULT_ENGINE=Ref(JOINT_ENGINE),
                FEE_ACCOUNT=fees,
                INSURANCE_ACCOUNT=insurance,
            ),
            _deploy(
                EXCHANGE,
                (authority, clearinghouse, oracle),
                CLEARINGHOUSE=clearinghouse,
                ORACLE=oracle,
            ),
            _deploy(
                LIQUIDATOR,
                (clearinghouse, oracle),
                authority=False,
                CLEARINGHOUSE=clearinghouse,
                ORACLE=oracle,
            ),
            _deploy(
                JOINT_ENGINE,
                (authority, clearinghouse, oracle),
                CLEARINGHOUSE=clearinghouse,
                ORACLE=oracle,
            ),
        )
    )


def _deploy(name: str, args: tuple[Any, ...], authority: bool = True, **immutables: Any) -> Deploy:
    expected = {"authority": Ref(AUTHORITY)} if authority else {}
    checks = (
        Check(View(Ref(name), name, function), value)
        for function, value in (expected | immutables).items()
    )
    return Deploy(name, name, args, tuple(checks))


def _peripherals(config: NetworkConfig, has_lens: bool) -> Iterator[Step]:
    authority, clearinghouse, oracle = Ref(AUTHORITY), Ref(CLEARINGHOUSE), Ref(ORACLE)
    yield _deploy(CHAINLINK_SOURCE, (authority,))
    if config.quorum:
        signers, threshold = list(config.quorum.signers), config.quorum.threshold
        yield _deploy(QUORUM_SOURCE, (authority, signers, threshold))
        yield Send(
            title="publishers of the quorum",
            target=Ref(QUORUM_SOURCE),
            contract=QUORUM_SOURCE,
            function="setPublishers",
            args=(signers, threshold),
            done=Check(View(Ref(QUORUM_SOURCE), QUORUM_SOURCE, "publishers"), signers),
        )
        yield Send(
            title="threshold of the quorum",
            target=Ref(QUORUM_SOURCE),
            contract=QUORUM_SOURCE,
            function="setPublishers",
            args=(signers, threshold),
            done=Check(View(Ref(QUORUM_SOURCE), QUORUM_SOURCE, "threshold"), threshold),
        )
    if config.pyth:
        refund = Deployer() if config.admin == DEPLOYER else config.admin
        args = (authority, config.pyth, refund)
        yield _deploy(PYTH_SOURCE, args, PYTH=config.pyth, REFUND=refund)
    if any(one.share_rate for one in config.underlyings):
        yield _deploy(SHARE_RATE_SOURCE, (authority,))
    if has_lens:
        yield _deploy(LENS, (clearinghouse,), authority=False, CLEARINGHOUSE=clearinghouse)
    yield _deploy(
        RISK_LENS,
        (clearinghouse,),
        authority=False,
        CLEARINGHOUSE=clearinghouse,
        ORACLE=oracle,
    )
    if config.rule:
        yield _deploy(
            RULE_ENGINE,
            (authority, clearinghouse, oracle),
            CLEARINGHOUSE=clearinghouse,
            ORACLE=oracle,
        )


def _feeds(config: NetworkConfig) -> Iterator[Step]:
    for one in config.underlyings:
        if one.chainlink:
            yield _set_aggregator(one)
        if one.pyth:
            yield _set_pyth(one)
        if one.share_rate:
            yield _set_share(one, config)
        sources = [Ref(SOURCE_CONTRACTS[source]) for source in one.sources]
        parameters = (sources, *one.feed.as_tuple()[1:])
        yield Send(
            title=f"feed {one.name}",
            target=Ref(ORACLE),
            contract=ORACLE,
            function="configureFeed",
            args=(one.id, parameters),
            done=Check(View(Ref(ORACLE), ORACLE, "feed", (one.id,)), parameters),
        )


def _volatility(config: NetworkConfig) -> Iterator[Step]:
    """Who publishes volatility; expiries are allowed as time goes on."""
    chosen = [one for one in config.underlyings if one.options]
    if not chosen or config.quorum is None:
        return
    signers, threshold = list(config.quorum.signers), config.quorum.threshold
    yield _deploy(VOLATILITY_QUORUM, (Ref(AUTHORITY), signers, threshold))
    for one in chosen:
        assert one.options is not None
        values = (Ref(VOLATILITY_QUORUM), *one.options.volatility.as_tuple()[1:])
        yield Send(
            title=f"volatility of {one.name}",
            target=Ref(ORACLE),
            contract=ORACLE,
            function="configureVolatility",
            args=(one.id, values),
            done=Check(View(Ref(ORACLE), ORACLE, "volatilityConfig", (one.id,)), values),
        )


def _expiries(config: NetworkConfig, expiries: Mapping[str, Sequence[int]]) -> Iterator[Step]:
    """A step for each expiry: they are allowed for good, so its window never vanishes again."""
    for one in config.underlyings:
        if one.options is None:
            continue
        for expiry in expiries.get(one.name, ()):
            window = View(Ref(ORACLE), ORACLE, "settlementWindow", (one.id, expiry))
            yield Send(
                title=f"expiry {day(expiry)} of {one.name}",
                target=Ref(ORACLE),
                contract=ORACLE,
                function=ALLOW,
                args=allow_arguments(one.id, one.options, expiry),
                done=Check(window, NOT_ZERO),
            )


def _set_aggregator(one: UnderlyingConfig) -> Send:
    assert one.chainlink is not None
    values = (aggregator_ref(one), one.chainlink.heartbeat, one.chainlink.deviation_bps)
    return Send(
        title=f"aggregator of {one.name}",
        target=Ref(CHAINLINK_SOURCE),
        contract=CHAINLINK_SOURCE,
        function="setAggregator",
        args=(one.id, *values),
        done=Check(
            View(Ref(CHAINLINK_SOURCE), CHAINLINK_SOURCE, "feed", (one.id,)),
            (*values, one.chainlink.decimals),
        ),
    )


def _set_pyth(one: UnderlyingConfig) -> Send:
    assert one.pyth is not None
    feed = one.pyth.feed
    values = (bytes.fromhex(one.pyth.price_id[2:]), feed.max_age, feed.min_advance, feed.max_fee)
    return Send(
        title=f"Pyth price of {one.name}",
        target=Ref(PYTH_SOURCE),
        contract=PYTH_SOURCE,
        function="setFeed",
        args=(one.id, *values),
        done=Check(View(Ref(PYTH_SOURCE), PYTH_SOURCE, "feed", (one.id,)), values),
        hint="Pyth must know a price of that id: push an update to it, and run this again",
    )


def _set_share(one: UnderlyingConfig, config: NetworkConfig) -> Send:
    assert one.share_rate is not None
    share = one.share_rate
    base = (Ref(SOURCE_CONTRACTS[share.source]), config.underlying(share.base).id)
    band = (share.max_growth_bps, share.tolerance_bps)
    return Send(
        title=f"share of {one.name}",
        target=Ref(SHARE_RATE_SOURCE),
        contract=SHARE_RATE_SOURCE,
        function="setShare",
        args=(one.id, share.vault, *base, share.rate, *band),
        done=Check(
            View(Ref(SHARE_RATE_SOURCE), SHARE_RATE_SOURCE, "feed", (one.id,)),
            (share.vault, ANY, ANY, *band, *base),
        ),
    )


def _refreshes(config: NetworkConfig) -> Iterator[Step]:
    """First prices, that of cash before those that are divided by it."""
    for one in sorted(config.underlyings, key=lambda underlying: underlying.id != CASH_FEED):
        yield Send(
            title=f"first price of {one.name}",
            target=Ref(ORACLE),
            contract=ORACLE,
            function="refresh",
            args=([(one.id, [])],),
            done=Check(View(Ref(ORACLE), ORACLE, "snapshot", (one.id,)), HAS_PRICE),
            hint=(
                f"the feed {one.name} has no accepted price yet: it needs {one.feed.min_sources} "
                f"of {' and '.join(one.sources)}. Start publishers and a keeper until it has one, "
                "then run this again"
            ),
        )


def _engines(config: NetworkConfig) -> Iterator[Step]:
    yield _registration(ENGINE, JOINT_ENGINE)
    if config.rule:
        yield _registration(RULE_ENGINE_ID, RULE_ENGINE)


def _registration(identity: int, engine: str) -> Send:
    return Send(
        title=f"engine {identity}",
        target=Ref(CLEARINGHOUSE),
        contract=CLEARINGHOUSE,
        function="registerEngine",
        args=(Ref(engine),),
        done=_clearinghouse("engine", identity, expected=Ref(engine)),
    )


def _clearinghouse(function: str, *args: Any, expected: Any) -> Check:
    return Check(View(Ref(CLEARINGHOUSE), CLEARINGHOUSE, function, args), expected)


def _assets(config: NetworkConfig) -> Iterator[Step]:
    for one in config.collateral:
        identity = config.asset_id(one.token.symbol)
        feed = config.underlying(one.underlying).id
        token = token_ref(one.token)
        registered = (token, one.token.decimals, feed, ANY, ANY)
        yield Send(
            title=f"asset {one.token.symbol}",
            target=Ref(CLEARINGHOUSE),
            contract=CLEARINGHOUSE,
            function="registerAsset",
            args=(token, feed),
            done=_clearinghouse("asset", identity, expected=registered),
        )


def _caps(config: NetworkConfig) -> Iterator[Step]:
    """After the engines: an asset that one does not know cannot be opened for deposits."""
    for one in config.collateral:
        identity = config.asset_id(one.token.symbol)
        yield Send(
            title=f"cap of {one.token.symbol}",
            target=Ref(CLEARINGHOUSE),
            contract=CLEARINGHOUSE,
            function="setAssetCap",
            args=(identity, one.cap),
            done=_clearinghouse("asset", identity, expected=(ANY, ANY, ANY, ANY, one.cap)),
        )
    for underlying in config.underlyings:
        if underlying.options is not None:
            yield _option_cap(underlying, underlying.options.cap)


def _markets(config: NetworkConfig) -> Iterator[Step]:
    for one in config.underlyings:
        if one.market is None:
            continue
        yield Send(
            title=f"market {one.name}-PERP",
            target=Ref(CLEARINGHOUSE),
            contract=CLEARINGHOUSE,
            function="listMarket",
            args=(one.id,),
            done=_clearinghouse("market", one.id, expected=ANY),
        )
        yield Send(
            title=f"cap of {one.name}-PERP",
            target=Ref(CLEARINGHOUSE),
            contract=CLEARINGHOUSE,
            function="setMarketCap",
            args=(one.id, one.market.cap),
            done=_clearinghouse("market", one.id, expected=(ANY, ANY, ANY, one.market.cap)),
        )


def _option_cap(one: UnderlyingConfig, cap: int) -> Send:
    return Send(
        title=f"cap of options on {one.name}",
        target=Ref(CLEARINGHOUSE),
        contract=CLEARINGHOUSE,
        function="setOptionCap",
        args=(one.id, cap),
        done=_clearinghouse("optionMarket", one.id, expected=(ANY, cap)),
    )


def _fees(config: NetworkConfig) -> Iterator[Step]:
    for name, instrument, fees in config.fees():
        yield Send(
            title=f"fees of {name}",
            target=Ref(EXCHANGE),
            contract=EXCHANGE,
            function="setFees",
            args=(instrument.key, fees.maker, fees.taker),
            done=Check(
                View(Ref(EXCHANGE), EXCHANGE, "fees", (instrument.key,)), (fees.maker, fees.taker)
            ),
        )
