"""What is wrong with a recording: every effect once, none invented, none early, every state and every refusal as they must be.

The truth comes from the input as it stands in Kafka, by two ways that know nothing of each other: the slow oracle for what must
be said and how every promise stands, and the pure engine over the same events for the states that workers keep.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.effects import Effect, Kind, Topic
from stream.sla.engine import Engine, Outcome
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import decode_effect, decode_rejected
from tests.chaos.pace import MINUTE
from tests.chaos.workload import BAD
from tests.oracle.oracle import oracle, tell
from tests.oracle.promised import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State
    from tests.chaos.recording import Recording, Stored
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.promised import Story

_LATEST = 30 * MINUTE
"""How far ahead of the run's time, at most, a worker's clock can have been set."""
_RETRACTIONS = (Kind.BREACH_RETRACTED, Kind.RETRACTED, Kind.ESCALATION_RETRACTED)


class Heard(NamedTuple):
    """What the input says of one ticket, in the order of the log."""

    partition: int
    events: list[tuple[int, Event]]
    """Offset and event; repetitions too, what is too late not."""
    state: State
    """What the pure engine makes of them, before time passes."""
    story: Story
    """What the oracle makes of them, up to ``_LATEST`` after the end."""


class Truth(NamedTuple):
    tickets: dict[str, Heard]
    refused: dict[tuple[int, int], str]
    """Partition and offset to the reason, of every record that must be refused."""
    newest: dict[int, int]
    """Partition to the newest instant that its feed has shown, epoch microseconds."""
    far: int
    """The instant up to which the stories are told."""


class Said(NamedTuple):
    """An effect and where it stands."""

    effect: Effect
    stored: Stored

    @property
    def substance(self) -> Expected:
        one = self.effect
        about, kind = one.ladder or one.commitment, str(one.escalation_kind or "")
        return Expected(about, one.kind, one.level, one.cycle, one.at, one.due_at, kind, one.assign_to)

    def __str__(self) -> str:
        one = self.effect
        return f"{one.kind} {one.ladder or one.commitment} {one.level} of {one.ticket}, id {one.id} ({self.stored.place})"


def truth(recording: Recording, policies: PolicySet, hours: Mapping[str, OpenMinutes]) -> Truth:
    """What the input, as it stands in Kafka, must have led to."""
    engine = Engine(policies, history=recording.history)
    states: dict[str, State] = {}
    events: dict[str, tuple[int, list[tuple[int, Event]]]] = {}
    refused, newest = {}, dict.fromkeys(recording.ends, 0)
    for record in recording.events:
        place = record.partition, record.offset
        if (bad := dict(record.headers).get(BAD)) is not None:
            refused[place] = bad.decode()
            continue
        heard = decode(record.key, record.value, now=None)
        if isinstance(heard, Rejected):
            raise AssertionError(f"the workload did not mean this record to be bad: {record}")  # noqa: TRY004  it is no wrong type
        if isinstance(heard, Tick):
            newest[record.partition] = max(newest[record.partition], heard.at)
            continue
        ticket, event = heard.ticket, heard.event
        newest[record.partition] = max(newest[record.partition], event.at)
        step = engine.apply(states.get(ticket), ticket, event, event.at)
        states[ticket] = step.state
        if step.outcome is Outcome.TOO_LATE:
            refused[place] = "too_late"
        else:
            events.setdefault(ticket, (record.partition, []))[1].append((record.offset, event))
    far = recording.stopped + _LATEST
    tickets = {}
    for ticket, (partition, heard_of_it) in events.items():
        story = tell(policies.policies, hours, [event for _, event in heard_of_it], far)
        tickets[ticket] = Heard(partition, heard_of_it, states[ticket], story)
    return Truth(tickets, refused, newest, far)


def check_effects(
    recording: Recording, known: Truth, policies: PolicySet, hours: Mapping[str, OpenMinutes]
) -> tuple[list[str], Counter[str]]:
    """Objections, and how many effects there are of each sort (``said``, ``retracted``)."""
    said: dict[str, Said] = {}
    open_commitment: dict[str, Said] = {}
    objections: list[str] = []
    counts = Counter[str]()
    topics = [(Topic.BREACHES, stored) for stored in recording.breaches]
    topics += [(Topic.ESCALATIONS, stored) for stored in recording.escalations]
    for topic, stored in topics:
        one = Said(decode_effect(stored.value or b""), stored)
        objections += _misplaced(one, topic, known)
        objections += _early(one, recording)
        if (before := said.get(one.effect.id)) is not None:
            objections.append(f"repeated: {one}, first said at {before.stored.place}")
            continue
        said[one.effect.id] = one
        counts["said"] += 1
        if one.effect.kind not in _RETRACTIONS:
            open_commitment[one.effect.id] = one
            continue
        counts["retracted"] += 1
        target = open_commitment.pop(one.effect.retracts, None)
        if target is None:
            objections.append(f"retracted without having been said: {one} takes back {one.effect.retracts}")
        elif target.effect.kind is not one.effect.retracts_kind or target.effect.ticket != one.effect.ticket:
            objections.append(f"a retraction of something else: {one} takes back {target}")
        else:
            objections += _unexplained(one, target, known, policies, hours)
    objections += _set_against(open_commitment, recording, known)
    return objections, counts


NOTICED: Final = 2_000_000
"""Real microseconds for which a clock that was set right may still be wrong to its worker: that must look at it, and does not
believe in a step ahead for the first half second (``stream.runtime.clock``)."""


def _misplaced(one: Said, topic: Topic, known: Truth) -> Iterator[str]:
    effect, stored = one.effect, one.stored
    heard = known.tickets.get(effect.ticket)
    if heard is None:
        yield f"invented: {one}: nobody has told of this ticket"
        return
    if stored.partition != heard.partition or topic is not effect.kind.topic:
        yield f"misplaced: {one} belongs to partition {heard.partition} of {effect.kind.topic}"
    if stored.key != effect.ticket.encode() or dict(stored.headers).get("ce_id") != effect.id.encode():
        yield f"misplaced: {one} bears the key or id of another: {stored.key!r}"


def _early(one: Said, recording: Recording) -> Iterator[str]:
    """``detected_at`` is by the clock of a worker, which may have been set; when the record was written is not.

    Who corrects what a clock that was ahead has said may have a clock that is right.
    """
    effect, written, pace = one.effect, one.stored.written, recording.pace
    showed = [(pace.at(step.began) + step.by, pace.at(step.ended + NOTICED) + step.by, step) for step in recording.steps]
    back = [-step.by for first, last, step in showed if first <= effect.detected_at <= last]
    ahead = [last for _, last, step in showed if step.began <= written]
    if max([effect.detected_at + max([0, *back]), *(ahead if effect.late else ())]) < effect.at:
        yield f"early: {one} was detected at {effect.detected_at}, before {effect.at}, when it became true"
    millisecond = 1_000  # Kafka's timestamps are cut off there
    if max([pace.at(written + millisecond), *ahead]) < effect.at:
        yield f"early: {one} was written at {recording.pace.at(written)}, before {effect.at}, when it became true"


def _unexplained(one: Said, target: Said, known: Truth, policies: PolicySet, hours: Mapping[str, OpenMinutes]) -> Iterator[str]:
    """What is taken back must have been true of all that came before the event that is named as the cause, and follow it."""
    events = known.tickets[one.effect.ticket].events
    cause = next(((offset, event) for offset, event in events if event.id == one.effect.cause), None)
    if cause is None or cause[1].at > target.effect.at:
        yield f"unexplained: {one} takes back {target} because of {one.effect.cause}, which cannot be its cause"
        return
    before = [event for offset, event in events if offset < cause[0]]
    if target.substance not in oracle(policies.policies, hours, before, target.effect.at + MINUTE):
        yield f"unexplained: {one} takes back {target}, which was not true before {one.effect.cause} came"


def _set_against(open_commitment: Mapping[str, Said], recording: Recording, known: Truth) -> Iterator[str]:
    """Effects that were not taken back are those of the oracle. Of what became true at the very end some may be missing."""
    said: dict[str, dict[tuple[Expected, str], list[Said]]] = {ticket: {} for ticket in known.tickets}
    for one in open_commitment.values():
        if one.effect.ticket in said:
            # Two requests in one minute may be refused with the same words: they are two facts.
            moment = {event.id for _, event in known.tickets[one.effect.ticket].events if event.at == one.effect.at}
            cause = one.effect.cause if one.effect.cause in moment else ""
            said[one.effect.ticket].setdefault((one.substance, cause), []).append(one)
    for ticket, heard in known.tickets.items():
        true = heard.story.said
        for lost in true - {found for found, _ in said[ticket]}:
            if lost.at < recording.until:
                yield f"lost: {lost} of {ticket}"
        for (found, _), those in said[ticket].items():
            if found not in true:
                yield f"invented: {those[0]}, with {found}"
            elif len(those) > 1:
                yield f"repeated: {those[-1]} stands {len(those)} times, under other ids"


def check_rejected(recording: Recording, known: Truth) -> list[str]:
    """Every broken record was refused, once, with its reason and its bytes; no other was."""
    objections = []
    source = {(record.partition, record.offset): record for record in recording.events}
    seen: set[tuple[int, int]] = set()
    for stored in recording.rejected:
        dead_letter = decode_rejected(stored.value or b"")
        place, reason = (dead_letter.partition, dead_letter.offset), str(dead_letter.rejected.reason)
        due = known.refused.get(place)
        if due is None:
            objections.append(f"refused although it is sound: {place} as {reason} ({stored.place})")
        elif place in seen:
            objections.append(f"repeated: the refusal of {place} as {reason} ({stored.place})")
        elif reason != due:
            objections.append(f"refused for another reason: {place} as {reason}, not {due} ({stored.place})")
        elif stored.partition != dead_letter.partition or stored.key != source[place].key:
            objections.append(f"misplaced: the refusal of {place} ({stored.place})")
        elif (dead_letter.value or b"") != (source[place].value or b"")[: len(dead_letter.value or b"")]:
            objections.append(f"the refusal of {place} holds other bytes ({stored.place})")
        seen.add(place)
    objections += [f"not refused: {place}, {due}" for place, due in known.refused.items() if place not in seen]
    return objections
