"""Reads a payload by a mapping: to its ticket events, to a reason why it has none, or to the reason why it is unmapped.

A payload gives all its events, or it is unmapped as a whole. Every event is one that ``stream.wire.decode`` accepts. Pure.
Nothing here raises for what a payload contains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from stream.feeds.mapping import Otherwise
from stream.feeds.place import UnfitError
from stream.feeds.rule import WITH_FIELDS
from stream.feeds.value import as_text, described
from stream.wire.decode import Rejected
from stream.wire.decode import read as decode
from stream.wire.instants import format_instant
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from stream.feeds.mapping import FeedMapping
    from stream.feeds.path import Scope
    from stream.feeds.rule import EventTemplate, Rule
    from stream.feeds.value import Value
    from stream.sla.event_order import Order
    from stream.sla.events import Event

MAX_ELEMENTS: Final = 10_000
"""The most elements that ``each`` reads of a payload."""
MAX_EVENTS: Final = 10_000
"""The most events of a payload."""

_ENDS: Final = frozenset({"ticket.merged", "ticket.deleted"})
"""Events after which the fields of a ticket are of no interest."""
_NOT_USED: Final = "-"
"""The id of an event that is only looked at for its ticket and its time."""
_ITEM: Final = re.compile(r"\bitem\b")
_EVENT_PATH: Final = re.compile(r"\$\.(\w+)(?:\.(\w+))?")


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
    """What came of a payload: events, or the reason why there are none."""

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
        return _read(mapping, payload, headers, received)
    except UnfitError as error:
        return Reading(unmapped=Unmapped(error.reason, error.place.line, error.path, error.place.file))
    except RecursionError:
        return Reading(unmapped=Unmapped("the payload is nested too deeply", 0, ""))


def _read(mapping: FeedMapping, payload: object, headers: Mapping[str, str], received: int) -> Reading:
    if not isinstance(payload, dict | list):
        return Reading(unmapped=Unmapped(f"the payload must be a JSON object or a list, not {described(payload)}", 0, ""))
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
    """What the rules have found in a payload so far."""

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
    wire = _wire(template, mapping.source, scope)
    states_nothing = template.type == "ticket.changed" and not wire["fields"]
    if states_nothing and not mapping.fields:
        return
    if states_nothing:
        wire["id"] = _NOT_USED
    try:
        value = msgspec.json.encode(wire)
    except (UnicodeEncodeError, OverflowError) as error:
        raise UnfitError("a value is not valid Unicode text", template.place, "") from error
    decoded = decode(value)
    if not isinstance(decoded, Incoming):
        raise _unfit(template, decoded, wire)
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
        found.shown[ticket] = (event.at, _fields(mapping.fields, scope))


def _add_fields(found: _Found, ticket: str, at: int, fields: dict[str, Any]) -> None:
    """Add the event of ``FeedMapping.fields``. Its id has the time and a hash of the values.

    So it is the same event from each payload that shows the same values at the same time, and never another one of the same id.
    """
    when = format_instant(at)
    digest = blake2b(msgspec.json.encode(fields, order="deterministic"), digest_size=8).hexdigest()
    wire = {"type": "ticket.changed", "source": found.mapping.source, "ticket": ticket, "at": when}
    value = msgspec.json.encode({**wire, "id": f"fields/{when}/{digest}", "fields": fields})
    decoded = decode(value)
    if not isinstance(decoded, Incoming):
        named = _EVENT_PATH.match(decoded.path) if isinstance(decoded, Rejected) else None
        first = found.mapping.fields.get(named[2] if named else "") or next(iter(found.mapping.fields.values()))
        message = decoded.message if isinstance(decoded, Rejected) else ""
        raise UnfitError(f"`fields` is not valid: {message}", first.place, first.path)
    found.events[ticket, decoded.event.id, 0] = (decoded.event, MappedEvent(ticket, value))


def _wire(template: EventTemplate, source: str, scope: Scope) -> dict[str, Any]:
    """The event as the contract has it."""
    wire: dict[str, Any] = {"type": template.type, "source": source}
    for key, value in template.keys.items():
        found = value.compute(scope)
        if type(found) is str and key != "seq":
            if found:
                wire[key] = found
        elif found is not None:
            wire[key] = found if key in _TYPED else _CONVERSIONS.get(key, _identifier)(found, value)
    for key in _NUMBERS:
        if key in wire:
            wire[key] = f"{source}/{wire[key]}"
    role = wire.pop("role", None)
    if "actor" in wire:
        wire["actor"] = {"kind": wire["actor"], "role": role} if role else {"kind": wire["actor"]}
    if template.type in WITH_FIELDS:
        wire["fields"] = _fields(template.fields, scope)
    return wire


def _fields(values: Mapping[str, Value], scope: Scope) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        found = value.compute(scope)
        if type(found) is str:
            fields[name] = found
        elif found is not None:
            fields[name] = _field(found, value)
    return fields


def _identifier(found: object, value: Value) -> str | None:
    if isinstance(found, bool | float):
        raise UnfitError(f"{described(found)}, where a text or a whole number is needed", value.place, value.path)
    return as_text(found, value.place, value.path)


def _sequence(found: object, value: Value) -> int:
    if type(found) is int:
        return found
    if type(found) is str and found.isascii() and found.isdigit() and len(found) < 20:
        return int(found)
    raise UnfitError(f"{described(found)}, where a whole number is needed", value.place, value.path)


_CONVERSIONS: Final[Mapping[str, Callable[[object, Value], object]]] = {"seq": _sequence}
_TYPED: Final = frozenset({"public", "at"})
"""Keys whose type the contract checks."""
_NUMBERS: Final = ("ticket", "into")


def _field(found: object, value: Value) -> object:
    """The value of a ticket field: a scalar or a list of scalars. An object may hold anything, names and addresses too."""
    if isinstance(found, bool):
        return found
    if isinstance(found, list):
        return [_field(item, value) for item in found if item is not None and not _is_nested(item, value)]
    if isinstance(found, Mapping):
        raise UnfitError("an object, where a ticket field needs one of its values", value.place, value.path)
    return as_text(found, value.place, value.path)


def _is_nested(item: object, value: Value) -> bool:
    if isinstance(item, list | Mapping):
        raise UnfitError(f"a list with {described(item)}, where a list of texts is needed", value.place, value.path)
    return False


def _unfit(template: EventTemplate, rejected: Rejected | object, wire: Mapping[str, Any]) -> UnfitError:
    """Why an event is not valid, with the place of the value in the mapping."""
    assert isinstance(rejected, Rejected)
    found = _EVENT_PATH.match(rejected.path)
    key, name = (found[1], found[2]) if found else ("", None)
    value = template.fields.get(name or "") if key == "fields" else template.keys.get(key)
    if value is None:
        return UnfitError(f"the event is not valid: {rejected.message} (`{rejected.path}` of the event)", template.place, "")
    named = f"`{name or key}`"
    reason = f"{named} has no value" if key != "fields" and key not in wire else f"{named} is not valid: {rejected.message}"
    return UnfitError(reason, value.place, value.path)
