"""Reads the rules of a mapping: what they apply to, and the events that they give.

The keys of an event are those of the contract of ticket events (``stream.wire.ticket_event``). ``ticket`` and ``into`` are the
helpdesk's own numbers: the event has them after the source, as in ``rt/4711``. ``actor`` is the kind of the actor alone, and
``role`` is the part of the actor in the ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from stream.documents.readers import items, listed, section, shown, suggestion
from stream.feeds.evaluation import read_condition, read_path
from stream.feeds.value import DEFAULT_ROW, read_value
from stream.sla.events import ACTOR_KINDS, ERASURE, EVENT_TYPES, STATUSES
from stream.wire.ticket_event import FeedTick, Wire
from stream.wire.ticket_fields import MAX_NAME, MAX_PRIORITY

if TYPE_CHECKING:
    from stream.feeds.path import Scope
    from stream.feeds.place import Node, Place
    from stream.feeds.value import Tables, Value

_STRUCTS: Final = {struct.__struct_config__.tag: struct for struct in get_args(Wire) if struct is not FeedTick}
_KEYS: Final = {
    kind: {field.encode_name: field.required for field in msgspec.structs.fields(struct)} for kind, struct in _STRUCTS.items()
}
"""Event type to its keys, and whether the contract requires them."""
COMMON_KEYS: Final = ("ticket", "at", "id", "seq", "actor", "role")
_OWN_KEYS: Final = {kind: [key for key in keys if key not in {*COMMON_KEYS, "source"}] for kind, keys in _KEYS.items()}
WITH_FIELDS: Final = frozenset(kind for kind, keys in _KEYS.items() if "fields" in keys)
"""The event types that have ticket fields."""
_TYPES: Final = (*EVENT_TYPES, ERASURE)
_RULE_KEYS: Final = ("when", "each", "say", "skip", "refuse")
_ALLOWED: Final[Mapping[str, tuple[object, ...]]] = {
    "actor": (*ACTOR_KINDS, None),
    "public": (True, False),
    "status": (*STATUSES, None),
    "impact": ("production", "business_risk", "none", None),
}
"""Keys and fields whose values the contract lists; ``None``: the event does not get the key."""


@dataclass(frozen=True, slots=True)
class EventTemplate:
    """An event of a rule: a value for each of its keys."""

    type: str
    place: Place
    keys: Mapping[str, Value]
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. It applies to a payload, or to each element of a list in it, if ``when`` holds."""

    place: Place
    when: Callable[[Scope], bool] | None
    each: Callable[[Scope], object] | None
    path: str
    """The path of ``each``, as in the mapping."""
    say: tuple[EventTemplate, ...]
    skip: str = ""
    """Why a payload is skipped from here on."""
    refuse: str = ""
    """Why a payload is unmapped."""


@dataclass(frozen=True, slots=True)
class Common:
    """The keys that the events of all rules share."""

    keys: Mapping[str, Value]
    """Keys of every event, unless its rule has them."""
    replaced: frozenset[str]
    """Ticket fields that no rule states, because a mapping that extends this one has them in its ``fields``."""


def read_keys(node: Node, tables: Tables) -> dict[str, Value]:
    """Read ``common``."""
    read = section(node.data, node.report, COMMON_KEYS)
    if read is None:
        return {}
    values = {key: _read_key(key, node.under(key, data), tables) for key, data in read.items() if key in COMMON_KEYS}
    return {key: value for key, value in values.items() if value is not None}


def read_fields(node: Node, tables: Tables) -> dict[str, Value]:
    """Read ticket fields by name."""
    if not isinstance(node.data, Mapping):
        node.error(f"must be a mapping from ticket fields to values, not {shown(node.data)}")
        return {}
    fields: dict[str, Value] = {}
    for name, here in node.parts(node.data):
        if not 1 <= len(name) <= MAX_NAME or name.startswith("@"):
            here.error(f"a ticket field has 1 to {MAX_NAME} characters and does not begin with @")
            continue
        value = _read_key(name, here, tables)
        if value is not None:
            fields[name] = value
    return fields


def read_rules(node: Node, tables: Tables, common: Common) -> tuple[Rule, ...]:
    """Read ``events``. A rule with a problem is left out, after it has been reported."""
    read = items(node.data, node.report, lambda data, _: data) or []
    rules = [_read_rule(node.under(index, data), tables, common) for index, data in enumerate(read)]
    return tuple(rule for rule in rules if rule is not None)


