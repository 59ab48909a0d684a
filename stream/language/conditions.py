"""Reads the conditions of a policy file: words, mappings whose entries all hold, and lists of which one holds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from stream.documents.readers import as_text, items, listed, read_yes_no, shown, suggestion, under
from stream.sla.events import ACTOR_KINDS, EVENT_TYPES, REQUESTER, STATUSES
from stream.sla.policy.conditions import (
    ALWAYS,
    DERIVED,
    IN_HOURS,
    OUT_OF_HOURS,
    STARTED,
    All,
    AnyOf,
    Changed,
    Condition,
    EventIs,
    FieldIn,
    Not,
    momentary,
)
from stream.sla.policy.metric import ANSWER, BEGUN, SOLVED, WAITING

if TYPE_CHECKING:
    from stream.documents.document import Report

NEVER: Final = Not(ALWAYS)

WORDS: Final[Mapping[str, Condition]] = {
    "ticket_created": BEGUN,
    "answered_by_agent": ANSWER,
    "always": ALWAYS,
    "never": NEVER,
    **{status: FieldIn("status", frozenset({status})) for status in STATUSES},
    # Many helpdesks close a ticket without ever calling it solved; a commitment until "solved" is met then too.
    "solved": SOLVED,
}
"""The meaning of a single word where a condition is wanted."""

_ACCEPTERS: Final = frozenset({"customer", "manager"})
_OF_EVENTS: Final = ("event", "actor", "public", "role", "changed")
_DERIVED: Final = tuple(name.removeprefix("@") for name in DERIVED)
_STARTED: Final = STARTED.removeprefix("@")


class Asked(Enum):
    """The subject of a condition."""

    EVENT = 0
    """The current event and the ticket after it."""
    TICKET = 1
    """Ticket fields alone."""
    CLOCK = 2
    """Ticket fields, and how the clock started."""


def read_condition(data: object, report: Report) -> Condition | None:
    """A condition over an event and the ticket it leaves behind."""
    return _read(data, report, Asked.EVENT)


def read_ticket_condition(data: object, report: Report) -> Condition | None:
    """A condition over ticket fields alone: what a policy applies to must not hang on the event of the moment."""
    return _read(data, report, Asked.TICKET)


def read_clock_condition(data: object, report: Report) -> Condition | None:
    """A condition over ticket fields that may also ask whether the calendar was open when the clock started."""
    return _read(data, report, Asked.CLOCK)


def _read(data: object, report: Report, asked: Asked) -> Condition | None:
    if isinstance(data, Mapping):
        return _mapping(data, report, asked)
    if isinstance(data, list):
        return _joined(data, report, AnyOf, asked)
    if not isinstance(data, str) or data not in WORDS:
        hint = suggestion(str(data), WORDS)
        report((), f"must be a condition: a mapping, a list or one of {listed(WORDS)}, not {shown(data)}{hint}")
        return None
    condition = WORDS[data]
    if asked is not Asked.EVENT and momentary(condition):
        report((), f"only ticket fields can be asked here: `{data}` is about one event")
        return None
    return condition


def _mapping(data: Mapping[str, object], report: Report, asked: Asked) -> Condition | None:
    if not data:
        report((), "an empty condition is ambiguous; write `always`")
        return None
    parts: list[Condition | None] = []
    if {"event", "actor", "public", "role"} & data.keys() and asked is Asked.EVENT:
        parts.append(_event(data, report))
    for key, value in data.items():
        here = under(report, key)
        if key in {"all", "any"}:
            parts.append(_joined(value, here, All if key == "all" else AnyOf, asked))
        elif key == "not":
            part = _read(value, here, asked)
            parts.append(Not(part) if part is not None else None)
        elif key == _STARTED:
            parts.append(_started(value, here, asked))
        elif asked is not Asked.EVENT and (key in _OF_EVENTS or key in _DERIVED):
            here((), "only ticket fields can be asked here (status, priority, category, channel, your own, ...)")
            parts.append(None)
        elif key == "changed":
            parts.append(_changed(value, here))
        elif key in _DERIVED:
            parts.append(_derived(key, value, here))
        elif key not in _OF_EVENTS:
            parts.append(_field(key, value, here))
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else All(known)


def _joined(data: object, report: Report, kind: type[All | AnyOf], asked: Asked) -> Condition | None:
    parts: list[Condition | None] | None = items(data, report, lambda item, here: _read(item, here, asked))
    known = tuple(part for part in parts or () if part is not None)
    if not parts or len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else kind(known)


def _event(data: Mapping[str, object], report: Report) -> Condition | None:
    types = _known_words(data.get("event", []), under(report, "event"), EVENT_TYPES, empty="event" not in data)
    kinds = _known_words(data.get("actor", []), under(report, "actor"), (*ACTOR_KINDS, "none"), empty="actor" not in data)
    public = read_yes_no(data["public"], under(report, "public")) if "public" in data else None
    roles = _values(data["role"], under(report, "role")) if "role" in data else frozenset[str]()
    if types is None or kinds is None or roles is None or ("public" in data and public is None):
        return None
    return EventIs(types, frozenset(None if kind == "none" else kind for kind in kinds), public, roles)


def _changed(data: object, report: Report) -> Condition | None:
    fields = _values(data, report)
    if fields is None:
        return None
    if any(field.startswith("@") or not field for field in fields):
        report((), "must name ticket fields that an event can set")
        return None
    return Changed(fields)


def _derived(name: str, data: object, report: Report) -> Condition | None:
    if name == "accepted":
        if data in _ACCEPTERS:
            return FieldIn("@accepted", frozenset({str(data)}))
        yes = FieldIn("@accepted", _ACCEPTERS)
    elif name == "waiting":
        if data == REQUESTER:
            return FieldIn("@waiting", frozenset({"yes"}))
        yes = WAITING
    else:
        yes = FieldIn(f"@{name}", frozenset({"yes"}))
    holds = read_yes_no(data, report)
    if holds is None:
        return None
    return yes if holds else Not(yes)


def _started(data: object, report: Report, asked: Asked) -> Condition | None:
    if asked is not Asked.CLOCK:
        report(
            (),
            "how a clock started can only be asked in `when` of a commitment, a ladder or a case: not every clock starts then",
        )
        return None
    values = _known_words(data, report, (IN_HOURS, OUT_OF_HOURS))
    return FieldIn(STARTED, values) if values is not None else None


def _field(name: str, data: object, report: Report) -> Condition | None:
    if name.startswith("@") or not name:
        report((), f"a ticket field cannot be called `{name}`; the fields breachwatch keeps are {listed(_DERIVED)}")
        return None
    values = _known_words(data, report, STATUSES) if name == "status" else _values(data, report)
    return FieldIn(name, values) if values is not None else None


def _values(data: object, report: Report) -> frozenset[str] | None:
    """One scalar or a list of scalars, as ticket fields hold them."""
    texts = [as_text(item) for item in data] if isinstance(data, list) else [as_text(data)]
    known = frozenset(text for text in texts if text is not None)
    if not texts or None in texts:
        report((), f'must be a value or a list of values, not {shown(data)}; write "" for a field that is not set')
        return None
    return known


def _known_words(data: object, report: Report, words: tuple[str, ...], *, empty: bool = False) -> frozenset[str] | None:
    if empty:
        return frozenset()
    values = _values(data, report)
    if values is None:
        return None
    unknown = sorted(values - set(words))
    for word in unknown:
        report((), f"`{word}` is not one of {listed(words)}{suggestion(word, words)}")
    return None if unknown else values
