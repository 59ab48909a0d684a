"""The questions of senders before they send payloads."""

from __future__ import annotations

import hmac
import json

from stream.feeds.signature import SCHEMES
from stream.gateway.feed import Feed
from tests.unit.gateway.served import JSON, Desk, event

SECRET = b"a secret of GLPI"
TEXT = b"validate_cra_challenge"


def digest(text: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, text, "sha256").hexdigest()


def glpi(*secrets: bytes) -> Desk:
    return Desk(Feed("glpi", None, SCHEMES["glpi"], secrets or (SECRET,)))


def test_a_sender_of_cloud_events_may_send_from_its_origin() -> None:
    answer = Desk().request(headers={"webhook-request-origin": "eventgrid.azure.net"}, method="OPTIONS")

    assert answer.status == 200
    assert dict(answer.headers)["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert dict(answer.headers)["WebHook-Allowed-Rate"] == "*"


def test_an_origin_that_is_no_header_value_is_refused() -> None:
    for origin in ("", "a\x01b", "ü", "x" * 300):
        assert Desk().request(headers={"webhook-request-origin": origin}, method="OPTIONS").status == 405


def test_glpi_finds_that_the_secret_is_known() -> None:
    token = digest(TEXT)

    answer = glpi(b"a newer secret", SECRET).request(path="/feeds/glpi", method="GET", query=f"crc_token={token}")

    assert (answer.status, answer.body.decode()) == (200, digest(token.encode()))


def test_nothing_but_the_challenge_of_glpi_is_signed() -> None:
    payload = json.dumps(event()).encode() + b"1798794000"

    for query in (
        f"crc_token={payload.decode()}",
        f"crc_token={digest(b'x')}",
        "crc_token=",
        "",
        f"crc_token={digest(TEXT)}&" * 2,
        "&" * 99,
    ):
        assert glpi().request(path="/feeds/glpi", method="GET", query=query).status == 405
    other = Desk(Feed("glpi", None, SCHEMES["zendesk"], (SECRET,)))
    assert other.request(path="/feeds/glpi", method="GET", query=f"crc_token={digest(TEXT)}").status == 405


def test_a_sender_may_ask_whether_there_is_a_feed() -> None:
    assert Desk().request(method="HEAD").status == 200
    assert Desk().request(method="HEAD", path="/feeds/none").status == 404


def test_a_question_is_no_request_of_the_feed() -> None:
    desk = Desk()
    desk.request(method="HEAD")

    assert desk.recorder.recent.of("app") == []
    assert desk.request(json.dumps(event()).encode(), JSON).status == 401
