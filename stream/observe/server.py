"""The worker's web server: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for supervisors, and the pages of
``stream.observe.pages.site``.

Separate threads serve the requests. A slow scrape therefore does not delay events, and the server still answers when the
event loop hangs. ``/healthz`` shows that the process is alive, and ``/readyz`` shows the worker's own status. If a token is
set, every other address requires it. These two do not, because they reveal nothing about tickets and a supervisor should not
need a secret.
"""

from __future__ import annotations

import logging
import socket
import threading
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import choose_encoder

from stream.deployments.snapshot import MAX_BYTES
from stream.observe.pages.site import Answer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.observe.pages.site import Site

log = logging.getLogger(__name__)

Ready = Callable[[], tuple[bool, str]]
"""Called from another thread. Returns whether the worker is ready, and its status in one line."""

PREVIEW: Final = "/deployments/preview"

_TEXT: Final = "text/plain; charset=utf-8"
_REFUSED: Final = Answer(
    HTTPStatus.UNAUTHORIZED,
    _TEXT,
    b"a token is required: send it as a bearer token, or as the password\n",
    (("WWW-Authenticate", 'Basic realm="breachwatch", charset="UTF-8"'), ("Cache-Control", "no-store")),
)


# Not http.server.HTTPServer: on binding, it looks up the host name, which may take long.
class _Listener(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Server:
    """The running server. ``port`` is the port bound, also if port 0 (any free one) was requested."""

    def __init__(self, listener: _Listener) -> None:
        self.port: Final[int] = listener.server_address[1]
        self._listener = listener
        self._thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening. A second call does nothing."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def serve(
    registry: CollectorRegistry, address: str, port: int, ready: Ready, site: Site | None = None, token: str = ""
) -> Server:
    """Serve on ``address:port`` until ``close()``. Raises OSError if the address cannot be bound.

    ``token``: required of every client, as a bearer token or as the password of basic authentication. Empty: not required.
    """

    class Listener(_Listener):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    class Pages(BaseHTTPRequestHandler):
        timeout = 10.0
        server_version = "breachwatch"
        sys_version = ""

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            self._respond(partial(self._page, path, query))

        def do_POST(self) -> None:
            self._respond(partial(_posted, self, site, token))

        def _respond(self, answer: Callable[[], Answer]) -> None:
            try:
                _send(self, answer())
            except ConnectionError:
                log.debug("the client closed the connection before the answer")

        def _page(self, path: str, query: str) -> Answer:
            accept = self.headers.get("Accept", "")
            try:
                if path == "/healthz":
                    return Answer(HTTPStatus.OK, _TEXT, b"alive\n")
                if path == "/readyz":
                    good, text = ready()
                    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                    return Answer(status, _TEXT, f"{text}\n".encode())
                if token and not _bears(self.headers.get("Authorization", ""), token):
                    return _REFUSED
                if path == "/metrics":
                    encode, content_type = choose_encoder(accept)
                    return Answer(HTTPStatus.OK, content_type, encode(registry))
                if site is not None and (page := site.answer(path, query, accept)) is not None:
                    return page
            except Exception:  # the client must get an answer, not a closed connection
                log.exception("the page %s failed", path)
                return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"this page failed; see the log for the reason\n")
            return _unknown(site)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the standard library's name
            log.debug(format, *args)

    return Server(Listener((address, port), Pages))


def _send(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    request.send_response(answer.status)
    request.send_header("Content-Type", answer.content_type)
    request.send_header("Content-Length", str(len(answer.body)))
    request.send_header("X-Content-Type-Options", "nosniff")
    for name, value in answer.headers:
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(answer.body)


def _unknown(site: Site | None) -> Answer:
    pages = b"pages: / /tickets/<id> /metrics /healthz /readyz\n" if site else b"pages: /metrics /healthz /readyz\n"
    return Answer(HTTPStatus.NOT_FOUND, _TEXT, pages)


def _posted(request: BaseHTTPRequestHandler, site: Site | None, token: str) -> Answer:
    if request.path != PREVIEW:
        return Answer(HTTPStatus.NOT_IMPLEMENTED, _TEXT, f"only {PREVIEW} takes a body\n".encode())
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > MAX_BYTES:
        return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TEXT, b"send a record of a deployment, with its length\n")
    record = request.rfile.read(int(length))  # before any answer: a client that is still sending would not read it
    if token and not _bears(request.headers.get("Authorization", ""), token):
        return _REFUSED
    if site is None:
        return _unknown(site)
    try:
        return site.preview(record)
    except Exception:  # the client must get an answer, not a closed connection
        log.exception("the preview of a deployment failed")
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"the preview failed; see the log for the reason\n")


def _bears(header: str, token: str) -> bool:
    """Whether an Authorization header has the token. The comparison takes the same time for a wrong token."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "basic":  # browsers ask for a name and a password; any name is accepted
        try:
            given = b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[2]
        except ValueError:  # not base64
            return False
    elif scheme.lower() != "bearer":
        return False
    return compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
