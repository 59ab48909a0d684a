"""The topic of deployments on a real broker: who wins, what is void, and a tail that outlives the broker."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from stream import __version__
from stream.deployments.log import Reason, Void
from stream.deployments.record import FORM, DeploymentKind, RecordError, encode_record, new_record
from stream.deployments.snapshot import MAX_BYTES
from stream.devkafka.broker import Broker
from stream.runtime.kafka.policy_log import LogCutError, NewerLogError, PolicyLog, ReadLog, deploy_first
from stream.runtime.kafka.policy_tail import Tail
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from tests.unit.deployments.sets import HOUR, START, target_of, with_target

if TYPE_CHECKING:
    from stream.deployments.record import DeploymentRecord
    from stream.runtime.kafka.policy_log import LogRecord


@pytest.fixture
def policy_log(broker: str, topics: Topics) -> PolicyLog:
    return PolicyLog({"bootstrap_servers": broker}, topics)


def following(after: int, target: str, at: int = START) -> DeploymentRecord:
    return new_record(after, at, DeploymentKind.DEPLOY, with_target(target))


def in_force(found: ReadLog) -> str:
    assert found.log.deployments is not None
    return target_of(found.log.deployments.timeline.last.policies)


async def put(broker: str, topic: str, *values: bytes | None) -> None:
    """Append anything, as a stranger could."""
    async with AIOKafkaProducer(bootstrap_servers=broker, max_request_size=20_000_000) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"any", partition=0)


async def take(tail: Tail, count: int) -> list[LogRecord]:
    async with aclosing(tail.records()) as records, asyncio.timeout(60):
        return [await anext(records) for _ in range(count)]


def test_before_the_first_deployment_the_log_is_empty(policy_log: PolicyLog) -> None:
    found = asyncio.run(policy_log.read())

    assert (found.log.last, found.end, found.void, dict(found.values)) == (None, 0, (), {})


def test_a_deployment_is_read_back_with_the_time_of_the_broker(policy_log: PolicyLog) -> None:
    before = time.time_ns() // 1_000

    entry, found = asyncio.run(policy_log.deploy(following(-1, "4h")))

    assert not isinstance(entry, Void)
    assert (entry.number, found.end, in_force(found)) == (0, 1, "4h")
    assert before - 1_000_000 < entry.appended < time.time_ns() // 1_000 + 1_000_000
    assert found.values == {0: encode_record(following(-1, "4h"))}
    assert asyncio.run(policy_log.read()).log.entries == found.log.entries


def test_of_two_deployers_at_once_one_wins_and_the_other_is_informed(policy_log: PolicyLog) -> None:
    async def race() -> list[tuple[object, ReadLog]]:
        first = await policy_log.deploy(following(-1, "8h"))
        return [first, *await asyncio.gather(*(policy_log.deploy(following(0, target)) for target in ("4h", "2h")))]

    results = asyncio.run(race())

    void = [entry for entry, _ in results if isinstance(entry, Void)]
    assert [(each.offset, each.reason) for each in void] == [(2, Reason.OVERTAKEN)]
    final = asyncio.run(policy_log.read())
    assert list(final.log.entries) == [0, 1]
    assert in_force(final) == next(
        target for target, (entry, _) in zip(("4h", "2h"), results[1:], strict=True) if entry != void[0]
    )


def test_poison_is_void_and_stops_nothing(broker: str, policy_log: PolicyLog) -> None:
    async def story() -> ReadLog:
        await policy_log.deploy(following(-1, "8h"))
        await put(broker, policy_log.topic, b"poison", b"\x01\xff", None, b"", encode_record(following(-1, "1h")))
        return (await policy_log.deploy(following(0, "4h", START + HOUR)))[1]

    found = asyncio.run(story())

    assert [(each.offset, each.reason) for each in found.void] == [
        (1, Reason.UNREADABLE),
        (2, Reason.UNREADABLE),
        (3, Reason.UNREADABLE),
        (4, Reason.UNREADABLE),
        (5, Reason.OVERTAKEN),
    ]
    assert (list(found.log.entries), in_force(found)) == ([0, 6], "4h")


def test_records_of_transactions_are_read_like_any_other_whether_they_were_committed_or_not(
    broker: str, policy_log: PolicyLog
) -> None:
    async def story() -> tuple[ReadLog, list[int]]:
        producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=policy_log.topic)
        async with producer:
            for commits, target, after in ((True, "8h", -1), (False, "4h", 0)):
                await producer.begin_transaction()
                await producer.send_and_wait(policy_log.topic, encode_record(following(after, target)), partition=0)
                await (producer.commit_transaction() if commits else producer.abort_transaction())
        tail = Tail(policy_log, 0)
        return await asyncio.wait_for(policy_log.read(), 30), [record.offset for record in await take(tail, 2)]

    found, offsets = asyncio.run(story())

    assert (list(found.log.entries), found.end, in_force(found), offsets) == ([0, 2], 4, "4h", [0, 2])


def test_a_record_of_a_newer_form_names_the_command_that_mends_it(broker: str, policy_log: PolicyLog) -> None:
    asyncio.run(put(broker, policy_log.topic, bytes([FORM + 1]) + encode_record(following(-1, "4h"))[1:]))

    with pytest.raises(NewerLogError, match="run `pip install --upgrade breachwatch`") as caught:
        asyncio.run(policy_log.read())
    assert __version__ in str(caught.value)


def test_a_log_that_lost_its_beginning_is_refused(broker: str, policy_log: PolicyLog) -> None:
    async def story() -> None:
        await policy_log.deploy(following(-1, "8h"))
        await policy_log.deploy(following(0, "4h"))
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.delete_records({TopicPartition(policy_log.topic, 0): RecordsToDelete(1)})
        await admin.close()
        await policy_log.read()

    with pytest.raises(LogCutError, match="begins at offset 1: records were deleted"):
        asyncio.run(story())


def test_the_largest_record_fits_and_a_larger_one_is_refused_before_it_is_sent(policy_log: PolicyLog) -> None:
    given = following(-1, "4h")
    room = MAX_BYTES - len(encode_record(given)) - 8
    largest = msgspec.structs.replace(given, set=given.set + os.urandom(room))

    offset = asyncio.run(policy_log.append(largest))

    (read,) = asyncio.run(take(Tail(policy_log, 0), 1))
    assert (offset, read.value) == (0, encode_record(largest))
    with pytest.raises(RecordError, match="8,388,608 are allowed"):
        asyncio.run(policy_log.append(msgspec.structs.replace(given, set=given.set + os.urandom(room + 100))))


def test_workers_deploy_their_files_only_where_nothing_was_deployed(policy_log: PolicyLog) -> None:
    async def start(target: str) -> ReadLog:
        return await deploy_first(policy_log, await policy_log.read(), with_target(target), START)

    async def story() -> list[ReadLog]:
        return await asyncio.gather(*map(start, ("8h", "4h", "2h")))

    found = asyncio.run(story())
    later = asyncio.run(start("1h"))

    assert len({in_force(each) for each in [*found, later]}) == 1
    assert list(later.log.entries) == [0]


def test_a_tail_gives_what_is_there_and_what_comes(policy_log: PolicyLog) -> None:
    async def story() -> tuple[list[int], list[int]]:
        await policy_log.append(following(-1, "8h"))
        await policy_log.append(following(0, "4h"))
        tail, offsets, behind = Tail(policy_log, 0), list[int](), list[int]()
        async with aclosing(tail.records()) as records, asyncio.timeout(60):
            for _ in range(2):
                offsets.append((await anext(records)).offset)
                behind.append(tail.behind)
            await policy_log.append(following(1, "2h"))
            offsets.append((await anext(records)).offset)
        assert tail.silent_for < 5
        return offsets, [*behind, tail.behind]

    assert asyncio.run(story()) == ([0, 1, 2], [1, 0, 0])


def test_a_tail_goes_on_where_a_reader_ended(policy_log: PolicyLog) -> None:
    async def story() -> list[LogRecord]:
        await policy_log.append(following(-1, "8h"))
        tail = Tail(policy_log, (await policy_log.read()).end)
        await policy_log.append(following(0, "4h"))
        return await take(tail, 1)

    (record,) = asyncio.run(story())
    assert record.offset == 1


def test_a_tail_of_a_log_that_became_shorter_ends(policy_log: PolicyLog) -> None:
    async def story() -> None:
        await policy_log.append(following(-1, "8h"))
        await take(Tail(policy_log, 5), 1)

    with pytest.raises(LogCutError, match="does not have offset 5 any more"):
        asyncio.run(story())


def test_a_tail_outlives_the_broker_and_shows_for_how_long_it_was_away() -> None:
    topics = Topics("tailed")
    with Broker() as broker:
        policy_log = PolicyLog({"bootstrap_servers": broker.bootstrap}, topics)

        async def story() -> tuple[list[int], float]:
            await create(broker.bootstrap, topics, partitions=1)
            await policy_log.append(following(-1, "8h"))
            tail = Tail(policy_log, 0)
            async with aclosing(tail.records()) as records, asyncio.timeout(120):
                offsets = [(await anext(records)).offset]
                coming = asyncio.ensure_future(anext(records))
                await asyncio.to_thread(broker.kill)
                await asyncio.sleep(3)
                silent = tail.silent_for
                await asyncio.to_thread(broker.start)
                await policy_log.append(following(0, "4h"))
                offsets.append((await coming).offset)
            return offsets, silent

        offsets, silent = asyncio.run(story())

    assert offsets == [0, 1]
    assert silent > 2
