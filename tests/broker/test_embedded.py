"""The embedded broker is a real Kafka node, continues on its data, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.devkafka.broker import Broker
from stream.devkafka.jars import BrokerError
from stream.devkafka.ports import is_free
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

OLD = 1_000_000_000_000  # 2001, in Kafka's milliseconds
COMING = 4_000_000_000_000  # 2096


async def publish(bootstrap: str, topic: str, values: list[bytes], *, at: int, transaction: str | None = None) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=transaction, max_request_size=3_000_000
    ) as producer:
        if transaction:
            await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, partition=0, timestamp_ms=at)
        if transaction:
            await producer.commit_transaction()


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", max_partition_fetch_bytes=3_000_000
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]


def test_records_of_two_mebibytes_of_any_age_and_in_transactions_are_taken(broker: str, topics: Topics) -> None:
    async def story() -> list[bytes]:
        await publish(broker, topics.events, [b"x" * 2_000_000], at=OLD)
        await publish(broker, topics.events, [b"coming"], at=COMING)
        await publish(broker, topics.events, [b"sure"], at=OLD, transaction=topics.app_id)
        return await read(broker, topics.events, 3)

    assert asyncio.run(story()) == [b"x" * 2_000_000, b"coming", b"sure"]


def test_a_killed_broker_comes_back_on_the_same_address_with_its_records() -> None:
    topics = Topics("back")
    with Broker() as broker:
        asyncio.run(create(broker.bootstrap, topics, partitions=1))
        asyncio.run(publish(broker.bootstrap, topics.events, [b"before"], at=OLD))
        address, first = broker.bootstrap, broker.pid

        broker.kill()
        assert not broker.alive
        broker.start()

        assert broker.bootstrap == address
        assert broker.pid != first
        assert asyncio.run(read(address, topics.events, 1)) == [b"before"]


def test_the_next_broker_uses_a_given_folder_and_a_temporary_one_is_deleted(tmp_path: Path) -> None:
    topics = Topics("again")
    with Broker(data=tmp_path / "kept") as broker:
        asyncio.run(create(broker.bootstrap, topics, partitions=1))
    with Broker(data=tmp_path / "kept") as broker:
        assert asyncio.run(create(broker.bootstrap, topics, partitions=1)) == []
        with pytest.raises(BrokerError, match="another broker uses"):
            Broker(data=tmp_path / "kept").start()

    with Broker() as temporary:
        folder, port = temporary.data, temporary.port
        assert folder.exists()
    assert not folder.exists()
    assert is_free(port)


def test_a_folder_with_other_files_is_an_error_and_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")

    with pytest.raises(BrokerError, match="not a broker's data"):
        Broker(data=tmp_path).start()

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_broker_that_cannot_start_shows_the_end_of_its_log_and_where_it_is(tmp_path: Path) -> None:
    with Broker(data=tmp_path / "data"):
        pass
    (tmp_path / "data" / "kafka" / "meta.properties").write_text("version=1\ncluster.id=of-another\nnode.id=7\n")

    with pytest.raises(BrokerError, match="the broker ended while starting") as refused:
        Broker(data=tmp_path / "data").start()

    assert f"Last lines of {tmp_path / 'data' / 'broker.log'}:" in str(refused.value)
    assert "node" in str(refused.value).lower()


def test_a_port_in_use_is_an_error_before_anything_is_started(broker: str, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="is in use: stop the process that listens there or use another port"):
        Broker(port=int(broker.split(":")[1]), data=tmp_path / "unused").start()

    assert not (tmp_path / "unused").exists()


def test_the_process_id_of_a_broker_that_was_not_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="is not running"):
        _ = Broker(data=tmp_path).pid


def test_the_broker_dies_with_the_process_that_started_it_even_by_kill_9() -> None:
    program = "from stream.devkafka.broker import Broker\nwith Broker() as b: print(b.port, b.data, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port, folder = owner.stdout.readline().split()
        assert not is_free(int(port))

        owner.send_signal(signal.SIGKILL)
        owner.wait()

    deadline = time.monotonic() + 30
    while not is_free(int(port)) or Path(folder).exists():
        assert time.monotonic() < deadline, f"something still listens on {port}, or {folder} is still there"
        time.sleep(0.05)
