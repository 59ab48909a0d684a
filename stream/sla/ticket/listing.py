"""In which lists a ticket is that people work through: breached and still open, paused, and without a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    commitments = head.commitments
    if not commitments:
        return UNMATCHED if is_unmatched(0, head.ended_by, head.fields.get("status", "")) else 0
    lists = 0
    for one in commitments.values():
        terms = one.terms
        going = commitment_status(terms.target is not None, one.verdict, head.watches[terms.metric].phase)
        if going == "breached":
            lists |= BREACHED
        elif going == "paused":
            lists |= PAUSED
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
