from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.sla.codec import codec, layout
from stream.sla.events import ATTRIBUTES, Event
from stream.sla.policy.terms import CommitmentTerms, EscalationTerms
from stream.sla.ticket import names as stored_names
from stream.sla.ticket.history import packed
from stream.sla.ticket.listing import UNMATCHED, lists_of, lists_of_summary
from stream.sla.ticket.state import State, Ticket, is_deleted, open_commitments
from tests.unit.sla.given import HOUR, Life, changed, commented, commitment, created, ladder, policy_set, share, used

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = policy_set(
    commitment("resolution", share(50)), commitment("first_response"), ladders=(ladder(("team", used("2h"))),)
)
WRITTEN = json.loads((Path(__file__).parent / "golden/states.json").read_text("utf-8"))
"""States as a release wrote them, with what they hold. These bytes stay readable."""


def plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_state_comes_back_as_it_was() -> None:
    life = Life(POLICIES, history=3).event(created(0))
    for hour, event in enumerate([commented(HOUR), changed(2 * HOUR, status="pending"), changed(3 * HOUR, status="open")], 5):
        life.event(event).wake(hour * HOUR)
        assert life.state is not None
        assert codec.decode(codec.encode(life.state)) == life.state


def test_the_same_state_has_the_same_bytes() -> None:
    one, other = Life(POLICIES).event(created(0)), Life(POLICIES).event(created(0))
    assert one.state is not None
    assert other.state is not None
    assert codec.encode(one.state) == codec.encode(other.state)


def test_a_state_that_was_read_is_written_as_it_stood_there() -> None:
    life = Life(POLICIES).event(created(0)).event(commented(HOUR))
    assert life.state is not None
    data = codec.encode(life.state)
    assert codec.encode(codec.decode(data)) == data


