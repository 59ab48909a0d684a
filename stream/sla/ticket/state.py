"""A ticket as the engine keeps it: its fields, its stopwatches, and how each commitment and ladder stands.

Longer than 250 lines because a ticket, its head and its summary keep the same parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mypy_extensions import mypyc_attr

from stream.sla.events import as_one_text
from stream.sla.policy.conditions import Fields
from stream.sla.ticket.commitment_state import BREACHED, PENDING, CommitmentState
from stream.sla.ticket.history import History
from stream.sla.ticket.stopwatch import PAUSED, RUNNING, Stopwatch
from stream.sla.ticket.stopwatch import Stored as StoredStopwatch

if TYPE_CHECKING:
    from stream.sla.effects import ProvisionalReason
    from stream.sla.event_order import Place
    from stream.sla.events import Event
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.settling import Settling


Unconfirmed = tuple[int, "ProvisionalReason"]
"""Of an effect that was emitted as provisional because a feed is stale: its instant (epoch microseconds), and why."""

Stored = tuple[
    str,
    Fields,
    dict[str, StoredStopwatch],
    dict[str, tuple[object, ...]],
    dict[str, tuple[object, ...]],
    tuple[str, ...],
    bool,
    bool,
    str,
    int,
    "Place | None",
    int | None,
    int | None,
    int,
    int | None,
]


@mypyc_attr(acyclic=True, free_list_len=1)
class Ticket:
    """The state of a ticket after a run of events. Copied before it is changed, its parts as they are changed."""

    __slots__ = (
        "commitments",
        "deployment",
        "ended_at",
        "ended_by",
        "escalations",
        "fields",
        "id",
        "last",
        "last_timer_at",
        "next",
        "partial",
        "parties",
        "shown",
        "started",
        "stored",
        "watches",
        "whole_at",
    )

    def __init__(  # noqa: PLR0913  an argument an attribute: the stored form fills them by position
        self,
        id: str,  # noqa: A002  the word of everything that has one
        fields: Fields | None = None,
        watches: dict[str, Stopwatch] | None = None,
        commitments: dict[str, CommitmentState] | None = None,
        escalations: dict[str, EscalationState] | None = None,
        parties: tuple[str, ...] = (),
        started: bool = False,
        partial: bool = False,
        ended_by: str = "",
        ended_at: int = 0,
        last: Place | None = None,
        last_timer_at: int | None = None,
        next: int | None = None,  # noqa: A002
        deployment: int = 0,
        whole_at: int | None = None,
        shown: Fields | None = None,
        stored: bytes | None = None,
    ) -> None:
        self.id: str = id
        self.fields: Fields = {} if fields is None else fields
        """Fields of the helpdesk, and the derived ones (``@answered`` ...)."""
        self.watches: dict[str, Stopwatch] = {} if watches is None else watches
        """By the name of the metric."""
        self.commitments: dict[str, CommitmentState] = {} if commitments is None else commitments
        """By the name of the commitment."""
        self.escalations: dict[str, EscalationState] = {} if escalations is None else escalations
        """By the name of the ladder."""
        self.parties: tuple[str, ...] = parties
        """Third parties the ticket waits for."""
        self.started: bool = started
        """It has begun, with its creation or with the first event that states that it is open: ``stream.sla.ticket.fields``."""
        self.partial: bool = partial
        """Its creation has not been seen."""
        self.ended_by: str = ended_by
        """``merged`` or ``deleted``: nothing runs, unless it is restored."""
        self.ended_at: int = ended_at
        """The instant of its merge or deletion (epoch microseconds); 0: there was none."""
        self.last: Place | None = last
        """Of the newest event: ``Event.place``."""
        self.last_timer_at: int | None = last_timer_at
        """The newest instant at which time alone made something true."""
        self.next: int | None = next
        """The soonest instant at which something becomes true, if no event comes first."""
        self.deployment: int = deployment
        """The number of the deployment that judges it: ``stream.sla.policy.timeline``."""
        self.whole_at: int | None = whole_at
        """The newest event that created it or gave all of its fields (epoch microseconds); ``stream.sla.doubt``."""
        self.shown: Fields | None = shown
        """The fields that effects show, once asked for; ``stream.sla.transition.emitter``."""
        self.stored: bytes | None = stored
        """The parts as the table has them, while they are as they were when it was written or read;
        ``stream.sla.codec.layout``."""

    def copy(self) -> Ticket:
        """Shares its parts with the original: who changes any calls ``own``, and puts a copy in the place of each first."""
        return Ticket(
            self.id,
            self.fields,
            self.watches,
            self.commitments,
            self.escalations,
            self.parties,
            self.started,
            self.partial,
            self.ended_by,
            self.ended_at,
            self.last,
            self.last_timer_at,
            self.next,
            self.deployment,
            self.whole_at,
            self.shown,
            self.stored,
        )

    def own(self) -> None:
        """Have lists of parts of its own."""
        self.watches = self.watches.copy()
        self.commitments = self.commitments.copy()
        self.escalations = self.escalations.copy()
        self.stored = None

    def has_many_stretches(self) -> bool:
        """Whether a stopwatch keeps more stretches than it should before the kept history."""
        return any(watch.has_many_stretches() for watch in self.watches.values())

    def parts(self) -> Stored:
        """The stored form: the arguments of ``Ticket`` in their order, the parts as their own ``parts``."""
        return (
            self.id,
            self.fields,
            {name: watch.parts() for name, watch in self.watches.items()},
            {name: commitment_state.parts() for name, commitment_state in self.commitments.items()},
            {name: escalation_state.parts() for name, escalation_state in self.escalations.items()},
            self.parties,
            self.started,
            self.partial,
            self.ended_by,
            self.ended_at,
            self.last,
            self.last_timer_at,
            self.next,
            self.deployment,
            self.whole_at,
        )

    def reschedule(self) -> None:
        """Find ``next`` anew, after that of any part has changed."""
        soonest = None
        for commitment_state in self.commitments.values():
            if commitment_state.next is not None and (soonest is None or commitment_state.next < soonest):
                soonest = commitment_state.next
        for escalation_state in self.escalations.values():
            if escalation_state.next is not None and (soonest is None or escalation_state.next < soonest):
                soonest = escalation_state.next
        self.next = soonest


_NO_HISTORY: Final = History()
_NO_REVISIONS: Final[dict[str, int]] = {}
_NO_UNCONFIRMED: Final[dict[str, Unconfirmed]] = {}


@mypyc_attr(acyclic=True, free_list_len=1)
class State:
    """A ticket and as much of its history as is needed to fold a late event in at its place. Never changed."""

    __slots__ = ("base", "head", "old_ids", "recent", "revisions", "settling", "unconfirmed")

    def __init__(  # noqa: PLR0913  an argument an attribute, as of the ticket
        self,
        head: Ticket,
        recent: History = _NO_HISTORY,
        base: Ticket | None = None,
        old_ids: tuple[str, ...] = (),
        revisions: dict[str, int] = _NO_REVISIONS,
        settling: Settling | None = None,
        unconfirmed: dict[str, Unconfirmed] = _NO_UNCONFIRMED,
    ) -> None:
        self.head: Ticket = head
        """After the whole history, and after all that time alone has made true and that was emitted."""
        self.recent: History = recent
        """The newest events: what is needed to put a late one at its place."""
        self.base: Ticket | None = base
        """Before ``recent``; ``None`` when the history is whole."""
        self.old_ids: tuple[str, ...] = old_ids
        """Identities of events that went into ``base``, so that a repetition is known for one; bounded. An identity is the
        source, a newline and the id; then, unless it is 0, another newline and the seq. A source or an id that has a newline is
        written with its length (``stream.sla.history_cut.old_id``)."""
        self.revisions: dict[str, int] = revisions
        """Stem of an effect to the number of times it was taken back."""
        self.settling: Settling | None = settling
        """Its old events are arriving, and what they make true of the past is not published yet."""
        self.unconfirmed: dict[str, Unconfirmed] = unconfirmed
        """By the stem of the effect, in the order in which they were emitted; ``stream.sla.unconfirmed``."""

    def parts(self) -> tuple[object, ...]:
        """The arguments of ``State`` in their order, the tickets and the history as their own ``parts``."""
        base = None if self.base is None else self.base.parts()
        return self.head.parts(), self.recent.parts(), base, self.old_ids, self.revisions, self.settling, self.unconfirmed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.parts() == other.parts()

    def __hash__(self) -> int:
        return hash((self.head.id, self.recent.packed))

    @property
    def history(self) -> list[Event]:
        """The events of ``recent``, read anew at each call."""
        return self.recent.events

    def past(self, at: int) -> list[Event] | None:
        """The events before an instant (epoch microseconds); ``None`` where the history is cut."""
        return None if self.base is not None else [event for event in self.history if event.at < at]

    @property
    def wake_at(self) -> int | None:
        """The earliest clock reading (epoch microseconds) at which ``Engine.wake`` would do something.

        One microsecond after the instant itself: what happens *at* a deadline is still in time.
        """
        soonest = self.head.next
        if self.settling is not None:
            settles_at = self.settling.settles_at
            return settles_at if soonest is None else min(soonest + 1, settles_at)
        return None if soonest is None else soonest + 1

    @property
    def ended(self) -> int | None:
        """The instant of its newest event (epoch microseconds), if it has come to its end; ``has_ended``."""
        head = self.head
        if head.next is not None or head.last is None or self.settling is not None:
            return None
        over = has_ended(head.next, head.ended_by, str(head.fields.get("status", "")))
        if not over:
            over = not head.started and head.next is None and not open_commitments(self)
        return head.last[0] if over else None


def has_ended(soonest: int | None, ended_by: str, status: str) -> bool:
    """Nothing is due any more, and the helpdesk has closed, merged or deleted the ticket.

    A ticket that never began has come to its end as well, when nothing is due and nothing is open.
    """
    return soonest is None and (ended_by != "" or status == "closed")


def is_unmatched(with_target: int, ended_by: str, status: str | list[str]) -> bool:
    """The ticket is open and has no commitment with a target.

    ``with_target``: how many commitments it has that have a target and were not cancelled, whatever became of them.
    """
    return not with_target and ended_by == "" and status not in ("solved", "closed")


class OpenCommitment(NamedTuple):
    """One open commitment of a ticket, for gauges and pages."""

    commitment: str
    policy: str
    priority: str
    team: str
    customer: str
    state: str
    """``running``, ``paused`` or ``breached``."""
    due_at: int | None
    began: int
    """The start of the stopwatch's present cycle, running or paused."""


