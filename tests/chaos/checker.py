"""What is wrong with a recording: every effect once, none invented, none early, every state and every refusal as they must be.

``tests.chaos.truth`` has what must be there.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.deployments.record import FIRST
from stream.sla.effects import Effect, Kind, Topic, deployment_cause
from stream.wire.decode import RejectReason
from stream.wire.effect import decode_effect, decode_rejected
from tests.chaos.feeds_checker import is_confirmation, of_a_feed
from tests.chaos.pace import MINUTE
from tests.chaos.truth import detail, emitted_by, expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stream.sla.events import Event
    from tests.chaos.recording import Recording, Stored
    from tests.chaos.truth import Truth
    from tests.oracle.ticket import Expected

_RETRACTIONS = (Kind.BREACH_RETRACTED, Kind.RETRACTED, Kind.ESCALATION_RETRACTED)


class Emitted(NamedTuple):
    """An effect and where it stands."""

    effect: Effect
    stored: Stored

    @property
    def substance(self) -> Expected:
        return expected(self.effect)

    def __str__(self) -> str:
        one = self.effect
        return f"{one.kind} {one.ladder or one.commitment} {one.level} of {one.ticket}, id {one.id} ({self.stored.place})"


def check_effects(recording: Recording, known: Truth) -> tuple[list[str], Counter[str]]:
    """Objections, and how many effects there are of each sort (``emitted``, ``retracted``)."""
    emitted: dict[str, Emitted] = {}
    open_commitment: dict[str, Emitted] = {}
    objections: list[str] = []
    counts = Counter[str]()
    topics = [(Topic.BREACHES, stored) for stored in recording.breaches]
    topics += [(Topic.ESCALATIONS, stored) for stored in recording.escalations]
    everything = [(topic, Emitted(decode_effect(stored.value or b""), stored)) for topic, stored in topics]
    reached = _reached(one for _, one in everything)
    for topic, one in everything:
        objections += _misplaced(one, topic, known)
        objections += _early(one, recording, known, reached[one.effect.id])
        objections += _foreseen(one, recording, known)
        if (before := emitted.get(one.effect.id)) is not None:
            objections.append(f"repeated: {one}, first emitted at {before.stored.place}")
            continue
        emitted[one.effect.id] = one
        counts["emitted"] += 1
        counts["provisional"] += of_a_feed(one.effect) and not one.effect.retracts
        if one.effect.kind not in _RETRACTIONS:
            open_commitment[one.effect.id] = one
            continue
        counts["retracted"] += 1
        target = open_commitment.pop(one.effect.retracts, None)
        if target is None:
            objections.append(f"retracted without having been emitted: {one} takes back {one.effect.retracts}")
        elif target.effect.kind is not one.effect.retracts_kind or target.effect.ticket != one.effect.ticket:
            objections.append(f"a retraction of something else: {one} takes back {target}")
        else:
            counts["confirmed"] += is_confirmation(one.effect, target.effect)
            objections += _unexplained(one, target, known)
    objections += _set_against(open_commitment, recording, known)
    return objections, counts


NOTICED: Final = 2_000_000
"""Real microseconds for which a clock that was set right may still be wrong to its worker: that must read it, and does not
believe in a step ahead for the first half second (``stream.runtime.clock``)."""


def _misplaced(one: Emitted, topic: Topic, known: Truth) -> Iterator[str]:
    effect, stored = one.effect, one.stored
    known_ticket = known.tickets.get(effect.ticket)
    if known_ticket is None:
        yield f"invented: {one}: no event names this ticket"
        return
    if stored.partition != known_ticket.partition or topic is not effect.kind.topic:
        yield f"misplaced: {one} belongs to partition {known_ticket.partition} of {effect.kind.topic}"
    if stored.key != effect.ticket.encode() or dict(stored.headers).get("ce_id") != effect.id.encode():
        yield f"misplaced: {one} bears the key or id of another: {stored.key!r}"


def _reached(everything: Iterable[Emitted]) -> dict[str, int]:
    """By the id of each effect, the newest instant of the effects of its ticket that were written before it (epoch
    microseconds)."""
    newest: dict[str, int] = {}
    found: dict[str, int] = {}
    for one in sorted(everything, key=lambda one: one.stored.written):
        found.setdefault(one.effect.id, newest.get(one.effect.ticket, 0))
        newest[one.effect.ticket] = max(one.effect.at, newest.get(one.effect.ticket, 0))
    return found


def _early(one: Emitted, recording: Recording, known: Truth, reached: int) -> Iterator[str]:
    """``detected_at`` is by the clock of a worker, which may have been set; when the record was written is not.

    A worker that corrects, confirms or erases an effect of a clock that was ahead may have a clock that is right. So may one
    that publishes what waited for the ticket to settle: that is all that is true of it up to ``reached``, to which the clock
    that was ahead had brought it.
    """
    effect, written, pace = one.effect, one.stored.written, recording.pace
    showed = [(pace.at(step.began) + step.by, pace.at(step.ended + NOTICED) + step.by, step) for step in recording.steps]
    back = [-step.by for first, last, step in showed if first <= effect.detected_at <= last]
    ahead = [last for _, last, step in showed if step.began <= written]
    corrects = effect.late or "." in effect.id  # a correction or a confirmation
    again = corrects or effect.cause == known.erasures.get(effect.ticket) or effect.at <= reached
    if max([effect.detected_at + max([0, *back]), *(ahead if again else ())]) < effect.at:
        yield f"early: {one} was detected at {effect.detected_at}, before {effect.at}, when it became true"
    millisecond = 1_000  # Kafka's timestamps are cut off there
    if max([pace.at(written + millisecond), *ahead]) < effect.at:
        yield f"early: {one} was written at {recording.pace.at(written)}, before {effect.at}, when it became true"


def _foreseen(one: Emitted, recording: Recording, known: Truth) -> Iterator[str]:
    """An effect of a deployment follows its record in the log, and is of the instant from which it holds, or came late."""
    effect, number = one.effect, one.effect.deployment
    if number is None:
        return
    entry = known.judges.entries.get(number)
    if entry is None:
        yield f"invented: {one}: there is no deployment {number}"
        return
    if one.stored.written < entry.appended:
        yield f"early: {one} was written before deployment {number} was in the log"
    if effect.at < entry.at and not effect.late:
        yield f"early: {one} is of {effect.at} by deployment {number}, which holds from {entry.at} on"


def _unexplained(one: Emitted, target: Emitted, known: Truth) -> Iterator[str]:
    """An event or a deployment takes back what was true without it, and is not true any more."""
    if one.effect.deployment is not None or one.effect.cause.startswith("deployment:"):
        yield from _unexplained_by_deployment(one, target, known)
        return
    if is_confirmation(one.effect, target.effect):  # tests.chaos.feeds_checker checks it
        return
    events = known.tickets[one.effect.ticket].events
    cause = next(((offset, event) for offset, event in events if event.id == one.effect.cause), None)
    if one.effect.cause == known.erasures.get(one.effect.ticket) and of_a_feed(target.effect):
        return  # what is unconfirmed is confirmed first
    if cause is None or cause[1].at > target.effect.at:
        yield f"unexplained: {one} takes back {target} because of {one.effect.cause}, which cannot be its cause"
        return
    before = [event for offset, event in events if offset < cause[0]]
    if not _was_true(target, known, [before], list(known.judges.deployments.known)):
        yield f"unexplained: {one} takes back {target}, which was not true before {one.effect.cause} came"


def _unexplained_by_deployment(one: Emitted, target: Emitted, known: Truth) -> Iterator[str]:
    """It was true of some of the events by what was deployed before, and an earlier instant than its own was judged anew."""
    entries, number, cause = known.judges.entries, one.effect.deployment, one.effect.cause
    if number is None or number not in entries or cause != deployment_cause(number):
        yield f"unexplained: {one} takes back {target} because of {cause} and deployment {number}, which cannot be its cause"
        return
    if not any(other <= number and entry.at <= target.effect.at for other, entry in entries.items() if entry.after != FIRST):
        yield f"unexplained: {one} takes back {target}, and no deployment up to {number} holds from an instant before it"
        return
    events = [event for _, event in known.tickets[one.effect.ticket].events]
    prefixes = [events[:count] for count in range(len(events), 0, -1)]
    if not _was_true(target, known, prefixes, sorted((other for other in entries if other < number), reverse=True)):
        yield f"unexplained: {one} takes back {target}, which was not true before deployment {number} was known"


def _was_true(target: Emitted, known: Truth, histories: Iterable[list[Event]], numbers: list[int]) -> bool:
    """Whether one of these histories makes it true, by what was deployed up to one of these numbers."""
    effect = target.effect
    return known.tickets[effect.ticket].cut or any(
        target.substance in emitted_by(known.judges, number, events, effect.at + MINUTE)
        for events in histories
        for number in numbers
    )


def _set_against(open_commitment: Mapping[str, Emitted], recording: Recording, known: Truth) -> Iterator[str]:
    """Effects that were not taken back are those of the oracle. Of what became true at the very end some may be missing."""
    emitted: dict[str, dict[tuple[Expected, str], list[Emitted]]] = {ticket: {} for ticket in known.tickets}
    for one in open_commitment.values():
        if one.effect.ticket in emitted:
            # Two requests in one minute may be refused with the same words: they are two facts.
            moment = {event.id for _, event in known.tickets[one.effect.ticket].events if event.at == one.effect.at}
            cause = one.effect.cause if one.effect.cause in moment else ""
            emitted[one.effect.ticket].setdefault((one.substance, cause), []).append(one)
    for ticket, known_ticket in known.tickets.items():
        if known_ticket.cut:
            continue
        true = known_ticket.emitted
        for lost in true - {found for found, _ in emitted[ticket]}:
            if lost.at < recording.until:
                yield f"lost: {lost} of {ticket}"
        for (found, _), those in emitted[ticket].items():
            if found not in true:
                yield f"invented: {those[0]}, with {found}"
            elif len(those) > 1:
                yield f"repeated: {those[-1]} stands {len(those)} times, under other ids"
        if known_ticket.details:
            found_details = {detail(one.effect) for those in emitted[ticket].values() for one in those}
            for about in found_details ^ known_ticket.details:
                if about[1].at < recording.until:
                    word = "not true" if about in found_details else "not emitted"
                    yield f"different: {about} of {ticket} is {word}"


def check_rejected(recording: Recording, known: Truth) -> list[str]:
    """Every broken record was refused, once, with its reason and its bytes; no other was."""
    objections = []
    source = {(record.partition, record.offset): record for record in recording.events}
    seen: set[tuple[int, int]] = set()
    for stored in recording.rejected:
        dead_letter = decode_rejected(stored.value or b"")
        place, reason = (dead_letter.partition, dead_letter.offset), str(dead_letter.rejected.reason)
        due = known.refused.get(place)
        if due is None and place in known.may_be_late:
            due = str(RejectReason.TOO_LATE)
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
