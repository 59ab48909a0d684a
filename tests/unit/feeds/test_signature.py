"""The signatures of helpdesks, over the raw bytes of a request."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.feeds.signature import SCHEMES, Refusal, SignedRequest, secret_problem, verify

if TYPE_CHECKING:
    from stream.feeds.signature import Scheme

BODY = '{"ticket": 7, "text": "Grüße"}'.encode()
SECOND = 1_000_000
AT = 1_795_917_672
NOW = AT * SECOND
SECRET = b"a secret"
WHSEC = b"whsec_" + base64.b64encode(b"the key of the webhook")


def mac(signed: bytes, digest: str = "sha256", key: bytes = SECRET) -> bytes:
    return hmac.new(key, signed, digest).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


HOOK = {"webhook-id": "msg-1", "webhook-timestamp": str(AT)}
STANDARD = b64(mac(f"msg-1.{AT}.".encode() + BODY, key=b"the key of the webhook"))
ISO = "2026-11-29T02:01:12Z"
URI = "https://desk.example/feeds/hub?a=1"

# Each as the documentation of the vendor describes it, computed here anew.
GOOD: dict[str, tuple[SignedRequest, bytes]] = {
    "standard-webhooks": (SignedRequest(BODY, {**HOOK, "webhook-signature": f"v1,{STANDARD}"}), WHSEC),
    "zendesk": (
        SignedRequest(
            BODY,
            {
                "X-Zendesk-Webhook-Signature": b64(mac(ISO.encode() + BODY)),
                "X-Zendesk-Webhook-Signature-Timestamp": ISO,
            },
        ),
        SECRET,
    ),
    "jira": (SignedRequest(BODY, {"X-Hub-Signature": "sha256=" + mac(BODY).hex()}), SECRET),
    "github": (SignedRequest(BODY, {"X-Hub-Signature-256": "sha256=" + mac(BODY).hex()}), SECRET),
    "zammad": (SignedRequest(BODY, {"X-Hub-Signature": "sha1=" + mac(BODY, "sha1").hex()}), SECRET),
    "intercom": (SignedRequest(BODY, {"X-Hub-Signature": "sha1=" + mac(BODY, "sha1").hex()}), SECRET),
    "chatwoot": (
        SignedRequest(
            BODY,
            {"X-Chatwoot-Timestamp": str(AT), "X-Chatwoot-Signature": "sha256=" + mac(f"{AT}.".encode() + BODY).hex()},
        ),
        SECRET,
    ),
    "glpi": (
        SignedRequest(BODY, {"X-GLPI-timestamp": str(AT), "X-GLPI-signature": mac(BODY + str(AT).encode()).hex()}),
        SECRET,
    ),
    "libredesk": (SignedRequest(BODY, {"X-Libredesk-Signature": "sha256=" + mac(BODY).hex()}), SECRET),
    "hubspot": (
        SignedRequest(
            BODY,
            {
                "X-HubSpot-Request-Timestamp": f"{AT}000",
                "X-HubSpot-Signature-v3": b64(mac(b"POST" + URI.encode() + BODY + f"{AT}000".encode())),
            },
            "POST",
            URI,
        ),
        SECRET,
    ),
    "helpscout": (SignedRequest(BODY, {"X-HelpScout-Signature": b64(mac(BODY, "sha1"))}), SECRET),
    "hmac-sha256": (SignedRequest(BODY, {"X-Own": mac(BODY).hex()}), SECRET),
    "basic": (SignedRequest(BODY, {"Authorization": "Basic " + b64(b"desk:a secret")}), b"desk:a secret"),
    "bearer": (SignedRequest(BODY, {"Authorization": "Bearer a secret"}), SECRET),
    "header": (SignedRequest(BODY, {"X-Own": "a secret"}), SECRET),
    "token": (SignedRequest(BODY, {}, "POST", "/feeds/desk/a%20secret?x=1"), SECRET),
}


def scheme_of(name: str) -> Scheme:
    return replace(SCHEMES[name], header="x-own") if name in {"hmac-sha256", "header"} else SCHEMES[name]


def test_every_scheme_has_an_example() -> None:
    assert GOOD.keys() == SCHEMES.keys()


@pytest.mark.parametrize("name", SCHEMES)
def test_a_request_that_is_signed_with_one_of_the_secrets_is_good(name: str) -> None:
    request, secret = GOOD[name]

    assert verify(scheme_of(name), request, [secret], NOW) is None
    assert verify(scheme_of(name), request, [b"b2xk", secret], NOW) is None, "while a secret is replaced"


@pytest.mark.parametrize("name", SCHEMES)
def test_a_request_with_another_secret_is_refused(name: str) -> None:
    assert verify(scheme_of(name), GOOD[name][0], [b"b2xk", b"bmV3"], NOW) == Refusal.WRONG


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.digest])
def test_a_changed_body_is_refused(name: str) -> None:
    request, secret = GOOD[name]

    assert verify(scheme_of(name), replace(request, raw=BODY + b" "), [secret], NOW) == Refusal.WRONG


@pytest.mark.parametrize("name", SCHEMES)
def test_without_a_secret_nothing_is_good(name: str) -> None:
    assert verify(scheme_of(name), GOOD[name][0], [], NOW) == Refusal.NO_SECRET
    assert verify(scheme_of(name), GOOD[name][0], [b""], NOW) == Refusal.NO_SECRET


@pytest.mark.parametrize("name", SCHEMES)
def test_a_request_without_its_headers_is_refused(name: str) -> None:
    request, secret = GOOD[name]

    assert verify(scheme_of(name), SignedRequest(request.raw, {}), [secret], NOW) == Refusal.MISSING
    for missing in request.headers:
        fewer = {key: value for key, value in request.headers.items() if key != missing}
        assert verify(scheme_of(name), replace(request, headers=fewer), [secret], NOW) == Refusal.MISSING


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.tolerance])
def test_a_signature_is_refused_when_it_is_too_old_or_too_far_ahead(name: str) -> None:
    (request, secret), scheme = GOOD[name], scheme_of(name)
    assert scheme.tolerance is not None

    assert verify(scheme, request, [secret], NOW + scheme.tolerance) is None
    assert verify(scheme, request, [secret], NOW + scheme.tolerance + 1) == Refusal.STALE
    assert verify(scheme, request, [secret], NOW - scheme.tolerance - 1) == Refusal.AHEAD


def test_a_repeated_delivery_of_glpi_is_good_for_days() -> None:
    request, secret = GOOD["glpi"]

    assert verify(SCHEMES["glpi"], request, [secret], NOW + 2 * 86_400 * SECOND) is None


def test_one_of_several_signatures_suffices_and_other_versions_are_passed_over() -> None:
    several = f"v1a,{STANDARD} v1,{b64(mac(b'other'))} v1,{STANDARD}"

    assert (
        verify(SCHEMES["standard-webhooks"], SignedRequest(BODY, {**HOOK, "webhook-signature": several}), [WHSEC], NOW) is None
    )


# A vector of the reference libraries of Standard Webhooks, and what they do with changes of it.
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_SECRET = b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_BODY = b'{"test": 2432232314}'


@pytest.mark.parametrize(
    ("changed", "later", "expected"),
    [
        ({}, 0, None),
        ({}, 300, None),
        ({}, 301, Refusal.STALE),
        ({}, -301, Refusal.AHEAD),
        ({"webhook-id": "msg_other"}, 0, Refusal.WRONG),
        ({"webhook-timestamp": "1614265331"}, 0, Refusal.WRONG),
        ({"webhook-id": ""}, 0, Refusal.MISSING),
        ({"webhook-signature": "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= " + VECTOR["webhook-signature"]}, 0, None),
        ({"webhook-signature": "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="}, 0, Refusal.WRONG),
        ({"webhook-signature": VECTOR["webhook-signature"].replace("v1", "v2")}, 0, Refusal.MALFORMED),
    ],
)
@pytest.mark.parametrize("prefix", [b"", b"whsec_"])
def test_the_vector_of_standard_webhooks(prefix: bytes, changed: dict[str, str], later: int, expected: str | None) -> None:
    request = SignedRequest(VECTOR_BODY, VECTOR | changed)
    now = (1_614_265_330 + later) * SECOND

    assert verify(SCHEMES["standard-webhooks"], request, [prefix + VECTOR_SECRET], now) == expected


@pytest.mark.parametrize(
    "signature",
    [
        "v1",
        "v1,",
        STANDARD,
        f"v2,{STANDARD}",
        "v1,!!!",
        f"v1,{STANDARD[:-2]}",
        "v1,ä",
        " ",
        ",",
        f"V1,{STANDARD}",
        "v1," + "A" * 5_000,
    ],
)
def test_a_malformed_signature_is_refused_as_such(signature: str) -> None:
    request = SignedRequest(BODY, {**HOOK, "webhook-signature": signature})

    assert verify(SCHEMES["standard-webhooks"], request, [WHSEC], NOW) == Refusal.MALFORMED


@pytest.mark.parametrize("timestamp", ["now", "1.5", "-5", "²", "9" * 17, "١٢", " 5", "0x5"])
def test_a_malformed_timestamp_is_refused_as_such(timestamp: str) -> None:
    headers = {**HOOK, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{STANDARD}"}

    assert verify(SCHEMES["standard-webhooks"], SignedRequest(BODY, headers), [WHSEC], NOW) == Refusal.MALFORMED


@settings(deadline=None)
@given(
    st.sampled_from(sorted(SCHEMES)),
    st.binary(max_size=20),
    st.lists(st.text(st.characters(codec=None), max_size=30), min_size=4, max_size=4),
    st.lists(st.binary(max_size=12), max_size=3),
)
def test_no_header_address_body_or_secret_raises(name: str, body: bytes, texts: list[str], secrets: list[bytes]) -> None:
    request, _ = GOOD[name]
    headers = dict(zip(request.headers, texts, strict=False))

    for uri in (texts[3], "http://[", URI):
        assert verify(scheme_of(name), SignedRequest(body, headers, texts[2], uri), secrets, NOW) in {None, *Refusal}


def test_the_address_that_hubspot_signs_has_its_escapes_decoded() -> None:
    uri = "https://desk.example/feeds/hub%3Aone?x=%2540%40&y=%20"
    decoded = "https://desk.example/feeds/hub:one?x=%2540@&y=%20"
    signed = b64(mac(b"POST" + decoded.encode() + BODY + f"{AT}000".encode()))
    request = SignedRequest(BODY, {"x-hubspot-request-timestamp": f"{AT}000", "x-hubspot-signature-v3": signed}, "POST", uri)

    assert verify(SCHEMES["hubspot"], request, [SECRET], NOW) is None


@pytest.mark.parametrize(
    ("name", "secret", "problem"),
    [
        ("jira", b"", "empty"),
        ("basic", b"password", "user:password"),
        ("standard-webhooks", b"not base64!", "base64"),
        ("standard-webhooks", WHSEC, None),
        ("basic", b"desk:password", None),
        ("token", b"x", None),
    ],
)
def test_a_secret_is_checked_when_a_feed_is_set_up(name: str, secret: bytes, problem: str | None) -> None:
    found = secret_problem(SCHEMES[name], secret)

    assert (found is None) if problem is None else (found is not None and problem in found)


def test_the_digests_are_those_of_the_documentation() -> None:
    assert {scheme.digest for scheme in SCHEMES.values()} <= {"", *hashlib.algorithms_guaranteed}
