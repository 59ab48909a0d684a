"""A token endpoint by RFC 6749 on this machine, with unsigned tokens, which Kafka's validator for tests accepts."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, unquote_plus

from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT: Final = "desk"
SECRET: Final = "sec+ret 4711%"
NEVER_SHOWN: Final = "eyJhbGciOiAibm9uZSJ9"
"""The beginning of every token, which no log may have."""


def token(seconds: float) -> str:
    """A token that ends after this time."""
    parts = ({"alg": "none"}, {"sub": CLIENT, "iat": time.time(), "exp": time.time() + seconds})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


class TokenEndpoint:
    """Answers within a ``with`` block, at the same port each time. ``lifetime``: of its tokens, seconds."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.granted = 0
        self.scopes: set[str] = set()
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}/realms/desk/token"
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Handler", (_Handler,), {"endpoint": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, authorization: str, form: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client", "error_description": f"not {secret}"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        self.granted += 1
        self.scopes.update(form.get("scope", []))
        return 200, {"access_token": token(self.lifetime), "token_type": "Bearer", "expires_in": self.lifetime}


class _Handler(BaseHTTPRequestHandler):
    endpoint: TokenEndpoint

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, found = self.endpoint.answer(self.headers["Authorization"], form)
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
