"""Verifies that a request was sent by the helpdesk that it claims: one verifier, and a table of the schemes of helpdesks.

The raw bytes of the body are signed, never JSON that was written again. Nothing here raises for what a request contains.

Longer than 250 lines because half of it is the table.

Sources: the Standard Webhooks specification (``spec/standard-webhooks.md``), and the documentation of each vendor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from stream.wire.instants import InstantError, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 24 * 60 * _MINUTE


class Refusal(StrEnum):
    """Why a request is refused. Metrics, logs and pages use these words."""

    NO_SECRET = "no_secret"  # noqa: S105  a reason
    """There is no secret that the scheme can use."""
    MISSING = "signature_missing"
    """A header of the signature, or the token, is missing."""
    MALFORMED = "signature_malformed"
    """A header of the signature does not have the form of the scheme."""
    WRONG = "signature_wrong"
    """The signature is not that of the request with any of the secrets."""
    STALE = "timestamp_stale"
    """The signature is older than the scheme tolerates: a request that is sent again."""
    AHEAD = "timestamp_ahead"
    """The time of the signature is further ahead than the scheme tolerates: a clock is wrong."""


class Part(StrEnum):
    """A part of a request that is signed."""

    ID = "id"
    TIMESTAMP = "timestamp"
    METHOD = "method"
    URI = "uri"
    BODY = "body"


class Encoding(StrEnum):
    HEX = "hex"
    BASE64 = "base64"


class TimestampForm(StrEnum):
    S = "s"
    """Seconds since 1970."""
    MS = "ms"
    """Milliseconds since 1970."""
    RFC_3339 = "rfc3339"


class KeyForm(StrEnum):
    """The form of a secret."""

    TEXT = "text"
    """The key itself."""
    WHSEC = "whsec"
    """The key in base64, after ``whsec_`` or alone (Standard Webhooks)."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme of signatures. Without ``digest`` a secret is compared instead, as it is or as a password."""

    name: str
    header: str = ""
    """The header with the signature or the secret; empty: the last part of the path has the secret."""
    digest: str = ""
    encoding: Encoding = Encoding.HEX
    prefix: str = ""
    """The text before the signature in its header."""
    parts: tuple[Part, ...] = (Part.BODY,)
    separator: str = ""
    several: bool = False
    """The header may have several signatures, separated by spaces."""
    id_header: str = ""
    timestamp_header: str = ""
    timestamp_form: TimestampForm = TimestampForm.S
    tolerance: int | None = None
    """The greatest age of a signature, and the greatest lead, in microseconds. ``None``: the timestamp is not compared."""
    key_form: KeyForm = KeyForm.TEXT


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature may cover."""

    raw: bytes
    headers: Mapping[str, str]
    """Names are compared without case."""
    method: str = "POST"
    uri: str = ""
    """The address as the sender wrote it: ``https://host/path?query``. Only ``hubspot`` needs more than the path."""


def _hub(name: str, header: str, digest: str) -> Scheme:
    return Scheme(name, header, digest, prefix=f"{digest}=")


