"""Names of our contracts in plans and address books."""

from __future__ import annotations

AUTHORITY = "Authority"
ORACLE = "OracleAdapter"
CLEARINGHOUSE = "Clearinghouse"
EXCHANGE = "Exchange"
LIQUIDATOR = "Liquidator"
JOINT_ENGINE = "JointScenarioEngine"
RULE_ENGINE = "RuleEngine"
LENS = "Lens"
RISK_LENS = "RiskLens"
CHAINLINK_SOURCE = "ChainlinkSource"
QUORUM_SOURCE = "QuorumSource"
PYTH_SOURCE = "PythSource"
SHARE_RATE_SOURCE = "ShareRateSource"
VOLATILITY_QUORUM = "VolatilityQuorum"
