"""Ballast: a cross-margin clearinghouse for the EVM."""

__version__ = "0.1.0"
