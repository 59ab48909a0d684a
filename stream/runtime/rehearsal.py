"""The impact of a deployment on a recorded feed: its tickets are brought to its end, and meet the deployment there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.deployments.impact import Impact, impact_on
from stream.deployments.proposal import as_of
from stream.sla.engine import Engine
from stream.sla.events import ERASURE
from stream.sla.playback import Playback
from stream.sla.ticket.bounds import NAMED
from stream.wire.decode import Rejected, read
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.deployments.log import Log
    from stream.deployments.proposal import Proposal


class Rehearsal(NamedTuple):
    """The result of a rehearsal."""

    impact: Impact
    at: int
    """The instant at which the tickets were asked (epoch microseconds)."""
    refused: int
    """Lines that are not valid events."""


def rehearse(
    log: Log,
    proposal: Proposal,
    lines: Iterable[tuple[int, bytes]],
    history: int,
    keep: frozenset[str] | None = NAMED,
) -> Rehearsal:
    """The impact on the tickets of these lines (number, content). The log must have a deployment.

    ``keep``: as for ``Engine``.
    """
    assert log.deployments is not None
    playback = Playback(Engine(log.deployments, history=history, keep=keep))
    newest = refused = 0
    for _, line in lines:
        record = read(line)
        if isinstance(record, Rejected):
            refused += 1
            continue
        if isinstance(record, Incoming):
            playback.apply(record.ticket, record.event)
            if record.event.type == ERASURE:
                continue
            at = record.event.at
        else:
            at = record.at
        playback.wakes(at)
        newest = max(newest, at)
    # After the last event, which the policies before have judged already.
    deployments, at = as_of(log, proposal, newest + 1)
    impact = impact_on(playback.states.values(), deployments, at)
    return Rehearsal(impact, newest if at == newest + 1 else at, refused)
