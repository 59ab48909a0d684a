"""What is lost, and what brings it back: each is done here by its commands, and the effects of all workers are counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAlreadyExistsError
from click.testing import CliRunner

from stream.cli.main import main
from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.recovery.backup_file import verified
from stream.runtime.recovery.cluster import Cluster, commit
from stream.sla.effects import Kind
from stream.sla.events import Event
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    event,
    now,
    publish,
    replayed,
    sent,
    substance,
    tick,
    until,
)

RECORDED = Path(__file__).parents[1] / "data/backup-0.2.jsonl.gz"
EVENT_TIME = ("--clock", "event")
HALF = START + 5 * HOUR
END = START + 100 * HOUR
Feed = list[tuple[str, Event]]

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.testing import Result


def feed() -> tuple[Feed, Feed]:
    """Before the backup, and after it: every third ticket is answered in time, every third too late, every third never."""
    opened = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(30)
    ]
    first = [(t, event(t, "comment.added", START + HOUR // 2, actor="agent", public=True)) for t, _ in opened[::3]]
    second = [(t, event(t, "comment.added", HALF + HOUR, actor="agent", public=True)) for t, _ in opened[1::3]]
    late = [("desk/100", event("desk/100", "ticket.created", HALF + 2 * HOUR, fields={"priority": "p2"}))]
    return opened + first, second + late


def run(name: str, *arguments: str, broker: str, topics: Topics) -> Result:
    where = ("--broker", broker, "--app-id", topics.app_id, "--topic-prefix", topics.prefix)
    return CliRunner().invoke(main, [name, *arguments, *where])


def emitted(broker: str, topics: Topics) -> Counter[tuple[str, str, int, int | None]]:
    return Counter(substance(effect) for effect, _ in effects(broker, topics))


def once(what: Iterable[tuple[str, str, int, int | None]]) -> Counter[tuple[str, str, int, int | None]]:
    return Counter(dict.fromkeys(what, 1))


def processed(broker: str, topics: Topics, part: Feed, until_: int, worker: Worker) -> None:
    publish(broker, topics, [*(sent(ticket, what) for ticket, what in part), *tick(until_)])
    until(lambda: all_committed(broker, topics), "everything is processed", worker)


def create_again(broker: str, topics: Topics, name: str) -> None:
    """Delete a topic and create it: what an operator does after a loss, or what the loss was."""

    async def work() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            await admin.delete_topics([name])
        finally:
            await admin.close()
        for _ in range(100):  # the broker deletes it in its own time
            try:
                if any(line.startswith(f"created {name} ") for line in await create(broker, topics, partitions=4)):
                    return
            except TopicAlreadyExistsError:
                pass
            await asyncio.sleep(0.1)
        raise AssertionError(f"{name} was not deleted")

    asyncio.run(work())


def test_an_installation_whose_cluster_is_gone_goes_on_elsewhere_from_a_backup_of_running_workers(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    before, after = feed()
    file = tmp_path / "backup.jsonl.gz"
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        processed(broker, topics, before, HALF, worker)
        backup = run("backup", str(file), broker=broker, topics=topics)
        assert backup.exit_code == 0, backup.stderr
        refused = run("restore", str(file), broker=broker, topics=topics)
        assert refused.exit_code == 1
        assert "has workers" in refused.stderr
        in_backup = emitted(broker, topics)
        # Published after the backup, it is lost with the cluster, but for what consumers have.
        processed(broker, topics, after[:5], HALF + HOUR, worker)
        emitted_before = emitted(broker, topics)
    assert verified(file).tickets == 30

    with Broker(data=tmp_path / "elsewhere") as other:
        asyncio.run(create(other.bootstrap, topics, partitions=4))
        dry = run("restore", str(file), "--dry-run", broker=other.bootstrap, topics=topics)
        restored = run("restore", str(file), broker=other.bootstrap, topics=topics)
        again = run("restore", str(file), broker=other.bootstrap, topics=topics)
        assert (dry.exit_code, restored.exit_code, again.exit_code) == (3, 0, 1), dry.stderr + restored.stderr + again.stderr
        assert "30 tickets in 4 partitions, 1 deployment\n" in restored.stdout
        assert "is not empty" in again.stderr
        with Worker(other.bootstrap, topics, tmp_path, *EVENT_TIME).ready() as worker:
            # What was published since the backup is published again, as `pull` does from the position in the backup.
            processed(other.bootstrap, topics, after, END, worker)
        emitted_after = emitted(other.bootstrap, topics)

    assert emitted_before | emitted_after == once(replayed(tmp_path, [*before, *after], END))
    assert not in_backup & emitted_after, "what was published before the backup is not published again"
    assert emitted_before & emitted_after == emitted_before - in_backup, "what was published after it is, with the same ids"


def test_deleted_tickets_and_deployments_are_noticed_and_come_back_without_an_effect_too_many_or_too_few(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    before, after = feed()
    file = tmp_path / "backup.jsonl.gz"
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        processed(broker, topics, before, HALF, worker)
        assert run("backup", str(file), broker=broker, topics=topics).exit_code == 0
        processed(broker, topics, after[:5], HALF + HOUR, worker)
        assert worker.stop() == 0
    for name in (topics.changelog, topics.policies):
        create_again(broker, topics, name)
    with Worker(broker, topics, tmp_path, *EVENT_TIME) as refusing:
        assert refusing.process.wait(60) == 2
    assert "their events were read before: the topic was deleted" in refusing.log.read_text("utf-8")

    restored = run("restore", str(file), broker=broker, topics=topics)
    assert restored.exit_code == 0, restored.stderr
    assert "workers go on where the tickets stand" in restored.stdout
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        processed(broker, topics, after[5:], END, worker)
        assert worker.stop() == 0
    assert emitted(broker, topics) == once(replayed(tmp_path, [*before, *after], END))

    # Kafka forgets offsets, and tools reset them: workers go on where the tickets stand.
    cluster = Cluster(broker, topics, {"bootstrap_servers": broker})
    asyncio.run(commit(cluster, dict.fromkeys(range(4), 0)))
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready().live() as worker:
        publish(broker, topics, tick(END + HOUR))
        until(lambda: all_committed(broker, topics), "the tick is processed", worker)
        counted = [line for line in worker.page("metrics").splitlines() if line.startswith("sla_events_total{")]
        assert {line.rpartition(" ")[2] for line in counted if 'type="feed.tick"' not in line} == {"0.0"}


def test_tickets_that_were_lost_without_a_backup_are_made_anew_from_the_events(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    before, after = feed()
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        processed(broker, topics, before, HALF, worker)
        running = run("rebuild", broker=broker, topics=topics)
        assert run("backup", str(tmp_path / "backup"), broker=broker, topics=topics).exit_code == 0
        assert worker.stop() == 0
    kept = run("rebuild", broker=broker, topics=topics)
    create_again(broker, topics, topics.changelog)
    deployed = run("restore", str(tmp_path / "backup"), "--dry-run", broker=broker, topics=topics)
    assert deployed.exit_code == 3, "the log of deployments is still there, and it is that of the backup"
    dry = run("rebuild", "--dry-run", broker=broker, topics=topics)
    rebuilt = run("rebuild", broker=broker, topics=topics)
    assert (running.exit_code, kept.exit_code, dry.exit_code, rebuilt.exit_code) == (1, 1, 3, 0), rebuilt.stderr
    assert "has workers" in running.stderr
    assert "has tickets" in kept.stderr
    assert f"44 records of {topics.events}, the first of " in rebuilt.stdout
    assert "only effects that are missing there are published" in rebuilt.stdout

    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        until(lambda: all_committed(broker, topics), "the input is read anew", worker)
        processed(broker, topics, after, END, worker)

    assert emitted(broker, topics) == once(replayed(tmp_path, [*before, *after], END))


def test_tickets_that_are_made_anew_by_the_clock_repeat_neither_what_settled_nor_what_was_due(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    flags = ("--settling", "1s")
    old = now() - 72 * HOUR
    # One is overdue by the time of its event, and settles. The deadline of the other passes while the first worker runs.
    settling = event("desk/1", "ticket.created", old, fields={"priority": "p1"})
    quick = event("desk/2", "ticket.created", now(), fields={"priority": "quick"})

    def breached(ticket: str) -> int:
        return sum(effect.ticket == ticket and effect.kind is Kind.BREACHED for effect, _ in effects(broker, topics))

    with Worker(broker, topics, tmp_path, *flags).ready() as worker:
        publish(broker, topics, [sent("desk/1", settling), sent("desk/2", quick)])
        until(lambda: breached("desk/1") == 2 and breached("desk/2") == 1, "both are breached", worker)
        assert worker.stop() == 0
    before = Counter(effect.id for effect, _ in effects(broker, topics))
    create_again(broker, topics, topics.changelog)
    rebuilt = run("rebuild", broker=broker, topics=topics)
    assert rebuilt.exit_code == 0, rebuilt.stderr

    with Worker(broker, topics, tmp_path, *flags).ready().live() as worker:
        # Another ticket in each partition breaches after whatever was due before it.
        later = [event(f"desk/{number}", "ticket.created", now(), fields={"priority": "quick"}) for number in range(3, 13)]
        publish(broker, topics, [sent(f"desk/{number}", what) for number, what in enumerate(later, 3)])
        until(lambda: all(breached(f"desk/{number}") for number in range(3, 13)), "what came later is breached", worker)
        assert worker.stop() == 0

    repeated = Counter(effect.id for effect, _ in effects(broker, topics)) - Counter(dict.fromkeys(before, 1))
    assert not repeated.keys() & before.keys()


def test_a_backup_of_release_0_2_is_restored_and_its_tickets_go_on(broker: str, tmp_path: Path) -> None:
    # Recorded as tests/data/README.md describes. Each later release must do with it what 0.2 did.
    topics = Topics("recorded", f"{time.monotonic_ns()}.")
    asyncio.run(create(broker, topics, partitions=4))
    before, after = feed()  # the first of ``after`` was published, and not processed

    restored = run("restore", str(RECORDED), broker=broker, topics=topics)
    assert restored.exit_code == 0, restored.stderr
    assert "it gets what is not in the tickets, 1 event" in restored.stdout
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        processed(broker, topics, after[1:], END, worker)

    all_of_it, earlier = replayed(tmp_path, [*before, *after], END), replayed(tmp_path, before, HALF)
    assert earlier
    assert emitted(broker, topics) == once(all_of_it - earlier)
