"""Whether what workers keep of every ticket, read back as a worker that starts would read it, is what it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint, epoch_of
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.ticket.state import State, Stored, Ticket, open_commitments
from tests.broker.running import empty_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.recording import Recording
    from tests.chaos.recording import Stored as Found
    from tests.chaos.truth import KnownTicket, Truth


def check_state(recording: Recording, known: Truth) -> Iterator[str]:
    """Objections: to tickets, to the stored progress of the feed, to what is committed."""
    deployments = known.judges.deployments
    engine = Engine(deployments, history=recording.history)
    store = empty_store()
    found: dict[str, State] = {}
    for number in recording.ends:
        store.restore(number, [record for record in recording.changelog if record.partition == number])
        for key, value in store.of(number).items():
            ticket = key.decode()
            if ticket not in known.tickets or known.tickets[ticket].partition != number:
                yield f"state: {ticket} is kept in partition {number}, where it does not belong"
            else:
                found[ticket] = codec.decode(value)
        yield from _progress([record for record in recording.changelog if record.partition == number])
        checkpoint = store.checkpoint(number)
        reached = msgspec.json.decode(checkpoint, type=Checkpoint) if checkpoint is not None else Checkpoint()
        if reached.watermark != known.newest[number]:
            yield f"state: the watermark of partition {number} is {reached.watermark}, not {known.newest[number]}"
        last = deployments.timeline.last.number
        if recording.deployments and reached.swept != last:
            yield f"state: partition {number} was swept after deployment {reached.swept}, not {last}"
    for ticket, known_ticket in known.tickets.items():
        if ticket not in found:
            yield f"state: {ticket} is not kept"
        else:
            yield from _ticket(ticket, found[ticket], known_ticket, engine, (recording.until, known.far))
    for number, end in recording.ends.items():
        if end and recording.committed.get(number) != end:
            yield f"offsets: partition {number} is committed up to {recording.committed.get(number)}, its end is {end}"


def _progress(changelog: list[Found]) -> Iterator[str]:
    """The stored progress of the feed never goes back, as long as one worker owns the partition.

    The next owner may begin before a checkpoint that the one before it wrote last: it reads that input again.
    """
    epoch, reached = 0, 0
    for record in changelog:
        if epoch_of(record) < epoch:
            continue  # by a worker that had been replaced
        if epoch_of(record) > epoch:
            epoch, reached = epoch_of(record), 0
        if record.key == CHECKPOINT_KEY:
            shown = msgspec.json.decode(record.value or b"", type=Checkpoint).watermark
            if shown < reached:
                yield f"state: the feed goes back from {reached} to {shown} at {record.place}"
            reached = shown


def _ticket(ticket: str, stored: State, known_ticket: KnownTicket, engine: Engine, instants: tuple[int, int]) -> Iterator[str]:
    """``instants``: up to which all deadlines must have passed, and at which both states are compared."""
    until, far = instants
    soonest = stored.head.next
    if soonest is not None and soonest < until:
        yield f"state: {ticket} was to be woken at {soonest}, and was not"
    if known_ticket.cut:
        return
    # Both are brought to one instant: what is due at the very end may have passed or not. An event has them meet deployments
    # that change nothing, too.
    end = Event(at=far, id="the end of the run", type="ticket.changed", source="desk")
    now, must = engine.apply(stored, ticket, end, far).state, engine.apply(known_ticket.state, ticket, end, far).state
    names = [name for name in Ticket.__init__.__annotations__ if name != "return"]
    # What follows them among the arguments is not stored.
    for (is_, should_be), name in zip(zip(now.head.parts(), must.head.parts(), strict=True), names, strict=False):
        if is_ != should_be:
            yield f"state: {ticket}: {name} is {is_}, the engine has {should_be}"
    if now.history != must.history or _base(now) != _base(must):
        yield f"state: {ticket} keeps another history than the engine"
    open_ = {(one.commitment, one.state, one.due_at) for one in open_commitments(now)}
    if open_ != known_ticket.open_commitments:
        expected = sorted(known_ticket.open_commitments, key=str)
        yield f"state: {ticket} has open {sorted(open_, key=str)}, the oracle has {expected}"


def _base(state: State) -> Stored | None:
    return None if state.base is None else state.base.parts()
