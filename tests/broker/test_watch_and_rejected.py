"""``breachwatch watch`` and ``breachwatch rejected`` on a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions
from click.testing import CliRunner

from stream.cli.main import main
from stream.runtime.kafka import topic_reader
from stream.runtime.kafka.topic_admin import admin_client
from stream.sla.effects import Kind
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import DeadLetter, encode_effect, encode_event, encode_rejected
from tests.broker.running import PATIENCE, START, Sent, event, now, publish, read, until
from tests.effects import effect_of

if TYPE_CHECKING:
    import pytest
    from click.testing import Result

    from stream.runtime.kafka.topics import Topics


def write(broker: str, *records: tuple[str, bytes, bytes], transactional_id: str | None = None, commit: bool = True) -> None:
    """Write records of topic, key and value, in one transaction if there is an id."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=transactional_id)
        await producer.start()
        try:
            if transactional_id:
                await producer.begin_transaction()
            for topic, key, value in records:
                await producer.send_and_wait(topic, value, key=key)
            if transactional_id:
                await (producer.commit_transaction() if commit else producer.abort_transaction())
        finally:
            await producer.stop()

    asyncio.run(run())


def breach(ticket: str, **more: Any) -> bytes:
    return encode_effect(effect_of(Kind.BREACHED, id="a" * 24, ticket=ticket, at=START, **more))


def run(broker: str, topics: Topics, *arguments: str, text: str | None = None) -> Result:
    places = ["--broker", broker, "--topic-prefix", topics.prefix]
    return CliRunner().invoke(main, [*arguments, *places], input=text)


def test_watch_shows_what_is_committed_and_passes_and_ends_with_a_summary(broker: str, topics: Topics) -> None:
    raised = encode_effect(effect_of(Kind.RAISED, id="b" * 24, ticket="desk/2", ladder="late", level="lead"))
    write(broker, (topics.breaches, b"desk/9", breach("desk/9")), transactional_id=f"{topics.prefix}1", commit=False)
    write(
        broker,
        (topics.breaches, b"desk/1", breach("desk/1")),
        (topics.escalations, b"desk/2", raised),
        (topics.breaches, b"desk/3", b"not an effect"),
        transactional_id=f"{topics.prefix}2",
    )

    everything = run(broker, topics, "watch", "--since", "begin", "--no-follow", "--json")
    filtered = run(broker, topics, "watch", "--since", "begin", "--no-follow", "--type", "raised", "--zone", "UTC")
    later = run(broker, topics, "watch", "--since", "2198-01-01T00:00:00Z", "--no-follow")

    assert sorted(json.loads(line)["ticket"] for line in everything.stdout.splitlines()) == ["desk/1", "desk/2"]
    assert "not an effect that this breachwatch can read" in everything.stderr
    assert [line.split()[4:6] for line in filtered.stdout.splitlines()] == [["raised", "desk/2"]]
    assert "1 effect (1 escalation.raised); 1 other passed no filter; 1 record could not be read" in filtered.stderr
    assert later.stdout == ""


def test_watch_follows_until_ctrl_c(broker: str, topics: Topics, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stream", "watch", "--broker", broker, "--topic-prefix", topics.prefix]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as to, err.open("wb") as errors:
        process = subprocess.Popen(command, stdout=to, stderr=errors, cwd=Path(__file__).parents[2], env=environment)
    try:
        # It begins with what comes after its start, whenever that is: so effects come until one is shown.
        deadline = time.monotonic() + PATIENCE
        while not out.read_text("utf-8") and time.monotonic() < deadline:
            write(broker, (topics.breaches, b"desk/1", breach("desk/1")))
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    assert "breached" in out.read_text("utf-8")
    assert "commitment.breached" in err.read_text("utf-8").splitlines()[-1]


def test_a_rejected_event_is_found_shown_corrected_and_published_again(broker: str, topics: Topics, tmp_path: Path) -> None:
    good = encode_event("desk/1", event("desk/1", "ticket.created", START))
    bad = good.replace(b"ticket.created", b"ticket.creatd", 1)
    placed = publish(broker, topics, [Sent(b"desk/1", bad)])[0]
    dead_letter = encode_rejected(
        DeadLetter(
            Rejected(RejectReason.INVALID, "unknown type", "$.type"),
            key=b"desk/1",
            value=bad,
            topic=topics.events,
            partition=placed.partition,
            offset=placed.offset,
            at=now(),
        )
    )
    write(broker, (topics.rejected, b"desk/1", dead_letter))
    (record,) = until(lambda: read(broker, topics.rejected), "the dead letter is there")
    place = f"{record.partition}:{record.offset}"

    listed = run(broker, topics, "rejected", "list", "--ticket", "desk/1")
    shown = run(broker, topics, "rejected", "show", place)
    body = run(broker, topics, "rejected", "show", place, "--body")
    refused = run(broker, topics, "rejected", "republish", place)
    mended = tmp_path / "mended.json"
    mended.write_bytes(body.stdout_bytes.replace(b"ticket.creatd", b"ticket.created"))
    tried = run(broker, topics, "rejected", "republish", "--file", str(mended), "--dry-run")
    sent = run(broker, topics, "rejected", "republish", "--file", str(mended))
    again = run(broker, topics, "rejected", "republish", "--file", str(mended))

    assert place in listed.output
    assert "what to do" in shown.output
    assert body.stdout_bytes == bad
    assert (refused.exit_code, tried.exit_code, sent.exit_code, again.exit_code) == (1, 0, 0, 0)
    assert "would be rejected again: invalid" in refused.output
    assert "harmless" in sent.output
    assert [r.value for r in read(broker, topics.events)] == [bad, good, good]


def test_a_missing_topic_or_place_is_an_error_with_advice(broker: str, topics: Topics) -> None:
    no_topic = CliRunner().invoke(main, ["watch", "--broker", broker, "--topic-prefix", "none."])
    no_place = run(broker, topics, "rejected", "show", "0:77")

    assert (no_topic.exit_code, no_place.exit_code) == (1, 1)
    assert "breachwatch topics create" in no_topic.output
    assert "no dead letter at this place" in no_place.output


def test_a_partition_that_is_added_while_watching_is_read_from_its_beginning(
    broker: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_reader, "_METADATA_AGE_MS", 500)

    async def run() -> list[Any]:
        client = {"bootstrap_servers": broker}
        async with topic_reader.open_topics(broker, client, [topics.breaches]) as reader:
            await reader.seek(topic_reader.Place.END)
            async with admin_client(broker, client) as admin:
                await admin.create_partitions({topics.breaches: NewPartitions(5)})
            producer = AIOKafkaProducer(bootstrap_servers=broker)
            await producer.start()
            try:
                while 4 not in await producer.partitions_for(topics.breaches):
                    await producer.client.force_metadata_update()
                for partition in (4, 0):
                    await producer.send_and_wait(topics.breaches, breach(f"desk/{partition}"), partition=partition)
            finally:
                await producer.stop()
            found: list[Any] = []
            async with asyncio.timeout(PATIENCE):
                async for records in reader.follow():
                    found += records
                    if len(found) == 2:
                        return found
        raise AssertionError("the reader ended")

    assert sorted(record.partition for record in asyncio.run(run())) == [0, 4]
