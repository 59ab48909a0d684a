"""A ticket's newest events, as bytes: only a late event, and who explains a deadline, looks into them.

Read and written at every event they would cost more than all the rest of a ticket. So an event is packed once, behind those
that came before: its instant as the difference, its source only if the first event has another.
"""

from __future__ import annotations

from typing import Final

import msgspec
from mypy_extensions import mypyc_attr

from stream.sla.events import ACTOR_KINDS, ATTRIBUTES, EVENT_TYPES, Event
from stream.sla.ticket.names import pack_names, unpack_names

Value = str | list[str]
_Rest = dict[str, int | str]
_More = tuple[bytes, list[Value], _Rest]
_Packed = tuple[int, int, str, _More | None]
"""Type, actor and visibility as one number; microseconds since the event before (since the epoch, of the first); id; and, where
there is any of it, names of fields, their values, and what is rare by its name."""

_KINDS: Final = [(type_, actor, public) for public in (False, True) for actor in (None, *ACTOR_KINDS) for type_ in EVENT_TYPES]
"""By number. Types, actors and their order are part of form 2."""
_TYPE_NUMBERS: Final[dict[str, int]] = {type_: number for number, type_ in enumerate(EVENT_TYPES)}
_ACTOR_NUMBERS: Final[dict[str | None, int]] = {
    actor: number * len(EVENT_TYPES) for number, actor in enumerate((None, *ACTOR_KINDS))
}
_PUBLIC: Final = len(_KINDS) // 2
"""Of a type, of an actor, and of what the customer can read: their sum is the number of the kind."""
_COMMON: Final = 8
"""Attributes of an event before those that only some types have."""
_RARE: Final = ("seq", *ATTRIBUTES[_COMMON:])
_ARRAY: Final = b"\xdd"
"""In MessagePack: an array, its length in four bytes to follow."""
_NO_REST: Final[_Rest] = {}
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(list[_Packed]).decode


@mypyc_attr(acyclic=True, free_list_len=1)
class History:
    """Events in the order of their keys. Never changed."""

    __slots__ = ("kept", "newest", "packed", "source")

    def __init__(self, packed: bytes = b"", kept: int = 0, newest: int = 0, source: str = "") -> None:
        self.packed: bytes = packed
        """The events one after another."""
        self.kept: int = kept
        """The number of events."""
        self.newest: int = newest
        """The instant of the last, epoch microseconds."""
        self.source: str = source
        """Of the first, and of all that do not name another."""

    def parts(self) -> tuple[bytes, int, int, str]:
        """The arguments of ``History`` in their order."""
        return self.packed, self.kept, self.newest, self.source

    def add(self, event: Event) -> History:
        """With one more, the newest."""
        source = self.source if self.kept else event.source
        rest, fields = _NO_REST, event.fields
        rare = event.into or event.party or event.commitment or event.by or event.level or event.impact or event.role
        if rare or event.arrived or event.seq or event.source != source:
            rest = {name: value for name in _RARE if (value := getattr(event, name))}
            if event.source != source:
                rest["source"] = event.source
        more: _More | None = None
        if fields or rest:
            more = pack_names(tuple(fields)), list(fields.values()), rest
        kind = _TYPE_NUMBERS[event.type] + _ACTOR_NUMBERS[event.actor] + (_PUBLIC if event.public else 0)
        packed = _write((kind, event.at - self.newest, event.id, more))
        return History(self.packed + packed, self.kept + 1, event.at, source)

    @property
    def events(self) -> list[Event]:
        """Read anew at each call. Raises msgspec.DecodeError and IndexError for bytes that are none."""
        events, at = [], 0
        for number, after, id_, more in _read(_ARRAY + self.kept.to_bytes(4, "big") + self.packed):
            at += after
            type_, actor, public = _KINDS[number]
            if more is None:
                events.append(Event(at, id_, type_, self.source, 0, actor, public=public))
                continue
            names, values, rest = more
            fields = dict(zip(unpack_names(names), values, strict=True))
            attributes: dict[str, object] = {"source": self.source, **rest}
            events.append(Event(at, id_, type_, actor=actor, fields=fields, public=public, **attributes))  # type: ignore[arg-type]  # stored
        return events

    def may_know(self, id_: str) -> bool:
        """Whether one of them may have that id: its own bytes are nearly always enough to know that none has."""
        # ``in`` first tries to take it for a number, and ``find`` takes as long for its arguments as for the search.
        return self.packed.partition(_write(id_))[1] != b""

    def known(self, event: Event) -> Event | None:
        """The one among them that has the identity of ``event``; ``None``: none has."""
        if not self.may_know(event.id):
            return None
        id_, seq, source = event.id, event.seq, event.source
        return next((known for known in self.events if known.id == id_ and known.seq == seq and known.source == source), None)


def packed(events: list[Event]) -> History:
    """These events, in this order."""
    history = History()
    for event in events:
        history = history.add(event)
    return history
