"""The ticket fields of an event as they are on the wire: their types and limits, and the check of their names and values."""

from __future__ import annotations

from typing import Annotated, Any, Final
from unicodedata import normalize

from msgspec import Meta

from stream.sla.events import STATUSES, TICKET_FIELDS

MAX_TEXT: Final = 1024
MAX_PRIORITY: Final = 64
MAX_NAME: Final = 64
MAX_ITEMS: Final = 256

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
FieldItem = str | bool | int | float | None | list[Any] | dict[str, Any]
FieldValue = str | bool | int | float | None | list[FieldItem] | dict[str, Any]
InputFields = Annotated[
    dict[str, FieldValue],
    Meta(
        description="Ticket fields by name. Policies use status, priority, category, channel, customer, contract, team, "
        "assignee and tags, and any field of your own that they name. Numbers become text, true and false become yes and no, "
        "null clears a field. A field with several values is a list. Text is cut after 1024 characters and a list after 256 "
        "items. Objects for fields of your own, and names of more than 64 characters or that begin with @, are ignored.",
        # The checks of ``ticket_fields``, for publishers.
        extra_json_schema={
            "properties": {
                "status": {"enum": [*STATUSES]},
                "priority": {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_PRIORITY},
                **{name: {"not": {"type": "object"}} for name in TICKET_FIELDS[2:]},
            },
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


def ticket_fields(fields: dict[str, FieldValue], ascii_only: bool = False) -> dict[str, str | list[str]]:
    """Return the fields that a policy can read, each value as text or as a list of texts. Raises ``InvalidEvent``.

    ``ascii_only``: whether all names and texts are known to be.

    A value that perhaps no policy reads never makes an event invalid. An unknown status, a priority that is not one short
    text, and an object for a field of ``TICKET_FIELDS`` do. Of the rest:

    * Text has one form of Unicode, NFC, so that equal words are equal. Text is cut after ``MAX_TEXT`` characters; its last
      character is then an ellipsis.
    * A list has at most its first ``MAX_ITEMS`` items. Nulls, objects and lists in it are left out.
    * An object for a field of your own, and a name that no policy can have, are left out.
    """
    for name, value in fields.items():
        if (
            type(value) is not str
            or len(value) > MAX_TEXT
            or not nameable(name)
            or not (ascii_only or (value.isascii() and name.isascii()))
        ):
            readable = _readable(fields)
            break
    else:
        readable = fields  # type: ignore[assignment]  # every value is a text
    status = readable.get("status", "new")
    if type(status) is list or status not in _KNOWN_STATUSES:
        raise InvalidEvent("$.fields.status", f"{status!r} is not a status: use one of {', '.join(STATUSES)}")
    priority = readable.get("priority", "")
    if type(priority) is list:
        raise InvalidEvent("$.fields.priority", "must be one value, not a list")
    if len(priority) > MAX_PRIORITY:
        raise InvalidEvent("$.fields.priority", f"longer than {MAX_PRIORITY} characters")
    return readable


def field_path(name: str) -> str:
    """The JSON path of a ticket field."""
    return f"$.fields.{name}" if name.isidentifier() else f"$.fields[{name!r}]"


def one_form(text: str) -> str:
    """Return the text in the form of Unicode in which texts are compared, NFC."""
    return text if text.isascii() else normalize("NFC", text)


def nameable(name: str) -> bool:
    """Whether a policy can name the field."""
    return 0 < len(name) <= MAX_NAME and name[0] != "@"


def _readable(fields: dict[str, FieldValue]) -> dict[str, str | list[str]]:
    readable: dict[str, str | list[str]] = {}
    for given, value in fields.items():
        name = one_form(given)
        if type(value) is list:
            items = [item for item in value[:MAX_ITEMS] if item is not None and not isinstance(item, list | dict)]
            readable[name] = [_text(item) for item in items]
        elif type(value) is not dict:
            readable[name] = _text(value)
        elif name in TICKET_FIELDS:
            raise InvalidEvent(field_path(name), "must be a text or a list of texts, not an object")
    return {name: value for name, value in readable.items() if nameable(name)}


def _text(value: FieldItem) -> str:
    match value:
        case None:
            return ""
        case str():
            text = one_form(value)
        case bool():
            return "yes" if value else "no"
        case _:
            text = repr(value).removesuffix(".0")
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
