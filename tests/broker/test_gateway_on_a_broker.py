"""The gateway on a real broker: what is acknowledged is in Kafka, whoever dies or hangs."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from stream.cli.main import main
from stream.devkafka.broker import Broker
from stream.feeds.rejected_payload import RejectedPayload, decode_record, encode_record
from stream.gateway import outbox as module
from stream.gateway.outbox import Outbox, Outgoing
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from tests.broker.gateway_process import GatewayProcess
from tests.broker.running import HOUR, START, now, read, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = b"a key of thirty-two bytes for it"
ENVIRONMENT = {"APP_SECRET": f"whsec_{base64.b64encode(KEY).decode()}"}
FEED = ("--feed", "app=events", "--secret", "app=env:APP_SECRET")


def signed(body: bytes, name: str) -> dict[str, str]:
    seconds = str(now() // 1_000_000)
    signature = hmac.new(KEY, b".".join((name.encode(), seconds.encode(), body)), "sha256").digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def payload(number: int) -> bytes:
    """Two events of two tickets."""
    events = [
        {
            "id": f"e{number}-{part}",
            "type": "ticket.created",
            "source": "app",
            "ticket": f"app/{number}-{part}",
            "at": "2026-11-29T10:00:00Z",
        }
        for part in "ab"
    ]
    return json.dumps(events).encode()


class RoundRobin:
    """A proxy in a few lines: takes one instance after the other, and the next one if there is no answer or a 503."""

    def __init__(self, *instances: GatewayProcess) -> None:
        self._instances = instances
        self._next = count()

    def send(self, number: int) -> int:
        """The number of attempts until the payload was accepted."""
        body = payload(number)
        for attempt in range(1, 200):
            instance = self._instances[next(self._next) % len(self._instances)]
            if instance.post(body, "/feeds/app", signed(body, f"msg_{number}")) == 200:
                return attempt
            time.sleep(0.05)
        raise AssertionError(f"payload {number} was never accepted")


def tickets(broker: str, topics: Topics) -> list[str]:
    return [record.key.decode() for record in read(broker, topics.events)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_two_instances_lose_nothing_when_one_of_them_ends(
    broker: str, topics: Topics, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        GatewayProcess(broker, topics, tmp_path, *FEED, environment=ENVIRONMENT) as one,
        GatewayProcess(broker, topics, tmp_path, *FEED, environment=ENVIRONMENT) as other,
    ):
        sender = RoundRobin(one.ready(), other.ready())
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(sender.send, each) for each in range(400)]
            until(lambda: sum(each.done() for each in sent) > 100, "some payloads are accepted")
            one.process.send_signal(number)
            attempts = [each.result() for each in sent]
        if number is signal.SIGTERM:
            assert one.process.wait(20) == 0
            assert "Error" not in one.log.read_text("utf-8")

    assert max(attempts) > 1, "the instance ended after all payloads"
    wanted = {f"app/{each}-{part}" for each in range(400) for part in "ab"}
    found = tickets(broker, topics)
    assert set(found) == wanted
    # A payload whose answer was lost is written again: more would mean that good answers were repeated.
    assert len(found) <= len(wanted) + 2 * 8


def test_the_page_and_the_metrics_show_what_became_of_requests(broker: str, topics: Topics, tmp_path: Path) -> None:
    with GatewayProcess(broker, topics, tmp_path, *FEED, environment=ENVIRONMENT) as gateway:
        gateway.ready()
        body = payload(1)
        assert gateway.post(body, "/feeds/app", signed(body, "msg_1")) == 200
        assert gateway.post(body, "/feeds/app", {}) == 401
        assert gateway.post(b"[3]", "/feeds/app", signed(b"[3]", "msg_2")) == 200

        assert gateway.page("/readyz") == (200, "ready\n")
        (feed,) = json.loads(gateway.page("/?format=json")[1])["feeds"]
        assert [(entry["outcome"], entry["status"], entry["events"]) for entry in feed["outcomes"]] == [
            ("unmapped", 200, 0),
            ("unauthentic", 401, 0),
            ("accepted", 200, 2),
        ]
        html = gateway.page("/")[1]
        assert "signature_missing" in html
        metrics = gateway.page("/metrics")[1]
        assert 'sla_gateway_requests_total{feed="app",outcome="accepted"} 1.0' in metrics
        assert "sla_gateway_connected 1.0" in metrics

    (record,) = read(broker, topics.feed_rejected)
    dead_letter = decode_record(record.value)
    assert isinstance(dead_letter, RejectedPayload)
    assert (dead_letter.body, dead_letter.path) == (b"[3]", "$[0]")


def test_without_the_topic_of_dead_letters_it_does_not_start(broker: str, tmp_path: Path) -> None:
    topics = Topics("none", prefix="none.")

    with GatewayProcess(broker, topics, tmp_path, *FEED, environment=ENVIRONMENT) as gateway:
        assert gateway.process.wait(60) == 2

    text = gateway.log.read_text("utf-8")
    assert "topic none.ticket-events is missing: run `breachwatch topics create" in text
    assert "topic none.feed-rejected is missing" in text


MAPPING = """
source: shop
tables:
  status: {{open: open{more}}}