SCHEMES: Final[Mapping[str, Scheme]] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "standard-webhooks",
            "webhook-signature",
            "sha256",
            Encoding.BASE64,
            prefix="v1,",
            parts=(Part.ID, Part.TIMESTAMP, Part.BODY),
            separator=".",
            several=True,
            id_header="webhook-id",
            timestamp_header="webhook-timestamp",
            tolerance=5 * _MINUTE,
            key_form=KeyForm.WHSEC,
        ),
        Scheme(
            "zendesk",
            "x-zendesk-webhook-signature",
            "sha256",
            Encoding.BASE64,
            parts=(Part.TIMESTAMP, Part.BODY),
            timestamp_header="x-zendesk-webhook-signature-timestamp",
            timestamp_form=TimestampForm.RFC_3339,
            tolerance=5 * _MINUTE,
        ),
        Scheme(
            "chatwoot",
            "x-chatwoot-signature",
            "sha256",
            prefix="sha256=",
            parts=(Part.TIMESTAMP, Part.BODY),
            separator=".",
            timestamp_header="x-chatwoot-timestamp",
            tolerance=5 * _MINUTE,
        ),
        # The timestamp is the one of the entry in the queue of GLPI, which a cron job sends late or again.
        Scheme(
            "glpi",
            "x-glpi-signature",
            "sha256",
            parts=(Part.BODY, Part.TIMESTAMP),
            timestamp_header="x-glpi-timestamp",
            tolerance=3 * _DAY,
        ),
        Scheme(
            "hubspot",
            "x-hubspot-signature-v3",
            "sha256",
            Encoding.BASE64,
            parts=(Part.METHOD, Part.URI, Part.BODY, Part.TIMESTAMP),
            timestamp_header="x-hubspot-request-timestamp",
            timestamp_form=TimestampForm.MS,
            tolerance=5 * _MINUTE,
        ),
        _hub("jira", "x-hub-signature", "sha256"),
        _hub("github", "x-hub-signature-256", "sha256"),
        _hub("libredesk", "x-libredesk-signature", "sha256"),
        _hub("zammad", "x-hub-signature", "sha1"),
        _hub("intercom", "x-hub-signature", "sha1"),
        Scheme("helpscout", "x-helpscout-signature", "sha1", Encoding.BASE64),
        Scheme("hmac-sha256", "", "sha256"),
        Scheme("basic", "authorization", prefix="Basic "),
        Scheme("bearer", "authorization", prefix="Bearer "),
        Scheme("header"),
        Scheme("token"),
    )
}

