"""A short run of chaos; ``make chaos`` has the long ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos.nemeses import die_in_a_unit, kill_broker, pause, poison
from tests.chaos.run import run_seed

if TYPE_CHECKING:
    from pathlib import Path


def test_whatever_happens_to_workers_and_broker_everything_is_emitted_once_and_nothing_early(tmp_path: Path) -> None:
    faults = [poison, pause, die_in_a_unit, kill_broker]

    outcome = asyncio.run(run_seed(7, tmp_path, minutes=25, kinds=faults, at_least=len(faults)))

    assert outcome.objections == []
    assert {"SIGSTOP", "broker kill -9", "poison pill"} <= outcome.injected.keys()
    assert outcome.counts["emitted"] > 200
