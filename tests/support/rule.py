"""The rule engine in revm: over a board of prices, and in the whole system beside its model."""

from __future__ import annotations

from functools import cache
from typing import Any

from ballast.codec import Snapshot
from ballast.model.margin import Engine, Margin
from ballast.oracle.mirror import ScanRange
from ballast.risk.rule_based import RuleEngine
from ballast.risk.rules import Rules
from tests.support import clearing
from tests.support.artefacts import Artefacts, compile_standard_json
from tests.support.revm import DEPLOYER, GENESIS, Evm, RevmContract
from tests.support.risk import BTC, COIN, ETH, STABLE, STAKED_ETH, WBTC, WETH
from tests.support.risk import PARAMETERS as JOINT_PARAMETERS

TARGETS = (
    "contracts/risk/RuleEngine.sol",
    "contracts/mocks/MockPriceBoard.sol",
    "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
)

PERPS = {ETH: (500, 1000, 1000), BTC: (500, 1000, 0), COIN: (1000, 2000, 10)}
WEIGHTS = {WETH: (8500, 7500), STAKED_ETH: (8000, 6000), WBTC: (9500, 9000), STABLE: (0, 0)}
OPTIONS = {ETH: (750, 1500, 1000), BTC: (750, 1500, 1000), COIN: (1000, 2500, 1500)}
ASSETS = {name: (one.underlying, one.decimals) for name, one in JOINT_PARAMETERS.assets.items()}


@cache
def artefacts(targets: tuple[str, ...]) -> Artefacts:
    return compile_standard_json(targets=targets)


class RuleWorld:
    """An engine that the deployer governs, and its mirror. Parameters are set on both."""

    targets = TARGETS

    def __init__(self, time: int = GENESIS) -> None:
        self.evm = Evm(artefacts(self.targets), time=time)
        self.board = self.evm.deploy("MockPriceBoard")
        self.manager = self.evm.deploy("AccessManager", DEPLOYER)
        self.engine = self.evm.deploy("RuleEngine", self.manager, self.board, self.board)
        self.rules = Rules()
        self.prices: dict[int, Snapshot] = {}
        self.interest: dict[int, int] = {}
        self.slices: dict[tuple[int, int], int] = {}
        self.means: dict[tuple[int, int], tuple[int, int]] = {}
        self.mirror = RuleEngine(self, self.interest.__getitem__, self.rules, self)
        for asset, (underlying, decimals) in ASSETS.items():
            self.board.setAsset(asset, decimals, underlying)
        for underlying, (maintenance, initial, depth) in PERPS.items():
            self.set_perp(underlying, maintenance, initial, depth)
            self.set_open_interest(underlying, 0)
        for asset, weights in WEIGHTS.items():
            self.set_asset(asset, *weights)
        for underlying, rates in OPTIONS.items():
            self.set_option(underlying, *rates)

    @property
    def now(self) -> int:
        return self.evm.time

    def set_perp(self, underlying: int, maintenance: int, initial: int, depth: int = 0) -> None:
        self.rules.set_perp(underlying, maintenance, initial, depth, now=self.now)
        self.engine.setPerp(underlying, maintenance, initial, depth)

    def set_asset(self, asset: int, maintenance: int, initial: int) -> None:
        underlying, decimals = ASSETS[asset]
        given = {"underlying": underlying, "decimals": decimals, "now": self.now}
        self.rules.set_asset(asset, maintenance, initial, **given)
        self.engine.setAsset(asset, maintenance, initial)

    def set_option(self, underlying: int, maintenance: int, initial: int, floor: int) -> None:
        self.rules.set_option(underlying, maintenance, initial, floor, now=self.now)
        self.engine.setOption(underlying, maintenance, initial, floor)

    def set_slice(self, underlying: int, expiry: int, word: int) -> None:
        self.slices[underlying, expiry] = word
        self.board.setSlice(underlying, expiry, word)

    def set_mean(self, underlying: int, expiry: int, elapsed: int, mean: int) -> None:
        self.means[underlying, expiry] = elapsed, mean
        self.board.setSettlementMean(underlying, expiry, elapsed, mean)

    def slice(self, underlying: int, expiry: int) -> int:
        return self.slices.get((underlying, expiry), 0)

    def settlement_mean(self, underlying: int, expiry: int) -> tuple[int, int]:
        return self.means.get((underlying, expiry), (0, 0))

    def set_ramp_time(self, seconds: int) -> None:
        self.rules.set_ramp_time(seconds)
        self.engine.setRampTime(seconds)

    def set_open_interest(self, underlying: int, amount: int) -> None:
        self.interest[underlying] = amount
        self.board.setOpenInterest(underlying, amount)

    def price(self, underlying: int, snapshot: Snapshot) -> None:
        self.prices[underlying] = snapshot
        self.board.setSnapshot(underlying, snapshot.encode())

    def snapshot(self, underlying: int) -> Snapshot:
        return self.prices.get(underlying, Snapshot())

    def assess(self, cash: int, words: list[int], mode: int = 0) -> Margin:
        return Margin(*self.engine.assess(cash, mode, words))

    def assess_at(self, cash: int, words: list[int], underlying: int, spot: int) -> Margin:
        return Margin(*self.engine.assessAt(cash, words, underlying, spot))

    def mirrored(self, cash: int, words: list[int], mode: int = 0) -> Margin:
        return self.mirror.assess(cash, mode, words, self.now)


