"""Redmine: custom fields of an issue, and the group or category that takes it over.

Redmine answers 204 to a change of a field that the account may not edit and does not make it, so the issue is read again. It
has no version of an issue by which a change could be refused. A change has no notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.writeback.api import Change, Current, Outcome, RefusedError
from stream.writeback.rule import FieldRule, ValueKind

if TYPE_CHECKING:
    from stream.writeback.http import DeskClient

_STANDARD: Final = {
    "assigned_to_id": "assigned_to",
    "category_id": "category",
    "priority_id": "priority",
    "due_date": "due_date",
}
_FLAGS: Final = {"yes": "1", "no": "0", "": ""}


class Redmine:
    """The REST API."""

    def __init__(self, client: DeskClient) -> None:
        self._client: Final = client

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        data = (await self._client.get(f"/issues/{ticket}.json")).data["issue"]
        found = {rule.field: _text(rule, data) for rule in rules}
        return Current({name: text for name, text in found.items() if text is not None}, version=data["updated_on"])

    async def write(self, ticket: str, change: Change, current: Current) -> None:  # noqa: ARG002  of the protocol
        data = (await self._client.get(f"/issues/{ticket}.json")).data["issue"]
        issue: dict[str, Any] = {rule.field: text for rule, text in change.fields.items() if rule.field in _STANDARD}
        fields = [
            {"id": custom["id"], "value": _FLAGS[text] if rule.kind is ValueKind.CHECKBOX else text}
            for rule, text in change.fields.items()
            if rule.field not in _STANDARD and (custom := _custom(rule, data)) is not None
        ]
        if fields:
            issue["custom_fields"] = fields
        await self._client.put(f"/issues/{ticket}.json", {"issue": issue})
        after = await self.read(ticket, tuple(change.fields))
        if ignored := [rule.field for rule, text in change.fields.items() if after.fields.get(rule.field) != text]:
            raise RefusedError(Outcome.REFUSED, f"Redmine did not change {', '.join(ignored)}: may the account edit the field?")


def _custom(rule: FieldRule, data: Any) -> Any:
    for each in data.get("custom_fields") or []:
        if rule.field in (str(each["id"]), each["name"]):
            return each
    return None


def _text(rule: FieldRule, data: Any) -> str | None:
    """``None``: the issue does not have the field, or the account does not see it."""
    if rule.field in _STANDARD:
        value = data.get(_STANDARD[rule.field])
        return "" if value is None else str(value["id"] if isinstance(value, dict) else value)
    custom = _custom(rule, data)
    if custom is None:
        return None
    value = custom["value"]
    if rule.kind is ValueKind.CHECKBOX:
        return next(word for word, flag in _FLAGS.items() if flag == (value or ""))
    return "" if value is None else str(value)
