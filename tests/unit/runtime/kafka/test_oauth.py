"""Tokens for OAUTHBEARER: used again while they are valid, asked for again in time, and never shown."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stream.runtime.kafka import oauth
from stream.runtime.kafka.oauth import EndpointTokens, TokenError, tokens_of
from stream.runtime.settings_sources import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SECRET = "s3cret-4711"
NESTED = '{"access_token": "a", "error": "b", "c": ' + 5_000 * "[" + 5_000 * "]" + "}"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need longer for an answer than a worker waits."""
    monkeypatch.setattr(oauth, "_PATIENCE", 60)


@pytest.fixture(autouse=True)
def _new_tokens() -> None:
    """The system may give an endpoint the port of one before it, whose token or failure would be used again."""
    oauth._shared.cache_clear()


class Endpoint:
    """Gives the next of its answers, and the last one again."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.requests.append((request.headers["Authorization"], form))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers={"Location": "/elsewhere"} if status == 302 else {})


def granted(token: str, lifetime: float | None = 3_600) -> tuple[int, dict[str, Any]]:
    more = {} if lifetime is None else {"expires_in": lifetime}
    return 200, {"access_token": token, "token_type": "Bearer", **more}


def asked(endpoint: Endpoint, ask: Callable[[EndpointTokens], Awaitable[Any]], **more: str) -> Any:
    """What ``ask`` returns, with the tokens of the endpoint."""

    async def run() -> Any:
        app = web.Application()
        app.router.add_post("/token", endpoint.handle)
        async with TestServer(app) as server:
            tokens = tokens_of(load({**_flags(str(server.make_url("/token"))), **more}, {}))
            assert isinstance(tokens, EndpointTokens)
            return await ask(tokens)

    return asyncio.run(run())


def _flags(url: str) -> dict[str, str | None]:
    return {
        "policies": "batoi",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_url": url,
        "sasl_oauth_client_id": "de:sk",
        "sasl_oauth_client_secret": SECRET,
    }


async def twice(tokens: EndpointTokens) -> tuple[str, str]:
    return await tokens.token(), await tokens.token()


def test_the_request_is_that_of_client_credentials_by_basic_authentication() -> None:
    endpoint = Endpoint(granted("a.b.c"))

    assert asked(endpoint, lambda tokens: tokens.token(), sasl_oauth_scope="kafka read") == "a.b.c"

    # base64 of "de%3Ask:s3cret-4711", by RFC 6749, section 2.3.1
    assert endpoint.requests == [
        ("Basic ZGUlM0FzazpzM2NyZXQtNDcxMQ==", {"grant_type": "client_credentials", "scope": "kafka read"})
    ]


@pytest.mark.parametrize(("url", "proxy", "secure"), [("http", "http", 0), ("https", "http", 1), ("http", "https", 1)])
def test_trusted_certificates_are_read_only_where_tls_is_spoken(
    url: str, proxy: str, secure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them takes as long as all the rest of a request."""
    read: list[str | None] = []

    def context(*, cafile: str | None) -> ssl.SSLContext:
        read.append(cafile)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", context)
    monkeypatch.setenv(f"{url}_proxy", f"{proxy}://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")

    with pytest.raises(TokenError):
        asyncio.run(tokens_of(load(_flags(f"{url}://127.0.0.1:1/token"), {})).token())

    assert len(read) == secure


def test_a_token_is_used_again_also_by_connections_that_are_made_at_the_same_time() -> None:
    endpoint = Endpoint(granted("first"), granted("second"))

    found = asked(endpoint, lambda tokens: asyncio.gather(*(tokens.token() for _ in range(20))))

    assert set(found) == {"first"}
    assert len(endpoint.requests) == 1


def test_a_token_that_ends_soon_is_renewed() -> None:
    assert asked(Endpoint(granted("first", 0), granted("second")), twice) == ("first", "second")


def _jwt(until: float) -> str:
    return f"e30.{urlsafe_b64encode(json.dumps({'exp': until}).encode()).decode().rstrip('=')}.sig"


@pytest.mark.parametrize(("lifetime", "requests"), [(-1, 2), (3_600, 1)])
def test_without_a_lifetime_in_the_answer_that_of_the_token_counts(lifetime: float, requests: int) -> None:
    endpoint = Endpoint(granted(_jwt(time.time() + lifetime), None))

    asked(endpoint, twice)

    assert len(endpoint.requests) == requests


@pytest.mark.parametrize("claims", [b'{"c": ' + 5_000 * b"[" + 5_000 * b"]" + b"}", b'{"exp": "soon"}', b"\xff"])
def test_a_token_whose_claims_cannot_be_read_is_used_like_one_without_them(claims: bytes) -> None:
    token = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.sig"
    endpoint = Endpoint(granted(token, None))

    assert asked(endpoint, twice) == (token, token)
    assert len(endpoint.requests) == 1


def test_a_lifetime_that_is_not_a_number_counts_as_none() -> None:
    endpoint = Endpoint((200, {"access_token": "a", "expires_in": "nan"}))

    assert asked(endpoint, twice) == ("a", "a")
    assert len(endpoint.requests) == 1


