"""A ticket's state and its effects have a largest size, whatever valid events it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from stream.language.policies import check
from stream.sla.calendar.calendar import always
from stream.sla.calendar.duration import Clock
from stream.sla.codec import codec
from stream.sla.correction import Correction, difference
from stream.sla.effects import Reason
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.step import Outcome
from stream.sla.ticket.bounds import (
    MOST_EFFECT,
    MOST_HISTORY,
    MOST_LIST,
    MOST_PARTIES,
    MOST_REVISIONS,
    MOST_STATE,
    MOST_TEXT,
    bounded_event,
    bounded_name,
)
from stream.sla.ticket.stopwatch import Stopwatch
from stream.wire.effect import encode_effect

if TYPE_CHECKING:
    from pathlib import Path

    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State

POLICY = """
metrics:
  approval:
    starts: ticket_created
    stops: {approval: granted}
    pauses: {status: [pending]}
policies:
  - policy: support
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: first_response, target: 1h, warn_at: 50%}
      - {metric: resolution, target: {p1: 4h, default: 2d}, warn_at: 75%}
      - {metric: approval, target: 1d}
      - {metric: agent_work, target: 9h, when: {region: [south, north]}}
    escalations:
      - ladder: management
        kind: hierarchical
        on: resolution
        levels:
          - {level: lead, notify: [team-lead], at: 100%}
