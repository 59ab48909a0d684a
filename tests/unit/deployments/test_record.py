"""Records of deployments: what comes back, and what is refused."""

from __future__ import annotations

import msgspec
import pytest

from stream.deployments import record as module
from stream.deployments.record import (
    FORM,
    DeploymentKind,
    NewerFormError,
    RecordError,
    decode_record,
    encode_record,
    new_record,
)
from stream.deployments.snapshot import decode, fingerprint
from stream.wire.instants import END
from stream.wire.instants import FIRST as FIRST_INSTANT
from tests.unit.deployments.sets import START, target_of, with_target


def test_a_record_comes_back_with_its_set() -> None:
    given = new_record(7, START, DeploymentKind.REJUDGE, with_target("4h"), by="desk-lead", note="4m was a typo")

    back = decode_record(encode_record(given))

    assert back == given
    assert (back.after, back.at, back.kind, back.by, back.note) == (
        7,
        START,
        DeploymentKind.REJUDGE,
        "desk-lead",
        "4m was a typo",
    )
    assert target_of(decode(back.set)) == "4h"
    assert back.fingerprint == fingerprint(with_target("4h"))


def test_the_first_byte_is_the_form() -> None:
    assert encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")))[0] == FORM


def test_a_record_of_a_newer_form_differs_from_a_damaged_one() -> None:
    given = encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")))

    with pytest.raises(NewerFormError, match=f"form {FORM + 1}, and this release reads forms up to {FORM}"):
        decode_record(bytes([FORM + 1]) + given[1:5] + b"whatever")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\0",
        b"\x01",
        b"\x01sla\xb7",
        b"\x01sla\xb7\x80",
        b"\0sla\xb7\x80",
        b"poison",
        b'{"policies": []}',
        b"\xff" * 99,
    ],
)
def test_bytes_that_are_no_record_are_damaged(value: bytes | None) -> None:
    with pytest.raises(RecordError) as caught:
        decode_record(value)

    assert not isinstance(caught.value, NewerFormError)


def test_a_record_cut_short_anywhere_is_damaged() -> None:
    whole = encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")))

    for length in range(len(whole)):
        with pytest.raises(RecordError):
            decode_record(whole[:length])


@pytest.mark.parametrize("at", [-(1 << 63), FIRST_INSTANT - 1, END, (1 << 64) - 1])
def test_a_record_of_an_instant_that_no_ticket_can_have_is_damaged(at: int) -> None:
    given = msgspec.structs.replace(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")), at=at)

    with pytest.raises(RecordError, match="outside the years 1970 to 2199"):
        decode_record(encode_record(given))


def test_a_key_that_a_later_release_adds_is_skipped() -> None:
    given = new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"))
    more = {**msgspec.to_builtins(given, builtin_types=(bytes,)), "ticket": "CHG-1"}

    assert decode_record(encode_record(given)[:5] + msgspec.msgpack.encode(more)) == given


@pytest.mark.parametrize(
    ("by", "note", "message"),
    [
        ("x" * 101, "", "by has 101 characters; at most 100"),
        ("", "x" * 501, "note has 501 characters; at most 500"),
        ("two\nlines", "", "by must be one line"),
        ("", "a bell \a", "note must be one line"),
    ],
)
def test_texts_are_short_and_printable(by: str, note: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"), by=by, note=note)


def test_a_record_that_is_too_large_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)

    with pytest.raises(RecordError, match=r"bytes, and 100 are allowed; remove calendars and policies"):
        encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")))
