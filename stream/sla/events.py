"""What a helpdesk reports about a ticket: one fact an event.

``stream.wire.decode`` decodes and validates. An ``Event`` holds what the engine needs of a valid event. It has no free text:
what
people wrote about a ticket must not reach a stored state.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from stream.sla.event_order import OTHER, PRECEDENCE, Identity, Order, Place, order

EventType = Literal[
    "ticket.created",
    "ticket.changed",
    "comment.added",
    "ticket.merged",
    "ticket.deleted",
    "ticket.restored",
    "dependency.started",
    "dependency.ended",
    "extension.granted",
    "resolution.accepted",
    "escalation.requested",
    "escalation.acknowledged",
    "escalation.released",
    "ticket.erased",
]
ActorKind = Literal["customer", "agent", "bot", "vendor", "system"]
Status = Literal["new", "open", "pending", "on_hold", "solved", "closed"]

ERASURE: Final = "ticket.erased"
"""It takes a ticket out of the state: ``stream.sla.erasure``. No history has it, and no policy can ask for it."""
EVENT_TYPES: Final[tuple[EventType, ...]] = EventType.__args__[:-1]  # type: ignore[attr-defined]
"""All others, in the order of which a stored history makes use."""
ACTOR_KINDS: Final[tuple[ActorKind, ...]] = ActorKind.__args__  # type: ignore[attr-defined]
STATUSES: Final[tuple[Status, ...]] = Status.__args__  # type: ignore[attr-defined]
TICKET_FIELDS: Final = ("status", "priority", "category", "channel", "customer", "contract", "team", "assignee", "tags")
"""The ticket fields that the contract of events names. A helpdesk may add fields of its own."""

REQUESTER: Final = "requester"
"""The role of the person who asked. It is the only word for a role that breachwatch knows; policies may name others."""

_SHORT: Final = {"id": "i", "type": "t", "source": "s", "seq": "n", "actor": "a", "fields": "f", "public": "p", "at": "@"}


class Event(msgspec.Struct, frozen=True, omit_defaults=True, rename=_SHORT, gc=False):
    """One fact about one ticket. Encodes under short names, because a ticket keeps its recent ones."""

    at: int
    """When it happened at the source: epoch microseconds, UTC."""
    id: str
    """Names the fact within ``source``, together with ``seq``; the same again is a repetition."""
    type: EventType
    source: str
    seq: int = 0
    """Order among events of one source action that bear the same ``at``; distinguishes them where they bear one id."""
    actor: ActorKind | None = None
    """Who did it, as far as an SLA cares. Names and addresses never get here."""
    fields: dict[str, str | list[str]] = {}
    """``ticket.created`` and ``ticket.changed``: the ticket fields it sets. ``""`` clears a field; ``tags`` is a list."""
    public: bool = False
    """``comment.added``: whether the customer can read it."""
    into: str = ""
    """``ticket.merged``: the ticket it was merged into."""
    party: str = ""
    """``dependency.*``: the third party the ticket waits for."""
    commitment: str = ""
    """``extension.granted``: whose target is extended."""
    by: str = ""
    """``extension.granted``: the duration text. ``resolution.accepted``: ``customer`` or ``manager``."""
    level: str = ""
    """``escalation.*``: the level asked for, acknowledged or released."""
    impact: str = ""
    """``escalation.requested``: ``production``, ``business_risk`` or nothing."""
    role: str = ""
    """The part of the actor in the ticket, in a word of the helpdesk; empty: the event does not state it (``role_of``)."""
    arrived: int = 0
    """Of an old event whose ticket has not settled: when it reached Kafka, epoch microseconds; ``stream.sla.settling``."""

    @property
    def key(self) -> Order:
        """The order of a ticket's events, whatever the order of their arrival."""
        return order(self.place)

    @property
    def place(self) -> Place:
        """What a ticket keeps of its newest event, to compare the next one with it: ``order`` makes the key of it."""
        return (self.at, PRECEDENCE.get(self.type, OTHER), self.seq, self.id, self.source)

    @property
    def identity(self) -> Identity:
        """Two events of a ticket with one identity are one fact: ``adds_to``."""
        return (self.source, self.id, self.seq)

    def adds_to(self, known: Event) -> bool:
        """Whether this states anything that ``known``, an event of the same identity, does not.

        Their times may differ: some sources give the time of the delivery.
        """
        if self.type != known.type or (self.actor is not None and self.actor != known.actor):
            return True
        for name, value in self.fields.items():
            by_default = name == "status" and value == "new" and self.type == "ticket.created"
            if known.fields.get(name) != value and not by_default:
                return True
        return (self.public, self.into, self.party, self.commitment, self.by, self.level, self.impact) != (
            known.public,
            known.into,
            known.party,
            known.commitment,
            known.by,
            known.level,
            known.impact,
        )


def as_one_text(value: str | list[str]) -> str:
    """The value of a field as one text, for a label: the values of a list are separated by commas."""
    return value if isinstance(value, str) else ", ".join(value)


def role_of(event: Event) -> str:
    """The part of the actor in the ticket. A customer whose event states none is the requester; of others it is empty."""
    return event.role or (REQUESTER if event.actor == "customer" else "")
