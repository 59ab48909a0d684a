"""Collects the effects of one step on one ticket, and what all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from stream.sla.doubt import covering
from stream.sla.effect_ids import occurrence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.effects import Effect, ProvisionalReason
    from stream.sla.policy.timeline import Deployment, Timeline
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.state import Ticket


@mypyc_attr(acyclic=True, free_list_len=1)
class Emitter:
    """Later facts become true at ``at``, because of ``cause``. Set once an event, or once an instant."""

    __slots__ = (
        "at",
        "calendars",
        "cause",
        "deployment",
        "effects",
        "now",
        "restarted",
        "routine",
        "seq",
        "ticket",
        "timeline",
    )

    def __init__(
        self,
        ticket: Ticket,
        calendars: Mapping[str, Calendar],
        timeline: Timeline,
        now: int,
        routine: bool = True,
    ) -> None:
        """``routine``: whether routine effects are made."""
        self.ticket = ticket
        self.calendars = calendars
        """Of the set in force."""
        self.timeline = timeline
        """That judges the ticket."""
        self.now = now
        """The clock (epoch microseconds), for ``detected_at``."""
        self.effects: list[Effect] = []
        self.at: int = 0
        """Epoch microseconds."""
        self.cause: str = ""
        """The id of an event, ``TIMER``, or ``deployment_cause``."""
        self.seq: int = 0
        """Of the event; 0 where there is none."""
        self.deployment: int | None = None
        """The number of the deployment that is being applied; ``None``: none is."""
        self.routine = routine
        self.restarted: list[tuple[CommitmentState, Effect]] = []
        """Commitments of timers that a restart has ended, each with its cancellation; up to the reconciliation after it."""

    def begins_again(self, ended: CommitmentState) -> None:
        """Of a timer that a restart has ended, only the start of the next cycle is emitted, if the commitment applies to it."""
        for commitment_state, cancellation in self.restarted:
            if commitment_state is ended:
                self.effects = [effect for effect in self.effects if effect is not cancellation]

    def renamed_since(self, name: str, instant: int) -> bool:
        """Whether the name may have been that of something else: a deployment is being applied, or one that began to hold after
        ``instant`` (epoch microseconds) gave a commitment or ladder of this name another one."""
        if self.deployment is not None:
            return True
        if instant >= self.at:
            return False
        deployment: Deployment | None = self.timeline.known[self.ticket.deployment]
        while deployment is not None and deployment.at > instant:
            change = deployment.change
            if change is not None:
                for _, former in (*change.commitments, *change.ladders):
                    if former == name:
                        return True
            deployment = deployment.before
        return False

    def doubt(self, began: int) -> ProvisionalReason | None:
        """Why what becomes true now is provisional; ``began``: the cycle of its stopwatch, epoch microseconds."""
        return covering(self.timeline.doubts, self.at, self.ticket.whole_at, began)

    @property
    def occurrence(self) -> str:
        """The cause, as it distinguishes what the same cause cannot make true twice: facts of one action may share an id."""
        return occurrence(self.cause, self.seq)

    def shown_fields(self) -> dict[str, str | list[str]]:
        """The fields that effects show: those of the helpdesk that have a value. All effects in between share the dict."""
        shown = self.ticket.shown
        if shown is None:
            fields = self.ticket.fields
            shown = self.ticket.shown = fields.copy()
            for name, value in fields.items():
                if not value or name[0] == "@":
                    del shown[name]
        return shown


def calendar_of(
    commitment_state: CommitmentState, calendars: Mapping[str, Calendar], known: Mapping[int, Deployment]
) -> Calendar:
    """The calendar on which a commitment is reported: of the set that decided it, or of ``calendars``, the set in force."""
    decided_by = commitment_state.adjusted.decided_by
    if decided_by is not None:
        calendars = known[decided_by].policies.calendars
    return calendars[commitment_state.terms.calendar]
