"""A table full of open tickets, made in a minute: real states, by the engine, a few thousand of them under many names.

What is in the changelog then is what a worker would have written: states by the real codec, each with its owner's epoch in a
header, and the checkpoint of each partition.
"""

from __future__ import annotations

import time
from itertools import takewhile
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from lab import PARTITIONS, WORKERS, on_cores, partition_of
from lives import HOUR, MINUTE, life

from stream.language.policies import load, shipped
from stream.runtime.kafka.policy_log import PolicyLog, deploy_first
from stream.runtime.kafka.transport import Record, submit
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint, encode_checkpoint
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.runtime.kafka.topics import Topics
    from stream.sla.policy.conditions import Fields
    from stream.sla.ticket.state import State

_NUMBER: Final = b"0000000"
_HEADERS: Final = [("epoch", b"1")]
_QUIET: Final = 20 * MINUTE
"""Nothing of the tickets in the table falls due before; what is to fall due is put there by the benchmark."""
DAY: Final = 24 * HOUR


class Table(NamedTuple):
    """What was put into the changelog."""

    tickets: int
    state_bytes: float
    """Mean size of a state."""


def batoi() -> Engine:
    return Engine(load([shipped("batoi")]))


def wall() -> int:
    """The machine's clock, epoch microseconds."""
    return time.time_ns() // 1_000


def key_of(number: int) -> bytes:
    return b"desk/%07d" % number


def open_states(engine: Engine, now: int, count: int = 4_000) -> list[bytes]:
    """Tickets as they stand ``now``, at some point of their lives before the solution; nothing is due in the next minutes."""
    dice = Random(11)
    states: list[bytes] = []
    while len(states) < count:
        opened = now - dice.randrange(MINUTE, 5 * DAY)
        unsolved = list(takewhile(lambda event: event.at < now, life(0, opened, dice)))
        if any(event.fields.get("status") == "solved" for event in unsolved):
            continue
        state = lived(engine, key_of(0).decode(), [renamed(event, 0) for event in unsolved], now)
        if state.wake_at is None or state.wake_at > now + _QUIET:
            states.append(codec.encode(state))
    return states


def lived(engine: Engine, ticket: str, events: Iterable[Event], now: int) -> State:
    """A ticket after these events, all that has fallen due until ``now`` emitted."""
    state: State | None = None
    for event in events:
        state = engine.apply(state, ticket, event, event.at).state
    assert state is not None
    while state.wake_at is not None and state.wake_at <= now:
        state = engine.wake(state, now).state
    return state


def renamed(event: Event, number: int) -> Event:
    """The event under an id that has the ticket's number, as ``fill`` replaces it."""
    return event.replace(id=f"{number:07d}-{event.id.rpartition('-')[2]}")


def waiting_for_chat(engine: Engine, number: int, due: int, now: int) -> State:
    """A ticket opened in a chat half an hour before ``due``, not answered: it will be breached then, and nothing else."""
    fields: Fields = {
        "status": "open",
        "contract": "priority-support",
        "sender": "registered",
        "priority": "p3",
        "channel": "chat",
    }
    fields |= {"customer": f"customer-{number % 500}", "team": f"team-{number % 7}"}
    ticket = key_of(number).decode()
    created: Any = Event(at=due - HOUR // 2, id=f"{number:07d}-1", type="ticket.created", source="desk", fields=fields)
    return lived(engine, ticket, [created], now)


async def fill(broker: str, topics: Topics, tickets: int, now: int, special: Iterable[tuple[bytes, bytes]] = ()) -> Table:
    """Deploy the policy, and put so many open tickets into the changelog, and after them the ``special`` ones (key, state)."""
    with on_cores(WORKERS):  # nobody works yet
        policy_log = PolicyLog({"bootstrap_servers": broker}, topics)
        await deploy_first(policy_log, await policy_log.read(), batoi().policies, now)
        return await _fill(broker, topics.changelog, tickets, now, special)


async def _fill(broker: str, changelog: str, tickets: int, now: int, special: Iterable[tuple[bytes, bytes]]) -> Table:
    states = open_states(batoi(), now)
    size = 0
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, max_batch_size=512 * 1024)
    await producer.start()
    try:
        for some in _chunks(tickets, states):
            for partition, records in enumerate(some):
                size += sum(len(record.value or b"") for record in records)
                for delivery, _ in await submit(producer, changelog, partition, records):
                    await delivery
        rest: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        for key, state in special:
            rest[partition_of(key)].append(Record(key, state, _HEADERS))
        checkpoint = Record(CHECKPOINT_KEY, encode_checkpoint(Checkpoint(now)), _HEADERS)
        for partition, records in enumerate(rest):
            for delivery, _ in await submit(producer, changelog, partition, [*records, checkpoint]):
                await delivery
    finally:
        await producer.stop()
    return Table(tickets, size / max(tickets, 1))


def _chunks(tickets: int, states: list[bytes], size: int = 20_000) -> Iterator[list[list[Record]]]:
    """The records of all tickets, some thousands at a time, by partition."""
    for start in range(0, tickets, size):
        chunk: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        for number in range(start, min(start + size, tickets)):
            key = key_of(number)
            state = states[number % len(states)].replace(_NUMBER, key[-7:])
            chunk[partition_of(key)].append(Record(key, state, _HEADERS))
        yield chunk
