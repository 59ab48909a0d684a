"""Events: a helpdesk reports one fact about a ticket in each.

``stream.wire.decode`` decodes and validates. An ``Event`` holds what the engine needs of a valid event. It has no free text:
what people wrote about a ticket must not reach a stored state.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from mypy_extensions import mypyc_attr

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
EVENT_TYPES: Final[tuple[EventType, ...]] = EventType.__args__[:-1]  # type: ignore[attr-defined]  # of a ``Literal`` at run time
"""All others, in the order of which a stored history makes use."""
ACTOR_KINDS: Final[tuple[ActorKind, ...]] = ActorKind.__args__  # type: ignore[attr-defined]
STATUSES: Final[tuple[Status, ...]] = Status.__args__  # type: ignore[attr-defined]
TICKET_FIELDS: Final[tuple[str, ...]] = (
    "status",
    "priority",
    "category",
    "channel",
    "customer",
    "contract",
    "team",
    "assignee",
    "tags",
)
"""The ticket fields that the contract of events names. A helpdesk may add fields of its own."""

REQUESTER: Final = "requester"
"""The role of the person who asked. It is the only word for a role that breachwatch knows; policies may name others."""

_Fields = dict[str, str | list[str]]

ATTRIBUTES: Final[tuple[str, ...]] = (
    "at",
    "id",
    "type",
    "source",
    "seq",
    "actor",
    "fields",
    "public",
    "into",
    "party",
    "commitment",
    "by",
    "level",
    "impact",
    "role",
    "arrived",
)
"""Of an event, in the order of its arguments."""
_NO_FIELDS: Final[_Fields] = {}


@mypyc_attr(acyclic=True)
class Event:
    """One fact about one ticket. Never changed.

    A plain class, because compiled code reads its attributes in a few steps and those of a struct by their names.
    """

    __slots__ = ATTRIBUTES

    def __init__(  # noqa: PLR0913  one for each attribute
        self,
        at: int,
        id: str,  # noqa: A002  as on the wire
        type: EventType,  # noqa: A002
        source: str,
        seq: int = 0,
        actor: ActorKind | None = None,
        fields: _Fields = _NO_FIELDS,
        public: bool = False,
        into: str = "",
        party: str = "",
        commitment: str = "",
        by: str = "",
        level: str = "",
        impact: str = "",
        role: str = "",
        arrived: int = 0,
    ) -> None:
        self.at: int = at
        """The time of the fact at the source: epoch microseconds, UTC."""
        self.id: str = id
        """Names the fact within ``source``, together with ``seq``; the same again is a repetition."""
        self.type: EventType = type
        self.source: str = source
        self.seq: int = seq
        """Order among events of one source action that bear the same ``at``; distinguishes them where they bear one id."""
        self.actor: ActorKind | None = actor
        """The kind of actor, as far as an SLA depends on it. Names and addresses never get here."""
        self.fields: _Fields = fields
        """``ticket.created`` and ``ticket.changed``: the ticket fields it sets. ``""`` clears a field; ``tags`` is a list."""
        self.public: bool = public
        """``comment.added``: whether the customer can read it."""
        self.into: str = into
        """``ticket.merged``: the ticket it was merged into."""
        self.party: str = party
        """``dependency.*``: the third party the ticket waits for."""
        self.commitment: str = commitment
        """``extension.granted``: whose target is extended."""
        self.by: str = by
        """``extension.granted``: the duration text. ``resolution.accepted``: ``customer`` or ``manager``."""
        self.level: str = level
        """``escalation.*``: the level asked for, acknowledged or released."""
        self.impact: str = impact
        """``escalation.requested``: ``production``, ``business_risk`` or nothing."""
        self.role: str = role
        """The part of the actor in the ticket, in a word of the helpdesk; empty: the event does not state it (``role_of``)."""
        self.arrived: int = arrived
        """Of an old event whose ticket has not settled: when it reached Kafka, epoch microseconds; ``stream.sla.settling``."""

    def values(self) -> tuple[Any, ...]:
        """The attributes in their order."""
        return tuple([getattr(self, name) for name in ATTRIBUTES])

    def with_fields(self, fields: _Fields) -> Event:
        """The same event with these fields: most often nothing else of one is replaced."""
        return Event(
            self.at,
            self.id,
            self.type,
            self.source,
            self.seq,
            self.actor,
            fields,
            self.public,
            self.into,
            self.party,
            self.commitment,
            self.by,
            self.level,
            self.impact,
            self.role,
            self.arrived,
        )

    def replace(self, **values: Any) -> Event:
        """The same event with other values of some attributes."""
        return Event(**(dict(zip(ATTRIBUTES, self.values(), strict=True)) | values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"Event({', '.join([f'{name}={value!r}' for name, value in zip(ATTRIBUTES, self.values(), strict=True)])})"

    @property
    def key(self) -> Order:
        """The order of a ticket's events, whatever the order of their arrival."""
        return order(self.place)

    @property
    def place(self) -> Place:
        """The part of the newest event that a ticket keeps, to compare the next one with it: ``order`` makes the key of it."""
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
