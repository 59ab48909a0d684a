"""The worker's web pages: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whoever supervises it.

They are served by threads of their own, so that a slow scrape holds up no event and a stuck event loop can still be
seen: ``/healthz`` says that the process lives, ``/readyz`` what the worker says of itself.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

Ready = Callable[[], tuple[bool, str]]
"""Asked from another thread: whether the worker does its work, and one line saying so or why not."""

_TEXT: Final = "text/plain; charset=utf-8"


# Not http.server.HTTPServer: on binding, it asks the name service who we are, and may wait long for an answer.
class _Listener(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Server:
    """The running pages. ``port`` is the one really bound, also when 0 (any free one) was asked for."""

    def __init__(self, listener: _Listener) -> None:
        self.port: Final[int] = listener.server_address[1]
        self._listener = listener
        self._thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Harmless when done twice."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def serve(registry: CollectorRegistry, address: str, port: int, ready: Ready) -> Server:
    """Serve the pages on ``address:port`` until ``close()``. Raises OSError when the address cannot be had."""

    class Listener(_Listener):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    class Pages(BaseHTTPRequestHandler):
        timeout = 10.0
        server_version = "breachwatch"
        sys_version = ""

        def do_GET(self) -> None:
            try:
                self._answer(*self._page(self.path.partition("?")[0]))
            except ConnectionError:
                log.debug("the client went away before the answer")

        def _page(self, path: str) -> tuple[HTTPStatus, str, bytes]:
            try:
                if path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    return HTTPStatus.OK, content_type, encode(registry)
                if path == "/healthz":
                    return HTTPStatus.OK, _TEXT, b"alive\n"
                if path == "/readyz":
                    good, text = ready()
                    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                    return status, _TEXT, f"{text}\n".encode()
            except Exception:  # a page that fails must say so, not cut the line
                log.exception("the page %s failed", path)
                return HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"this page failed; the log says why\n"
            return HTTPStatus.NOT_FOUND, _TEXT, b"pages: /metrics /healthz /readyz\n"

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the standard library's name
            log.debug(format, *args)

    return Server(Listener((address, port), Pages))
