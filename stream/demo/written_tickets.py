"""The tickets of the demo that are written by hand: each shows a rule, a late answer, or an invalid record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.language.zones import read_tzinfo
from stream.sla.events import Event
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.events import ActorKind

SOURCE: Final = "desk"
ZONE: Final = read_tzinfo("Asia/Kolkata")
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE


def local(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000


class FeedRecord(NamedTuple):
    """A record for the topic of ticket events."""

    at: int
    """Time of publication in the feed's time (epoch microseconds). A late event is published after it happened."""
    key: bytes
    value: bytes
    everywhere: bool = False
    """True for a tick, which goes to every partition."""


@dataclass(slots=True)
class Story:
    """The events of one ticket, in order."""

    ticket: str
    events: list[Event] = field(default_factory=list)

    def created(self, at: int, **fields: str) -> None:
        usual = {"status": "new", "contract": "priority-support", "sender": "registered"}
        self._add("ticket.created", at, "customer", fields={**usual, **fields})

    def changed(self, at: int, by: ActorKind = "agent", **fields: str) -> None:
        self._add("ticket.changed", at, by, fields=dict(fields))

    def commented(self, at: int, by: ActorKind, *, public: bool = True) -> None:
        self._add("comment.added", at, by, public=public)

    def happened(self, what: str, at: int, actor: ActorKind, **keys: str) -> None:
        self._add(what, at, actor, **keys)

    def _add(self, what: str, at: int, actor: ActorKind, **keys: object) -> None:
        number = f"{self.ticket}-{len(self.events) + 1}"
        seq = sum(event.at == at for event in self.events)
        self.events.append(Event(at=at, seq=seq, id=number, type=what, source=SOURCE, actor=actor, **keys))  # type: ignore[arg-type]  # of the desk's own


def written_stories() -> Iterator[Story]:
    # An unregistered sender starts no clock. It starts when the sender is registered.
    stranger = Story(f"{SOURCE}/2001")
    stranger.created(local("2026-01-20T10:00"), sender="unregistered", channel="email", priority="p1", customer="acme")
    yield stranger
    registered = Story(f"{SOURCE}/2002")
    registered.created(local("2026-01-20T10:05"), sender="unregistered", channel="email", priority="p1", customer="wonka")
    registered.changed(local("2026-01-21T11:00"), sender="registered")
    yield registered
    # One business day spans the weekend and Republic Day: the deadline is on Tuesday, not on Monday.
    holiday = Story(f"{SOURCE}/2003")
    holiday.created(local("2026-01-23T16:00"), channel="ticket", priority="p1", customer="globex")
    holiday.commented(local("2026-01-27T15:59:59"), "agent")
    yield holiday
    # Nobody answers or solves the ticket: every level is raised, and the customer asks for an escalation as well.
    ignored = Story(f"{SOURCE}/2004")
    ignored.created(local("2026-01-20T09:30"), channel="ticket", priority="p1", customer="umbrella", team="cloud")
    ignored.happened("escalation.requested", local("2026-01-20T12:00"), "customer", level="executive", impact="production")
    yield ignored
    # An agent acknowledges the escalation, so no further level is raised.
    acknowledged = Story(f"{SOURCE}/2008")
    acknowledged.created(local("2026-01-20T09:40"), channel="ticket", priority="p1", customer="globex", team="cloud")
    acknowledged.happened("escalation.acknowledged", local("2026-01-20T14:00"), "agent", level="support-team")
    yield acknowledged
    other_contract = Story(f"{SOURCE}/2005")
    other_contract.created(local("2026-01-21T10:00"), contract="community", channel="email", priority="p3", customer="tyrell")
    yield other_contract
    vendor = Story(f"{SOURCE}/2006")
    vendor.created(local("2026-01-21T10:10"), channel="ticket", priority="p2", customer="initech", team="platform")
    vendor.commented(local("2026-01-21T10:40"), "agent")
    vendor.happened("dependency.started", local("2026-01-21T11:00"), "agent", party="vendor")
    vendor.happened("dependency.ended", local("2026-01-22T15:00"), "agent", party="vendor")
    vendor.changed(local("2026-01-22T16:00"), status="solved")
    vendor.happened("resolution.accepted", local("2026-01-23T10:00"), "customer", by="customer")
    yield vendor


def late_answer() -> Iterator[FeedRecord]:
    """A chat that is answered in time. The answer arrives after the breach was declared, so a retraction follows."""
    story = Story(f"{SOURCE}/2007")
    story.created(local("2026-01-22T11:00"), channel="chat", priority="p2", customer="acme", team="cloud")
    story.commented(local("2026-01-22T11:12"), "agent")
    published = (local("2026-01-22T11:00"), local("2026-01-22T13:00:30"))
    for at, event in zip(published, story.events, strict=True):
        yield FeedRecord(at, story.ticket.encode(), encode_event(story.ticket, event))


def invalid_records() -> Iterator[FeedRecord]:
    """A record for each way in which records are invalid."""
    valid = Story(f"{SOURCE}/3001")
    valid.created(local("2026-01-21T14:00"), channel="email", priority="p3", customer="acme")
    event, key = encode_event(valid.ticket, valid.events[0]), valid.ticket.encode()
    for minute, (record_key, value) in enumerate(
        [
            (key, b"<html>502 Bad Gateway</html>"),
            (key, b""),
            (key, event.replace(b"2026-01-21T08:30:00Z", b"2026-01-21T14:00:00")),  # a time without an offset
            (key, event.replace(b"ticket.created", b"ticket.exploded")),
            (key, event.replace(b'"status":"new"', b'"status":"lost"')),
            (b"desk/3002", event),
            (key, event[:-1] + b',"attachment":"' + b"x" * 1_100_000 + b'"}'),
        ]
    ):
        yield FeedRecord(local("2026-01-21T14:00") + minute * MINUTE, record_key, value)
