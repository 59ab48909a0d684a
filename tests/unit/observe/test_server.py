"""The web server, over a real socket."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stream.observe.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class Worker:
    """Has the status that a test sets."""

    def __init__(self) -> None:
        self.answer: tuple[bool, str] | None = (True, "4 partitions, all live")

    def ready(self) -> tuple[bool, str]:
        if self.answer is None:
            raise RuntimeError("a bug in the worker")
        return self.answer


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def server(worker: Worker) -> Iterator[Server]:
    registry = CollectorRegistry()
    Counter("things_total", "Things.", registry=registry).inc(3, exemplar={"ticket": "desk/1"})
    server = serve(registry, "127.0.0.1", 0, worker.ready)
    yield server
    server.close()


def ask(server: Server, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()
    finally:
        connection.close()


def test_metrics_are_text_by_default(server: Server) -> None:
    status, content_type, body = ask(server, "/metrics")

    assert status == 200
    assert content_type.startswith("text/plain")
    assert "things_total 3.0" in body


def test_metrics_are_openmetrics_with_exemplars_for_prometheus(server: Server) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"

    status, content_type, body = ask(server, "/metrics", accept)

    assert status == 200
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    (family,) = text_string_to_metric_families(body)
    assert family.samples[0].exemplar.labels == {"ticket": "desk/1"}


def test_a_query_string_is_ignored(server: Server) -> None:
    assert ask(server, "/metrics?x=1")[0] == 200


def test_healthz_reports_a_live_process(server: Server) -> None:
    assert ask(server, "/healthz") == (200, "text/plain; charset=utf-8", "alive\n")


def test_readyz_reports_the_status_of_the_worker(server: Server, worker: Worker) -> None:
    assert ask(server, "/readyz")[::2] == (200, "4 partitions, all live\n")

    worker.answer = (False, "recovering partition 2")

    assert ask(server, "/readyz")[::2] == (503, "recovering partition 2\n")


def test_a_page_that_fails_is_an_error_and_the_others_are_served(server: Server, worker: Worker) -> None:
    worker.answer = None

    assert ask(server, "/readyz")[0] == 500
    assert ask(server, "/healthz")[0] == 200


def test_an_unknown_address_is_not_found_and_the_answer_lists_the_pages(server: Server) -> None:
    assert ask(server, "/")[::2] == (404, "pages: /metrics /healthz /readyz\n")


def test_a_silent_client_does_not_delay_the_next(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert ask(server, "/healthz")[0] == 200


def test_a_taken_port_is_an_error(server: Server) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(CollectorRegistry(), "127.0.0.1", server.port, lambda: (True, ""))


def test_closing_frees_the_port_and_can_be_repeated(worker: Worker) -> None:
    server = serve(CollectorRegistry(), "127.0.0.1", 0, worker.ready)
    server.close()
    server.close()

    serve(CollectorRegistry(), "127.0.0.1", server.port, worker.ready).close()
