"""What a process does before Kafka answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from stream.runtime import startup
from stream.runtime.kafka.connection import Refusal
from stream.runtime.kafka.denied import DeniedError, Operation, ResourceKind
from stream.runtime.startup import RefusedError, until_answered

CLIENT: dict[str, Any] = {"bootstrap_servers": ["broker:9092"]}


class Broker:
    """Fails a number of requests with an error, and answers the next one."""

    def __init__(self, error: Exception, failures: int) -> None:
        self.error = error
        self.failures = failures

    async def request(self) -> str:
        if self.failures:
            self.failures -= 1
            raise self.error
        return "answer"


def why(monkeypatch: pytest.MonkeyPatch, *, final: bool) -> None:
    async def why_not(_: Any) -> Refusal:
        return Refusal("check the address", final)

    monkeypatch.setattr(startup, "why_not", why_not)
    monkeypatch.setattr(startup, "_FIRST_WAIT", 0.0)


@pytest.mark.parametrize("error", [KafkaConnectionError(), ConnectionRefusedError()])
def test_a_request_is_repeated_until_a_broker_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    why(monkeypatch, final=False)

    with caplog.at_level(logging.INFO, "stream.startup"):
        assert asyncio.run(until_answered(CLIENT, "a worker", Broker(error, 2).request)) == "answer"
    *waiting, answered = [record.getMessage() for record in caplog.records if record.name == "stream.startup"]
    assert [text.partition(" (")[0] for text in waiting] == ["no answer from the Kafka broker at broker:9092"] * 2
    assert answered.startswith("the Kafka broker at broker:9092 answers, ")
    assert "check the address" in caplog.text


def test_a_lasting_refusal_of_the_broker_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    why(monkeypatch, final=True)

    with pytest.raises(RefusedError) as refused:
        asyncio.run(until_answered(CLIENT, "a worker", Broker(KafkaConnectionError(), 9).request))
    assert refused.value.what == "the Kafka broker at broker:9092 refuses the connection"
    assert refused.value.problems == ["check the address"]


def test_a_missing_permission_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    why(monkeypatch, final=False)
    denied = DeniedError(Operation.READ, ResourceKind.TOPIC, "sla-breaches")

    with pytest.raises(RefusedError) as refused:
        asyncio.run(until_answered(CLIENT, "writeback", Broker(denied, 9).request))
    assert refused.value.what == "the account may not do what writeback does"
    assert "sla-breaches" in refused.value.problems[0]
