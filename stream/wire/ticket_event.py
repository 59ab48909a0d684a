"""Ticket events on the wire: one struct for each event type. msgspec decodes and checks a record in one pass.

``schemas/build.py`` generates ``schemas/ticket-event.v1.json``, the contract of publishers, from these structs, with the
descriptions of their keys. Unknown keys are ignored. ``stream.wire.incoming`` makes an ``Event`` of a struct.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from stream.sla.events import ActorKind
from stream.sla.feed_state import FeedState
from stream.wire.instants import AwareTime
from stream.wire.ticket_fields import InputFields, Text

MAX_ID: Final = 256
MAX_ROLE: Final = 64

_TIME: Final = (
    r"^(1969-12-31|2200-01-01|(19[7-9][0-9]|2[01][0-9][0-9])-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|"
    r"(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9])))[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])$"
)
_DURATION: Final = r"^([0-9]+(\.[0-9]+)?(s|m|h|d|w|mo|bs|bm|bh|bd))+$"

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Level = Annotated[
    str,
    Meta(
        max_length=MAX_ID,
        description="The name of the level in the policy. Absent: the level that is raised, or the one that the policy names "
        "for requests.",
    ),
]
Sequence = Annotated[
    int,
    Meta(
        ge=0,
        le=2**63 - 1,
        description="Order among the events of one action, which have the same time; it also distinguishes those with "
        "the same id. Absent: 0.",
    ),
]
EventTime = Annotated[
    AwareTime,
    Meta(
        description="When it happened at the source: RFC 3339 with an offset from UTC, in the years 1970 to 2199 (UTC). "
        "Fractions of a second are rounded to the nearest microsecond. 29 February only in leap years. A leap second, "
        "23:59:60 UTC, counts as the second after it. By default at most five minutes ahead of the worker's clock.",
        extra_json_schema={"pattern": _TIME},
    ),
]
Source = Annotated[Identifier, Meta(description="The helpdesk or adapter that publishes. Ids are unique within it.")]
FreeText = Annotated[
    Text, Meta(description="Why, for people. It is checked and dropped: breachwatch neither stores nor shows it.")
]


class Actor(msgspec.Struct, frozen=True, gc=False):
    """The author of the event. An id beside the kind is ignored: breachwatch needs neither names nor addresses."""

    kind: ActorKind
    role: Annotated[
        Annotated[str, Meta(max_length=MAX_ROLE)] | None,
        Meta(
            description="The part of the actor in the ticket, in a word that policies may name: requester for the person who "
            "asked, and words of your own such as contact or light_agent. Absent or null: a customer is the requester, and the "
            "part of others is unknown."
        ),
    ] = None


class TicketEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """The keys that all ticket events have."""

    id: Annotated[
        Identifier,
        Meta(
            description="Names the fact within the source, together with seq. A repetition changes nothing. Another fact of "
            "the same id needs another seq."
        ),
    ]
    source: Source
    ticket: Annotated[Identifier, Meta(description="Unique across sources: write source/number. It is also the record key.")]
    at: EventTime
    seq: Sequence = 0
    actor: Actor | UnsetType = UNSET


class TicketCreated(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.created"):
    """A new ticket with its first fields. The default status is new."""

    fields: InputFields = {}


class TicketChanged(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.changed"):
    """The fields that changed, and no others."""

    fields: InputFields


class CommentAdded(TicketEvent, frozen=True, kw_only=True, gc=False, tag="comment.added"):
    """Somebody wrote a comment. Its text is not part of the event."""

    public: Annotated[bool, Meta(description="Whether the customer can read it. A public comment by an agent is an answer.")]


class TicketMerged(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.merged"):
    """The ticket ends and continues as another one. Its commitments are cancelled."""

    into: Annotated[Identifier, Meta(description="The other ticket, which continues.")]


class TicketDeleted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.deleted"):
    """The ticket was deleted. Its commitments are cancelled."""


class TicketRestored(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.restored"):
    """A merged or deleted ticket is back: it was not spam, or not the same problem. Its commitments continue."""


class TicketErased(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.erased"):
    """Everything about the ticket is erased. Its commitments are cancelled, and all of its later events are ignored."""


class DependencyStarted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="dependency.started"):
    """The ticket waits for a third party."""

    party: Annotated[Identifier, Meta(description="The third party that the ticket waits for.")]


class DependencyEnded(TicketEvent, frozen=True, kw_only=True, gc=False, tag="dependency.ended"):
    """The third party has delivered."""

    party: Annotated[Identifier, Meta(description="The third party, as in dependency.started.")]


class ExtensionGranted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="extension.granted"):
    """The customer has agreed to a longer target."""

    commitment: Annotated[Identifier, Meta(description="The commitment whose target is extended, by its name in the policy.")]
    by: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="How much longer: a duration as in policies, such as 30m, 4bh or 2bd. It must not mix business time "
            "(bs, bm, bh, bd) and wall time (s, m, h, d, w, mo).",
            extra_json_schema={"pattern": _DURATION},
        ),
    ]
    reason: FreeText = ""


class ResolutionAccepted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="resolution.accepted"):
    """The solution was accepted."""

    by: Annotated[Literal["customer", "manager"], Meta(description="Who accepted it.")]


class _Escalation(TicketEvent, frozen=True, kw_only=True, gc=False):
    level: Level = ""
    reason: FreeText = ""


class EscalationRequested(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.requested"):
    """The customer asks for an escalation."""

    impact: Annotated[
        Literal["production", "business_risk", "none"],
        Meta(description="What is at stake. production and business_risk allow a request at any time."),
    ] = "none"


class EscalationAcknowledged(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.acknowledged"):
    """Somebody has taken the escalation on."""


class EscalationReleased(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.released"):
    """The escalation is over."""


class FeedTick(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="feed.tick"):
    """The feed is complete up to its time. A tick belongs to no ticket."""

    source: Source
    at: EventTime
    state: Annotated[
        FeedState | UnsetType,
        Meta(
            description="How the feed stands, where whoever publishes the tick has read it to its end. complete: up to now. "
            "lagging: the helpdesk has newer events than the feed. unreachable: the helpdesk does not answer. ended: nobody "
            "reads it to its end any more. A source that has given a state must go on: it counts as silent when its ticks "
            "stop, until it has ended. Absent: whoever publishes the tick cannot know."
        ),
    ] = UNSET


Wire = (
    TicketCreated
    | TicketChanged
    | CommentAdded
    | TicketMerged
    | TicketDeleted
    | TicketRestored
    | TicketErased
    | DependencyStarted
    | DependencyEnded
    | ExtensionGranted
    | ResolutionAccepted
    | EscalationRequested
    | EscalationAcknowledged
    | EscalationReleased
    | FeedTick
)
"""All records that the topic of ticket events may have."""
