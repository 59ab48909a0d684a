"""Which effects one ticket must have, computed as slowly and as plainly as possible.

Nothing of the engine is used but its data: policies, conditions, metrics, thresholds and events. Instants lie on whole
minutes; of each minute, one after the other, it is asked what is true.

Time
 1. Events are taken in the order of their instants. Of one instant a creation comes first; then the seq decides; then a merge,
    deletion or restoration comes first; then the id decides, its numbers as numbers, then its text and the source. A repetition
    of source, id and seq is one event. In each minute the events at its first instant come first, then what time alone makes
    true at that instant, then the minute passes. So what is done at the instant of a deadline is done in time, and nothing is
    ever emitted with an instant before the present minute.
 2. What time makes true is emitted up to, not at, the instant ``until``.
 3. A minute counts on a calendar if its local reading is one that the calendar opens, and always on the wall. What a
    calendar that is open on stated dates only does not open long enough for is never reached.

The ticket
 4. A ticket begins with its creation, or with the first event after which it has a status, a priority or a customer who
    waits, or with a request for escalation; while it is merged or deleted it does not begin. A creation makes the status
    ``new`` if none is known, and never sets one back to it. Only what an event sets to another value changes. An agent's public
    comment answers, unless he is the requester; that of the requester, or of another person of the customer, waits until
    answered. A customer whose event states no role is the requester. A ticket that becomes solved or closed unanswered is dealt
    with. An acceptance is forgotten when the ticket is solved or closed no more.
4a. Merged or deleted: every stopwatch that is on is halted and none starts. What is pending is cancelled, a ladder released.
    It is restored by that event, and a deleted one when a later change gives it another status that is not solved or closed.
    Then every metric is asked. What was halted runs as soon as ``stops`` and ``cancels`` do not hold, and is paused at once
    where ``pauses`` holds (with ``resumes``: where it was paused before). ``cancels``, or an event that is all of a part of
    ``stops``, also before the restoration, cancels it for good. What was cancelled by the halt is open as it was; its ladder is
    back at its level.

Stopwatches (one a metric)
 5. A metric is asked about an event that touches what its conditions name, and about the event with which the ticket begins.
 6. Asked while on: ``cancels``, then ``stops``, then ``restarts``; then ``pauses`` if it runs, or the end of the pause.
 7. Asked before its first cycle: ``starts``, unless ``cancels``; with ``stops`` as well it is taken as a cycle already over.
 8. Asked when stopped, or cancelled: ``again`` states whether ``starts`` opens a new cycle or (stopped) ``reopens`` continues
    this one, unless ``stops`` or ``cancels`` hold too. A reopened cycle keeps its minutes; those between are none of them.
 9. A cycle that begins, restarts or is reopened where ``pauses`` holds is paused at once.

What is promised
10. Of each policy the version is in force that is the latest not after the minute the stopwatch's cycle began.
11. The first policy whose ``applies_to`` holds promises what of it applies to the fields.
12. A ladder on a commitment stands on its stopwatch and its calendar, and applies only where the commitment does.
13. What ends at an event is judged by what was promised before it; after it, the fields as they now are promise.
14. A name is counted on one stopwatch: while that is on and a version in force for it promises the name, no other version
    promises it on another. A commitment begins with the cycle, or when it begins to apply; it is cancelled when it ceases to
    apply before its verdict.
15. When policy, version, target or the calendar of a business target become others before the verdict, the target is
    swapped: it counts from where the one before it did (``carry``) or from now (``forward``; ``reset`` counts time used from
    now, too, and forgets extensions and warnings given). An extension keeps its length; where the target changes between
    wall and business time, it is as much of the new clock as it moved the deadline before.
    After a verdict nothing is swapped.
16. An extension is taken while the commitment is open and has a target, on the target's own clock, up to the cap; else
    refused.

Verdicts
17. A commitment is breached in the first minute of its being open in which its stopwatch has, while it ran, shown the
    allowance or more. (Used up at the very instant a pause begins is not yet used up.) ``due_at`` is when it first showed that.
    With ``at_deadline: breached`` it is breached at the first instant of that minute, before the events and the sets of that
    minute, and also where it was used up at the very instant a pause or a stop began; so also at the instant ``until``.
    It pages if ``page`` gives ``yes`` for the fields at that time.
18. Stopped or restarted before: met; or measured, without a target. Stopped after: met late, once a reopening. Reopened, a
    commitment that was met is open again, with what is promised by then, and one met late is breached as before. A timer
    elapses instead, and is cancelled when it stops before; of its restart only the new start is emitted, where it applies to
    the new cycle.
19. While it is open, ``due_at`` is when the allowance will first be shown if nothing else happens; ``None`` while paused.
    Decided, it stays as it was.

Thresholds
20. A warning is given once in the first minute in which its threshold is reached, if the commitment is open and is not
    breached in that minute. A new target or extension makes those given count as not given whose thresholds now lie ahead.
21. A share: of target and extension, from where the target counts. A time used: from the start of the cycle or its reset.
22. A time left or after, on the clock of the target: so much less or more than the allowance, shown while it ran.
23. On the other clock: so much before or after ``due_at``, while there is one.

Ladders
24. In the first minute in which a level's threshold is reached, its stopwatch is on and (on a commitment) that commitment open
    or breached, it is raised, unless it or a higher one was. With ``only_in_business_hours`` it must be an open minute as well.
25. The highest is repeated when ``repeat_every`` has passed since it was last emitted, in an open minute where it must be, and
    no level is raised in this one; not more often than the cap.
26. Acknowledged, it emits nothing more until ``raise_again_after`` has passed; then it is repeated, and goes on.
27. Stopped, it is monitored for ``monitoring``, or (also where that would never end) released; at the quiet end it is
    released, and a reopening later begins it anew. Any other reopening brings a raised level back, counting its repetitions
    and their time from there.
28. Restarted, cancelled, or ceasing to apply, also while it is monitored: released. A ladder that applies again recurs at its
    level and goes on, as after a reopening; one released by hand does not. One that ceased to apply while it was monitored
    recurs with the reopening. A new cycle begins a new ladder; one still monitored is released first, also where the
    version of the new cycle has it no more. A ladder of the same name on another metric is another ladder.
29. A request, an acknowledgement or a release by hand means ladders that have once applied in this ticket and apply now, if
    need be on another metric than that on which they stood. A request gets one answer: of the first that takes requests and has
    the level, else that takes requests, else of the first. It raises its level or repeats it, unless the ladder takes none,
    has no such level, the stopwatch on which it stood is off, or it is neither urgent nor is the ``due_at`` of the commitment
    asked for past (one fulfilled while it had none counts as past).
30. Each effect of a ladder names its kind. What raises or repeats a level, or brings it back, names the team that the
    level chooses for the fields at that time: those after the event, but for a reopening those before it, as in 13.

Deployments
31. A set takes the place of another at the first instant of a minute: before the events of that minute, and before what time
    makes true in it. What a minute before it made true stays. A set from before the first event is there from the beginning.
32. A set has, besides its own policies, the versions of these that the set before had and it has not. ``was`` gives a thing
    its former name, except where the version that applies to the ticket still has the former one, or where the ticket has had
    something of the new one; then it is what it was, also for 36.
33. What is open is counted anew, minute by minute, on the calendars of the new set. It takes the new target from where the one
    before counted, whatever ``on_change`` states. It is retargeted if its deadline, target, clock, policy, version,
    calendar, metric or name is another; and breached if the deadline is now a past minute.
34. What is not promised any more is cancelled, and its ladder released, also while it is monitored. What was decided stays.
35. What begins by a new set and has its deadline in a past minute has no target, deadline or warning in
    this cycle.
36. A metric on which nothing stood before goes on with the stopwatch on which the same commitment or ladder stood, if its base
    name is the same or it is a policy's own. If that is on or was never started, its conditions are asked once, of an event
    of no type that changes nothing; what was promised before judges.
37. Any other new metric has the stopwatch that it would have if it had been kept from the first event on.
38. A metric on which nothing stands any more is cancelled.
39. Of the levels that a past minute had reached and that may be raised now, the highest alone is raised. Of those that may
    not be raised now, and that did not wait for an open minute before, the highest alone is left to be raised. A level that
    waited for an open minute, and for which this one is open by the set before too, is raised by 24.
40. An event may use the former name of a commitment or level.

Business days
41. A business day is a date on which a window starts that opens for at least a minute; a minute belongs to the date it shows,
    but to the date before while that is open or has a window yet to open, unless its own has opened. A delay of n business
    days is over on the n-th business day after the date of its start (0: on it, or the next), at the stated time, with its
    last open minute or at the time of day of the start; if that is not after the start, on the next business day. With a
    cut-off, a start after it, or on no business day, counts as on the next one. Its target is the business time up to its
    end; and it is not shown before that end.

Pauses on the wall
42. With ``pause_time: wall`` a business target counts as if all minutes in which the stopwatch ran followed each other from the
    minute of its start on: the n-th of them counts if the calendar opens the n-th minute from the start. Where the target
    counts from a later minute (rule 15), the minutes from that one on follow each other from there, so that no pause before it
    moves the target. So do its warnings and levels in business time. That is another clock than the calendar's own: rule 15
    holds when one takes the other's place.

Dates
43. A stopwatch with ``starts_at`` starts in the minute of the date that its field has, after all else in that minute, or with
    the first event after that minute with which it may: where ``starts`` holds, and neither ``stops`` nor ``cancels`` does. So
    it is never taken as over from the start. A new cycle needs a date after the minute in which the cycle before ended. What
    is no date is as good as none. A date begins with the first minute of the day in the metric's zone; of a local time that the
    clocks show twice, it is the first, and of one that they skip, the minute after.

What comes in out of hours
44. A condition may ask how a clock started: in hours if the calendar on which the commitment or ladder counts was open in the
    minute in which the cycle of its stopwatch began, else out of hours. A new set answers by its own calendars.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING

from tests.oracle.commitments import CommitmentRules
from tests.oracle.deployments import Deployment, DeploymentRules, Names, joined, know_former, metrics_of
from tests.oracle.escalations import EscalationRules
from tests.oracle.signals import FieldState, compare_events, signals
from tests.oracle.start_dates import in_time, starts_now
from tests.oracle.ticket import MINUTE, Expected, Stopwatch, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stream.sla.events import Event
    from stream.sla.policy.policy import Policy
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.signals import Fields


def oracle(
    policies: Sequence[Policy],
    hours: Mapping[str, OpenMinutes],
    events: Iterable[Event],
    until: int,
    deployments: Sequence[Deployment] = (),
) -> set[Expected]:
    """All effects of one ticket that must be emitted by the instant ``until`` (epoch microseconds).

    ``deployments``: sets that take the place of the first, in the order of their minutes.

    ``hours``: the calendars that the policies name. Raises ValueError where an instant or a length is no whole minute.
    """
    return ticket_at(policies, hours, events, until, deployments).emitted


def ticket_at(
    policies: Sequence[Policy],
    hours: Mapping[str, OpenMinutes],
    events: Iterable[Event],
    until: int,
    deployments: Sequence[Deployment] = (),
) -> Ticket:
    """The ticket as it is then: its effects, and the state of every commitment and its stopwatch."""
    unique: dict[tuple[str, str, int], Event] = {}
    for event in events:
        unique.setdefault((event.source, event.id, event.seq), event)
    ordered = sorted(unique.values(), key=cmp_to_key(compare_events))
    if odd := [event.at for event in ordered if event.at % MINUTE]:
        raise ValueError(f"the oracle knows whole minutes only, not the instants {odd}")
    if not ordered:
        return Ticket(policies, hours)
    at_minute: dict[int, list[Event]] = {}
    for event in ordered:
        at_minute.setdefault(event.at // MINUTE, []).append(event)
    ahead, names = list(deployments), []
    while ahead and ahead[0].minute <= ordered[0].at // MINUTE:
        deployment = ahead.pop(0)
        policies, hours = joined(policies, deployment.policies), {**hours, **deployment.hours}
        names.append((Names(policies), policies))
    rules = _TicketRules(policies, {name: hours[name] for name in sorted(_calendars(policies))})
    for known, of in names:
        know_former(rules.ticket, known, of)
    for minute in range(ordered[0].at // MINUTE, max(-(-until // MINUTE), ordered[-1].at // MINUTE + 1)):
        rules.ticket.now = minute
        if minute * MINUTE <= until:
            rules.commitment_rules.breach_before_events()
        while ahead and ahead[0].minute <= minute and minute * MINUTE < until:
            rules.metrics = rules.deployment_rules.deploy(ahead.pop(0), rules.metrics, ordered)
        for event in at_minute.get(minute, ()):
            rules.receive(event)
        if minute * MINUTE < until:
            rules.emit_due()
            rules.start_at_dates()
        rules.count_minute()
    rules.ticket.now += 1
    if rules.ticket.now * MINUTE <= until:
        rules.commitment_rules.breach_before_events()
    return rules.ticket


def _calendars(policies: Sequence[Policy]) -> set[str]:
    choices = [policy.calendar for policy in policies]
    choices += [one.calendar for policy in policies for one in policy.commitments if one.calendar is not None]
    return {name for choice in choices for _, name in choice.cases}


class _TicketRules:
    def __init__(self, policies: Sequence[Policy], hours: Mapping[str, OpenMinutes]) -> None:
        self.field_state = FieldState()
        self.ticket = Ticket(policies, hours)
        self.metrics = metrics_of(policies)
        self.ticket.stopwatches = {name: Stopwatch(hours) for name in self.metrics}
        self.commitment_rules = CommitmentRules(self.ticket)
        self.escalation_rules = EscalationRules(self.ticket)
        self.deployment_rules = DeploymentRules(self.commitment_rules, self.escalation_rules, self.field_state)

    def receive(self, event: Event) -> None:
        before = self.field_state.fields
        event, changed = self.field_state.after(event)
        for name, metric in self.metrics.items():
            stopwatch = self.ticket.stopwatches[name]
            given = signals(metric, stopwatch.phase, event, changed, self.field_state)
            for signal in in_time(metric, stopwatch, given, self.field_state.fields, self.ticket.now):
                self._give_signal(name, stopwatch, signal, before)
        if event.type == "extension.granted":
            self.commitment_rules.extend(event, before)
        elif event.type.startswith("escalation."):
            self.escalation_rules.receive(event, before)
        self.commitment_rules.apply_commitments(self.field_state.fields)
        self.escalation_rules.apply_ladders(self.field_state.fields, before)

    def emit_due(self) -> None:
        """What time alone makes true at this instant."""
        self.commitment_rules.emit_due()
        while self.escalation_rules.emit_due():
            pass

    def start_at_dates(self) -> None:
        fields, stopwatches = self.field_state.fields, self.ticket.stopwatches
        found = {
            name: starts_now(metric, stopwatches[name], self.field_state, self.ticket.now)
            for name, metric in self.metrics.items()
        }
        for name, given in found.items():
            for signal in given:
                self._give_signal(name, stopwatches[name], signal, fields)
        if any(found.values()):
            self.commitment_rules.apply_commitments(fields)
            self.escalation_rules.apply_ladders(fields, fields)
            self.emit_due()

    def count_minute(self) -> None:
        for stopwatch in self.ticket.stopwatches.values():
            if stopwatch.phase == "running":
                stopwatch.run(self.ticket.now)

    def _give_signal(self, name: str, stopwatch: Stopwatch, signal: str, before: Fields) -> None:
        """Endings are judged while the stopwatch still runs; new commitments begin when all signals are given."""
        ends, cycle = signal in ("stop", "restart", "cancel", "halt"), stopwatch.cycle
        ladders = self.ticket.resolve_on(name, before)[1]
        if not ends:
            stopwatch.take(signal, self.ticket.now)
        if stopwatch.cycle == cycle:
            self.commitment_rules.receive_signal(name, stopwatch, signal, before)
            self.escalation_rules.receive_signal(name, stopwatch, signal, before)
        elif cycle:
            self.escalation_rules.begin_cycle(name, stopwatch, ladders, before)
        if ends:
            stopwatch.take(signal, self.ticket.now)
