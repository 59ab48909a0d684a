"""Receives the demo's alerts: a webhook for Alertmanager on 127.0.0.1."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


class Notification(NamedTuple):
    """One alert of a request of Alertmanager, which has the alerts of one receiver."""

    receiver: str
    status: str
    """``firing`` or ``resolved``."""
    labels: Mapping[str, str]
    summary: str

    @property
    def alert(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class _Listener(ThreadingMixIn, TCPServer):
    daemon_threads = True


class Webhook:
    """A context manager. A thread of the server calls ``notify`` with each alert."""

    def __init__(self, notify: Callable[[Notification], object]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in sent["alerts"]:
                    summary = alert["annotations"].get("summary", "")
                    notify(Notification(sent["receiver"], alert["status"], alert["labels"], summary))
                self.send_response(HTTPStatus.OK)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the standard library's name
                """Log nothing: the demo shows the notifications."""

        self._listener = _Listener(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
