"""Puts into an effect what has become true of a ticket. Says it; never decides it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.policy.policy import ThresholdKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.policy import Threshold
    from stream.sla.policy.resolve import ResolvedCommitment, ResolvedLadder
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.state import Ticket
    from stream.sla.ticket.stopwatch import Stopwatch

TIMER: Final = "timer"
"""The ``cause`` of what time alone made true."""

THRESHOLD_REASON: Final = {
    ThresholdKind.SHARE: Reason.SHARE_USED,
    ThresholdKind.USED: Reason.TIME_USED,
    ThresholdKind.LEFT: Reason.TIME_LEFT,
    ThresholdKind.AFTER: Reason.AFTER_DEADLINE,
}

_BUSINESS: Final = Clock.BUSINESS
_blank: Final = blake2b(digest_size=12).copy
"""A copy costs half of what it costs to have the parameters looked at again."""


def stem(ticket: str, name: str, metric: str, cycle: int, kind: Kind, threshold: str, version: int, cause: str = "") -> str:
    """Hash that names a fact. ``cause`` only where the same thing may happen many times in a cycle (a pause, a request)."""
    named = _blank()
    named.update("\x1f".join((ticket, name, metric, str(cycle), kind, threshold, str(version), cause)).encode())
    return named.hexdigest()


class Emitter:
    """Collects the effects of one step on one ticket."""

    __slots__ = ("_calendars", "_fields", "effects", "now", "ticket")

    def __init__(self, ticket: Ticket, calendars: Mapping[str, Calendar], now: int) -> None:
        self.ticket = ticket
        self._calendars = calendars
        self.now = now
        self.effects: list[Effect] = []
        self._fields: dict[str, str | list[str]] | None = None

    def fields_changed(self) -> None:
        """The next effects show the ticket's fields as they are from here on."""
        self._fields = None

    def _shown(self) -> dict[str, str | list[str]]:
        if self._fields is None:
            fields = self.ticket.fields
            self._fields = shown = fields.copy()
            for name, value in fields.items():
                if not value or name[0] == "@":
                    del shown[name]
        return self._fields

    def commitment(
        self,
        kind: Kind,
        reason: Reason,
        at: int,
        cause: str,
        resolved: ResolvedCommitment,
        commitment_state: CommitmentState,
        watch: Stopwatch,
        *,
        threshold: Threshold | None = None,
        per_event: bool = False,
    ) -> None:
        """``per_event``: the same may happen again in this cycle, so that its cause tells one from the other."""
        # What was decided is told by the calendar it was promised on, whatever the fields say now.
        clock, calendar, name = commitment_state.clock, self._calendars[commitment_state.calendar], resolved.name
        text = "" if threshold is None else threshold.text
        self.effects.append(
            # By position: twenty names of arguments cost four times what the effect itself does.
            Effect(
                stem(
                    self.ticket.id,
                    name,
                    commitment_state.metric,
                    commitment_state.cycle,
                    kind,
                    text,
                    commitment_state.revision,
                    cause if per_event else "",
                ),
                kind,
                at,
                self.now,
                self.ticket.id,
                self._shown(),
                commitment_state.policy,
                commitment_state.version,
                reason,
                cause,
                name,
                "",  # ladder
                text,
                (),  # notify
                "",  # owner
                commitment_state.cycle,
                commitment_state.due,
                watch.elapsed(clock, calendar, at) - commitment_state.elapsed_at_reset,
                watch.paused_for(clock, calendar, at) - commitment_state.paused_at_reset,
                None if commitment_state.target is None else commitment_state.target + commitment_state.extension,
                calendar.name,
                calendar.timezone,
            )
        )

    def ladder(
        self,
        kind: Kind,
        reason: Reason,
        at: int,
        cause: str,
        resolved_ladder: ResolvedLadder,
        escalation_state: EscalationState,
        watch: Stopwatch,
        *,
        level: str = "",
        notify: tuple[str, ...] = (),
        due_at: int | None = None,
        allowed_from: int | None = None,
        count: int = 0,
        per_event: bool = False,
    ) -> None:
        """``count``: how often the level was repeated, which tells the repetitions of a round from each other."""
        ladder, calendar = resolved_ladder.ladder, resolved_ladder.calendar
        own = cause if per_event else ""
        self.effects.append(
            Effect(
                stem(
                    self.ticket.id,
                    ladder.name,
                    escalation_state.metric,
                    escalation_state.cycle,
                    kind,
                    f"{level}#{count}",
                    escalation_state.rounds,
                    own,
                ),
                kind,
                at,
                self.now,
                self.ticket.id,
                self._shown(),
                resolved_ladder.policy.name,
                resolved_ladder.policy.version,
                reason,
                cause,
                ladder.commitment,
                ladder.name,
                level,
                notify,
                ladder.owner,
                escalation_state.cycle,
                due_at,
                watch.elapsed(_BUSINESS, calendar, at),
                watch.paused_for(_BUSINESS, calendar, at),
                None,  # target
                calendar.name,
                calendar.timezone,
                False,  # late
                "",  # retracts
                None,  # retracts_kind
                None,  # retracts_reason
                allowed_from,
            )
        )
