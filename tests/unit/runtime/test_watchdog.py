"""The watchdog: when work stands still, and the error that names the work."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stream.runtime.watchdog import CHECKS, Standstill, StandstillError, Watchdog


def test_work_without_progress_for_too_many_checks_is_named_in_an_error() -> None:
    standstill = Standstill()
    for _ in range(CHECKS):
        standstill.check("the input of partition 3", busy=True, progress=7)

    with pytest.raises(StandstillError, match="the input of partition 3"):
        standstill.check("the input of partition 3", busy=True, progress=7)


def test_slow_progress_or_no_work_is_not_a_standstill() -> None:
    standstill = Standstill()

    for check in range(10 * CHECKS):
        standstill.check("slow", busy=True, progress=check // (CHECKS - 1))
        standstill.check("idle", busy=False, progress=0)
        standstill.check("now and then", busy=check % CHECKS != 0, progress=0)


def test_a_rebalance_restarts_the_count() -> None:
    standstill = Standstill()

    for check in range(10 * CHECKS):
        if check % CHECKS == 0:
            standstill.reset()
        standstill.check("the input", busy=True, progress=0)


def test_a_rebalance_stands_still_later_than_other_work_and_not_while_tickets_are_restored() -> None:
    app: Any = SimpleNamespace(rebalancing=True, tasks={}, consumer_generation_id=3, store=SimpleNamespace(progress=0))
    watchdog = Watchdog(app, allowed=16, rebalance=24, commit=1)
    patience = CHECKS + CHECKS * 24 // 16

    for check in range(10 * patience):
        app.store.progress = check // (patience - 1)
        watchdog._check()
    app.store.progress = -1
    for _ in range(patience):
        watchdog._check()
    with pytest.raises(StandstillError, match="joining the group and restoring tickets"):
        watchdog._check()


def test_finished_work_may_wait_for_the_next_commit_however_seldom_a_worker_commits() -> None:
    consumer = SimpleNamespace(commits=0, uncommitted=lambda: True)
    app: Any = SimpleNamespace(
        rebalancing=False, tasks={}, consumer_generation_id=3, store=SimpleNamespace(progress=0), consumer=consumer
    )
    watchdog = Watchdog(app, allowed=16, rebalance=24, commit=60)
    patience = CHECKS + 60 * CHECKS // 16

    for check in range(10 * patience):
        consumer.commits = check // (patience - 1)
        watchdog._check()
    consumer.commits = -1
    for _ in range(patience):
        watchdog._check()
    with pytest.raises(StandstillError, match="committing"):
        watchdog._check()
