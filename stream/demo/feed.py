"""Generates the demo's feed: nine business days of a support desk around a public holiday, the same for the same seed.

Most tickets are random: people act on them at a realistic pace. A few are written by hand for what they show: an answer that
arrives late, a sender who is not registered, and every kind of invalid record.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from stream.demo.written_tickets import (
    HOUR,
    MINUTE,
    SOURCE,
    FeedRecord,
    Story,
    invalid_records,
    late_answer,
    local,
    written_stories,
)
from stream.wire.effect import encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.events import Event

START: Final = local("2026-01-19T08:00")
"""A Monday. Republic Day, a holiday in India, is the Monday after."""
END: Final = local("2026-01-31T08:00")
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


def feed(hours: Calendar, seed: int = 19) -> list[FeedRecord]:
    """All records of the demo in the order of publishing. ``hours`` is the calendar of the desk's agents."""
    chance = Random(seed)  # noqa: S311  the feed is not a secret
    first, last = local("2026-01-19T00:00"), local("2026-01-31T00:00")
    random_stories = _random_stories(chance, hours, first, last, _TICKETS_A_DAY, _TICKETS_ON_A_FREE_DAY)
    records = [
        FeedRecord(event.at, story.ticket.encode(), encode_event(story.ticket, event))
        for story in (*random_stories, *written_stories())
        for event in story.events
        if event.at < END
    ]
    records += [
        record._replace(at=min(record.at + int(chance.uniform(1, 30) * MINUTE), END))
        for record in chance.sample(records, _REPEATED)
    ]
    records += late_answer()
    records += invalid_records()
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
            asked = [Story(f"{SOURCE}/{number + minute}") for minute in range(5)]
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


def _random_stories(chance: Random, hours: Calendar, start: int, end: int, a_day: int, on_a_free_day: int) -> Iterator[Story]:
    number = 1000
    for midnight in range(start, end, 24 * HOUR):
        noon = midnight + 12 * HOUR
        count = a_day if hours.is_open(noon) else on_a_free_day
        for at in sorted(midnight + int(chance.triangular(7.5, 20, 11) * HOUR) for _ in range(count)):
            number += 1
            yield _random_story(chance, hours, f"{SOURCE}/{number}", at // 1_000_000 * 1_000_000)


def _random_story(chance: Random, hours: Calendar, ticket: str, at: int) -> Story:
    story = Story(ticket)
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


def _to_the_end(chance: Random, hours: Calendar, story: Story, answered: int, work: int) -> Story:
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


def _pick(chance: Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _length(chance: Random, chances: Chances, unit: int) -> int:
    _, least, most = chance.choices(chances, [weight for weight, _, _ in chances])[0]
    return int(chance.uniform(least, most) * unit) // 1_000_000 * 1_000_000
