"""django-helpdesk: custom fields of a ticket, its due date and priority, and the queue that takes it over.

Its webhooks do not report a change through the API, so it comes back with the next follow-up only, as a snapshot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from stream.writeback.api import Change, Current
from stream.writeback.rule import FieldRule, ValueKind

if TYPE_CHECKING:
    from stream.writeback.http import DeskClient

_NUMBERS: Final = frozenset({"priority", "queue", "assigned_to"})
_DATE: Final = "due_date"


class DjangoHelpdesk:
    """The REST API of 2.x."""

    def __init__(self, client: DeskClient) -> None:
        self._client: Final = client

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        data = (await self._client.get(f"/api/tickets/{ticket}/")).data
        return Current({rule.field: _text(rule.field, data[rule.field]) for rule in rules if rule.field in data})

    async def write(self, ticket: str, change: Change, current: Current) -> None:  # noqa: ARG002  of the protocol
        await self._client.patch(
            f"/api/tickets/{ticket}/", {rule.field: _value(rule, text) for rule, text in change.fields.items()}
        )


def _value(rule: FieldRule, text: str) -> Any:
    if rule.field in _NUMBERS:
        return int(text) if text.isdecimal() else None
    if rule.field == _DATE:
        return text or None
    if rule.kind is ValueKind.CHECKBOX:
        return text == "yes"
    return text


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == _DATE and value:
        # The desk answers in its own zone.
        return datetime.fromisoformat(value).astimezone(UTC).isoformat().replace("+00:00", "Z")
    return "" if value is None else str(value)
