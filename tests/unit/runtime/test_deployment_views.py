"""What a worker shows of deployments: on its page, in its metrics, and in its list of the next deadlines."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stream.deployments.log import Added, Log
from stream.deployments.record import DeploymentKind
from stream.language.policies import load
from stream.observe.metrics.registry import Metrics
from stream.runtime.deployments import DeploymentFollower
from stream.runtime.kafka.policy_log import LogRecord, PolicyLog, ReadLog
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition.sweep import Sweep
from stream.runtime.viewer import Viewer
from stream.runtime.worker import follow
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Deployments
from stream.testing import event
from tests.unit.deployments.sets import HOUR, START, append, with_target, written
from tests.unit.runtime.viewed import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream.observe.pages.views import WorkerView


def follower(files: str, *targets: str) -> DeploymentFollower:
    """Of a log whose deployments have these targets, an hour apart. ``files``: the target in the worker's files."""
    log = Log()
    for number, target in enumerate(targets):
        append(log, number, START + number * HOUR, target)
    assert log.deployments is not None
    read = ReadLog(log, {}, (), len(targets))
    return DeploymentFollower(PolicyLog({}, Topics("sla")), read, Engine(log.deployments), with_target(files))


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Of a log with a deployment of 8h and one of 4h; its files have 8h."""
    deployments = follower("8h", "8h", "4h")
    worker = Worker(deployments.engine.deployments)
    worker.engine, worker.deployments = deployments.engine, deployments
    yield worker
    worker.close()


def view(worker: Worker) -> WorkerView:
    return Viewer(worker, fresh=-1.0).worker()  # type: ignore[arg-type]


def test_deployments_are_listed_from_the_newest_on_with_what_they_changed(worker: Worker) -> None:
    newest, first = view(worker).deployments

    assert (newest.number, newest.since, newest.kind, newest.replaced) == (1, START + HOUR, DeploymentKind.DEPLOY, False)
    assert [line.strip() for line in newest.changes][-1] == "~ commitment resolution, target: 8h -> 4h"
    assert (first.number, first.since, first.changes) == (0, None, ("+ policy desk",))
    assert view(worker).files_differ is True


def test_the_words_of_a_deployment_are_found_once(worker: Worker) -> None:
    viewer = Viewer(worker, fresh=-1.0)  # type: ignore[arg-type]

    assert viewer.worker().deployments[0].changes is viewer.worker().deployments[0].changes


def test_tickets_are_left_until_the_sweep_of_their_partition_has_woken_them(worker: Worker) -> None:
    keys = [b"a", b"b", b"c"]
    for number in (0, 1, 2):
        for key in keys:
            worker.own(number).tickets[key] = b""
    worker.own(0).swept = 1
    worker.own(1).sweep = Sweep(1, worker.own(1).tickets, worker.own(1).timers)
    worker.own(1).sweep.take()

    newest, first = view(worker).deployments

    assert newest.remaining == 0 + 2 + 3, "swept, under way, not begun"
    assert first.remaining == 0


def test_a_deployment_that_was_undone_is_replaced_and_the_undo_shows_what_it_changed_back(worker: Worker) -> None:
    assert worker.deployments is not None
    worker.deployments.take(LogRecord(2, written(1, START + HOUR, "8h", DeploymentKind.UNDO), START + 2 * HOUR))

    undo, undone, _ = view(worker).deployments

    assert (undo.kind, undo.replaced, undone.replaced) == (DeploymentKind.UNDO, False, True)
    assert "target: 4h -> 8h" in undo.changes[-1]
    assert view(worker).files_differ is False


_ZONED = """
calendars: {{office: {{timezone: {zone}, week: {{mon-sun: ["00:00-24:00"]}}}}}}
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: office
    commitments: [{{metric: resolution, target: 30d}}]
