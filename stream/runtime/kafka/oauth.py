"""Tokens for the login OAUTHBEARER: by the client credentials grant of OAuth 2.0 (RFC 6749, section 4.4), or from a file.

Clients ask for a token whenever they connect, so a token is used again while it is valid:

1. After 80 % of its lifetime, the next connection asks for a new one. If that fails, the old one is used until it ends.
2. After a failed request the endpoint is not asked again for a second, then for two, and at most for ten. Connections that are
   tried in the meantime fail with the same error.

No text and no representation has a token or the client's secret.

Longer than 250 lines because the request for a token and the evaluation of its answer are one protocol.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from base64 import b64encode, urlsafe_b64decode
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
import msgspec
from aiokafka.abc import AbstractTokenProvider

from stream.wire.printable import printable

if TYPE_CHECKING:
    from stream.runtime.settings import Settings

_PATIENCE: Final = 5
"""Seconds for the answer of the token endpoint."""
_MOST_BYTES: Final = 1 << 18
_REFRESH_AFTER: Final = 0.8
"""The part of a token's lifetime after which a new one is asked for, as in Kafka's own clients."""
_UNKNOWN_LIFETIME: Final = 60.0
"""Seconds for which a token is used again if neither the answer nor the token has its end."""
_MARGIN: Final = 2.0
"""Seconds before its end in which a token is no longer used: it must reach the broker before."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 10.0
_MOST_QUOTED: Final = 200
"""Characters of an error that the endpoint states."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""The characters of a bearer token (RFC 6750). Others could add to the message in which a client sends it."""
_LATER: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class TokenError(OSError):
    """There is no token. The text has the reason and what to check. ``final``: a retry is useless."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final: Final = final


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


class _Refused(msgspec.Struct):
    error: str
    error_description: str = ""


class _Claims(msgspec.Struct):
    exp: float | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    refresh_at: float
    """By the monotonic clock, as the next one."""
    ends_at: float


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The endpoint of a token, and the credentials."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    cafile: str


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """Gives clients their token and the SASL extensions. Raises TokenError."""

    def __init__(self, extensions: tuple[tuple[str, str], ...]) -> None:
        self._extensions: Final = extensions

    def extensions(self) -> dict[str, str]:
        return dict(self._extensions)


class FileTokens(Tokens):
    """The token in a file, which something else renews."""

    def __init__(self, file: Path, extensions: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(extensions)
        self._file: Final = file

    async def token(self) -> str:
        try:
            text = self._file.read_text("utf-8").strip()
        except OSError as error:
            raise TokenError(f"no token: {self._file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise TokenError(f"no token: {self._file} is not text") from error
        if not _TOKEN.fullmatch(text):
            raise TokenError(f"no token: {self._file} does not have a single bearer token")
        return text


class EndpointTokens(Tokens):
    """Tokens of an endpoint, shared by all clients of a process. Any event loop may use it."""

    def __init__(self, endpoint: _Endpoint, extensions: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(extensions)
        self._endpoint: Final = endpoint
        self._token: _Token | None = None
        self._failed: TokenError | None = None
        self._not_before = 0.0
        self._pause = _FIRST_PAUSE
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def token(self) -> str:
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            token, now = self._token, time.monotonic()
            if token is not None and now < token.refresh_at:
                return token.text
            if self._failed is None or now >= self._not_before:
                try:
                    token = self._token = await self._request()
                except TokenError as error:
                    self._failed, self._not_before = error, time.monotonic() + self._pause
                    self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                else:
                    self._failed, self._pause = None, _FIRST_PAUSE
                    return token.text
            if token is not None and time.monotonic() < token.ends_at:
                return token.text
            raise TokenError(*self._failed.args, final=self._failed.final)

    async def _request(self) -> _Token:
        """Raises TokenError."""
        endpoint, where = self._endpoint, f"the token endpoint {self._endpoint.url}"
        *_, login = _forms(endpoint)
        form = {"grant_type": "client_credentials"} | ({"scope": endpoint.scope} if endpoint.scope else {})
        headers = {"Authorization": f"Basic {login}", "Accept": "application/json"}
        asked_at = time.monotonic()
        try:
            proxy = _proxy(endpoint.url)
            trusted = _trusted(endpoint, proxy)
            patience = aiohttp.ClientTimeout(total=_PATIENCE)
            async with (
                aiohttp.ClientSession(timeout=patience) as session,
                session.post(
                    endpoint.url, data=form, headers=headers, proxy=proxy, ssl=trusted, allow_redirects=False
                ) as answer,
            ):
                status, body = answer.status, await _whole(answer)
        except TimeoutError as error:
            raise TokenError(f"no token: {where} did not answer within {_PATIENCE} s") from error
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise TokenError(f"no token: {where} cannot be used: {error or type(error).__name__}") from error
        if status != HTTPStatus.OK:
            refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LATER
            check = ": check the client id, the client secret and the scope" if refused else ""
            raise TokenError(f"no token: {where} answers with status {status}{self._why(body)}{check}", final=refused)
        return _granted(where, body, asked_at)

    def _why(self, body: bytes) -> str:
        """The error in an answer, without what was sent, for a log line."""
        try:
            refused = msgspec.json.decode(body, type=_Refused)
        except (ValueError, RecursionError):  # it is not of the form of RFC 6749
            return ""
        text = f"{refused.error} {refused.error_description}"
        for sent in _forms(self._endpoint):
            text = text.replace(sent, "...")
        return f" ({printable(' '.join(text.split())[:_MOST_QUOTED])})"


def _forms(endpoint: _Endpoint) -> tuple[str, str, str]:
    """The client's secret as it is, as a form has it, and with the client's id as the header has it."""
    name, password = quote_plus(endpoint.client_id), quote_plus(endpoint.client_secret)
    return endpoint.client_secret, password, b64encode(f"{name}:{password}".encode()).decode()


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address.

    Not by ``trust_env`` of aiohttp, which also refuses to send a header with a login to a host in the file .netrc.
    """
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _trusted(endpoint: _Endpoint, proxy: str | None) -> ssl.SSLContext | bool:
    """What aiohttp trusts in a connection with TLS. Without TLS its default: the event loop waits 20 ms for certificates."""
    if any(urlsplit(address).scheme == "https" for address in (endpoint.url, proxy or "")):
        return ssl.create_default_context(cafile=endpoint.cafile or None)
    return True


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError if it is too long."""
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _MOST_BYTES:
            raise ValueError("its answer is too long")
    return bytes(body)


def _granted(where: str, body: bytes, asked_at: float) -> _Token:
    """Raises TokenError."""
    try:
        granted = msgspec.json.decode(body, type=_Granted)
        lifetime = None if granted.expires_in is None else float(granted.expires_in)
    except (ValueError, RecursionError) as error:  # its text may have a part of the token
        raise TokenError(f"no token: {where} answers with something else than a token") from error
    if not _TOKEN.fullmatch(granted.access_token):
        raise TokenError(f"no token: {where} answers with something that is not a bearer token")
    if lifetime is None or isnan(lifetime):
        lifetime = _lifetime(granted.access_token)
    return _Token(granted.access_token, asked_at + _REFRESH_AFTER * lifetime, asked_at + lifetime - _MARGIN)


def _lifetime(token: str) -> float:
    """The seconds until the end that a JSON web token states."""
    try:
        claims = token.split(".")[1]
        until = msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), type=_Claims).exp
    except (IndexError, ValueError, RecursionError):  # another kind of token, which clients must not read
        until = None
    return _UNKNOWN_LIFETIME if until is None else until - time.time()


def tokens_of(settings: Settings) -> Tokens:
    """The source of tokens for the clients with these settings; the same object for the same settings."""
    if settings.sasl_oauth_token_file:
        return FileTokens(Path(settings.sasl_oauth_token_file), settings.sasl_oauth_extensions)
    endpoint = _Endpoint(
        settings.sasl_oauth_token_url,
        settings.sasl_oauth_client_id,
        settings.sasl_oauth_client_secret,
        settings.sasl_oauth_scope,
        settings.sasl_oauth_cafile,
    )
    return _shared(endpoint, settings.sasl_oauth_extensions)


@lru_cache(maxsize=8)
def _shared(endpoint: _Endpoint, extensions: tuple[tuple[str, str], ...]) -> EndpointTokens:
    return EndpointTokens(endpoint, extensions)
