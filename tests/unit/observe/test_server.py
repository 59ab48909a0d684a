"""The web server, over a real socket."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stream.deployments.impact import Impact
from stream.observe.pages.routes import PREVIEW, Routes
from stream.observe.pages.site import Site
from stream.observe.pages.views import RefusedPreviewError, UnavailableError
from stream.observe.server import Bounds, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse


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
    server = serve("127.0.0.1", 0, Routes(registry, worker.ready))
    yield server
    server.close()


def ask(server: Server, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
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
        serve("127.0.0.1", server.port, Routes(CollectorRegistry(), lambda: (True, "")))


def test_closing_frees_the_port_and_can_be_repeated(worker: Worker) -> None:
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), worker.ready))
    server.close()
    server.close()

    serve("127.0.0.1", server.port, Routes(CollectorRegistry(), worker.ready)).close()


class TestHttp:
    """What load balancers, browsers and Prometheus expect of a server."""

    def asked(self, server: Server, method: str, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def test_a_head_request_has_the_headers_of_the_page_and_no_body(self, server: Server) -> None:
        head, nothing = self.asked(server, "HEAD", "/metrics")
        page, body = self.asked(server, "GET", "/metrics")

        assert (head.status, head.version, nothing) == (200, 11, b"")
        assert head.headers["Content-Length"] == page.headers["Content-Length"] == str(len(body))

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
    def test_another_method_is_not_allowed(self, server: Server, method: str) -> None:
        answer, _ = self.asked(server, method, "/metrics")

        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")

    def test_one_connection_takes_many_requests(self, server: Server) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        bodies = []
        for _ in range(5):
            connection.request("GET", "/healthz")
            bodies.append(connection.getresponse().read())
        connection.close()

        assert bodies == [b"alive\n"] * 5

    @pytest.mark.parametrize(
        ("accept", "encoding"),
        [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None), ("", None)],
    )
    def test_a_long_page_is_compressed_for_clients_that_accept_it(self, accept: str, encoding: str | None) -> None:
        registry = CollectorRegistry()
        things = Counter("things_total", "Things.", ["name"], registry=registry)
        for number in range(100):
            things.labels(str(number)).inc()
        server = serve("127.0.0.1", 0, Routes(registry, lambda: (True, "")))
        answer, body = self.asked(server, "GET", "/metrics", **{"Accept-Encoding": accept})
        server.close()

        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (encoding, "Accept-Encoding")
        text = gzip.decompress(body) if encoding else body
        assert b'things_total{name="99"} 1.0' in text

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:9300", 404),
            ("[::1]:9300", 404),
            ("localhost", 404),
            ("LOCALHOST.:1", 404),
            ("sla.example.com", 404),
            ("evil.example", 421),
            ("sla.example.com.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("[evil", 421),
            ("", 421),
        ],
    )
    def test_without_a_token_the_pages_are_only_for_hosts_that_are_known(self, host: str, status: int) -> None:
        routes = Routes(CollectorRegistry(), lambda: (True, ""), hosts=["SLA.example.com"])
        server = serve("127.0.0.1", 0, routes)
        pages = [self.asked(server, "GET", path, Host=host)[0].status for path in ("/", "/metrics", "/healthz", "/readyz")]
        server.close()

        assert pages == [status, 200, 200, 200]

    @pytest.mark.parametrize(
        "request_", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"\x16\x03\x01"]
    )
    def test_a_request_that_is_not_http_gets_an_error_and_the_next_client_its_page(
        self, server: Server, request_: bytes
    ) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100).startswith((b"HTTP/1.0 400", b"HTTP/1.1 400", b""))
        assert ask(server, "/healthz")[0] == 200


class TestBounds:
    """Slow and hostile clients use up what the bounds allow, and no other client waits for them."""

    @pytest.fixture
    def small(self, worker: Worker) -> Iterator[Server]:
        bounds = Bounds(connections=8, idle_seconds=0.5, transfer_seconds=0.5)
        server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), worker.ready), bounds)
        yield server
        server.close()

    def test_clients_that_never_finish_a_request_take_no_place_from_one_that_does(self, worker: Worker) -> None:
        bounds = Bounds(connections=8, idle_seconds=3600)
        server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), worker.ready), bounds)
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(50)]
        for connection in slow[-8:]:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        before = threading.active_count()

        assert [ask(server, "/healthz")[0] for _ in range(20)] == [200] * 20
        assert ask(server, "/metrics")[0] == 200
        assert threading.active_count() <= before + 2
        assert [connection.recv(1) for connection in slow[:42]] == [b""] * 42
        for connection in slow:
            connection.close()
        server.close()

    @pytest.mark.parametrize(
        "sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: x", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz"]
    )
    def test_a_connection_without_a_whole_request_is_closed(self, small: Server, sent: bytes) -> None:
        with socket.create_connection(("127.0.0.1", small.port), timeout=60) as connection:
            connection.sendall(sent)
            while connection.recv(65_536):
                pass

    def test_a_body_that_does_not_come_ends_the_connection(self, small: Server) -> None:
        with socket.create_connection(("127.0.0.1", small.port), timeout=60) as connection:
            connection.sendall(f"POST {PREVIEW} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf".encode())
            answer = b""
            while some := connection.recv(65_536):
                answer += some

        assert answer.startswith(b"HTTP/1.1 504")

    def test_a_client_that_does_not_take_its_answer_is_disconnected(self) -> None:
        registry = CollectorRegistry()
        things = Counter("things_total", "Things.", ["name"], registry=registry)
        for number in range(500):
            things.labels(f"{number}-{'x' * 10_000}").inc()
        server = serve("127.0.0.1", 0, Routes(registry, lambda: (True, "")), Bounds(transfer_seconds=0.5))
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1, socket.MSG_PEEK)  # a busy machine may need a while for the answer
        time.sleep(2)
        received = 0
        with suppress(ConnectionResetError):
            while some := connection.recv(1 << 20):
                received += len(some)
        connection.close()
        whole = len(ask(server, "/metrics")[2])
        server.close()

        assert received < whole


class TestPreview:
    """What a deployment would do: the one address that takes a body."""

    def post(self, server: Server, path: str, body: bytes, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
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
        server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), worker.ready, Site(view, preview=preview), "secret"))
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
            ("/metrics", b"1", 405, f"only {PREVIEW} takes a body"),
        ],
    )
    def test_the_reason_is_in_the_answer(self, previewed: Server, path: str, body: bytes, status: int, text: str) -> None:
        answer = self.post(previewed, path, body, Authorization="Bearer secret")

        assert (answer[0], text in answer[1]) == (status, True)

    def test_without_the_token_nothing_is_counted(self, previewed: Server) -> None:
        assert self.post(previewed, PREVIEW, b"12345")[0] == 401

    def test_a_body_that_is_too_large_is_not_read(self, previewed: Server) -> None:
        connection = HTTPConnection("127.0.0.1", previewed.port, timeout=60)
        connection.putrequest("POST", PREVIEW)
        connection.putheader("Content-Length", str(9 * 1024 * 1024))
        connection.endheaders()

        assert connection.getresponse().status == 413
        connection.close()

    def test_where_nothing_can_be_deployed_nothing_is_counted(self, server: Server) -> None:
        assert self.post(server, PREVIEW, b"12345")[0] == 404
