"""``breachwatch demo``: broker, topics, worker, feed and view, all on this machine; it ends by itself and leaves nothing."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from stream.feeds.wire import decode_effect, decode_rejected
from stream.language.policies import load, shipped
from stream.runtime.topics import Topics, create
from stream.tools.demo_feed import FeedRecord, feed
from stream.tools.demo_view import View
from stream.tools.demo_worker import DemoError, worker_running
from stream.tools.embedded import Broker
from stream.tools.kafka_jars import BrokerError
from stream.tools.signals import ended_by_signals, run

if TYPE_CHECKING:
    from stream.tools.demo_worker import Worker

PARTITIONS: Final = 4
_TOPICS: Final = Topics(app_id="demo")
_STALLED_SECONDS: Final = 30
"""Without any progress of the worker for so long the demo gives up."""
_INTERRUPTED: Final = 130
"""Exit status, as shells have it."""


@click.command("demo")
@click.option("--seconds", type=click.FloatRange(1, 600), default=40, show_default=True, help="How long the feed takes.")
@click.option("--keep", is_flag=True, help="Leave broker and worker up when the feed has ended, until Ctrl-C.")
def command(seconds: float, keep: bool) -> None:
    """See it all run: two weeks of a support desk in under a minute, on a Kafka broker and a worker started for it.

    The desk's customers have the Batoi Priority Support policy, kept on Indian public holidays too. Time is what the
    feed says. Everything is on this machine, lives in a temporary folder, and is gone when the demo has ended.
    """
    console = Console(width=None if sys.stdout.isatty() else 150)
    with ended_by_signals():
        try:
            _show(console, seconds, keep=keep)
        except KeyboardInterrupt:
            console.print("Stopped before its end. Broker and worker have ended; nothing is left behind.")
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except (DemoError, BrokerError) as error:
            raise click.ClickException(str(error)) from error


def _show(console: Console, seconds: float, *, keep: bool) -> None:
    console.print("Starting a Kafka broker, the topics and a worker...")
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="breachwatch-demo-") as folder,
        Broker(say=console.print) as broker,
    ):
        asyncio.run(create(broker.bootstrap, _TOPICS, partitions=PARTITIONS))
        policy = write_policy(Path(folder))
        records = feed(load([policy]).calendars["batoi-office"])
        settings = {
            "BROKER": broker.bootstrap,
            "POLICIES": str(policy),
            "APP_ID": _TOPICS.app_id,
            "PARTITIONS": str(PARTITIONS),
            "CLOCK": "event",
        }
        with worker_running(Path(folder), settings) as worker:
            view = View(console, f"{worker.pages}/metrics")
            with view:
                run(_run(broker.bootstrap, worker, view, records, seconds))
            view.summary()
            took = time.monotonic() - began
            effects = sum(view.tally.kinds.values())
            console.print(f"{len(records)} records in, {effects} effects out; 12 days of a desk, shown in {took:.0f} s.")
            if keep:
                _stay(console, broker, worker)
    console.print("Broker and worker have ended; nothing is left behind.")


def write_policy(folder: Path) -> Path:
    """The Batoi policy with the one agreement its comments leave open: public holidays of India are free."""
    policy = yaml.safe_load(shipped("batoi").read_text("utf-8"))
    policy["calendars"]["batoi-office"]["holidays"] = [{"country": "IN"}]
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy, sort_keys=False), "utf-8")
    return path


async def _run(bootstrap: str, worker: Worker, view: View, records: list[FeedRecord], seconds: float) -> None:
    """Publish the feed and show what comes of it, until the worker has processed all and all was shown."""
    outputs = Outputs(bootstrap, view)
    await outputs.start()
    tasks = [
        asyncio.create_task(outputs.read()),
        asyncio.create_task(_watch(worker)),
        asyncio.create_task(_tell(bootstrap, worker, view, records, seconds, outputs)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await outputs.stop()
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _tell(
    bootstrap: str, worker: Worker, view: View, records: list[FeedRecord], seconds: float, outputs: Outputs
) -> None:
    await _publish(bootstrap, view, records, seconds)
    await _until_processed(bootstrap, worker, outputs)
    await outputs.until_shown()


async def _publish(bootstrap: str, view: View, records: list[FeedRecord], seconds: float) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_request_size=2 * 1024 * 1024)
    await producer.start()
    try:
        began, first, span = time.monotonic(), records[0].at, records[-1].at - records[0].at
        for number, (at, key, value, everywhere) in enumerate(records, 1):
            due = began + (at - first) / span * seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for partition in range(PARTITIONS) if everywhere else (None,):
                await producer.send(_TOPICS.events, value, key=key or None, partition=partition)
            view.clock(at, number, len(records))
        await producer.flush()
    finally:
        await producer.stop()


async def _until_processed(bootstrap: str, worker: Worker, outputs: Outputs) -> None:
    """Until the worker's committed offsets are the ends of the input: it commits what is in the output topics only."""
    ends = await outputs.ends(_TOPICS.events)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        seen, since = None, time.monotonic()
        while True:
            offsets = await admin.list_consumer_group_offsets(_TOPICS.app_id)
            committed = {partition: offsets[partition].offset for partition in ends if partition in offsets}
            if committed == ends:
                return
            if (committed, outputs.shown) != seen:
                seen, since = (committed, outputs.shown), time.monotonic()
            elif time.monotonic() - since > _STALLED_SECONDS:
                raise worker.failed(f"the worker made no progress for {_STALLED_SECONDS} s: at {committed} of {ends}")
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def _watch(worker: Worker) -> None:
    while worker.process.poll() is None:  # noqa: ASYNC110  a process tells nobody when it ends
        await asyncio.sleep(0.2)
    raise worker.failed(f"the worker ended by itself, with status {worker.process.returncode}")


class Outputs:
    """Reads the output topics from their beginning, only what is committed, into the view."""

    def __init__(self, bootstrap: str, view: View) -> None:
        self.shown = 0
        self._view = view
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
        self._partitions = [
            TopicPartition(topic, number)
            for topic in (_TOPICS.breaches, _TOPICS.escalations, _TOPICS.rejected)
            for number in range(PARTITIONS)
        ]

    async def start(self) -> None:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """For ever."""
        while True:
            for partition, records in (await self._consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    if partition.topic == _TOPICS.rejected:
                        self._view.letter(decode_rejected(record.value))
                    else:
                        self._view.effect(decode_effect(record.value))
                self.shown += len(records)

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Offset after the last record, by partition."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(
            [TopicPartition(topic, number) for number in range(PARTITIONS)]
        )
        return ends

    async def until_shown(self) -> None:
        """Until everything that is in the output topics now has been shown."""
        ends = await self._consumer.end_offsets(self._partitions)
        for partition, end in ends.items():
            while await self._consumer.position(partition) < end:  # noqa: ASYNC110  the reader tells nobody how far it is
                await asyncio.sleep(0.05)


def _stay(console: Console, broker: Broker, worker: Worker) -> None:
    console.print(f"Still up: Kafka on {broker.bootstrap} (log {broker.log}), worker on {worker.pages} (log {worker.log}).")
    console.print("Press Ctrl-C to stop both.")
    try:
        while worker.process.poll() is None and broker.alive:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise worker.failed("broker or worker ended by itself")