def test_a_login_for_the_host_in_the_file_netrc_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    endpoint = Endpoint(granted("a.b.c"))

    assert asked(endpoint, lambda tokens: tokens.token()) == "a.b.c"
    assert endpoint.requests[0][0].startswith("Basic ZGUlM0FzazpzM2NyZXQ")


def test_the_endpoint_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(TokenError, match=r"cannot be used: .*127\.0\.0\.1:1"):
        asked(Endpoint(granted("a.b.c")), lambda tokens: tokens.token())

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert asked(Endpoint(granted("a.b.c")), lambda tokens: tokens.token()) == "a.b.c"


def test_a_token_is_used_to_its_end_if_no_other_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_REFRESH_AFTER", 0)

    assert asked(Endpoint(granted("first"), (503, "")), twice) == ("first", "first")


def test_after_a_failure_the_endpoint_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_FIRST_PAUSE", 3_600)
    endpoint = Endpoint((503, ""), granted("second"))

    async def errors(tokens: EndpointTokens) -> list[str]:
        return [str(error) for error in await asyncio.gather(*(tokens.token() for _ in range(9)), return_exceptions=True)]

    (error,) = set(asked(endpoint, errors))
    assert "answers with status 503" in error
    assert len(endpoint.requests) == 1


def test_after_the_pause_the_endpoint_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_FIRST_PAUSE", 0)

    async def again(tokens: EndpointTokens) -> str:
        with pytest.raises(TokenError):
            await tokens.token()
        return await tokens.token()

    assert asked(Endpoint((500, ""), granted("second")), again) == "second"


@pytest.mark.parametrize(
    ("answer", "text", "final"),
    [
        ((401, {"error": "invalid_client", "error_description": f"no\n{SECRET}"}), "status 401 (invalid_client no ...)", True),
        ((401, {"error": "x" * 190, "error_description": f"no {SECRET}"}), "x no ...)", True),
        ((401, {"error": "Basic ZGUlM0FzazpzM2NyZXQtNDcxMQ=="}), "status 401 (Basic ...)", True),
        ((401, {"error": "\x1b[2Kno\u2028token"}), r"status 401 (\x1b[2Kno token)", True),
        ((401, NESTED), "status 401: check the client id", True),
        ((200, NESTED), "something else than a token", False),
        ((404, "<html>"), "status 404: check the client id", True),
        ((429, ""), "status 429", False),
        ((503, {"error": "temporarily_unavailable"}), "status 503 (temporarily_unavailable)", False),
        ((302, ""), "status 302", False),
        ((200, "<html>"), "something else than a token", False),
        ((200, {"access_token": 5}), "something else than a token", False),
        ((200, {"access_token": "a", "expires_in": "soon"}), "something else than a token", False),
        ((200, {"access_token": "a\x01auth=b"}), "not a bearer token", False),
        ((200, "x" * 300_000), "its answer is too long", False),
    ],
)
def test_an_answer_without_a_token_is_an_error_that_names_the_endpoint(answer: tuple[int, Any], text: str, final: bool) -> None:
    async def error(tokens: EndpointTokens) -> TokenError:
        with pytest.raises(TokenError) as caught:
            await tokens.token()
        return caught.value

    found = asked(Endpoint(answer), error)
    assert str(found).startswith("no token: the token endpoint http://127.0.0.1:")
    assert text in str(found)
    assert found.final == final
    assert SECRET not in str(found)


def test_an_endpoint_that_cannot_be_reached_is_an_error_of_the_connection() -> None:
    tokens = tokens_of(load(_flags("http://127.0.0.1:1/token"), {}))

    with pytest.raises(OSError, match=r"no token: the token endpoint http://127\.0\.0\.1:1/token cannot be used"):
        asyncio.run(tokens.token())


def test_the_tokens_of_one_endpoint_are_shared_by_all_clients_and_loops() -> None:
    settings = load(_flags("http://127.0.0.1:1/token"), {})

    assert tokens_of(settings) is tokens_of(settings)
    for _ in range(2):
        with pytest.raises(TokenError):
            asyncio.run(twice(tokens_of(settings)))


def test_no_representation_has_the_secret_or_a_token() -> None:
    async def shown(tokens: EndpointTokens) -> str:
        await tokens.token()
        return f"{tokens!r} {vars(tokens)!r} {tokens_of(load(_flags('http://x/'), {}))!r}"

    text = asked(Endpoint(granted("the-token")), shown)

    assert SECRET not in text
    assert "the-token" not in text


def _of_file(file: Path) -> dict[str, str | None]:
    return {"policies": "batoi", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_file": str(file)}


def test_the_token_of_a_file_is_the_one_that_it_has_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    tokens = tokens_of(load({**_of_file(file), "sasl_oauth_extensions": "logicalCluster=lkc-1, identityPoolId=pool-2"}, {}))

    with pytest.raises(TokenError, match="token cannot be read: No such file"):
        asyncio.run(tokens.token())
    for text in ("first", "second\n"):
        file.write_text(text, "utf-8")
        assert asyncio.run(tokens.token()) == text.strip()
    file.write_text("two words", "utf-8")
    with pytest.raises(TokenError, match="does not have a single bearer token"):
        asyncio.run(tokens.token())
    assert tokens.extensions() == {"logicalCluster": "lkc-1", "identityPoolId": "pool-2"}
