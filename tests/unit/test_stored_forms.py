"""Everything that breachwatch stores has a form, releases change forms by one rule, and a newer form is refused by its name."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream import __version__
from stream.deployments import record as deployment
from stream.deployments import snapshot
from stream.notify import memory as notified
from stream.pull import cursor_log
from stream.runtime.abort import abort
from stream.runtime.kafka.topics import Topics
from stream.runtime.recovery import checkpoint, output_recovery
from stream.runtime.recovery.checkpoint import Checkpoint, decode_checkpoint, encode_checkpoint
from stream.sla.codec import codec, layout
from stream.wire.effect import decode_effect
from stream.wire.forms import NewerReleaseError, check_form
from stream.writeback import record as written
from stream.writeback.record import TicketRecord
from stream.writeback.states import States

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
RELEASES: dict[str, dict[str, dict[str, list[int]]]] = json.loads((ROOT / "tests/data/forms.json").read_text("utf-8"))
NOW = {
    "ticket state": [layout.VERSION[0], layout.UNCONFIRMED[0]],
    "checkpoint": [checkpoint.FORM],
    "deployment": [deployment.FORM],
    "set of policies": [snapshot.FORM],
    "position of a feed": [cursor_log.FORM],
    "message that was sent": [notified.FORM],
    "record of writeback": [written.FORM],
}
"""What this release writes."""


def _position(value: bytes) -> Any:
    log = cursor_log.CursorLog({}, Topics("t"), "desk")
    log._take("issues", value)
    return log.positions["issues"]


def _message(value: bytes) -> Any:
    memory = notified.Memory()
    topic = notified.StateTopic("", {}, "notify-state", memory)
    topic._apply([SimpleNamespace(key=b"chat/1", value=value, topic="notify-state", partition=0, offset=0)])
    return memory.get("chat", "1")


def _ticket_record(value: bytes) -> Any:
    states = States({}, "writeback-state")
    states._take("desk/1", value)
    return states.get("desk/1")


JSON_VALUES: list[tuple[str, Callable[[bytes], Any], bytes]] = [
    ("checkpoint", lambda value: decode_checkpoint(value, 3), encode_checkpoint(Checkpoint(7))),
    (
        "position of a feed",
        _position,
        msgspec.json.encode(cursor_log.FeedPosition("desk", "issues", "2026-03-02T09:00:00Z", "7", None, "me")),
    ),
    ("message that was sent", _message, b'{"digest":"ab"}'),
    ("record of writeback", _ticket_record, written.encode(TicketRecord(policy="shop"))),
]


@pytest.mark.parametrize(("name", "read", "value"), JSON_VALUES, ids=[name for name, _, _ in JSON_VALUES])
def test_a_value_of_a_newer_form_is_refused_with_the_release_that_wrote_it_and_what_to_do(
    name: str, read: Callable[[bytes], Any], value: bytes
) -> None:
    form = NOW[name][-1] + 1
    # A newer release may have changed the types of all keys but these two.
    newer = json.dumps({key: [[]] for key in json.loads(value)} | {"form": form, "release": "9.8.7"}).encode()

    with pytest.raises(NewerReleaseError) as refused:
        read(newer)

    text = str(refused.value)
    assert f"has form {form}; breachwatch 9.8.7 wrote it, and this is {__version__}, which reads forms up to {form - 1}" in text
    assert "`pip install breachwatch==9.8.7`" in text
    assert "docs/guides/upgrade.md" in text


@pytest.mark.parametrize(("name", "read", "value"), JSON_VALUES, ids=[name for name, _, _ in JSON_VALUES])
def test_a_key_that_a_newer_release_has_added_within_a_form_is_ignored(
    name: str, read: Callable[[bytes], Any], value: bytes
) -> None:
    more = json.dumps(json.loads(value) | {"added in a later release": {"of": ["any", "type"]}}).encode()

    assert read(more) == read(value), name


def test_a_newer_value_that_does_not_name_its_release_and_bytes_that_state_no_form() -> None:
    with pytest.raises(NewerReleaseError, match=r"a newer breachwatch wrote it, .* `pip install --upgrade breachwatch`"):
        check_form(b'{"form": 2}', 1, "it")
    for hostile in ("1; rm -rf ~", "1\\u001b[2J", "-r evil.txt", "1" * 99):
        with pytest.raises(NewerReleaseError, match=r"a newer breachwatch wrote it, .* `pip install --upgrade breachwatch`"):
            check_form(b'{"form": 2, "release": "%b"}' % hostile.encode(), 1, "it")
    for value in (b"", b"\xff", b"[]", b"{", b'{"form": "x"}', b'{"a": 1}', b"[" * 20_000):
        check_form(value, 1, "it")


def test_a_checkpoint_names_the_release_that_wrote_it() -> None:
    value = encode_checkpoint(Checkpoint(7, input=3, release="0.0.1"))

    assert decode_checkpoint(value, 0) == Checkpoint(7, input=3, release=__version__)


def test_a_checkpoint_from_before_forms_is_of_the_first_form() -> None:
    assert decode_checkpoint(b'{"watermark":5,"outputs":{}}', 0) == Checkpoint(5)


@pytest.mark.parametrize(
    ("checkpoint_", "expected"),
    [
        (Checkpoint(), ""),
        (Checkpoint(partitions=4), ""),
        (Checkpoint(partitions=2), "partition 3 has tickets divided into 2 partitions, and this worker is set to 4"),
        (Checkpoint(moving_to=8, partitions=4), "are being moved to 8 partitions"),
        (Checkpoint(restoring=True), "the tickets of partition 3 are being restored: let `breachwatch restore` finish"),
    ],
)
def test_a_checkpoint_states_why_no_worker_may_take_the_partition_over(checkpoint_: Checkpoint, expected: str) -> None:
    refusal = checkpoint_.refusal(3, 4)

    assert bool(refusal) == bool(expected)
    assert expected in refusal


@pytest.mark.parametrize("newer", [codec.decode, codec.peek])
def test_a_ticket_of_a_newer_layout_is_distinguished_from_a_damaged_one(newer: Callable[[bytes], object]) -> None:
    with pytest.raises(codec.NewerLayoutError):
        newer(bytes([NOW["ticket state"][-1] + 1]) + b"\x90")
    with pytest.raises(codec.CodecError) as damaged:
        newer(b"\x02\x90")
    assert not isinstance(damaged.value, codec.NewerLayoutError)


def test_deployments_of_a_newer_form_are_distinguished_from_damaged_ones() -> None:
    with pytest.raises(deployment.NewerFormError):
        deployment.decode_record(bytes([deployment.FORM + 1]) + b"sla\xb7")
    with pytest.raises(snapshot.NewerSnapshotError):
        snapshot.decode(bytes([snapshot.FORM + 1]))


EFFECT = {
    "id": "0" * 24,
    "type": "commitment.breached",
    "at": "2026-03-02T09:00:00Z",
    "detected_at": "2026-03-02T09:00:00Z",
    "ticket": "desk/1",
    "policy_version": 1,
    "cycle": 1,
    "reason": "target_reached",
    "cause": "timer",
    "elapsed_seconds": 1,
    "paused_seconds": 0,
    "late": False,
}


def test_a_key_that_a_newer_release_has_added_to_effects_is_ignored() -> None:
    assert decode_effect(json.dumps(EFFECT | {"new": [1]}).encode()) == decode_effect(json.dumps(EFFECT).encode())


def test_after_a_rollback_an_effect_of_a_kind_that_this_release_lacks_is_read_back() -> None:
    value = json.dumps(EFFECT | {"type": "commitment.forecast", "reason": "in_the_stars"}).encode()
    outputs: Any = SimpleNamespace(emitted_ids=set(), deployed={}, unconfirmed={}, woken_until={})

    output_recovery._note(outputs, SimpleNamespace(headers=(("ce_id", b"0" * 24),), value=value, key=b"desk/1"))

    assert outputs.emitted_ids == {b"0" * 24}
    assert outputs.woken_until == {b"desk/1": 1_772_442_000_000_000}


def test_the_newest_release_of_the_list_is_this_one() -> None:
    newest = list(RELEASES)[-1]

    assert {name: stored["writes"] for name, stored in RELEASES[newest].items()} == NOW
    assert all(set(stored["writes"]) <= set(stored["reads"]) for stored in RELEASES[newest].values())


def misread(before: dict[str, dict[str, list[int]]], after: dict[str, dict[str, list[int]]]) -> list[str]:
    """What one of two neighbouring releases writes and the other does not read."""
    return [
        name
        for name in before.keys() | after.keys()
        if not set(before.get(name, {}).get("writes", [])) <= set(after.get(name, {}).get("reads", []))
        or not set(after.get(name, {}).get("writes", [])) <= set(before.get(name, {"reads": range(99)})["reads"])
    ]


def test_neighbouring_releases_read_what_the_other_writes() -> None:
    releases = list(RELEASES.values())

    assert [misread(before, after) for before, after in pairwise(releases)] == [[]] * (len(releases) - 1)


def test_a_form_may_be_written_one_release_after_it_is_read() -> None:
    old, reading, writing = (
        {"it": {"writes": writes, "reads": reads}} for writes, reads in [([1], [1]), ([1], [1, 2]), ([2], [1, 2])]
    )

    assert [misread(old, reading), misread(reading, writing), misread({}, old)] == [[], [], []]
    assert [misread(old, writing), misread(writing, old), misread(old, {})] == [["it"], ["it"], ["it"]]


def test_the_guide_has_the_table_of_what_is_stored() -> None:
    page = (ROOT / "docs/guides/upgrade.md").read_text("utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| `([^`]+)` \| (\d+(?:, \d+)*) \|", page, re.MULTILINE)

    assert {name: [int(form) for form in forms.split(", ")] for name, _, forms in rows} == NOW


def test_what_a_newer_release_wrote_ends_a_worker_in_one_line_and_with_status_2(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        abort("on taking partitions over", NewerReleaseError("a newer breachwatch wrote it"))

    (line,) = caplog.records
    assert (ended.value.code, line.exc_info) == (2, None)
    assert line.getMessage() == "stopped at once, on taking partitions over: a newer breachwatch wrote it"
