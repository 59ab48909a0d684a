"""``breachwatch notify`` on a real broker: each message arrives once, whatever happens to the process and the receivers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaProducer

from stream.sla.effects import Kind, Reason
from stream.wire.effect import effect_headers, encode_effect
from tests.broker.running import PATIENCE, now, until
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.runtime.kafka.topics import Topics

SECRET = "whsec_" + "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
RULES = """
destinations:
  good: {{webhook: "{url}/good", secrets: env:HOOK_SECRET}}
  down: {{webhook: "{url}/down", secrets: env:HOOK_SECRET}}
routes:
  - when: {{type: commitment.breached}}
    to: [good, down]
"""


class Receiver:
    """Notes which ids arrive at which path. A path can be made to fail."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                path = self.path.removeprefix("/")
                if path not in receiver.failing:
                    receiver.arrived.append((path, self.headers["webhook-id"]))
                self.send_response(503 if path in receiver.failing else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ids(self, path: str) -> list[str]:
        return [effect_id for to, effect_id in list(self.arrived) if to == path]


class Notify:
    """``breachwatch notify run`` in a process of its own."""

    def __init__(self, broker: str, topics: Topics, folder: Path, failpoint: str = "") -> None:
        self.log = folder / f"notify-{len(list(folder.glob('notify-*.log')))}.log"
        command = [sys.executable, "-m", "stream", "notify", "run", "--broker", broker, "--topic-prefix", topics.prefix]
        command += ["--rules", str(folder / "notify.yaml"), "--listen", "127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        environment |= {"HOOK_SECRET": SECRET, "BREACHWATCH_FAILPOINT": failpoint}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2], env=environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ready(self) -> Self:
        until(lambda: self.page("readyz").startswith("served: "), f"ready: {self.log.read_text('utf-8')}")
        return self

    def page(self, name: str) -> str:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        found = re.search(r"http://127\.0\.0\.1:\d+/", self.log.read_text("utf-8"))
        try:
            with urlopen(found[0] + name) if found else urlopen("http://127.0.0.1:1/") as answer:
                return str(answer.read().decode())
        except (HTTPError, URLError):
            return ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def breach(number: int, **more: Any) -> tuple[str, Any]:
    ticket = f"desk/{number}"
    return ticket, effect_of(Kind.BREACHED, id=f"{number:024x}", ticket=ticket, at=now(), commitment="first_response", **more)


def publish(broker: str, topics: Topics, *effects: tuple[str, Any]) -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        try:
            for ticket, effect in effects:
                headers = effect_headers(effect, b"test")
                await producer.send(topics.breaches, encode_effect(effect), key=ticket.encode(), headers=headers)
            await producer.flush()
        finally:
            await producer.stop()

    asyncio.run(run())


def test_each_fact_arrives_once_over_a_kill_and_a_receiver_that_is_down(
    broker: str, topics: Topics, tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "notify.yaml").write_text(RULES.format(url=receiver.url), "utf-8")
    publish(broker, topics, breach(999))  # from before the first start: history
    receiver.failing.add("down")
    facts = [breach(number) for number in range(1, 31)]
    ids = sorted(effect.id for _, effect in facts)

    # Killed between the acceptance of the tenth message and the record of it.
    with Notify(broker, topics, tmp_path, failpoint="after_notification:10") as first:
        first.ready()
        publish(broker, topics, *facts)
        assert first.process.wait(PATIENCE) == 137
    before = receiver.ids("good")

    with Notify(broker, topics, tmp_path) as second:
        until(lambda: len(set(receiver.ids("good"))) == 30, "all facts at the receiver that works")
        assert receiver.ids("down") == []
        assert 'sla_notify_failures_total{destination="down"}' in second.page("metrics")
        second.process.kill()
    repeated = {effect_id: count for effect_id, count in Counter(receiver.ids("good")).items() if count > 1}
    assert set(repeated) <= {before[-1]}
    assert max(repeated.values(), default=1) <= 2

    receiver.failing.clear()
    with Notify(broker, topics, tmp_path) as third:
        until(lambda: len(receiver.ids("down")) == 30, "all facts at the receiver that was down")
        taken_back = effect_of(
            Kind.BREACH_RETRACTED,
            id="f" * 24,
            ticket="desk/1",
            retracts=f"{1:024x}",
            retracts_kind=Kind.BREACHED,
            late=True,
            reason=Reason.CORRECTED,
        )
        publish(broker, topics, ("desk/1", taken_back))
        until(lambda: "f" * 24 in receiver.ids("good") and "f" * 24 in receiver.ids("down"), "the withdrawal")
        third.process.send_signal(signal.SIGTERM)
        assert third.process.wait(PATIENCE) == 0

    assert sorted(receiver.ids("down")) == [*ids, "f" * 24]
    assert sorted(set(receiver.ids("good"))) == [*ids, "f" * 24]
    assert Counter(receiver.ids("good")).total() - 31 <= 1
    assert f"{999:024x}" not in receiver.ids("good")


def test_two_instances_share_the_work_and_one_takes_over_from_the_other(
    broker: str, topics: Topics, tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "notify.yaml").write_text(RULES.format(url=receiver.url), "utf-8")
    with Notify(broker, topics, tmp_path) as one:
        one.ready()
        publish(broker, topics, *[breach(number) for number in range(1, 11)])
        until(lambda: len(receiver.arrived) == 20, "the first facts")
        with Notify(broker, topics, tmp_path) as two:
            two.ready()
            publish(broker, topics, *[breach(number) for number in range(11, 21)])
            until(lambda: len(receiver.arrived) == 40, "those after the rebalance")
            one.process.kill()
            publish(broker, topics, *[breach(number) for number in range(21, 31)])
            until(lambda: len(set(receiver.arrived)) == 60, "those after the end of one")

    assert Counter(receiver.arrived).total() == 60


def test_without_its_topic_it_refuses_to_start(broker: str, topics: Topics, tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "notify.yaml").write_text(RULES.format(url=receiver.url), "utf-8")
    other = type(topics)(app_id="none", prefix="none.")

    with Notify(broker, other, tmp_path) as refused:
        assert refused.process.wait(PATIENCE) == 2

    assert "breachwatch topics create" in refused.log.read_text("utf-8")
