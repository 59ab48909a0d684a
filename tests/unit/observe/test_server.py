"""The web server, over a real socket."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stream.deployments.impact import Impact
from stream.observe.pages.site import Site
from stream.observe.pages.views import RefusedPreviewError, UnavailableError
from stream.observe.server import PREVIEW, Server, serve

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


class TestPreview:
    """What a deployment would do: the one address that takes a body."""

    def post(self, server: Server, path: str, body: bytes, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @pytest.fixture
    def previewed(self, worker: Worker) -> Iterator[Server]:
        def preview(record: bytes) -> Impact:
            if record == b"old":
                raise RefusedPreviewError("the record follows deployment 1, and the last one here is 2")
            if record == b"starting":
                raise UnavailableError("the worker is starting")
            return Impact(open=len(record))

        view: Any = None
        server = serve(CollectorRegistry(), "127.0.0.1", 0, worker.ready, Site(view, preview=preview), "secret")
        yield server
        server.close()

    def test_it_answers_the_impact_of_a_record(self, previewed: Server) -> None:
        status, body = self.post(previewed, PREVIEW, b"12345", Authorization="Bearer secret")

        assert (status, msgspec.json.decode(body, type=Impact)) == (200, Impact(open=5))

    @pytest.mark.parametrize(
        ("path", "body", "status", "text"),
        [
            (PREVIEW, b"old", 409, "Not counted: the record follows deployment 1"),
            (PREVIEW, b"starting", 503, "Not available now: the worker is starting"),
            ("/metrics", b"1", 501, f"only {PREVIEW} takes a body"),
        ],
    )
    def test_the_reason_is_in_the_answer(self, previewed: Server, path: str, body: bytes, status: int, text: str) -> None:
        answer = self.post(previewed, path, body, Authorization="Bearer secret")

        assert (answer[0], text in answer[1]) == (status, True)

    def test_without_the_token_nothing_is_counted(self, previewed: Server) -> None:
        assert self.post(previewed, PREVIEW, b"12345")[0] == 401

    def test_a_body_that_is_too_large_is_not_read(self, previewed: Server) -> None:
        connection = HTTPConnection("127.0.0.1", previewed.port, timeout=10)
        connection.putrequest("POST", PREVIEW)
        connection.putheader("Content-Length", str(9 * 1024 * 1024))
        connection.endheaders()

        assert connection.getresponse().status == 413
        connection.close()

    def test_where_nothing_can_be_deployed_nothing_is_counted(self, server: Server) -> None:
        assert self.post(server, PREVIEW, b"12345")[0] == 404
