"""What people wrote about a ticket stays in the input topic: a worker neither keeps nor shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.broker.running import Sent, Worker, all_committed, publish, read, until
from tests.free_text import NAME, PHONE, payloads

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics


def test_free_text_is_in_no_topic_of_ours_no_log_no_metric_and_no_page(broker: str, topics: Topics, tmp_path: Path) -> None:
    records = [
        Sent(ticket.encode(), payload)
        for ticket in ("desk/1", "desk/2", "desk/3")
        for payload in payloads(ticket, "2026-03-02T09:00:00Z")[: 3 if ticket == "desk/1" else None]
    ]
    with Worker(broker, topics, tmp_path).ready() as worker:
        publish(broker, topics, records)
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        worker.live()
        names = ("metrics", "", "?format=json", "tickets/desk%2F1", "tickets/desk%2F1?format=json")
        pages = {name: worker.page(name) for name in names}
        log = worker.log.read_text("utf-8")

    written = read(broker, topics.changelog, topics.breaches, topics.escalations, topics.rejected)
    assert any(record.topic == topics.changelog for record in written)
    assert "first_response" in pages["tickets/desk%2F1"]
    assert "first_response" in pages["tickets/desk%2F1?format=json"]
    for text in (NAME, PHONE):
        assert [record.topic for record in written if text.encode() in (record.value or b"")] == []
        assert [name for name, page in pages.items() if text in page] == []
        assert text not in log
