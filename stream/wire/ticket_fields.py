"""The ticket fields of an event as they are on the wire: their types and limits, and the check of their names and values."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from stream.sla.events import STATUSES

MAX_TEXT: Final = 1024
MAX_PRIORITY: Final = 64
MAX_FIELDS: Final = 64
MAX_TAGS: Final = 256

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
FieldName = Annotated[str, Meta(min_length=1, max_length=64)]
FieldValue = Text | Annotated[list[Text], Meta(max_length=MAX_TAGS)] | bool | int | float | None
Fields = Annotated[
    dict[FieldName, FieldValue],
    Meta(
        max_length=MAX_FIELDS,
        description="Ticket fields by name. Policies use status, priority, category, channel, customer, contract, team, "
        "assignee and tags, and any field of your own that they name. Numbers become text, true and false become yes and no, "
        "null clears a field.",
        # The checks of ``ticket_fields``, for publishers.
        extra_json_schema={
            "properties": {
                "status": {"enum": [*STATUSES]},
                "priority": {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_PRIORITY},
                "tags": {
                    "description": "A list of strings. The empty string or null clears it.",
                    "anyOf": [
                        {"type": "array", "maxItems": MAX_TAGS, "items": {"type": "string", "maxLength": MAX_TEXT}},
                        {"enum": ["", None]},
                    ],
                },
            },
            "allOf": [
                {"propertyNames": {"pattern": "^[^@]"}},
                {"properties": {"tags": True}, "additionalProperties": {"not": {"type": "array"}}},
            ],
        },
    ),
]

_KNOWN_STATUSES: Final = frozenset[object](STATUSES)


class InvalidEvent(Exception):  # noqa: N818  it names a state of the event; the program did nothing wrong
    """The event is well formed, but a value is not valid. ``path`` is the JSON path of the value."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class FieldsOnly(msgspec.Struct):
    """The ticket fields of a record, not decoded: for finding the field that breaks the contract."""

    fields: dict[str, msgspec.Raw] = {}


def ticket_fields(fields: dict[str, FieldValue]) -> dict[str, str | list[str]]:
    """Convert every value to text in place, or for ``tags`` to a list of texts. Raises ``InvalidEvent``."""
    for name, value in fields.items():
        if type(value) is not str:
            fields[name] = _as_text(name, value)
        if name[0] == "@":
            raise InvalidEvent(field_path(name), "names that begin with @ are reserved for breachwatch")
    if "status" in fields and fields["status"] not in _KNOWN_STATUSES:
        raise InvalidEvent("$.fields.status", f"{fields['status']!r} is not a status: use one of {', '.join(STATUSES)}")
    valid: dict[str, str | list[str]] = fields  # type: ignore[assignment]  # the loop above has converted the values
    if len(valid.get("priority", "")) > MAX_PRIORITY:
        raise InvalidEvent("$.fields.priority", f"longer than {MAX_PRIORITY} characters")
    tags = valid.get("tags")
    if tags and type(tags) is str:
        raise InvalidEvent("$.fields.tags", "tags must be a list of strings")
    return valid


def field_path(name: str) -> str:
    """The JSON path of a ticket field."""
    return f"$.fields.{name}" if name.isidentifier() else f"$.fields[{name!r}]"


def _as_text(name: str, value: FieldValue) -> str | list[str]:
    match value:
        case None:
            return ""
        case list():
            if name != "tags":
                raise InvalidEvent(field_path(name), "only tags may be a list")
            return value
        case bool():
            return "yes" if value else "no"
        case _:
            text = repr(value).removesuffix(".0")
            if len(text) > MAX_TEXT:
                raise InvalidEvent(field_path(name), f"longer than {MAX_TEXT} characters")
            return text
