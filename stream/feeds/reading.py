"""Reads a payload by a mapping: to its ticket events, to a reason why it has none, or to the reason why it is unmapped.

A payload gives all its events, or it is unmapped as a whole. Every event is one that ``stream.wire.decode`` accepts. Pure.
Nothing here raises for what a payload contains.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from stream.feeds.event import EVENT_PATH, compute, compute_fields, unfit
from stream.feeds.mapping import Otherwise
from stream.feeds.path import bounded
from stream.feeds.place import UnfitError
from stream.feeds.scalar import described
from stream.wire.decode import Rejected
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.feeds.mapping import FeedMapping
    from stream.feeds.path import Scope
    from stream.feeds.place import Place
    from stream.feeds.rule import EventTemplate, Rule
    from stream.sla.event_order import Order
    from stream.sla.events import Event

MAX_ELEMENTS: Final = 10_000
"""The most elements that ``each`` reads of a payload."""
MAX_EVENTS: Final = 10_000
"""The most events of a payload."""

_ENDS: Final = frozenset({"ticket.merged", "ticket.deleted"})
"""Events after which the fields of a ticket are of no interest."""
_NOT_USED: Final = "-"
"""The id of an event that is only read for its ticket and its time."""
_ITEM: Final = re.compile(r"\bitem\b")


class MappedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of a payload."""

    ticket: str
    """The record key."""
    value: bytes
    """The event as JSON."""


_Events = dict[tuple[str, str, int], tuple["Event", MappedEvent]]
"""The events of a payload by ticket, id and ``seq``: what names a fact."""