"""


def test_a_ticket_that_an_older_deployment_judges_is_listed_in_the_zone_of_that_ones_calendar(tmp_path: Path) -> None:
    sets = []
    for zone in ("Asia/Kolkata", "Europe/Berlin"):
        (tmp_path / "policy.yaml").write_text(_ZONED.format(zone=zone), "utf-8")
        sets.append(load([tmp_path / "policy.yaml"]))
    worker = Worker(Deployments.fixed(sets[0]).add(1, START + HOUR, sets[1]))
    try:
        for name, at in (("old", START), ("new", START + 2 * HOUR)):
            worker.take(0, name, created(at, name))
        zones = {risk.ticket: risk.timezone for risk in view(worker).at_risk}
    finally:
        worker.close()

    assert zones == {"old": "Asia/Kolkata", "new": "Europe/Berlin"}


def created(at: int, name: str) -> Any:
    return event(0, at, "ticket.created", fields={"subject": name, "status": "open"})


@pytest.fixture
def followed() -> tuple[DeploymentFollower, Metrics]:
    """The follower of a log with one deployment of 8h, which are the files, and the metrics of its worker."""
    deployments = follower("8h", "8h")
    metrics = Metrics(deployments.engine.policies)
    app: Any = SimpleNamespace(metrics=metrics, engine=deployments.engine, follow=lambda _: None)
    follow(app, deployments)
    return deployments, metrics


def test_metrics_follow_a_deployment_without_a_restart(followed: tuple[DeploymentFollower, Metrics]) -> None:
    deployments, metrics = followed
    read = metrics.registry.get_sample_value
    target = {"policy": "desk", "commitment": "resolution", "priority": "", "clock": "wall"}
    assert (read("sla_target_seconds", target), read("sla_deployment_newest")) == (8 * 3600, 0)
    assert read("sla_policy_files_differ") == 0
    assert read("sla_policies_loaded_timestamp_seconds", {"fingerprint": deployments.files}) == pytest.approx(
        time.time(), abs=60
    )

    deployments.take(LogRecord(1, written(0, START + HOUR, "4h"), START))

    assert (read("sla_target_seconds", target), read("sla_deployment_newest")) == (4 * 3600, 1)
    assert read("sla_policy_files_differ") == 1
    assert read("sla_policies_loaded_timestamp_seconds", {"fingerprint": deployments.files}) is None
    assert read("sla_deployment_timestamp_seconds", {"deployment": "1", "kind": "deploy"}) == START / 1e6
    assert read("sla_deployment_timestamp_seconds", {"deployment": "0", "kind": "deploy"}) is None


def test_an_unreadable_record_is_counted_and_one_that_came_second_is_not(
    followed: tuple[DeploymentFollower, Metrics],
) -> None:
    deployments, metrics = followed
    read = metrics.registry.get_sample_value

    deployments.take(LogRecord(1, written(-1, START, "4h"), START))
    assert read("sla_deployment_log_unreadable_total") == 0
    deployments.take(LogRecord(2, b"not a record", START))

    assert read("sla_deployment_log_unreadable_total") == 1
    assert read("sla_deployment_newest") == 0


def test_unreadable_records_of_the_log_at_the_start_are_counted_too() -> None:
    log = Log()
    append(log, 0, START, "8h")
    void = [log.add(1, written(-1, START, "4h"), START), log.add(2, b"not a record", START)]
    assert not any(isinstance(one, Added) for one in void)
    assert log.deployments is not None
    read = ReadLog(log, {}, tuple(void), 3)  # type: ignore[arg-type]

    deployments = DeploymentFollower(PolicyLog({}, Topics("sla")), read, Engine(log.deployments), with_target("8h"))

    assert [one.offset for one in deployments.void] == [2]


def test_a_worker_shows_how_far_it_is_behind_the_log_and_when_a_broker_last_answered(
    followed: tuple[DeploymentFollower, Metrics],
) -> None:
    deployments, metrics = followed
    deployments.tail.behind = 3

    assert metrics.registry.get_sample_value("sla_deployment_log_behind_records") == 3
    answered = metrics.registry.get_sample_value("sla_deployment_log_answer_timestamp_seconds")
    assert answered == pytest.approx(time.time(), abs=60)
