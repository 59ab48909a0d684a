"""Generates the demo's feed: nine business days of a support desk around a public holiday, the same for the same seed.

Most tickets are random: people act on them at a realistic pace. A few are written by hand for what they show: an answer that
arrives late, a sender who is not registered, and every kind of invalid record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.language.zones import read_tzinfo
from stream.sla.events import Event
from stream.wire.effect import encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.events import ActorKind

SOURCE: Final = "desk"
ZONE: Final = read_tzinfo("Asia/Kolkata")
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE


def _local(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000


START: Final = _local("2026-01-19T08:00")
"""A Monday. Republic Day, a holiday in India, is the Monday after."""
END: Final = _local("2026-01-31T08:00")
"""The end of the feed. Its last tick states that the feed is complete up to here."""

_TICKETS_A_DAY: Final = 28
_TICKETS_ON_A_FREE_DAY: Final = 4
_TICK_EVERY: Final = HOUR
_REPEATED: Final = 25

_CUSTOMERS: Final = ("acme", "globex", "initech", "umbrella", "wonka", "tyrell")
_TEAMS: Final = ("cloud", "platform", "billing")
_CHANNELS: Final = {"ticket": 40, "email": 28, "chat": 22, "phone": 10}
_PRIORITIES: Final = {"p1": 12, "p2": 30, "p3": 38, "p4": 20}

Chances = tuple[tuple[float, float, float], ...]
"""Ranges, each as (weight, from, to)."""

_ANSWER_MINUTES: Final[Chances] = ((70, 1, 13), (16, 15.5, 29), (14, 31, 120))
"""Time to the first answer by chat and telephone, in minutes."""
_ANSWER_HOURS: Final[Chances] = ((58, 0.2, 3.9), (24, 4, 7.8), (14, 8.2, 22), (4, 40, 90))
"""Time to the first answer by ticket and mail, in business hours."""
_SOLUTION_HOURS: Final[dict[str, Chances]] = {
    "p1": ((70, 0.5, 6), (30, 6, 20)),
    "p2": ((70, 2, 14), (30, 14, 44)),
    "p3": ((60, 3, 22), (40, 22, 60)),
    "p4": ((50, 6, 40), (50, 40, 80)),
}


class FeedRecord(NamedTuple):
    """A record for the topic of ticket events."""

    at: int
    """Time of publication in the feed's time (epoch microseconds). A late event is published after it happened."""
    key: bytes
    value: bytes
    everywhere: bool = False
    """True for a tick, which goes to every partition."""


@dataclass(slots=True)
class _Story:
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
        self.events.append(Event(at=at, seq=seq, id=number, type=what, source=SOURCE, actor=actor, **keys))  # type: ignore[arg-type]


def feed(hours: Calendar, seed: int = 19) -> list[FeedRecord]:
    """All records of the demo in the order of publishing. ``hours`` is the calendar of the desk's agents."""
    chance = Random(seed)  # noqa: S311  the feed is not a secret
    first, last = _local("2026-01-19T00:00"), _local("2026-01-31T00:00")
    random_stories = _random_stories(chance, hours, first, last, _TICKETS_A_DAY, _TICKETS_ON_A_FREE_DAY)
    records = [
        FeedRecord(event.at, story.ticket.encode(), encode_event(story.ticket, event))
        for story in (*random_stories, *_written_stories())
        for event in story.events
        if event.at < END
    ]
    records += [
        record._replace(at=min(record.at + int(chance.uniform(1, 30) * MINUTE), END))
        for record in chance.sample(records, _REPEATED)
    ]
    records += _late_answer()
    records += _invalid_records()
    records += [FeedRecord(at, b"", encode_tick(SOURCE, at), everywhere=True) for at in range(START, END + 1, _TICK_EVERY)]
    # Records of one instant keep their order. A tick is the last of its instant, because it states that the feed is complete.
    return sorted(records, key=lambda record: (record.at, record.everywhere))


