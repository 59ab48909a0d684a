"""What the worker is compared with, each a process of its own that reads the worker's input topic in a group of its own.

    python benchmarks/peers.py raw|deadlines|faust BROKER GROUP TOPIC

* ``raw``: the ceiling. aiokafka, orjson, and on a dict a ticket what any such program has to do: the fields merged, the last
  status, the newest instant, how many events and comments there were. After each poll the tickets it changed go to a
  changelog, a batch a partition, and are acknowledged before the position is committed. No promise, no deadline, no effect.
* ``deadlines``: the raw loop with what ``benchmarks/compared.py`` asks for: two deadlines a ticket, and a breach for each that
  passes. At least once, and what it has in memory is lost when it ends.
* ``faust``: the same SLA work as the worker's by an agent as Faust's documentation would have it: our engine, a Faust table
  in memory, a write to the table and the sends for each event, deadlines woken as the feed passes them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

import orjson
from lab import PARTITIONS
from two_deadlines import NEVER, change, instant, passed, soonest

from stream.runtime.kafka.transport import Record

COMMIT_SECONDS: Final = 0.2
POLL: Final = 5_000 * PARTITIONS

Table = dict[bytes, dict[str, Any]]
"""Record key to ticket: those of a partition."""
Take = Callable[[Table, list[Any]], tuple[set[bytes], list[Record]]]


def fields_and_counts(table: Table, records: list[Any]) -> tuple[set[bytes], list[Record]]:
    """The work of ``raw``. Keys of the changed tickets, and no output."""
    changed = set()
    for record in records:
        event = orjson.loads(record.value)
        key = record.key
        ticket = table.get(key)
        if ticket is None:
            ticket = table[key] = {"id": event["ticket"], "fields": {}, "events": 0, "comments": 0}
        ticket["events"] += 1
        ticket["at"] = event["at"]
        if fields := event.get("fields"):
            ticket["fields"].update(fields)
            ticket["status"] = fields.get("status", ticket.get("status"))
        elif event["type"] == "comment.added":
            ticket["comments"] += 1
        changed.add(key)
    return changed, []


class Deadlines:
    """The work of ``deadlines``: a heap for each partition, with an entry for each soonest deadline of a ticket."""

    def __init__(self) -> None:
        self._heaps: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)

    def take(self, table: Table, records: list[Any]) -> tuple[set[bytes], list[Record]]:
        """Keys of the changed tickets, and the breaches."""
        heap, changed, breaches = self._heaps[id(table)], set(), []
        for record in records:
            event, key = orjson.loads(record.value), record.key
            now = instant(event["at"])
            while heap and heap[0][0] <= now:
                due = heappop(heap)[1]
                for breach in passed(table[due], now):
                    breaches.append(Record(due, orjson.dumps(breach), []))
                    changed.add(due)
                if (at := soonest(table[due])) != NEVER:
                    heappush(heap, (at, due))
            if event["type"] == "feed.tick":
                continue
            ticket = table.get(key)
            before = NEVER if ticket is None else soonest(ticket)
            ticket = table[key] = change(ticket, event, now)
            at = soonest(ticket)
            if at not in (NEVER, before):
                heappush(heap, (at, key))
            changed.add(key)
        return changed, breaches


async def raw(broker: str, group: str, topic: str, take: Take) -> None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from stream.runtime.kafka.transport import submit

    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, max_batch_size=512 * 1024)
    await consumer.start()
    await producer.start()
    tickets: defaultdict[int, Table] = defaultdict(dict)
    committed = time.monotonic()
    while True:
        polled = await consumer.getmany(timeout_ms=200, max_records=POLL)
        deliveries = []
        for tp, records in polled.items():
            table = tickets[tp.partition]
            changed, outputs = take(table, records)
            states = [Record(key, orjson.dumps(table[key]), []) for key in changed]
            deliveries += await submit(producer, f"{group}-changelog", tp.partition, states)
            deliveries += await submit(producer, f"{group}-breaches", tp.partition, outputs) if outputs else []
        for delivery, _ in deliveries:
            await delivery
        if time.monotonic() - committed > COMMIT_SECONDS:
            await consumer.commit()
            committed = time.monotonic()


def stock_faust(broker: str, group: str, topic: str) -> None:
    import faust
    from faust.worker import Worker

    from stream.language.policies import load, shipped
    from stream.runtime.timers import TimerQueue
    from stream.sla.codec import codec
    from stream.sla.engine import Engine
    from stream.wire.decode import decode
    from stream.wire.effect import encode_effect
    from stream.wire.incoming import Incoming

    engine = Engine(load([shipped("batoi")]))
    app = faust.App(
        group,
        broker=f"kafka://{broker}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
        broker_commit_interval=COMMIT_SECONDS,
        consumer_auto_offset_reset="earliest",
    )
    raw_bytes = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    source = app.topic(topic, **raw_bytes)
    outputs = app.topic(f"{group}-outputs", partitions=PARTITIONS, **raw_bytes)
    tickets = app.Table("tickets", key_type=bytes, value_type=bytes, partitions=PARTITIONS)
    deadlines: defaultdict[int, TimerQueue] = defaultdict(TimerQueue)

    async def keep(key: bytes, step: Any, soonest: Any) -> None:
        tickets[key] = codec.encode(step.state)
        soonest.set(key, step.wake_at)
        for effect in step.effects:
            headers = {"ce_id": effect.id.encode(), "ce_type": effect.kind.encode(), "ce_source": b"/stock"}
            await outputs.send(key=key, value=encode_effect(effect), headers=headers)

    @app.agent(source)  # type: ignore[untyped-decorator]  # Faust ships no types
    async def judge(stream: Any) -> None:
        async for received in stream.events():
            key: bytes = received.key
            incoming = decode(key, received.value, now=None)
            if not isinstance(incoming, Incoming):
                continue
            soonest = deadlines[received.message.partition]
            stored = tickets.get(key)
            state = None if stored is None else codec.decode(stored)
            await keep(key, engine.apply(state, incoming.ticket, incoming.event, incoming.event.at), soonest)
            while due := soonest.take(incoming.event.at):
                await keep(due, engine.wake(codec.decode(tickets[due]), incoming.event.at), soonest)

    Worker(app, quiet=True, loglevel="ERROR").execute_from_commandline()


if __name__ == "__main__":
    kind, *where = sys.argv[1:]
    if kind == "faust":
        stock_faust(*where)
    else:
        broker, group, topic = where
        asyncio.run(raw(broker, group, topic, fields_and_counts if kind == "raw" else Deadlines().take))
