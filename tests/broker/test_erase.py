"""Tickets are erased while workers run: from the state, the pages, the changelog after its compaction, and for good."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.sla.erasure import is_erased
from stream.sla.events import ERASURE, Event
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    dead_letters,
    effects,
    event,
    now,
    publish,
    read,
    replayed,
    restored,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

PERSON = "Ada Lovelace"


def created(ticket: str, at: int, **fields: Any) -> Event:
    return event(ticket, "ticket.created", at, fields={"priority": "p1", "team": "desk", "assignee": PERSON, **fields})


def erase(broker: str, topics: Topics, *arguments: str, answer: str | None = None) -> Result:
    where = ["--broker", broker, "--app-id", topics.app_id, "--topic-prefix", topics.prefix]
    return CliRunner().invoke(main, ["erase", *arguments, *where], input=answer)


def compact_at_once(broker: str, topics: Topics) -> None:
    """Let the changelog be compacted as soon as a segment is full, which it is after a second."""
    values = {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": "1000",
        "segment.ms": "1000",
        "min.cleanable.dirty.ratio": "0.01",
    }

    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topics.changelog, values)])
        await admin.close()

    asyncio.run(alter())


def with_person(broker: str, *names: str) -> list[str]:
    return [record.topic for record in read(broker, *names) if PERSON.encode() in (record.value or b"")]


def state_of(broker: str, topics: Topics, ticket: str) -> Any:
    store = restored(broker, topics)
    (found,) = [value for number in range(4) for key, value in store.of(number).items() if key == ticket.encode()]
    return codec.decode(found)


def test_a_ticket_is_erased_while_a_worker_runs_and_its_changelog_has_nothing_of_it_after_compaction(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    compact_at_once(broker, topics)
    at = now() - 10 * SECOND
    with Worker(broker, topics, tmp_path).ready().live() as worker:
        publish(broker, topics, [sent(f"desk/{number}", created(f"desk/{number}", at)) for number in (1, 2)])
        until(lambda: all_committed(broker, topics), "both are known", worker)
        assert PERSON in worker.page("tickets/desk%2F1")
        until(lambda: with_person(broker, topics.changelog), "the changelog has them", worker)

        answer = erase(broker, topics, "desk/1", "--yes")

        assert (answer.exit_code, "desk/1: erased" in answer.output) == (0, True), answer.output
        assert f"{topics.changelog}: at most 1 second after that" in answer.output
        page = worker.page("tickets/desk%2F1")
        assert "The ticket was erased on" in page
        assert PERSON not in page
        assert json.loads(worker.page("tickets/desk%2F1?format=json"))["gone"] == "erased"
        cancelled = [one.effect for one in effects(broker, topics) if one.effect.kind is Kind.CANCELLED]
        assert {(one.ticket, one.commitment) for one in cancelled} == {("desk/1", "first_response"), ("desk/1", "resolution")}
        assert all(one.fields == {"priority": "p1", "team": "desk"} for one in cancelled)

        # A repeated event, a late one and a new one: nothing brings it back.
        publish(broker, topics, [sent("desk/1", created("desk/1", when)) for when in (at, at - HOUR, now())])
        until(lambda: all_committed(broker, topics), "they are processed", worker)
        assert 'result="erased",type="ticket.created"} 3.0' in worker.page("metrics")
        assert "The ticket was erased on" in worker.page("tickets/desk%2F1")

        # Only full segments are compacted, and a segment is full when a record of its partition comes after its time.
        others = [f"desk/{number}" for number in range(3, 15)]

        def compacted() -> bool:
            publish(broker, topics, [sent(other, event(other, "ticket.created", now())) for other in others])
            return not any(
                record.key == b"desk/1" and PERSON.encode() in (record.value or b"")
                for record in read(broker, topics.changelog)
            )

        until(compacted, "the changelog is compacted", worker)
        assert worker.stop() == 0
    assert is_erased(state_of(broker, topics, "desk/1").head)
    assert not is_erased(state_of(broker, topics, "desk/2").head)
    assert dead_letters(broker, topics) == []
    assert PERSON not in worker.log.read_text("utf-8")


def test_a_rebuild_from_the_input_ends_with_the_same_effects_and_erasures(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = [("desk/1", created("desk/1", START)), ("desk/2", created("desk/2", START))]
    feed += [("desk/1", Event(START + HOUR // 2, "gone", ERASURE, "desk")), ("desk/1", created("desk/1", START - HOUR))]
    publish(broker, topics, [*(sent(*entry) for entry in feed), *tick(START + 9 * HOUR)])
    outcomes = []
    for names in (topics, again := Topics(f"{topics.app_id}-again", topics.prefix)):
        if names is again:
            asyncio.run(create(broker, again, partitions=4))
        with Worker(broker, names, tmp_path, "--clock", "event").ready() as worker:
            until(partial(all_committed, broker, names), "everything is processed", worker)
            assert worker.stop() == 0
        outcomes.append({substance(one.effect) for one in effects(broker, names)})
        assert is_erased(state_of(broker, names, "desk/1").head)

    assert outcomes[0] == outcomes[1] == replayed(tmp_path, feed, START + 9 * HOUR)


def test_a_deleted_ticket_is_erased_after_its_own_retention_and_forgotten_after_the_usual_one(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    flags = ("--clock", "event", "--retention", "30d", "--deleted-retention", "2d")
    day = 24 * HOUR
    with Worker(broker, topics, tmp_path, *flags).ready() as worker:
        publish(broker, topics, [sent("desk/1", created("desk/1", START))])
        publish(broker, topics, [sent("desk/1", event("desk/1", "ticket.deleted", START + HOUR))])
        publish(broker, topics, tick(START + day))
        until(lambda: all_committed(broker, topics), "it is deleted", worker)
        assert PERSON in worker.page("tickets/desk%2F1")

        publish(broker, topics, tick(START + 3 * day))
        until(lambda: all_committed(broker, topics), "it is erased", worker)
        until(lambda: "The ticket was erased on" in worker.page("tickets/desk%2F1"), "the page has it", worker)
        publish(broker, topics, [sent("desk/1", event("desk/1", "ticket.restored", START + 3 * day))])
        until(lambda: all_committed(broker, topics), "nothing restores it", worker)
        assert is_erased(state_of(broker, topics, "desk/1").head)
        assert worker.stop() == 0

    with Worker(broker, topics, tmp_path, *flags).ready() as worker:
        assert "The ticket was erased on" in worker.page("tickets/desk%2F1")
        publish(broker, topics, tick(START + 40 * day))
        until(lambda: all_committed(broker, topics), "it is forgotten", worker)
        until(lambda: not any(b"desk/1" in restored(broker, topics).of(number) for number in range(4)), "gone", worker)
        assert worker.stop() == 0


def test_the_command_asks_first_and_states_what_it_would_do(broker: str, topics: Topics) -> None:
    dry = erase(broker, topics, "desk/1", "desk/2", "--dry-run")
    refused = erase(broker, topics, "desk/1", answer="n\n")
    waiting = erase(broker, topics, "desk/1", "--wait", "0s", answer="y\n")

    assert dry.exit_code == 0
    assert "dry run: nothing was published" in dry.output
    assert f"{topics.changelog}: at most 1 day after that" in dry.output
    assert "its rejected events, at most 8 days after they were published" in dry.output
    assert (refused.exit_code, "It cannot be undone" in refused.output) == (1, True)
    assert waiting.exit_code == 3
    assert "as soon as a worker" in waiting.output
    (record,) = read(broker, topics.events)
    assert (record.key, json.loads(record.value)["type"]) == (b"desk/1", ERASURE)
    missing = CliRunner().invoke(main, ["erase", "desk/1", "--broker", broker, "--topic-prefix", "nowhere."])
    assert (missing.exit_code, "topics create" in missing.output) == (1, True)
