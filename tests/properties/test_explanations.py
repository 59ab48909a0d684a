"""Explanations agree with the effects of the engine, to the microsecond, whatever the policy and the history."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.codec import codec
from stream.sla.effects import TIMER, Effect, Kind, Reason
from stream.sla.engine import Engine
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.explanation import Outcome, SpanKind
from stream.sla.explain.without_deadline import without_deadline
from stream.sla.ticket.escalation_state import EscalationPhase
from stream.sla.ticket.listing import UNMATCHED, lists_of, lists_of_summary
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.unit.sla.given import HOUR

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.explain.explanation import Deadline
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State

HORIZON = START + 3000 * HOUR


def emitted(policies: PolicySet, events: list[Event], until: int, history: int = 200) -> tuple[list[Effect], State]:
    engine, state = Engine(policies, history=history), None
    effects: list[Effect] = []
    for event in sorted(events, key=lambda event: event.key):
        step = engine.apply(state, "T", event, event.at)
        state = step.state
        effects += step.effects
    assert state is not None
    step = engine.wake(state, until)
    return [*effects, *step.effects], step.state


def up_to(effect: Effect, events: list[Event]) -> list[Event]:
    """The events that the effect rests on."""
    if effect.cause == TIMER:
        return [event for event in events if event.at <= effect.at]
    key = next(event.key for event in events if event.id == effect.cause)
    return [event for event in events if event.key <= key]


def find(deadlines: tuple[Deadline, ...], effect: Effect) -> Deadline:
    """The one deadline that explains a commitment's effect."""
    found = [
        d
        for d in deadlines
        if not d.ladder
        and d.commitment == effect.commitment
        and any((m.kind, m.at, m.reason, m.cause, m.level) == moment_of(effect) for m in d.moments if not m.expected)
    ]
    assert len(found) == 1, (effect, deadlines)
    return found[0]


