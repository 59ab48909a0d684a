"""Jira: custom fields and labels of an issue.

Each change has ``notifyUsers=false``, so nobody gets a mail of it. For that the account must be an administrator of Jira or of
the project; otherwise Jira refuses the change. Labels are added and removed one by one, so those of others stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.writeback.api import Change, Current
from stream.writeback.rule import FieldRule, ValueKind

if TYPE_CHECKING:
    from stream.writeback.http import DeskClient


class Jira:
    """The platform API. Version 2 is of Cloud and of Data Center, and no field here differs from version 3."""

    def __init__(self, client: DeskClient) -> None:
        self._client: Final = client

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        asked = ",".join([*(rule.field for rule in rules), "labels", "updated"])
        data = (await self._client.get(f"/rest/api/2/issue/{ticket}?fields={asked}")).data["fields"]
        fields = {rule.field: _text(data[rule.field]) for rule in rules if rule.field in data}
        return Current(fields, frozenset(data.get("labels") or []))

    async def write(self, ticket: str, change: Change, current: Current) -> None:  # noqa: ARG002  of the protocol
        body: dict[str, Any] = {}
        if change.fields:
            body["fields"] = {rule.field: _value(rule, text) for rule, text in change.fields.items()}
        if change.add or change.remove:
            labels = [{"add": tag} for tag in sorted(change.add)] + [{"remove": tag} for tag in sorted(change.remove)]
            body["update"] = {"labels": labels}
        await self._client.put(f"/rest/api/2/issue/{ticket}?notifyUsers=false", body)


def _value(rule: FieldRule, text: str) -> Any:
    if not text:
        return None
    if rule.field == "priority":
        return {"name": text}
    if rule.kind is ValueKind.OPTION:
        return {"value": text}
    if rule.kind is ValueKind.CHECKBOX:
        return [{"value": text}]
    return float(text) if rule.kind is ValueKind.NUMBER else text


def _text(value: Any) -> str:
    """A field as a text: of an object its name or value, of a list its first item."""
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    if isinstance(value, dict):
        return str(value.get("value") or value.get("name") or "")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
