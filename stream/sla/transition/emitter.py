"""Collects the effects of one step on one ticket, and what all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.effects import Effect
    from stream.sla.policy.timeline import Deployment
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.state import Ticket


class Emitter:
    """What becomes true from now on becomes true at ``at``, because of ``cause``. Set once an event, or once an instant."""

    __slots__ = ("_fields", "at", "calendars", "cause", "deployment", "effects", "known", "now", "seq", "ticket")

    def __init__(self, ticket: Ticket, calendars: Mapping[str, Calendar], known: Mapping[int, Deployment], now: int) -> None:
        self.ticket = ticket
        self.calendars = calendars
        """Of the set in force."""
        self.known = known
        """Every deployment, by number."""
        self.now = now
        """The clock (epoch microseconds), for ``detected_at``."""
        self.at = 0
        """Epoch microseconds."""
        self.cause = ""
        """The id of an event, ``TIMER``, or ``deployment_cause``."""
        self.seq = 0
        """Of the event; 0 where there is none."""
        self.deployment: int | None = None
        """The number of the deployment that is being applied; ``None``: none is."""
        self.effects: list[Effect] = []
        self._fields: dict[str, str | list[str]] | None = None

    def calendar_of(self, commitment_state: CommitmentState) -> Calendar:
        """The calendar on which a commitment is reported: of the set that decided it, or of the set in force."""
        adjustment = commitment_state.adjustment
        decided_by = None if adjustment is None else adjustment.decided_by
        calendars = self.calendars if decided_by is None else self.known[decided_by].policies.calendars
        return calendars[commitment_state.terms.calendar]

    def renamed_since(self, name: str, instant: int) -> bool:
        """Whether the name may have been that of something else: a deployment is being applied, or one that began to hold after
        ``instant`` (epoch microseconds) gave a commitment or ladder of this name another one."""
        if self.deployment is not None:
            return True
        deployment: Deployment | None = self.known[self.ticket.deployment]
        while deployment is not None and deployment.at > instant:
            change = deployment.change
            if change is not None:
                for _, former in (*change.commitments, *change.ladders):
                    if former == name:
                        return True
            deployment = deployment.before
        return False

    @property
    def occurrence(self) -> str:
        """The cause, as it tells apart what the same cause cannot make true twice: facts of one action may share an id."""
        return f"{self.cause}\x1f{self.seq}" if self.seq else self.cause

    def fields_changed(self) -> None:
        """The next effects show the ticket's fields as they are from here on."""
        self._fields = None

    def shown_fields(self) -> dict[str, str | list[str]]:
        """The fields that effects show: those of the helpdesk that have a value. All effects in between share the dict."""
        if self._fields is None:
            fields = self.ticket.fields
            self._fields = shown = fields.copy()
            for name, value in fields.items():
                if not value or name[0] == "@":
                    del shown[name]
        return self._fields
