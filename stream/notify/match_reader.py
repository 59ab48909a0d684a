"""Reads the conditions of a route: ``when`` with types, fields and parts of an effect."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from stream.documents.readers import as_text, items, listed, part, part_or, read_yes_no, section, shown, suggestion, under
from stream.notify.rules import USUAL_KINDS, Match
from stream.sla.effects import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.documents.document import Report

FIELD_KEYS: Final = ("priority", "team", "customer")
"""Ticket fields that are keys of their own; ``field`` has the others."""
_KEYS: Final = ("type", "policy", "commitment", "ladder", "level", "role", "page", *FIELD_KEYS, "field")


def read_match(data: object, report: Report) -> Match | None:
    """Read ``when``."""
    keys = section(data, report, _KEYS)
    if keys is None:
        return None
    return Match(
        part_or(keys, "type", report, _kinds, USUAL_KINDS),
        part_or(keys, "policy", report, _values, frozenset()),
        part_or(keys, "commitment", report, _values, frozenset()),
        part_or(keys, "ladder", report, _values, frozenset()),
        part_or(keys, "level", report, _values, frozenset()),
        part_or(keys, "role", report, _values, frozenset()),
        read_fields(keys, report),
        part(keys, "page", report, read_yes_no),
    )


def read_fields(keys: Mapping[str, object], report: Report) -> tuple[tuple[str, frozenset[str]], ...]:
    """Read the conditions on ticket fields among these keys."""
    found: dict[str, frozenset[str] | None] = {name: part(keys, name, report, _values) for name in FIELD_KEYS if name in keys}
    if "field" in keys:
        others = keys["field"]
        if not isinstance(others, dict) or not others:
            report(("field",), f"must be a mapping of ticket fields to their values, not {shown(others)}")
        else:
            for name, values in others.items():
                if name in found:
                    report(("field", name), f"`{name}` is given twice")
                found[name] = _values(values, under(report, "field", name))
    return tuple((name, values) for name, values in found.items() if values is not None)


def _values(data: object, report: Report) -> frozenset[str] | None:
    """Read one value or a list of values, as ticket fields have them."""
    values = items(data if isinstance(data, list) else [data], report, _value)
    return frozenset(value for value in values if value is not None) if values else None


def _value(data: object, report: Report) -> str | None:
    text = as_text(data)
    if text is None:
        report((), f"must be a text or a number, not {shown(data)}")
    return text


def _kinds(data: object, report: Report) -> frozenset[Kind] | None:
    found = items(data if isinstance(data, list) else [data], report, _kind)
    return None if found is None else frozenset(kind for kinds in found if kinds for kind in kinds)


def _kind(data: object, report: Report) -> frozenset[Kind] | None:
    text = str(data)
    matching = frozenset(kind for kind in Kind if fnmatchcase(kind, text))
    if not matching:
        near = suggestion(text, Kind)
        report((), f"{shown(data)} is not a type of effect{near}; there are: {listed(Kind)}, and patterns such as escalation.*")
        return None
    retractions = [kind for kind in matching if kind.endswith("retracted")]
    if retractions and "*" not in text:
        report((), f"`{text}` needs no route: a retraction goes where the effect went that it takes back")
        return None
    return matching.difference(retractions)