def is_deleted(state: State) -> bool:
    """Whether the ticket was deleted, and has come to its end."""
    return state.head.ended_by == "deleted" and state.ended is not None


class Summary(NamedTuple):
    """The part of a ticket that a worker needs at its start."""

    wake_at: int | None
    """As ``State.wake_at``."""
    ended: int | None
    """As ``State.ended``."""
    open_commitments: list[OpenCommitment]
    unmatched: bool
    """``is_unmatched``."""
    deleted: bool
    """``is_deleted``."""


def open_commitments(state: State) -> list[OpenCommitment]:
    """The commitments of a ticket that still wait to be fulfilled."""
    ticket = state.head
    fields = ticket.fields
    priority, team = as_one_text(fields.get("priority", "")), as_one_text(fields.get("team", ""))
    customer = as_one_text(fields.get("customer", ""))
    open_ = []
    for name, commitment_state in ticket.commitments.items():
        terms = commitment_state.terms
        watch = ticket.watches.get(terms.metric)
        if watch is not None:
            going = commitment_status(terms.target is not None, commitment_state.verdict, watch.phase)
            if going:
                due, began = commitment_state.due, watch.began
                open_.append(OpenCommitment(name, terms.policy, priority, team, customer, going, due, began))
    return open_


def commitment_status(has_target: bool, verdict: int, phase: int) -> str:
    """The status of a commitment on a stopwatch in that phase; ``""``: it does not wait to be fulfilled."""
    if not has_target or (verdict != PENDING and verdict != BREACHED) or not RUNNING <= phase <= PAUSED:
        return ""
    if verdict == BREACHED:
        return "breached"
    return "running" if phase == RUNNING else "paused"
