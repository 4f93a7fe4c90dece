"""Hypothesis for all tests: the same examples at every run, others where they are asked for.

And who runs what: a file's tests share fixtures, and those of a node build on one another, so that
one process runs them all, in their order. Only the campaigns are single tests, to be spread.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

CAMPAIGNS = Path(__file__).parent / "property"

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("BALLAST_HYPOTHESIS", "repeatable"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if CAMPAIGNS not in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