class LensWorld(RuleWorld):
    """The same board under both engines and the RiskLens."""

    targets = (
        *TARGETS,
        "contracts/risk/JointScenarioEngine.sol",
        "contracts/periphery/RiskLens.sol",
    )

    def __init__(self) -> None:
        super().__init__()
        self.joint = self.evm.deploy("JointScenarioEngine", self.manager, self.board, self.board)
        self.lens = self.evm.deploy("RiskLens", self.board)
        self.variances: dict[int, int] = {}
        for underlying, risk in JOINT_PARAMETERS.underlyings.items():
            self.joint.setUnderlying(underlying, risk.as_tuple())
        for asset, haircuts in JOINT_PARAMETERS.assets.items():
            self.joint.setAsset(asset, haircuts.haircut, haircuts.extra_haircut)

    def set_variance(self, underlying: int, fast: int, slow: int) -> None:
        """Variances of an hour's return, WAD."""
        self.variances[underlying] = max(fast, slow)
        word = ScanRange(variance_fast=fast, variance_slow=slow).encode()
        self.board.setScanRange(underlying, word)


class TwoEngineWorld(clearing.ClearingWorld):
    """The whole system with the rule engine as engine 1, beside the exact model of it all."""

    def __init__(self, depth: int = 0, **changes: Any) -> None:
        super().__init__(exact=True, **changes)
        self.rules = Rules()
        arguments = self.manager, self.house, self.oracle
        self.rule = self.evm.deploy("RuleEngine", *arguments)
        for underlying in (clearing.ETH, clearing.BTC):
            clamp = self.oracle.premiumClampBps(underlying)
            given = underlying, 500, 1000, depth
            self.rules.set_perp(*given, now=self.now, premium_clamp=clamp)
            self.rule.setPerp(*given)
        for asset, underlying, decimals in ((clearing.WETH, 1, 18), (clearing.WBTC, 2, 8)):
            feed = {"underlying": underlying, "decimals": decimals, "now": self.now}
            self.rules.set_asset(asset, 8500, 7500, **feed)
            self.rule.setAsset(asset, 8500, 7500)
        self.register_engine(self.rule)

    def _modelled(self, engine: RevmContract) -> Engine:
        if engine.name != "RuleEngine":
            return super()._modelled(engine)
        house = self.model
        return RuleEngine(
            self.system.feeds,
            lambda underlying: house.market(underlying).state.open_interest,
            self.rules,
        )

    def compare_margins(self, *accounts: Any) -> None:
        """[I10] What the engines say of accounts is what their mirrors say."""
        for account in accounts:
            for mode in (0, 1):
                assert self.margin(account, mode) == self.model.margin(account, mode), "I10 margin"
