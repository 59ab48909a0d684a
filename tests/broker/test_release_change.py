"""Workers of one release are replaced by those of another, and back; what only a newer release can read is refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY
from tests.broker.releases import installed
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    event,
    publish,
    read,
    replayed,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from stream.sla.events import Event

EVENT_TIME = ("--clock", "event")
NEWER = "9.8.7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("releases")


def opened(first: int, at: int) -> list[tuple[str, Event]]:
    """Ten tickets; every other one is answered after half an hour."""
    tickets = [f"desk/{number}" for number in range(first, first + 10)]
    created = [(t, event(t, "ticket.created", at + n * SECOND, fields={"priority": "p1"})) for n, t in enumerate(tickets)]
    return created + [(t, event(t, "comment.added", at + HOUR // 2, actor="agent", public=True)) for t in tickets[::2]]


def written(broker: str, topics: Topics) -> set[tuple[int, int, bytes]]:
    """The records of the changelog."""
    return {(record.partition, record.offset, record.value) for record in read(broker, topics.changelog)}


def test_workers_are_upgraded_and_rolled_back_one_after_the_other_and_no_effect_is_lost_or_repeated(
    broker: str, topics: Topics, tmp_path: Path, folder: Path
) -> None:
    old, new = installed(folder, "0.98.0"), installed(folder, "0.99.0")
    feed: list[tuple[str, Event]] = []

    def start(release: Path, name: str) -> Worker:
        return Worker(broker, topics, tmp_path / name, *EVENT_TIME, code=release)

    def more(hours: int) -> None:
        """Deadlines pass, and tickets come, while a worker is replaced."""
        part = opened(len(feed), START + hours * HOUR)
        feed.extend(part)
        publish(broker, topics, [*(sent(ticket, what) for ticket, what in part), *tick(START + (hours + 1) * HOUR)])

    workers = [start(old, "a"), start(old, "b")]
    try:
        for worker in workers:
            until(worker.owns_some, "ready", worker)
        for hours, (release, number) in enumerate([(new, 0), (new, 1), (old, 0), (old, 1)]):
            more(2 * hours)
            assert workers[number].stop() == 0
            workers[number] = start(release, "ab"[number])
            until(workers[number].owns_some, "ready", workers[number])
        end = START + 100 * HOUR
        publish(broker, topics, tick(end))
        until(lambda: all_committed(broker, topics), "everything is processed", workers[0])
    finally:
        for worker in workers:
            worker.kill()

    assert Counter(substance(effect) for effect, _ in effects(broker, topics)) == dict.fromkeys(
        replayed(tmp_path / "a", feed, end), 1
    )
    releases = {json.loads(each.value)["release"] for each in read(broker, topics.changelog) if each.key == CHECKPOINT_KEY}
    assert releases == {"0.98.0", "0.99.0"}


def test_a_worker_that_meets_a_newer_form_ends_with_status_2_and_the_release_to_install(
    broker: str, topics: Topics, tmp_path: Path, folder: Path
) -> None:
    newer = installed(
        folder,
        NEWER,
        {
            "stream/runtime/recovery/checkpoint.py": ("FORM: Final = 1", "FORM: Final = 2"),
            "stream/sla/codec/layout.py": ('VERSION: Final = b"\\x02"', 'VERSION: Final = b"\\x04"'),
        },
    )
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as ours:
        with Worker(broker, topics, tmp_path, *EVENT_TIME, code=newer) as theirs:
            until(theirs.owns_some, "the newer release has joined", theirs)
            publish(broker, topics, [*(sent(ticket, what) for ticket, what in opened(0, START)), *tick(START + HOUR)])
            until(lambda: all_committed(broker, topics), "its tickets are written", theirs)
            assert theirs.stop() == 0
        taken_over = ours.process.wait(60)
    before = written(broker, topics)
    with Worker(broker, topics, tmp_path, *EVENT_TIME) as again:
        at_the_start = again.process.wait(60)

    assert (taken_over, at_the_start) == (2, 2)
    for log in (ours.log.read_text("utf-8"), again.log.read_text("utf-8")):
        assert f"has form 2; breachwatch {NEWER} wrote it" in log
        assert f"`pip install breachwatch=={NEWER}`" in log
        assert "Traceback" not in log
    assert "ready: " not in again.log.read_text("utf-8")
    assert written(broker, topics) == before
