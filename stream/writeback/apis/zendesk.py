"""Zendesk: custom fields, tags, and the group that takes a ticket over.

Each change has ``safe_update`` and the ``updated_stamp`` that was read, so an agent's change in between is not overwritten:
Zendesk answers 409, and the ticket is read again. A change has no comment, so the customer gets no message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.writeback.api import Change, Current
from stream.writeback.rule import FieldRule, ValueKind

if TYPE_CHECKING:
    from stream.writeback.http import DeskClient

_CLOSED: Final = ("closed", "deleted")


class Zendesk:
    """The tickets API, version 2."""

    def __init__(self, client: DeskClient) -> None:
        self._client: Final = client

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        data = (await self._client.get(f"/api/v2/tickets/{ticket}.json")).data["ticket"]
        custom = {str(each["id"]): each["value"] for each in data.get("custom_fields") or []}
        fields = {}
        for rule in rules:
            if not rule.field.isdecimal():
                fields[rule.field] = _text(data.get(rule.field))
            elif rule.field in custom:
                fields[rule.field] = _text(custom[rule.field])
        return Current(fields, frozenset(data.get("tags") or []), data["updated_at"], data["status"] in _CLOSED)

    async def write(self, ticket: str, change: Change, current: Current) -> None:
        body: dict[str, Any] = {"safe_update": True, "updated_stamp": current.version}
        custom = []
        for rule, text in change.fields.items():
            value = _value(rule, text)
            if rule.field.isdecimal():
                custom.append({"id": int(rule.field), "value": value})
            else:
                body[rule.field] = int(text) if text.isdecimal() else value
        if custom:
            body["custom_fields"] = custom
        if change.add or change.remove:
            body["tags"] = sorted((current.tags | change.add) - change.remove)
        await self._client.put(f"/api/v2/tickets/{ticket}.json", {"ticket": body})


def _value(rule: FieldRule, text: str) -> Any:
    if rule.kind is ValueKind.CHECKBOX:
        return text == "yes"
    if not text:
        return None
    return float(text) if rule.kind is ValueKind.NUMBER else text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