def _read_rule(node: Node, tables: Tables, common: Common) -> Rule | None:
    read = section(node.data, node.report, _RULE_KEYS)
    if read is None:
        return None
    given = [key for key in ("say", "skip", "refuse") if key in read]
    if len(given) != 1:
        node.error("must have one of say (the event), skip (why there is none) and refuse (why the payload is not mapped)")
        return None
    when = read_condition(node.under("when", read["when"])) if "when" in read else None
    each = read_path(node.under("each", read["each"])) if "each" in read else None
    path = str(read.get("each", ""))
    if given == ["say"]:
        return Rule(node.place, when, each, path, _read_say(node.under("say", read["say"]), tables, common))
    text = read[given[0]]
    if "each" in read:
        node.report(("each",), f"`{given[0]}` applies to the whole payload; remove `each`, or give it a filter")
    if not isinstance(text, str) or not text:
        node.report((given[0],), f"must be the reason, as text, not {shown(text)}")
        return None
    return Rule(node.place, when, each, path, (), **{given[0]: text})


def _read_say(node: Node, tables: Tables, common: Common) -> tuple[EventTemplate, ...]:
    nodes = [node.under(index, data) for index, data in enumerate(node.data)] if isinstance(node.data, list) else [node]
    templates = [_read_event(here, tables, common) for here in nodes]
    return tuple(template for template in templates if template is not None)


def _read_event(node: Node, tables: Tables, common: Common) -> EventTemplate | None:
    if not isinstance(node.data, Mapping) or "type" not in node.data:
        node.error("must be an event: a mapping with `type`, and the keys of that type")
        return None
    kind = node.data["type"]
    if not isinstance(kind, str) or kind not in _TYPES:
        node.report(
            ("type",),
            f"{shown(kind)} is not an event type{suggestion(str(kind), _TYPES)}: use one of {listed(_TYPES)}",
        )
        return None
    known = ("type", *COMMON_KEYS, *_OWN_KEYS[kind])
    section(node.data, node.report, known)
    own = {
        key: _read_key(key, node.under(key, data), tables)
        for key, data in node.data.items()
        if key in known and key not in {"type", "fields"}
    }
    keys = {**common.keys, **{key: value for key, value in own.items() if value is not None}}
    for key, required in _KEYS[kind].items():
        if required and key not in {"source", "fields", *keys, *own}:
            node.error(f"`{key}` is missing: {kind} needs it{', here or in `common`' if key in COMMON_KEYS else ''}")
    return EventTemplate(kind, node.place, keys, _all_fields(node, kind, tables, common))


def _all_fields(node: Node, kind: str, tables: Tables, common: Common) -> dict[str, Value]:
    assert isinstance(node.data, Mapping)
    if kind not in WITH_FIELDS:
        return {}
    written = read_fields(node.under("fields", node.data["fields"]), tables) if "fields" in node.data else {}
    if not written and kind == "ticket.changed":
        node.error("`fields` is missing: ticket.changed states at least one field")
    return {name: value for name, value in written.items() if name not in common.replaced}


def _read_key(key: str, node: Node, tables: Tables) -> Value | None:
    value = read_value(node, tables)
    if value is None:
        return None
    allowed = _ALLOWED.get(key)
    for outcome, place in value.outcomes:
        if allowed is not None and not any(outcome is one or (type(outcome) is str and outcome == one) for one in allowed):
            words = listed("null" if one is None else str(one).lower() for one in allowed)
            place.error(f"{shown(outcome)} is not a value of `{key}`: use one of {words}")
        elif key == "priority" and len(str(outcome)) > MAX_PRIORITY:
            place.error(f"a priority has at most {MAX_PRIORITY} characters")
    return value


def check_rows(node: Node) -> dict[str, Node]:
    """Read a table: the values of a helpdesk to values of events. ``"*"`` is the row of every other value."""
    if not isinstance(node.data, Mapping) or not node.data:
        node.error(f'must be a mapping with a row for each value, as in {{"1": open, "2": pending}}, not {shown(node.data)}')
        return {}
    rows: dict[str, Node] = {}
    for key, row in node.parts(node.data):
        if row.data is None or isinstance(row.data, str | int | float | bool):
            rows[key] = row
        else:
            what = "every other value" if key == DEFAULT_ROW else f"`{key}`"
            row.error(f"the row for {what} must be one value, not {shown(row.data)}")
    return rows