OWN_HEADER: Final = ("hmac-sha256", "header")
"""The schemes for which a mapping must state the header."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MAX_HEADER: Final = 4_096
_MAX_SIGNATURES: Final = 16
_HUBSPOT_DECODES: Final = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def verify(scheme: Scheme, request: SignedRequest, secrets: Sequence[bytes], now: int) -> str | None:
    """``None`` if the request is signed with one of the secrets; else the reason, a ``Refusal``. Never raises.

    ``now`` is in epoch microseconds. Give the old and the new secret while a secret is being replaced.
    """
    try:
        keys = [key for secret in secrets if (key := _key(scheme, secret))]
        if not keys:
            return Refusal.NO_SECRET
        if not scheme.digest:
            return _compare(_presented(scheme, request), keys)
        signatures = _signatures(scheme, _header(request, scheme.header))
        signed = _signed(scheme, request, now)
    except _RefusedError as refused:
        return refused.refusal
    expected = [hmac.new(key, signed, scheme.digest).digest() for key in keys]
    # Each pair is compared, so that the time does not show which secret was right.
    equal = [hmac.compare_digest(one, other) for one in signatures for other in expected]
    return None if any(equal) else Refusal.WRONG


def secret_problem(scheme: Scheme, secret: bytes) -> str | None:
    """Why the scheme cannot use the secret; ``None`` if it can. For a check when a feed is set up."""
    if not secret:
        return "the secret is empty"
    if scheme.name == "basic" and b":" not in secret:
        return "the secret must be user:password"
    if _key(scheme, secret) is None:
        return "the secret must be base64, usually after whsec_"
    return None


def _key(scheme: Scheme, secret: bytes) -> bytes | None:
    if scheme.key_form is KeyForm.TEXT:
        return secret
    try:
        return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return None


def _header(request: SignedRequest, name: str) -> str:
    value = request.headers.get(name)
    if value is None:
        value = next((value for key, value in request.headers.items() if key.lower() == name.lower()), None)
    if not value:
        raise _RefusedError(Refusal.MISSING)
    if len(value) > _MAX_HEADER:
        raise _RefusedError(Refusal.MALFORMED)
    return value


def _signatures(scheme: Scheme, header: str) -> list[bytes]:
    """The signatures of a header that have the form of the scheme. Those of other versions are passed over."""
    texts = header.split(" ") if scheme.several else [header.strip()]
    texts = [text.removeprefix(scheme.prefix) for text in texts if text.startswith(scheme.prefix)]
    found = [signature for text in texts[:_MAX_SIGNATURES] if (signature := _decoded(scheme, text))]
    if not found:
        raise _RefusedError(Refusal.MALFORMED)
    return found


def _decoded(scheme: Scheme, text: str) -> bytes | None:
    """The bytes of a signature; ``None`` if it does not have the form and length of the scheme."""
    try:
        if scheme.encoding is Encoding.HEX:
            signature = bytes.fromhex(text) if text.isalnum() else b""
        else:
            signature = base64.b64decode(text) if _BASE64.fullmatch(text) else b""
    except (ValueError, binascii.Error):
        return None
    return signature if len(signature) == hashlib.new(scheme.digest).digest_size else None


def _signed(scheme: Scheme, request: SignedRequest, now: int) -> bytes:
    separator = scheme.separator.encode()
    return separator.join(_PARTS[part](scheme, request, now) for part in scheme.parts)


def _timestamp(scheme: Scheme, request: SignedRequest, now: int) -> bytes:
    text = _header(request, scheme.timestamp_header)
    age = now - _instant(scheme.timestamp_form, text)
    if scheme.tolerance is not None and abs(age) > scheme.tolerance:
        raise _RefusedError(Refusal.STALE if age > 0 else Refusal.AHEAD)
    return _bytes(text)


def _instant(form: TimestampForm, text: str) -> int:
    if form is TimestampForm.RFC_3339:
        try:
            return parse_instant(text)
        except InstantError as error:
            raise _RefusedError(Refusal.MALFORMED) from error
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise _RefusedError(Refusal.MALFORMED)
    return int(text) * (_SECOND if form is TimestampForm.S else _SECOND // 1_000)


_PARTS: Final[Mapping[Part, Callable[[Scheme, SignedRequest, int], bytes]]] = {
    Part.ID: lambda scheme, request, _: _bytes(_header(request, scheme.id_header)),
    Part.TIMESTAMP: _timestamp,
    Part.METHOD: lambda _scheme, request, _now: _bytes(request.method),
    Part.URI: lambda _scheme, request, _now: _bytes(_HUBSPOT_DECODES.sub(lambda found: unquote(found[0]), request.uri)),
    Part.BODY: lambda _scheme, request, _now: request.raw,
}


def _bytes(text: str) -> bytes:
    """The bytes that were received for a text of a header: HTTP servers decode them with ``surrogateescape``."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _RefusedError(Refusal.MALFORMED) from error


def _presented(scheme: Scheme, request: SignedRequest) -> bytes:
    """The secret that a request presents."""
    if not scheme.header:
        try:
            token = urlsplit(request.uri).path.rpartition("/")[2]
        except ValueError as error:
            raise _RefusedError(Refusal.MALFORMED) from error
        if not token:
            raise _RefusedError(Refusal.MISSING)
        return _bytes(unquote(token))
    value = _header(request, scheme.header)
    if value[: len(scheme.prefix)].lower() != scheme.prefix.lower():
        raise _RefusedError(Refusal.MALFORMED)
    value = value[len(scheme.prefix) :].strip()
    if scheme.name != "basic":
        return _bytes(value)
    if not _BASE64.fullmatch(value):
        raise _RefusedError(Refusal.MALFORMED)
    try:
        return base64.b64decode(value)
    except binascii.Error as error:
        raise _RefusedError(Refusal.MALFORMED) from error


def _compare(presented: bytes, secrets: Sequence[bytes]) -> str | None:
    equal = [hmac.compare_digest(presented, secret) for secret in secrets]
    return None if any(equal) else Refusal.WRONG
