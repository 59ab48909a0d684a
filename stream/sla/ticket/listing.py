"""In which lists a ticket is that people work through: breached and still open, paused, and without a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.ticket.commitment_state import CANCELLED
from stream.sla.ticket.state import commitment_status, is_unmatched

if TYPE_CHECKING:
    from stream.sla.ticket.state import OpenCommitment, State

BREACHED: Final = 1
PAUSED: Final = 2
UNMATCHED: Final = 4
NAMES: Final = {BREACHED: "breached", PAUSED: "paused", UNMATCHED: "unmatched"}
"""The lists by name. A ticket is in the sum of these numbers."""


def lists_of(state: State) -> int:
    """The lists of a ticket."""
    head = state.head
    lists = with_target = 0
    for one in head.commitments.values():
        terms, verdict = one.terms, one.verdict
        if terms.target is None or verdict == CANCELLED:
            continue
        with_target += 1
        going = commitment_status(True, verdict, head.watches[terms.metric].phase)
        if going == "breached":
            lists |= BREACHED
        elif going == "paused":
            lists |= PAUSED
    if not with_target and is_unmatched(with_target, head.ended_by, head.fields.get("status", "")):
        return UNMATCHED
    return lists


def lists_of_summary(open_commitments: list[OpenCommitment], *, unmatched: bool) -> int:
    """The lists of a ticket of which a worker has only the summary; as ``lists_of``."""
    lists = UNMATCHED if unmatched else 0
    for one in open_commitments:
        if one.state == "breached":
            lists |= BREACHED
        elif one.state == "paused":
            lists |= PAUSED
    return lists