def unanswered(hours: Calendar) -> Iterator[list[FeedRecord]]:
    """Yield the records that can follow the feed, without end. Each list covers five minutes in which the desk is open: every
    minute a customer starts a chat, which nobody answers.
    """
    number, at = 4000, END
    while True:
        if hours.is_open(at):
            asked = [_Story(f"{SOURCE}/{number + minute}") for minute in range(5)]
            for minute, story in enumerate(asked):
                story.created(at + minute * MINUTE, channel="chat", priority="p2", customer=_CUSTOMERS[0], team="cloud")
            tick = FeedRecord(at + 5 * MINUTE, b"", encode_tick(SOURCE, at + 5 * MINUTE), everywhere=True)
            yield [FeedRecord(at, story.ticket.encode(), encode_event(story.ticket, story.events[0])) for story in asked] + [
                tick
            ]
            number += len(asked)
        at += 5 * MINUTE


def tickets_by_chance(
    chance: Random, hours: Calendar, start: int, end: int, a_day: int, on_a_free_day: int
) -> Iterator[tuple[str, list[Event]]]:
    """Random tickets and their events, from the midnight ``start`` to the midnight ``end``; the last arguments are counts."""
    for story in _random_stories(chance, hours, start, end, a_day, on_a_free_day):
        yield story.ticket, story.events