"""
SECOND = 1_000_000
START = 1_800_000_000 * SECOND


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path: Path = tmp_path_factory.mktemp("policies") / "policy.yaml"
    path.write_text(POLICY)
    found = check([path])
    assert found.policies is not None, found
    return Engine(found.policies, keep=None)


def changed(number: int, fields: dict[str, str | list[str]], at: int | None = None) -> Event:
    type_ = "ticket.changed" if number else "ticket.created"
    return Event(START + SECOND * (number if at is None else at), f"e{number}", type_, "desk", 0, "agent", fields)  # type: ignore[arg-type]


def applied(engine: Engine, events: list[Event]) -> tuple[State, list[Effect]]:
    state: State | None = None
    effects: list[Effect] = []
    for event in events:
        step = engine.apply(state, "desk/1", event, event.at)
        state = step.state
        effects += step.effects
        assert len(codec.encode(state)) <= MOST_STATE
    assert state is not None
    for effect in effects:
        assert len(encode_effect(effect)) <= MOST_EFFECT
    return state, effects


@pytest.mark.parametrize(
    ("events", "fields", "characters"),
    [(18, 62, 1000), (190, 40, 130), (250, 64, 256), (250, 64, 257), (60, 64, 1024), (1_000, 24, 250)],
)
@pytest.mark.parametrize("character", ["x", "\u0001", "😀"])
def test_many_long_fields_in_every_event_leave_a_record_that_kafka_takes(
    engine: Engine, events: int, fields: int, characters: int, character: str
) -> None:
    def full(number: int) -> Event:
        text = f"{number}{character * characters}"[:characters]
        return changed(number, {"status": "open", **{f"custom_{of}": text for of in range(fields)}})

    applied(engine, [full(number) for number in range(events)])


def test_ever_new_names_of_fields_leave_a_record_that_kafka_takes(engine: Engine) -> None:
    state, _ = applied(engine, [changed(number, {f"{number}-{of}": "v" * 50 for of in range(60)}) for number in range(300)])
    assert len(codec.encode(state)) < 2 * MOST_HISTORY


def test_two_hundred_and_fifty_six_long_tags_leave_a_record_that_kafka_takes(engine: Engine) -> None:
    applied(
        engine, [changed(number, {"tags": [f"{number}{of}".ljust(1024, "ü") for of in range(256)]}) for number in range(40)]
    )


def test_parties_with_long_names_leave_a_record_that_kafka_takes(engine: Engine) -> None:
    def waits(number: int) -> Event:
        party = f"{number}".ljust(256, "😀")
        return Event(START + number * SECOND, f"e{number}", "dependency.started", "desk", party=party)

    events = [changed(0, {}), *map(waits, range(1, 400))]
    state, _ = applied(engine, events)
    assert len(state.head.parties) == MOST_PARTIES


def test_a_third_party_with_a_long_name_is_known_when_it_has_delivered(engine: Engine) -> None:
    party = "ü" * 256
    started = Event(START + SECOND, "e1", "dependency.started", "desk", party=party)
    state, _ = applied(engine, [changed(0, {}), started])
    assert state.head.fields["@dependency"] == "yes"
    ended = Event(START + 2 * SECOND, "e2", "dependency.ended", "desk", party=party)
    state, _ = applied(engine, [changed(0, {}), started, ended])
    assert state.head.fields["@dependency"] == ""


def test_ids_of_the_greatest_length_leave_a_record_that_kafka_takes(engine: Engine) -> None:
    def named(number: int) -> Event:
        id_, source = f"{number}".ljust(256, "😀"), f"s{number}".ljust(256, "😀")
        return Event(START + number * SECOND, id_, "comment.added", source, public=True, actor="agent")

    events = [named(number) for number in range(1_500)]
    state, _ = applied(engine, events)
    again = engine.apply(state, "desk/1", events[1_000], START)
    assert again.outcome is Outcome.DUPLICATE, "a repetition of an event beyond the history is known by its digest"


def test_a_long_text_in_a_field_that_a_policy_reads_differs_from_every_other(engine: Engine) -> None:
    read = engine.deployments.timeline.read
    one = bounded_event(changed(1, {"region": "south" + "x" * 1000}), read).fields["region"]
    other = bounded_event(changed(1, {"region": "south" + "x" * 999 + "y"}), read).fields["region"]
    assert one != other
    assert one == bounded_event(changed(2, {"region": "south" + "x" * 1000}), read).fields["region"]
    assert len(one) == MOST_TEXT
    assert str(one).startswith("southx")


def test_a_bounded_event_is_not_bounded_any_further(engine: Engine) -> None:
    read = engine.deployments.timeline.read
    event = changed(1, {"region": "ü" * 1000, "tags": ["t" * 500] * 100, **{f"f{n}": "v" * 200 for n in range(60)}})
    once = bounded_event(event, read)
    assert bounded_event(once, read) == once


def test_a_field_that_the_operator_names_is_kept_while_there_is_room(engine: Engine) -> None:
    state, _ = applied(engine, [changed(0, {"product": "printer", "notes": "n" * 1000, "region": "south"})])
    assert state.head.fields["product"] == "printer"
    assert "notes" not in state.head.fields
    assert state.head.fields["region"] == "south"


def test_a_read_field_is_kept_where_others_take_all_the_room(engine: Engine) -> None:
    crowd = {f"f{number}": "v" * 250 for number in range(63)}
    state, _ = applied(engine, [changed(0, {**crowd, "region": "south"}), changed(1, {"approval": "asked"})])
    assert state.head.fields["region"] == "south"
    assert state.head.fields["approval"] == "asked", "a metric's own condition reads it"


def test_a_list_in_a_read_field_keeps_its_first_entries(engine: Engine) -> None:
    state, _ = applied(engine, [changed(0, {"tags": ["vip", *[f"{n}".ljust(1000, "t") for n in range(255)]]})])
    tags = state.head.fields["tags"]
    assert tags[0] == "vip"
    assert MOST_LIST - MOST_TEXT <= sum(map(len, tags)) <= MOST_LIST


def test_small_events_are_kept_as_they_are(engine: Engine) -> None:
    event = changed(1, {"status": "open", "subject": "x" * MOST_TEXT, "tags": ["a", "b"]})
    assert bounded_event(event, frozenset()) is event


def test_a_history_of_large_events_is_cut_by_its_bytes_and_stays_exact(engine: Engine) -> None:
    def full(number: int) -> Event:
        status = "pending" if number % 2 else "open"
        return changed(number, {"status": status, **{f"custom_{of}": f"{number:>130}" for of in range(40)}}, 10 * number)

    events = [full(number) for number in range(190)]
    state, _ = applied(engine, events)
    assert state.base is not None
    assert 2 <= state.recent.kept < 190
    slim = [changed(number, {"status": str(event.fields["status"])}, 10 * number) for number, event in enumerate(events)]
    whole, _ = applied(engine, slim)
    assert whole.base is None
    for name, watch in whole.head.watches.items():
        for read in (Stopwatch.elapsed, Stopwatch.paused_for):
            at = START + 1_890 * SECOND
            assert read(state.head.watches[name], Clock.WALL, always(), at) == read(watch, Clock.WALL, always(), at)
    late = changed(500, {"status": "solved"}, 10 * 188 + 5)
    assert engine.apply(state, "desk/1", late, late.at).outcome is Outcome.LATE


def test_a_history_whose_newest_events_are_the_large_ones_keeps_the_newest(engine: Engine) -> None:
    small = [changed(number, {"status": "open"}) for number in range(40)]
    large = [changed(number, {f"custom_{of}": f"{number:>130}" for of in range(40)}) for number in range(40, 75)]

    state, _ = applied(engine, [*small, *large])

    assert state.base is not None
    assert state.history[-1].id == large[-1].id


def test_revisions_of_facts_that_late_events_take_back_are_bounded_and_the_oldest_go_first(engine: Engine) -> None:
    _, (started, *_) = applied(engine, [changed(0, {})])
    emitted = [msgspec.structs.replace(started, id=f"{number:024x}") for number in range(MOST_REVISIONS + 5)]
    correction = Correction("late", Reason.CORRECTED)
    _, revisions = difference(emitted, [], {"f" * 24: 3, emitted[0].id: 1}, correction)
    assert len(revisions) == MOST_REVISIONS
    assert "f" * 24 not in revisions
    assert revisions[emitted[-1].id] == 1


def test_a_short_name_is_kept_as_it_is_and_a_long_one_as_its_digest() -> None:
    assert bounded_name("vendor") == "vendor"
    assert bounded_name("v" * 48) == "v" * 48
    assert len(bounded_name("v" * 49)) == 16
    assert bounded_name("ü" * 30) != bounded_name("ü" * 31)