def moment_of(effect: Effect) -> tuple[object, ...]:
    return (effect.kind, effect.at, effect.reason, effect.cause, effect.level)


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.sampled_from([2, 200]))
def test_a_raised_level_is_acknowledged_or_over_when_its_escalation_is(
    policies: PolicySet, events: list[Event], history: int
) -> None:
    _, state = emitted(policies, events, HORIZON, history)
    explanation = explain_state(policies, state)
    for name, escalation in state.head.escalations.items():
        for deadline in explanation.deadlines:
            if deadline.ladder != name or deadline.level not in escalation.raised or deadline.cycle != escalation.cycle:
                continue
            if deadline.metric != escalation.terms.metric:
                continue
            assert (deadline.released is None) == (escalation.phase <= EscalationPhase.MONITORING), deadline
            assert (deadline.monitored_until is not None) == (escalation.phase == EscalationPhase.MONITORING)
            if deadline.level == escalation.raised[-1] and escalation.phase in (
                EscalationPhase.ACTIVE,
                EscalationPhase.ACKNOWLEDGED,
            ):
                assert (deadline.acknowledged is not None) == (escalation.phase == EscalationPhase.ACKNOWLEDGED), deadline


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.sampled_from([2, 200]))
def test_an_unmatched_ticket_has_a_reason_and_so_has_every_commitment_that_is_in_no_deadline(
    policies: PolicySet, events: list[Event], history: int
) -> None:
    _, state = emitted(policies, events, HORIZON, history)
    explanation = explain_state(policies, state)
    assert explanation.without_deadline == without_deadline(state.head, policies)
    if lists_of(state) == UNMATCHED:
        assert explanation.without_deadline
    summary = codec.peek(codec.encode(state))
    assert lists_of(state) == lists_of_summary(summary.open_commitments, unmatched=summary.unmatched)
    given_ = {one.commitment for one in explanation.without_deadline}
    for deadline in explanation.deadlines:
        if not deadline.ladder and deadline.due is not None and deadline.ended is None:
            assert deadline.commitment not in given_, (deadline, explanation.without_deadline)


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS)
def test_counted_spans_add_up_to_what_the_engine_emitted_as_elapsed_and_due(policies: PolicySet, events: list[Event]) -> None:
    effects, _ = emitted(policies, events, HORIZON)
    for effect in effects:
        if not effect.commitment or effect.ladder:
            continue
        until = effect.at + 1 if effect.cause == TIMER else effect.at
        deadline = find(explain(policies, "T", up_to(effect, events), until).deadlines, effect)
        last = [moment for moment in deadline.moments if not moment.expected and not moment.ladder][-1]
        if moment_of(effect) != (last.kind, last.at, last.reason, last.cause, last.level):
            continue  # the same event did more to this commitment: its last word is the one compared
        assert deadline.due == effect.due_at
        if effect.calendar == deadline.calendar:
            counted = sum(span.counted for span in deadline.spans if span.end <= effect.at)
            assert counted == effect.elapsed


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS, st.integers(START, HORIZON))
def test_spans_follow_one_another_and_lead_exactly_to_the_deadline(
    policies: PolicySet, events: list[Event], until: int
) -> None:
    explanation = explain(policies, "T", events, until)
    _, state = emitted(policies, [event for event in events if event.at <= until] or events[:1], until)
    for deadline in explanation.deadlines:
        spans = deadline.spans
        assert all(span.start < span.end for span in spans)
        assert all(one.end == two.start for one, two in pairwise(spans))
        end = deadline.ended
        if end is None:
            end = max(until, deadline.due or 0) if deadline.verdict is Outcome.PENDING else until
        if deadline.began < end:
            assert (spans[0].start, spans[-1].end) == (deadline.began, end)
        assert all(span.counted == (span.wall if span.kind is SpanKind.RUNNING else 0) for span in spans)
        assert all(span.expected == (span.start >= until) for span in spans)
        assert deadline.elapsed == sum(span.counted for span in spans if not span.expected)
        if not deadline.ladder and deadline.due is not None and deadline.due <= end:
            assert sum(span.counted for span in spans if span.end <= deadline.due) == deadline.due_after
        if not deadline.ladder and deadline.verdict is Outcome.PENDING:
            assert deadline.due == state.head.commitments[deadline.commitment].due
        if deadline.ladder and None not in (deadline.due, deadline.due_after) and deadline.reason is not Reason.REQUESTED:
            # Later than its threshold only where its target took hold too late, or where it waited for business hours.
            assert sum(span.counted for span in spans if span.end <= (deadline.due or 0)) >= (deadline.due_after or 0)


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.integers(START, HORIZON))
def test_every_effect_is_explained_once_and_what_is_expected_comes_true_if_nothing_else_happens(
    policies: PolicySet, events: list[Event], until: int
) -> None:
    until_then = [event for event in events if event.at <= until]
    effects, _ = emitted(policies, until_then, until)
    deadlines = explain(policies, "T", until_then, until).deadlines
    own = [m for d in deadlines if not d.ladder for m in d.moments if not m.ladder]

    assert sorted((m.kind, m.at, m.cause, m.level) for m in own if not m.expected) == sorted(
        (e.kind, e.at, e.cause, e.level) for e in effects if e.commitment and not e.ladder
    )

    later, _ = emitted(policies, until_then, HORIZON * 2)
    coming = {(e.kind, e.at, e.commitment, e.level) for e in later}
    assert all((m.kind, m.at, m.commitment, m.level) in coming for m in own if m.expected)
    for level in deadlines:
        if level.ladder and level.due is not None:
            assert (Kind.RAISED, level.due, level.commitment, level.level) in coming


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_whatever_came_late_the_effects_that_stand_and_the_explanation_of_the_ticket_agree_in_every_length(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    consumer = Consumer(Engine(policies))
    for event in data.draw(st.permutations(events)):
        consumer.apply(event)
        if data.draw(st.booleans()):
            consumer.wake(data.draw(st.integers(START, HORIZON)))
    consumer.wake(HORIZON)
    assert consumer.state is not None
    shown = explain_state(policies, codec.decode(consumer.state), HORIZON).deadlines

    assert sorted(
        (m.commitment, m.kind, m.at, m.reason, m.cause, m.level, m.due or 0, m.target or 0, m.elapsed, m.calendar)
        for d in shown
        if not d.ladder
        for m in d.moments
        if not m.ladder and not m.expected
    ) == sorted(
        (e.commitment, e.kind, e.at, e.reason, e.cause, e.level, e.due_at or 0, e.target or 0, e.elapsed, e.calendar)
        for e in consumer.emitted.values()
        if e.commitment and not e.ladder
    )


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.integers(2, 200))
def test_a_stored_ticket_is_explained_as_its_events_are(policies: PolicySet, events: list[Event], history: int) -> None:
    _, state = emitted(policies, events, HORIZON, history)
    whole = {(d.commitment, d.ladder, d.level, d.metric, d.cycle): d for d in explain(policies, "T", events, HORIZON).deadlines}
    stored = explain_state(policies, state, HORIZON)
    if stored.known_since is None:
        assert stored.deadlines == tuple(whole.values())
        return
    for deadline in stored.deadlines:
        if deadline.ladder and deadline.level and deadline.verdict in (Outcome.RAISED, Outcome.PASSED_OVER):
            continue  # when that was may be forgotten
        known = whole[deadline.commitment, deadline.ladder, deadline.level, deadline.metric, deadline.cycle]
        assert (deadline.due, deadline.verdict, deadline.began, deadline.ended, deadline.elapsed) == (
            known.due,
            known.verdict,
            known.began,
            known.ended,
            known.elapsed,
        )
