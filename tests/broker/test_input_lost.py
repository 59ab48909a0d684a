"""Input that is gone before it was read is noticed, and what is concluded over the gap is provisional; nothing else is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream.sla.effects import Kind
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Sent,
    Worker,
    all_committed,
    dead_letters,
    effects,
    event,
    publish,
    sent,
    tick,
    until,
)

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics
    from stream.sla.effects import Effect

EVENT_TIME = ("--clock", "event")


def created(ticket: str, at: int) -> Sent:
    return sent(ticket, event(ticket, "ticket.created", at, fields={"priority": "p1"}, actor="customer"))


def answered(ticket: str, at: int) -> Sent:
    return sent(ticket, event(ticket, "comment.added", at, actor="agent", public=True))


def breaches(broker: str, topics: Topics) -> dict[str, Effect]:
    return {effect.ticket: effect for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED}


def in_one_partition(records: list[Sent]) -> list[Sent]:
    return [record._replace(partition=0) for record in records]


def delete(broker: str, topics: Topics) -> None:
    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.delete_records({TopicPartition(topics.events, 0): RecordsToDelete(before_offset=-1)})
        await admin.close()

    asyncio.run(story())


def set_ahead(broker: str, topics: Topics) -> None:
    """What ``kafka-consumer-groups.sh --reset-offsets --to-latest`` does."""

    async def story() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=topics.group, enable_auto_commit=False)
        await consumer.start()
        tp = TopicPartition(topics.events, 0)
        consumer.assign([tp])
        await consumer.commit({tp: (await consumer.end_offsets([tp]))[tp]})
        await consumer.stop()

    asyncio.run(story())


@pytest.mark.parametrize("gone", [delete, set_ahead])
def test_a_worker_that_was_away_notices_what_it_cannot_read_and_its_effects_stay_provisional(
    broker: str, topics: Topics, tmp_path: Path, gone: object
) -> None:
    assert callable(gone)
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        publish(broker, topics, in_one_partition([created("desk/1", START)]))
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
        assert worker.stop() == 0
    publish(broker, topics, in_one_partition([answered("desk/1", START + SECOND), answered("desk/1", START + 2 * SECOND)]))
    gone(broker, topics)
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        until(lambda: "input lost: the records at offsets 1 to 2 of" in worker.log.read_text("utf-8"), "the gap", worker)
        until(lambda: "input was lost" in worker.page("readyz"), "it is on the page", worker)
        assert "sla_input_lost_records_total 2.0" in worker.page("metrics")
        worker.kill()
    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        publish(broker, topics, in_one_partition([created("desk/2", START + HOUR), *tick(START + 100 * HOUR)]))
        until(lambda: len(breaches(broker, topics)) == 2, "both tickets are breached", worker)
        assert 'sla_input_lost_timestamp_seconds{partition="0"} 1.' in worker.page("metrics")
        assert 'sla_input_lost_timestamp_seconds{partition="1"} 0.0' in worker.page("metrics")
    found = breaches(broker, topics)
    assert (found["desk/1"].provisional, found["desk/1"].provisional_reason) == (True, "input_lost")
    assert not found["desk/2"].provisional


def test_transactions_of_a_publisher_and_every_codec_are_no_gap(broker: str, topics: Topics, tmp_path: Path) -> None:
    codecs = [None, "gzip", "snappy", "lz4", "zstd"]

    async def story() -> None:
        for number, codec in enumerate(codecs):
            async with AIOKafkaProducer(
                bootstrap_servers=broker, transactional_id=f"{topics.app_id}-{number}", compression_type=codec
            ) as producer:
                for pass_number in range(3):
                    async with producer.transaction():
                        key, value, _ = created(f"desk/{number}-{pass_number}", START + pass_number)
                        await producer.send(topics.events, value, key=key, partition=0)

    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        asyncio.run(story())
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        assert 'sla_events_total{result="applied",type="ticket.created"} 15.0' in worker.page("metrics")
        assert "sla_input_lost_records_total 0.0" in worker.page("metrics")
    assert dead_letters(broker, topics) == []


def test_a_batch_that_decompresses_to_too_much_is_refused_and_the_worker_goes_on(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    async def story() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=broker, compression_type="gzip", max_request_size=1 << 30, max_batch_size=1 << 30
        ) as producer:
            await producer.send_and_wait(topics.events, b"a" * 200_000_000, key=b"desk/9", partition=0)

    with Worker(broker, topics, tmp_path, *EVENT_TIME).ready() as worker:
        publish(broker, topics, in_one_partition([created("desk/1", START)]))
        until(lambda: all_committed(broker, topics), "the first ticket", worker)
        before = resident(worker)
        asyncio.run(story())
        publish(broker, topics, in_one_partition([created("desk/2", START)]))
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        assert resident(worker) < before + 100_000_000
        assert 'sla_events_rejected_total{reason="too_large"} 1.0' in worker.page("metrics")
        assert 'sla_events_total{result="applied",type="ticket.created"} 2.0' in worker.page("metrics")
        assert "decompresses to more than" in worker.log.read_text("utf-8")
    (dead_letter,) = dead_letters(broker, topics)
    assert (dead_letter.offset, dead_letter.value) == (1, None)


def resident(worker: Worker) -> float:
    """The most memory that the process has had, in bytes."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in status if line.startswith("VmHWM"))
