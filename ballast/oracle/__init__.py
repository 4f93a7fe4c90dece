"""Prices: signed reports, and the exact mirror of how the chain accepts them."""
