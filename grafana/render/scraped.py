"""A real Prometheus that has scraped a real run: a broker, a worker, the demo's feed, our rules.

The smoke test of the dashboards asks it, and the pictures are drawn from it. Two weeks of a desk pass in seconds, and so do
the long windows of the rules: a month is ten minutes here, looked at every second.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import quick_desk
import yaml
from aiokafka import AIOKafkaProducer

from stream.demo.command import write_policy
from stream.demo.feed import feed
from stream.demo.traffic import PARTITIONS
from stream.demo.worker import workers_running
from stream.devkafka.broker import Broker
from stream.devkafka.ports import free_port
from stream.language.policies import load
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.demo.feed import FeedRecord

ROOT: Final = Path(__file__).parents[2]
_DONE: Final = "sum(sla_events_total) > 0 and sum(sla_committed_lag_records) == 0"
PATIENCE: Final = 90.0
"""Seconds in which Prometheus must have seen the end of the run."""


class Prometheus:
    """A running server. ``began`` and ``ended``: the run it has seen, epoch seconds."""

    def __init__(self, port: int) -> None:
        self.url: Final = f"http://127.0.0.1:{port}"
        self.began = self.ended = time.time()

    def ask(self, path: str, **parameters: str | float) -> Any:
        """What the API answers. OSError when it refuses."""
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}") as answer:  # noqa: S310  our own address
            return json.load(answer)["data"]

    def number(self, expression: str) -> float | None:
        """The value of an expression now, if it has exactly one."""
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if len(found) == 1 else None


@contextmanager
def scraped_run(seconds: float, *, quick: bool = False) -> Iterator[Prometheus]:
    """The demo's feed, played in ``seconds``, processed and scraped to its end; or a ``quick`` desk, by the clock."""
    with tempfile.TemporaryDirectory(prefix="breachwatch-scene-") as name, Broker() as broker:
        folder, topics = Path(name), Topics(app_id="scene")
        asyncio.run(create(broker.bootstrap, topics, partitions=PARTITIONS))
        policy = folder / "quick.yaml" if quick else write_policy(folder)
        if quick:
            policy.write_text(quick_desk.POLICY, "utf-8")
        settings = {
            "BROKER": broker.bootstrap,
            "POLICIES": str(policy),
            "APP_ID": topics.app_id,
            "PARTITIONS": str(PARTITIONS),
            "CLOCK": "wall" if quick else "event",
        }
        with workers_running(folder, settings, 1) as [worker], _prometheus(folder, [f"127.0.0.1:{worker.port}"]) as prometheus:
            records = quick_desk.feed(seconds) if quick else feed(load([policy]).calendars["batoi-office"])
            asyncio.run(_publish(broker.bootstrap, topics.events, records, seconds))
            # Five good scrapes in a row: on a busy machine one may come too late, and leaves a gap.
            _until(lambda: prometheus.number(f"{_DONE} and min(min_over_time(up[5s])) == 1") is not None)
            prometheus.ended = time.time()
            yield prometheus


@contextmanager
def _prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    rules = folder / "rules"
    rules.mkdir()
    for file in (ROOT / "prometheus/rules").glob("*.yml"):
        text = file.read_text("utf-8").replace("[30d:5m]", "[10m:1s]").replace("[3d:1h]", "[10m:1s]")
        (rules / file.name).write_text(text.replace("interval: 1m", "interval: 1s"), "utf-8")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"cluster": "scene"}},
        "rule_files": [f"{rules}/*.yml"],
        "scrape_configs": [{"job_name": "breachwatch", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with running(folder, ["--enable-feature=exemplar-storage"]) as prometheus:
        _until(lambda: prometheus.number("count(up == 1)") == len(targets))
        yield prometheus


@contextmanager
def running(folder: Path, flags: list[str]) -> Iterator[Prometheus]:
    """Run a Prometheus on ``prometheus.yml`` and ``tsdb`` of a folder. Raises FileNotFoundError when it is not installed."""
    server = shutil.which("prometheus")
    if server is None:
        raise FileNotFoundError("prometheus is missing: install the Debian package prometheus")
    port = free_port()
    command = [server, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,  # noqa: S603  nothing of it comes from outside
    ):
        try:
            prometheus = Prometheus(port)
            _until(lambda: prometheus.number("vector(1)") == 1)
            yield prometheus
        finally:
            process.terminate()


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


def _until(true: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if true():
                return
        except URLError as error:
            if time.monotonic() > deadline:
                raise TimeoutError("Prometheus does not answer") from error
        if time.monotonic() > deadline:
            raise TimeoutError("Prometheus has not seen the end of the run")
        time.sleep(0.2)
