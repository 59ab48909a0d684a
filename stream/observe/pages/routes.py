"""Decides which answer a request to a worker gets: ``/metrics``, ``/healthz``, ``/readyz``, or a page of the site.

``/healthz`` shows that the process is alive, and ``/readyz`` shows the worker's own status. If a token is set, every other
address requires it. These two do not, because they reveal nothing about tickets and a supervisor should not need a secret.

A request that lacks the token is logged. So is one under an unknown name.

Without a token a page of another site must not be able to read the pages through the reader's browser: such a site can let its
own name point to this machine. The pages are therefore served only to a ``Host`` that is an IP address, ``localhost``, or a
name of the worker.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Callable, Iterable
from hmac import compare_digest
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from prometheus_client.exposition import choose_encoder

from stream.deployments.snapshot import MAX_BYTES
from stream.observe.denials import Denials
from stream.observe.pages.site import Answer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.observe.pages.site import Pages

log = logging.getLogger(__name__)

Ready = Callable[[], tuple[bool, str]]
"""Called from another thread. Returns whether the worker is ready, and its status in one line."""

PREVIEW: Final = "/deployments/preview"
HEALTH: Final = frozenset({"/healthz", "/readyz"})
"""Answered at once, in the thread that serves all connections."""
METRICS: Final = "/metrics"

_LONGEST_NAME: Final = 80
_TEXT: Final = "text/plain; charset=utf-8"
_REFUSED: Final = Answer(
    HTTPStatus.UNAUTHORIZED,
    _TEXT,
    b"a token is required: send it as a bearer token, or as the password\n",
    (("WWW-Authenticate", 'Basic realm="breachwatch", charset="UTF-8"'), ("Cache-Control", "no-store")),
)


class Request(NamedTuple):
    """The parts of a request on which an answer depends. ``path`` and ``query`` as the request has them, headers ``""`` where
    they are absent."""

    method: str
    path: str
    query: str = ""
    accept: str = ""
    authorization: str = ""
    host: str = ""
    client: str = ""
    """The address that it came from."""
    body: bytes = b""


class Routes:
    """The answers of one worker. Called from several threads."""

    def __init__(
        self,
        registry: CollectorRegistry,
        ready: Ready,
        site: Pages | None = None,
        token: str = "",
        hosts: Iterable[str] = (),
        prefix: str = "",
    ) -> None:
        """``token``: required of every client, as a bearer token or as the password of basic authentication; empty: of none.

        ``hosts``: names under which browsers reach the worker, besides IP addresses and ``localhost``; ``*`` is any.
        ``prefix``: path below which a proxy shows everything, such as ``/sla``. The proxy may remove it or keep it.
        """
        self._registry = registry
        self._ready = ready
        self._site = site
        self._token = token
        self._hosts = {_name(host) for host in hosts} - {""}
        self._prefix = prefix
        self._denials = Denials()

    def path(self, path: str) -> str:
        """The path of a request without the prefix."""
        inner = path.removeprefix(self._prefix)
        return inner or "/" if inner == "" or inner.startswith("/") else path

    def answer(self, request: Request) -> Answer:
        """The answer; also where a page fails."""
        try:
            return self._answer(request)
        except Exception:  # the client must get an answer, not a closed connection
            log.exception("the page %s failed", request.path)
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"this page failed; see the log for the reason\n")

    def early(self, request: Request, length: int | None) -> Answer | None:
        """The answer to a request whose body of ``length`` bytes need not be read for it; ``None``: read it."""
        if request.method not in ("GET", "HEAD", "POST"):
            allow = (("Allow", "GET, HEAD"),)
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"the pages are read with GET or HEAD\n", allow)
        if request.method == "POST" and request.path != PREVIEW:
            allow = (("Allow", "GET, HEAD"),)
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, f"only {PREVIEW} takes a body\n".encode(), allow)
        if request.method == "POST" and (length is None or length > MAX_BYTES):
            text = b"send a record of a deployment, with its length\n"
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TEXT, text, (("Connection", "close"),))
        return None

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path == "/healthz":
            return Answer(HTTPStatus.OK, _TEXT, b"alive\n")
        if path == "/readyz":
            good, text = self._ready()
            return Answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{text}\n".encode())
        if self._token and not _bears(request.authorization, self._token):
            self._denials.add(request.client, path, "a wrong token" if request.authorization else "no token")
            return _REFUSED
        if path == METRICS:
            encode, content_type = choose_encoder(request.accept)
            return Answer(HTTPStatus.OK, content_type, encode(self._registry))
        if not self._token and not self._known(request.host):
            self._denials.add(request.client, path, f"the name {_name(request.host)[:_LONGEST_NAME]!r} is not in allowed_hosts")
            text = f"this worker does not know the name {_name(request.host)!r}: add it to the setting 'allowed_hosts'\n"
            return Answer(HTTPStatus.MISDIRECTED_REQUEST, _TEXT, text.encode())
        if self._site is None:
            return _unknown(b"pages: /metrics /healthz /readyz\n")
        if request.method == "POST":
            return self._site.preview(request.body) or _unknown(b"there is nothing to deploy here\n")
        page = self._site.answer(path, request.query, request.accept)
        return page or _unknown(b"pages: / /tickets/<id> /lists/<name> /metrics /healthz /readyz\n")

    def _known(self, host: str) -> bool:
        name = _name(host)
        return name in self._hosts or "*" in self._hosts or name == "localhost" or name.endswith(".localhost") or _is_ip(name)


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # brackets that are not an address
        return ""


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _unknown(text: bytes) -> Answer:
    return Answer(HTTPStatus.NOT_FOUND, _TEXT, text)


def _bears(header: str, token: str) -> bool:
    """Whether an Authorization header has the token. The comparison takes the same time for a wrong token."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "basic":  # browsers prompt for a name and a password; any name is accepted
        try:
            given = b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[2]
        except ValueError:  # not base64
            return False
    elif scheme.lower() != "bearer":
        return False
    return compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
