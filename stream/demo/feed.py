"""The demo's feed: nine business days of a support desk, around a public holiday; from one seed, the same every time.

Most tickets are made up by chance: what people do to tickets, at the pace at which they do it. A few are written by hand,
because they show something: an answer that arrives late, a sender who is not registered, and every kind of broken record.
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
"""Up to here the feed is complete, and says so at its end."""

_TICKETS_A_DAY: Final = 28
_TICKETS_ON_A_FREE_DAY: Final = 4
_TICK_EVERY: Final = HOUR
_REPEATED: Final = 25

_CUSTOMERS: Final = ("acme", "globex", "initech", "umbrella", "wonka", "tyrell")
_TEAMS: Final = ("cloud", "platform", "billing")
_CHANNELS: Final = {"ticket": 40, "email": 28, "chat": 22, "phone": 10}
_PRIORITIES: Final = {"p1": 12, "p2": 30, "p3": 38, "p4": 20}

Chances = tuple[tuple[float, float, float], ...]
"""(weight, from, to) each."""

_ANSWER_MINUTES: Final[Chances] = ((70, 1, 13), (16, 15.5, 29), (14, 31, 120))
"""Chat and telephone."""
_ANSWER_HOURS: Final[Chances] = ((58, 0.2, 3.9), (24, 4, 7.8), (14, 8.2, 22), (4, 40, 90))
"""Ticket and mail, in business hours."""
_SOLUTION_HOURS: Final[dict[str, Chances]] = {
    "p1": ((70, 0.5, 6), (30, 6, 20)),
    "p2": ((70, 2, 14), (30, 14, 44)),
    "p3": ((60, 3, 22), (40, 22, 60)),
    "p4": ((50, 6, 40), (50, 40, 80)),
}


class FeedRecord(NamedTuple):
    """A record for the topic of ticket events."""

    at: int
    """When it is published, in the feed's own time (epoch microseconds): for what comes late, after it happened."""
    key: bytes
    value: bytes
    everywhere: bool = False
    """A tick: one for every partition."""


@dataclass(slots=True)
class _Story:
    """What happens to one ticket, in order."""

    ticket: str
    events: list[Event] = field(default_factory=list)

    def created(self, at: int, **fields: str) -> None:
        usual = {"status": "new", "contract": "priority-support", "sender": "registered"}
        self._add("ticket.created", at, "customer", fields={**usual, **fields})

    def changed(self, at: int, by: ActorKind = "agent", **fields: str) -> None:
        self._add("ticket.changed", at, by, fields=dict(fields))

    def said(self, at: int, by: ActorKind, *, public: bool = True) -> None:
        self._add("comment.added", at, by, public=public)

    def happened(self, what: str, at: int, actor: ActorKind, **said: str) -> None:
        self._add(what, at, actor, **said)

    def _add(self, what: str, at: int, actor: ActorKind, **said: object) -> None:
        number = f"{self.ticket}-{len(self.events) + 1}"
        seq = sum(event.at == at for event in self.events)
        self.events.append(Event(at=at, seq=seq, id=number, type=what, source=SOURCE, actor=actor, **said))  # type: ignore[arg-type]


def feed(hours: Calendar, seed: int = 19) -> list[FeedRecord]:
    """Every record of the demo in the order of publishing. ``hours``: when the desk's agents work."""
    chance = Random(seed)  # noqa: S311  a story is made up here, no secret
    first, last = _local("2026-01-19T00:00"), _local("2026-01-31T00:00")
    made_up = _by_chance(chance, hours, first, last, _TICKETS_A_DAY, _TICKETS_ON_A_FREE_DAY)
    records = [
        FeedRecord(event.at, story.ticket.encode(), encode_event(story.ticket, event))
        for story in (*made_up, *_by_hand())
        for event in story.events
        if event.at < END
    ]
    records += [
        record._replace(at=min(record.at + int(chance.uniform(1, 30) * MINUTE), END))
        for record in chance.sample(records, _REPEATED)
    ]
    records += _late_answer()
    records += _broken()
    records += [FeedRecord(at, b"", encode_tick(SOURCE, at), everywhere=True) for at in range(START, END + 1, _TICK_EVERY)]
    # What is published at one instant goes out as it stands above; a tick says that what came before it is complete.
    return sorted(records, key=lambda record: (record.at, record.everywhere))


