"""Somebody to be told of alerts: a server on 127.0.0.1 that takes what Alertmanager sends to a webhook."""

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
    """One alert of what was sent to a receiver at once."""

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
    """Use as a context manager. ``notify`` is called for each alert, in a thread of the server's."""

    def __init__(self, notify: Callable[[Notification], object]) -> None:
        class Told(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in sent["alerts"]:
                    summary = alert["annotations"].get("summary", "")
                    notify(Notification(sent["receiver"], alert["status"], alert["labels"], summary))
                self.send_response(HTTPStatus.OK)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the standard library's name
                """What is told is shown; that it was told need not be."""

        self._listener = _Listener(("127.0.0.1", 0), Told)
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
