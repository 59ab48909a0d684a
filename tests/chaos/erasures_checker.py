"""What is wrong with tickets that were erased: more than the name is kept, or something follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, epoch_of
from stream.sla.codec import codec
from stream.sla.erasure import SHOWN, is_erased
from stream.sla.ticket.state import State, Ticket
from stream.sla.unconfirmed import stem_of
from stream.wire.effect import decode_effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.recording import Recording, Stored
    from tests.chaos.truth import Truth


def check_erasures(recording: Recording, known: Truth) -> Iterator[str]:
    """Objections."""
    yield from _kept(recording, known.erasures)
    for topic in (recording.breaches, recording.escalations):
        yield from _emitted(topic, known.erasures)


def _kept(recording: Recording, asked: dict[str, str]) -> Iterator[str]:
    """From the erasure on each record of the ticket holds its name and the erasure, and nothing else."""
    epochs: dict[int, int] = {}
    gone: set[str] = set()
    for record in recording.changelog:
        newest = epochs[record.partition] = max(epoch_of(record), epochs.get(record.partition, 0))
        if record.key is None or record.key == CHECKPOINT_KEY or epoch_of(record) < newest:
            continue
        ticket = record.key.decode()
        if ticket not in asked or record.value is None:
            continue
        head = codec.decode(record.value).head
        if is_erased(head):
            gone.add(ticket)
            left = Ticket(ticket, ended_by=head.ended_by, ended_at=head.ended_at, last=head.last, deployment=head.deployment)
            if record.value != codec.encode(State(left)):
                yield f"erased: {ticket} keeps more than its name ({record.place})"
        elif ticket in gone:
            yield f"erased: {ticket} came back ({record.place})"
    yield from (f"erased: {ticket} is still kept" for ticket in sorted(asked.keys() - gone))


def _emitted(topic: list[Stored], asked: dict[str, str]) -> Iterator[str]:
    """The effects of the erasure show no other fields, and are the last ones of the ticket.

    What is unconfirmed is taken back because of the erasure, and then stated again with the cause that it had.
    """
    taken_back: dict[str, set[str]] = {}
    """Erased ticket to the effects, without their revisions, that are to be stated again."""
    for stored in topic:
        effect = decode_effect(stored.value or b"")
        if effect.ticket not in asked:
            continue
        if effect.cause == asked[effect.ticket]:
            again = taken_back.setdefault(effect.ticket, set())
            if effect.retracts:
                again.add(stem_of(effect.retracts))
        elif effect.ticket not in taken_back:
            continue  # from before the erasure
        elif stem_of(effect.id) in taken_back[effect.ticket]:
            taken_back[effect.ticket].remove(stem_of(effect.id))
        else:
            yield f"erased: {effect.kind} of {effect.ticket}, {effect.id}, follows its erasure ({stored.place})"
        if not effect.fields.keys() <= set(SHOWN):
            yield f"erased: {effect.kind} of {effect.ticket}, {effect.id}, shows {sorted(effect.fields)} ({stored.place})"
