"""Explain every deadline of a ticket: which policy, which spans counted, which did not, and why.

The ticket's events are folded again by the engine's own ``Transition``, observed by ``stream.sla.explain.recorder``. Only one
thing is worked out here a second time: how the stretches of a stopwatch fall into open and closed hours
(``stream.sla.explain.spans``).

Longer than 250 lines because all parts of an explanation are made of the same traces.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from stream.sla.calendar.duration import Clock
from stream.sla.effects import TIMER, Kind
from stream.sla.erasure import is_erased
from stream.sla.explain.explanation import DUE, Deadline, Explanation, Outcome
from stream.sla.explain.raised import raised as raised_level
from stream.sla.explain.recorder import Recorder
from stream.sla.explain.spans import Cuts, Why, content_versions, spans
from stream.sla.explain.start_dates import waiting
from stream.sla.explain.without_deadline import without_deadline
from stream.sla.policy.timeline import Deployments
from stream.sla.ticket.stopwatch import RUNNING
from stream.sla.transition.evolve import new_ticket, position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.event_order import Identity
    from stream.sla.events import Event
    from stream.sla.explain.explanation import Moment, Span
    from stream.sla.explain.traces import CommitmentTrace, LadderTrace
    from stream.sla.policy.policy import Level
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Timeline
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.state import State, Ticket, Unconfirmed


def explain(policies: PolicySet | Deployments, ticket: str, events: Iterable[Event], until: int | None = None) -> Explanation:
    """All deadlines of a ticket as they stand at ``until`` (epoch microseconds; ``None``: at its last event).

    ``events``: those of this ticket, in any order, repetitions included; later ones than ``until`` are left out and counted.
    As with the engine, what lies before ``until`` has become true, and not what lies at it.
    """
    first: dict[Identity, Event] = {}
    for event in events:
        first.setdefault(event.identity, event)
    timeline = _deployments(policies).timeline
    return _explain(timeline, new_ticket(ticket, timeline), sorted(first.values(), key=attrgetter("key")), until)


def explain_state(policies: PolicySet | Deployments, state: State, until: int | None = None) -> Explanation:
    """As ``explain``, from what the table holds of a ticket; without ``until`` as of the last thing that is known to be true.

    Where the history has been cut, ``known_since`` is that instant: before it a stopwatch is known, but not what changed it.
    An ``until`` before ``known_since`` is answered as of ``known_since``. A ticket that was judged by deployments that have
    given way is explained by these, as long as it was not rejudged.
    """
    head = state.head
    deployments = _deployments(policies)
    timeline = deployments.timeline
    if not timeline.agrees(head.deployment, position(head)):
        timeline = deployments.timeline_of(head.deployment)
    if until is None and head.last_timer_at is not None:
        until = max(head.last_timer_at + 1, head.last[0] if head.last else 0)
    base = state.base
    if is_erased(head):
        base = head
    if base is None:
        found = _explain(timeline, new_ticket(head.id, timeline), state.history, until)
    else:
        known_since = base.last[0] if base.last else 0
        found = _explain(timeline, base, state.history, None if until is None else max(until, known_since), known_since)
    return _with_unconfirmed(found, state.unconfirmed) if state.unconfirmed else found


def _with_unconfirmed(explanation: Explanation, unconfirmed: dict[str, Unconfirmed]) -> Explanation:
    """With what is not confirmed yet as provisional."""

    def provisional(moment: Moment) -> Moment:
        known = None if moment.expected else unconfirmed.get(moment.effect)
        return moment if known is None else msgspec.structs.replace(moment, provisional=known[1])

    deadlines = tuple(
        [
            msgspec.structs.replace(one, moments=tuple([provisional(moment) for moment in one.moments]))
            for one in explanation.deadlines
        ]
    )
    return msgspec.structs.replace(explanation, deadlines=deadlines)


def _deployments(policies: PolicySet | Deployments) -> Deployments:
    return policies if isinstance(policies, Deployments) else Deployments.fixed(policies)


def _explain(
    timeline: Timeline, start: Ticket, events: list[Event], until: int | None, known_since: int | None = None
) -> Explanation:
    if until is None:
        until = events[-1].at if events else known_since or 0
    consumed = [event for event in events if event.at <= until]
    recorder = Recorder(timeline, start, consumed)
    for event in consumed:
        recorder.apply(event)
    recorder.pass_time(until)
    recorder.add_expected()
    commitments = sorted(
        recorder.commitment_traces.values(),
        key=lambda commitment_trace: (
            _place(recorder.commitment_traces, commitment_trace.name),
            commitment_trace.cycle_trace.watch.began,
        ),
    )
    ladders = sorted(
        recorder.ladder_traces.values(),
        key=lambda trace: (_place(recorder.ladder_traces, trace.name), trace.cycle_trace.watch.began),
    )
    return Explanation(
        ticket=start.id,
        until=until,
        partial=recorder.ticket.partial,
        known_since=known_since,
        events=len(consumed),
        later=len(events) - len(consumed),
        waiting=waiting(recorder.ticket, recorder.policies),
        without_deadline=without_deadline(recorder.ticket, recorder.policies),
        deadlines=(
            *(_commitment(commitment_trace, until) for commitment_trace in commitments),
            *(
                _level(ladder_trace, level, until)
                for ladder_trace in ladders
                for level in ladder_trace.resolved_ladder.ladder.levels
                if level.name in ladder_trace.level_targets or level.name in ladder_trace.escalation_state.raised
            ),
        ),
    )


def _place(found: Iterable[tuple[str, str, int]], name: str) -> int:
    return [key[0] for key in found].index(name)


def _commitment(commitment_trace: CommitmentTrace, until: int) -> Deadline:
    commitment_state, watch, calendar, clock = (
        commitment_trace.commitment_state,
        commitment_trace.cycle_trace.watch,
        commitment_trace.calendar,
        commitment_trace.commitment_state.clock,
    )
    upto = commitment_trace.closed if commitment_trace.closed is not None else until
    if commitment_trace.closed is None and commitment_trace.verdict is Outcome.PENDING and commitment_state.due is not None:
        upto = max(upto, commitment_state.due)
    moments = tuple(moment for moment in commitment_trace.moments if not moment.expected or moment.at <= upto)
    terms, adjusted, allowance = commitment_state.terms, commitment_state.adjusted, commitment_state.allowance
    why = _why(commitment_state.due, moments) | commitment_trace.cycle_trace.why
    made_of = spans(
        watch, clock, calendar, Cuts(upto, until, why), adjusted.elapsed_at_reset, placement=commitment_state.placement(watch)
    )
    return Deadline(
        commitment=commitment_trace.name,
        metric=terms.metric,
        cycle=commitment_state.cycle,
        policy=terms.policy,
        policy_version=terms.version,
        calendar=calendar.name,
        timezone=calendar.timezone,
        calendar_versions=content_versions(calendar, watch.began, upto),
        clock=clock,
        target=None if commitment_state.extended_target is None else commitment_state.extended_target - adjusted.extension,
        delay=commitment_trace.delay if terms.target is not None else "",
        extension=adjusted.extension,
        due_after=None if allowance is None else allowance - adjusted.elapsed_at_reset,
        began=watch.began,
        ended=commitment_trace.closed,
        due=commitment_state.due,
        never=_is_never_due(commitment_trace),
        verdict=commitment_trace.verdict,
        reason=commitment_trace.reason,
        elapsed=_counted(made_of),
        paused=commitment_state.paused_for(watch, calendar, min(upto, until)) - adjusted.paused_at_reset,
        terms=commitment_trace.terms,
        spans=tuple(made_of),
        moments=moments,
    )


def _is_never_due(trace: CommitmentTrace) -> bool:
    state = trace.commitment_state
    running = trace.closed is None and trace.cycle_trace.watch.phase == RUNNING
    return running and trace.verdict is Outcome.PENDING and state.terms.target is not None and state.due is None


def _level(ladder_trace: LadderTrace, level: Level, until: int) -> Deadline:
    escalation_state, watch = ladder_trace.escalation_state, ladder_trace.cycle_trace.watch
    level_target = ladder_trace.level_targets.get(level.name)
    resolved_ladder = ladder_trace.resolved_ladder if level_target is None else level_target.resolved_ladder
    clock = Clock.BUSINESS if level_target is None else level_target.clock
    raised = _raised(ladder_trace, level.name)
    status = raised_level(ladder_trace, level)
    verdict, ended, due = _outcome(ladder_trace, level, raised)
    upto = ended if ended is not None else until if due is None else max(until, due)
    moments = tuple(m for m in ladder_trace.moments if m.level == level.name and (not m.expected or m.at <= upto))
    why = _why(due, moments) | ladder_trace.cycle_trace.why
    placement = None if level_target is None else level_target.placement
    made_of = spans(watch, clock, resolved_ladder.calendar, Cuts(upto, until, why), placement=placement)
    target = None if level_target is None else level_target.micros
    return Deadline(
        commitment=resolved_ladder.ladder.commitment,
        ladder=ladder_trace.name,
        escalation_kind=resolved_ladder.ladder.kind,
        level=level.name,
        threshold="" if level_target is None else level_target.threshold.text,
        notify=status.notify,
        owner=resolved_ladder.ladder.owner,
        acknowledged=status.acknowledged,
        released=status.released,
        monitored_until=status.monitored_until,
        metric=escalation_state.terms.metric,
        cycle=escalation_state.cycle,
        policy=resolved_ladder.policy.name,
        policy_version=resolved_ladder.policy.version,
        calendar=resolved_ladder.calendar.name,
        timezone=resolved_ladder.calendar.timezone,
        calendar_versions=content_versions(resolved_ladder.calendar, watch.began, upto),
        clock=clock,
        target=target,
        due_after=target,
        began=watch.began,
        ended=ended,
        due=due,
        verdict=verdict,
        reason=raised.reason if verdict is Outcome.RAISED and raised is not None else None,
        elapsed=_counted(made_of),
        paused=watch.paused_for(clock if placement is None else Clock.WALL, resolved_ladder.calendar, min(upto, until)),
        spans=tuple(made_of),
        moments=moments,
    )


def _raised(ladder_trace: LadderTrace, level: str) -> Moment | None:
    """The last time a level was raised, or the first it is expected to be."""
    found = [moment for moment in ladder_trace.moments if moment.kind is Kind.RAISED and moment.level == level]
    emitted = [moment for moment in found if not moment.expected]
    return (
        emitted[-1]
        if emitted and level in ladder_trace.escalation_state.raised
        else next((m for m in found if m.expected), None)
    )


def _outcome(ladder_trace: LadderTrace, level: Level, raised: Moment | None) -> tuple[Outcome, int | None, int | None]:
    """The status of a level, the end of its wait, and the instant of its threshold."""
    escalation_state: EscalationState = ladder_trace.escalation_state
    if level.name in escalation_state.raised:
        at = None if raised is None else raised.at  # unknown when it was raised before the history that is kept
        return Outcome.RAISED, ladder_trace.cycle_trace.watch.began if at is None else at, at
    if escalation_state.reached(level, ladder_trace.resolved_ladder):
        levels = [each.name for each in ladder_trace.resolved_ladder.ladder.levels]
        higher = [_raised(ladder_trace, name) for name in levels[levels.index(level.name) :] if name in escalation_state.raised]
        return (
            Outcome.PASSED_OVER,
            min((m.at for m in higher if m is not None), default=ladder_trace.cycle_trace.watch.began),
            None,
        )
    if ladder_trace.closed is not None:
        return Outcome.NOT_RAISED, ladder_trace.closed, None
    return Outcome.PENDING, None, None if raised is None else raised.at


def _why(due: int | None, moments: Iterable[Moment]) -> dict[int, Why]:
    reasons = {m.at: Why(m.cause, m.change or f"{m.kind} {m.level}".rstrip()) for m in moments}
    return reasons if due is None else {due: Why(TIMER, DUE)} | reasons


def _counted(made_of: list[Span]) -> int:
    return sum(span.counted for span in made_of if not span.expected)