def unanswered(hours: Calendar) -> Iterator[list[FeedRecord]]:
    """What may follow the feed, without end: five minutes of the desk's working time each, in which customers ask by chat, one
    a minute, and nobody answers any of them.
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
    """Tickets and their events, from the midnight ``start`` to the midnight ``end``, so many on each day."""
    for story in _by_chance(chance, hours, start, end, a_day, on_a_free_day):
        yield story.ticket, story.events


def _by_chance(chance: Random, hours: Calendar, start: int, end: int, a_day: int, on_a_free_day: int) -> Iterator[_Story]:
    number = 1000
    for midnight in range(start, end, 24 * HOUR):
        noon = midnight + 12 * HOUR
        count = a_day if hours.is_open(noon) else on_a_free_day
        for at in sorted(midnight + int(chance.triangular(7.5, 20, 11) * HOUR) for _ in range(count)):
            number += 1
            yield _one_by_chance(chance, hours, f"{SOURCE}/{number}", at // 1_000_000 * 1_000_000)


def _one_by_chance(chance: Random, hours: Calendar, ticket: str, at: int) -> _Story:
    story = _Story(ticket)
    channel, priority = _pick(chance, _CHANNELS), _pick(chance, _PRIORITIES)
    if channel in ("chat", "phone") and not hours.is_open(at):
        channel = "email"  # nobody is there to talk to
    about = {"channel": channel, "customer": chance.choice(_CUSTOMERS), "team": chance.choice(_TEAMS)}
    story.created(at, priority=priority, **about)
    if channel in ("ticket", "email"):
        story.said(at + 2_000_000, "bot")  # "we have received your request": answers nobody
        answered = hours.add(at, _length(chance, _ANSWER_HOURS, HOUR))
    else:
        answered = at + _length(chance, _ANSWER_MINUTES, MINUTE)
    if chance.random() < 0.08:
        again = at + int((answered - at) * chance.uniform(0.2, 0.8))
        priority = chance.choice([other for other in _PRIORITIES if other != priority])
        story.changed(again, priority=priority)
    elif chance.random() < 0.25:
        story.said(at + (answered - at) // 2, "customer")
    story.said(answered, "agent")
    story.changed(answered, status="open", assignee="agent")
    return _to_the_end(chance, hours, story, answered, _length(chance, _SOLUTION_HOURS[priority], HOUR))


def _to_the_end(chance: Random, hours: Calendar, story: _Story, answered: int, work: int) -> _Story:
    """From the first answer on: perhaps a question to the customer, a note, a solution, perhaps it was none."""
    at = hours.add(answered, work // 3)
    fate = chance.random()
    if fate < 0.02:
        story.happened("ticket.deleted", at, "agent")
        return story
    if fate < 0.05:
        story.happened("ticket.merged", at, "agent", into=f"{SOURCE}/1001")
        return story
    if fate < 0.30:
        story.said(at, "agent")
        story.changed(at, status="pending")
        at += int(chance.uniform(1, 30) * HOUR)
        story.said(at, "customer")
        story.changed(at, "customer", status="open")
    elif fate < 0.40:
        story.said(at, "agent", public=False)
    at = hours.add(at, work - work // 3)
    story.changed(at, status="solved")
    if chance.random() < 0.10:
        at += int(chance.uniform(1, 20) * HOUR)
        story.said(at, "customer")
        story.changed(at, "customer", status="open")
        at = hours.add(at, int(chance.uniform(1, 8) * HOUR))
        story.said(at, "agent")
        story.changed(at, status="solved")
    story.changed(at + 24 * HOUR, "system", status="closed")
    return story


def _by_hand() -> Iterator[_Story]:
    # Whoever is not registered starts no clock; once he is, it starts.
    stranger = _Story(f"{SOURCE}/2001")
    stranger.created(_local("2026-01-20T10:00"), sender="unregistered", channel="email", priority="p1", customer="acme")
    yield stranger
    registered = _Story(f"{SOURCE}/2002")
    registered.created(_local("2026-01-20T10:05"), sender="unregistered", channel="email", priority="p1", customer="wonka")
    registered.changed(_local("2026-01-21T11:00"), sender="registered")
    yield registered
    # One business day over the weekend and Republic Day: due on Tuesday, not on Monday.
    holiday = _Story(f"{SOURCE}/2003")
    holiday.created(_local("2026-01-23T16:00"), channel="ticket", priority="p1", customer="globex")
    holiday.said(_local("2026-01-27T15:59:59"), "agent")
    yield holiday
    # Nobody answers, nobody solves: every level of management is told, and the customer asks for it as well.
    ignored = _Story(f"{SOURCE}/2004")
    ignored.created(_local("2026-01-20T09:30"), channel="ticket", priority="p1", customer="umbrella", team="cloud")
    ignored.happened("escalation.requested", _local("2026-01-20T12:00"), "customer", level="executive", impact="production")
    yield ignored
    # Somebody takes the escalation up: it climbs no further.
    taken_up = _Story(f"{SOURCE}/2008")
    taken_up.created(_local("2026-01-20T09:40"), channel="ticket", priority="p1", customer="globex", team="cloud")
    taken_up.happened("escalation.acknowledged", _local("2026-01-20T14:00"), "agent", level="support-team")
    yield taken_up
    other_contract = _Story(f"{SOURCE}/2005")
    other_contract.created(_local("2026-01-21T10:00"), contract="community", channel="email", priority="p3", customer="tyrell")
    yield other_contract
    vendor = _Story(f"{SOURCE}/2006")
    vendor.created(_local("2026-01-21T10:10"), channel="ticket", priority="p2", customer="initech", team="platform")
    vendor.said(_local("2026-01-21T10:40"), "agent")
    vendor.happened("dependency.started", _local("2026-01-21T11:00"), "agent", party="vendor")
    vendor.happened("dependency.ended", _local("2026-01-22T15:00"), "agent", party="vendor")
    vendor.changed(_local("2026-01-22T16:00"), status="solved")
    vendor.happened("resolution.accepted", _local("2026-01-23T10:00"), "customer", by="customer")
    yield vendor


def _late_answer() -> Iterator[FeedRecord]:
    """A chat answered in time, but the answer is heard of only after the breach was declared: the record is corrected."""
    story = _Story(f"{SOURCE}/2007")
    story.created(_local("2026-01-22T11:00"), channel="chat", priority="p2", customer="acme", team="cloud")
    story.said(_local("2026-01-22T11:12"), "agent")
    heard = (_local("2026-01-22T11:00"), _local("2026-01-22T13:00:30"))
    for at, event in zip(heard, story.events, strict=True):
        yield FeedRecord(at, story.ticket.encode(), encode_event(story.ticket, event))


def _broken() -> Iterator[FeedRecord]:
    """One of each kind of record that is refused."""
    sound = _Story(f"{SOURCE}/3001")
    sound.created(_local("2026-01-21T14:00"), channel="email", priority="p3", customer="acme")
    event, key = encode_event(sound.ticket, sound.events[0]), sound.ticket.encode()
    for minute, (of, value) in enumerate(
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
        yield FeedRecord(_local("2026-01-21T14:00") + minute * MINUTE, of, value)


def _pick(chance: Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _length(chance: Random, chances: Chances, unit: int) -> int:
    _, least, most = chance.choices(chances, [weight for weight, _, _ in chances])[0]
    return int(chance.uniform(least, most) * unit) // 1_000_000 * 1_000_000
