"""A ticket's newest events, as bytes: only a late event, and who explains a deadline, looks into them.

Read and written at every event they would cost more than all the rest of a ticket. So an event is packed once, behind those
before it, and what is known from them is left out: the source that all have in common, the fields of the first that has any
(the ticket's creation, mostly, whose values the ticket still has), and of the instant all but the difference.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.events import ACTOR_KINDS, EVENT_TYPES, Event
from stream.sla.vocabulary import pack_names, unpack_names

Value = str | list[str]
Fields = dict[str, Value]
Named = tuple[bytes, list[Value]]
"""Names of fields, packed, and their values."""
Rest = dict[str, int | str]
Packed = tuple[int, int, str, tuple[bytes | None, list[Value], Rest] | None]
"""Type, actor and visibility as one number; microseconds since the event before (since the epoch, of the first); id; and, where
there is any of it, the names of the fields (``None``: the values are ``History.opened``), their values, and what is rare."""

_KINDS: Final = [(type_, actor, public) for public in (False, True) for actor in (None, *ACTOR_KINDS) for type_ in EVENT_TYPES]
"""By number: types, actors and their order are part of form 2."""
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}
_RARE: Final = ("into", "party", "commitment", "by", "reason", "level", "impact")
_ARRAY: Final = b"\xdd"
"""In MessagePack: an array, its length in four bytes to follow."""
_NO_NAMES: Final = pack_names(())
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(list[Packed]).decode


class History:
    """Events in the order of their keys. Never changed."""

    def __init__(
        self, packed: bytes = b"", kept: int = 0, newest: int = 0, source: str = "", opened: Named | None = None
    ) -> None:
        self.packed: bytes = packed
        """The events one after another, each as ``Packed`` says."""
        self.kept: int = kept
        """How many there are."""
        self.newest: int = newest
        """The instant of the last, epoch microseconds."""
        self.source: str = source
        """Of the first, and of all that do not name another."""
        self.opened: Named | None = opened
        """The fields of the first event that has any; ``None``: none has."""

    def parts(self) -> tuple[bytes, int, int, str, Named | None]:
        """The arguments of ``History`` in their order."""
        return self.packed, self.kept, self.newest, self.source, self.opened

    def add(self, event: Event) -> History:
        """With one more, the newest."""
        source, opened = self.source, self.opened
        if not self.kept:
            source = event.source
        rest = _rest(event, source)
        more: tuple[bytes | None, list[Value], Rest] | None = None
        if event.fields:
            if opened is None:
                opened = pack_names(tuple(event.fields)), [*event.fields.values()]
                more = None, [], rest
            else:
                more = pack_names(tuple(event.fields)), [*event.fields.values()], rest
        elif rest:
            more = _NO_NAMES, [], rest
        number = _NUMBERS[event.type, event.actor, event.public]
        packed = _write((number, event.at - self.newest, event.id, more))
        return History(self.packed + packed, self.kept + 1, event.at, source, opened)

    @property
    def events(self) -> list[Event]:
        """Read anew at each call. Raises msgspec.DecodeError and IndexError for bytes that are none."""
        events, at = [], 0
        for number, after, id_, more in _read(_ARRAY + self.kept.to_bytes(4, "big") + self.packed):
            at += after
            fields: Fields = {}
            rest: Rest = {}
            if more is not None:
                names, values, rest = more
                if names is None and self.opened is not None:
                    names, values = self.opened
                fields = dict(zip(unpack_names(names or _NO_NAMES), values, strict=True))
            type_, actor, public = _KINDS[number]
            told: dict[str, object] = {"source": self.source, **rest}
            events.append(Event(at, id_, type_, actor=actor, fields=fields, public=public, **told))  # type: ignore[arg-type]
        return events

    def knows(self, event: Event) -> bool:
        """Whether the event is among them, by its id and source."""
        # The id's own bytes are nearly always enough to tell that it is not.
        if _write(event.id) not in self.packed:
            return False
        return any(known.id == event.id and known.source == event.source for known in self.events)


def packed(events: list[Event]) -> History:
    """These events, in this order."""
    history = History()
    for event in events:
        history = history.add(event)
    return history


def _rest(event: Event, source: str) -> Rest:
    """What hardly any event has, by the names of ``Event``."""
    rest: Rest = {}
    if event.source != source:
        rest["source"] = event.source
    if event.seq:
        rest["seq"] = event.seq
    if event.into or event.party or event.commitment or event.by or event.reason or event.level or event.impact:
        for name in _RARE:
            value: str = getattr(event, name)
            if value:
                rest[name] = value
    return rest
