"""A gateway without Kafka: requests to it, signed as senders do, and what it would have written."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import TYPE_CHECKING, Any

from stream.feeds.signature import SCHEMES
from stream.gateway.feed import EVENTS, Feed, Received
from stream.gateway.gateway import Gateway
from stream.gateway.outcome_recorder import OutcomeRecorder
from stream.runtime.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.gateway.outbox import Outgoing
    from stream.observe.pages.site import Answer

NOW = 1_798_794_000_000_000
TOPICS = Topics("test")
KEY = b"a key of thirty-two bytes for it"
SECRET = b"whsec_" + base64.b64encode(KEY)
OLD_KEY = b"the key from before the rotation"
JSON = {"content-type": "application/json"}
DESK = "127.0.0.1:8080"


class Kafka:
    """Keeps what is written, or does not acknowledge."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.answers = True

    async def deliver(self, records: Iterable[Outgoing]) -> bool:
        await asyncio.sleep(0)
        self.records += records
        return self.answers


def event(ticket: str = "desk/1", **changes: Any) -> dict[str, Any]:
    """An event in our own contract."""
    usual = {"id": "e1", "type": "ticket.created", "source": "desk", "ticket": ticket, "at": "2026-11-29T10:00:00Z"}
    return usual | changes


def signed(body: bytes, key: bytes = KEY, at: int = NOW, name: str = "msg_1") -> dict[str, str]:
    """The headers of Standard Webhooks, as its specification describes them."""
    seconds = str(at // 1_000_000)
    content = b".".join((name.encode(), seconds.encode(), body))
    signature = base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}


class Desk:
    """A gateway with some feeds, and a sender."""

    def __init__(self, *feeds: Feed, now: int = NOW) -> None:
        self.feeds = {feed.name: feed for feed in feeds or (events_feed(),)}
        self.kafka = Kafka()
        self.recorder = OutcomeRecorder(self.feeds)
        self.gateway = Gateway(self.feeds, self.kafka, TOPICS, self.recorder, clock=lambda: now)

    def request(
        self,
        body: bytes = b"",
        headers: Mapping[str, str] = {},
        path: str = "/feeds/app",
        method: str = "POST",
        query: str = "",
    ) -> Answer:
        """The answer to a request, as the server asks for it."""
        received = Received(method, path, query, {"host": DESK, **headers}, body)
        answer = self.gateway.early(received, len(body))
        return answer or asyncio.run(self.gateway.answer(received))

    def send(self, payload: object, path: str = "/feeds/app", **headers: str) -> Answer:
        """The answer to a payload in JSON, rightly signed."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.request(body, {**JSON, **signed(body), **headers}, path)

    def counted(self, name: str, **labels: str) -> float:
        """The value of a series of the metrics."""
        return self.recorder.metrics.registry.get_sample_value(name, labels) or 0.0


def events_feed(*secrets: bytes) -> Feed:
    """A feed in our own contract."""
    return Feed("app", None, SCHEMES["standard-webhooks"], secrets or (SECRET,))


def open_feed(name: str = EVENTS) -> Feed:
    """A feed in our own contract without a secret."""
    return Feed(name, None, None)


def json_of(answer: Answer) -> Any:
    """The body of an answer."""
    return json.loads(answer.body)
