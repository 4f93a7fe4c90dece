"""Figures that matter, measured on a chain."""
