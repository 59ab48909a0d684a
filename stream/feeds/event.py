"""Computes an event of a rule from a payload, as the contract of ticket events has it. The decoder checks it afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from stream.feeds.place import UnfitError
from stream.feeds.rule import WITH_FIELDS
from stream.feeds.scalar import as_text, described

if TYPE_CHECKING:
    from stream.feeds.path import Scope
    from stream.feeds.rule import EventTemplate
    from stream.feeds.value import Value
    from stream.wire.decode import Rejected

EVENT_PATH: Final = re.compile(r"\$\.(\w+)(?:\.(\w+))?")
"""The key and the ticket field of a path in an event."""


def compute(template: EventTemplate, source: str, scope: Scope) -> dict[str, Any]:
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
        wire["fields"] = compute_fields(template.fields, scope)
    return wire


def compute_fields(values: Mapping[str, Value], scope: Scope) -> dict[str, Any]:
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


def unfit(template: EventTemplate, rejected: Rejected, wire: Mapping[str, Any]) -> UnfitError:
    """Why an event is not valid, with the place of the value in the mapping."""
    found = EVENT_PATH.match(rejected.path)
    key, name = (found[1], found[2]) if found else ("", None)
    value = template.fields.get(name or "") if key == "fields" else template.keys.get(key)
    if value is None:
        return UnfitError(f"the event is not valid: {rejected.message} (`{rejected.path}` of the event)", template.place, "")
    named = f"`{name or key}`"
    reason = f"{named} has no value" if key != "fields" and key not in wire else f"{named} is not valid: {rejected.message}"
    return UnfitError(reason, value.place, value.path)
