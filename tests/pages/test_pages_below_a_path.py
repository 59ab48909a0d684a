"""The pages behind a proxy that shows them below a path: every link leads below it, whether the proxy removes it or not."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.server import Server, serve
from stream.runtime.settings import SettingsError
from stream.runtime.settings_sources import load
from tests.pages.paged import Desk, listed, ticket, worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = ["/", "/tickets/desk%2F42", "/tickets/desk/42", "/tickets?id=desk/42", "/lists/breached", "/tickets/unknown"]
_LINKS = re.compile(r'<(?:a|form)[^>]* (?:href|action)="([^"]*)"')
_BASE = re.compile(r'<base href="([^"]*)">')


@pytest.fixture(params=["", "/sla", "/tools/sla"])
def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    desk = Desk(worker(), ticket(tmp_path))
    desk.rows = (listed("desk/42"),)
    prefix = request.param
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, ""), Site(desk, prefix=prefix), prefix=prefix))
    yield server, prefix
    server.close()


def get(server: Server, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_page_below_the_path(proxied: tuple[Server, str], page: str) -> None:
    server, prefix = proxied
    html = get(server, prefix + page)[1]
    (base,) = _BASE.findall(html)
    assert base == f"{prefix}/"
    links = {urljoin(base, link.replace("&amp;", "&")) for link in _LINKS.findall(html)}
    own = {link for link in links if not urlsplit(link).scheme}

    assert own
    for link in own:
        assert link.startswith(f"{prefix}/")
        # The desk has one ticket only, and a form has no id yet: what counts is that it is the page of tickets that answers.
        status, text = get(server, link)
        assert status == 200 or "Unknown ticket" in text


@pytest.mark.parametrize("path", [*PAGES, "/metrics", "/healthz", "/readyz", "/nothing"])
def test_a_proxy_may_remove_the_path_or_not(proxied: tuple[Server, str], path: str) -> None:
    server, prefix = proxied

    assert get(server, prefix + path) == get(server, path)


def test_the_path_itself_is_the_first_page_and_a_longer_name_is_not_below_it(proxied: tuple[Server, str]) -> None:
    server, prefix = proxied
    if prefix:
        assert get(server, prefix) == get(server, "/")
        assert get(server, f"{prefix}x")[0] == 404


@pytest.mark.parametrize("wrong", ["sla", "https://x/sla", "//evil.example", "/a/../b", '/"><script>', "/a?b", "/a b"])
def test_a_prefix_that_is_not_a_path_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"--page-prefix: .* is not a path"):
        load({"policies": "batoi", "page_prefix": wrong}, {})


def test_a_slash_at_the_end_of_the_prefix_makes_no_difference() -> None:
    assert load({"policies": "batoi", "page_prefix": "/sla/"}, {}).page_prefix == "/sla"