class Unmapped(msgspec.Struct, frozen=True, gc=False):
    """Why a payload is unmapped."""

    reason: str
    line: int
    """The line of the mapping that the payload does not fit; 0: no line in particular."""
    path: str
    """The path of the value that does not fit, or empty."""
    file: str = ""
    """The mapping file with this line: the mapping itself, or one that it extends."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else ""
        return f"{place}{self.reason}" + (f" (at `{self.path}` of the payload)" if self.path else "")


class Reading(msgspec.Struct, frozen=True):
    """The result of reading a payload: events, or the reason why there are none."""

    events: tuple[MappedEvent, ...] = ()
    """In the order in which an engine reads them: in another one, those of a single payload would come late for each other."""
    skipped: str | None = None
    """Why the payload has no events, although the mapping covers it."""
    unmapped: Unmapped | None = None


def read(mapping: FeedMapping, payload: object, headers: Mapping[str, str], received: int) -> Reading:
    """Read a payload, which is parsed JSON. ``received`` is the instant of its arrival in epoch microseconds.

    Names of ``headers`` are matched without case.
    """
    try:
        with bounded():
            return _read(mapping, payload, headers, received)
    except UnfitError as error:
        return Reading(unmapped=Unmapped(error.reason, error.place.line, error.path, error.place.file))
    except RecursionError:
        return Reading(unmapped=Unmapped("the payload is nested too deeply", 0, ""))


def _read(mapping: FeedMapping, payload: object, headers: Mapping[str, str], received: int) -> Reading:
    if not isinstance(payload, dict | list):
        return Reading(unmapped=Unmapped(f"the payload must be a JSON object or a list, not {described(payload)}", 0, ""))
    if isinstance(payload, list) and len(payload) > MAX_ELEMENTS:
        # Before any expression walks through it, which would take seconds.
        return Reading(unmapped=Unmapped(f"a list of {len(payload)} elements; at most {MAX_ELEMENTS} are read", 0, ""))
    scope: Scope = dict(payload) if isinstance(payload, dict) else {}
    scope["doc"] = payload
    scope["header"] = {name.lower(): value for name, value in headers.items()}
    scope["received"] = format_instant(received)
    found = _Found(mapping, {}, {})
    applied = False
    for rule in mapping.rules:
        if rule.each is not None:
            applied |= _apply_to_each(rule, scope, found)
        elif rule.when is None or rule.when(scope):
            applied = True
            if rule.refuse:
                raise UnfitError(rule.refuse, rule.place, "")
            if rule.skip:
                return _finished(found, rule.skip)
            for template in rule.say:
                _add(found, template, scope)
    if applied:
        return _finished(found, "it changes no field of the mapping")
    if mapping.otherwise is Otherwise.REFUSE:
        return Reading(unmapped=Unmapped("no rule of the mapping applies to the payload", 0, ""))
    return Reading(skipped="no rule of the mapping applies to it")


class _Found(NamedTuple):
    """The findings of the rules in a payload so far."""

    mapping: FeedMapping
    events: _Events
    shown: dict[str, tuple[int, dict[str, Any]]]
    """Ticket to its newest event time and the values of ``FeedMapping.fields`` there."""


def _finished(found: _Found, why_none: str) -> Reading:
    for ticket, (at, fields) in found.shown.items():
        if fields:
            _add_fields(found, ticket, at, fields)
    ordered = sorted(found.events.values(), key=_key) if len(found.events) > 1 else found.events.values()
    return Reading(tuple([mapped for _, mapped in ordered]), None if found.events else why_none)


def _key(pair: tuple[Event, MappedEvent]) -> Order:
    return pair[0].key


def _apply_to_each(rule: Rule, scope: Scope, found: _Found) -> bool:
    """Apply a rule to each element of its list. Return whether it applied to any of them."""
    assert rule.each is not None
    elements = rule.each(scope)
    if elements is None:
        return False
    if not isinstance(elements, list):
        raise UnfitError(f"{described(elements)}, where `each` needs a list", rule.place, rule.path)
    if len(elements) > MAX_ELEMENTS:
        raise UnfitError(f"a list of {len(elements)} elements; at most {MAX_ELEMENTS} are read", rule.place, rule.path)
    applied = False
    inner = dict(scope)
    for index, element in enumerate(elements):
        inner["item"], inner["index"] = element, index
        try:
            if rule.when is None or rule.when(inner):
                applied = True
                for template in rule.say:
                    _add(found, template, inner)
        except UnfitError as error:
            raise UnfitError(error.reason, error.place, _element_path(rule, index, error.path)) from error
    return applied


def _element_path(rule: Rule, index: int, path: str) -> str:
    """``item.to`` as ``changelog.items[2].to``."""
    return _ITEM.sub(lambda _: f"{rule.path}[{index}]", path)


def _add(found: _Found, template: EventTemplate, scope: Scope) -> None:
    """Compute an event and add it. A ``ticket.changed`` without a field states nothing, and is left out."""
    mapping = found.mapping
    wire = compute(template, mapping.source, scope)
    states_nothing = template.type == "ticket.changed" and not wire["fields"]
    if states_nothing and not mapping.fields:
        return
    if states_nothing:
        wire["id"] = _NOT_USED
    value = _encode(wire, template.place)
    decoded = decode(value)
    if isinstance(decoded, Rejected):
        raise unfit(template, decoded, wire)
    assert isinstance(decoded, Incoming), "no rule has the type feed.tick"
    ticket, event = decoded.ticket, decoded.event
    if not states_nothing:
        identity = (ticket, event.id, event.seq)
        if found.events.setdefault(identity, (event, MappedEvent(ticket, value)))[1].value != value:
            named = f"the id {event.id!r} and the seq {event.seq}"
            reason = f"two events of the payload have {named}: give each its own"
            raise UnfitError(reason, template.place, template.keys["id"].path)
        if len(found.events) > MAX_EVENTS:
            raise UnfitError(f"the payload has more than {MAX_EVENTS} events", template.place, "")
    if mapping.fields and event.type not in _ENDS and event.at >= found.shown.get(ticket, (0,))[0]:
        found.shown[ticket] = (event.at, compute_fields(mapping.fields, scope))


def _add_fields(found: _Found, ticket: str, at: int, fields: dict[str, Any]) -> None:
    """Add the event of ``FeedMapping.fields``. Its id has the time and a hash of the values.

    So it is the same event from each payload that shows the same values at the same time, and never another one of the same id.
    """
    when, first = format_instant(at), next(iter(found.mapping.fields.values()))
    digest = blake2b(_encode(fields, first.place), digest_size=8).hexdigest()
    wire = {"type": "ticket.changed", "source": found.mapping.source, "ticket": ticket, "at": when}
    value = _encode({**wire, "id": f"fields/{when}/{digest}", "fields": fields}, first.place)
    decoded = decode(value)
    if isinstance(decoded, Rejected):
        named = EVENT_PATH.match(decoded.path)
        wrong = found.mapping.fields.get(named[2] if named else "", first)
        raise UnfitError(f"`fields` is not valid: {decoded.message}", wrong.place, wrong.path)
    assert isinstance(decoded, Incoming)
    found.events[ticket, decoded.event.id, 0] = (decoded.event, MappedEvent(ticket, value))


def _encode(wire: dict[str, Any], place: Place) -> bytes:
    """JSON with its keys in the order of the mapping."""
    try:
        return msgspec.json.encode(wire)
    except UnicodeEncodeError as error:
        raise UnfitError("a text is not valid Unicode", place, "") from error
