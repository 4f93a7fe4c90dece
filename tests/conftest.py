"""Hypothesis for all tests: the same examples at every run, others where they are asked for."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("BALLAST_HYPOTHESIS", "repeatable"))
