"""The server of the pages, over a real socket: which client gets which page."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from socket import create_connection, gethostname
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.pages.limits import Limits
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.pages.ticket_links import TicketLinks
from stream.observe.server import Server, serve
from stream.runtime.worker import address_remedy, reachable_at
from tests.pages.paged import Desk, ticket, worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path

TOKEN = "a-token-of-many-characters"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    desk = Desk(worker(), ticket(tmp_path))
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, "live"), Site(desk), TOKEN))
    yield server
    server.close()


def ask(server: Server, path: str, authorization: str = f"Bearer {TOKEN}", method: str = "GET") -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def basic(name: str, password: str) -> str:
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("path", ["/", "/tickets/desk%2F42", "/tickets?id=desk/42", "/metrics"])
@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("", TOKEN), basic("me", TOKEN)])
def test_a_client_with_the_token_sees_everything(server: Server, path: str, authorization: str) -> None:
    assert ask(server, path, authorization).status == 200


@pytest.mark.parametrize("path", ["/", "/tickets/desk%2F42", "/tickets?id=desk/42", "/metrics", "/nothing"])
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
        f"Digest {TOKEN}",
        "Basic ???",
        "Basic \xe9",
        "Bearer \xe9",
        basic(TOKEN, ""),
    ],
)
def test_a_client_without_the_token_sees_nothing_and_is_asked_for_it(server: Server, path: str, authorization: str) -> None:
    answer = ask(server, path, authorization)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_request_without_the_token_is_logged_and_the_token_is_not(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    ask(server, "/tickets/desk%2F42", "Bearer another-token-of-many-characters")
    ask(server, "/")

    assert caplog.messages == ["denied '/tickets/desk%2F42' to 127.0.0.1: a wrong token"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_supervisors_need_no_token(server: Server, path: str) -> None:
    assert ask(server, path, "").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(server: Server, method: str) -> None:
    assert ask(server, "/tickets/desk%2F42", method=method).status == 405


def test_a_flood_of_requests_is_rejected_while_prometheus_and_supervisors_are_served() -> None:
    site = Site(Desk(worker()), Limits(a_second=0.001, burst=5))
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, "live"), site))
    try:
        with ThreadPoolExecutor(16) as people:
            statuses = Counter(people.map(lambda _: ask(server, "/").status, range(200)))
        others = {ask(server, path).status for path in ("/metrics", "/healthz", "/readyz")}
    finally:
        server.close()

    assert statuses[429] == 195
    assert statuses.keys() <= {200, 429, 503}
    assert others == {200}


def test_browsers_must_not_guess_the_type_of_a_page(server: Server) -> None:
    assert ask(server, "/").headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("head", [b"BREW / HTTP/1.1", "GET /tickets/desk/\u00fc HTTP/1.1".encode()], ids=["method", "path"])
def test_nor_that_of_the_answer_to_what_is_not_http(server: Server, head: bytes) -> None:
    with create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(10)
        client.sendall(head + b"\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

    assert answer.split()[1] == b"400"
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer


def test_an_unknown_address_is_an_error_that_lists_the_pages(server: Server) -> None:
    assert ask(server, "/nothing").status == 404


def test_the_page_of_a_ticket_links_to_it_in_the_helpdesk(tmp_path: Path) -> None:
    desk = Desk(worker(), ticket(tmp_path))

    linked = Site(desk, links=TicketLinks("https://desk.example/t/{number}")).answer("/tickets/desk%2F42", "", "text/html")
    alone = Site(desk).answer("/tickets/desk%2F42", "", "text/html")

    assert linked is not None
    assert b'<a href="https://desk.example/t/42">open in helpdesk</a>' in linked.body
    assert alone is not None
    assert b"open in helpdesk" not in alone.body


@pytest.mark.parametrize(("typed", "shown"), [("%20desk/42+", "desk/42"), ("+desk/9+", " desk/9 "), ("+none+", None)])
def test_spaces_around_an_id_are_left_out_unless_they_belong_to_it(tmp_path: Path, typed: str, shown: str | None) -> None:
    site = Site(Desk(worker(), ticket(tmp_path), ticket(tmp_path, " desk/9 ")))

    answer = site.answer("/tickets", f"id={typed}", "application/json")

    assert answer is not None
    assert json.loads(answer.body).get("ticket") == shown
    assert answer.status == (200 if shown else 404)


def test_an_id_that_is_not_text_is_an_unknown_ticket(server: Server) -> None:
    assert ask(server, "/tickets/%ff%00%ed%a0%80").status == 404


@pytest.mark.parametrize(
    ("bound_to", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9300"),
        ("::1", "http://[::1]:9300"),
        ("0.0.0.0", f"http://{gethostname()}:9300"),
        ("::", f"http://{gethostname()}:9300"),
    ],
)
def test_a_worker_advertises_its_bound_address_or_its_host_name_if_bound_to_all(bound_to: str, url: str) -> None:
    assert reachable_at(bound_to, 9300) == url


def test_heads_that_are_not_http_do_not_fill_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 400 " in client.recv(200)

    assert caplog.text == ""


@pytest.mark.parametrize(
    ("address", "setting"),
    [("192.0.2.1", "--metrics-address"), ("no-such-host.invalid", "--metrics-address"), ("", "--metrics-port")],
)
def test_an_address_that_cannot_be_served_names_the_setting_to_change(server: Server, address: str, setting: str) -> None:
    with pytest.raises(OSError, match=str(server.port)) as caught:
        serve(address or "127.0.0.1", server.port, Routes(CollectorRegistry(), lambda: (True, "")))

    assert address_remedy(caught.value).startswith(f"set {setting} ")
