"""Bounds on the stored part of a ticket, whatever its events contain: a stored state and an effect have a largest size.

Kafka refuses records above ``max.message.bytes``, 1 MiB by default, and a worker whose changelog record is refused cannot go
on. So everything that events can make grow has a bound:

1. A *read* field is one that a policy of any known deployment reads, or one of ``NAMED``. It is kept whatever its size.
   A text longer than ``MOST_TEXT`` is replaced by its beginning and a digest of all of it: it differs from every other text,
   and from every word that a policy can name. Of a list, the first ``MOST_LIST`` bytes are kept; of all read fields of an
   event or a ticket, ``MOST_READ`` bytes.
2. Any other field that the operator names is kept as long as there is room, because effects show it. A text longer than
   ``MOST_TEXT`` is not kept, and of what is left ``MOST_UNREAD`` bytes an event, and as many a ticket.
3. A history has at most ``MOST_HISTORY`` bytes. Its older half becomes the base when it has more, or more events than wanted.
4. A ticket waits for ``MOST_PARTIES`` third parties at a time. Further ones are not counted.
5. Ids of events before the history, names of third parties and revisions have a bounded number, and a bounded length each.

What an event adds is bounded before anything else is done with it, as a function of the event and the deployments. So tickets
with the same events have the same state, in whatever order the events arrived.

Fields that nothing needs are dropped before that (``kept_event``), because they may be about people.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from stream.sla.events import TICKET_FIELDS

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.conditions import Fields
    from stream.sla.ticket.history import Value

NAMED: Final = frozenset(TICKET_FIELDS)
"""The fields that the contract names. They are kept unless the operator names others."""
ALWAYS_KEPT: Final = frozenset({"status", "priority"})
"""Fields by which a ticket begins and ends, whatever policies read."""
MOST_TEXT: Final = 256
"""Characters."""
MOST_LIST: Final = 16 * 1024
"""Bytes."""
MOST_READ: Final = 64 * 1024
"""Bytes, names included."""
MOST_UNREAD: Final = 8 * 1024
"""Bytes, names included."""
MOST_HISTORY: Final = 192 * 1024
"""Bytes."""
MOST_PARTIES: Final = 100
MOST_REVISIONS: Final = 2_000
MOST_STATE: Final = 900_000
"""Bytes that a stored state has at most, under policies with at most a hundred commitments."""
MOST_EFFECT: Final = 500_000
"""Bytes that an encoded effect has at most."""

_MOST_NAME: Final = 48
"""Bytes of an id or a name that is kept as it is."""
_SMALL: Final = 4_096
"""Characters of the fields of an event that is not looked at any closer."""
_FEW: Final = 24
"""Fields of a ticket that is not looked at any closer."""


def kept_event(event: Event, keep: frozenset[str], read: frozenset[str]) -> Event:
    """The event with those of its fields that are kept.

    ``keep``: fields that are kept whatever policies read. ``read``: fields that policies read at the instant of the event.
    """
    kept = {name: value for name, value in event.fields.items() if name in keep or name in read}
    return event if len(kept) == len(event.fields) else event.with_fields(kept)


def bounded_event(event: Event, read: frozenset[str]) -> Event:
    """The event with as much of its fields as is kept; most events as they are. ``read``: names of the read fields."""
    fields = event.fields
    if not fields:
        return event
    size = 0
    for name, value in fields.items():
        if isinstance(value, str):
            length = len(value)
            if length > MOST_TEXT:
                break
        else:
            length = sum([len(text) for text in value])
        size += len(name) + length
        if size > _SMALL:
            break
    else:
        return event
    return event.with_fields(_within(fields, read))


def bounded_fields(fields: Fields, read: frozenset[str]) -> Fields:
    """The fields of a ticket, each of them from an event that is bounded already; most as they are."""
    if len(fields) <= _FEW:
        return fields
    size = 0
    for name, value in fields.items():
        size += len(name) + (len(value) if isinstance(value, str) else sum([len(text) for text in value]))
    return fields if size <= MOST_UNREAD // 4 else _within(fields, read)


def _within(fields: Fields, read: frozenset[str]) -> Fields:
    kept: Fields = {}
    room, others = MOST_READ, MOST_UNREAD
    for name, value in fields.items():
        if name in read or name[0] == "@":
            shorter: Value = _text(value) if isinstance(value, str) else _texts(value)
            room -= len(name.encode()) + _size(shorter)
            if room >= 0:
                kept[name] = shorter
        elif not isinstance(value, str) or len(value) <= MOST_TEXT:
            size = len(name.encode()) + _size(value)
            if size <= others:
                others -= size
                kept[name] = value
    return kept


def _size(value: Value) -> int:
    return len(value.encode()) if isinstance(value, str) else sum([len(text.encode()) for text in value])


def _text(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[: MOST_TEXT - 17]}…{_digest(text)}"


def _texts(texts: list[str]) -> list[str]:
    kept, room = [], MOST_LIST
    for text in texts:
        shorter = _text(text)
        room -= len(shorter.encode())
        if room < 0:
            break
        kept.append(shorter)
    return kept


def bounded_name(name: str) -> str:
    """A name that is kept for comparison only: itself, or its digest where it is long."""
    return name if len(name) <= _MOST_NAME // 4 or len(name.encode()) <= _MOST_NAME else _digest(name)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
