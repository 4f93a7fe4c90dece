"""Volatility surfaces: calibration to quotes, signed reports, updates for the chain."""
