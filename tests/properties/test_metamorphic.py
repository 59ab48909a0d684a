"""What must not change when a history is changed in a way that means nothing."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.sla.effects import Effect, Kind
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.policy import OnChange
from stream.sla.policy.resolve import PolicySet
from tests.examples import examples
from tests.oracle.scenarios import CALENDARS, FAST, Scenario, read, scenario
from tests.unit.sla.given import HOUR, MINUTE, changed, commitment, created, policy_set, share, used

if TYPE_CHECKING:
    from stream.sla.ticket.state import State

WEEK = 7 * 24 * HOUR
SEEDS = st.integers(0, 2**32)
often = settings(max_examples=examples(200), deadline=None)

OFFICE = FAST["office"]
BERLIN_SPRING = 1_774_515_600_000_000
"""Thursday 2026-03-26, 10:00 in Berlin, three days before the clocks change."""
NO_CHANGE = {
    name: read(name, {**data, "timezone": {"24x7": "UTC", "office": "Asia/Kolkata"}.get(name, "Asia/Tokyo")})
    for name, data in (CALENDARS | {"hotline": CALENDARS["office"]}).items()
}
"""The calendars of the scenarios in zones that never change their clocks, all with a week."""


def emitted(policies: PolicySet, events: list[Event], until: int) -> list[Effect]:
    engine = Engine(policies)
    state: State | None = None
    effects: list[Effect] = []
    for event in sorted(events, key=lambda event: event.key):
        step = engine.apply(state, "T", event, event.at)
        state = step.state
        effects += step.effects
    assert state is not None
    return [*effects, *engine.wake(state, until).effects]


def outcome(effects: list[Effect]) -> list[tuple[object, ...]]:
    """All but the pauses themselves, and the readings and causes that hang on them."""
    way = (Kind.PAUSED, Kind.RESUMED)
    return [(e.commitment, e.ladder, e.kind, e.level, e.cycle, e.at, e.due_at, e.reason) for e in effects if e.kind not in way]


@often
@given(SEEDS)
def test_pausing_and_resuming_within_closed_hours_moves_no_deadline(seed: int) -> None:
    random = Random(seed)
    policies = policy_set(
        commitment("resolution", share(50), used("2bh"), p1=random.choice(["1bd", "6bh", "3bd"]), p2="2bd"), calendar=OFFICE
    )
    hours = sorted(random.sample(range(1, 200), random.randint(0, 4)))
    events = [created(BERLIN_SPRING)]
    events += [changed(BERLIN_SPRING + hour * HOUR, priority=random.choice(["p1", "p2"])) for hour in hours]
    closing = BERLIN_SPRING
    for _ in range(random.randint(1, 12)):
        closing = OFFICE.next_change(closing) or 0
    if OFFICE.is_open(closing):
        closing = OFFICE.next_change(closing) or 0
    opening = OFFICE.next_change(closing) or 0
    pause = random.randrange(closing + 1, opening)
    resume = random.randint(pause, opening)
    assume(not any(pause <= event.at <= resume for event in events))
    within = [
        Event(pause, "pause", "ticket.changed", "test", fields={"status": "pending"}),
        Event(resume, "resume", "ticket.changed", "test", seq=1, fields={"status": "new"}),
    ]
    until = BERLIN_SPRING + 20 * 24 * HOUR

    assert outcome(emitted(policies, [*events, *within], until)) == outcome(emitted(policies, events, until))


@often
@given(SEEDS)
def test_splitting_a_pause_in_two_changes_nothing_but_its_own_effects(seed: int) -> None:
    random, found = Random(seed), scenario(seed)
    ordered = sorted(found.events, key=lambda event: event.key)
    place = random.randrange(len(ordered))
    at = ordered[place].at + 1 if place + 1 == len(ordered) else ordered[place + 1].at - 1
    assume(at > ordered[place].at)
    # A status brings a deleted ticket back, and a row that was cancelled while its start holds starts at the next event: then
    # the pause is not all that the events between change.
    assume(not any(event.type in ("ticket.deleted", "ticket.merged") for event in ordered[: place + 1]))
    assume(all(commitment.metric.name != "asking" for policy in found.policies for commitment in policy.commitments))
    pending = Event(at, "first", "ticket.changed", "s", seq=0, fields={"status": "pending"})
    between = [
        Event(at, "between-1", "ticket.changed", "s", seq=1, fields={"status": "on_hold"}),
        Event(at, "between-2", "ticket.changed", "s", seq=2, fields={"status": "open"}),
        Event(at, "between-3", "ticket.changed", "s", seq=3, fields={"status": "pending"}),
    ]
    paused = [*ordered[: place + 1], pending, *ordered[place + 1 :]]
    policies = found.policy_set()

    assert outcome(emitted(policies, [*paused, *between], found.until)) == outcome(emitted(policies, paused, found.until))


@often
@given(SEEDS)
def test_carry_keeps_elapsed_and_paused_time_under_any_sequence_of_priority_changes(seed: int) -> None:
    random = Random(seed)
    policies = policy_set(commitment("resolution", on_change=OnChange.CARRY, p1="4bh", p2="2bd", p3="9bd"), calendar=OFFICE)
    minutes = sorted(random.sample(range(1, 14_000), 13))
    history = [created(BERLIN_SPRING)]
    for number, minute in enumerate(minutes[:6]):
        history.append(changed(BERLIN_SPRING + minute * MINUTE, status=("pending", "open")[number % 2]))
    history.append(changed(BERLIN_SPRING + minutes[-1] * MINUTE, status="solved"))
    priorities = [
        changed(BERLIN_SPRING + minute * MINUTE, priority=random.choice(["p1", "p2", "p3"])) for minute in minutes[6:12]
    ]
    until = BERLIN_SPRING + 14_000 * MINUTE

    plain, mixed = emitted(policies, history, until)[-1], emitted(policies, [*history, *priorities], until)[-1]

    assert {plain.kind, mixed.kind} <= {Kind.MET, Kind.MET_LATE}
    assert (mixed.at, mixed.elapsed, mixed.paused) == (plain.at, plain.elapsed, plain.paused)


@often
@given(SEEDS, st.integers(1, 60))
def test_a_whole_history_moved_by_whole_weeks_emits_the_same_that_much_later(seed: int, weeks: int) -> None:
    found, shift = scenario(seed), weeks * WEEK
    # A date in a field would not move along.
    dateless = [{name: event.fields[name] for name in event.fields if name != "date"} for event in found.events]
    events = [event.replace(fields=fields) for event, fields in zip(found.events, dateless, strict=True)]
    found = found._replace(events=events)
    later = Scenario(
        tuple(replace(policy, since=None if policy.since is None else policy.since + shift) for policy in found.policies),
        [event.replace(at=event.at + shift) for event in found.events],
        found.until + shift,
    )

    def facts(one: Scenario, moved: int) -> list[tuple[object, ...]]:
        effects = emitted(PolicySet(one.policies, NO_CHANGE), one.events, one.until)
        dues = [None if effect.due_at is None else effect.due_at - moved for effect in effects]
        ids = [effect.id for effect in effects]  # they name instants: what stays is which of them are the same
        return [
            (ids.index(e.id), *about(e), e.at - moved, due, e.elapsed, e.paused, e.reason)
            for e, due in zip(effects, dues, strict=True)
        ]

    def about(effect: Effect) -> tuple[object, ...]:
        return effect.kind, effect.commitment, effect.ladder, effect.level, effect.cycle, effect.cause

    assert facts(later, shift) == facts(found, 0)


@often
@given(SEEDS)
def test_a_field_that_no_policy_reads_changes_nothing_but_the_fields_shown(seed: int) -> None:
    random, found = Random(seed), scenario(seed)
    coloured = [
        event.replace(fields={**event.fields, "colour": random.choice(["red", "blue"])})
        if event.type == "ticket.changed" and random.random() < 0.5
        else event
        for event in found.events
    ]
    at = random.choice(found.events).at + random.choice([0, MINUTE, HOUR])
    alone = Event(at, "colour", "ticket.changed", "s", seq=random.randint(0, 2), fields={"colour": "green"})
    policies = found.policy_set()

    def facts(events: list[Event]) -> list[Effect]:
        effects = emitted(policies, events, found.until)
        return [msgspec.structs.replace(effect, fields={}, detected_at=0) for effect in effects]

    assert facts([*coloured, alone]) == facts(found.events)
