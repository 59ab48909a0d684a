"""Thousands of runs on a broker, a network and a clock that are simulated; ``make simulate`` has more of them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.examples import examples
from tests.simulation.__main__ import report
from tests.simulation.run import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = 10
SEEDS_OF_A_PART = examples(100)
FOUND = {
    2842: "a deployment at the instant of an event, which becomes known while the ticket settles",
    2860: "a deployment that is met after an event, in the unit of work in which the worker dies",
}
"""Seeds of no part that failed once, and the fault that they found."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_every_effect_is_published_once_and_none_early(part: int) -> None:
    injected, counts = Counter[str](), Counter[str]()
    for seed in range(part * SEEDS_OF_A_PART, (part + 1) * SEEDS_OF_A_PART):
        outcome = simulate(seed)
        assert not outcome.objections, report(outcome)
        injected += outcome.injected
        counts += outcome.counts

    assert min(counts["emitted"], counts["events"]) > SEEDS_OF_A_PART * 30
    if SEEDS_OF_A_PART >= 50:
        assert {"kill -9", "stop", "cut from the group", "rebalance", "clock set", "lost and late messages"} <= injected.keys()
        assert {"deployment", "undo", "rejudging deployment"} <= injected.keys()
        assert {"exit ProducerFenced", "exit RuntimeError"} & counts.keys(), "no worker that was replaced went on"


@pytest.mark.parametrize("seed", FOUND)
def test_a_fault_that_was_found_once_does_not_come_back(seed: int) -> None:
    outcome = simulate(seed)

    assert not outcome.objections, report(outcome)


def test_a_seed_has_the_same_trace_in_every_process() -> None:
    def traces(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.simulation", "25", "--traces"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first = traces("1")

    assert first == traces("2")
    assert len(set(first.split()[1::2])) == 25
