"""Reads the rules of a desk file: the fields and tags that are written, and their values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from stream.documents.readers import as_text, listed, part, read_word, section, shown, under
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.writeback.rule import FieldRule, Form, Rule, TagRule, ValueKind
from stream.writeback.values import FLAGS, INSTANTS, Name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from stream.documents.document import Report
    from stream.writeback.system import System

_FIELD_KEYS: Final = ("field", "value", "kind", "form", "zone", "table")
_TAG_KEYS: Final = ("tag", "when")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_TAG: Final = re.compile(r"[^\s,\"']{1,100}")
_PROBE: Final = datetime(2031, 11, 22, 13, 14, 15, tzinfo=UTC)
_MOST_TEXT: Final = 255


def read_text(data: object, report: Report) -> str | None:
    text = as_text(data)
    if not text or len(text) > _MOST_TEXT or not text.isprintable():
        report((), f"must be a text of at most {_MOST_TEXT} characters in one line, not {shown(data)}")
        return None
    return text


def read_rule(data: object, report: Report, system: System) -> Rule | None:
    if isinstance(data, dict) and "tag" in data:
        return _read_tag(data, report, system)
    found = section(data, report, _FIELD_KEYS, ("field", "value"))
    if found is None or "field" not in found or "value" not in found:
        return None
    name = read_text(found["field"], under(report, "field"))
    value = read_word(Name)(found["value"], under(report, "value"))
    if name is None or value is None:
        return None
    if not system.writable(name):
        report(("field",), f"`{name}` is not written: {system.name} gets values in {system.fields_text}, never a public text")
        return None
    kind = part(found, "kind", report, read_word(ValueKind)) or ValueKind.TEXT
    form: Form | str = Form.DATE if name in system.dates else system.form
    if ("form" in found or "zone" in found) and value not in INSTANTS:
        report(("value",), f"`{value}` is not a time: `form` and `zone` are for {listed(sorted(INSTANTS))}")
    if "form" in found:
        form = _read_form(found["form"], under(report, "form")) or form
    zone = part(found, "zone", report, _read_zone)
    table = part(found, "table", report, _read_table) or {}
    if kind is ValueKind.NUMBER and value not in INSTANTS and not table:
        report(("kind",), f"`{value}` is not a number: give a table that has numbers")
    if kind is ValueKind.NUMBER and (wrong := [text for text in table.values() if not _NUMBER.fullmatch(text)]):
        report(("table",), f"`{wrong[0]}` is not a number, and the field takes numbers")
    if kind is ValueKind.NUMBER and value in INSTANTS:
        form = Form.UNIX
    return FieldRule(name, value, kind, form, zone, table)


def _read_tag(data: Mapping[str, object], report: Report, system: System) -> TagRule | None:
    found = section(data, report, _TAG_KEYS, _TAG_KEYS)
    if found is None or "when" not in found:
        return None
    if not system.tags:
        report(("tag",), f"{system.name} has no tags: write a field with `value: breached` instead")
        return None
    tag = as_text(found["tag"])
    if tag is None or not _TAG.fullmatch(tag):
        report(("tag",), f"must be a word of at most 100 characters, not {shown(found['tag'])}")
        return None
    when = read_word(Name)(found["when"], under(report, "when"))
    if when is not None and when not in FLAGS:
        report(("when",), f"`{when}` is neither yes nor no: use {listed(sorted(FLAGS))}")
        return None
    return None if when is None else TagRule(tag, when)


def _read_form(data: object, report: Report) -> Form | str | None:
    if data in [form.value for form in Form]:
        return Form(str(data))
    if isinstance(data, str) and "%" in data:
        try:
            if _PROBE.strftime(data).strip() and "%" not in _PROBE.strftime(data):
                return data
        except ValueError:
            pass  # reported below, as any other text
    report((), f"must be {listed(Form)} or a format such as %d.%m.%Y %H:%M, not {shown(data)}")
    return None


def _read_zone(data: object, report: Report) -> ZoneInfo | None:
    try:
        return read_tzinfo(str(data))
    except UnknownZoneError as error:
        report((), str(error))
        return None


def _read_table(data: object, report: Report) -> dict[str, str] | None:
    if not isinstance(data, dict) or not data:
        report((), f"must be a table of values and what the helpdesk calls them, not {shown(data)}")
        return None
    table: dict[str, Any] = {}
    for key, value in data.items():
        text = read_text(value, under(report, key))
        if text is not None:
            table[key] = text
    return table
