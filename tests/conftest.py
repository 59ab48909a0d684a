"""The profile of Hypothesis: properties that state no number of examples are scaled as the others are.

While tests are collected, the garbage collector is off. Afterwards it visits only what was made since the last file of tests:
full collections, of which some tests demand one, would take a second each.

Tests run the source, also where ``make compile`` has built it; ``tests/compiled`` has the tests of what is built.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

os.environ["BREACHWATCH_INTERPRETED"] = "yes"  # before anything is imported that imports ``stream``

import pytest
from hypothesis import settings

from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("scaled", max_examples=examples(settings().max_examples))
settings.load_profile("scaled")


LONGEST_ID = 200


def pytest_make_parametrize_id(val: object) -> str | None:
    """A short id for a case whose value is a long text: every process of pytest gets the ids of all tests."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_ID:
        return f"{val[:40]!r}...{len(val)}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A file's last test also answers for what the file left unclosed in cycles."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            gc.collect()
            gc.freeze()
