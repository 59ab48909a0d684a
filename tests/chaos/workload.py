"""What the tickets of a run live through, and when their helpdesk publishes it: some of it late, in another order, or twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from stream.sla.events import ERASURE, Event
from stream.wire.effect import encode_event, encode_tick
from tests.chaos.bad_records import bad_record
from tests.chaos.pace import MINUTE

if TYPE_CHECKING:
    from random import Random

PARTITIONS: Final = 4
ERASED: Final = 0.08
"""The share of tickets that are erased."""
BAD: Final = "bad"
"""Header of a record that must be refused: the reason that it must get. Workers do not read headers of their input."""


class Planned(NamedTuple):
    """A record for the input topic."""

    when: int
    """When it is published: the run's time, epoch microseconds."""
    partition: int
    key: bytes | None
    value: bytes | None
    bad: str = ""


def planned(random: Random, start: int, minutes: int, tickets_a_minute: int) -> list[Planned]:
    """The feed of a run in the order of publishing. ``start``: a whole minute; events lie on whole minutes."""
    end = start + minutes * MINUTE
    feed = []
    for number in range(minutes * tickets_a_minute):
        ticket, born = f"desk/{number}", start + number // tickets_a_minute * MINUTE
        for event in _life(random, ticket, born, end):
            value = encode_event(ticket, event)
            feed.append(Planned(_published(random, event.at), _partition(ticket), ticket.encode(), value))
            if random.random() < 0.1:
                again = event.at + random.randint(0, 10) * MINUTE
                feed.append(Planned(again, _partition(ticket), ticket.encode(), value))
    for minute in range(minutes):
        # How far the feed is. What is published late contradicts it, as it does in life.
        tick = encode_tick("desk", start + minute * MINUTE)
        feed += [Planned(start + minute * MINUTE, number, None, tick) for number in range(PARTITIONS)]
        if random.random() < 0.2:
            feed.append(broken(random, minute, start + minute * MINUTE))
    return sorted((one for one in feed if one.when < end), key=lambda one: one.when)


def with_erasures(random: Random, feed: list[Planned]) -> list[Planned]:
    """The feed, in which an erasure of some tickets is asked for at some time after their first event was published."""
    first, end = {one.key: one for one in reversed(feed) if one.key is not None and not one.bad}, feed[-1].when
    asked = []
    for key, one in sorted(first.items()):
        if random.random() < ERASED:
            when = random.randint(one.when, end)
            ticket = key.decode()
            erasure = Event(at=when // MINUTE * MINUTE, id=f"{ticket}:erasure", type=ERASURE, source="breachwatch")
            asked.append(Planned(when, one.partition, key, encode_event(ticket, erasure)))
    return sorted(feed + asked, key=lambda one: one.when)


def canaries(at: int) -> list[Planned]:
    """A ticket for each partition whose first response is due 4 minutes after it was created ``at``, and never comes."""
    found: dict[int, Planned] = {}
    number = 0
    while len(found) < PARTITIONS:
        ticket, number = f"canary/{number}", number + 1
        created = _event(ticket, 0, at, "ticket.created", actor="customer", fields={"contract": "gold", "priority": "p1"})
        found.setdefault(_partition(ticket), Planned(at, _partition(ticket), ticket.encode(), encode_event(ticket, created)))
    return list(found.values())


CANARY_DUE: Final = 4 * MINUTE


def broken(random: Random, number: int, now: int) -> Planned:
    """A record that must be refused."""
    bad = bad_record(random, number, now)
    return Planned(now, random.randrange(PARTITIONS), bad.key, bad.value, bad.reason)


def _partition(ticket: str) -> int:
    return crc32(ticket.encode()) % PARTITIONS


def _published(random: Random, at: int) -> int:
    way = random.random()
    if way < 0.75:
        return at + random.randrange(12) * MINUTE // 60
    if way < 0.9:
        return at + random.randrange(3 * 60) * MINUTE // 60
    return at + random.randint(3, 15) * MINUTE


def _life(random: Random, ticket: str, born: int, end: int) -> list[Event]:
    fields = {"contract": random.choice(["gold", "tin"]), "priority": random.choice(["p1", "p1", "p2", "p3"]), "status": "new"}
    events = [_event(ticket, 0, born, "ticket.created", actor="customer", fields=fields)]
    at = born
    for number in range(1, random.randint(2, 12)):
        at += random.choice([0, 1, 1, 2, 3, 4, 4, 6, 9]) * MINUTE
        if at >= end:
            break
        events.append(_happens(random, ticket, number, at))
    return events


def _happens(random: Random, ticket: str, number: int, at: int) -> Event:
    type_ = random.choice(["comment.added"] * 6 + ["ticket.changed"] * 8 + _RARE)
    if type_ == "ticket.deleted" and number % 2:
        type_ = "ticket.restored"
    more: dict[str, Any] = {"actor": random.choice(["agent", "agent", "agent", "customer", "customer", "bot"])}
    if type_ == "comment.added":
        more["public"] = random.random() < 0.85
    elif type_ == "ticket.changed":
        name = random.choice(["status", "status", "status", "priority", "contract"])
        more["fields"] = {name: random.choice(_CHANGES[name])}
    elif type_ == "extension.granted":
        more |= {"commitment": random.choice(["resolution", "first_response"]), "by": "4m"}
    elif type_.startswith("escalation."):
        more |= {"level": random.choice(["", "lead", "manager", "team"]), "impact": random.choice(["", "production"])}
    elif type_.startswith("dependency."):
        more["party"] = "vendor"
    elif type_ == "ticket.merged":
        more["into"] = "desk/elsewhere"
    return _event(ticket, number, at, type_, seq=random.randint(0, 1), **more)


def _event(ticket: str, number: int, at: int, type_: Any, **more: Any) -> Event:
    return Event(at=at, id=f"{ticket}:{number}", type=type_, source="desk", **more)


_RARE: Final = [
    "extension.granted",
    "escalation.requested",
    "escalation.acknowledged",
    "escalation.released",
    "dependency.started",
    "dependency.ended",
    "ticket.merged",
    "ticket.deleted",
]
_CHANGES: Final = {
    "status": ["open", "pending", "on_hold", "solved", "open", "pending", "solved", "closed"],
    "priority": ["p1", "p2", "p3"],
    "contract": ["gold", "tin"],
}
