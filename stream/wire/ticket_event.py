"""The wire form of ticket events: one struct a type, which msgspec fills and checks in one pass over the bytes.

``schemas/ticket-event.v1.json`` is the same contract for everybody else. Extra keys are skipped: a publisher may send what it
likes beside what is asked. What the structs cannot say (the names and values of ticket fields, a duration's text) is checked
on the way to an ``Event``; a failure is ``InvalidEvent``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from stream.sla.calendar.duration import Duration, DurationError
from stream.sla.events import STATUSES, ActorKind, Event
from stream.wire.instants import AwareTime

MAX_ID: Final = 256
MAX_TEXT: Final = 1024
MAX_PRIORITY: Final = 64
MAX_FIELDS: Final = 64
MAX_TAGS: Final = 256

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
FieldName = Annotated[str, Meta(min_length=1, max_length=64)]
FieldValue = Text | Annotated[list[Text], Meta(max_length=MAX_TAGS)] | bool | int | float | None
Fields = Annotated[dict[FieldName, FieldValue], Meta(max_length=MAX_FIELDS)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_KNOWN_STATUSES: Final = frozenset[object](STATUSES)


class InvalidEvent(Exception):  # noqa: N818  it names a state of the event; the program did nothing wrong
    """The event is well formed and still says something that cannot be. ``path`` is a JSON path."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who did it. An ``id`` may stand beside the kind; it is skipped, so that no name ever gets further than here."""

    kind: ActorKind


class TicketEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """What every event about a ticket carries."""

    id: Identifier
    source: Identifier
    ticket: Identifier
    at: AwareTime
    seq: Sequence = 0
    actor: Actor | UnsetType = UNSET

    def event(self, at: int, actor: ActorKind | None) -> Event:
        """The event for the engine. ``at`` is the instant of ``self.at``. Raises ``InvalidEvent``."""
        raise NotImplementedError


class TicketCreated(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.created"):
    fields: Fields = {}

    def event(self, at: int, actor: ActorKind | None) -> Event:
        fields = ticket_fields(self.fields)
        if "status" not in fields:
            fields["status"] = "new"
        return Event(at, self.id, "ticket.created", self.source, self.seq, actor, fields)


class TicketChanged(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.changed"):
    fields: Fields

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "ticket.changed", self.source, self.seq, actor, ticket_fields(self.fields))


class CommentAdded(TicketEvent, frozen=True, kw_only=True, gc=False, tag="comment.added"):
    public: bool

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "comment.added", self.source, self.seq, actor, public=self.public)


class TicketMerged(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.merged"):
    into: Identifier

    def event(self, at: int, actor: ActorKind | None) -> Event:
        if self.into == self.ticket:
            raise InvalidEvent("$.into", "a ticket cannot be merged into itself")
        return Event(at, self.id, "ticket.merged", self.source, self.seq, actor, into=self.into)


class TicketDeleted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="ticket.deleted"):
    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "ticket.deleted", self.source, self.seq, actor)


class DependencyStarted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="dependency.started"):
    party: Identifier

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "dependency.started", self.source, self.seq, actor, party=self.party)


class DependencyEnded(TicketEvent, frozen=True, kw_only=True, gc=False, tag="dependency.ended"):
    party: Identifier

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "dependency.ended", self.source, self.seq, actor, party=self.party)


class ExtensionGranted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="extension.granted"):
    commitment: Identifier
    by: Annotated[str, Meta(min_length=1, max_length=64)]
    reason: Text = ""
    """Free text: checked, and dropped here."""

    def event(self, at: int, actor: ActorKind | None) -> Event:
        try:
            Duration.parse(self.by)
        except DurationError as error:
            raise InvalidEvent("$.by", str(error)) from error
        return Event(
            at,
            self.id,
            "extension.granted",
            self.source,
            self.seq,
            actor,
            commitment=self.commitment,
            by=self.by,
        )


class ResolutionAccepted(TicketEvent, frozen=True, kw_only=True, gc=False, tag="resolution.accepted"):
    by: Literal["customer", "manager"]

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "resolution.accepted", self.source, self.seq, actor, by=self.by)


class _Escalation(TicketEvent, frozen=True, kw_only=True, gc=False):
    level: Annotated[str, Meta(max_length=MAX_ID)] = ""
    reason: Text = ""
    """Free text: checked, and dropped here."""


class EscalationRequested(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.requested"):
    impact: Literal["production", "business_risk", "none"] = "none"

    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(
            at,
            self.id,
            "escalation.requested",
            self.source,
            self.seq,
            actor,
            level=self.level,
            impact="" if self.impact == "none" else self.impact,
        )


class EscalationAcknowledged(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.acknowledged"):
    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(
            at,
            self.id,
            "escalation.acknowledged",
            self.source,
            self.seq,
            actor,
            level=self.level,
        )


class EscalationReleased(_Escalation, frozen=True, kw_only=True, gc=False, tag="escalation.released"):
    def event(self, at: int, actor: ActorKind | None) -> Event:
        return Event(at, self.id, "escalation.released", self.source, self.seq, actor, level=self.level)


class FeedTick(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="feed.tick"):
    """The feed is alive, and complete up to ``at``. About no ticket."""

    source: Identifier
    at: AwareTime


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A sound event and the ticket it is about."""

    ticket: str
    event: Event


class FieldsOnly(msgspec.Struct):
    """The ticket fields of anything, unread: to find the one that breaks the contract."""

    fields: dict[str, msgspec.Raw] = {}


Wire = (
    TicketCreated
    | TicketChanged
    | CommentAdded
    | TicketMerged
    | TicketDeleted
    | DependencyStarted
    | DependencyEnded
    | ExtensionGranted
    | ResolutionAccepted
    | EscalationRequested
    | EscalationAcknowledged
    | EscalationReleased
    | FeedTick
)
"""Anything that may come in on the topic of ticket events."""


def ticket_fields(fields: dict[str, FieldValue]) -> dict[str, str | list[str]]:
    """The same dict with every value as text, or for ``tags`` a list of texts. Raises ``InvalidEvent``."""
    for name, value in fields.items():
        if type(value) is not str:
            fields[name] = _as_text(name, value)
        if name[0] == "@":
            raise InvalidEvent(field_path(name), "names that begin with @ are kept for what breachwatch finds out itself")
    if "status" in fields and fields["status"] not in _KNOWN_STATUSES:
        raise InvalidEvent("$.fields.status", f"{fields['status']!r} is no status: use one of {', '.join(STATUSES)}")
    sound: dict[str, str | list[str]] = fields  # type: ignore[assignment]  # the loop has seen to it
    if len(sound.get("priority", "")) > MAX_PRIORITY:
        raise InvalidEvent("$.fields.priority", f"longer than {MAX_PRIORITY} characters")
    tags = sound.get("tags")
    if tags and type(tags) is str:
        raise InvalidEvent("$.fields.tags", "tags are a list of strings")
    return sound


def field_path(name: str) -> str:
    """The JSON path of a ticket field."""
    return f"$.fields.{name}" if name.isidentifier() else f"$.fields[{name!r}]"


def _as_text(name: str, value: FieldValue) -> str | list[str]:
    match value:
        case None:
            return ""
        case list():
            if name != "tags":
                raise InvalidEvent(field_path(name), "only tags may be a list")
            return value
        case bool():
            return "yes" if value else "no"
        case _:
            text = repr(value).removesuffix(".0")
            if len(text) > MAX_TEXT:
                raise InvalidEvent(field_path(name), f"longer than {MAX_TEXT} characters")
            return text