def test_parts_of_a_ticket_keep_their_bytes_until_an_event_or_time_changes_one() -> None:
    life = Life(POLICIES).event(created(0)).event(changed(HOUR // 2, colour="red"))
    assert life.state is not None
    codec.encode(life.state)
    written = life.state.head.stored

    life.event(changed(HOUR, colour="blue"))
    assert written is not None
    assert life.state.head.stored is written
    assert codec.decode(codec.encode(life.state)).head.stored == written

    life = life.wake(1_000 * HOUR)
    assert life.state is not None
    assert life.state.head.stored is None
    codec.encode(life.state)
    life.event(changed(1_001 * HOUR, status="solved"))
    assert life.state.head.stored is None
    assert codec.decode(codec.encode(life.state)) == life.state


def test_an_open_ticket_of_ordinary_length_takes_little_more_than_half_a_kibibyte() -> None:
    start = 1_790_000_000 * 1_000_000
    life = Life(POLICIES).event(created(start, customer="acme", team="network", channel="chat", contract="gold"))
    for hour, status in enumerate(["open", "pending"], 1):
        life.event(changed(start + hour * HOUR, status=status)).event(commented(start + hour * HOUR + 1))
    assert life.state is not None
    assert len(codec.encode(life.state)) < 540


def test_every_part_of_every_event_is_kept() -> None:
    events = [
        Event(7, "a", "ticket.created", "desk", fields={"tags": ["x", "y"], "priority": "p1", "of our own": ""}),
        Event(7, "b", "comment.added", "chat", 3, "bot", public=True),
        Event(9, "c", "escalation.requested", "desk", actor="customer", level="manager", impact="production"),
        Event(9, "d", "extension.granted", "desk", actor="agent", commitment="resolution", by="1d"),
        Event(10, "e", "dependency.started", "desk", party="vendor"),
        Event(11, "f", "ticket.merged", "chat", into="g", fields={"status": "closed"}),
        Event(11, "f", "ticket.restored", "chat", 1),
    ]
    state = State(Ticket("T", last=events[-1].place), packed(events))

    assert state.history == codec.decode(codec.encode(state)).history == events


def test_a_state_whose_old_events_are_arriving_comes_back_as_it_was_and_a_peek_sees_when_it_settles() -> None:
    life = Life(POLICIES).event(created(0), arrived=2 * HOUR - 1).event(commented(HOUR), arrived=2 * HOUR)
    state = life.state
    assert state is not None

    again = codec.decode(codec.encode(state))

    assert again == state
    assert (again.settling, again.head.next) == (state.settling, state.head.next)
    assert [event.arrived for event in again.history] == [2 * HOUR - 1, 2 * HOUR]
    assert codec.peek(codec.encode(state)) == (state.wake_at, None, open_commitments(state), False, False)


@pytest.mark.parametrize("written", WRITTEN, ids=[written["state"] for written in WRITTEN])
def test_a_state_reads_as_it_did_when_it_was_written(written: dict[str, Any]) -> None:
    data = b64decode(written["bytes"])

    state = codec.decode(data)

    assert plain(state.head.parts()) == written["parts"]
    assert plain(None if state.base is None else state.base.parts()) == written["base"]
    events = plain([dict(zip(ATTRIBUTES, event.values(), strict=True)) for event in state.history])
    assert [event | known for event, known in zip(events, written["history"], strict=True)] == events
    assert plain((state.old_ids, state.revisions)) == [written["old_ids"], written["revisions"]]


@pytest.mark.parametrize("written", WRITTEN, ids=[written["state"] for written in WRITTEN])
def test_a_peek_sees_what_decoding_would(written: dict[str, Any]) -> None:
    data = b64decode(written["bytes"])
    state = codec.decode(data)
    ended = state.head.last[0] if written["closed"] and state.head.last else None

    seen = codec.peek(data)

    assert codec.encode(state) == data
    assert seen == (state.wake_at, state.ended, open_commitments(state), lists_of(state) == UNMATCHED, is_deleted(state))
    assert lists_of_summary(seen.open_commitments, unmatched=seen.unmatched) == lists_of(state)
    open_ = [one._asdict() for one in seen.open_commitments]
    assert [one | known for one, known in zip(open_, written["open_commitments"], strict=True)] == open_
    assert (seen.wake_at, seen.ended) == (written["wake_at"], ended)


def test_names_that_nobody_knew_before_are_in_the_bytes_and_not_in_the_memory_of_the_program() -> None:
    life = Life(POLICIES).event(created(0, shoe_size="44"))
    assert life.state is not None
    data = codec.encode(life.state)

    stored_names.clear_caches()

    assert codec.decode(data) == life.state
    assert codec.peek(data).open_commitments == open_commitments(life.state)


def test_however_many_names_there_are_only_so_many_are_remembered() -> None:
    lists = [(f"field {number}",) for number in range(10_100)]
    data = [stored_names.pack_names(names) for names in lists]

    assert [stored_names.unpack_names(one) for one in data] == lists
    assert len(stored_names._bytes_of_names) <= 10_000
    assert len(stored_names._names_of_bytes) <= 10_000


@pytest.mark.parametrize("data", [b"", b"\x03abc", b"\x02\xc1", b"\x02\x90"])
def test_bytes_that_are_no_state_are_an_error_that_names_the_state(data: bytes) -> None:
    with pytest.raises(codec.CodecError, match="ticket state"):
        codec.decode(data)
    with pytest.raises(codec.CodecError, match="ticket state"):
        codec.peek(data)


def test_a_state_that_was_cut_off_anywhere_is_an_error() -> None:
    life = Life(POLICIES).event(created(0)).event(commented(HOUR))
    assert life.state is not None
    data = codec.encode(life.state)
    for length in range(len(data)):
        with pytest.raises(codec.CodecError, match="ticket state"):
            codec.decode(data[:length])


def test_a_frame_that_speaks_of_more_than_the_numbers_have_is_an_error() -> None:
    life = Life(POLICIES).event(created(0))
    assert life.state is not None
    head = life.state.head
    parts = msgspec.msgpack.decode(layout._parts(head))
    head.stored = msgspec.msgpack.encode([*parts[:2], parts[2][:-1], *parts[3:]])

    with pytest.raises(codec.CodecError, match="cannot read"):
        codec.decode(codec.encode(life.state))


def test_a_state_of_a_newer_version_is_refused_with_its_version_and_ours() -> None:
    with pytest.raises(codec.NewerLayoutError) as refused:
        codec.decode(b"\x04\x05")

    assert str(refused.value) == (
        "cannot read a ticket state of version 4; this breachwatch reads versions 2 and 3. A newer breachwatch wrote it."
    )


@pytest.mark.parametrize("read", [codec.decode, codec.peek])
def test_a_state_of_0_1_0_is_refused_with_what_to_do(read: Callable[[bytes], object]) -> None:
    with pytest.raises(codec.CodecError) as refused:
        read(b"\x01\x92\x96")

    assert str(refused.value) == (
        "cannot read a ticket state of version 1; this breachwatch reads versions 2 and 3. "
        "breachwatch 0.1.0 or older wrote it: give all workers a new app_id, and they read the events anew."
    )


METRICS = [
    "resolution",
    "resolution#84f237",
    "resolution#000000",
    "of our own#0a0b0c",
    "p/lead#565aa1",
    "p/lead",
    "gone/lead#565aa1",
    "#565aa1",
    "resolution#84F237",
    "resolution#84f2 7",
    "resolution#84f2",
    "a#b#84f237",
    "",
]


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_of_any_name_comes_back_whatever_refers_to_it(metric: str) -> None:
    mine = CommitmentTerms.of("p", 1, metric, "24x7", True, 4 * HOUR)
    other = CommitmentTerms.of("p", 1, "no stopwatch#123456", "24x7", True, None)
    ladders = (("lead", EscalationTerms.of("p", 1, metric)), ("second", EscalationTerms.of("q", 2, "first_response")))
    keys = (("first_response", metric), (("mine", mine), ("other", other)), ladders)

    data = stored_names.pack_keys(keys)
    stored_names.clear_caches()

    assert stored_names.unpack_keys(data) == keys
    assert stored_names.target_keys(data) == (("mine", "p", 0, 1),)


@pytest.mark.parametrize("metric", ["resolution#84f237", "p/lead#84f237"])
def test_a_metric_of_a_policy_file_costs_its_digest_and_not_its_name(metric: str) -> None:
    def size(metric: str) -> int:
        mine, lead = CommitmentTerms.of("p", 1, metric, "24x7", True, 4 * HOUR), EscalationTerms.of("p", 1, metric)
        return len(stored_names.pack_keys(((metric,), (("mine", mine),), (("lead", lead),))))

    assert size(metric) - size(metric.partition("#")[0]) == 3


def test_the_clock_of_a_commitment_is_written_as_a_number_by_the_interpreter_too() -> None:
    life = Life(POLICIES).event(created(0))
    assert life.state is not None
    terms = [(name, state.terms) for name, state in life.state.head.commitments.items()]
    stored_names.clear_caches()

    *_, commitments, _ladders = msgspec.msgpack.decode(stored_names.pack_keys((("resolution",), tuple(terms), ())))

    assert [type(clock) for *_, clock, _target in commitments] == [int, int]


def test_digests_of_another_length_than_the_metrics_have_are_an_error() -> None:
    metrics: stored_names.StateKeys = (("resolution#84f237",), (), ())
    own, numbers, digests, *more = msgspec.msgpack.decode(stored_names.pack_keys(metrics))

    for wrong in (digests + b"1", digests[1:], b""):
        with pytest.raises(IndexError, match="digests"):
            stored_names.unpack_keys(msgspec.msgpack.encode([own, numbers, wrong, *more]))


def test_a_peek_sees_for_whom_a_commitment_is_open() -> None:
    life = Life(POLICIES).event(created(0, team="cloud", customer="acme"))
    assert life.state is not None

    opened = codec.peek(codec.encode(life.state)).open_commitments

    assert opened == open_commitments(life.state) != []
    assert {(one.priority, one.team, one.customer) for one in opened} == {("p1", "cloud", "acme")}