common: {{ticket: "{{number}}", at: "{{at}}", id: "{{id}}"}}
events:
  - say: {{type: ticket.changed, fields: {{status: {{from: "{{status}}", table: status}}}}}}
"""


def test_dead_letters_are_sent_again_once_by_a_better_mapping(broker: str, topics: Topics, tmp_path: Path) -> None:
    def dead_letter(number: int, status: str, feed: str = "shop") -> bytes:
        body = {"number": number, "status": status, "id": f"h{number}", "at": "2026-11-29T10:00:00Z"}
        return encode_record(
            RejectedPayload(
                feed=feed, reason="unmapped", message="", received=START + number * HOUR, body=json.dumps(body).encode()
            )
        )

    async def fill() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            for value in (
                dead_letter(0, "waiting"),
                dead_letter(1, "waiting"),
                dead_letter(2, "lost"),
                b"not ours",
                dead_letter(4, "waiting", "other"),
            ):
                await producer.send_and_wait(topics.feed_rejected, value)

    def retry(*options: str) -> list[str]:
        arguments = ["feed", "retry", "shop", "--broker", broker, "--topic-prefix", topics.prefix, "--mapping", str(file)]
        result = CliRunner().invoke(main, [*arguments, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return [line.split("  ", 2)[-1].partition(":")[0] for line in result.stdout.splitlines()]

    asyncio.run(fill())
    (file := tmp_path / "shop.yaml").write_text(MAPPING.format(more=""), "utf-8")

    assert retry() == ["is still unmapped"] * 3
    file.write_text(MAPPING.format(more=", waiting: pending"), "utf-8")
    assert retry("--dry-run") == ["would be sent again", "would be sent again", "is still unmapped"]
    assert read(broker, topics.events) == []
    assert retry("--until", "2027-01-01T09:30:00Z") == ["sent again"]
    assert retry("--offset", "1") == ["sent again"]
    assert retry() == ["was sent again before", "was sent again before", "is still unmapped"]
    assert retry("--again", "--offset", "0", "--last-offset", "2") == ["sent again", "sent again", "is still unmapped"]

    assert sorted(tickets(broker, topics)) == ["shop/0", "shop/0", "shop/1", "shop/1"]
    events = [json.loads(record.value) for record in read(broker, topics.events)]
    assert {event["fields"]["status"] for event in events} == {"pending"}


def test_a_feed_that_the_settings_do_not_have_cannot_be_retried(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text('[gateway.feeds.desk]\nmapping = "rt"\n', "utf-8")

    result = CliRunner().invoke(main, ["feed", "retry", "shop", "--config", str(file)])

    assert result.exit_code == 1
    assert "the settings have no feed shop; there are: desk" in result.output


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


def test_a_broker_that_hangs_delays_an_answer_for_two_seconds_and_loses_nothing(
    own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 4)
    topics = Topics("hangs")
    asyncio.run(create(own_broker.bootstrap, topics, partitions=2))

    async def story() -> None:
        outbox = Outbox({"bootstrap_servers": own_broker.bootstrap}, [topics.events])
        await outbox.start()
        loop = asyncio.get_running_loop()

        async def deliver(key: str, size: int = 100) -> tuple[bool, float]:
            began = loop.time()
            done = await outbox.deliver([Outgoing(topics.events, key.encode(), b"x" * size)])
            return done, loop.time() - began

        assert (await deliver("before"))[0]
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            # More than the batches can hold: the rest must wait without growing, and be given up.
            answers = await asyncio.gather(*(deliver(f"lost-{number}", 100_000) for number in range(100)))
            assert not any(done for done, _ in answers)
            # Bounded by the deadline, whatever the machine does besides.
            assert max(took for _, took in answers) < module.WAIT + 5
            waiting = sum(
                batch.record_count for batches in outbox._producer._message_accumulator._batches.values() for batch in batches
            )
            assert waiting * 100_000 <= 2 * 2 * module._BATCH
            await asyncio.sleep(module.FRESH)
            assert not outbox.fresh()
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        while not outbox.fresh() or not (await deliver("after"))[0]:  # noqa: ASYNC110  a broker comes back when it does
            await asyncio.sleep(0.1)
        await outbox.stop()

    asyncio.run(asyncio.wait_for(story(), 120))
    found = {record.key for record in read(own_broker.bootstrap, topics.events)}
    assert {b"before", b"after"} <= found


def test_a_record_that_the_broker_refuses_does_not_stop_those_after_it(broker: str, topics: Topics) -> None:
    async def story() -> None:
        outbox = Outbox({"bootstrap_servers": broker}, [topics.breaches], wait=10)
        await outbox.start()
        assert await outbox.deliver([Outgoing(topics.breaches, b"k", b"good")])
        assert not await outbox.deliver([Outgoing(topics.breaches, b"k", b"x" * 1_500_000)])  # the limit is 1 MiB
        while not await outbox.deliver([Outgoing(topics.breaches, b"k", b"good again")]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await outbox.stop()

    asyncio.run(asyncio.wait_for(story(), 60))
    assert [record.value for record in read(broker, topics.breaches)] == [b"good", b"good again"]