def _random_stories(chance: Random, hours: Calendar, start: int, end: int, a_day: int, on_a_free_day: int) -> Iterator[_Story]:
    number = 1000
    for midnight in range(start, end, 24 * HOUR):
        noon = midnight + 12 * HOUR
        count = a_day if hours.is_open(noon) else on_a_free_day
        for at in sorted(midnight + int(chance.triangular(7.5, 20, 11) * HOUR) for _ in range(count)):
            number += 1
            yield _random_story(chance, hours, f"{SOURCE}/{number}", at // 1_000_000 * 1_000_000)


def _random_story(chance: Random, hours: Calendar, ticket: str, at: int) -> _Story:
    story = _Story(ticket)
    channel, priority = _pick(chance, _CHANNELS), _pick(chance, _PRIORITIES)
    if channel in ("chat", "phone") and not hours.is_open(at):
        channel = "email"  # the desk is closed
    about = {"channel": channel, "customer": chance.choice(_CUSTOMERS), "team": chance.choice(_TEAMS)}
    story.created(at, priority=priority, **about)
    if channel in ("ticket", "email"):
        story.commented(at + 2_000_000, "bot")  # "we have received your request", which is not an answer
        answered = hours.add(at, _length(chance, _ANSWER_HOURS, HOUR))
    else:
        answered = at + _length(chance, _ANSWER_MINUTES, MINUTE)
    if chance.random() < 0.08:
        again = at + int((answered - at) * chance.uniform(0.2, 0.8))
        priority = chance.choice([other for other in _PRIORITIES if other != priority])
        story.changed(again, priority=priority)
    elif chance.random() < 0.25:
        story.commented(at + (answered - at) // 2, "customer")
    story.commented(answered, "agent")
    story.changed(answered, status="open", assignee="agent")
    return _to_the_end(chance, hours, story, answered, _length(chance, _SOLUTION_HOURS[priority], HOUR))


def _to_the_end(chance: Random, hours: Calendar, story: _Story, answered: int, work: int) -> _Story:
    """Add the events after the first answer: a question or a note, a solution, and in some cases a reopening."""
    at = hours.add(answered, work // 3)
    fate = chance.random()
    if fate < 0.02:
        story.happened("ticket.deleted", at, "agent")
        return story
    if fate < 0.05:
        story.happened("ticket.merged", at, "agent", into=f"{SOURCE}/1001")
        return story
    if fate < 0.30:
        story.commented(at, "agent")
        story.changed(at, status="pending")
        at += int(chance.uniform(1, 30) * HOUR)
        story.commented(at, "customer")
        story.changed(at, "customer", status="open")
    elif fate < 0.40:
        story.commented(at, "agent", public=False)
    at = hours.add(at, work - work // 3)
    story.changed(at, status="solved")
    if chance.random() < 0.10:
        at += int(chance.uniform(1, 20) * HOUR)
        story.commented(at, "customer")
        story.changed(at, "customer", status="open")
        at = hours.add(at, int(chance.uniform(1, 8) * HOUR))
        story.commented(at, "agent")
        story.changed(at, status="solved")
    story.changed(at + 24 * HOUR, "system", status="closed")
    return story


def _written_stories() -> Iterator[_Story]:
    # An unregistered sender starts no clock. It starts when the sender is registered.
    stranger = _Story(f"{SOURCE}/2001")
    stranger.created(_local("2026-01-20T10:00"), sender="unregistered", channel="email", priority="p1", customer="acme")
    yield stranger
    registered = _Story(f"{SOURCE}/2002")
    registered.created(_local("2026-01-20T10:05"), sender="unregistered", channel="email", priority="p1", customer="wonka")
    registered.changed(_local("2026-01-21T11:00"), sender="registered")
    yield registered
    # One business day spans the weekend and Republic Day: the deadline is on Tuesday, not on Monday.
    holiday = _Story(f"{SOURCE}/2003")
    holiday.created(_local("2026-01-23T16:00"), channel="ticket", priority="p1", customer="globex")
    holiday.commented(_local("2026-01-27T15:59:59"), "agent")
    yield holiday
    # Nobody answers or solves the ticket: every level is raised, and the customer asks for an escalation as well.
    ignored = _Story(f"{SOURCE}/2004")
    ignored.created(_local("2026-01-20T09:30"), channel="ticket", priority="p1", customer="umbrella", team="cloud")
    ignored.happened("escalation.requested", _local("2026-01-20T12:00"), "customer", level="executive", impact="production")
    yield ignored
    # An agent acknowledges the escalation, so no further level is raised.
    acknowledged = _Story(f"{SOURCE}/2008")
    acknowledged.created(_local("2026-01-20T09:40"), channel="ticket", priority="p1", customer="globex", team="cloud")
    acknowledged.happened("escalation.acknowledged", _local("2026-01-20T14:00"), "agent", level="support-team")
    yield acknowledged
    other_contract = _Story(f"{SOURCE}/2005")
    other_contract.created(_local("2026-01-21T10:00"), contract="community", channel="email", priority="p3", customer="tyrell")
    yield other_contract
    vendor = _Story(f"{SOURCE}/2006")
    vendor.created(_local("2026-01-21T10:10"), channel="ticket", priority="p2", customer="initech", team="platform")
    vendor.commented(_local("2026-01-21T10:40"), "agent")
    vendor.happened("dependency.started", _local("2026-01-21T11:00"), "agent", party="vendor")
    vendor.happened("dependency.ended", _local("2026-01-22T15:00"), "agent", party="vendor")
    vendor.changed(_local("2026-01-22T16:00"), status="solved")
    vendor.happened("resolution.accepted", _local("2026-01-23T10:00"), "customer", by="customer")
    yield vendor


def _late_answer() -> Iterator[FeedRecord]:
    """A chat that is answered in time. The answer arrives after the breach was declared, so a retraction follows."""
    story = _Story(f"{SOURCE}/2007")
    story.created(_local("2026-01-22T11:00"), channel="chat", priority="p2", customer="acme", team="cloud")
    story.commented(_local("2026-01-22T11:12"), "agent")
    published = (_local("2026-01-22T11:00"), _local("2026-01-22T13:00:30"))
    for at, event in zip(published, story.events, strict=True):
        yield FeedRecord(at, story.ticket.encode(), encode_event(story.ticket, event))


def _invalid_records() -> Iterator[FeedRecord]:
    """A record for each way in which records are invalid."""
    valid = _Story(f"{SOURCE}/3001")
    valid.created(_local("2026-01-21T14:00"), channel="email", priority="p3", customer="acme")
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
        yield FeedRecord(_local("2026-01-21T14:00") + minute * MINUTE, record_key, value)


def _pick(chance: Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _length(chance: Random, chances: Chances, unit: int) -> int:
    _, least, most = chance.choices(chances, [weight for weight, _, _ in chances])[0]
    return int(chance.uniform(least, most) * unit) // 1_000_000 * 1_000_000
