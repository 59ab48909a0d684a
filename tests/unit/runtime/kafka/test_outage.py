"""What the log has of an outage of the brokers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, RequestTimedOutError

from stream.runtime.kafka.outage import Outage, plain

if TYPE_CHECKING:
    import pytest

BOOTSTRAP = KafkaConnectionError("Unable to bootstrap from [('127.0.0.1', 9092, <AddressFamily.AF_UNSPEC: 0>)]")


def test_an_outage_is_one_line_at_its_beginning_and_one_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    outage = Outage("broker:9092", lambda: now[0])
    with caplog.at_level(logging.INFO):
        outage.answer()
        for now[0] in (110.0, 120.0, 150.0):
            outage.no_answer(BOOTSTRAP)
        now[0] = 161.0
        outage.answer()
        outage.answer()

    lost, back = caplog.records
    assert (lost.levelname, back.levelname) == ("WARNING", "INFO")
    assert lost.getMessage() == (
        "the Kafka broker at broker:9092 does not answer (no connection): check that it is running and reachable from here "
        "(--broker, BREACHWATCH_BROKER); this process waits for it"
    )
    assert back.getMessage() == "the Kafka broker at broker:9092 answers again, 61 s after its last answer"


def test_the_next_outage_is_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("broker:9092", lambda: 0.0)
    for _ in range(2):
        outage.no_answer(BOOTSTRAP)
        outage.answer()

    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 2


def test_an_error_is_shown_without_the_data_structures_of_the_client() -> None:
    assert plain(BOOTSTRAP) == plain(NodeNotReadyError("node id 1")) == "no connection"
    assert plain(ConnectionRefusedError(111, "refused")) == "[Errno 111] refused"
    assert plain(RequestTimedOutError("metadata")).endswith("metadata")
    assert plain(TimeoutError()) == "TimeoutError"
