"""A real Prometheus that has scraped a real run: a broker, a worker, the demo's feed, our rules.

The smoke test of the dashboards queries it. Two weeks of a desk pass in seconds, and so do the windows of the rules: a month
is ten minutes here, and a minute is five seconds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from aiokafka import AIOKafkaProducer
from prometheus_client import start_http_server
from prometheus_server import serving, wait_until

from stream.demo.command import write_policy
from stream.demo.feed import START, feed
from stream.demo.traffic import PARTITIONS
from stream.demo.worker import workers_running
from stream.demo.written_tickets import FeedRecord
from stream.devkafka.broker import Broker
from stream.gateway.outcome_recorder import OutcomeRecorder
from stream.language.policies import load
from stream.notify.notify_metrics import NotifyMetrics
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.feed_state import FeedState
from stream.wire.effect import encode_tick
from stream.writeback.metrics import DeskStatus, WritebackMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_server import Prometheus

ROOT: Final = Path(__file__).parents[2]
# A rule that counts what a minute brought finds nothing where the minute has no scrape. A minute of one scrape is too short: a
# scrape is stored under the instant at which it began, and a rule that is evaluated before it ends looks past it.
_MINUTE: Final = 5
_SCRAPE: Final = 4
"""Seconds that a scrape takes at most, also on a busy machine."""
_DONE: Final = "sum(sla_events_total) > 0 and max_over_time(sum(sla_committed_lag_records)[3s:1s]) == 0"


@contextmanager
def scraped_run(seconds: float) -> Iterator[Prometheus]:
    """The demo's feed, played in ``seconds``, processed and scraped to its end."""
    with tempfile.TemporaryDirectory(prefix="breachwatch-scene-") as name, Broker() as broker:
        folder, topics = Path(name), Topics(app_id="scene")
        asyncio.run(create(broker.bootstrap, topics, partitions=PARTITIONS))
        policy = write_policy(folder)
        settings = {
            "BROKER": broker.bootstrap,
            "POLICIES": str(policy),
            "APP_ID": topics.app_id,
            "PARTITIONS": str(PARTITIONS),
            "CLOCK": "event",
            "METRIC_CUSTOMERS": "acme,globex",
        }
        with (
            workers_running(folder, settings, 1) as [worker],
            _others() as others,
            _prometheus(folder, [f"127.0.0.1:{worker.port}"], others) as prometheus,
        ):
            # The feed of the demo is not watched. Another source is, so that the panels of feeds have something to show.
            watched = FeedRecord(START, b"", encode_tick("shop", START, FeedState.COMPLETE), everywhere=True)
            records = [watched, *feed(load([policy]).calendars["batoi-office"])]
            asyncio.run(_publish(broker.bootstrap, topics.events, records, seconds))
            # Five good scrapes in a row: on a busy machine one may come too late, and leaves a gap.
            wait_until(lambda: prometheus.number(f"{_DONE} and min(min_over_time(up[5s])) == 1") is not None)
            counted = time.time() + 2 * _MINUTE + _SCRAPE
            wait_until(lambda: prometheus.evaluated() > counted)
            prometheus.ended = time.time()
            yield prometheus


@contextmanager
def _others() -> Iterator[list[str]]:
    """The metrics of a gateway, a notifier and a writer that have nothing to do."""
    gateway, notify = OutcomeRecorder(["shop"]).metrics, NotifyMetrics(["support"], ["team-lead"], lambda: 0)
    writeback = WritebackMetrics(["shop"])
    writeback.watch(lambda: [DeskStatus("shop", 0, 0.0, failing=False)])
    registries = [gateway.registry, notify.registry, writeback.registry]
    servers = [start_http_server(0, "127.0.0.1", registry)[0] for registry in registries]
    try:
        yield [f"127.0.0.1:{server.server_port}" for server in servers]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def _prometheus(folder: Path, targets: list[str], others: list[str]) -> Iterator[Prometheus]:
    rules = folder / "rules"
    rules.mkdir()
    for file in (ROOT / "prometheus/rules").glob("*.yml"):
        text = file.read_text("utf-8").replace("[30d:5m]", "[10m:1s]").replace("[3d:1h]", "[10m:1s]")
        for before in ("interval: ", "["):
            text = text.replace(f"{before}1m", f"{before}{_MINUTE}s")
        text = text.replace("offset 15s", f"offset {_SCRAPE}s").replace("offset 75s", f"offset {_MINUTE + _SCRAPE}s")
        (rules / file.name).write_text(text, "utf-8")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"cluster": "scene"}},
        "rule_files": [f"{rules}/*.yml"],
        "scrape_configs": [
            {
                "job_name": "breachwatch",
                "static_configs": [{"targets": targets, "labels": {"installation": "scene"}}],
            },
            {"job_name": "others", "static_configs": [{"targets": others, "labels": {"installation": "scene"}}]},
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with serving(folder, "--enable-feature=exemplar-storage") as prometheus:
        wait_until(lambda: prometheus.number("count(up == 1)") == len(targets) + len(others))
        yield prometheus


async def _publish(bootstrap: str, topic: str, records: list[FeedRecord], seconds: float) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_request_size=2 * 1024 * 1024)
    await producer.start()
    try:
        began, first, span = time.monotonic(), records[0].at, records[-1].at - records[0].at
        for at, key, value, everywhere in records:
            await asyncio.sleep(max(0.0, began + (at - first) / span * seconds - time.monotonic()))
            for partition in range(PARTITIONS) if everywhere else (None,):
                await producer.send(topic, value, key=key or None, partition=partition)
    finally:
        await producer.stop()
